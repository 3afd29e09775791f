//! The choices that a person has, each with its words: flags, combo boxes and messages share them.

use serde::{Deserialize, Serialize};

use crate::analysis::ablation::Part;
use crate::analysis::causal_trace::Component;

mod compared;
mod corruption_kind;

pub use compared::{Compared, first_tokens};
pub use corruption_kind::CorruptionKind;

/// A setting that is one of a few.
pub trait Choices: Copy + PartialEq + Send + Sync + 'static {
    /// All there are, in the order in which they are shown.
    const ALL: &[Self];

    fn words(self) -> Words;
}

/// What a choice is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// The value of a flag.
    pub key: &'static str,

    /// The name in the window.
    pub label: &'static str,

    /// What is to be known of it, in a sentence without a full stop.
    pub help: &'static str,
}

/// The parts of the model that are ablated, one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ablated {
    Heads,
    Attn,
    Mlp,
    Layers,

    /// The neurons that are estimated to matter most: there are too many to try each.
    Neurons,
}

/// What stands in for the output of an ablated part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PutIn {
    Zero,
    Mean,
    Resample,
}

/// How effects are estimated from gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Estimator {
    AtpStar,
    Eap,
    EapIg,
}

const fn words(key: &'static str, label: &'static str, help: &'static str) -> Words {
    Words { key, label, help }
}

impl Choices for Component {
    const ALL: &[Self] = &[Self::Hidden, Self::Mlp, Self::Attn];

    fn words(self) -> Words {
        match self {
            Self::Hidden => words("hidden", "Hidden states", "The residual stream after one layer"),
            Self::Mlp => words("mlp", "MLPs", "What the MLPs of a window of layers add"),
            Self::Attn => words("attn", "Attention", "What attention adds in a window of layers"),
        }
    }
}

impl Choices for Ablated {
    const ALL: &[Self] = &[Self::Heads, Self::Attn, Self::Mlp, Self::Layers, Self::Neurons];

    fn words(self) -> Words {
        match self {
            Self::Heads => {
                words("heads", "Heads", "Each head's output before W_O (hook_z); b_O stays")
            }
            Self::Attn => {
                words("attn", "Attention", "All that a layer's attention adds (hook_attn_out)")
            }
            Self::Mlp => words("mlp", "MLPs", "What a layer's MLP adds (hook_mlp_out)"),
            Self::Layers => words("layers", "Layers", "Attention and MLP of a layer together"),
            Self::Neurons => words(
                "neurons",
                "Neurons",
                "Single neurons of MLPs (mlp.hook_post): those that a gradient at the clean run \
                 estimates to matter most",
            ),
        }
    }
}

impl Ablated {
    /// How many neurons are ablated if nothing else is said.
    pub const N_NEURONS: usize = 20;

    /// The part, unless it is single neurons.
    pub fn part(self) -> Option<Part> {
        match self {
            Self::Heads => Some(Part::Heads),
            Self::Attn => Some(Part::Attn),
            Self::Mlp => Some(Part::Mlp),
            Self::Layers => Some(Part::Layers),
            Self::Neurons => None,
        }
    }
}

impl Choices for PutIn {
    const ALL: &[Self] = &[Self::Zero, Self::Mean, Self::Resample];

    fn words(self) -> Words {
        match self {
            Self::Zero => words(
                "zero",
                "zeros",
                "Zero ablation. Later layers never saw a silent part, so it may break more than the \
                 part did",
            ),
            Self::Mean => words(
                "mean",
                "the mean",
                "Mean ablation, over up to 256 prompts of the dataset unless others are named. \
                 Position 0, where attention rests, gets the mean over first tokens, any other the \
                 mean over all later ones",
            ),
            Self::Resample => words(
                "resample",
                "a resample",
                "Resample ablation: what the part is in another prompt of as many tokens (Chan et \
                 al. 2022); the window takes a fact of the same relation if there is one",
            ),
        }
    }
}

impl Choices for Estimator {
    const ALL: &[Self] = &[Self::AtpStar, Self::Eap, Self::EapIg];

    fn words(self) -> Words {
        match self {
            Self::AtpStar => words(
                "atp-star",
                "Parts (AtP*)",
                "Queries, keys, values and MLPs at each token (Kramár et al. 2024)",
            ),
            Self::Eap => words(
                "eap",
                "Edges (EAP)",
                "From each part to each that reads it, by the gradient at the clean run (Syed et \
                 al. 2023)",
            ),
            Self::EapIg => words(
                "eap-ig",
                "Edges (EAP-IG)",
                "The same with integrated gradients: their mean between the corrupted and the clean \
                 embeddings (Hanna et al. 2024)",
            ),
        }
    }
}
