//! The runs behind a cell of the trace: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, Asks, Study, UNMEASURED, number_ui};
use crate::analysis::AnalysisSpec;
use crate::analysis::trace_cell::Spec;
use crate::tokens::visible;
use crate::ui::widgets::number_field;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    n_top: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { n_top: 10 }
    }
}

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        let layer = about.selection.layer.filter(|it| *it < about.n_layers());
        let pos = about.selection.position.filter(|it| *it < about.prompt.n_pos());
        let (Some(layer), Some(pos)) = (layer, pos) else {
            return Err("Click a cell of the trace: a token and a layer".to_owned());
        };
        if about.prompt.subject.is_none() {
            return Err("No subject is marked in this prompt, so there is no trace".to_owned());
        }
        let trace = (about.shown_trace)().ok_or(UNMEASURED)?;
        Ok(AnalysisSpec::TraceCell(Spec { trace, pos, layer, n_top: self.n_top }))
    }

    fn shows(&self, _: &AnalysisSpec) -> bool {
        // The cell is picked out in the trace.
        false
    }

    fn asks(&self) -> Asks {
        Asks::ThisRow
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            let text = "How many of the likeliest next tokens are listed";
            number_ui(ui, "Listed", text, number_field(&mut self.n_top).range(1..=100));
            let picked = about
                .selection
                .position
                .and_then(|pos| Some((pos, about.prompt.pieces.get(pos)?, about.selection.layer?)));
            if let Some((pos, piece, layer)) = picked {
                let token = visible(piece);
                ui.weak(format!("of token {pos} {token}, layer {layer}, as the trace is set"));
            }
        });
    }

    fn has_metric(&self) -> bool {
        true
    }
}
