//! Factscope: a desktop microscope for facts in language models.
//!
//! # The idea
//!
//! A *fact* becomes *tokens*; tokens go through the *model* under a *condition*, a list of
//! interventions; a *measurement* comes out. An *analysis* is a plan of conditions and a fold of
//! measurements; a *view* draws its result.
//!
//! Data flows one way, and so do the modules, declared here in reading order:
//!
//! ```text
//!  text              ids                 tensors            plain numbers
//! facts ──► tokens ──► model ──────────► analysis ──► worker ──► ui
//!                        ▲                │   ▲          └─────► cli
//!                        │ carries out    │   │
//!                   intervention ◄────────┘  task (progress, cancel)
//!                   (plain data)   plans
//! ```
//!
//! # What each room must not know
//!
//! - [`facts`] and [`tokens`] know text and ids, no tensors.
//! - [`intervention`], [`task`] and [`builtin`] are plain data; they know nothing else, as do
//!   [`whole_file`] and [`hub`]; [`noise_file`] knows only how a specification names it.
//! - [`model`] alone computes. It knows no facts, no tokens and no window.
//! - [`analysis`] holds tensors but no threads and no files. Most methods leave running the model to
//!   [`analysis::sweep()`], so that batching, exact reuse, progress and cancelling are written once;
//!   what its conditions copy from is run before, by `running/donors.rs`, and what earlier traces
//!   have found is not run again (`traces/known.rs`). `ARCHITECTURE.md` names the methods that run
//!   the model themselves, and why.
//! - [`training`] makes the built-in model; only [`cli`] asks it to.
//! - [`experiment`] is what is asked, as a file; it carries nothing out.
//! - [`worker`] owns the models, one or two, on a thread. No tensor crosses its channel.
//! - [`session`] is what was found, as a file; it computes nothing.
//! - [`ui`] draws plain results and says what was clicked. It cannot reach [`model`].
//! - [`cli`] talks to the terminal; nobody else does.
//!
//! `tests/engine/architecture.rs` guards these directions.
//!
//! # Invariants
//!
//! - Activations have the axes `[batch, pos, head, width]`; batch row *i* runs under condition *i*.
//! - Randomness is a seed in the spec. Nothing reads the clock or a global generator.
//! - A result says which run it came from: spec, prompt, seed, and in files the weights' hash and the
//!   edits made to them.
//! - Cancelled is not an error. A panic in a job is a message, and the next job runs.
//! - A file is written whole or not at all, by [`whole_file`].
//! - The first frame is drawn before weights are loaded.
//!
//! # To add a method
//!
//! Six places, as `added_method.rs` shows in a test that is compiled:
//!
//! 1. its file in a room of `analysis/`: the spec, what is found, `impl Method`;
//! 2. its `mod` line in that room;
//! 3. its line in `for_each_method!` in `analysis/method.rs`;
//! 4. its file in `figure/of/`: the picture of what is found;
//! 5. its `mod` line in `figure/of/mod.rs`;
//! 6. its spec in `tests/engine/every_analysis.rs`, where laws for all methods find it.
//!
//! It can then be asked by `factscope run` and in the *Spec* view, drawn, printed, exported and kept
//! in sessions. A command of its own is a file in `cli/` and a line in its list of commands, a view
//! of its own a file in `ui/studies/` and a line in the list of panes.
//!
//! # To add something else
//!
//! | | touch |
//! |---|---|
//! | a hook point | a variant of [`intervention::Site`], a `tap` line in `model/gpt2.rs`, a law |
//! | an edit | a variant of [`intervention::Edit`], an arm in `model/tap.rs`, a law |
//! | an action of the window | a variant of `ui::command::Command`, an arm in `App` |

pub mod facts;
pub mod tokens;
pub mod intervention;
pub mod task;
pub mod hub;
pub mod whole_file;
pub mod builtin;
pub mod model;
pub mod analysis;
pub mod noise_file;
pub mod figure;
pub mod training;
pub mod experiment;
pub mod worker;
pub mod session;
#[cfg(feature = "gui")]
pub mod ui;
pub mod cli;

#[cfg(test)]
mod added_method;
