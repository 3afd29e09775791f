//! What the engine promises, from files on disk to events: every room but the window and the
//! commands.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

// The code itself keeps to its rooms.
mod architecture;

// What the tests share.
mod support;
mod memory;
mod every_analysis;
mod long_prompts;
mod bounded;

// What is opened: facts, text as tokens, models, noise, and files that say what to ask.
mod facts;
mod datasets;
mod dataset_siblings;
mod packed_facts;
mod tokenizers;
mod tokenizer_folders;
mod tokens;
mod hub;
mod loading;
mod bundled;
mod builtin_models;
mod drawn_noise;
mod noise_file;
mod experiment;
mod json_numbers;
mod meant;
mod command_line;

// One pass, and every method on it: laws that hold for any weights, and the numbers of others.
mod laws;
mod golden;
mod golden_traces;
mod families;
mod stored_weights;
mod quantised_models;
mod trained;
mod devices;

// Traces, and what is made of many of them.
mod corruptions;
mod coarse_to_fine;
mod earlier;
mod trace_cell;
mod trace_difference;
mod bench;
mod averaged_facts;
mod averages;
mod comparison;
#[cfg(feature = "parquet")]
mod sweeps;
#[cfg(feature = "parquet")]
mod populations;
#[cfg(feature = "parquet")]
mod shared_questions;

// Parts that are removed, or moved from one prompt to another.
mod neurons;
mod edge_cut;
mod patching;
mod paths;

// Effects that are estimated from gradients.
mod gradients;
mod estimates;
mod edge_estimates;
mod estimates_alike;

// Sums that are taken apart.
mod decompositions;
mod differences;
mod processing;

// Models that are changed, write on, or are made.
mod editing;
mod reach;
mod generation;
#[cfg(feature = "training")]
mod training;

// What becomes of a result: statistics, a figure, a file, an event.
mod statistics;
mod figures;
mod head_pictures;
mod one_picture;
mod captions;
mod figures_of_parts;
mod wording;
mod whole_file;
mod exports;
#[cfg(feature = "parquet")]
mod parquet_files;
mod pdf;
mod session;
mod reports;
mod worker;
