//! Activation patching: settings, and what is asked with them.

use std::sync::Arc;

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::other_prompt::OtherPrompt;
use super::{About, Asks, Study, values_ui, window_of, window_ui};
use crate::analysis::AnalysisSpec;
use crate::analysis::activation_patching::{Part, Places, Spec};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    other: OtherPrompt,
    part: Part,

    /// How many layers are patched together. `None` until it is set.
    pub(super) window: Option<usize>,
    is_together: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let other = OtherPrompt::default();
        Self { other, part: Part::Hidden, window: None, is_together: false }
    }
}

impl Settings {
    /// Whether layers can be patched together.
    fn has_window(&self) -> bool {
        matches!(self.part, Part::Mlp | Part::Attn)
    }
}

const PARTS: [(Part, &str); 4] = [
    (Part::Hidden, "Hidden state"),
    (Part::Mlp, "MLP"),
    (Part::Attn, "Attention"),
    (Part::Heads, "Heads"),
];

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        let donor = self.other.donor(about)?;
        if donor.answer.is_none() {
            return Err(
                "Give the other prompt an answer: it is what the run is read for".to_owned()
            );
        }
        let pairs = self.other.pairs(&donor, about.prompt)?;
        Ok(AnalysisSpec::ActivationPatching(Spec {
            donor: Arc::new(donor),
            pairs,
            places: if self.is_together { Places::Together } else { Places::Each },
            part: self.part,
            window: if self.has_window() { window_of(self.window, about) } else { 1 },
        }))
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::ActivationPatching(_))
    }

    fn asks(&self) -> Asks {
        self.other.asks()
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.label("Put in");
            values_ui(ui, &mut self.part, PARTS.map(|(part, name)| (part, name, "")));
            if self.has_window() {
                let text = "How many layers are patched together around each";
                window_ui(ui, &mut self.window, about, text);
            }
            ui.checkbox(&mut self.is_together, "All pairs together")
                .on_hover_text("Else one pair of positions at a time");
        });
        // Long prompts are wider than what stands above them.
        self.other.controls_ui(ui, about);
    }

    fn window_mut(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.window)
    }

    fn has_metric(&self) -> bool {
        true
    }
}
