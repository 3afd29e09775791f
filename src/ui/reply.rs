//! What the window's own threads answer: those that read, write and ask for files.

use std::path::PathBuf;
use std::sync::Arc;

use super::dialogs::Purpose;
use super::state::Mark;
use crate::analysis::AnalysisResult;
use crate::experiment::Experiment;
use crate::facts::Dataset;
use crate::session::{Present, Session};
use crate::tokens::{Flags, TokenizedPrompt};
use crate::worker::{ModelInfo, Which};

/// What a thread of the window found.
#[derive(Debug)]
pub enum Reply {
    /// `is_missing`: there was no dialog to pick from.
    Picked {
        purpose: Purpose,
        path: Option<PathBuf>,
        is_missing: bool,
    },
    Dataset {
        path: PathBuf,
        dataset: Result<Dataset, String>,
    },
    Subjects {
        dataset: PathBuf,
        which: Which,
        model: Arc<ModelInfo>,
        tokens: Arc<[u32]>,
        flags: Vec<[Option<Flags>; 2]>,
    },
    Session {
        path: PathBuf,
        read: Result<Box<ReadSession>, String>,
    },
    SessionSaved {
        path: PathBuf,
        saved: Result<Box<Mark>, String>,
    },
    /// The words that an experiment asks the model about.
    Question {
        experiment: Box<Experiment>,
        prompt: Result<TokenizedPrompt, String>,
        model: Arc<ModelInfo>,
    },
    /// How much memory a result takes.
    Weighed {
        result: Arc<AnalysisResult>,
        n_bytes: u64,
    },
    Screenshot {
        path: PathBuf,
        saved: Result<(), String>,
    },
}

/// A session that was read, with what is there of its model and dataset.
#[derive(Debug)]
pub struct ReadSession {
    pub session: Session,
    pub present: Present,
}
