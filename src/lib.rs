//! Factscope: a desktop microscope for facts in language models.
//!
//! A *fact* becomes *tokens*; tokens go through the *model* under a *condition*, a list of
//! interventions; a *measurement* comes out. An *analysis* is a plan of conditions and a fold of
//! measurements into a result; a *figure* shows the result, and the window, the terminal and files
//! show the figure.
//!
//! `ARCHITECTURE.md` is the map: what each room is, what it must not know, what always holds and
//! which test holds it. `CONTRIBUTING.md` says how to build, test and add something. The modules
//! are declared below in the order in which data flows through them.
//!
//! # To add a method
//!
//! Six places, as `added_method.rs` shows in a test that is compiled:
//!
//! 1. its file in a room of `analysis/`: the spec, what is found, `impl Method` with a sentence about it;
//! 2. its `mod` line in that room;
//! 3. its line in `for_each_method!` in `analysis/method.rs`;
//! 4. its file in `figure/of/`: the picture of what is found;
//! 5. its `mod` line in `figure/of/mod.rs`;
//! 6. its spec in `tests/engine/every_analysis.rs`, where laws for all methods find it.
//!
//! It can then be asked of one fact by `factscope run` and of a dataset by `factscope sweep`, which binds
//! what the spec says of a fact by the names of its fields, as `experiment/binding.rs` lists them; and in
//! the *Spec* mode of the view *Record*, drawn, printed, exported and kept in sessions. A command of its
//! own is a file in `cli/` and a line in its list of commands; to be asked in a view is a file in
//! `ui/studies/` and a line in `for_each_view!` in `ui/pane.rs`.

pub mod packed;
pub mod quiet;
pub mod whole_file;
pub mod text_file;
pub mod facts;
pub mod tokens;
pub mod intervention;
pub mod task;
pub mod hub;
pub mod gguf;
pub mod builtin;
pub mod model;
pub mod analysis;
pub mod noise_file;
pub mod figure;
pub mod training;
pub mod experiment;
pub mod worker;
#[cfg(feature = "parquet")]
pub mod population;
pub mod session;
pub mod report;
#[cfg(feature = "gui")]
pub mod ui;
pub mod cli;

#[cfg(test)]
mod added_method;
