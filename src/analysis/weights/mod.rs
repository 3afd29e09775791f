//! What the weights alone tell, without a prompt.

pub mod circuit;
pub mod composition;
