//! The same trace under several corruptions: does what it shows depend on how the answer was lost?
//!
//! Zhang & Nanda 2024, "Towards Best Practices of Activation Patching", section 3: Gaussian noise and
//! symmetric token replacement localise differently, and so do windows of layers and single ones
//! (section 5). So each corruption is traced with each window, and the maps are compared by their
//! ranks, which no scale of the corruption's own can change.

use serde::{Deserialize, Serialize};

use crate::analysis::causal_trace::{self, CausalTrace, Component, Direction, Map};
use crate::analysis::corruption::Corruption;
use crate::analysis::effects::Effects;
use crate::analysis::statistics::spearman;
use crate::analysis::{AnalysisCtx, AnalysisError, AnalysisResult, Grid, Lab, Method, Metric};
use crate::task::{Progress, TaskCtx};
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What is traced each time. Its own corruption, samples and window are not used.
    pub trace: causal_trace::Spec,

    pub corruptions: Vec<Entry>,

    /// Each corruption is traced with each of these. Single hidden states have no window: 1 only.
    pub windows: Vec<usize>,

    /// What was asked for and cannot be made of this prompt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A corruption by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Unique.
    pub name: String,
    pub corruption: Corruption,

    /// Draws averaged per cell; 1 where all are the same.
    pub n_samples: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    pub name: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorruptionBench {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// By corruption, then by window; those that are finished.
    pub maps: Vec<BenchMap>,

    /// Those of the spec, and what the model or its tokenizer does not allow.
    pub left_out: Vec<LeftOut>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchMap {
    /// Of its corruption.
    pub name: String,
    pub window: usize,
    pub trace: CausalTrace,
}

/// What maps are compared in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compared {
    /// The reading itself.
    Score,

    /// The share of it that comes back. Where a corruption raises the reading, the order is the other
    /// way round; where it hardly changes it there is none.
    Recovery,
}

/// Spearman's, of each map with each.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correlations {
    /// How many cells there are in each map: those of the subject's tokens and all later ones. What
    /// stands before is the same in all runs, so that nothing can be restored there.
    pub n_cells: usize,

    /// Nothing where one of the two is flat. (map, map)
    pub spearman: Grid<Option<f64>>,
}

/// What rounding may do to a logit; a probability changes by as large a part of itself.
///
/// Readings nearer to each other than this are one rank: else the cells where nothing is restored
/// would be ordered by their rounding.
pub const LEAST_STEP: f64 = 1e-4;

impl Compared {
    pub const ALL: [Self; 2] = [Self::Score, Self::Recovery];

    pub const fn key(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Recovery => "recovery",
        }
    }
}

impl Spec {
    /// That it asks for something, and for nothing twice.
    pub fn check(&self) -> Result<(), AnalysisError> {
        if self.corruptions.is_empty() {
            return Err(AnalysisError::Zero { what: "the number of corruptions that can be made" });
        }
        if self.windows.is_empty() {
            return Err(AnalysisError::Zero { what: "the number of windows" });
        }
        if self.trace.map != Map::Tokens {
            return Err(AnalysisError::NotCompared);
        }
        if self.trace.component == Component::Hidden && self.windows != [1] {
            return Err(AnalysisError::NoWindow);
        }
        let names: Vec<&str> = self.corruptions.iter().map(|it| it.name.as_str()).collect();
        if let Some(twice) = repeated(&names) {
            return Err(AnalysisError::Twice { what: format!("the corruption “{twice}”") });
        }
        if let Some(twice) = repeated(&self.windows) {
            return Err(AnalysisError::Twice { what: format!("the window {twice}") });
        }
        for (entry, window) in self.cells() {
            self.trace_of(entry, window).check()?;
        }
        Ok(())
    }

    /// One map's trace.
    pub fn trace_of(&self, entry: &Entry, window: usize) -> causal_trace::Spec {
        causal_trace::Spec {
            corruption: entry.corruption.clone(),
            n_samples: entry.n_samples,
            window,
            ..self.trace.clone()
        }
    }

    /// In the order of the maps.
    fn cells(&self) -> impl Iterator<Item = (&Entry, usize)> {
        let windows = |entry| self.windows.iter().map(move |window| (entry, *window));
        self.corruptions.iter().flat_map(windows)
    }
}

fn repeated<T: PartialEq>(values: &[T]) -> Option<&T> {
    values.iter().enumerate().find(|(nth, it)| values[..*nth].contains(it)).map(|(_, it)| it)
}

impl Method for Spec {
    type Found = CorruptionBench;
    const NAME: &'static str = "corruption bench";
    const VERB: &'static str = "Tracing";

