//! What a method takes in memory, estimated before it runs from what it keeps and how it goes through the model.
//!
//! Every method says what it keeps (the sites, the rows, its conditions); this file says what that takes. The
//! factors that stand for a pass's own activations are measured: `docs/speed.md` has the estimates beside what
//! was measured, and a test compares them for every method.

use std::ops::Range;

use crate::analysis::Measurement;
use crate::analysis::sweep::rows_at_once;
use crate::intervention::{Axes, Intervention, Site, SiteSet};
use crate::model::{ModelConfig, Resume, StartPoint, Transformer};
use crate::tokens::TokenizedPrompt;

/// The sizes that a method's memory follows from: those of the model and of the prompt.
#[derive(Clone, Copy, Debug)]
pub struct Sizes<'a> {
    pub config: &'a ModelConfig,
    pub prompt: &'a TokenizedPrompt,

    /// The tokens that go through the model: the prompt and all but the last of its answer.
    pub n_pos: usize,
}

/// The conditions of a sweep, as far as its memory follows from them.
pub(in crate::analysis) struct SweepSize {
    pub n_conditions: u64,

    /// How many interventions a condition has.
    pub n_interventions: usize,

    /// How many runs the conditions begin with, such as the draws of a trace.
    pub n_bases: usize,

    /// How many conditions begin at the same position.
    pub n_abreast: usize,

    /// The first position at which conditions begin.
    pub first_pos: usize,

    /// The sites at which conditions begin to differ from their base.
    pub begin_at: SiteSet,
}

/// Numbers of a token in a pass beside those that are kept, in multiples of the residual stream's width.
const STREAMS: usize = 4;

/// How many arrays of the size of the attention weights are there at once while these are computed step by
/// step: products or scores, and what is made of them.
const WEIGHTS: usize = 2;

/// How many such arrays there are at once while gradients are computed from the last layer back.
const WEIGHTS_BACK: usize = 3;

impl<'a> Sizes<'a> {
    pub fn new(config: &'a ModelConfig, prompt: &'a TokenizedPrompt) -> Self {
        let answer = prompt.answer.as_ref().map_or(0, |it| it.ids.len().saturating_sub(1));
        Self { config, prompt, n_pos: (prompt.n_pos() + answer).max(1) }
    }

    /// The sizes for a run of another length.
    pub(in crate::analysis) fn with_n_pos(self, n_pos: usize) -> Self {
        Self { n_pos: n_pos.max(1), ..self }
    }

    /// What rows take at the sites that are kept of them.
    pub(in crate::analysis) fn kept(&self, sites: &SiteSet, n_rows: usize) -> u64 {
        (self.config.bytes_at(sites, self.n_pos) as u64).saturating_mul(n_rows as u64)
    }

    /// The attention weights of one layer and row.
    pub(in crate::analysis) fn pattern(&self) -> u64 {
        floats(self.config.n_values(Site::Pattern(0), self.n_pos))
    }

    /// What a pass over a row takes while it runs, with what it keeps of it.
    pub(in crate::analysis) fn pass(&self, kept: &SiteSet) -> u64 {
        self.kept(kept, 1).saturating_add(self.passing(1, self.n_pos))
    }

    /// As [`Self::pass`], with attention computed step by step.
    pub(in crate::analysis) fn pass_by_steps(&self, kept: &SiteSet) -> u64 {
        self.pass(kept).saturating_add(WEIGHTS as u64 * self.pattern())
    }

    /// The activations that come and go in a pass over the last positions of rows.
    pub(in crate::analysis) fn passing(&self, n_rows: usize, n_computed: usize) -> u64 {
        let ModelConfig { d_model, d_mlp, is_gated, d_vocab, .. } = *self.config;
        let d_mlp = if is_gated { 2 * d_mlp } else { d_mlp };
        floats(n_computed * (STREAMS * d_model + d_mlp) + d_vocab).saturating_mul(n_rows as u64)
    }

