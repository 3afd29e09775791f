//! The figure of Meng et al. 2022: each cell the belief after restoring it, over layers.

use super::{Effect, Look, by_row, corruption};
use crate::analysis::attribution_patching::BasePoint;
use crate::analysis::causal_trace::{CausalTrace, Component, Direction, Map as Cells, window};
use crate::analysis::effects::Effects;
use crate::analysis::{Grid, Measurement, Metric};
use crate::figure::number::{exact, signed, significant};
use crate::figure::words::{
    about_severed, at, computed, joined, long_answer, metric_name, metric_or_prob, no_effect,
    not_first_guess, reading, rises, severed, told,
};
use crate::figure::{Cell, Chart, ColorMap, Figure, Key, Map, Row, Side, Table, extent};

pub(super) fn figure(trace: &CausalTrace, look: &Look<'_>) -> Figure {
    let metric = metric_or_prob(look.metric, &trace.clean);
    let shown = Shown::new(trace, metric, look);
    let quantity = shown.quantity();
    let mut charts = vec![Chart::Map(shown.map(&quantity, look))];
    let corruptions = (trace.corruptions.as_slice(), trace.corrupted.as_slice());
    charts.extend(corruption::prompts(&trace.prompt, corruptions, metric, look).map(Chart::Table));
    Figure {
        title: format!("{} — {quantity}", patched(trace)),
        charts,
        undrawn: shown.lost().into_iter().flatten().map(Chart::Table).collect(),
        notes: notes(&shown, look),
        warnings: warnings(trace, metric),
        ..Figure::default()
    }
}

/// What keeps a trace from showing where its answer is recalled.
pub(super) fn warnings(trace: &CausalTrace, metric: Metric) -> Vec<String> {
    let name = metric_name(metric, &trace.prompt);
    let without_effect = Effects::of(trace, metric)
        .and_then(|Effects { total, clean, .. }| no_effect(&name, metric, total, Some(clean)));
    // Where room is short, only the first warning is shown.
    without_effect.into_iter().chain(not_first_guess(&trace.clean, &trace.prompt)).collect()
}

/// A trace as it is looked at.
struct Shown<'a> {
    trace: &'a CausalTrace,
    metric: Metric,
    effect: Effect,

    /// `None` before the corrupted runs are there.
    effects: Option<Effects>,

    /// Where the estimates' gradient was taken, and the scores. `None` if none are shown.
    estimates: Option<(BasePoint, Grid<f32>)>,
}

impl<'a> Shown<'a> {
    fn new(trace: &'a CausalTrace, metric: Metric, look: &Look<'_>) -> Self {
        let estimate = look.estimate.filter(|it| it.spec.trace == trace.spec);
        let scores = estimate.and_then(|it| Some((it.spec.base, it.scores(metric)?)));
        Self {
            trace,
            metric,
            effect: look.effect,
            effects: Effects::of(trace, metric),
            estimates: scores.filter(|_| look.effect == Effect::Score),
        }
    }

    fn n_layers(&self) -> usize {
        self.trace.restored.n_rows()
    }

