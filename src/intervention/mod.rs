//! What we change in a run: plain descriptions, no tensors. `model::tap` carries them out.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

mod site;

pub use site::{Axes, Site, SiteSet, UnknownSite};

/// One change at one site. Plain data: it can be compared, stored and replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervention {
    pub site: Site,

    /// Token positions; queries where the site is an attention score or weight.
    pub positions: Span,

    /// Ignored by sites without heads.
    pub heads: Span,

    /// Indices along the last axis: neurons, dimensions, or keys.
    pub units: Span,

    pub edit: Edit,
}

impl Intervention {
    /// A change of all heads and units at some positions.
    pub fn at(site: Site, positions: Span, edit: Edit) -> Self {
        Self { site, positions, heads: Span::All, units: Span::All, edit }
    }

    /// The same, for some heads only.
    pub fn of_heads(self, heads: Span) -> Self {
        Self { heads, ..self }
    }

    /// The same, for some units only.
    pub fn of_units(self, units: Span) -> Self {
        Self { units, ..self }
    }
}

/// Everything done to one row of a batch, in order. An empty condition is a clean run.
pub type Condition = Vec<Intervention>;

/// Some indices along one axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Span {
    All,
    Only(Range<usize>),
}

impl Span {
    pub fn one(index: usize) -> Self {
        Self::Only(index..index + 1)
    }

    /// As indices into an axis of `len`.
    pub fn resolve(&self, len: usize) -> Range<usize> {
        match self {
            Self::All => 0..len,
            Self::Only(range) => range.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Edit {
    /// Zero ablation.
    Zero,

    /// Overwrite every number. JSON has no infinities: see `Block`.
    Set(#[serde(serialize_with = "finite")] f32),

    /// Overwrite with −∞: cuts a query off from keys, at attention scores.
    Block,

    /// Multiply every number.
    Scale(f32),

    /// Add Gaussian noise, the same on every device.
    AddNoise(Noise),

    /// Add these numbers, which fill the changed positions, heads and units of a row in that order.
    Add(Arc<[f32]>),

    /// Overwrite with these numbers, in the same order.
    Put(Arc<[f32]>),

    /// Overwrite with the embeddings of these tokens, one for each position: the row is that of
    /// another prompt. Only at [`Site::Embed`], where it comes before any other edit.
    Tokens(Arc<[u32]>),

    /// Overwrite with an activation from another run: patching, or restoring if the donor is clean.
    ///
    /// The donor's `positions` may differ from those overwritten, but are as many.
    CopyFrom { donor: Donor, positions: Span },
}

/// What is written is read again as it was, or not written.
fn finite<S: Serializer>(value: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        serializer.serialize_f32(*value)
    } else {
        Err(serde::ser::Error::custom(format!("{value} cannot be stored; `Block` stands for −∞")))
    }
}

/// Which run an activation is copied from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Donor {
    /// The same prompt, undisturbed.
    Clean,

    /// Another prompt, such as the inverse of the fact.
    Counterpart,

    /// The mean over a list of prompts, at each position of this one.
    Mean,

    /// The same prompt, its subject corrupted by draw number `sample` of a trace's noise. Equal to
    /// the clean run at every position before `first`.
    Corrupted { first: usize, sample: usize },

    /// One of a list of runs, by its place in the list.
    Run(usize),
}

/// Gaussian noise that can be drawn again: nothing but numbers.
///
/// Its values fill the changed positions, heads and units of one row in that order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    pub rng: NoiseRng,
    pub seed: u32,

    /// Standard deviation, in units of the activation.
    pub std: f64,

    /// Which draw of the seed's sequence.
    pub sample: usize,
}

/// Where Gaussian numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoiseRng {
    /// `numpy.random.RandomState(seed).randn(samples, …)`, bit for bit, as ROME draws it. Sample
    /// *i* is the *i*-th slice of one stream.
    Numpy,

    /// `ChaCha8`, with a stream of its own for each sample.
    Chacha,
}
