//! A plain run, and what each activation at its last position is of the answer's logit.

use crate::analysis::logit_attribution::{Asked, at_end};
use crate::analysis::{AnalysisCtx, AnalysisError};
use crate::intervention::{Site, SiteSet};
use crate::model::{Gpt2, LogitDirection, Run};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

pub(in crate::analysis) struct LogitSplit<'a> {
    ctx: &'a AnalysisCtx<'a>,
    n_layers: usize,
    pub run: Run,
    pub direction: LogitDirection,

    /// As in [`LogitAttribution`](crate::analysis::logit_attribution::LogitAttribution).
    pub logit: f32,
}

impl<'a> LogitSplit<'a> {
    /// `in_layer`: the sites of each layer that are looked at.
    pub fn new(
        model: &Gpt2,
        prompt: &TokenizedPrompt,
        in_layer: impl Fn(usize) -> Vec<Site>,
        ctx: &'a AnalysisCtx<'a>,
    ) -> Result<Self, AnalysisError> {
        let asked = Asked::new(model, prompt)?;
        let n_layers = model.config.n_layers;
        let mut capture: SiteSet = (0..n_layers).flat_map(in_layer).collect();
        capture.extend([Site::Embed, Site::PosEmbed, Site::ResidPost(n_layers - 1)]);
        ctx.task.checkpoint(Progress { done: 0, total: n_layers as u64 + 1 })?;
        let run = model.run_clean(&prompt.ids, &capture);
        let direction = asked.direction(model, &run.cache);
        let logit = asked.logit(&run);
        Ok(Self { ctx, n_layers, run, direction, logit })
    }

    /// Each layer in turn: says how far it is, and stops if that was asked for.
    pub fn layers(&self) -> impl Iterator<Item = Result<usize, AnalysisError>> {
        let total = self.n_layers as u64 + 1;
        (0..self.n_layers).map(move |layer| {
            self.ctx.task.checkpoint(Progress { done: layer as u64 + 1, total })?;
            Ok(layer)
        })
    }

    /// Part of the logit.
    pub fn part(&self, site: Site) -> f64 {
        let along = (at_end(&self.run.cache, site) * self.direction.weights.clone()).sum();
        f64::from(along.into_scalar::<f32>())
    }

    /// That of both embeddings.
    pub fn embeddings(&self) -> f64 {
        self.part(Site::Embed) + self.part(Site::PosEmbed)
    }
}
