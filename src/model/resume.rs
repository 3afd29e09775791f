//! Forward passes that start where their rows first differ from a run that is already there.
//!
//! In a causal model an intervention at layer *l* and position *t* changes only layers from *l* on
//! and positions from *t* on. All else equals a *base run* and is read from it: what enters or
//! leaves a part of layer *l*, and the keys and values of positions before *t*. Rows that start at
//! different places join the batch on its way through the model. Rows that are equal up to some
//! layer are one row until they part there.

use burn::tensor::Tensor;

use super::indices::indices;
use super::tap::Tap;
use super::transformer::{Pass, Past, last_positions};
use super::{ActivationCache, BatchRow, Donors, ModelConfig, Transformer, Wiring};
use crate::intervention::{Intervention, Site, SiteSet};
use crate::task::Cancelled;

/// A forward pass that starts where its rows differ from their base run.
pub struct Resume<'a> {
    /// The rows, in the order of their starts, and all of the base's length. `[batch]`
    pub rows: &'a [BatchRow<'a>],

    /// Where each row starts. `[batch]`
    pub starts: &'a [Start],

    /// The base run's activations, at the sites of [`Resume::sites`]. It has the rows' tokens.
    pub base: &'a ActivationCache,

    /// The first position that is computed.
    pub first_pos: usize,

    /// The runs that conditions may copy from.
    pub donors: &'a Donors,

    /// How many positions at the end of each row the logits are computed for.
    pub n_read: usize,
}

/// Where a row starts, and which row it equals up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub place: StartPoint,

    /// The row of the base run that it equals up to there, which also gives the keys and values of
    /// positions before the first.
    pub base_row: usize,

    /// The row of this batch that it equals up to there, if it parts from one. That row starts
    /// earlier, and this one then starts at [`BlockStep::Attention`].
    pub parts_from: Option<usize>,
}

/// A place in the order of computation at which a row can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StartPoint {
    pub layer: usize,
    pub step: BlockStep,
}

/// The first step of a block in which a row differs from its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockStep {
    /// Attention, so that the whole block is computed.
    Attention,

    /// The change of attention's output, so that all that follows it is computed.
    AttnOut,

    /// The MLP, which alone is computed.
    Mlp,

    /// The change of the MLP's output, so that no part is computed.
    MlpOut,

    /// The change of the residual stream that leaves the block, so that no part is computed.
    ResidPost,
}

impl StartPoint {
    /// The place of a condition's first intervention. `None` if it has none.
    pub fn of(condition: &[Intervention], n_layers: usize) -> Option<Self> {
        condition.iter().map(|it| Self::at(it.site, n_layers)).min()
    }

    /// The place of an intervention at a site.
    pub fn at(site: Site, n_layers: usize) -> Self {
        let step = match site {
            Site::AttnOut(_) => BlockStep::AttnOut,
            Site::ResidMid(_)
            | Site::Ln2Scale(_)
            | Site::Ln2Normalized(_)
            | Site::MlpPre(_)
            | Site::MlpPreLinear(_)
            | Site::MlpPost(_)
            | Site::MlpMapped(_) => BlockStep::Mlp,
            Site::MlpOut(_) => BlockStep::MlpOut,
            Site::ResidPost(_) | Site::LnFinalScale | Site::LnFinalNormalized => {
                BlockStep::ResidPost
            }
            _ => BlockStep::Attention,
        };
        Self { layer: site.layer().unwrap_or(n_layers - 1), step }
    }

    /// The place before a layer's first computation.
    pub const fn entering(layer: usize) -> Self {
        Self { layer, step: BlockStep::Attention }
    }

    /// The first layer that is computed whole.
    pub fn first_whole_layer(self) -> usize {
        self.layer + usize::from(self.step > BlockStep::Attention)
    }
}

