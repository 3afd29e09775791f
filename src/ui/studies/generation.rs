//! The continuation of a prompt: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, Asks, Study, number_ui, values_ui};
use crate::analysis::AnalysisSpec;
use crate::analysis::generation::{Choice, Spec};
use crate::ui::widgets::number_field;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    n_tokens: usize,
    is_greedy: bool,
    temperature: f64,

    /// How many of the likeliest tokens may be drawn. Zero stands for all.
    top_k: usize,

    /// The probability that the tokens which may be drawn hold together. One stands for all tokens.
    top_p: f64,
    seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { n_tokens: 30, is_greedy: true, temperature: 1.0, top_k: 0, top_p: 1.0, seed: 0 }
    }
}

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        let room = about.info.config.n_ctx.saturating_sub(about.prompt.n_pos());
        let choice = if self.is_greedy {
            Choice::Greedy
        } else {
            Choice::Sample {
                temperature: self.temperature,
                top_k: (self.top_k > 0).then_some(self.top_k),
                top_p: (self.top_p < 1.0).then_some(self.top_p),
                seed: self.seed,
            }
        };
        let n_tokens = self.n_tokens.min(room);
        Ok(AnalysisSpec::Generation(Spec { n_tokens, choice, end: None }))
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::Generation(_))
    }

    fn asks(&self) -> Asks {
        Asks::ThisRow
    }

    fn controls_ui(&mut self, ui: &mut Ui, _about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            let about = "How many tokens are written";
            number_ui(ui, "Tokens", about, number_field(&mut self.n_tokens).range(1..=1000));
            let values = [
                (true, "Greedy", "Always the likeliest token"),
                (false, "Sampled", "Drawn at random, the same way for the same seed"),
            ];
            values_ui(ui, &mut self.is_greedy, values);
        });
        if self.is_greedy {
            return;
        }
        ui.horizontal_wrapped(|ui| {
            let about = "Logits are divided by it: below 1 what is likely becomes likelier";
            let value = number_field(&mut self.temperature).range(0.01..=10.0).speed(0.01);
            number_ui(ui, "Temperature", about, value);
            let about = "Only from so many of the likeliest; 0 for all";
            number_ui(ui, "Top k", about, number_field(&mut self.top_k).range(0..=100_000));
            let about = "Only from the likeliest that hold so much of the probability; 1 for all";
            let value = number_field(&mut self.top_p).range(0.01..=1.0).speed(0.01);
            number_ui(ui, "Top p", about, value);
            number_ui(
                ui,
                "Seed",
                "The seed of the draw: the same gives the same text",
                number_field(&mut self.seed),
            );
        });
    }
}
