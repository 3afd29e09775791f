//! Between the window and session files: what is written, and how it is put back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::history::Choices;
use super::{
    Answers, AskedExperiment, FactId, FactKey, Findings, Look, Paint, Run, State, StoredAnswer,
    StoredEdges,
};
use crate::analysis::{AnalysisResult, ModelEdit};
use crate::session::{
    DatasetIdentity, Found, ModelBeside, ModelIdentity, Origin, Session, StoredFact, Typed,
};
use crate::task::TaskCtx;
use crate::ui::workspace::Workspace;
use crate::worker::{ModelInfo, Which};

/// The session that is open.
#[derive(Debug)]
pub struct OpenSession {
    pub path: PathBuf,

    /// As it was when file and window were the same.
    pub saved: Mark,
}

/// Tells whether something was found, chosen or set since.
#[derive(Clone, Debug)]
pub struct Mark {
    n_found: u64,
    n_asked: u64,
    choices: Choices,
    spec_text: String,
    edits: Vec<ModelEdit>,
}

impl Mark {
    /// A mark of a file that lacks something of every window.
    #[must_use]
    pub fn of_less(self) -> Self {
        Self { n_found: u64::MAX, n_asked: u64::MAX, ..self }
    }
}

/// Results of a session file whose model or dataset is not there as it was. As long as they are
/// shown, nothing is computed, so that they cannot be mixed with others.
#[derive(Debug)]
pub struct Stored {
    pub path: PathBuf,
    pub model: PathBuf,

    /// What is not as it was.
    pub differences: Vec<String>,
}

impl Stored {
    /// Where the results come from, for a sentence.
    pub fn origin(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy();
        format!("the session file {name}, not of the model that is there now")
    }
}

/// All that goes into a file, but for what takes long to find.
#[derive(Debug)]
pub struct Snapshot {
    info: Arc<ModelInfo>,

    /// The model beside, and the subjects in its tokens.
    beside: Option<(Arc<ModelInfo>, Arc<[u32]>)>,
    dataset: Option<DatasetIdentity>,
    edits: Vec<ModelEdit>,
    changes: Vec<Vec<ModelEdit>>,
    facts: Vec<StoredFact>,
    subjects: Arc<[u32]>,
    found: Vec<Found>,
    typed: Option<Typed>,
    look: Look,
    pub mark: Mark,
}

impl Snapshot {
    /// Hashes the weights, and writes the file. The error is for the user.
    pub fn save(self, path: &Path) -> Result<Mark, String> {
        let mark = self.mark.clone();
        self.session()?.save(path).map_err(|error| error.to_string())?;
        Ok(mark)
    }

    /// What a file would hold. Hashes the weights. The error is for the user.
    pub fn session(self) -> Result<Session, String> {
        let mut session = Session::new(identity(&self.info)?);
        if let Some((info, subjects)) = self.beside {
            session.beside = Some(ModelBeside { model: identity(&info)?, subjects });
        }
        session.dataset = self.dataset;
        session.edits = self.edits;
        session.changes = self.changes;
        session.facts = self.facts;
        session.subjects = self.subjects;
        session.found = self.found;
        session.typed = self.typed;
        session.set_window(&self.look);
        Ok(session)
    }
}

fn identity(info: &ModelInfo) -> Result<ModelIdentity, String> {
    let hashes = info.hash.get(&TaskCtx::unwatched());
    let hashes = hashes.map_err(|error| error.to_string())?.clone();
    Ok(ModelIdentity::of(info, hashes))
}

impl State {
    pub fn mark(&self) -> Mark {
        Mark {
            n_found: self.n_found,
            n_asked: self.n_asked,
            choices: self.choices(),
            spec_text: self.spec.text().to_owned(),
            edits: self.edits.clone(),
        }
    }

    /// Whether the open session holds less than the window. `None` without one.
    pub fn is_unsaved(&self) -> Option<bool> {
        let saved = &self.session.as_ref()?.saved;
        Some(
            saved.n_found != self.n_found
                || saved.edits != self.edits
                || saved.choices != self.choices()
                || saved.spec_text != self.spec.text(),
        )
    }

    /// Whether the open session lacks something that a person has made: which fact and place are looked at,
    /// and what is found unasked, is no loss. `None` without one.
    fn lacks_work(&self) -> Option<bool> {
        let saved = &self.session.as_ref()?.saved;
        Some(
            saved.n_asked != self.n_asked
                || saved.edits != self.edits
                || saved.choices.made() != self.choices().made()
                || saved.spec_text != self.spec.text(),
        )
    }

