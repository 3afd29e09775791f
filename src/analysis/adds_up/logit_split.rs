//! A clean run whose activations at the last position are read as parts of the answer's logit.

use burn::tensor::Tensor;

use crate::analysis::sweep::check_ids;
use crate::analysis::{AnalysisCtx, AnalysisError, Lab};
use crate::intervention::{Site, SiteSet};
use crate::model::{ActivationCache, BatchRow, Donors, LogitDirection, Request, Run, Transformer};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

/// A clean run, and the direction that reads the answer's logit in it.
pub(in crate::analysis) struct LogitSplit<'a> {
    ctx: &'a AnalysisCtx<'a>,
    n_layers: usize,

    /// Whether positions have embeddings.
    has_positions: bool,
    pub asked: SplitTokens,
    pub run: Run,
    pub direction: LogitDirection,

    /// The answer's logit minus the foil's, or without a foil minus the mean over the vocabulary; before
    /// a cap on logits.
    pub logit: f32,
}

impl<'a> LogitSplit<'a> {
    /// Runs the model, and keeps the sites that `in_layer` names in each layer; of attention weights those of
    /// the last token alone.
    pub fn new(
        &Lab { model, prompt, ctx }: &Lab<'a>,
        in_layer: impl Fn(usize) -> Vec<Site>,
    ) -> Result<Self, AnalysisError> {
        let asked = SplitTokens::new(model, prompt)?;
        let n_layers = model.config.n_layers;
        let mut capture: SiteSet = (0..n_layers).flat_map(in_layer).collect();
        capture.extend([Site::Embed, Site::PosEmbed, Site::ResidPost(n_layers - 1)]);
        ctx.task.checkpoint(Progress { done: 0, total: n_layers as u64 + 1 })?;
        let request = Request {
            rows: &[BatchRow::new(&prompt.ids, &[])],
            donors: &Donors::new(),
            capture: &capture,
            past: None,
            n_read: 1,
        };
        let run = model.run_by_layer(&request, &mut |_, cache| {
            cache.keep_last_queries();
            ctx.check_cancelled(model)
        })?;
        let direction = asked.direction(model, &run.cache);
        let logit = asked.logit(model, &run);
        let has_positions = model.config.has(Site::PosEmbed);
        Ok(Self { ctx, n_layers, has_positions, asked, run, direction, logit })
    }

    /// The layers in order. Each reports progress, and is an error if the run was cancelled.
    pub fn layers(&self) -> impl Iterator<Item = Result<usize, AnalysisError>> {
        let total = self.n_layers as u64 + 1;
        (0..self.n_layers).map(move |layer| {
            self.ctx.task.checkpoint(Progress { done: layer as u64 + 1, total })?;
            Ok(layer)
        })
    }

    /// An activation's part of the logit.
    pub fn part(&self, site: Site) -> f64 {
        let along = (at_end(&self.run.cache, site) * self.direction.weights.clone()).sum();
        f64::from(along.into_scalar::<f32>())
    }

    /// The part of the embeddings.
    pub fn embeddings(&self) -> f64 {
        let sites = [Site::Embed, Site::PosEmbed].into_iter();
        sites.filter(|it| self.has_positions || *it == Site::Embed).map(|it| self.part(it)).sum()
    }
}

/// The token whose logit is split, and the foil whose logit is taken off.
#[derive(Clone, Copy, Debug)]
pub(in crate::analysis) struct SplitTokens {
    pub answer: u32,
    pub foil: Option<u32>,
}

impl SplitTokens {
    /// The tokens of a prompt, which is checked for the model.
    pub fn new(model: &Transformer, prompt: &TokenizedPrompt) -> Result<Self, AnalysisError> {
        let answer = prompt.answer.as_ref().ok_or(AnalysisError::NoAnswer)?.first();
        let foil = prompt.foil.as_ref().map(|foil| foil.first());
        check_ids(model, &prompt.ids, [answer].into_iter().chain(foil))?;
        Ok(Self { answer, foil })
    }

    /// The direction that reads the logit at the last position of a run that kept its final
    /// residual stream.
    pub fn direction(self, model: &Transformer, cache: &ActivationCache) -> LogitDirection {
        let resid = at_end(cache, Site::ResidPost(model.config.n_layers - 1));
        model.logit_direction(resid, self.answer, self.foil)
    }

    /// The answer's logit minus that of the foil, or minus the mean over the vocabulary, in a run
    /// of one row that kept its final residual stream.
    pub fn logit(self, model: &Transformer, run: &Run) -> f32 {
        let logits: Vec<f32> = logits(model, run).into_data().iter::<f32>().collect();
        let reference = self.foil.map_or_else(
            || logits.iter().map(|&logit| f64::from(logit)).sum::<f64>() / logits.len() as f64,
            |foil| f64::from(logits[foil as usize]),
        );
        (f64::from(logits[self.answer as usize]) - reference) as f32
    }

    /// The answer's logit in a run of one row that kept its final residual stream.
    pub fn raw_logit(self, model: &Transformer, run: &Run) -> f32 {
        logits(model, run).narrow(0, self.answer as usize, 1).into_scalar::<f32>()
    }
}

/// The logits at the last position, as they are split: a cap is no sum, so it is left out. `[d_vocab]`
fn logits(model: &Transformer, run: &Run) -> Tensor<1> {
    let d_vocab = model.config.d_vocab;
    match model.config.logit_cap {
        Some(_) => {
            model.uncapped_logits(at_end(&run.cache, Site::ResidPost(model.config.n_layers - 1)))
        }
        None => run.logits.clone().reshape([d_vocab]),
    }
}

/// An activation without heads at the last position. `[d_model]`
pub(in crate::analysis) fn at_end(cache: &ActivationCache, site: Site) -> Tensor<1> {
    let rows = cache.stream(site);
    let [n_pos, _] = rows.dims();
    rows.narrow(0, n_pos - 1, 1).squeeze_dim(0)
}
