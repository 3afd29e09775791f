//! Estimates, from gradients, of the effects that tracing and patching measure.

pub mod attribution_patching;
pub mod atp_star;
pub mod edge_attribution;
mod contrast;
pub(in crate::analysis) mod objective;

pub use contrast::{Contrast, ContrastedRuns};
