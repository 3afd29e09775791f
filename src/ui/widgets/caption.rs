use std::sync::Arc;

use eframe::egui::{Color32, Galley, TextStyle, Ui};

use crate::ui::theme::{Palette, palette};

/// Small print below a figure. Its height is known before it is drawn, so that the figure can take
/// the rest.
#[derive(Clone, Debug, Default)]
pub struct Caption {
    lines: Vec<(Tone, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,

    /// What holds for every figure of the kind.
    Note,
    Good,
    Warning,
}

impl Caption {
    pub fn add(&mut self, tone: Tone, line: impl Into<String>) {
        self.lines.push((tone, line.into()));
    }

    /// With the space above it.
    pub fn height(&self, ui: &Ui) -> f32 {
        let spacing = ui.spacing().item_spacing.y;
        self.galleys(ui).map(|(_, galley)| galley.size().y + spacing).sum()
    }

    pub fn show(&self, ui: &mut Ui) {
        let galleys: Vec<_> = self.galleys(ui).collect();
        for (_, galley) in galleys {
            ui.label(galley);
        }
    }

    fn galleys(&self, ui: &Ui) -> impl Iterator<Item = (Tone, Arc<Galley>)> {
        let font = TextStyle::Small.resolve(ui.style());
        let width = ui.available_width();
        let colors = palette(ui);
        self.lines.iter().map(move |(tone, line)| {
            let color = tone.color(colors);
            (*tone, ui.painter().layout(line.clone(), font.clone(), color, width))
        })
    }
}

impl Tone {
    fn color(self, colors: &Palette) -> Color32 {
        match self {
            Self::Plain => colors.text,
            Self::Note => colors.weak_text,
            Self::Good => colors.good,
            Self::Warning => colors.warning,
        }
    }
}
