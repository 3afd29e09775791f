//! The activations that a run keeps.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::Tensor;

use super::indices::indices;
use crate::intervention::{Axes, Donor, Site};

/// The runs that [`Edit::CopyFrom`](crate::intervention::Edit) may copy from.
pub type Donors = BTreeMap<Donor, ActivationCache>;

/// The activations of one run at the sites that were asked for.
///
/// They lie on the device and never leave the worker's thread; views get plain numbers.
#[derive(Clone, Debug, Default)]
pub struct ActivationCache {
    /// `[batch, pos, head, width]` each
    entries: BTreeMap<Site, Tensor<4>>,
}

/// A cache can be put together from other runs, such as their mean.
impl FromIterator<(Site, Tensor<4>)> for ActivationCache {
    fn from_iter<I: IntoIterator<Item = (Site, Tensor<4>)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

/// An activation as plain numbers, with the axes in TransformerLens' order.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl ActivationCache {
    /// The activation at a site, with the axes `[batch, pos, head, width]` for any site.
    ///
    /// # Panics
    ///
    /// If the run was not asked to keep `site`, which is a bug in the caller.
    #[track_caller]
    pub fn get(&self, site: Site) -> &Tensor<4> {
        match self.entries.get(&site) {
            Some(activation) => activation,
            None => panic!("`{site}` was not captured"),
        }
    }

    /// The activation at a site without heads, in a run of one row. `[pos, width]`
    ///
    /// # Panics
    ///
    /// If the run was not asked to keep `site`, which is a bug in the caller.
    #[track_caller]
    pub fn stream(&self, site: Site) -> Tensor<2> {
        let [_, n_pos, _, width] = self.get(site).dims();
        self.get(site).clone().reshape([n_pos, width])
    }

    /// The sites that were kept.
    pub fn sites(&self) -> impl Iterator<Item = Site> {
        self.entries.keys().copied()
    }

    /// The activation at a site with TransformerLens' axes: `[batch, pos, d]`,
    /// `[batch, pos, head, d_head]` or `[batch, head, query, key]`.
    ///
    /// # Panics
    ///
    /// If the run was not asked to keep `site`, which is a bug in the caller.
    #[track_caller]
    pub fn activation(&self, site: Site) -> Activation {
        let tensor = self.get(site).clone();
        let [batch, n_pos, n_heads, width] = tensor.dims();
        let (shape, tensor) = match site.axes() {
            Axes::Stream => (vec![batch, n_pos, width], tensor),
            Axes::Heads => (vec![batch, n_pos, n_heads, width], tensor),
            Axes::Attention => (vec![batch, n_heads, n_pos, width], tensor.swap_dims(1, 2)),
        };
        Activation { shape, values: tensor.into_data().iter::<f32>().collect() }
    }

    /// The activations at some positions.
    pub fn at_positions(&self, positions: Range<usize>) -> Self {
        let narrowed = |x: &Tensor<4>| x.clone().narrow(1, positions.start, positions.len());
        self.entries.iter().map(|(site, x)| (*site, narrowed(x))).collect()
    }

    /// Keeps of the attention weights only those of the last query.
    pub fn keep_last_queries(&mut self) {
        for (site, x) in &mut self.entries {
            let [_, n_pos, _, _] = x.dims();
            if site.axes() == Axes::Attention && n_pos > 1 {
                // A copy rather than a view, so that the others are freed.
                *x = x.clone().select(1, indices(&[n_pos - 1], &x.device()));
            }
        }
    }

    /// Keeps only the activations at some sites.
    pub fn keep(&mut self, wanted: impl Fn(Site) -> bool) {
        self.entries.retain(|site, _| wanted(*site));
    }

    pub(super) fn insert(&mut self, site: Site, activation: Tensor<4>) {
        self.entries.insert(site, activation);
    }

    /// Takes over what another cache has.
    pub(super) fn extend(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }
}
