//! The commands end to end, as a script would call them.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;
mod help;
mod typed;
#[cfg(feature = "hub")]
mod hub;
#[cfg(feature = "hub")]
mod hub_tls;
mod models;
mod serving;
mod saved_sessions;
mod predictions;
mod reports;
#[cfg(unix)]
mod browser;
mod traces;
mod corruptions;
mod parts;
mod removing;
mod patching;
mod specs;
#[cfg(feature = "parquet")]
mod sweeps;
#[cfg(feature = "parquet")]
mod odd_sweeps;
#[cfg(feature = "parquet")]
mod job_files;
mod journals;
#[cfg(all(unix, feature = "parquet"))]
mod full_disk;
mod files;
mod memory;
mod verifying;
mod datasets;
#[cfg(feature = "training")]
mod training;
