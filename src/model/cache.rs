use std::collections::BTreeMap;

use burn::tensor::Tensor;

use crate::intervention::{Axes, Donor, Site};

/// The runs that [`Edit::CopyFrom`](crate::intervention::Edit) may copy from.
pub type Donors = BTreeMap<Donor, ActivationCache>;

/// Activations kept from one run, only at the sites asked for.
///
/// Lives on the device and never leaves the worker thread; what a view sees are plain numbers.
#[derive(Clone, Debug, Default)]
pub struct ActivationCache {
    /// `[batch, pos, head, width]`
    entries: BTreeMap<Site, Tensor<4>>,
}

/// For runs that are put together from others, such as a mean.
impl FromIterator<(Site, Tensor<4>)> for ActivationCache {
    fn from_iter<I: IntoIterator<Item = (Site, Tensor<4>)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

/// An activation as plain numbers, with TransformerLens' order of axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Activation {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl ActivationCache {
    /// `[batch, pos, head, width]`, whatever the site.
    ///
    /// # Panics
    ///
    /// If the run was not asked to keep `site`. That is a bug in the caller, not in the data.
    #[track_caller]
    pub fn get(&self, site: Site) -> &Tensor<4> {
        match self.entries.get(&site) {
            Some(activation) => activation,
            None => panic!("`{site}` was not captured"),
        }
    }

    /// The sites that were kept.
    pub fn sites(&self) -> impl Iterator<Item = Site> {
        self.entries.keys().copied()
    }

    /// As TransformerLens shows it: `[batch, pos, d]`, `[batch, pos, head, d_head]` or
    /// `[batch, head, query, key]`.
    ///
    /// # Panics
    ///
    /// As [`ActivationCache::get`].
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

    pub(super) fn insert(&mut self, site: Site, activation: Tensor<4>) {
        self.entries.insert(site, activation);
    }
}
