//! Attention knockout: settings, and what is asked with them.

use eframe::egui::{DragValue, Ui};
use serde::{Deserialize, Serialize};

use super::{About, Study, number_ui};
use crate::analysis::attention_knockout::{Edges, Spec, default_window};
use crate::analysis::{AnalysisSpec, Positions};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How many layers are cut together. `None` stands for the number that suits the model's depth.
    window: Option<usize>,

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
        let window = self.window.unwrap_or_else(|| default_window(about.n_layers()));
        Ok(AnalysisSpec::AttentionKnockout(Spec { edges, window }))
    }

    fn has_metric(&self) -> bool {
        true
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        let n_layers = about.n_layers();
        let usual = default_window(n_layers);
        ui.horizontal_wrapped(|ui| {
            let about = format!(
                "In how many layers around each the edges are cut. Geva et al.: 9 of GPT-2 XL's \
                 48; for {n_layers} layers: {usual}"
            );
            let mut window = self.window.unwrap_or(usual);
            let value = DragValue::new(&mut window).range(1..=100);
            if number_ui(ui, "Window", &about, value).changed() {
                self.window = (window != usual).then_some(window);
            }
            ui.checkbox(&mut self.cuts_selected, "Also the selected token → last").on_hover_text(
                "One more line: the last token does not see the token that is picked out in the \
                 views",
            );
        });
    }
}
