//! Flags that several commands share. None of them knows a command.

pub(super) mod choice;
pub(super) mod text;
pub(super) mod model;
pub(super) mod fact;
pub(super) mod dataset;
#[cfg(feature = "parquet")]
pub(super) mod chosen;
pub(super) mod head;
pub(super) mod cell;
pub(super) mod layers;
pub(super) mod metric;
pub(super) mod corruption;
pub(super) mod trace;
pub(super) mod paired;
pub(super) mod estimate;

pub(super) use choice::{any_choice, choice, choices};
