//! The machinery that methods share: conditions run in batches, what they copy from, and what is
//! measured of them, with the statistics of many measurements.

pub(in crate::analysis) mod sweep;
pub(in crate::analysis) mod donors;
pub(in crate::analysis) mod measurement;
mod grid;
mod positions;
mod estimate;
pub(in crate::analysis) mod statistics;
pub(in crate::analysis) mod largest;

pub use estimate::Estimate;
pub use grid::Grid;
pub use measurement::{Measurement, Metric};
pub use positions::{Positions, UnknownPositions};
pub use sweep::{Reuse, sweep};
