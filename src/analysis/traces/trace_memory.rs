//! What a trace takes in memory: the runs that it copies from, and its conditions.

use super::causal_trace::{Component, Direction, Spec};
use crate::analysis::Sizes;
use crate::analysis::memory::{SweepSize, in_all_layers};
use crate::analysis::trace_map::Map;
use crate::intervention::SiteSet;

impl Spec {
    /// The sites that are copied from the clean run, and from each corrupted run.
    fn copied(&self, sizes: &Sizes<'_>) -> [SiteSet; 2] {
        let patched = in_all_layers(sizes.config, |layer| self.site(layer));
        let held = self.sever.filter(|_| self.is_severed());
        let held =
            held.map_or_else(SiteSet::new, |it| in_all_layers(sizes.config, |at| it.site(at)));
        match self.direction {
            Direction::Denoise => [patched, held],
            Direction::Noise => [held, patched],
        }
    }

    /// The runs that conditions copy from.
    pub(in crate::analysis) fn donors_memory(&self, sizes: &Sizes<'_>) -> u64 {
        let [clean, corrupted] = self.copied(sizes);
        sizes.kept(&clean, 1).saturating_add(sizes.kept(&corrupted, self.n_samples))
    }

    pub(in crate::analysis) fn sweep_size(&self, sizes: &Sizes<'_>) -> SweepSize {
        let Sizes { config, prompt, .. } = *sizes;
        let n_layers = config.n_layers;
        let n_columns = self.map.n_columns(prompt.n_pos(), config.n_heads);
        // At a position of a map of tokens there are all layers; other maps begin at one.
        let n_beside = if self.map == Map::Tokens { 1 } else { n_columns };
        let [clean, corrupted] = self.copied(sizes);
        let n_held = if self.is_severed() { n_layers } else { 0 };
        let n_layers_restored = match self.component {
            Component::Hidden => 1,
            Component::Mlp | Component::Attn => self.window.min(n_layers),
        };
        SweepSize {
            n_conditions: (1 + (n_columns * n_layers) as u64).saturating_mul(self.n_samples as u64),
            n_interventions: 1 + n_layers_restored + n_held,
            n_bases: self.n_samples,
            n_abreast: (n_layers * n_beside).saturating_mul(self.n_samples),
            first_pos: prompt.subject.as_ref().map_or(0, |it| it.start),
            begin_at: &clean | &corrupted,
        }
    }
}
