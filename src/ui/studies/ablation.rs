//! Ablation: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, Study, all_ui, choice_ui, number_ui, words_ui};
use crate::analysis::ablation::{Replacement, Spec};
use crate::analysis::{AnalysisSpec, Metric, Positions, neuron_ablation};
use crate::experiment::{Ablated, PutIn};
use crate::ui::widgets::number_field;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub part: Ablated,

    /// How many neurons, where these are ablated.
    pub n_neurons: usize,
    pub tokens: Tokens,
    pub put_in: PutIn,
}

/// The tokens at which outputs are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tokens {
    All,
    Subject,
    NonSubject,
    Last,

    /// The token that is picked out in the views.
    Selected,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            part: Ablated::Heads,
            n_neurons: Ablated::N_NEURONS,
            tokens: Tokens::All,
            put_in: PutIn::Zero,
        }
    }
}

impl Tokens {
    const ALL: [Self; 5] = [Self::All, Self::Subject, Self::NonSubject, Self::Last, Self::Selected];

    fn text(self) -> &'static str {
        match self {
            Self::All => "all tokens",
            Self::Subject => "the subject",
            Self::NonSubject => "non-subject",
            Self::Last => "the last token",
            Self::Selected => "the selected token",
        }
    }
}

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        let positions = match self.tokens {
            Tokens::All => Positions::All,
            Tokens::Subject => Positions::Subject,
            Tokens::NonSubject => Positions::NonSubject,
            Tokens::Last => Positions::Last,
            Tokens::Selected => {
                let position = about.selection.position;
                let position = position.ok_or("Pick out a token of this prompt first")?;
                Positions::Only(position..position + 1)
            }
        };
        let replacement = match self.put_in {
            PutIn::Zero => Replacement::Zero,
            PutIn::Mean => Replacement::Mean { prompts: (about.many)()? },
            PutIn::Resample => Replacement::Resample { ids: (about.alike)()? },
        };
        Ok(match self.part.part() {
            Some(part) => {
                AnalysisSpec::Ablation(Spec { part, positions, replacement, together: None })
            }
            None => AnalysisSpec::NeuronAblation(neuron_ablation::Spec {
                n_top: self.n_neurons,
                layers: Vec::new(),
                metric: Metric::LogProb,
                positions,
                replacement,
            }),
        })
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::Ablation(_) | AnalysisSpec::NeuronAblation(_))
    }

    fn has_metric(&self) -> bool {
        true
    }

    fn controls_ui(&mut self, ui: &mut Ui, _about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.label("Without");
            all_ui(ui, &mut self.part);
        });
        ui.horizontal_wrapped(|ui| {
            if self.part == Ablated::Neurons {
                let about = "How many are tried, those with the largest estimates of ln p";
                let value = number_field(&mut self.n_neurons).range(1..=1000);
                number_ui(ui, "Number", about, value);
            }
            let about = "At which tokens the output is replaced";
            choice_ui(ui, "At", about, &mut self.tokens, &Tokens::ALL, |it| (it.text(), ""));
            words_ui(ui, "Put in", &mut self.put_in);
        });
    }
}
