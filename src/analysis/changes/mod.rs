//! Changes of the model: what they reach when tried out, and how all other methods see them.

pub mod rank_one_edit;
pub mod steering;
mod model_edit;

pub use model_edit::ModelEdit;
