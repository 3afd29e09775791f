//! What the model says: its next token, and the text that it goes on with.

pub mod prediction;
pub mod generation;
