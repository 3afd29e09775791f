//! Asks the model for the facts of the dataset in the background: which of them it knows.
//!
//! What is seen of the list comes first, and the rest only where it takes little or somebody asks for it. A
//! question that is asked by a person stops what is on its way, which is heard within a layer.

use std::sync::Arc;

use super::App;
use super::handle::SMALL;
use crate::analysis::{AnalysisCtx, AnalysisError};
use crate::facts::Direction;
use crate::population::Recall;
use crate::tokens::{TokenizedPrompt, Tokenizer};
use crate::ui::state::{FactAnswer, FactId, FactKey, JobKind, OpenJob, Outcome, Recalled};
use crate::worker::{Call, CallError, Class, Engine, Job, Which, Work};

impl App {
    /// Forgets which facts are known, for they were asked of another model or with other tokens.
    pub(super) fn forget_recall(&mut self) {
        self.state.jobs.abandon(|kind| matches!(kind, JobKind::Recall(..)));
        self.state.facts.reset_recall();
        self.state.facts.recalled();
        self.state.recall_goes_on = None;
    }

    /// Asks all facts, or stops that.
    pub(super) fn ask_all_facts(&mut self, is_on: bool) {
        self.state.recall_goes_on = Some(is_on);
        if is_on {
            self.state.preferences.measures_recall = true;
        } else {
            self.pause_recall();
        }
    }

    /// Stops what is on its way; it is asked again when nothing else is.
    pub(super) fn pause_recall(&self) {
        self.state.jobs.cancel(|kind| matches!(kind, JobKind::Recall(..)));
    }

    /// Asks for some of the dataset's facts, while nothing else is to be done.
    pub(super) fn measure_recall(&mut self) {
        // The trace of the fact that is shown goes before the list, and waits for the subjects.
        if !self.state.measures_recall() || self.state.subjects.is_none() {
            return;
        }
        if self.state.jobs.iter().any(|(_, job)| !matches!(job.kind, JobKind::Recall(..))) {
            self.pause_recall();
            return;
        }
        let Some(info) = self.state.info().cloned() else { return };
        // A person who chooses a fact in a large model need not wait until many are given up.
        let n_ahead = if info.config.n_params() < SMALL { 16 } else { 2 };
        let asks_all = self.state.asks_all_facts();
        while self.state.jobs.iter().count() < n_ahead {
            let recall = self.state.facts.recall_mut();
            let seen = recall.take_of(self.views.facts.seen());
            let next = seen.or_else(|| asks_all.then(|| recall.take_next()).flatten());
            let Some((nth, direction)) = next else { return };
            self.ask_fact(nth, direction, &info.tokenizer);
        }
    }

    /// Asks as a sweep does, so that both say the same of a fact.
    fn ask_fact(&mut self, nth: usize, direction: Direction, tokenizer: &Tokenizer) {
        let (id, bos) = (FactId::Record(nth), self.state.settings.bos);
        let asked = self.state.facts.get(id).and_then(|record| {
            let fact = record.fact(direction)?.clone();
            let prompt = TokenizedPrompt::new(tokenizer, &fact, bos).ok()?;
            let (right, relation) = (record.answers(direction).to_vec(), record.relation.clone());
            let (n_pos, n_answer_tokens) = (prompt.n_pos(), prompt.answer?.ids.len());
            Some((fact, right, relation, n_pos, n_answer_tokens))
        });
        let Some((fact, right, relation, n_pos, n_answer_tokens)) = asked else {
            self.state.facts.recall_mut().set(nth, direction, None);
            return;
        };
        let choices = relation.map(|it| self.state.facts.answers(&it, direction));
        let key = FactKey::new(Which::Main, id, direction, bos);
        let (id, cancel) = self.state.jobs.add(JobKind::Recall(key));
        let Some(job) = self.state.jobs.get(id) else { return };
        let slot = Arc::clone(&job.answer);
        let call = move |engine: &Engine, ctx: &AnalysisCtx<'_>| {
            let found = Recall::of(engine, (&fact, &right), choices.as_deref(), bos, ctx);
            let recall = found.map_err(|error| match error {
                AnalysisError::Cancelled(_) => CallError::Cancelled,
                error => CallError::Failed(error.to_string()),
            })?;
            let Recall { rank, prob, choice, .. } = recall.map_err(CallError::Failed)?;
            let (rank, choice) = (rank as u32, choice.map(|it| it as u32));
            // Only this call fills it.
            let recalled = Recalled { rank, prob, n_answer_tokens, choice };
            _ = slot.set(FactAnswer { recalled, n_pos });
            Ok(())
        };
        let call = Call(Arc::new(call));
        let work = Work::Call { which: Which::Main, class: Class::Short, call };
        self.worker.submit(Job { id, work, cancel });
    }

    /// The model was asked for a fact.
    pub(super) fn recalled(&mut self, key: FactKey, found: Option<Recalled>) {
        let FactId::Record(nth) = key.fact else { return };
        self.state.facts.recall_mut().set(nth, key.direction, found);
        self.state.facts.recalled();
    }

    /// The question for a fact has come to its end.
    pub(super) fn asked_for_fact(&mut self, key: FactKey, job: &OpenJob) {
        let answer = job.answer.get();
        if let (Some(it), Some(took)) = (answer, job.took) {
            self.state.learn_pace_of_question(key.which, it.n_pos, took);
            self.trace_what_is_quick();
        }
        self.recalled(key, answer.map(|it| it.recalled));
    }

    /// A fact was not asked to the end. One that cannot be asked is not asked again.
    pub(super) fn not_recalled(&mut self, key: FactKey, outcome: &Outcome) {
        match (outcome, key.fact) {
            (Outcome::Cancelled, FactId::Record(nth)) => {
                self.state.facts.recall_mut().put_back(nth, key.direction);
            }
            _ => self.recalled(key, None),
        }
    }
}