    fn runs(&self, layer: usize, column: usize) -> &'a [Measurement] {
        self.trace.restored.get(layer, column).map_or(&[], |runs| runs.as_slice())
    }

    fn is_estimated(&self, layer: usize, column: usize) -> bool {
        self.estimates.is_some() && self.runs(layer, column).is_empty()
    }

    /// The metric in the patched runs, estimated or not.
    fn score(&self, layer: usize, column: usize) -> f32 {
        if let Some((_, scores)) = &self.estimates
            && self.is_estimated(layer, column)
        {
            return scores.get(layer, column).copied().unwrap_or(f32::NAN);
        }
        Measurement::mean(self.runs(layer, column), self.metric).unwrap_or(f32::NAN)
    }

    fn clean(&self) -> f32 {
        self.trace.clean.get(self.metric).unwrap_or(f32::NAN)
    }

    fn corrupted(&self) -> f32 {
        Measurement::mean(&self.trace.corrupted, self.metric).unwrap_or(f32::NAN)
    }

    /// What the corruption takes away, which of one fact a note says. `None` before the corrupted runs are
    /// there.
    fn lost(&self) -> Option<[Table; 2]> {
        let &Effects { clean, corrupted, total, .. } = self.effects.as_ref()?;
        let name = metric_name(self.metric, &self.trace.prompt);
        let row = |(run, value): (&str, f32)| {
            Row::new([Cell::Text(run.to_owned()), Cell::Number(told(self.metric, value))])
        };
        let runs = [("clean", clean), ("corrupted", corrupted)].map(row);
        let total = Row::new([Cell::Number(total)]);
        Some([
            Table::new("Readings", ["Run", &*name], runs),
            Table::new("Total effect", [format!("clean − corrupted {name}")], [total]),
        ])
    }

    /// The number that a colour stands for. Dark is what matters, whichever run is changed and
    /// whichever way the metric goes.
    fn value(&self, layer: usize, column: usize) -> f32 {
        let of = |effects: &Effects| match self.effect {
            Effect::Score => None,
            Effect::Indirect => *effects.indirect.get(layer, column)?,
            Effect::Direct => *effects.direct.get(layer, column)?,
            Effect::Recovery => *effects.recovery.get(layer, column)?,
        };
        if self.effect != Effect::Score {
            return self.effects.as_ref().and_then(of).unwrap_or(f32::NAN);
        }
        let score = self.score(layer, column);
        match (self.trace.spec.direction, rises(self.metric)) {
            (Direction::Denoise, false) => score,
            (Direction::Denoise, true) => self.corrupted() - score,
            (Direction::Noise, false) => self.clean() - score,
            (Direction::Noise, true) => score - self.clean(),
        }
    }

    /// Whether colours stand for the metric itself, not for a fall, loss or rise of it.
    fn is_metric(&self) -> bool {
        self.trace.spec.direction == Direction::Denoise && !rises(self.metric)
    }

    fn quantity(&self) -> String {
        let name = metric_name(self.metric, &self.trace.prompt);
        match (self.effect, self.trace.spec.direction, rises(self.metric)) {
            (Effect::Score, Direction::Denoise, false) => name,
            (Effect::Score, Direction::Denoise, true) => format!("Fall of {name}"),
            (Effect::Score, Direction::Noise, false) => format!("Loss of {name}"),
            (Effect::Score, Direction::Noise, true) => format!("Rise of {name}"),
            (Effect::Indirect, ..) => format!("Indirect effect on {name}"),
            (Effect::Direct, ..) => format!("Direct effect on {name}"),
            (Effect::Recovery, ..) => format!("Recovery of {name}"),
        }
    }

    fn map(&self, quantity: &str, look: &Look<'_>) -> Map {
        let trace = self.trace;
        let (n_layers, n_columns) = (self.n_layers(), trace.restored.n_columns());
        let rows = match &trace.spec.map {
            Cells::Tokens => Side::prompt("Token", &trace.prompt),
            Cells::Together { widths, .. } => {
                let keys = widths.iter().copied().map(Key::Width).collect();
                let labels = widths.iter().map(usize::to_string).collect();
                Side { keys, ..Side::named("Width", "window of", labels) }
            }
            Cells::Heads { .. } => Side::heads(n_columns),
        };
        let layers = look.layers(layer_title(trace), n_layers);
        let values = by_row(n_columns, n_layers, |column, layer| self.value(layer, column));
        let mut map = Map::new("Causal trace", rows, layers, values, quantity);
        map = if self.effect == Effect::Score {
            let (low, high) = self.range(&map.values);
            map.colored(ColorMap::of(trace.spec.component)).in_range(low, high)
        } else {
            let map = map.diverging();
            let high = self.pale_span().map_or(map.range.1, |span| map.range.1.max(span));
            map.in_range(-high, high)
        };
        if self.estimates.is_some() {
            map.estimated =
                by_row(n_columns, n_layers, |column, layer| self.is_estimated(layer, column));
        }
        map.details = by_row(n_columns, n_layers, |column, layer| self.details(layer, column));
        map
    }

    /// How far colours reach where the corruption takes next to nothing away, so that what little comes
    /// back is pale. `None` where it takes enough away, or a share of it is shown.
    fn pale_span(&self) -> Option<f32> {
        /// Colours reach this many times the smallest effect that counts.
        const SPAN: f32 = 10.0;
        let Effects { total, clean, .. } = self.effects.as_ref()?;
        let least = self.metric.least_effect(*clean);
        let lost = if rises(self.metric) { -total } else { *total };
        let is_shown = self.effect != Effect::Recovery && lost < least;
        is_shown.then(|| (SPAN * least).max(4.0 * lost.abs()))
    }

    /// ROME's range: from the corrupted run's belief up to the largest found. Where the corruption
    /// takes next to nothing away, the colours reach farther than all there is.
    fn range(&self, values: &[f32]) -> (f32, f32) {
        let clean = self.clean();
        if let Some(span) = self.pale_span() {
            let ends = if self.is_metric() { [clean, self.corrupted()] } else { [0.0; 2] };
            let ends: Vec<f32> = values.iter().copied().chain(ends).collect();
            let (low, largest) = extent(&ends);
            let most = match self.metric {
                Metric::Prob | Metric::AnswerProb => 1.0,
                _ => f32::INFINITY,
            };
            return (low, (low + span).min(most).max(largest));
        }
        let is_score = self.is_metric();
        let low = match self.corrupted() {
            _ if !is_score => 0.0,
            low if low.is_finite() => low,
            _ => values.iter().copied().fold(clean, f32::min),
        };
        let n_layers = self.n_layers();
        let seen = values.iter().enumerate().map(|(nth, &value)| {
            // A straight line may overshoot; what was measured should not pale for it.
            let is_estimated = self.is_estimated(nth % n_layers, nth / n_layers);
            if is_estimated { value.min(clean) } else { value }
        });
        let largest = seen.filter(|value| value.is_finite()).fold(f32::NAN, f32::max);
        let high = if largest > low { largest } else { clean.max(low + 1e-6) };
        (low, if high > low { high } else { low + 1e-6 })
    }

    fn details(&self, layer: usize, column: usize) -> String {
        let runs = self.runs(layer, column);
        let direction = self.trace.spec.direction;
        let mut lines = Vec::new();
        if let Some(std) = Measurement::std(runs, self.metric) {
            lines.push(format!("± {} over {} samples", significant(std, 3), runs.len()));
        }
        let (start, does) = match direction {
            Direction::Denoise => (self.corrupted(), "Restores"),
            Direction::Noise => (self.clean(), "Corrupts"),
        };
        let score = self.score(layer, column);
        if score.is_finite() && start.is_finite() {
            if self.value(layer, column) != score {
                let name = metric_name(self.metric, &self.trace.prompt);
                lines.push(format!("{name}  {}", exact(told(self.metric, score))));
            }
            // As in `Effects`: what comes back, or what is lost.
            let effect = match direction {
                Direction::Denoise => score - start,
                Direction::Noise => start - score,
            };
            lines.push(format!("Indirect effect  {}", signed(effect, 4)));
        }
        let window = match &self.trace.spec.map {
            Cells::Tokens | Cells::Heads { .. } => self.trace.window(layer),
            Cells::Together { widths, .. } => {
                window(layer, widths.get(column).copied().unwrap_or(1), self.n_layers())
            }
        };
        if window.len() > 1 {
            lines.push(format!("{does} layers {}–{}", window.start, window.end - 1));
        }
        lines.join("\n")
    }
}

