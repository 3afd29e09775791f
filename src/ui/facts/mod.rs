//! The facts that the window lists, and what is known of each without asking for it.

mod key;
mod list;
mod recall;
mod taught;
mod drawn;
mod others;

pub use drawn::DrawnFacts;
pub use key::{FactId, FactKey};
pub use list::{FactList, Filter, Known, Order};
pub use others::Others;
pub use recall::{Recall, Recalled};
pub use taught::{Lesson, Plan, Taught, plan_of};
