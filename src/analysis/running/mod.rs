//! The machinery that methods share: running conditions in batches, the runs that they copy from,
//! and measurements with their statistics.

pub(in crate::analysis) mod sweep;
pub(in crate::analysis) mod donors;
pub(in crate::analysis) mod layer_by_layer;
pub(in crate::analysis) mod measurement;
pub(in crate::analysis) mod memory;
mod grid;
mod positions;
mod estimate;
mod resampling;
pub(in crate::analysis) mod statistics;
pub(in crate::analysis) mod largest;

pub use estimate::Estimate;
pub use grid::Grid;
pub use measurement::{Measurement, Metric};
pub use memory::Sizes;
pub use positions::{Positions, UnknownPositions};
pub use resampling::{Inference, Resampling, SharedParts, SharedQuestion};
pub use statistics::Correlation;
pub use sweep::{Reuse, sweep};
