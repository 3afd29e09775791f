//! The contribution graph: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, Study, number_ui};
use crate::analysis::AnalysisSpec;
use crate::analysis::contribution_graph::{AttentionEdges, Spec, Weights};
use crate::ui::widgets::number_field;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    threshold: f32,
    is_per_head: bool,
    is_renormalized: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let Spec { threshold, edges, weights, .. } = Spec::default();
        Self {
            threshold,
            is_per_head: edges == AttentionEdges::PerHead,
            is_renormalized: weights == Weights::Renormalized,
        }
    }
}

impl Study for Settings {
    fn spec(&self, _about: &About<'_>) -> Result<AnalysisSpec, String> {
        Ok(AnalysisSpec::ContributionGraph(Spec {
            threshold: self.threshold,
            edges: if self.is_per_head {
                AttentionEdges::PerHead
            } else {
                AttentionEdges::PerToken
            },
            weights: if self.is_renormalized { Weights::Renormalized } else { Weights::Shares },
            pos: None,
        }))
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::ContributionGraph(_))
    }

    fn controls_ui(&mut self, ui: &mut Ui, _about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            let about = "Edges of no more than this share are left out";
            let value = number_field(&mut self.threshold).range(0.0..=1.0).speed(0.002);
            number_ui(ui, "Threshold", about, value);
            ui.checkbox(&mut self.is_per_head, "Heads apart").on_hover_text(
                "One edge for each head and token looked at, else the sum over heads",
            );
            ui.checkbox(&mut self.is_renormalized, "Renormalised").on_hover_text(
                "Parts below the threshold are set to 0 first, and the others add up to 1 again",
            );
        });
    }
}
