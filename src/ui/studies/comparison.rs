//! The comparison of both rows: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, Asks, Study, as_trace_ui, number_ui, window_ui, words_ui};
use crate::analysis::causal_trace::Component;
use crate::analysis::comparison::{Mapped, Spec};
use crate::analysis::{AnalysisSpec, Metric};
use crate::experiment::{Compared, first_tokens};
use crate::ui::widgets::number_field;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    of: Compared,

    /// How many layers are restored together. `None` until it is set.
    pub(super) window: Option<usize>,
    n_top: usize,
    n_permutations: usize,
    seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let of = Compared::Trace(Component::Mlp);
        Self { of, window: None, n_top: 10, n_permutations: 9999, seed: 1 }
    }
}

impl Settings {
    /// Whether the maps are of heads, which can change places; the tokens of a trace cannot.
    fn is_of_heads(&self) -> bool {
        matches!(self.of, Compared::Ablation | Compared::Attribution)
    }
}

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        let inverse = about.second()?;
        // Recall is judged by the answer that a person asks for, and else by the likeliest right one.
        let right = |nth: usize| {
            let all = if about.is_chosen[nth] { &[] } else { about.answers[nth] };
            first_tokens(&about.info.tokenizer, all).map_err(|error| error.to_string())
        };
        let trace = |component| about.trace(component, self.window);
        let map = self.of.map(Metric::Prob, trace)?;
        // What has no part in it must not make another comparison.
        let usual = Self::default();
        let Self { n_top, n_permutations, seed, .. } =
            *if self.is_of_heads() { self } else { &usual };
        Ok(AnalysisSpec::Comparison(Spec {
            inverse: inverse.clone(),
            second: about.beside,
            right: [right(0)?, right(1)?],
            mapped: Mapped::Prompts,
            map,
            n_top,
            n_permutations,
            seed,
        }))
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::Comparison(_))
    }

    fn asks(&self) -> Asks {
        Asks::FirstRow
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            words_ui(ui, "Compare", &mut self.of);
            if matches!(self.of, Compared::Trace(Component::Mlp | Component::Attn)) {
                let text = "How many layers are restored together around each cell";
                window_ui(ui, &mut self.window, about, text);
            }
            if self.is_of_heads() {
                let tooltip = "How many heads are called the most important";
                number_ui(ui, "Top heads", tooltip, number_field(&mut self.n_top).range(1..=1000));
                let tooltip = "How often heads change places at random, for the p-values";
                let value = number_field(&mut self.n_permutations).range(1..=1_000_000);
                number_ui(ui, "Permutations", tooltip, value);
                number_ui(ui, "Seed", "Of the permutations", number_field(&mut self.seed));
            }
        });
        if matches!(self.of, Compared::Trace(_)) {
            as_trace_ui(ui, &about.trace_settings.summary());
        }
    }

    fn window_mut(&mut self) -> Option<&mut Option<usize>> {
        Some(&mut self.window)
    }
}
