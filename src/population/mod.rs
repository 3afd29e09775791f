//! Many facts: a method asked of each fact of a dataset, and what the results have in common.
//!
//! A *sweep* asks one experiment of each fact and writes the numbers of its figures to a folder, part by
//! part. A *population* reads the folder and lays the figures over each other: the number of each place
//! becomes a mean over facts with its interval. Neither knows which method it is about.

mod asked_before;
mod charts;
mod estimate;
mod figure;
mod flags;
mod folder;
mod groups;
mod journal;
mod left_out;
mod merge;
mod part;
mod plan;
mod planner;
mod planning;
mod questions;
mod read;
mod recall;
mod selection;
mod shard;
mod survey;
mod sweep;
mod words;

pub use estimate::{Estimate, duration};
pub use figure::{Behind, GroupBy, Laid, Shown};
pub use flags::flags_of;
pub use folder::{Folder, FolderError, Manifest};
pub use groups::OneBehind;
pub use journal::{Journal, JournalError};
pub use left_out::{reasons, reasons_of};
pub use merge::{MergeError, merge};
pub use part::{Asked, FactNote, to_bytes};
pub use plan::{FigureSettings, Plan, PlanError, Ready, SweepSettings};
pub use planner::{Choice, Goal, N_PILOT, N_TIMED, NoGoal, Pilot};
pub use planning::Chosen;
pub use read::{Cell, Fact, Numbers, Population, Wanted, cases_of, is_sweep, sweep_bytes};
pub use recall::{Choices, Known, KnownBy, Recall, Recalled, RelationAnswers, UnknownWay};
pub use selection::{KnownWay, Selection, SelectionError, Task, Ways, Wording};
pub use shard::{Shard, UnknownShard};
pub use survey::{Entry, Survey, SurveyError, Wordings};
pub use sweep::{AnswerOf, Outcome, RECALL, Sweep, SweepError, at_layer};
