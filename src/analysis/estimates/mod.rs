//! Estimates, from gradients, of the effects that tracing and patching measure.

pub mod attribution_patching;
pub mod atp_star;
pub mod edge_attribution;
mod agreement;
mod contrast;
pub(in crate::analysis) mod objective;

pub use agreement::Agreement;
pub use contrast::Contrast;
