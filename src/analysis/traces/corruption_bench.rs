//! Runs the same trace under several corruptions, to show whether its map depends on the
//! corruption.
//!
//! Zhang & Nanda 2024, "Towards Best Practices of Activation Patching", find that Gaussian noise
//! and symmetric token replacement localise differently (section 3), and so do windows of layers
//! and single layers (section 5). Therefore each corruption is traced with each window, and the
//! maps are compared by their ranks, which do not depend on the strength of a corruption.

use serde::{Deserialize, Serialize};

use crate::analysis::causal_trace::{self, CausalTrace, Component, Direction, Map};
use crate::analysis::corruption::Corruption;
use crate::analysis::effects::Effects;
use crate::analysis::error::at_least_one;
use crate::analysis::statistics::spearman;
use crate::analysis::{
    About, AnalysisError, AnalysisResult, Grid, Lab, Method, Metric, PromptOf, Sizes, sources,
};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The trace that is run each time. Its own corruption, samples and window are not used.
    pub trace: causal_trace::Spec,

    /// The corruptions.
    pub corruptions: Vec<Entry>,

    /// The windows with which each corruption is traced. For hidden states only 1.
    pub windows: Vec<usize>,

    /// The corruptions that were asked for but cannot be made for this prompt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A corruption of the bench.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its unique name.
    pub name: String,
    pub corruption: Corruption,

    /// How many draws are averaged in each cell. 1 if all draws are the same.
    pub n_samples: usize,
}

/// A corruption that cannot be made, with the reason.
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

    /// The maps that are finished, by corruption and then by window.
    pub maps: Vec<BenchMap>,

    /// The corruptions that the spec leaves out, and those that the model or its tokenizer does not
    /// allow.
    pub left_out: Vec<LeftOut>,
}

/// One map of the bench.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BenchMap {
    /// The name of its corruption.
    pub name: String,
    pub window: usize,
    pub trace: CausalTrace,
}

/// The numbers by which maps are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compared {
    /// The metric in each cell.
    Score,

    /// The share of the metric that is recovered in each cell. If a corruption raises the metric,
    /// this order is the reverse of the score's; if it hardly changes the metric, there is no
    /// order.
    Recovery,
}

/// Spearman's correlations of each map with each.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correlations {
    /// How many cells of each map are compared: those of the subject's tokens and all later ones.
    /// Before them all runs are equal, so nothing can be restored there.
    pub n_cells: usize,

    /// −1 to 1. `None` if one of the two maps is flat. `[map, map]`
    pub spearman: Grid<Option<f64>>,
}

/// The largest effect of rounding on a logit, or on a probability relative to itself.
///
/// Cells that differ by less have the same rank. Otherwise the cells where nothing is restored
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
    /// The trace of one map.
    pub fn trace_of(&self, entry: &Entry, window: usize) -> causal_trace::Spec {
        causal_trace::Spec {
            corruption: entry.corruption.clone(),
            n_samples: entry.n_samples,
            window,
            ..self.trace.clone()
        }
    }

    /// The corruption and window of each map, in order.
    fn cells(&self) -> impl Iterator<Item = (&Entry, usize)> {
        let windows = |entry| self.windows.iter().map(move |window| (entry, *window));
        self.corruptions.iter().flat_map(windows)
    }
}

/// A value that occurs twice, if any does.
fn repeated<T: PartialEq>(values: &[T]) -> Option<&T> {
    values.iter().enumerate().find(|(nth, it)| values[..*nth].contains(it)).map(|(_, it)| it)
}

impl Method for Spec {
    type Found = CorruptionBench;
    const NAME: &'static str = "corruption bench";
    const ABOUT: About = About {
        text: "The same trace under several corruptions and with several windows of layers, and \
               how alike the maps are.",
        sources: &[sources::ZHANG_2024],
    };
    const VERB: &'static str = "Tracing";
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<CorruptionBench, AnalysisError> {
        /// How many steps of progress each sample of a trace has.
        const STEPS: f32 = 1000.0;

        let &Lab { prompt, ctx, .. } = lab;
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
            let ctx_of_map = ctx.quiet(&report);
            let trace = self.trace_of(entry, window);
            match trace.run(&Lab { ctx: &ctx_of_map, ..*lab }) {
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

    fn check(&self) -> Result<(), AnalysisError> {
        at_least_one("the number of corruptions that can be made", self.corruptions.len())?;
        at_least_one("the number of windows", self.windows.len())?;
        if self.trace.map != Map::Tokens {
            return Err(AnalysisError::NotOfTokens { done: "compared" });
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

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let traces = self.cells().map(|(entry, window)| self.trace_of(entry, window));
        let traces: Vec<_> = traces.collect();
        let largest = traces.iter().map(|it| it.memory(sizes)).max().unwrap_or(0);
        let n_cells = (sizes.config.n_layers * sizes.prompt.n_pos()) as u64;
        let n_measured: u64 = traces.iter().map(|it| it.n_samples as u64 * n_cells).sum();
        largest.saturating_add(Sizes::measured(n_measured))
    }

    fn traces(found: &CorruptionBench) -> Vec<&CausalTrace> {
        found.maps.iter().map(|it| &it.trace).collect()
    }
}

/// Whether an error concerns only this corruption, so that others may still run.
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
    /// The correlations of all maps in a metric. `None` if a trace lacks the metric.
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
        // A grid must have a column.
        Some(Correlations { n_cells, spearman: Grid::new(levels.len().max(1), values) })
    }
}

impl BenchMap {
    /// The layer and token with the largest absolute effect through one cell. `None` if no cell is
    /// computed.
    pub fn peak(&self, metric: Metric) -> Option<(usize, usize)> {
        let indirect = Effects::of(&self.trace, metric)?.indirect;
        let cells = indirect.values().iter().enumerate();
        let cells = cells.filter_map(|(nth, it)| Some((nth, (*it)?.abs())));
        let (nth, _) = cells.max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some((nth / indirect.n_columns(), nth % indirect.n_columns()))
    }
}

/// The effect in each cell, counted in the smallest steps that rounding does not blur. `None` if
/// the cells have no order.
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

/// The smallest difference of a metric that rounding does not blur, see [`LEAST_STEP`].
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
