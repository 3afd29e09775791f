//! Ablation: settings, and what is asked with them.

use eframe::egui::{DragValue, Ui};
use serde::{Deserialize, Serialize};

use super::{About, Study, choice_ui, number_ui};
use crate::analysis::ablation::{Part, Replacement, Spec};
use crate::analysis::{AnalysisSpec, Metric, Positions, neuron_ablation};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub part: Without,

    /// How many neurons, where these are ablated.
    pub n_neurons: usize,
    pub tokens: Tokens,
    pub put_in: PutIn,
}

/// What is gone without, one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Without {
    Heads,
    Attn,
    Mlp,
    Layers,

    /// Those that are estimated to matter most: there are too many to try each.
    Neurons,
}

/// Where it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tokens {
    All,
    Subject,
    NonSubject,
    Last,

    /// The one picked out in the views.
    Selected,
}

/// What stands in for the output of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PutIn {
    Zero,

    /// Over prompts of the dataset.
    Mean,

    /// From a fact of the same relation and of as many tokens.
    Resample,
}

impl Default for Settings {
    fn default() -> Self {
        Self { part: Without::Heads, n_neurons: 20, tokens: Tokens::All, put_in: PutIn::Zero }
    }
}

impl Without {
    const ALL: [Self; 5] = [Self::Heads, Self::Attn, Self::Mlp, Self::Layers, Self::Neurons];

    fn part(self) -> Option<Part> {
        match self {
            Self::Heads => Some(Part::Heads),
            Self::Attn => Some(Part::Attn),
            Self::Mlp => Some(Part::Mlp),
            Self::Layers => Some(Part::Layers),
            Self::Neurons => None,
        }
    }

    fn about(self) -> (&'static str, &'static str) {
        match self {
            Self::Heads => ("Heads", "Each head's output before W_O (hook_z); b_O stays"),
            Self::Attn => ("Attention", "All that a layer's attention adds (hook_attn_out)"),
            Self::Mlp => ("MLPs", "What a layer's MLP adds (hook_mlp_out)"),
            Self::Layers => ("Layers", "Attention and MLP of a layer together"),
            Self::Neurons => (
                "Neurons",
                "Single neurons of MLPs (mlp.hook_post): those that a gradient at the clean run \
                 estimates to matter most",
            ),
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

impl PutIn {
    const ALL: [Self; 3] = [Self::Zero, Self::Mean, Self::Resample];

    fn text(self) -> &'static str {
        match self {
            Self::Zero => "zeros",
            Self::Mean => "the mean",
            Self::Resample => "a resample",
        }
    }

    fn tooltip(self) -> &'static str {
        match self {
            Self::Zero => {
                "Zero ablation. Later layers never saw a silent part, so it may break more than the \
                 part did"
            }
            Self::Mean => {
                "Mean ablation, over up to 256 prompts of the dataset. Position 0, where attention \
                 rests, gets the mean over first tokens, any other the mean over all later ones"
            }
            Self::Resample => {
                "Resample ablation: what the part is in another fact's prompt of as many tokens, of \
                 the same relation if there is one (Chan et al. 2022)"
            }
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
            Some(part) => AnalysisSpec::Ablation(Spec { part, positions, replacement }),
            None => AnalysisSpec::NeuronAblation(neuron_ablation::Spec {
                n_top: self.n_neurons,
                layers: Vec::new(),
                metric: Metric::LogProb,
                positions,
                replacement,
            }),
        })
    }

    fn has_metric(&self) -> bool {
        true
    }

    fn controls_ui(&mut self, ui: &mut Ui, _about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.label("Without");
            for part in Without::ALL {
                let (name, about) = part.about();
                ui.selectable_value(&mut self.part, part, name).on_hover_text(about);
            }
        });
        ui.horizontal_wrapped(|ui| {
            if self.part == Without::Neurons {
                let about = "How many are tried, those with the largest estimates of ln p";
                let value = DragValue::new(&mut self.n_neurons).range(1..=1000);
                number_ui(ui, "Number", about, value);
            }
            let about = "At which tokens the output is replaced";
            choice_ui(ui, "At", about, &mut self.tokens, &Tokens::ALL, |it| (it.text(), ""));
            let about = self.put_in.tooltip();
            choice_ui(ui, "Put in", about, &mut self.put_in, &PutIn::ALL, |it| {
                (it.text(), it.tooltip())
            });
        });
    }
}