    /// Whether something that a person has set or asked for would be lost with the window.
    /// Results of a session file that are shown without their model are in that file.
    pub fn has_unsaved(&self) -> bool {
        let n_records = self.facts.dataset.as_ref().map_or(0, |dataset| dataset.records.len());
        let has_typed = self.stored.is_none() && self.facts.len() > n_records;
        self.has_unsaved_results() || self.session.is_none() && has_typed
    }

    /// Whether results would be lost; typed facts do not count, which stay when something else is opened.
    pub fn has_unsaved_results(&self) -> bool {
        let has_asked = || self.all_findings().any(|(_, findings)| findings.has_asked());
        self.stored.is_none() && self.lacks_work().unwrap_or_else(has_asked)
    }

    /// What a session file would hold now. `None` while no model is open.
    pub fn snapshot(&self, workspace: &Workspace) -> Option<Snapshot> {
        let info = Arc::clone(self.info()?);
        let mut facts = Vec::new();
        let mut places = BTreeMap::new();
        let mut place = |id: FactId| -> Option<usize> {
            if let Some(nth) = places.get(&id) {
                return Some(*nth);
            }
            let record = self.facts.get(id)?.clone();
            let nth = match id {
                FactId::Record(nth) => Some(nth),
                FactId::Typed(_) | FactId::Experiment => None,
            };
            facts.push(StoredFact { nth, record });
            places.insert(id, facts.len() - 1);
            Some(facts.len() - 1)
        };
        let chosen = self.selected.and_then(&mut place);
        let typed = self.facts.listed().iter().filter_map(|nth| place(FactId::Typed(*nth)));
        let typed: Vec<usize> = typed.collect();
        let beside = self.beside.and_then(|it| Some((place(it.fact)?, it.direction)));
        let mut painted = Vec::new();
        for (FactKey { which, fact, direction, has_bos, answer }, edges) in self.painted.iter() {
            let (Some(fact), edges) = (place(fact), edges.clone()) else { continue };
            let answer = Some(answer);
            painted.push(StoredEdges { which, fact, direction, has_bos, answer, edges });
        }
        let mut answers = Vec::new();
        for (places, is_chosen) in [(&self.answers.settled, false), (&self.answers.chosen, true)] {
            for (&(fact, direction), &answer) in places {
                let Some(fact) = place(fact) else { continue };
                answers.push(StoredAnswer { fact, direction, answer, is_chosen });
            }
        }
        let mut found = Vec::new();
        for (key, findings) in &self.findings {
            if self.info_of(key.which).is_none() {
                continue;
            }
            let Some(fact) = place(key.fact) else { continue };
            found.extend(found_in(fact, None, *key, findings));
        }
        for (nth, aside) in self.aside.iter().enumerate() {
            for (key, findings) in &aside.findings {
                let Some(fact) = place(key.fact) else { continue };
                found.extend(found_in(fact, Some(nth), *key, findings));
            }
        }
        let look = Look {
            settings: self.settings.clone(),
            spec_text: self.spec.text().to_owned(),
            workspace: workspace.clone(),
            typed: Some(typed),
            session: self.session.as_ref().map(|it| it.path.clone()),
            chosen,
            beside,
            answers,
            painted,
            asks: self.model_beside.asks,
            row: self.row,
            selection: self.selection,
            parts: self.parts,
            recall: self.facts.recall().clone(),
            recalls: self.recalls.clone(),
            sweep: self.many.open.as_ref().map(|it| (it.dir.clone(), it.view.clone())),
            query: self.facts.query().to_owned(),
            filter: self.facts.filter().clone(),
        };
        let beside = self.info_of(Which::Beside).map(|info| {
            let subjects = self.subjects_of(Which::Beside).cloned();
            (Arc::clone(info), subjects.unwrap_or_default())
        });
        Some(Snapshot {
            info,
            beside,
            dataset: self.dataset.clone(),
            edits: self.edits.clone(),
            changes: self.aside.iter().map(|it| it.edits.clone()).collect(),
            facts,
            subjects: self.subjects.clone().unwrap_or_default(),
            found,
            typed: self.typed(),
            look,
            mark: self.mark(),
        })
    }

    /// What a file holds of the experiment that was asked last.
    fn typed(&self) -> Option<Typed> {
        let run = self.experiment_run()?;
        let AskedExperiment { key, experiment, .. } = self.spec.asked.as_ref()?;
        Some(Typed {
            which: key.which,
            experiment: experiment.clone(),
            prompt: (**self.experiment_prompt()?).clone(),
            is_complete: run.is_done(),
            result: Arc::clone(run.result.as_ref()?),
        })
    }

    /// Puts the experiment of a session in its place.
    pub fn adopt_typed(&mut self, typed: Typed) {
        let Typed { which, experiment, prompt, is_complete, result } = typed;
        let run = Run::kept(experiment.spec.clone(), Origin::Asked, is_complete, result);
        let key = self.visit_experiment(which, experiment, None, Arc::new(prompt));
        if let Some(findings) = self.findings_of(key) {
            findings.adopt(run);
        }
    }

