//! The answer's logit as it builds up along the residual stream.
//!
//! This is TransformerLens' `accumulated_resid` with `incl_mid`: the residual stream before each
//! attention, before each MLP and at the end, each read as if it were the last. With the final
//! layer norm recomputed at each state this is the logit lens. With the scale of the last state
//! (`apply_ln_to_stack`), the difference of two states is exactly what the layer between them adds
//! in [direct logit attribution](crate::analysis::logit_attribution).

use serde::{Deserialize, Serialize};

use super::logit_split::SplitTokens;
use crate::analysis::{About, AnalysisError, Grid, Lab, Method, PromptOf, Sizes, sources};
use crate::intervention::{Site, SiteSet};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The scale of the final layer norm.
    pub scale: LensScale,
}

/// The divisor of a state of the residual stream before the unembedding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LensScale {
    /// The state's own standard deviation, as if the final layer norm were recomputed.
    /// TransformerLens' lens since 2.18.
    #[default]
    Own,

    /// The last state's standard deviation at that position, so that states differ by what direct
    /// logit attribution says was added. TransformerLens' lens before 2.18.
    Final,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccumulatedResid {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// TransformerLens' labels of the states: `0_pre`, `0_mid`, `1_pre`, …, `final_post`.
    pub labels: Vec<String>,

    /// The answer's logit minus the foil's, or without a foil minus the mean over the vocabulary.
    /// `[state, position]`
    pub logits: Grid<f32>,
}

impl Method for Spec {
    type Found = AccumulatedResid;
    const NAME: &'static str = "accumulated residual";
    const ABOUT: About = About {
        text: "The answer's logit as it builds up along the residual stream, each state read as \
               if it were the last.",
        sources: &[sources::NOSTALGEBRAIST_2020],
    };
    const VERB: &'static str = "Reading the layers";
    const IS_SHORT: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<AccumulatedResid, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let asked = SplitTokens::new(model, prompt)?;
        let n_layers = model.config.n_layers;
        let n_pos = prompt.n_pos();
        let mut states: Vec<(String, Site)> = Vec::new();
        for layer in 0..n_layers {
            states.push((format!("{layer}_pre"), Site::ResidPre(layer)));
            if model.config.has(Site::ResidMid(layer)) {
                states.push((format!("{layer}_mid"), Site::ResidMid(layer)));
            }
        }
        let last = Site::ResidPost(n_layers - 1);
        states.push(("final_post".to_owned(), last));
        let capture: SiteSet = states.iter().map(|(_, site)| *site).collect();
        ctx.task.checkpoint(Progress { done: 0, total: 2 })?;
        let run = model.run_clean(&prompt.ids, &capture);
        ctx.task.checkpoint(Progress { done: 1, total: 2 })?;

        let direction = model.unscaled_logit_direction(asked.answer, asked.foil);
        let last_scale = model.final_scale(run.cache.stream(last));
        let mut logits = Vec::with_capacity(states.len() * n_pos);
        for (_, site) in &states {
            let scale = match self.scale {
                LensScale::Own => model.final_scale(run.cache.stream(*site)),
                LensScale::Final => last_scale.clone(),
            };
            let along =
                run.cache.stream(*site).matmul(direction.weights.clone().unsqueeze_dim(1)) / scale;
            logits.extend(along.into_data().iter::<f32>().map(|it| it + direction.constant));
        }
        Ok(AccumulatedResid {
            spec: *self,
            prompt: prompt.clone(),
            labels: states.into_iter().map(|(label, _)| label).collect(),
            logits: Grid::new(n_pos, logits),
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let of = |it| [Site::ResidPre(it), Site::ResidMid(it)];
        sizes.pass(&(0..sizes.config.n_layers).flat_map(of).collect())
    }
}