fn layer_title(trace: &CausalTrace) -> &'static str {
    let spec = &trace.spec;
    let is_single = match &spec.map {
        Cells::Tokens => spec.component == Component::Hidden || spec.window == 1,
        Cells::Heads { .. } => spec.window == 1,
        Cells::Together { widths, .. } => widths.iter().all(|&width| width == 1),
    };
    window_title(is_single, spec.direction)
}

/// The title of an axis of layers that each stand for themselves, or for a window around them.
pub(super) fn window_title(is_single: bool, direction: Direction) -> &'static str {
    match (is_single, direction) {
        (true, Direction::Denoise) => "Restored layer",
        (true, Direction::Noise) => "Corrupted layer",
        (false, Direction::Denoise) => "Layer at the centre of the restored window",
        (false, Direction::Noise) => "Layer at the centre of the corrupted window",
    }
}

pub(super) fn component_name(component: Component) -> &'static str {
    match component {
        Component::Hidden => "hidden states",
        Component::Mlp => "MLP outputs",
        Component::Attn => "attention outputs",
    }
}

/// What was restored or corrupted, and where: the beginning of a title.
pub(super) fn patched(trace: &CausalTrace) -> String {
    let spec = &trace.spec;
    let does = match spec.direction {
        Direction::Denoise => "Restoring",
        Direction::Noise => "Corrupting",
    };
    let outputs = component_name(spec.component);
    let what = match (&spec.map, spec.component) {
        (Cells::Tokens, Component::Hidden) => "a single hidden state".to_owned(),
        (Cells::Tokens, Component::Mlp) => format!("MLP output, window {}", spec.window),
        (Cells::Tokens, Component::Attn) => format!("attention output, window {}", spec.window),
        (Cells::Together { at: positions, widths }, _) => {
            let widths: Vec<String> = widths.iter().map(usize::to_string).collect();
            let at = at(positions, &trace.prompt);
            format!("{outputs} {at} in windows of {}", joined(&widths))
        }
        (Cells::Heads { at: positions }, _) => {
            let window = match spec.window {
                1 => String::new(),
                n => format!(", window {n}"),
            };
            format!("one head's output z {}{window}", at(positions, &trace.prompt))
        }
    };
    let but =
        severed(spec.sever, spec.sever_layers).map_or_else(String::new, |it| format!(", {it}"));
    format!("{does} {what}{but}")
}

