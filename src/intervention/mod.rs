//! Changes to a run of the model, described as plain data without tensors. `model::tap` carries
//! them out.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

mod text;
mod site;

pub(crate) use text::stored_as_text;

pub use site::{Axes, Site, SiteSet, UnknownSite};

/// One change at one site. It is plain data, so it can be compared, stored and replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervention {
    pub site: Site,

    /// The token positions that change; at attention scores and weights, the queries.
    pub positions: Span,

    /// The heads that change. Sites without heads ignore it.
    pub heads: Span,

    /// The indices along the last axis that change: neurons, dimensions, or keys.
    pub units: Span,

    /// What is done to the chosen numbers.
    pub edit: Edit,
}

impl Intervention {
    /// Changes all heads and units at some positions.
    pub fn at(site: Site, positions: Span, edit: Edit) -> Self {
        Self { site, positions, heads: Span::All, units: Span::All, edit }
    }

    /// The same intervention on some heads only.
    pub fn of_heads(self, heads: Span) -> Self {
        Self { heads, ..self }
    }

    /// The same intervention on some units only.
    pub fn of_units(self, units: Span) -> Self {
        Self { units, ..self }
    }
}

/// All interventions on one row of a batch, in order. An empty condition is a clean run.
pub type Condition = Vec<Intervention>;

/// The indices along one axis that an intervention changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Span {
    All,
    Only(Range<usize>),
}

impl Span {
    pub fn one(index: usize) -> Self {
        Self::Only(index..index + 1)
    }

    /// The indices as a range, on an axis of length `len`.
    pub fn resolve(&self, len: usize) -> Range<usize> {
        match self {
            Self::All => 0..len,
            Self::Only(range) => range.clone(),
        }
    }
}

/// What an intervention does to the numbers it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Edit {
    /// Overwrite every number with zero: zero ablation.
    Zero,

    /// Overwrite every number with this one. It must be finite, because JSON has no infinities;
    /// `Block` stands for −∞.
    Set(#[serde(serialize_with = "finite")] f32),

    /// Overwrite with −∞, which at attention scores cuts queries off from keys.
    Block,

    /// Multiply every number by this factor.
    Scale(f32),

    /// Add Gaussian noise, which is the same on every device.
    AddNoise(Noise),

    /// Add these numbers, one for each changed number of a row: positions first, then heads, then
    /// units. `[pos, head, width]`
    Add(Arc<[f32]>),

    /// Overwrite with these numbers, in the same order. `[pos, head, width]`
    Put(Arc<[f32]>),

    /// Overwrite with the embeddings of these tokens, one for each position, which makes the row
    /// that of another prompt. Allowed only at [`Site::Embed`], before any other edit there.
    Tokens(Arc<[u32]>),

    /// Overwrite with the activation of another run. This is patching, or restoring if the donor is
    /// the clean run.
    ///
    /// `positions` are the donor's. They may differ from those overwritten, but are as many.
    CopyFrom { donor: Donor, positions: Span },
}

/// Refuses to write a number that would not be read back as it was.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
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
    /// The clean run of the same prompt.
    Clean,

    /// Another prompt, such as the inverse of the fact.
    Counterpart,

    /// The mean over a list of prompts, for each position of this prompt.
    Mean,

    /// The same prompt with its subject corrupted by draw `sample` of a trace's noise. It equals
    /// the clean run at every position before `first`.
    Corrupted { first: usize, sample: usize },

    /// A run of a list, by its index there.
    Run(usize),
}

/// Gaussian noise, described by the numbers that let it be drawn again.
///
/// The values fill the changed numbers of one row: positions first, then heads, then units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    pub rng: NoiseRng,

    /// The seed of `rng`.
    pub seed: u32,

    /// The standard deviation, in units of the activation.
    pub std: f64,

    /// Which draw of the seed's sequence this is, counted from 0.
    pub sample: usize,
}

/// The generator of Gaussian numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoiseRng {
    /// `numpy.random.RandomState(seed).randn(samples, …)`, bit for bit, as ROME draws its noise.
    /// All samples are slices of one stream.
    Numpy,

    /// `ChaCha8`, with a separate stream for each sample.
    Chacha,
}
