//! The labels along one side of a map.

use std::sync::Arc;

use eframe::egui::text::LayoutJob;
use eframe::egui::{Galley, TextFormat, Ui};

use crate::figure::Side;
use crate::ui::theme::{axis_font, palette, token_font};
use crate::ui::widgets::text::elide_middle;

/// One side of the grid, and how its labels are written.
pub struct Axis<'a> {
    pub side: &'a Side,
    pub kind: Labels,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Monospaced labels, which are turned where they are below a column.
    Tokens,

    /// Labels that are thinned to round steps where they would touch.
    Numbers,

    /// Labels that are turned below columns that are narrower than they.
    Words,
}

/// A label as it is drawn.
#[derive(Clone)]
pub struct Label {
    pub nth: usize,
    pub galley: Arc<Galley>,
    pub is_elided: bool,
}

impl<'a> Axis<'a> {
    pub fn of(side: &'a Side) -> Self {
        let kind = match side.labels.iter().all(|it| it.parse::<f32>().is_ok()) {
            _ if side.is_tokens => Labels::Tokens,
            true => Labels::Numbers,
            false => Labels::Words,
        };
        Self { side, kind }
    }

    pub fn galleys(&self, ui: &Ui, max_width: f32) -> Vec<Label> {
        let colors = palette(ui);
        let font = match self.kind {
            Labels::Tokens => token_font(),
            Labels::Numbers | Labels::Words => axis_font(),
        };
        let label = |(nth, full): (usize, &String)| {
            let is_marked = self.side.marked.contains(&nth);
            let color = if is_marked { colors.subject } else { colors.text };
            let laid_out = |text: &str| {
                let mut job = LayoutJob::default();
                job.append(text, 0.0, TextFormat::simple(font.clone(), color));
                if is_marked {
                    job.append("*", 0.0, TextFormat::simple(font.clone(), color));
                }
                ui.painter().layout_job(job)
            };
            let galley = laid_out(full);
            // Most labels fit, and all are laid out in each frame.
            if galley.size().x <= max_width {
                return Label { nth, is_elided: false, galley };
            }
            let text = elide_middle(ui.painter(), full, &font, max_width);
            Label { nth, is_elided: text != *full, galley: laid_out(&text) }
        };
        self.side.labels.iter().enumerate().map(label).collect()
    }

    /// The labels that can be drawn `apart` from each other, with cells of size `cell`.
    ///
    /// What is marked, such as the subject, matters most. Numbers keep to round steps; of others the
    /// last and the first come next, and the rest fills the gaps.
    pub fn thinned(&self, mut labels: Vec<Label>, cell: f32, apart: f32) -> Vec<Label> {
        let step = (apart / cell).ceil().max(1.0) as usize;
        if step == 1 {
            return labels;
        }
        let is_number = self.kind == Labels::Numbers;
        let round = [2, 5, 10, 20, 50, 100].into_iter().find(|&round| round >= step);
        let every = if is_number { round.unwrap_or(1000) } else { 1 };
        let last = labels.len().checked_sub(1).filter(|_| !is_number);
        let by_priority =
            self.side.marked.clone().rev().chain(last).chain((0..labels.len()).step_by(every));
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
