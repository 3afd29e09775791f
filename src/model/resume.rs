//! Runs that begin where they first differ from another.
//!
//! In a causal model an intervention at layer *l* and position *t* changes only layers from *l* on
//! and positions from *t* on. All else equals a *base run*, so it is read from there: what enters
//! or leaves a part of layer *l*, and the keys and values of positions before *t*. Rows that begin
//! at different places join the batch on its way down; rows that go together for a while are one
//! row until they part.

use burn::tensor::Tensor;

use super::gpt2::{Block, Pass, Past, hidden_keys, indices, last_positions};
use super::run::Row;
use super::tap::Tap;
use super::{ActivationCache, Donors, Gpt2};
use crate::intervention::{Intervention, Site, SiteSet};
use crate::task::Cancelled;

/// One forward pass from where its rows differ from their base.
pub struct Resume<'a> {
    /// In the order of their starts. All of the base's length.
    pub rows: &'a [Row<'a>],

    /// Where each row begins: what it shares, and what it changes.
    pub starts: &'a [Start],

    /// A run of the same tokens, with the sites of [`Resume::sites`].
    pub base: &'a ActivationCache,

    /// The first position that is computed.
    pub first_pos: usize,

    /// What conditions may copy from.
    pub donors: &'a Donors,

    /// Of how many positions, at the end of each row, the logits are wanted.
    pub n_read: usize,
}

/// Where a row leaves the run that it equals so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub place: Place,

    /// The row of the base run that it equals so far; its keys and values are that row's before the
    /// first position.
    pub base_row: usize,

    /// The row of this batch that it equals so far, if that is later than the base. It begins
    /// earlier, and this one at [`Part::Attention`].
    pub parts_from: Option<usize>,
}

/// A place on the way through the model, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub layer: usize,
    pub part: Part,
}

/// What of a block has to be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Everything.
    Attention,

    /// Everything after what attention gives, which is only changed.
    AttnOut,

    /// The MLP.
    Mlp,

    /// Nothing: what the MLP gives is only changed.
    MlpOut,

    /// Nothing: what leaves the block is only changed.
    ResidPost,
}

impl Place {
    /// Where a condition makes its first difference. Nothing if it makes none.
    pub fn of(condition: &[Intervention], n_layers: usize) -> Option<Self> {
        let place = |it: &Intervention| {
            let part = match it.site {
                Site::AttnOut(_) => Part::AttnOut,
                Site::ResidMid(_)
                | Site::Ln2Scale(_)
                | Site::Ln2Normalized(_)
                | Site::MlpPre(_)
                | Site::MlpPost(_) => Part::Mlp,
                Site::MlpOut(_) => Part::MlpOut,
                Site::ResidPost(_) | Site::LnFinalScale | Site::LnFinalNormalized => {
                    Part::ResidPost
                }
                _ => Part::Attention,
            };
            Self { layer: it.site.layer().unwrap_or(n_layers - 1), part }
        };
        condition.iter().map(place).min()
    }

    /// Before anything of a layer is computed.
    pub const fn entering(layer: usize) -> Self {
        Self { layer, part: Part::Attention }
    }

    /// The first layer that is computed as a whole.
    pub fn first_whole_layer(self) -> usize {
        self.layer + usize::from(self.part > Part::Attention)
    }
}

impl Resume<'_> {
    /// What a base run must keep for rows that begin at these places.
    pub fn sites(n_layers: usize, starts: impl Iterator<Item = Place>) -> SiteSet {
        let keys = (0..n_layers).flat_map(|layer| [Site::K(layer), Site::V(layer)]);
        let mut sites: SiteSet = keys.collect();
        for Place { layer, part } in starts {
            match part {
                Part::Attention => sites.extend([Site::ResidPre(layer)]),
                Part::AttnOut => sites.extend([Site::ResidPre(layer), Site::AttnOut(layer)]),
                Part::Mlp => sites.extend([Site::ResidMid(layer)]),
                Part::MlpOut => sites.extend([Site::ResidMid(layer), Site::MlpOut(layer)]),
                Part::ResidPost => sites.extend([Site::ResidPost(layer)]),
            }
        }
        sites
    }

    /// What the base had at a site, for some of its rows, from the first position on.
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

