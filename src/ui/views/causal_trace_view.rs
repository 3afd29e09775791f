//! The figure of Meng et al. 2022: tokens × layers, each cell the belief after restoring it.

use eframe::egui::Ui;

use super::{
    header_ui, layer_axis, layer_labels, metric_name, metric_picker_ui, metrics_of, token_axis,
    token_labels,
};
use crate::analysis::attribution_patching::AttributionPatching;
use crate::analysis::causal_trace::{CausalTrace, Component, Corruption, Direction, NoiseLevel};
use crate::analysis::{Grid, Measurement, Metric};
use crate::figure::words::{about_severed, computed, long_answer, not_first_guess, severed};
use crate::intervention::NoiseRng;
use crate::ui::theme::ColorMap;
use crate::ui::view::{Selection, ViewAction, ViewCtx};
use crate::ui::widgets::number::{exact, signed, significant};
use crate::ui::widgets::{Caption, Cell, CellShape, Heatmap, Tone};

/// How it looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CausalTraceView {
    /// Falls back to the probability of the answer's first token where a prompt lacks it.
    pub metric: Metric,

    /// Values at the ends of the colours. Nothing: the map's own.
    pub range: Option<(f32, f32)>,

    /// Whether room is short.
    pub is_brief: bool,
}

/// `estimate` stands in for cells that are not computed yet.
pub fn causal_trace_ui(
    ui: &mut Ui,
    view: &mut CausalTraceView,
    trace: &CausalTrace,
    estimate: Option<&AttributionPatching>,
    ctx: &ViewCtx<'_>,
) -> Option<ViewAction> {
    let prompt = &trace.prompt;
    if !metrics_of(prompt).any(|metric| metric == view.metric) {
        view.metric = Metric::default();
    }
    let title = format!("{} — {}", patched(trace), quantity(trace, view.metric));
    header_ui(ui, &title, 216.0, |ui| {
        metric_picker_ui(ui, &mut view.metric, metrics_of(prompt));
    });

    let metric = view.metric;
    let n_layers = trace.restored.n_rows();
    let scores = Scores::new(trace, metric, estimate);
    let values = scores.all();
    let (clean, low) = (scores.clean(), Measurement::mean(&trace.corrupted, metric));
    let direction = trace.spec.direction;
    let is_estimated = |cell: Cell| scores.is_estimated(cell);

    let mut caption = caption(trace, metric, estimate.filter(|_| scores.estimates.is_some()));
    ctx.explain_marked_layers(&mut caption);
    caption.is_brief = view.is_brief;
    let quantity = quantity(trace, metric);
    let range = ctx.range(&quantity, view.range.unwrap_or_else(|| scores.range()));
    let column_title = match (trace.spec.component, direction) {
        (Component::Hidden, Direction::Denoise) => "Restored layer",
        (Component::Hidden, Direction::Noise) => "Corrupted layer",
        (_, Direction::Denoise) => "Layer at the centre of the restored window",
        (_, Direction::Noise) => "Layer at the centre of the corrupted window",
    };
    let (tokens, layers) = (token_labels(prompt), layer_labels(n_layers));
    let map = Heatmap {
        name: "Causal trace",
        values: &values,
        rows: token_axis(prompt, &tokens),
        columns: layer_axis(column_title, &layers, ctx.marked_layers()),
        range,
        color_map: ColorMap::of(trace.spec.component),
        quantity: &quantity,
        selected_row: ctx.selection.position,
        selected_column: ctx.selection.layer,
        cell_shape: CellShape::Free,
        provisional: Some(&is_estimated),
        cell_text: None,
        max_height: ui.available_height() - caption.height(ui),
    };
    let response = map.show(ui, |cell| {
        let runs = scores.runs(cell);
        let mut lines = Vec::new();
        if let Some(std) = Measurement::std(runs, metric) {
            lines.push(format!("± {} over {} samples", significant(std, 3), runs.len()));
        }
        let (start, does) = match direction {
            Direction::Denoise => (low, "Restores"),
            Direction::Noise => (Some(clean), "Corrupts"),
        };
        if let (Some(start), true) = (start, is_estimated(cell) || !runs.is_empty()) {
            if direction == Direction::Noise {
                lines.push(format!(
                    "{}  {}",
                    metric_name(metric, prompt),
                    exact(scores.score(cell))
                ));
            }
            lines.push(format!("Indirect effect  {}", signed(scores.score(cell) - start, 4)));
        }
        let window = trace.window(cell.column);
        if window.len() > 1 {
            lines.push(format!("{does} layers {}–{}", window.start, window.end - 1));
        }
        lines.join("\n")
    });
    caption.show(ui);

    response.action(|Cell { row, column }| Selection {
        layer: Some(column),
        position: Some(row),
        ..ctx.selection
    })
}

/// The values at the ends of the colours of a map by itself. Nothing if it lacks the metric.
pub fn own_range(
    trace: &CausalTrace,
    metric: Metric,
    estimate: Option<&AttributionPatching>,
) -> Option<(f32, f32)> {
    trace.clean.get(metric)?;
    Some(Scores::new(trace, metric, estimate).range())
}

/// A map's numbers, estimates where nothing is measured yet.
pub(super) struct Scores<'a> {
    trace: &'a CausalTrace,
    metric: Metric,
    estimates: Option<Grid<f32>>,
}

impl<'a> Scores<'a> {
    pub fn new(
        trace: &'a CausalTrace,
        metric: Metric,
        estimate: Option<&AttributionPatching>,
    ) -> Self {
        Self { trace, metric, estimates: estimate.and_then(|it| it.scores(metric)) }
    }

