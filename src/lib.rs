//! Factscope: a desktop microscope for facts in language models.
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

pub mod analysis;
pub mod cli;
pub mod facts;
pub mod intervention;
pub mod model;
pub mod task;
pub mod tokens;
pub mod ui;
pub mod worker;
