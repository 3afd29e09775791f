//! Where a fact is recalled: causal traces, their corruptions, and the inside of one of their
//! cells.

pub mod causal_trace;
mod trace_memory;
pub mod trace_cell;
pub mod corruption_bench;
pub mod effects;
pub mod corruption;
mod draws;
mod noise_level;
mod given_noise;
mod known;
pub(in crate::analysis) mod trace_map;

pub use given_noise::{GivenNoise, NoiseFile, NoiseReader};
