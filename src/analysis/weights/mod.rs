//! What the weights alone tell, whatever the prompt.

pub mod circuit;
pub mod composition;
