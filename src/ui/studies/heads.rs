//! Head scores: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, Asks, Study, number_ui};
use crate::analysis::AnalysisSpec;
use crate::analysis::head_scores::Spec;
use crate::ui::widgets::number_field;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    n_random: usize,
    n_sequences: usize,
    seed: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { n_random: 50, n_sequences: 4, seed: 1 }
    }
}

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        // Twice, and perhaps a BOS, must fit.
        let most = (about.info.config.n_ctx.saturating_sub(1) / 2).max(1);
        let n_random = self.n_random.min(most);
        let Self { n_sequences, seed, .. } = *self;
        Ok(AnalysisSpec::HeadScores(Spec { n_random, n_sequences, seed }))
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::HeadScores(_))
    }

    fn asks(&self) -> Asks {
        Asks::ThisRow
    }

    fn controls_ui(&mut self, ui: &mut Ui, _about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            let about = "How many random tokens are repeated, to find induction heads";
            number_ui(ui, "Random tokens", about, number_field(&mut self.n_random).range(2..=500));
            let about = "Over how many such sequences scores are averaged";
            number_ui(ui, "Sequences", about, number_field(&mut self.n_sequences).range(1..=64));
            number_ui(ui, "Seed", "Which random tokens", number_field(&mut self.seed));
        });
    }
}