fn notes(shown: &Shown<'_>, look: &Look<'_>) -> Vec<String> {
    let (trace, metric, spec) = (shown.trace, shown.metric, &shown.trace.spec);
    // What is not there yet goes first: where room is short, only the first note is shown.
    let estimated = shown.estimates.as_ref().map(|it| it.0);
    let mut notes: Vec<String> = computed(trace, estimated).into_iter().collect();
    notes.push(settings(trace, metric, look));
    notes.extend(corruption::embeddings(&trace.corruptions));
    notes.extend(long_answer(metric, &trace.prompt));
    if let Some(effects) = &shown.effects
        && shown.effect != Effect::Score
    {
        let (total, least) = (significant(effects.total, 4), metric.least_total());
        notes.push(match shown.effect {
            Effect::Recovery if effects.total.abs() < least => format!(
                "Total effect (clean − corrupted) {total}, nearer to 0 than {least}: no recovery is \
                 defined"
            ),
            Effect::Recovery => format!(
                "Total effect (clean − corrupted) {total}, and recovery the share of it that comes back: 0 is as corrupted, 1 as clean"
            ),
            _ => format!(
                "Total effect (clean − corrupted) {total} = indirect effect, through the cell + \
                 direct effect, past it (Meng et al. 2022, section 2.1)"
            ),
        });
    }
    notes.extend(about_severed(spec));
    let subject = if spec.map == Cells::Tokens { "* subject. " } else { "" };
    notes.push(match spec.direction {
        Direction::Denoise => format!(
            "{subject}A peak shows where restoring suffices, not where the fact is stored (Hase et \
             al. 2023)"
        ),
        Direction::Noise => format!(
            "{subject}The clean run with corrupted states put in: a peak shows what the answer needs \
             while all else is clean"
        ),
    });
    notes
}

/// Readings of the clean and the corrupted run, and all settings of the corruption.
pub(super) fn settings(trace: &CausalTrace, metric: Metric, look: &Look<'_>) -> String {
    let spread = Measurement::std(&trace.corrupted, metric)
        .map_or_else(String::new, |std| format!(" ± {}", significant(std, 2)));
    let mean = Measurement::mean(&trace.corrupted, metric);
    let parts = [
        format!("Clean {}", reading(metric, trace.clean.get(metric))),
        format!("corrupted {}{spread}", reading(metric, mean)),
        corruption::settings(&trace.spec.draws(), Some(trace.noise_std), look),
    ];
    parts.join("  ·  ")
}