impl Resume<'_> {
    /// The sites that a base run must keep for rows that start at these places.
    pub fn sites(config: &ModelConfig, starts: impl Iterator<Item = StartPoint>) -> SiteSet {
        let mut sites = config.past_sites();
        for StartPoint { layer, step } in starts {
            let mid = match config.wiring {
                Wiring::Sequential => vec![Site::ResidMid(layer)],
                Wiring::Parallel => vec![Site::ResidPre(layer), Site::AttnOut(layer)],
            };
            match step {
                BlockStep::Attention => sites.extend([Site::ResidPre(layer)]),
                BlockStep::AttnOut => sites.extend([Site::ResidPre(layer), Site::AttnOut(layer)]),
                BlockStep::Mlp => sites.extend(mid),
                BlockStep::MlpOut => sites.extend(mid.into_iter().chain([Site::MlpOut(layer)])),
                BlockStep::ResidPost => sites.extend([Site::ResidPost(layer)]),
            }
        }
        sites
    }

    /// The base run's residual stream between attention and the MLP, as [`Self::of_base`] gives it.
    fn mid_of_base(&self, wiring: Wiring, layer: usize, starts: &[Start]) -> Tensor<3> {
        let of_base = |site| self.of_base(site, starts);
        match wiring {
            Wiring::Sequential => of_base(Site::ResidMid(layer)),
            Wiring::Parallel => of_base(Site::ResidPre(layer)) + of_base(Site::AttnOut(layer)),
        }
    }

    /// The base run's activation at a site for rows that start there, from the first position on.
    /// `[start, pos, d_model]`
    fn of_base(&self, site: Site, starts: &[Start]) -> Tensor<3> {
        let activation = self.base.get(site).clone();
        let [_, n_all, _, d_model] = activation.dims();
        let n_pos = n_all - self.first_pos;
        let rows: Vec<usize> = starts.iter().map(|start| start.base_row).collect();
        let rows = indices(&rows, &activation.device());
        let chosen = activation.narrow(1, self.first_pos, n_pos).select(0, rows);
        chosen.reshape([starts.len(), n_pos, d_model])
    }
}

impl Transformer {
    /// The logits at the last `n_read` positions of each row. `[batch, n_read, d_vocab]`
    ///
    /// # Errors
    ///
    /// If `after_layer`, which is called with each layer and the number of rows computed in it,
    /// returns an error.
    ///
    /// # Panics
    ///
    /// If the rows are not in order, or a condition reaches before `first_pos` or a row's start:
    /// bugs in the caller.
    pub fn resume(
        &self,
        request: &Resume<'_>,
        after_layer: &mut dyn FnMut(usize, usize) -> Result<(), Cancelled>,
    ) -> Result<Tensor<3>, Cancelled> {
        let Resume { rows, starts, base, first_pos, n_read, .. } = *request;
        let (n_layers, d_model) = (self.config.n_layers, self.config.d_model);
        let [_, n_all, _, _] = base.get(Site::V(0)).dims();
        let n_pos = n_all - first_pos;
        assert!(starts.is_sorted_by_key(|start| start.place), "rows must be in order");
        assert!(starts.len() == rows.len() && rows.iter().all(|row| row.ids.len() == n_all));
        assert!(n_pos >= n_read, "positions that are read must be computed");

        let past_rows: Vec<usize> = starts.iter().map(|start| start.base_row).collect();
        let lengths = vec![n_all; rows.len()];
        let masks = Pass::new(self, [first_pos, n_pos], &lengths[..1], None);
        let no_sites = SiteSet::new();
        let mut tap =
            Tap::new(rows, request.donors, &no_sites, first_pos, (&self.additions, first_pos));
        let is_read_only =
            tap.is_idle_at(Site::LnFinalScale) && tap.is_idle_at(Site::LnFinalNormalized);
        let mut batch = Joining { request, n_rows: 0, resid: None };
        for layer in starts[0].place.layer..n_layers {
            let block = &self.h[layer];
            let at = |step| StartPoint { layer, step };
            batch.join(at(BlockStep::Attention), &mut tap, |request, new, _| {
                request.of_base(Site::ResidPre(layer), new)
            });
            let n_computed = batch.n_rows;
            // What the MLP reads, if that is what attention reads too.
            let mut read = Vec::new();
            if let Some(x) = batch.resid.take() {
                let x = tap.stream(Site::ResidPre(layer), x);
                // In the last layer only the positions that are read need their queries.
                let is_last = layer + 1 == n_layers && is_read_only && !tap.changes_layer(layer);
                let pass = Pass {
                    past: (first_pos > 0)
                        .then(|| Past { cache: base, rows: &past_rows[..n_computed] }),
                    lengths: &lengths[..n_computed],
                    n_queries: if is_last { n_read } else { n_pos },
                    ..masks.clone()
                };
                read.extend(block.read_beside(&x, &pass));
                batch.resid = Some(block.add_attention(x, layer, &pass, &mut tap));
            }
            batch.join(at(BlockStep::AttnOut), &mut tap, |request, new, tap| {
                let attn_out = request.of_base(Site::AttnOut(layer), new);
                let attn_out = tap.stream(Site::AttnOut(layer), attn_out);
                request.of_base(Site::ResidPre(layer), new) + attn_out
            });
            batch.join(at(BlockStep::Mlp), &mut tap, |request, new, _| {
                request.mid_of_base(block.wiring, layer, new)
            });
            if let Some(x) = batch.resid.take() {
                let joined = &starts[n_computed..batch.n_rows];
                if block.wiring == Wiring::Parallel && !joined.is_empty() {
                    read.push(request.of_base(Site::ResidPre(layer), joined));
                }
                let read = (!read.is_empty()).then(|| Tensor::cat(read, 0));
                batch.resid = Some(block.add_mlp(x, read, layer, &mut tap));
            }
            batch.join(at(BlockStep::MlpOut), &mut tap, |request, new, tap| {
                let mlp_out = request.of_base(Site::MlpOut(layer), new);
                // The base run's output already includes what a steered model adds.
                let mlp_out = tap.stream_with_additions(Site::MlpOut(layer), mlp_out);
                request.mid_of_base(block.wiring, layer, new) + mlp_out
            });
            batch.join(at(BlockStep::ResidPost), &mut tap, |request, new, _| {
                request.of_base(Site::ResidPost(layer), new)
            });
            batch.resid = batch.resid.map(|x| tap.stream(Site::ResidPost(layer), x));
            after_layer(layer, n_computed)?;
        }

        let resid = batch.resid.expect("there is at least one row");
        let n_rows = rows.len();
        let resid = if is_read_only { last_positions(resid, n_read) } else { resid };
        let normalized = last_positions(self.normalize(resid, &mut tap), n_read);
        let logits = self.project(&normalized.reshape([n_rows * n_read, d_model]));
        Ok(logits.reshape([n_rows, n_read, self.config.d_vocab]))
    }
}

