//! Training of the built-in model: from the facts of `data/` to a checkpoint that knows them.
//!
//! What it knows is planned. A recorded seed splits the facts into those that are trained both
//! ways, forward only, inversely only, and never (see [`Split`]), so that the reversal curse
//! (Berglund et al. 2023) and chance can be seen in one model.

mod corpus;
mod export;
mod network;
mod planting;
mod split;
mod trainer;
mod vocabulary;

pub use corpus::{Corpus, Statement};
pub use export::write;
pub use planting::Anchor;
pub use split::{FactPlan, Group, Split, SplitError};
pub use trainer::{Lesson, Recall, Round, Spec, StepReport, TrainError, Trainer, Trains};
pub use vocabulary::{SmallVocabulary, small_vocabulary};
