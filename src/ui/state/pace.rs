//! How long a trace takes, told from how long runs took: what is quick is traced unasked.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{FactKey, State};
use crate::analysis::causal_trace::Spec as TraceSpec;
use crate::analysis::logit_attribution::LogitAttribution;
use crate::analysis::logit_lens::LogitLens;
use crate::analysis::{AnalysisError, AnalysisResult, AnalysisSpec};
use crate::ui::row::Row;
use crate::worker::Which;

/// What a token costs in a large batch, as part of what it costs in a prompt that is run alone.
const BATCHED: f64 = 0.25;

/// A trace that goes on from earlier ones is faster than the next may be: so much of what was measured
/// before stands against it. Little, since one that other programs kept waiting must be forgotten as soon.
const REMEMBERED: f64 = 0.3;

/// The first answers of a model say little of the time that others take.
const LEAST_ANSWERS: u32 = 4;

/// Of how many of the latest questions the time is the median: a machine that is busy for a moment makes
/// some of them slow.
const N_LATEST: usize = 31;

/// Fewer times from one question to the next say nothing: several answers may be heard at once.
const LEAST_BETWEEN: usize = 20;

/// Where nothing was asked for so long, what is asked next does not follow what was asked before.
const REST: Duration = Duration::from_secs(1);

/// How fast the open models are.
#[derive(Clone, Debug)]
pub struct Pace {
    /// What takes less is traced without being asked for. In seconds.
    pub quick_secs: f64,

    /// The dataset's facts are all asked without being asked for where that takes less. In seconds.
    pub recall_secs: f64,

    /// How long the main model took for the latest of them, in seconds.
    question_secs: VecDeque<f64>,

    /// When the latest of those ended that followed each other, with nothing else between them.
    question_ends: VecDeque<Instant>,

    /// How many answers it has given.
    n_answers: u32,
    of: [Option<Measured>; 2],
}

/// What a token of a pass costs in a sweep.
#[derive(Clone, Copy, Debug)]
struct Measured {
    secs_per_token: f64,

    /// Whether a sweep was measured; else it is guessed from single passes.
    is_of_sweep: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            quick_secs: 1.0,
            recall_secs: 120.0,
            question_secs: VecDeque::new(),
            question_ends: VecDeque::new(),
            n_answers: 0,
            of: [None; 2],
        }
    }
}

impl Pace {
    /// Whether the main model has answered so often, or was traced, that its pace is not that of its first answers
    /// alone.
    pub fn knows_enough(&self) -> bool {
        let is_of_sweep = self.of[Which::Main as usize].is_some_and(|it| it.is_of_sweep);
        is_of_sweep || self.n_answers >= LEAST_ANSWERS
    }

    /// The model is another, or on another device.
    pub fn forget(&mut self, which: Which) {
        self.of[which as usize] = None;
        if which == Which::Main {
            self.question_secs.clear();
            self.question_ends.clear();
            self.n_answers = 0;
        }
    }

    /// Something else than a question about a fact of the list is done: the time that it takes is none of
    /// theirs.
    pub fn is_interrupted(&mut self) {
        self.question_ends.clear();
    }

    /// A question begins while none is on its way. After a rest it follows none.
    pub fn question_begins(&mut self, now: Instant) {
        let is_rest = |it: &Instant| now.saturating_duration_since(*it) > REST;
        if self.question_ends.back().is_some_and(is_rest) {
            self.is_interrupted();
        }
    }

    /// One of several questions that follow each other has ended.
    pub fn question_ended(&mut self, now: Instant) {
        self.question_ends.push_back(now);
        if self.question_ends.len() > N_LATEST {
            self.question_ends.pop_front();
        }
    }

