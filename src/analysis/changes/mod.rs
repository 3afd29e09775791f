//! Changes of the model: methods that try them out, and edits that all other methods can run on.

pub mod reach;
pub mod rank_one_edit;
pub mod steering;
mod model_edit;

pub use model_edit::ModelEdit;
