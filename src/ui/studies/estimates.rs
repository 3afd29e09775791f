//! Estimates of parts and edges: settings, and what is asked with them.

use eframe::egui::{DragValue, Ui};
use serde::{Deserialize, Serialize};

use super::corruption::draws;
use super::{About, Study, corruption_ui, number_ui};
use crate::analysis::Contrast;
use crate::analysis::edge_attribution::EdgeBase;
use crate::analysis::{AnalysisSpec, Metric, atp_star, edge_attribution};
use crate::experiment::CorruptionKind;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    method: Method,
    corruption: CorruptionKind,
    n_steps: usize,
    n_edges: usize,
    n_verified: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Method {
    AtpStar,
    Eap,
    EapIg,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            method: Method::AtpStar,
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
        let trace = about.trace(about.component)?;
        let contrast = Contrast::Subject(draws(self.corruption, &trace, about)?);
        let (metric, n_verified) = (Metric::LogProb, self.n_verified);
        Ok(match self.method {
            Method::AtpStar => {
                AnalysisSpec::AtpStar(atp_star::Spec { contrast, metric, n_verified })
            }
            Method::Eap | Method::EapIg => {
                let base = match self.method {
                    Method::EapIg => EdgeBase::Between { n_steps: self.n_steps },
                    Method::Eap | Method::AtpStar => EdgeBase::Clean,
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

    fn controls_ui(&mut self, ui: &mut Ui, _about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.label("Estimate");
            ui.selectable_value(&mut self.method, Method::AtpStar, "Parts (AtP*)")
                .on_hover_text("Queries, keys, values and MLPs at each token (Kramár et al. 2024)");
            ui.selectable_value(&mut self.method, Method::Eap, "Edges (EAP)")
                .on_hover_text("From each part to each that reads it (Syed et al. 2023)");
            ui.selectable_value(&mut self.method, Method::EapIg, "Edges (EAP-IG)")
                .on_hover_text("The same with integrated gradients (Hanna et al. 2024)");
        });
        ui.horizontal_wrapped(|ui| corruption_ui(ui, &mut self.corruption));
        ui.horizontal_wrapped(|ui| {
            if self.method == Method::EapIg {
                let text = "At how many places between the corrupted and the clean run";
                number_ui(ui, "Steps", text, DragValue::new(&mut self.n_steps).range(1..=200));
            }
            if self.method != Method::AtpStar {
                let text = "How many edges are listed";
                number_ui(ui, "Edges", text, DragValue::new(&mut self.n_edges).range(1..=1000));
            }
            let text = "How many of the largest are corrupted for real, to see what the estimates \
                        are worth";
            let value = DragValue::new(&mut self.n_verified).range(0..=1000);
            number_ui(ui, "Verify", text, value);
        });
    }
}
