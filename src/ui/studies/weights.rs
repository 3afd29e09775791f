//! Reading weights: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, Asks, Study, number_ui, values_ui};
use crate::analysis::AnalysisSpec;
use crate::analysis::circuit::{self, Circuit};
use crate::analysis::composition::{self, Mode};
use crate::ui::widgets::number_field;
use crate::worker::Processing;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    of: Of,
    n_vectors: usize,
    n_top: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Of {
    Circuit(Circuit),
    Composition,
}

impl Default for Settings {
    fn default() -> Self {
        Self { of: Of::Circuit(Circuit::Ov), n_vectors: 5, n_top: 20 }
    }
}

const VIEWS: [(Of, &str, &str); 3] = [
    (
        Of::Circuit(Circuit::Ov),
        "OV of the picked head",
        "What it writes, given what it reads: W_V W_O",
    ),
    (
        Of::Circuit(Circuit::Qk),
        "QK of the picked head",
        "What it looks at, given what looks: W_Q W_Kᵀ",
    ),
    (
        Of::Composition,
        "Composition of heads",
        "How much later heads read of what earlier ones write (Elhage et al. 2021)",
    ),
];

/// How many tokens are listed at each end of a singular vector.
const N_TOKENS: usize = 8;

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        let processing = Processing::of_transformer_lens();
        Ok(match self.of {
            Of::Circuit(circuit) => {
                let layer = about.selection.layer.unwrap_or(0).min(about.n_layers() - 1);
                let head = about.selection.head.unwrap_or(0).min(about.n_heads() - 1);
                AnalysisSpec::Circuit(circuit::Spec {
                    layer,
                    head,
                    circuit,
                    n_vectors: self.n_vectors.min(about.info.config.d_head()),
                    n_tokens: N_TOKENS,
                    processing,
                })
            }
            Of::Composition => AnalysisSpec::Composition(composition::Spec {
                modes: vec![Mode::Q, Mode::K, Mode::V],
                n_top: self.n_top,
                processing,
            }),
        })
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::Circuit(_) | AnalysisSpec::Composition(_))
    }

    fn asks(&self) -> Asks {
        Asks::ThisRow
    }

    fn controls_ui(&mut self, ui: &mut Ui, _about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            values_ui(ui, &mut self.of, VIEWS);
        });
        ui.horizontal_wrapped(|ui| match self.of {
            Of::Circuit(_) => {
                let about = "How many singular vectors are read";
                number_ui(ui, "Vectors", about, number_field(&mut self.n_vectors).range(1..=64));
            }
            Of::Composition => {
                let about = "How many of the highest pairs are listed";
                number_ui(ui, "Pairs", about, number_field(&mut self.n_top).range(1..=500));
            }
        });
    }
}
