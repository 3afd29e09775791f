//! A clean run whose activations at the last position are read as parts of the answer's logit.

use crate::analysis::logit_attribution::{SplitTokens, at_end};
use crate::analysis::{AnalysisCtx, AnalysisError, Lab};
use crate::intervention::{Site, SiteSet};
use crate::model::{LogitDirection, Run};
use crate::task::Progress;

/// A clean run, and the direction that reads the answer's logit in it.
pub(in crate::analysis) struct LogitSplit<'a> {
    ctx: &'a AnalysisCtx<'a>,
    n_layers: usize,
    pub run: Run,
    pub direction: LogitDirection,

    /// The answer's logit minus the foil's, or without a foil minus the mean over the vocabulary.
    pub logit: f32,
}

impl<'a> LogitSplit<'a> {
    /// Runs the model, and keeps the sites that `in_layer` names in each layer.
    pub fn new(
        &Lab { model, prompt, ctx }: &Lab<'a>,
        in_layer: impl Fn(usize) -> Vec<Site>,
    ) -> Result<Self, AnalysisError> {
        let asked = SplitTokens::new(model, prompt)?;
        let n_layers = model.config.n_layers;
        let mut capture: SiteSet = (0..n_layers).flat_map(in_layer).collect();
        capture.extend([Site::Embed, Site::PosEmbed, Site::ResidPost(n_layers - 1)]);
        ctx.task.checkpoint(Progress { done: 0, total: n_layers as u64 + 1 })?;
        let run = model.run_clean(&prompt.ids, &capture);
        let direction = asked.direction(model, &run.cache);
        let logit = asked.logit(&run);
        Ok(Self { ctx, n_layers, run, direction, logit })
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

    /// The part of both embeddings.
    pub fn embeddings(&self) -> f64 {
        self.part(Site::Embed) + self.part(Site::PosEmbed)
    }
}
