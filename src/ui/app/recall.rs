//! Asks the model for the facts of the dataset in the background: which of them it knows.
//!
//! What is seen of the list comes first, and the rest only where it takes little or somebody asks for it. A
//! question that is asked by a person stops what is on its way, which is heard within a layer.

use std::sync::Arc;
use std::time::Instant;

use super::App;
use super::handle::SMALL;
use crate::analysis::{AnalysisCtx, AnalysisError};
use crate::facts::Direction;
use crate::population::Recall as Asked;
use crate::tokens::{TokenizedPrompt, Tokenizer};
use crate::ui::state::{FactAnswer, FactId, FactKey, JobKind, OpenJob, Outcome, Recall, Recalled};
use crate::worker::{Call, CallError, Class, Engine, Job, Which, Work};

/// How many facts are asked to tell how fast a model is.
const N_TIMED: usize = 8;

impl App {
    /// Forgets which facts are known, for they were asked of another model or with other tokens.
    pub(super) fn forget_recall(&mut self) {
        self.state.jobs.abandon(|kind| matches!(kind, JobKind::Recall(..)));
        self.state.pace.is_interrupted();
        self.state.facts.reset_recall();
        self.state.facts.recalled();
        self.state.recall_goes_on = None;
    }

    /// Shows what is known of the model as it is and is asked now.
    pub(super) fn show_recall(&mut self, known: Option<Recall>) {
        self.forget_recall();
        if let Some(known) = known {
            self.state.facts.adopt_recall(&known);
        }
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

    /// Stops what is on its way, unless what is on screen waits for it; it is asked again when nothing else
    /// is.
    pub(super) fn pause_recall(&mut self) {
        self.state.pace.is_interrupted();
        let awaited = self.state.unsettled();
        let is_awaited = |key: &FactKey| awaited.contains(&(key.fact, key.direction));
        let is_paused = |kind: &JobKind| matches!(kind, JobKind::Recall(it) if !is_awaited(it));
        self.state.jobs.cancel(is_paused);
    }

    /// Asks the model which of several right answers it finds likeliest, for what is on screen, and goes
    /// on with what has waited for that.
    pub(super) fn settle_answers(&mut self) {
        if !self.state.is_settling() {
            return;
        }
        let Some(info) = self.state.info().cloned() else { return };
        let mut is_settled = false;
        for (fact, direction) in self.state.unsettled() {
            let recall = self.state.facts.recall_mut();
            let (is_open, known) = match fact {
                FactId::Record(nth) => (recall.is_open(nth, direction), recall.get(nth, direction)),
                FactId::Typed(_) | FactId::Experiment => (false, None),
            };
            match fact {
                FactId::Record(nth) if is_open => {
                    if recall.take(nth, direction) {
                        self.ask_fact(nth, direction, &info.tokenizer);
                    }
                }
                _ => {
                    let likeliest = known.and_then(|it| it.answer).map(|it| it as usize);
                    // What cannot be asked says so when its own answer is asked for.
                    let own = || self.state.own_answer(fact, direction);
                    let answer = likeliest.or_else(own).unwrap_or_default();
                    self.state.settle_answer(fact, direction, answer);
                    is_settled = true;
                }
            }
        }
        if is_settled && self.state.unsettled().is_empty() {
            self.look();
            self.trace_waiting();
            for pane in std::mem::take(&mut self.state.study_waits) {
                self.study(pane);
            }
        }
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

    /// Asks for facts whose answers may be known, where too little tells how fast the model is: a session
    /// brings the answers of all, and the first that a model is asked takes longer than others.
    pub(super) fn time_a_question(&mut self) {
        if !self.state.measures_recall() || self.state.pace.knows_enough() {
            return;
        }
        let Some(info) = self.state.info().cloned() else { return };
        let first = match self.state.selected {
            Some(FactId::Record(nth)) => nth,
            _ => 0,
        };
        for nth in first..first + N_TIMED {
            if self.state.facts.get(FactId::Record(nth)).is_some() {
                self.ask_fact(nth, Direction::Forward, &info.tokenizer);
            }
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
        if self.state.jobs.iter().all(|(_, job)| !matches!(job.kind, JobKind::Recall(..))) {
            self.state.pace.question_begins(Instant::now());
        }
        let key = FactKey::new(Which::Main, id, direction, bos);
        let (id, cancel) = self.state.jobs.add(JobKind::Recall(key));
        let Some(job) = self.state.jobs.get(id) else { return };
        let slot = Arc::clone(&job.answer);
        let call = move |engine: &Engine, ctx: &AnalysisCtx<'_>| {
            let found = Asked::of(engine, (&fact, &right), choices.as_deref(), bos, ctx);
            let recall = found.map_err(|error| match error {
                AnalysisError::Cancelled(_) => CallError::Cancelled,
                error => CallError::Failed(error.to_string()),
            })?;
            let Asked { answer, rank, prob, choice, own_rank, .. } =
                recall.map_err(CallError::Failed)?;
            let answer = right.iter().position(|it| *it == answer);
            let [choice, answer, own_rank] =
                [choice, answer, own_rank].map(|it| it.map(|it| it as u32));
            let rank = rank as u32;
            // Only this call fills it.
            let recalled = Recalled { rank, prob, n_answer_tokens, choice, answer, own_rank };
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
        self.state.pace.question_ended(Instant::now());
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