/// The rows that have started so far.
struct Joining<'a> {
    request: &'a Resume<'a>,
    n_rows: usize,

    /// `[n_rows, pos, d_model]`
    resid: Option<Tensor<3>>,
}

impl<'a> Joining<'a> {
    /// Adds the rows that start at a place. `entering` gives the residual stream that they start
    /// with; the tap that it is lent has only the new rows.
    fn join(
        &mut self,
        place: StartPoint,
        tap: &mut Tap<'a>,
        entering: impl Fn(&Resume<'_>, &[Start], &mut Tap<'a>) -> Tensor<3>,
    ) {
        let Resume { rows, starts, .. } = *self.request;
        let before = self.n_rows;
        self.n_rows = starts.partition_point(|start| start.place <= place);
        let new = &starts[before..self.n_rows];
        tap.set_rows(&rows[..self.n_rows]);
        if new.is_empty() {
            return;
        }
        // Neighbours that all start from the base, or all part from other rows, are added at once.
        let mut joined: Vec<Tensor<3>> = self.resid.iter().cloned().collect();
        let mut first = before;
        for alike in new.chunk_by(|a, b| a.parts_from.is_some() == b.parts_from.is_some()) {
            let parents: Option<Vec<usize>> = alike.iter().map(|start| start.parts_from).collect();
            joined.push(if let (Some(parents), Some(there)) = (parents, &self.resid) {
                there.clone().select(0, indices(&parents, &there.device()))
            } else {
                tap.set_rows(&rows[first..first + alike.len()]);
                entering(self.request, alike, tap)
            });
            first += alike.len();
        }
        tap.set_rows(&rows[..self.n_rows]);
        self.resid =
            Some(if joined.len() == 1 { joined.remove(0) } else { Tensor::cat(joined, 0) });
    }
}
