//! Steering: adds a direction to the residual stream, and compares the predictions before and
//! after.
//!
//! Turner et al. 2023, "Activation Addition", and Rimsky et al. 2024 take the difference of a
//! layer's residual stream between two prompts, here at their last tokens. The difference of two
//! columns of the unembedding points straight at a token. The direction is added to the output of
//! the layer's MLP, as a bias would be, so that every split of the residual stream still adds up:
//! what is attributed to that MLP contains it, and replacing that MLP's output removes it.

use serde::{Deserialize, Serialize};

use crate::analysis::error::{at_least_one, index_below};
use crate::analysis::prediction::{self, Prediction};
use crate::analysis::reach::{self, Asked, Told};
use crate::analysis::sweep::check_ids;
use crate::analysis::{
    About, AnalysisCtx, AnalysisError, Lab, Method, ModelEdit, Positions, PromptOf, Sizes, donors,
    sources,
};
use crate::intervention::{Site, SiteSet, Span};
use crate::model::Transformer;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Where the direction comes from.
    pub direction: Direction,

    /// The layer whose output is steered.
    pub layer: usize,

    /// The tokens of the prompt that are steered. `all` includes tokens that follow the prompt.
    pub positions: Positions,

    /// The factor of the direction.
    pub scale: f64,

    /// How many of the likeliest next tokens are listed before and after.
    pub n_top: usize,

    /// Other prompts that are asked before and after, such as the inverse, each steered at its own tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
}

/// Where the direction comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Direction {
    /// The layer's residual stream at the last token of one prompt, less that of another.
    Prompts { plus: Vec<u32>, minus: Vec<u32> },

    /// A token's column of the unembedding, less that of another token, or less the mean of all
    /// columns.
    Tokens { plus: u32, minus: Option<u32> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Steering {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The norm of the vector that is added.
    pub added_norm: f64,

    /// The mean norm of the residual stream at the steered tokens.
    pub resid_norm: f64,

    pub before: Prediction,
    pub after: Prediction,

    /// What the model answers to other prompts before and after.
    #[serde(default)]
    pub told: Vec<Told>,
}

/// The vector that is added. `[d_model]`
pub fn vector(
    model: &Transformer,
    spec: &Spec,
    ctx: &AnalysisCtx<'_>,
) -> Result<Vec<f32>, AnalysisError> {
    let n_layers = model.config.n_layers;
    index_below("layer", spec.layer, n_layers)?;
    if !spec.scale.is_finite() {
        return Err(AnalysisError::OutOfBounds { what: "the scale", bounds: "a number" });
    }
    let direction = match &spec.direction {
        Direction::Prompts { plus, minus } => {
            let plus = at_end(model, plus, spec.layer, ctx)?;
            let minus = at_end(model, minus, spec.layer, ctx)?;
            plus.iter().zip(minus).map(|(a, b)| a - b).collect()
        }
        Direction::Tokens { plus, minus } => {
            check_ids(model, &[], [*plus].into_iter().chain(*minus))?;
            model.unembedding(*plus, *minus)
        }
    };
    Ok(direction.iter().map(|it| (f64::from(*it) * spec.scale) as f32).collect())
}

/// The residual stream after a layer, at the last token. `[d_model]`
fn at_end(
    model: &Transformer,
    ids: &[u32],
    layer: usize,
    ctx: &AnalysisCtx<'_>,
) -> Result<Vec<f32>, AnalysisError> {
    at_least_one("the length of a prompt to take a difference of", ids.len())?;
    let site = Site::ResidPost(layer);
    let values = donors::other(model, ids, &SiteSet::from([site]), ctx)?.activation(site).values;
    Ok(values[values.len() - model.config.d_model..].to_vec())
}

/// A copy of the model that is steered at these positions of a prompt.
pub fn steered(
    model: &Transformer,
    prompt: &TokenizedPrompt,
    (layer, positions, vector): (usize, &Positions, &[f32]),
) -> Result<Transformer, AnalysisError> {
    if *positions == Positions::All {
        return Ok(model.with_addition(Site::MlpOut(layer), Span::All, vector));
    }
    let mut model = model.clone();
    for range in positions.ranges(prompt)? {
        model = model.with_addition(Site::MlpOut(layer), Span::Only(range), vector);
    }
    Ok(model)
}

impl Method for Spec {
    type Found = Steering;
    const NAME: &'static str = "steering";
    const ABOUT: About = About {
        text: "A direction is added to the residual stream after a layer, and what the model \
               says is compared before and after.",
        sources: &[sources::TURNER_2023, sources::RIMSKY_2024],
    };
    const VERB: &'static str = "Steering";
    const IS_SHORT: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<Steering, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        reach::check(&self.asked)?;
        let added = vector(model, self, ctx)?;
        let changed = steered(model, prompt, (self.layer, &self.positions, &added))?;
        let site = Site::ResidPost(self.layer);
        let resid =
            donors::other(model, &prompt.ids, &SiteSet::from([site]), ctx)?.activation(site);
        let norms: Vec<f64> = resid.values.chunks(added.len()).map(norm).collect();
        let ranges = self.positions.ranges(prompt)?;
        let here: Vec<f64> = ranges.into_iter().flatten().map(|pos| norms[pos]).collect();
        let show = prediction::Spec { n_top: self.n_top };
        Ok(Steering {
            spec: self.clone(),
            prompt: prompt.clone(),
            added_norm: norm(&added),
            resid_norm: here.iter().sum::<f64>() / here.len().max(1) as f64,
            before: show.run(lab)?,
            after: show.run(&Lab { model: &changed, ..*lab })?,
            told: reach::told(&self.asked, lab, &|prompt| {
                steered(model, prompt, (self.layer, &self.positions, &added))
            })?,
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        sizes.pass(&SiteSet::from([Site::ResidPost(self.layer)]))
    }

    fn has_other_prompts(&self) -> bool {
        matches!(self.direction, Direction::Prompts { .. }) || !self.asked.is_empty()
    }

    fn edit(&self) -> Option<ModelEdit> {
        Some(ModelEdit::Steering(Self { asked: Vec::new(), ..self.clone() }))
    }
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>().sqrt()
}