    /// Chooses and sets as the session has it; how the window itself looks stays.
    pub fn adopt_choices(&mut self, look: &Look) {
        self.settings.clone_from(&look.settings);
        self.model_beside.asks = look.asks;
        self.facts.set_query(look.query.clone());
        self.facts.set_filter(look.filter.clone());
        self.spec.set_text(look.spec_text.clone());
        self.row = look.row;
        self.selection = look.selection;
        self.parts = look.parts;
    }

    /// Puts the facts of a session in their places: those of the dataset are in the list already,
    /// at the places that `nth` tells, typed ones are kept and not listed yet.
    pub fn adopt_facts(
        &mut self,
        facts: &[StoredFact],
        mut nth: impl FnMut(&StoredFact) -> Option<usize>,
    ) -> Vec<FactId> {
        facts
            .iter()
            .map(|fact| match nth(fact) {
                Some(nth) => FactId::Record(nth),
                None => self.facts.keep(fact.record.clone()),
            })
            .collect()
    }

    /// Asks facts for the answers that they were asked for. A fact of an older session, which does not say
    /// it, is asked for the answer of what was found.
    pub fn adopt_answers(&mut self, stored: &[StoredAnswer], places: &[FactId]) {
        for it in stored {
            let Some(&fact) = places.get(it.fact) else { continue };
            let n = self.facts.get(fact).map_or(0, |record| record.answers(it.direction).len());
            if it.answer < n {
                let Answers { chosen, settled } = &mut self.answers;
                let all = if it.is_chosen { chosen } else { settled };
                all.insert((fact, it.direction), it.answer);
            }
        }
    }

    /// The answer that a result of a session is of, as its place among the right ones.
    fn answer_found(&self, found: &Found, fact: FactId) -> usize {
        let answers = self.facts.get(fact).map_or(&[][..], |it| it.answers(found.direction));
        let text = found.prompt.answer.as_ref().map_or("", |it| it.text.trim_start());
        answers.iter().position(|it| it.trim_start() == text).unwrap_or_default()
    }

    /// Puts painted edges in their places, and no others.
    pub fn adopt_painted(&mut self, painted: &[StoredEdges], places: &[FactId]) {
        self.painted.forget();
        for it in painted {
            let Some(&fact) = places.get(it.fact) else { continue };
            let StoredEdges { which, direction, has_bos, answer, .. } = *it;
            let answer = answer.or_else(|| self.answer_of(fact, direction)).unwrap_or_default();
            let key = FactKey { which, fact, direction, has_bos, answer };
            for &edge in it.edges.iter().filter(|edge| edge.key <= edge.query) {
                self.painted.change(key, Paint::Add(edge));
            }
        }
    }

    /// Puts the results of a session in their places.
    pub fn adopt_found(
        &mut self,
        found: Vec<Found>,
        changes: &[Vec<ModelEdit>],
        places: &[FactId],
    ) -> Vec<Arc<AnalysisResult>> {
        let mut adopted = Vec::new();
        for found in found {
            let Some(&fact) = places.get(found.fact) else { continue };
            let answer = self.answer_found(&found, fact);
            let key = FactKey::new(found.which, fact, found.direction, found.prompt.bos);
            let key = FactKey { answer, ..key };
            self.settle_answer(fact, found.direction, answer);
            adopted.push(Arc::clone(&found.result));
            let Found { changed, prompt, spec, origin, is_complete, result, .. } = found;
            let edits = changed.and_then(|nth| changes.get(nth));
            let place = match edits {
                Some(edits) => self.findings_with(edits),
                None => &mut self.findings,
            };
            let findings = place.entry(key).or_insert_with(|| Findings::new(Ok(Arc::new(prompt))));
            findings.adopt(Run::kept(spec, origin, is_complete, result));
            if edits.is_none() {
                self.visited.retain(|it| *it != key);
                self.visited.push_back(key);
            }
        }
        adopted
    }
}

/// What a file holds of the findings about one prompt.
fn found_in(
    fact: usize,
    changed: Option<usize>,
    key: FactKey,
    findings: &Findings,
) -> impl Iterator<Item = Found> {
    let prompt = findings.prompt.as_ref().ok();
    prompt.into_iter().flat_map(move |prompt| {
        findings.runs.iter().filter_map(move |run| {
            Some(Found {
                which: key.which,
                changed,
                fact,
                direction: key.direction,
                prompt: (**prompt).clone(),
                origin: run.origin,
                spec: run.spec.clone(),
                is_complete: run.is_done(),
                result: Arc::clone(run.result.as_ref()?),
            })
        })
    })
}
