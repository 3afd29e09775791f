//! The small print below a figure.

use std::sync::Arc;

use eframe::egui::text::{LayoutJob, TextFormat, TextWrapping};
use eframe::egui::{Color32, Galley, TextStyle, Ui};

use crate::ui::theme::{Palette, palette};

/// The small print below a figure. Its height is known before it is drawn, so that the figure can
/// take the rest.
#[derive(Clone, Debug, Default)]
pub struct Caption {
    lines: Vec<(Tone, String)>,

    /// Whether room is short: each line is cut where the figure ends, and notes are only shown on
    /// hover.
    is_brief: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,

    /// A sentence that holds for every figure of the kind.
    Note,
    Warning,
}

impl Caption {
    pub fn new(is_brief: bool) -> Self {
        Self { lines: Vec::new(), is_brief }
    }

    pub fn add(&mut self, tone: Tone, line: impl Into<String>) {
        self.lines.push((tone, line.into()));
    }

    /// The height in points, with the space above each line.
    pub fn height(&self, ui: &Ui) -> f32 {
        let spacing = ui.spacing().item_spacing.y;
        self.galleys(ui).map(|(_, galley)| galley.size().y + spacing).sum()
    }

    pub fn show(&self, ui: &mut Ui) {
        let galleys: Vec<_> = self.galleys(ui).collect();
        for (_, galley) in galleys {
            let line = ui.label(galley);
            if self.is_brief {
                let lines: Vec<&str> = self.lines.iter().map(|(_, line)| &**line).collect();
                line.on_hover_text(lines.join("\n"));
            }
        }
    }

    fn galleys(&self, ui: &Ui) -> impl Iterator<Item = (Tone, Arc<Galley>)> {
        let font = TextStyle::Small.resolve(ui.style());
        let width = ui.available_width();
        let colors = palette(ui);
        let shown = self.lines.iter().filter(|(tone, _)| !self.is_brief || *tone != Tone::Note);
        shown.map(move |(tone, line)| {
            let format = TextFormat::simple(font.clone(), tone.color(colors));
            let mut job = LayoutJob::single_section(line.clone(), format);
            job.wrap.max_width = width;
            if self.is_brief {
                job.wrap = TextWrapping::truncate_at_width(width);
            }
            (*tone, ui.painter().layout_job(job))
        })
    }
}

impl Tone {
    fn color(self, colors: &Palette) -> Color32 {
        match self {
            Self::Plain => colors.text,
            Self::Note => colors.weak_text,
            Self::Warning => colors.warning,
        }
    }
}
