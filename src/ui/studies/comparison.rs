//! The comparison of both rows: settings, and what is asked with them.

use eframe::egui::{ComboBox, DragValue, Ui};
use serde::{Deserialize, Serialize};

use super::{About, Asks, Study, number_ui};
use crate::analysis::ablation::{self, Part, Replacement};
use crate::analysis::causal_trace::Component;
use crate::analysis::comparison::{MapSpec, Spec};
use crate::analysis::{AnalysisSpec, Metric, Positions};
use crate::tokens::{TokenizeError, TokenizedPrompt};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    of: Of,

    /// Layers restored together. As many as the trace's settings say, if not given.
    window: Option<usize>,
    n_top: usize,
    n_permutations: usize,
    seed: u64,
}

/// Which maps are laid beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Of {
    /// The trace that the trace's settings describe.
    Trace(Component),
    Ablation,
    Attribution,
}

impl Default for Settings {
    fn default() -> Self {
        let of = Of::Trace(Component::Mlp);
        Self { of, window: None, n_top: 10, n_permutations: 9999, seed: 1 }
    }
}

impl Of {
    const ALL: [Self; 5] = [
        Self::Trace(Component::Hidden),
        Self::Trace(Component::Mlp),
        Self::Trace(Component::Attn),
        Self::Ablation,
        Self::Attribution,
    ];

    fn text(self) -> &'static str {
        match self {
            Self::Trace(Component::Hidden) => "traces of hidden states",
            Self::Trace(Component::Mlp) => "traces of MLPs",
            Self::Trace(Component::Attn) => "traces of attention",
            Self::Ablation => "ablated heads",
            Self::Attribution => "heads' part in the logit",
        }
    }
}

impl Settings {
    /// Keeps the window that a session's comparison was made with, where its settings name none:
    /// before the third format it was that of the trace on screen.
    pub fn keep_window(&mut self, made: &Spec) {
        if let MapSpec::Trace { spec, .. } = &made.map
            && spec.component != Component::Hidden
        {
            self.window.get_or_insert(spec.window);
        }
    }
}

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        let inverse = about.second()?;
        let tokenizer = &about.info.tokenizer;
        let right = |answers: &[String]| {
            let firsts =
                answers.iter().map(|it| Ok(TokenizedPrompt::answer(tokenizer, it)?.first()));
            let firsts: Result<Vec<u32>, TokenizeError> = firsts.collect();
            let mut firsts = firsts.map_err(|error| error.to_string())?;
            firsts.sort_unstable();
            firsts.dedup();
            Ok::<_, String>(firsts)
        };
        let map = match self.of {
            Of::Trace(component) => {
                let mut spec = about.trace(component)?;
                if component != Component::Hidden {
                    spec.window = self.window.unwrap_or(spec.window).max(1);
                }
                MapSpec::Trace { spec, metric: Metric::Prob }
            }
            Of::Ablation => MapSpec::Ablation {
                spec: ablation::Spec {
                    part: Part::Heads,
                    positions: Positions::All,
                    replacement: Replacement::Zero,
                },
                metric: Metric::Prob,
            },
            Of::Attribution => MapSpec::Attribution,
        };
        Ok(AnalysisSpec::Comparison(Spec {
            inverse: inverse.clone(),
            second: about.beside,
            right: [right(about.answers[0])?, right(about.answers[1])?],
            map,
            n_top: self.n_top,
            n_permutations: self.n_permutations,
            seed: self.seed,
        }))
    }

    fn asks(&self) -> Asks {
        Asks::FirstRow
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            let label = ui.label("Compare");
            let combo = ComboBox::from_id_salt("compared maps")
                .selected_text(self.of.text())
                .width(180.0)
                .show_ui(ui, |ui| {
                    for choice in Of::ALL {
                        ui.selectable_value(&mut self.of, choice, choice.text());
                    }
                });
            combo.response.labelled_by(label.id);
            if matches!(self.of, Of::Trace(Component::Mlp | Component::Attn)) {
                let mut window = self.window.unwrap_or(about.trace_window).max(1);
                let value = DragValue::new(&mut window).range(1..=about.n_layers());
                let tooltip = "How many layers are restored together around each cell";
                if number_ui(ui, "Layers together", tooltip, value).changed() {
                    self.window = Some(window);
                }
            }
            let tooltip = "How many heads are called the most important";
            number_ui(ui, "Top heads", tooltip, DragValue::new(&mut self.n_top).range(1..=1000));
            let tooltip = "How often heads change places at random, for the p-values";
            let value = DragValue::new(&mut self.n_permutations).range(1..=1_000_000);
            number_ui(ui, "Permutations", tooltip, value);
            number_ui(ui, "Seed", "Of the permutations", DragValue::new(&mut self.seed));
        });
    }
}
