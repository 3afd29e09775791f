//! Estimates of parts and edges: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::corruption::draws;
use super::{About, Study, all_ui, as_trace_ui, corruption_ui, number_ui};
use crate::analysis::Contrast;
use crate::analysis::causal_trace::Component;
use crate::analysis::edge_attribution::EdgeBase;
use crate::analysis::{AnalysisSpec, Metric, atp_star, edge_attribution};
use crate::experiment::{CorruptionKind, Estimator};
use crate::ui::widgets::number_field;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    method: Estimator,
    corruption: CorruptionKind,
    n_steps: usize,
    n_edges: usize,
    n_verified: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            method: Estimator::AtpStar,
            corruption: CorruptionKind::Gaussian,
            n_steps: 30,
            n_edges: 30,
            n_verified: 20,
        }
    }
}

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        if about.prompt.subject.is_none() {
            return Err("Mark the subject: it is what is corrupted".to_owned());
        }
        let trace = about.trace_as_set(Component::Hidden)?;
        let contrast = Contrast::Subject(draws(self.corruption, &trace, about)?);
        let (metric, n_verified) = (Metric::LogProb, self.n_verified);
        Ok(match self.method {
            Estimator::AtpStar => {
                AnalysisSpec::AtpStar(atp_star::Spec { contrast, metric, n_verified })
            }
            Estimator::Eap | Estimator::EapIg => {
                let base = match self.method {
                    Estimator::EapIg => EdgeBase::Between { n_steps: self.n_steps },
                    Estimator::Eap | Estimator::AtpStar => EdgeBase::Clean,
                };
                let n_edges = self.n_edges;
                AnalysisSpec::EdgeAttribution(edge_attribution::Spec {
                    contrast,
                    metric,
                    base,
                    n_edges,
                    n_verified: n_verified.min(n_edges),
                })
            }
        })
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::AtpStar(_) | AnalysisSpec::EdgeAttribution(_))
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.label("Estimate");
            all_ui(ui, &mut self.method);
        });
        ui.horizontal_wrapped(|ui| corruption_ui(ui, &mut self.corruption));
        ui.horizontal_wrapped(|ui| {
            if self.method == Estimator::EapIg {
                let text = "At how many places between the corrupted and the clean run";
                number_ui(ui, "Steps", text, number_field(&mut self.n_steps).range(1..=200));
            }
            if self.method != Estimator::AtpStar {
                let text = "How many edges are listed";
                number_ui(ui, "Edges", text, number_field(&mut self.n_edges).range(1..=1000));
            }
            let text = "How many of the largest are corrupted for real, to see what the estimates \
                        are worth";
            let value = number_field(&mut self.n_verified).range(0..=1000);
            number_ui(ui, "Verify", text, value);
        });
        as_trace_ui(ui, &about.trace_settings.draws());
    }
}
