//! The small print below a figure.

use std::sync::Arc;

use eframe::egui::text::{LayoutJob, TextFormat, TextWrapping};
use eframe::egui::{Color32, Galley, Label, TextStyle, Ui};

use crate::ui::theme::{Palette, palette};

/// The small print below a figure.
#[derive(Clone, Debug, Default)]
pub struct Caption {
    lines: Vec<(Tone, String)>,

    /// Whether room is short: of the warnings only the first is shown, in one line, and asides in
    /// brackets and notes are only shown on hover.
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

    /// Lays the lines out in the width that there is, so that their height is known before they are drawn
    /// and the figure can take the rest.
    pub fn laid_out(self, ui: &Ui) -> LaidOutCaption {
        LaidOutCaption { galleys: self.galleys(ui).collect(), caption: self }
    }

    fn galleys(&self, ui: &Ui) -> impl Iterator<Item = Arc<Galley>> {
        let font = TextStyle::Small.resolve(ui.style());
        let width = ui.available_width();
        let colors = palette(ui);
        let first_warning = self.lines.iter().position(|(tone, _)| *tone == Tone::Warning);
        let lines = self.lines.iter().enumerate();
        let shown = lines.filter(move |(nth, (tone, _))| match tone {
            _ if !self.is_brief => true,
            Tone::Plain => true,
            Tone::Note => false,
            Tone::Warning => first_warning == Some(*nth),
        });
        shown.map(move |(_, (tone, line))| {
            let format = TextFormat::simple(font.clone(), tone.color(colors));
            let text = if self.is_brief { without_asides(line) } else { line.clone() };
            let mut job = LayoutJob::single_section(text, format);
            job.wrap.max_width = width;
            if self.is_brief && *tone == Tone::Warning {
                job.wrap = TextWrapping::truncate_at_width(width);
            }
            ui.painter().layout_job(job)
        })
    }
}

/// A caption as it is drawn in some width.
#[derive(Debug)]
pub struct LaidOutCaption {
    caption: Caption,
    galleys: Vec<Arc<Galley>>,
}

impl LaidOutCaption {
    /// The height in points, with the space above each line.
    pub fn height(&self, ui: &Ui) -> f32 {
        let spacing = ui.spacing().item_spacing.y;
        self.galleys.iter().map(|galley| galley.size().y + spacing).sum()
    }

    pub fn show(self, ui: &mut Ui) {
        let Caption { lines, is_brief } = self.caption;
        for galley in self.galleys {
            // All that is cut is in the tooltip below.
            let line = ui.add(Label::new(galley).show_tooltip_when_elided(!is_brief));
            if is_brief && line.hovered() {
                let lines: Vec<&str> = lines.iter().map(|(_, line)| &**line).collect();
                line.on_hover_text(lines.join("\n"));
            }
        }
    }
}

/// A text without what stands in brackets after a space: `p(it) 0.2` of `p(it) 0.2 (3 samples)`.
fn without_asides(text: &str) -> String {
    let mut kept = String::new();
    let mut depth = 0;
    for c in text.chars() {
        match c {
            '(' if depth > 0 => depth += 1,
            '(' if kept.ends_with(' ') => {
                kept.pop();
                depth = 1;
            }
            ')' if depth > 0 => depth -= 1,
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    if depth == 0 { kept } else { text.to_owned() }
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
