//! Attention knockout: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, Study, window_of, window_ui};
use crate::analysis::attention_knockout::{Edges, Spec};
use crate::analysis::{AnalysisSpec, Positions};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How many layers are cut together. `None` until it is set.
    pub(super) window: Option<usize>,

    /// Whether the token picked out in the views is cut off as well.
    cuts_selected: bool,
}

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        let mut edges = Edges::to_last();
        if let Some(position) = about.selection.position.filter(|_| self.cuts_selected) {
            let from = Positions::Only(position..position + 1);
            edges.push(Edges { from, to: Positions::Last });
        }
        let window = window_of(self.window, about);
        Ok(AnalysisSpec::AttentionKnockout(Spec { edges, window }))
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::AttentionKnockout(_))
    }

    fn window_mut(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.window)
    }

    fn has_metric(&self) -> bool {
        true
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            let text = "In how many layers around each the edges are cut. Geva et al.: 9 of GPT-2 \
                        XL's 48";
            window_ui(ui, &mut self.window, about, text);
            ui.checkbox(&mut self.cuts_selected, "Also the selected token → last").on_hover_text(
                "One more line: the last token does not see the token that is picked out in the \
                 views",
            );
        });
    }
}