    /// What one row takes on its way forth and back: `kept` of it for other uses, `back` for the way back, and
    /// the gradients that are wanted.
    pub(in crate::analysis) fn there_and_back(
        &self,
        kept: &SiteSet,
        back: &SiteSet,
        wanted: &SiteSet,
    ) -> u64 {
        let all = kept | back;
        let is_little = self.kept(&all, 1) <= Transformer::KEPT_BYTES as u64;
        let last = self.config.n_layers - 1;
        // Of those that are given up one layer's are there at a time.
        let stays = |site: &Site| {
            is_little
                || kept.contains(site)
                || matches!(site, Site::ResidPre(_))
                || site.layer() == Some(last)
        };
        let stays = all.iter().copied().filter(stays).collect();
        let passing = 2 * self.passing(1, self.n_pos) + WEIGHTS_BACK as u64 * self.pattern();
        self.kept(&stays, 1).saturating_add(self.kept(wanted, 1)).saturating_add(passing)
    }

    /// What a sweep takes beside its donors.
    pub(in crate::analysis) fn sweep(&self, of: &SweepSize) -> u64 {
        let n_layers = self.config.n_layers;
        let starts = of.begin_at.iter().map(|site| StartPoint::at(*site, n_layers));
        let of_base = self.kept(&Resume::sites(self.config, starts), 1).max(1);
        let n_at_once = rows_at_once(self.config, self.n_pos);
        let most = (Transformer::KEPT_BYTES as u64 / of_base).max(1) as usize;
        let n_bases = of.n_bases.min(n_at_once).min(most).max(1);
        let n_computed = self.n_pos.saturating_sub(of.first_pos).max(1);
        // The last round of a map has half of the layers, and rows join on their way through the model. Of
        // bases that run in parts the conditions of one part run together.
        let n_abreast = of.n_abreast.saturating_mul(n_bases) / of.n_bases.max(1);
        let n_rows = (n_abreast / 2).clamp(1, rows_at_once(self.config, n_computed));
        let mut passing = self.passing(n_rows, n_computed);
        if of.begin_at.iter().any(|site| site.axes() == Axes::Attention) {
            // Weights of the queries that are computed, and keys and values that are put together.
            let weights = self.pattern() / self.n_pos as u64 * n_computed as u64;
            let keys = floats(6 * self.n_pos * self.config.d_model);
            passing += (3 * weights + keys).saturating_mul(n_rows as u64);
        }
        let bases = of_base.saturating_mul(n_bases as u64);
        bases
            .saturating_add(passing.max(self.passing(n_bases, self.n_pos)))
            .saturating_add(of.conditions())
    }

    /// What a map of measurements takes with the copy that is shown while it grows.
    pub(in crate::analysis) fn measured(n: u64) -> u64 {
        n.saturating_mul(3 * size_of::<Option<Measurement>>() as u64)
    }
}

impl SweepSize {
    /// The conditions themselves: as they are asked, and parted into their bases and the rest.
    pub(in crate::analysis) fn conditions(&self) -> u64 {
        /// A branch of a sweep, the headers of its lists, and its measurement.
        const BESIDE: usize = 256;
        let n_stored = (2 * self.n_interventions).saturating_sub(1);
        let one = n_stored * size_of::<Intervention>() + BESIDE;
        self.n_conditions.saturating_mul(one as u64)
    }
}

/// The first position of some ranges.
pub(in crate::analysis) fn first_of(ranges: &[Range<usize>]) -> usize {
    ranges.iter().map(|it| it.start).min().unwrap_or(0)
}

/// Bytes of `n` numbers of 32 bits.
pub(in crate::analysis) fn floats(n: usize) -> u64 {
    (n as u64).saturating_mul(size_of::<f32>() as u64)
}

/// A site in every layer.
pub(in crate::analysis) fn in_all_layers(
    config: &ModelConfig,
    site: impl Fn(usize) -> Site,
) -> SiteSet {
    (0..config.n_layers).map(site).collect()
}
