//! Carries out interventions in a forward pass, and keeps activations.
//!
//! The activation at every site passes through the tap, which makes the changes that the rows'
//! conditions ask for, and keeps a copy if the request asks for one.

use std::ops::Range;

use burn::tensor::Tensor;

use super::addition::Addition;
use super::noise::Drawing;
use super::{ActivationCache, BatchRow, Donors};
use crate::intervention::{Axes, Donor, Edit, Intervention, Noise, Site, SiteSet, Span};

mod in_place;
mod together;

/// The interventions of one forward pass, and the activations kept so far.
pub(super) struct Tap<'a> {
    rows: &'a [BatchRow<'a>],
    donors: &'a Donors,

    /// The sites whose activations are kept.
    capture: &'a SiteSet,

    /// The position of the rows that activations begin with, because another run computed those
    /// before.
    first_pos: usize,

    /// What a steered model adds under any condition.
    additions: &'a [Addition],

    /// The position of the prompt that activations begin with. It differs from `first_pos` if the
    /// rows' tokens do not include the earlier positions.
    first_added: usize,

    /// The sites that conditions change.
    changed: SiteSet,
    cache: ActivationCache,
}

/// One intervention on one row, with its spans as ranges of indices.
struct Change<'a> {
    row: usize,
    positions: Range<usize>,
    heads: Range<usize>,
    units: Range<usize>,
    edit: &'a Edit,
}

impl Change<'_> {
    fn n_values(&self) -> usize {
        self.positions.len() * self.heads.len() * self.units.len()
    }
}

impl<'a> Tap<'a> {
    pub fn new(
        rows: &'a [BatchRow<'a>],
        donors: &'a Donors,
        capture: &'a SiteSet,
        first_pos: usize,
        (additions, first_added): (&'a [Addition], usize),
    ) -> Self {
        let changes = rows.iter().flat_map(|row| row.condition).filter(|it| is_done_here(it));
        let changed = changes.map(|it| it.site).collect();
        let cache = ActivationCache::default();
        Self { rows, donors, capture, first_pos, additions, first_added, changed, cache }
    }

    /// Sets the rows of the next activations, since rows may join a batch on its way through the
    /// model.
    pub fn set_rows(&mut self, rows: &'a [BatchRow<'a>]) {
        self.rows = rows;
    }

    /// The activations kept so far.
    pub fn kept_so_far(&mut self) -> &mut ActivationCache {
        &mut self.cache
    }

    pub fn into_cache(self) -> ActivationCache {
        self.cache
    }

    /// Whether a site is neither changed nor kept.
    pub fn is_idle_at(&self, site: Site) -> bool {
        !self.capture.contains(&site)
            && !self.changed.contains(&site)
            && self.additions.iter().all(|it| it.site != site)
    }

    /// Whether any site of a block is changed.
    pub fn changes_layer(&self, layer: usize) -> bool {
        let mut sites = self.changed.iter().copied().chain(self.additions.iter().map(|it| it.site));
        sites.any(|site| site.layer() == Some(layer))
    }

    /// Passes on the activation at a site without heads. `[batch, pos, width]`
    pub fn stream(&mut self, site: Site, x: Tensor<3>) -> Tensor<3> {
        if self.is_idle_at(site) {
            return x;
        }
        let [batch, n_pos, width] = x.dims();
        self.heads(site, x.reshape([batch, n_pos, 1, width])).reshape([batch, n_pos, width])
    }

    /// As [`Self::stream`], for an activation that already includes what a steered model adds.
    /// `[batch, pos, width]`
    pub fn stream_with_additions(&mut self, site: Site, x: Tensor<3>) -> Tensor<3> {
        let additions = std::mem::take(&mut self.additions);
        let x = self.stream(site, x);
        self.additions = additions;
        x
    }

    /// Passes on attention scores or weights. `[batch, head, query, key]`
    pub fn attention(&mut self, site: Site, x: Tensor<4>) -> Tensor<4> {
        if self.is_idle_at(site) {
            return x;
        }
        self.heads(site, x.swap_dims(1, 2)).swap_dims(1, 2)
    }

    /// Passes on the activation at a site with heads. `[batch, pos, head, width]`
    pub fn heads(&mut self, site: Site, mut x: Tensor<4>) -> Tensor<4> {
        for addition in self.additions.iter().filter(|it| it.site == site) {
            x = addition.onto(x, self.first_added);
        }
        if self.changed.contains(&site) {
            // The first intervention of every row is carried out, then the second of every row, and
            // so on.
            for nth in 0.. {
                let changes: Vec<_> = self.changes(site, nth, x.dims()).collect();
                if changes.is_empty() {
                    break;
                }
                check_reach(site, &changes, x.dims());
                x = match self.apply_in_place(site, &changes, x) {
                    Ok(changed) => changed,
                    Err(x) => self.apply_together(site, &changes, x),
                };
            }
        }
        if self.capture.contains(&site) {
            self.cache.insert(site, x.clone());
        }
        x
    }

    /// The `nth` intervention of every row that has that many at a site.
    fn changes(
        &self,
        site: Site,
        nth: usize,
        [_, n_pos, n_heads, width]: [usize; 4],
    ) -> impl Iterator<Item = Change<'a>> {
        self.rows.iter().enumerate().filter_map(move |(row, it)| {
            let here = |it: &&Intervention| it.site == site && is_done_here(it);
            let intervention = it.condition.iter().filter(here).nth(nth)?;
            let n_units = match site.axes() {
                // Keys are positions, so interventions must not reach the answer's tokens and the
                // padding. The keys of a past that is not part of the row come before the row's
                // own.
                Axes::Attention => width - n_pos - self.first_pos + it.n_editable,
                Axes::Stream | Axes::Heads => width,
            };
            Some(Change {
                row,
                positions: self.relative(intervention.positions.resolve(it.n_editable)),
                heads: intervention.heads.resolve(n_heads),
                units: intervention.units.resolve(n_units),
                edit: &intervention.edit,
            })
        })
    }

    fn relative(&self, positions: Range<usize>) -> Range<usize> {
        let first = self.first_pos;
        assert!(positions.start >= first, "an intervention reaches before the first position");
        positions.start - first..positions.end - first
    }

    /// A donor's activation at a site. `[1, pos, head, width]`
    fn donor(&self, donor: Donor, site: Site, [n_heads, width]: [usize; 2]) -> &Tensor<4> {
        let Some(cache) = self.donors.get(&donor) else {
            panic!("no run was given for the donor {donor:?}");
        };
        let activation = cache.get(site);
        let [batch, _, donor_heads, donor_width] = activation.dims();
        assert!(
            batch == 1 && donor_heads == n_heads && donor_width == width,
            "the donor's `{site}` has another shape"
        );
        activation
    }
}

