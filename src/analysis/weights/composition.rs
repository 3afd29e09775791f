//! Composition scores of all pairs of heads: how strongly a later head reads what an earlier one
//! writes.
//!
//! The score is `‖W_OV X‖_F / (‖W_OV‖_F ‖X‖_F)`, where `X` is the later head's `W_QK` (Q), `W_QK^T`
//! (K) or `W_OV` (V) (Elhage et al. 2021; TransformerLens' `all_composition_scores`). Two random
//! circuits score about `1 / √d_model` times a constant, not 0. The paper subtracts that; here
//! nothing is subtracted. Scores follow from the weights alone, so they do not say whether a prompt
//! uses the connection.

use serde::{Deserialize, Serialize};

use crate::analysis::error::at_least_one;
use crate::analysis::memory::floats;
use crate::analysis::{About, AnalysisError, Lab, Method, Needs, Sizes, sources};
use crate::model::{LayerFactors, ModelConfig, Processing, ReadsScores};
use crate::task::Progress;

pub use crate::model::Composition as Mode;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The kinds of composition that are scored.
    pub modes: Vec<Mode>,

    /// How many of the pairs with the highest scores are listed.
    pub n_top: usize,

    /// How the weights are processed first.
    pub processing: Processing,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Composition {
    pub spec: Spec,
    pub n_layers: usize,
    pub n_heads: usize,

    /// The scores for each kind of composition of the spec.
    pub modes: Vec<ModeScores>,

    /// What the reading leaves out of this model, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// The scores of all pairs for one kind of composition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModeScores {
    pub mode: Mode,

    /// `[earlier layer, head, later layer, head]`, 0 to 1, and 0 where the second layer is not
    /// later.
    pub scores: Vec<f32>,
}

/// Two heads and their composition score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    pub mode: Mode,

    /// The layer and head that write.
    pub earlier: [usize; 2],

    /// The layer and head that read.
    pub later: [usize; 2],
    pub score: f32,
}

impl Composition {
    /// The pairs with the highest scores over all kinds of composition.
    pub fn top(&self) -> Vec<Pair> {
        let all: Vec<f32> = self.modes.iter().flat_map(|it| &it.scores).copied().collect();
        let n_all = self.n_layers * self.n_heads;
        let head = |nth: usize| [nth / self.n_heads, nth % self.n_heads];
        let pair = |nth: usize| {
            let (mode, within) = (nth / (n_all * n_all), nth % (n_all * n_all));
            Pair {
                mode: self.modes[mode].mode,
                earlier: head(within / n_all),
                later: head(within % n_all),
                score: all[nth],
            }
        };
        let order = crate::analysis::largest::largest(&all, self.spec.n_top).into_iter().map(pair);
        order.filter(|it| it.earlier[0] < it.later[0]).collect()
    }
}

impl Method for Spec {
    type Found = Composition;
    const NAME: &'static str = "composition";
    const ABOUT: About = About {
        text: "How strongly each head reads what each earlier head writes, by their weights \
               alone.",
        sources: &[sources::ELHAGE_2021],
    };
    const VERB: &'static str = "Composing";
    const NEEDS: Needs = Needs::Weights;

    fn run(&self, lab: &Lab<'_>) -> Result<Composition, AnalysisError> {
        let &Lab { model, ctx, .. } = lab;
        let (n_layers, n_heads) = (model.config.n_layers, model.config.n_heads);
        at_least_one("the number of kinds of composition", self.modes.len())?;
        let n_all = n_layers * n_heads;
        let empty = |&mode| ModeScores { mode, scores: vec![0.0; n_all * n_all] };
        let mut modes: Vec<ModeScores> = self.modes.iter().map(empty).collect();
        let mut earlier: Vec<LayerFactors> = Vec::with_capacity(n_layers);
        for later_layer in 0..n_layers {
            ctx.task.checkpoint(Progress { done: later_layer as u64, total: n_layers as u64 })?;
            let mut later = model.layer_factors(later_layer, &self.modes, &self.processing);
            for (layer, earlier) in earlier.iter().enumerate() {
                if ctx.task.cancel.is_cancelled() {
                    return Err(crate::task::Cancelled.into());
                }
                for (of_mode, (_, scores)) in modes.iter_mut().zip(earlier.composition_with(&later))
                {
                    for (nth, row) in scores.chunks(n_heads).enumerate() {
                        let start = (layer * n_heads + nth) * n_all + later_layer * n_heads;
                        of_mode.scores[start..start + n_heads].copy_from_slice(row);
                    }
                }
            }
            // From here on the layer only serves as the earlier one.
            later.forget_later();
            earlier.push(later);
        }
        let of_values = self.modes.iter().all(|it| *it == Mode::V);
        let reads_scores = if of_values { ReadsScores::No } else { ReadsScores::Yes };
        let left_out = self.processing.left_out(&model.config, reads_scores);
        Ok(Composition { spec: self.clone(), n_layers, n_heads, modes, left_out })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let ModelConfig { n_layers, n_heads, d_model, .. } = *sizes.config;
        let of_layer = n_heads * sizes.config.d_head() * d_model;
        // One matrix of each earlier layer; the layer's factors, in double precision; the scores.
        let n_scores = self.modes.len() * (n_layers * n_heads).pow(2);
        floats(n_layers * of_layer + 16 * of_layer + 2 * n_scores)
    }
}
