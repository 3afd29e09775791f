//! What the model says: its next token, and the text that it continues with.

pub mod prediction;
pub mod generation;
