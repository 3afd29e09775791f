//! The norms of the residual stream and of what each layer adds to it.
//!
//! They are Euclidean norms of the activations as they are. A layer norm first takes off their
//! mean, which is 0 in a model with `center_writing_weights`.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::analysis::memory::in_all_layers;
use crate::analysis::sweep::check_ids;
use crate::analysis::{About, AnalysisError, Grid, Lab, Method, Needs, PromptOf, Sizes};
use crate::intervention::{Site, SiteSet};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResidualNorms {
    pub prompt: TokenizedPrompt,

    /// The norms of the token embeddings. `[pos]`
    pub embed: Vec<f32>,

    /// The norms of the position embeddings, none in models with rotary positions. `[pos]`
    pub pos_embed: Vec<f32>,

    /// The norms of the residual stream before each layer. `[layer, position]`
    pub resid_pre: Grid<f32>,

    /// The norms of attention's outputs. `[layer, position]`
    pub attn_out: Grid<f32>,

    /// The norms of the residual stream between attention and MLP, none in models whose MLPs do not
    /// read what attention writes. `[layer, position]`
    pub resid_mid: Grid<f32>,

    /// The norms of the MLPs' outputs. `[layer, position]`
    pub mlp_out: Grid<f32>,

    /// The norms of the residual stream after each layer. `[layer, position]`
    pub resid_post: Grid<f32>,
}

impl Method for Spec {
    type Found = ResidualNorms;
    const NAME: &'static str = "residual norms";
    const ABOUT: About = About {
        text: "How long the residual stream is at each token, and what each layer adds to it.",
        sources: &[],
    };
    const VERB: &'static str = "Measuring";
    const NEEDS: Needs = Needs::Prompt;
    const IS_SHORT: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<ResidualNorms, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        check_ids(model, &prompt.ids, [].into_iter())?;
        let n_layers = model.config.n_layers;
        let n_pos = prompt.n_pos();
        let in_layer: [fn(usize) -> Site; 5] =
            [Site::ResidPre, Site::AttnOut, Site::ResidMid, Site::MlpOut, Site::ResidPost];
        let mut capture: SiteSet =
            (0..n_layers).flat_map(|layer| in_layer.map(|site| site(layer))).collect();
        capture.extend([Site::Embed, Site::PosEmbed]);
        ctx.task.checkpoint(Progress { done: 0, total: 2 })?;
        let run = model.run_clean(&prompt.ids, &capture);
        ctx.task.checkpoint(Progress { done: 1, total: 2 })?;
        let norms = |sites: &[Site]| -> Vec<f32> {
            let rows = sites.iter().map(|&site| run.cache.stream(site));
            let rows = Tensor::cat(rows.collect(), 0);
            (rows.clone() * rows).sum_dim(1).sqrt().into_data().iter::<f32>().collect()
        };
        let of_layers = |site: fn(usize) -> Site| {
            let sites: Vec<Site> =
                (0..n_layers).map(site).filter(|it| model.config.has(*it)).collect();
            Grid::new(n_pos, if sites.is_empty() { Vec::new() } else { norms(&sites) })
        };
        let [resid_pre, attn_out, resid_mid, mlp_out, resid_post] = in_layer.map(of_layers);
        Ok(ResidualNorms {
            prompt: prompt.clone(),
            embed: norms(&[Site::Embed]),
            pos_embed: if model.config.has(Site::PosEmbed) {
                norms(&[Site::PosEmbed])
            } else {
                Vec::new()
            },
            resid_pre,
            attn_out,
            resid_mid,
            mlp_out,
            resid_post,
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let of = |it| [Site::ResidPre(it), Site::AttnOut(it), Site::ResidMid(it), Site::MlpOut(it)];
        let mut kept: SiteSet = (0..sizes.config.n_layers).flat_map(of).collect();
        kept.extend([Site::Embed, Site::PosEmbed, Site::ResidPost(sizes.config.n_layers - 1)]);
        // All states of one kind are put together, and squared.
        let of_kind = sizes.kept(&in_all_layers(sizes.config, Site::ResidPost), 1);
        sizes.pass(&kept).max(sizes.kept(&kept, 1) + 2 * of_kind)
    }
}