    /// How long a question takes where many follow each other: what the model takes, and what passes from
    /// one to the next, which is more where the machine is busy or the window is drawn between them.
    fn secs_of_question(&self) -> Option<f64> {
        let mut secs: Vec<f64> = self.question_secs.iter().copied().collect();
        secs.sort_by(f64::total_cmp);
        let median = *secs.get(secs.len() / 2)?;
        let n_between = self.question_ends.len().saturating_sub(1);
        let (Some(first), Some(last)) = (self.question_ends.front(), self.question_ends.back())
        else {
            return Some(median);
        };
        if n_between < LEAST_BETWEEN {
            return Some(median);
        }
        let between = last.saturating_duration_since(*first).as_secs_f64() / n_between as f64;
        Some(median.max(between))
    }
}

impl State {
    /// A run took so long.
    pub fn learn_pace(&mut self, which: Which, result: &AnalysisResult, took: Duration) {
        let known = self.pace.of[which as usize];
        match result {
            AnalysisResult::CausalTrace(trace) => {
                let n_cells = trace.restored.values().len();
                let n = n_tokens(&trace.spec, n_cells, trace.prompt.n_pos());
                let before = known.filter(|it| it.is_of_sweep);
                let least = before.map_or(0.0, |it| REMEMBERED * it.secs_per_token);
                let secs_per_token = (took.as_secs_f64() / n).max(least);
                let now = Measured { secs_per_token, is_of_sweep: true };
                self.pace.of[which as usize] = Some(now);
            }
            AnalysisResult::Prediction(it) => {
                self.learn_pace_of_question(which, it.prompt.n_pos(), took);
            }
            // What takes a whole pass, and a little more: so that the pace is not that of a model's
            // first answer alone before the facts of the list are asked.
            AnalysisResult::LogitLens(LogitLens { prompt, .. })
            | AnalysisResult::LogitAttribution(LogitAttribution { prompt, .. }) => {
                self.learn_pace_of_pass(which, prompt.n_pos(), took);
            }
            _ => {}
        }
    }

    /// A question of so many tokens took so long.
    pub fn learn_pace_of_question(&mut self, which: Which, n_pos: usize, took: Duration) {
        let secs = took.as_secs_f64();
        if which == Which::Main {
            self.pace.n_answers += 1;
            let question_secs = &mut self.pace.question_secs;
            // The first answers of a model take longer than those to come.
            if self.pace.n_answers >= LEAST_ANSWERS {
                question_secs.push_back(secs);
            }
            if question_secs.len() > N_LATEST {
                question_secs.pop_front();
            }
        }
        self.learn_pace_of_pass(which, n_pos, took);
    }

    /// A pass over so many tokens took so long at most.
    fn learn_pace_of_pass(&mut self, which: Which, n_pos: usize, took: Duration) {
        let known = &mut self.pace.of[which as usize];
        if known.is_some_and(|it| it.is_of_sweep) {
            return;
        }
        // The first passes of a model take longer than those to come.
        let before = known.map_or(f64::INFINITY, |it| it.secs_per_token);
        let secs_per_token = (BATCHED * took.as_secs_f64() / n_pos as f64).min(before);
        *known = Some(Measured { secs_per_token, is_of_sweep: false });
    }

    /// Whether facts of the dataset are asked in the background.
    pub fn measures_recall(&self) -> bool {
        let can_ask =
            self.info().is_some() && self.stored.is_none() && self.facts.dataset.is_some();
        self.preferences.measures_recall && can_ask
    }

    /// How long it takes to ask what was not asked yet of the dataset's facts. `None` before the model has
    /// given some answers.
    pub fn recall_left(&self) -> Option<Duration> {
        if self.pace.n_answers < LEAST_ANSWERS {
            return None;
        }
        let secs = self.pace.secs_of_question()?;
        Duration::try_from_secs_f64(secs * self.facts.recall().n_open() as f64).ok()
    }

    /// Whether all facts are asked without being asked for, since that takes little.
    pub fn asks_all_unasked(&self) -> bool {
        self.recall_left().is_some_and(|it| it.as_secs_f64() < self.pace.recall_secs)
    }

