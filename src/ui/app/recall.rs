//! Asks the model for the facts of the dataset in the background: which of them it knows.
//!
//! What is seen of the list comes first, and the rest only where it takes little or somebody asks for it. A
//! question that is asked by a person stops what is on its way, which is heard within a layer.

use std::sync::Arc;

use super::App;
use super::handle::SMALL;
use crate::analysis::{AnalysisResult, AnalysisSpec, prediction};
use crate::facts::Direction;
use crate::tokens::{TokenizedPrompt, Tokenizer};
use crate::ui::state::{FactId, FactKey, JobKind, Outcome, Question, Recalled};
use crate::worker::Which;

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
        if !self.state.measures_recall() {
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

    fn ask_fact(&mut self, nth: usize, direction: Direction, tokenizer: &Tokenizer) {
        let (fact, bos) = (FactId::Record(nth), self.state.settings.bos);
        let asked = self.state.facts.get(fact).and_then(|it| it.fact(direction));
        let Some(prompt) = asked.and_then(|it| TokenizedPrompt::new(tokenizer, it, bos).ok())
        else {
            self.state.facts.recall_mut().set(nth, direction, None);
            return;
        };
        let spec = AnalysisSpec::Prediction(prediction::Spec { n_top: 1 });
        let key = FactKey::new(Which::Main, fact, direction, bos);
        let (id, cancel) = self.state.jobs.add(JobKind::Recall(key));
        self.submit(Question { id, cancel, which: key.which, prompt: Arc::new(prompt), spec });
    }

    /// The model has said what it knows of a fact, if it could be asked.
    pub(super) fn recalled(&mut self, key: FactKey, found: Option<&AnalysisResult>) {
        let FactId::Record(nth) = key.fact else { return };
        let recalled = found.and_then(Recalled::of);
        self.state.facts.recall_mut().set(nth, key.direction, recalled);
        self.state.facts.recalled();
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
