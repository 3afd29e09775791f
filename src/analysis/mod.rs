//! The methods from the literature, one file each, in rooms by the question that they answer.
//!
//! A method's `Spec` holds its settings, and its result what it found; both are plain data. Its
//! conditions are plain data too, and [`sweep()`] runs them. [`Method`] is what all methods have in
//! common, and `for_each_method!` in `method.rs` lists them.

#![expect(clippy::large_enum_variant, reason = "there are a few specs and results at a time")]

mod method;
mod context;
mod error;
mod sources;

// The machinery that the methods share.
mod running;

// The rooms, by question; each uses those before it. Every method is named from here, as
// `analysis::causal_trace`.
mod says;
mod looks;
mod weights;
mod changes;
mod traces;
mod patches;
mod estimates;
mod removes;
mod adds_up;
mod many;

pub use adds_up::*;
pub use changes::*;
pub use context::{AnalysisCtx, Memory};
pub use error::AnalysisError;
pub use estimates::*;
pub use looks::*;
pub use many::*;
pub use method::{About, Lab, Method, Needs, PromptOf};
pub use patches::*;
pub use removes::*;
pub use running::*;
pub use says::*;
pub use sources::{SOURCES, Source};
pub use traces::*;
pub use weights::*;

pub(crate) use method::{define_methods, for_each_method};

for_each_method!(define_methods);
