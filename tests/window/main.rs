//! The window without a display: what it draws, and what clicks do.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod accessible;
mod answers;
mod app;
mod at_once;
mod difference;
mod attention;
mod attribution;
mod averages;
mod calm;
mod closing;
mod earlier;
mod editing;
mod fit;
#[cfg(feature = "hub")]
mod get_model;
mod graph;
mod jobs;
mod kept;
mod kinds;
mod cell;
mod keys;
mod noise;
mod notices;
mod numbers;
mod patching;
mod paths;
mod pictures;
mod popups;
mod export;
mod studies;
mod made_up;
mod many;
mod maps;
mod memory;
mod models;
mod pair;
mod ranges;
mod recall;
mod report;
mod session;
mod soak;
mod spec;
mod support;
mod swept;
mod trust;
mod typed;
mod views;
mod weights;
mod workspace;