impl Gpt2 {
    /// Logits at the last `n_read` positions of each row. `[batch, n_read, d_vocab]`
    ///
    /// # Errors
    ///
    /// When `after_layer`, called with the layer and the number of rows in it, says so.
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
        let device = self.device();
        let (n_layers, d_model) = (self.config.n_layers, self.config.d_model);
        let [_, n_all, _, _] = base.get(Site::K(0)).dims();
        let n_pos = n_all - first_pos;
        assert!(starts.is_sorted_by_key(|start| start.place), "rows must be in order");
        assert!(starts.len() == rows.len() && rows.iter().all(|row| row.ids.len() == n_all));
        assert!(n_pos >= n_read, "what is read must be computed");

        let past_rows: Vec<usize> = starts.iter().map(|start| start.base_row).collect();
        let lengths = vec![n_all; rows.len()];
        let hidden = hidden_keys(&[n_all], first_pos, n_pos, &device);
        let nothing = SiteSet::new();
        let mut tap =
            Tap::new(rows, request.donors, &nothing, first_pos).adding(&self.additions, first_pos);
        let is_read_only =
            tap.is_idle_at(Site::LnFinalScale) && tap.is_idle_at(Site::LnFinalNormalized);
        let mut batch = Joining { request, n_rows: 0, resid: None };
        for layer in starts[0].place.layer..n_layers {
            let block = &self.h[layer];
            let at = |part| Place { layer, part };
            batch.join(at(Part::Attention), &mut tap, |request, new, _| {
                request.of_base(Site::ResidPre(layer), new)
            });
            let n_computed = batch.n_rows;
            if let Some(x) = batch.resid.take() {
                let x = tap.stream(Site::ResidPre(layer), x);
                // In the last layer nobody looks at what the earlier positions give.
                let is_last = layer + 1 == n_layers && is_read_only && !tap.touches_layer(layer);
                let pass = Pass {
                    past: (first_pos > 0)
                        .then(|| Past { cache: base, rows: &past_rows[..n_computed] }),
                    lengths: &lengths[..n_computed],
                    hidden: hidden.clone(),
                    n_past: first_pos,
                    n_queries: if is_last { n_read } else { n_pos },
                };
                batch.resid = Some(block.add_attention(x, layer, &pass, &mut tap));
            }
            batch.join(at(Part::AttnOut), &mut tap, |request, new, tap| {
                let attn_out = request.of_base(Site::AttnOut(layer), new);
                let attn_out = tap.stream(Site::AttnOut(layer), attn_out);
                request.of_base(Site::ResidPre(layer), new) + attn_out
            });
            batch.join(at(Part::Mlp), &mut tap, |request, new, _| {
                request.of_base(Site::ResidMid(layer), new)
            });
            if let Some(x) = batch.resid.take() {
                batch.resid = Some(add_mlp(block, x, layer, &mut tap));
            }
            batch.join(at(Part::MlpOut), &mut tap, |request, new, tap| {
                let mlp_out = request.of_base(Site::MlpOut(layer), new);
                // What a steered model adds is there already.
                let mlp_out = tap.changed(Site::MlpOut(layer), mlp_out);
                request.of_base(Site::ResidMid(layer), new) + mlp_out
            });
            batch.join(at(Part::ResidPost), &mut tap, |request, new, _| {
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

fn add_mlp(block: &Block, resid_mid: Tensor<3>, layer: usize, tap: &mut Tap<'_>) -> Tensor<3> {
    let resid_mid = tap.stream(Site::ResidMid(layer), resid_mid);
    block.add_mlp(resid_mid, layer, tap)
}

/// The rows that are under way.
struct Joining<'a> {
    request: &'a Resume<'a>,
    n_rows: usize,

    /// `[n_rows, pos, d_model]`
    resid: Option<Tensor<3>>,
}

impl<'a> Joining<'a> {
    /// Lets the rows in that begin here. `entering` gives what the base had here; a tap that it is
    /// lent sees the new rows only.
    fn join(
        &mut self,
        place: Place,
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
        // Either all from the base, or as they come.
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
