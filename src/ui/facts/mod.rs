//! The facts that the window lists, and what is known of each without asking for it.

mod filter;
mod key;
mod list;
mod recall;
mod taught;
mod typed;
mod drawn;
mod others;

pub use drawn::DrawnFacts;
pub use filter::{Filter, Known, Order};
pub use key::{FactId, FactKey};
pub use list::FactList;
pub use others::Others;
pub use recall::{Recall, Recalled};
pub use taught::{Lesson, Plan, Taught, plan_of};
pub use typed::{TypedFact, fact_of_fields};
