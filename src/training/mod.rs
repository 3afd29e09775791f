//! Training of the built-in model: from the facts of `data/` to a checkpoint that knows them.
//!
//! What it knows is planned. A recorded seed splits the facts into those that are trained both
//! ways, forward only, inversely only, and never (see [`Split`]), so that the reversal curse
//! (Berglund et al. 2023) and chance can be seen in one model.
//!
//! What computes is built only with the feature `training`, since burn's autodiff takes long to
//! compile; the plan of what is taught is in every build.

mod corpus;
#[cfg(feature = "training")]
mod export;
#[cfg(feature = "training")]
mod network;
#[cfg(feature = "training")]
mod planting;
mod split;
#[cfg(feature = "training")]
mod trainer;
mod vocabulary;

pub use corpus::{Corpus, Statement};
#[cfg(feature = "training")]
pub use export::write;
#[cfg(feature = "training")]
pub use planting::Anchor;
pub use split::{FactPlan, Group, Split, SplitError};
#[cfg(feature = "training")]
pub use trainer::{Lesson, Recall, Round, Spec, StepReport, TrainError, Trainer, Trains};
pub use vocabulary::{SmallVocabulary, small_vocabulary};
