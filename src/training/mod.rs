//! Trains the built-in models on the facts of `data/`.
//!
//! What a model knows is planned: a recorded seed splits the facts into those taught both ways,
//! forward only, inversely only, and never (see [`Split`]), so that one model shows both the
//! reversal curse (Berglund et al. 2023) and chance.
//!
//! What computes is built only with the feature `training`, since burn's autodiff takes long to
//! compile; the plan of what is taught is in every build.

mod split;
mod corpus;
mod vocabulary;
#[cfg(feature = "training")]
mod network;
#[cfg(feature = "training")]
mod batch;
#[cfg(feature = "training")]
mod anchor;
#[cfg(feature = "training")]
mod trainer;
#[cfg(feature = "training")]
mod planting;
#[cfg(feature = "training")]
mod export;

#[cfg(feature = "training")]
pub use anchor::Anchor;
pub use corpus::{Corpus, Statement};
#[cfg(feature = "training")]
pub use export::write;
pub use split::{FactPlan, Group, Split, SplitError};
#[cfg(feature = "training")]
pub use trainer::{Lesson, Recall, Round, Spec, StepReport, TrainError, Trainer, Trains};
pub use vocabulary::{SmallVocabulary, small_vocabulary};
