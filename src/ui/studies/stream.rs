//! The residual stream: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, Study, values_ui};
use crate::analysis::accumulated_resid::LensScale;
use crate::analysis::{AnalysisSpec, accumulated_resid, residual_norms};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    of: Of,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Of {
    #[default]
    Norms,
    Accumulated(LensScale),
}

const VIEWS: [(Of, &str, &str); 3] = [
    (Of::Norms, "Norms", "How long the residual stream is, and what is added to it"),
    (
        Of::Accumulated(LensScale::Own),
        "Logit so far",
        "The answer's logit after each step, each with a layer norm of its own",
    ),
    (
        Of::Accumulated(LensScale::Final),
        "Logit so far, final scale",
        "The same with the scale of the last state: differences are what direct logit attribution \
         says was added",
    ),
];

impl Study for Settings {
    fn spec(&self, _about: &About<'_>) -> Result<AnalysisSpec, String> {
        Ok(match self.of {
            Of::Norms => AnalysisSpec::ResidualNorms(residual_norms::Spec),
            Of::Accumulated(scale) => {
                AnalysisSpec::AccumulatedResid(accumulated_resid::Spec { scale })
            }
        })
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::ResidualNorms(_) | AnalysisSpec::AccumulatedResid(_))
    }

    fn controls_ui(&mut self, ui: &mut Ui, _about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            values_ui(ui, &mut self.of, VIEWS);
        });
    }
}