    fn run(&self, lab: &Lab<'_>) -> Result<CorruptionBench, AnalysisError> {
        /// How finely a trace's progress is told.
        const STEPS: f32 = 1000.0;

        let &Lab { model, prompt, ctx } = lab;
        self.check()?;
        let mut bench = CorruptionBench {
            spec: self.clone(),
            prompt: prompt.clone(),
            maps: Vec::new(),
            left_out: self.left_out.clone(),
        };
        let steps = |n_samples: usize| n_samples as u64 * STEPS as u64;
        let total = self.cells().map(|(entry, _)| steps(entry.n_samples)).sum();
        let mut done = 0;
        for (entry, window) in self.cells() {
            let n_steps = steps(entry.n_samples);
            let report = |it: Progress| {
                let here = (it.fraction() * STEPS) as u64 * entry.n_samples as u64;
                (ctx.task.report)(Progress { done: done + here, total });
            };
            let task = TaskCtx { cancel: ctx.task.cancel.clone(), report: &report };
            // A part of one map is no bench.
            let own_ctx = AnalysisCtx { task, partial: &|_| (), ..*ctx };
            let trace = self.trace_of(entry, window);
            match trace.run(&Lab { model, prompt, ctx: &own_ctx }) {
                Ok(trace) => {
                    bench.maps.push(BenchMap { name: entry.name.clone(), window, trace });
                    (ctx.partial)(AnalysisResult::CorruptionBench(bench.clone()));
                }
                Err(error) if is_of_corruption(&error) => {
                    let reason = error.to_string();
                    let left_out = LeftOut { name: entry.name.clone(), reason };
                    if !bench.left_out.contains(&left_out) {
                        bench.left_out.push(left_out);
                    }
                }
                Err(error) => return Err(error),
            }
            done += n_steps;
        }
        Ok(bench)
    }

    fn prompt(found: &CorruptionBench) -> Option<&TokenizedPrompt> {
        Some(&found.prompt)
    }

    fn traces(found: &CorruptionBench) -> Vec<&CausalTrace> {
        found.maps.iter().map(|it| &it.trace).collect()
    }
}

/// Whether another corruption may do where this one does not.
fn is_of_corruption(error: &AnalysisError) -> bool {
    matches!(
        error,
        AnalysisError::NoSpread
            | AnalysisError::NoTokenizer
            | AnalysisError::OtherCount { .. }
            | AnalysisError::FewSubjects { .. }
    )
}

impl CorruptionBench {
    /// Nothing if the traces lack the metric.
    pub fn correlations(&self, metric: Metric, of: Compared) -> Option<Correlations> {
        if self.maps.iter().any(|map| map.trace.clean.get(metric).is_none()) {
            return None;
        }
        let levels: Vec<_> = self.maps.iter().map(|map| levels(&map.trace, metric, of)).collect();
        let mut values = Vec::with_capacity(levels.len().pow(2));
        for a in &levels {
            values.extend(levels.iter().map(|b| spearman(a.as_ref()?, b.as_ref()?)));
        }
        let n_layers = self.maps.first().map_or(0, |map| map.trace.restored.n_rows());
        let n_cells = n_layers * (self.prompt.n_pos() - start(&self.prompt));
        // A grid has columns.
        Some(Correlations { n_cells, spearman: Grid::new(levels.len().max(1), values) })
    }
}

impl BenchMap {
    /// Layer and token of the largest effect through one cell, whichever way. Nothing before there is
    /// one.
    pub fn peak(&self, metric: Metric) -> Option<(usize, usize)> {
        let indirect = Effects::of(&self.trace, metric)?.indirect;
        let cells = indirect.values().iter().enumerate();
        let cells = cells.filter_map(|(nth, it)| Some((nth, (*it)?.abs())));
        let (nth, _) = cells.max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some((nth / indirect.n_columns(), nth % indirect.n_columns()))
    }
}

/// The cells of a map in the smallest steps that can be told apart, from the run in which nothing is
/// exchanged. Nothing where no order is defined.
fn levels(trace: &CausalTrace, metric: Metric, of: Compared) -> Option<Vec<f64>> {
    let effects = Effects::of(trace, metric)?;
    let unchanged = match trace.spec.direction {
        Direction::Denoise => effects.corrupted,
        Direction::Noise => effects.clean,
    };
    let step = step(metric, effects.clean, effects.corrupted);
    let sign = match of {
        Compared::Score => 1.0,
        Compared::Recovery if effects.total.abs() < metric.least_total() => return None,
        Compared::Recovery => f64::from(effects.total).signum(),
    };
    let cells = effects.patched.rows().flat_map(|layer| &layer[start(&trace.prompt)..]);
    let level = |score: &Option<f32>| {
        let effect = f64::from((*score)?) - f64::from(unchanged);
        Some(sign * (effect / step).round())
    };
    cells.map(level).collect()
}

/// The first token that differs in the corrupted runs.
fn start(prompt: &TokenizedPrompt) -> usize {
    prompt.subject.as_ref().map_or(0, |it| it.start)
}

/// See [`LEAST_STEP`].
fn step(metric: Metric, clean: f32, corrupted: f32) -> f64 {
    match metric {
        Metric::Prob | Metric::AnswerProb => {
            (LEAST_STEP * f64::from(clean.max(corrupted))).max(f64::MIN_POSITIVE)
        }
        Metric::LogProb | Metric::Logit | Metric::LogitDiff | Metric::Rank | Metric::Kl => {
            LEAST_STEP
        }
    }
}