    fn clean(&self) -> f32 {
        self.trace.clean.get(self.metric).unwrap_or(f32::NAN)
    }

    fn runs(&self, cell: Cell) -> &'a [Measurement] {
        self.trace.restored.get(cell.column, cell.row).map_or(&[][..], |runs| runs.as_slice())
    }

    pub fn is_estimated(&self, cell: Cell) -> bool {
        self.estimates.is_some() && self.runs(cell).is_empty()
    }

    fn score(&self, cell: Cell) -> f32 {
        let estimate = self.estimates.as_ref().and_then(|it| it.get(cell.column, cell.row));
        let mean = || Measurement::mean(self.runs(cell), self.metric).unwrap_or(f32::NAN);
        estimate.filter(|_| self.is_estimated(cell)).copied().unwrap_or_else(mean)
    }

    /// Dark is what matters, whichever run is changed.
    fn shown(&self, cell: Cell) -> f32 {
        match self.trace.spec.direction {
            Direction::Denoise => self.score(cell),
            Direction::Noise => self.clean() - self.score(cell),
        }
    }

    /// Token by token.
    fn cells(&self) -> impl Iterator<Item = Cell> + use<'a> {
        let (n_pos, n_layers) = (self.trace.prompt.n_pos(), self.trace.restored.n_rows());
        (0..n_pos).flat_map(move |row| (0..n_layers).map(move |column| Cell { row, column }))
    }

    pub fn all(&self) -> Vec<f32> {
        self.cells().map(|cell| self.shown(cell)).collect()
    }

    /// ROME's: from the corrupted run's belief up to the largest found.
    pub fn range(&self) -> (f32, f32) {
        let clean = self.clean();
        let low = match self.trace.spec.direction {
            Direction::Denoise => Measurement::mean(&self.trace.corrupted, self.metric)
                .unwrap_or_else(|| self.all().into_iter().fold(clean, f32::min)),
            Direction::Noise => 0.0,
        };
        // A straight line may overshoot; what was measured should not pale for it.
        let at_most = |cell: Cell| {
            let shown = self.shown(cell);
            if self.is_estimated(cell) { shown.min(clean) } else { shown }
        };
        let seen = self.cells().map(at_most).filter(|value| !value.is_nan());
        let largest = seen.fold(f32::NAN, f32::max);
        (low, if largest > low { largest } else { clean.max(low + 1e-6) })
    }
}

/// What a colour stands for.
pub(super) fn quantity(trace: &CausalTrace, metric: Metric) -> String {
    let name = metric_name(metric, &trace.prompt);
    match trace.spec.direction {
        Direction::Denoise => name,
        Direction::Noise => format!("Loss of {name}"),
    }
}

fn patched(trace: &CausalTrace) -> String {
    let spec = &trace.spec;
    let does = match spec.direction {
        Direction::Denoise => "Restoring",
        Direction::Noise => "Corrupting",
    };
    let what = match spec.component {
        Component::Hidden => "a single hidden state".to_owned(),
        Component::Mlp => format!("MLP output, window {}", spec.window),
        Component::Attn => format!("attention output, window {}", spec.window),
    };
    let but =
        severed(spec.sever, spec.sever_layers).map_or_else(String::new, |it| format!(", {it}"));
    format!("{does} {what}{but}")
}

fn caption(trace: &CausalTrace, metric: Metric, estimate: Option<&AttributionPatching>) -> Caption {
    let mut caption = Caption::default();
    let shown = |value: Option<f32>| {
        value.map_or_else(|| "not computed".to_owned(), |value| significant(value, 4))
    };
    let spec = &trace.spec;
    let corrupted = shown(Measurement::mean(&trace.corrupted, metric));
    let spread = Measurement::std(&trace.corrupted, metric)
        .map_or_else(String::new, |std| format!(" ± {}", significant(std, 2)));
    let factor = match &spec.noise {
        NoiseLevel::Std(_) => String::new(),
        NoiseLevel::Multiple { factor, .. } => format!(" ({factor} × embedding std)"),
    };
    let rng = match spec.rng {
        NoiseRng::Numpy => "NumPy",
        NoiseRng::Chacha => "ChaCha8",
    };
    let std = significant(trace.noise_std as f32, 4);
    let noise = match &spec.corruption {
        Corruption::NoiseFile(file) => {
            format!("noise of {}, σ {std}  ·  {} samples", file.short_name(), spec.n_samples)
        }
        _ => format!(
            "noise σ {std}{factor}  ·  {} samples  ·  seed {} ({rng})",
            spec.n_samples, spec.seed
        ),
    };
    caption.add(
        Tone::Plain,
        format!(
            "Clean {}  ·  corrupted {corrupted}{spread}  ·  {noise}",
            shown(trace.clean.get(metric))
        ),
    );
    if let Some(answer) = long_answer(metric, &trace.prompt) {
        caption.add(Tone::Plain, answer);
    }
    if let Some(warning) = not_first_guess(&trace.clean, &trace.prompt) {
        caption.add(Tone::Warning, warning);
    }
    if let Some(computed) = computed(trace, estimate.map(|it| it.spec.base)) {
        caption.add(Tone::Plain, computed);
    }
    if let Some(about) = about_severed(spec) {
        caption.add(Tone::Plain, about);
    }
    caption.add(
        Tone::Note,
        match spec.direction {
            Direction::Denoise => {
                "* subject. A peak shows where restoring suffices, not where the fact is stored \
                 (Hase et al. 2023)"
            }
            Direction::Noise => {
                "* subject. The clean run with one corrupted state put in: a peak shows what the \
                 answer needs while all else is clean"
            }
        },
    );
    caption
}