    /// Whether all facts of the dataset are asked, and not only those that are seen.
    pub fn asks_all_facts(&self) -> bool {
        self.recall_goes_on.unwrap_or_else(|| self.asks_all_unasked())
    }

    /// The traces that the controls describe, where they take so little that nobody needs to ask.
    pub fn quick_traces(&self) -> Vec<(FactKey, AnalysisSpec)> {
        if !self.preferences.traces_at_once || self.stored.is_some() {
            return Vec::new();
        }
        let traces = self.rows().filter_map(|row| {
            let is_quick = self.trace_secs(row)? < self.pace.quick_secs;
            let (spec, _) = self.traceable(row).filter(|_| is_quick)?;
            Some((self.key_of(row)?, AnalysisSpec::CausalTrace(spec)))
        });
        traces.collect()
    }

    /// How long the trace of a row takes, in seconds. `None` before the model has answered something.
    fn trace_secs(&self, row: Row) -> Option<f64> {
        let (spec, n_pos) = self.traceable(row)?;
        let which = self.which(row);
        let secs_per_token = self.pace.of[which as usize]?.secs_per_token;
        let n_layers = self.info_of(which)?.config.n_layers;
        Some(secs_per_token * n_tokens(&spec, n_layers * n_pos, n_pos))
    }

    /// How long the trace of a row takes, in seconds, where it is not made unasked for that.
    pub fn slow_trace(&self, row: Row) -> Option<f64> {
        let secs = self.trace_secs(row).filter(|it| *it >= self.pace.quick_secs)?;
        (self.preferences.traces_at_once && self.stored.is_none()).then_some(secs)
    }

    /// Whether one of the quick traces was not asked for yet: the models may have been thought slower.
    pub fn has_quick_news(&self) -> bool {
        self.quick_traces().iter().any(|(key, spec)| {
            self.findings.get(key).is_some_and(|findings| findings.run(spec).is_none())
        })
    }

    /// Why the prompt of a row cannot be run, if its model has too few positions for it and its answer.
    pub fn too_long(&self, row: Row) -> Option<AnalysisError> {
        let prompt = self.findings_at(row)?.prompt.as_ref().ok()?;
        let n_ctx = self.info_of(self.which(row))?.config.n_ctx;
        let n_appended = prompt.answer.as_ref().map_or(0, |it| it.ids.len().saturating_sub(1));
        let n_pos = prompt.n_pos() + n_appended;
        (n_pos > n_ctx).then_some(AnalysisError::TooLong { n_pos, n_ctx })
    }

    /// The trace of a row and how many tokens its prompt has, if it can be traced.
    fn traceable(&self, row: Row) -> Option<(TraceSpec, usize)> {
        let prompt = self.findings_at(row)?.prompt.as_ref().ok()?;
        prompt.subject.as_ref()?;
        if self.too_long(row).is_some() {
            return None;
        }
        Some((self.trace_spec(row)?, prompt.n_pos()))
    }
}

/// Tokens in all passes of a trace.
fn n_tokens(spec: &TraceSpec, n_cells: usize, n_pos: usize) -> f64 {
    let n_passes = 1 + spec.n_samples * (1 + n_cells);
    (n_passes * n_pos) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_between_questions_counts_where_many_follow_each_other() {
        let start = Instant::now();
        let ends = |pace: &mut Pace, n: u64, millis: u64| {
            for nth in 0..n {
                pace.question_ended(start + Duration::from_millis(nth * millis));
            }
        };
        let mut pace = Pace { question_secs: [0.001; 8].into(), ..Pace::default() };
        ends(&mut pace, 5, 60);
        assert_eq!(pace.secs_of_question(), Some(0.001), "few may be heard at once");
        pace.is_interrupted();
        ends(&mut pace, 40, 60);
        let secs = pace.secs_of_question().unwrap();
        assert!((secs - 0.06).abs() < 1e-9, "{secs}");
        pace.is_interrupted();
        assert_eq!(pace.secs_of_question(), Some(0.001), "something else was done meanwhile");
    }
}
