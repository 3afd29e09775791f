//! What several sessions hold of one model, as one session.

use super::{Found, Session, StoredFact};
use crate::analysis::ModelEdit;

impl Session {
    /// Adds what another session of the same model holds, with its facts. What the window was like is this
    /// session's.
    ///
    /// # Errors
    ///
    /// In words, and nothing is added, if the other is of another model, or both hold what only one can: a
    /// model beside, or a result that was asked of no fact.
    pub fn join(&mut self, other: Self) -> Result<(), String> {
        if other.model.weights_sha256 != self.model.weights_sha256 {
            return Err(format!(
                "this is of another model ({}) than the first file ({}); a session holds one",
                other.model.name, self.model.name
            ));
        }
        let beside = [&self.beside, &other.beside].map(|it| it.as_ref().map(|it| &it.model));
        if let [Some(ours), Some(theirs)] = beside
            && ours.weights_sha256 != theirs.weights_sha256
        {
            return Err("a session holds one model beside, and these are two".to_owned());
        }
        if self.typed.is_some() && other.typed.is_some() {
            return Err(
                "a session holds one result that was asked of no fact; save these to files of their own"
                    .to_owned(),
            );
        }
        let Self { beside, dataset, edits, changes, facts, subjects, found, typed, .. } = other;
        self.beside = self.beside.take().or(beside);
        self.typed = self.typed.take().or(typed);
        if self.dataset.is_none() && dataset.is_some() {
            self.dataset.clone_from(&dataset);
            self.subjects = subjects;
        }
        // A fact of another dataset stays, as one that was typed.
        let is_of_ours = dataset == self.dataset;
        let facts: Vec<usize> = facts
            .into_iter()
            .map(|it| self.fact(StoredFact { nth: it.nth.filter(|_| is_of_ours), ..it }))
            .collect();
        let changed: Vec<Option<usize>> = changes.into_iter().map(|it| self.change(it)).collect();
        let own = self.change(edits);
        for it in found {
            let changed = match it.changed {
                None => own,
                Some(nth) => changed.get(nth).copied().flatten(),
            };
            self.found.push(Found { fact: facts[it.fact], changed, ..it });
        }
        Ok(())
    }

    /// The place of a fact, which is added if it is not there.
    fn fact(&mut self, fact: StoredFact) -> usize {
        if let Some(nth) = self.facts.iter().position(|it| *it == fact) {
            return nth;
        }
        self.facts.push(fact);
        self.facts.len() - 1
    }

    /// The place of a list of edits among the changes of the model; `None` for the session's own.
    fn change(&mut self, edits: Vec<ModelEdit>) -> Option<usize> {
        if edits == self.edits {
            return None;
        }
        if let Some(nth) = self.changes.iter().position(|it| *it == edits) {
            return Some(nth);
        }
        self.changes.push(edits);
        Some(self.changes.len() - 1)
    }
}
