//! The labels along one side of a heat map.

use std::sync::Arc;

use eframe::egui::text::LayoutJob;
use eframe::egui::{Galley, TextFormat, Ui};

use crate::figure::Side;
use crate::ui::theme::{axis_font, palette, token_font};
use crate::ui::widgets::text::elide_middle;

/// One side of the grid.
pub(super) struct Axis<'a> {
    pub(super) side: &'a Side,
    pub(super) kind: Labels,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Labels {
    /// Monospaced, and turned where they are below a column.
    Tokens,

    /// Thinned to round steps where they would overlap.
    Numbers,

    /// Turned below columns that are narrower than they.
    Words,
}

/// As it is drawn.
pub(super) struct Label {
    pub(super) nth: usize,
    pub(super) galley: Arc<Galley>,
    pub(super) is_elided: bool,
}

impl<'a> Axis<'a> {
    pub(super) fn of(side: &'a Side) -> Self {
        let kind = match side.labels.iter().all(|it| it.parse::<f32>().is_ok()) {
            _ if side.is_tokens => Labels::Tokens,
            true => Labels::Numbers,
            false => Labels::Words,
        };
        Self { side, kind }
    }

    /// As it is said: “token 3 ·Tower”, “layer 12”.
    pub(super) fn describe(&self, nth: usize) -> String {
        let Side { noun, labels, .. } = self.side;
        match self.kind {
            Labels::Tokens => format!("{noun} {nth} {}", labels[nth]),
            Labels::Numbers | Labels::Words => format!("{noun} {}", labels[nth]),
        }
    }

    pub(super) fn galleys(&self, ui: &Ui, max_width: f32) -> Vec<Label> {
        let colors = palette(ui);
        let font = match self.kind {
            Labels::Tokens => token_font(),
            Labels::Numbers | Labels::Words => axis_font(),
        };
        let label = |(nth, full): (usize, &String)| {
            let text = elide_middle(ui.painter(), full, &font, max_width);
            let is_marked = self.side.marked.contains(&nth);
            let color = if is_marked { colors.subject } else { colors.text };
            let mut job = LayoutJob::default();
            job.append(&text, 0.0, TextFormat::simple(font.clone(), color));
            if is_marked {
                job.append("*", 0.0, TextFormat::simple(font.clone(), color));
            }
            Label { nth, is_elided: text != *full, galley: ui.painter().layout_job(job) }
        };
        self.side.labels.iter().enumerate().map(label).collect()
    }

    /// The labels that can be drawn `apart` from each other, with cells of size `cell`.
    ///
    /// Numbers keep to round steps. Of others, the selected one, the subject and the last matter
    /// most; the others fill the gaps.
    pub(super) fn thinned(
        &self,
        mut labels: Vec<Label>,
        cell: f32,
        apart: f32,
        selected: Option<usize>,
    ) -> Vec<Label> {
        let step = (apart / cell).ceil().max(1.0) as usize;
        if step == 1 {
            return labels;
        }
        if self.kind == Labels::Numbers {
            let step = [2, 5, 10, 20, 50, 100].into_iter().find(|&round| round >= step);
            let is_round = |nth: usize| nth.is_multiple_of(step.unwrap_or(1000));
            labels.retain(|label| is_round(label.nth) || self.side.marked.contains(&label.nth));
            return labels;
        }
        let first = selected.filter(|&nth| nth < labels.len());
        let by_priority = first
            .into_iter()
            .chain(self.side.marked.clone().rev())
            .chain(labels.len().checked_sub(1))
            .chain(0..labels.len());
        let mut drawn: Vec<usize> = Vec::new();
        for nth in by_priority {
            if drawn.iter().all(|&other| nth.abs_diff(other) >= step) {
                drawn.push(nth);
            }
        }
        labels.retain(|label| drawn.contains(&label.nth));
        labels
    }
}