/// Whether the tap carries out an intervention. Other tokens are put in before, see `BatchRow::tokens`.
fn is_done_here(intervention: &Intervention) -> bool {
    !matches!(intervention.edit, Edit::Tokens(_))
}

/// Checks that changes lie within the activation, and bring as many numbers as they change.
fn check_reach(site: Site, changes: &[Change<'_>], shape: [usize; 4]) {
    let [_, n_pos, n_heads, width] = shape;
    for change in changes {
        if let Edit::Add(values) | Edit::Put(values) = change.edit {
            assert!(
                values.len() == change.n_values(),
                "an edit at `{site}` must bring as many numbers as it changes"
            );
        }
        assert!(
            change.positions.end <= n_pos
                && change.heads.end <= n_heads
                && change.units.end <= width,
            "an intervention at `{site}` reaches beyond the activation {shape:?}"
        );
    }
}

/// The donor's positions that a change copies.
fn donor_positions(
    site: Site,
    positions: &Span,
    change: &Change<'_>,
    donor_len: usize,
) -> Range<usize> {
    let from = match positions {
        Span::All => 0..change.positions.len(),
        Span::Only(range) => range.clone(),
    };
    assert!(
        from.len() == change.positions.len() && from.end <= donor_len,
        "a copy at `{site}` must name as many donor positions as it overwrites"
    );
    from
}

/// The noise drawn so far, which rows of a sweep share.
#[derive(Default)]
struct Draws {
    known: Vec<((Noise, usize), Vec<f32>)>,
    drawing: Drawing,
}

impl Draws {
    /// Noise for all numbers of a change, in order.
    fn of(&mut self, noise: Noise, change: &Change<'_>) -> &[f32] {
        let len = change.n_values();
        let key = (noise, len);
        let known = self.known.iter().position(|(it, _)| *it == key);
        let at = known.unwrap_or_else(|| {
            let drawn = self.drawing.draw(noise, len);
            self.known.push((key, drawn.into_iter().map(|z| z as f32).collect()));
            self.known.len() - 1
        });
        &self.known[at].1
    }
}

/// The numbering of an activation's vectors when batch, position and head are one axis.
struct VectorLayout {
    n_pos: usize,
    n_heads: usize,
}

impl VectorLayout {
    fn index(&self, row: usize, pos: usize, head: usize) -> usize {
        (row * self.n_pos + pos) * self.n_heads + head
    }

    /// The indices of the vectors that a change reaches, in order.
    fn indices(&self, change: &Change<'_>) -> impl Iterator<Item = usize> {
        let (row, heads) = (change.row, change.heads.clone());
        change
            .positions
            .clone()
            .flat_map(move |pos| heads.clone().map(move |head| self.index(row, pos, head)))
    }
}
