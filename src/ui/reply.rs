//! What the window's own threads answer: those that read, write and ask for files.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use eframe::egui;

use super::dialogs::Purpose;
use super::export::Drawn;
use super::state::{Estimated, Mark, ReadSweep};
use crate::analysis::AnalysisResult;
use crate::experiment::{Experiment, Written};
use crate::facts::{Dataset, Direction};
use crate::figure::Record;
#[cfg(feature = "hub")]
use crate::hub::{Found, HubName};
use crate::session::{DatasetIdentity, Present, Session};
#[cfg(feature = "hub")]
use crate::task::Progress;
use crate::tokens::{Flags, TokenizedPrompt};
use crate::worker::{JobId, ModelInfo, Which};

/// An answer of one of the window's threads.
#[derive(Debug)]
pub enum Reply {
    /// `is_missing`: there was no dialog to pick from.
    Picked {
        purpose: Purpose,
        path: Option<PathBuf>,
        is_missing: bool,
    },
    /// A model's files were looked at, before it is opened in the place of what was found.
    Checked {
        which: Which,
        dir: PathBuf,
        checked: Result<(), String>,
    },
    Dataset {
        path: PathBuf,
        read: Result<(DatasetIdentity, Dataset), String>,
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
    ReportSaved {
        path: PathBuf,
        saved: Result<(), String>,
    },
    /// What the pictures of the figures in the export dialog carry. `nth`: which dialog.
    Recorded {
        nth: usize,
        records: Result<Vec<Option<Record>>, String>,
    },
    /// A figure was drawn for a file or the clipboard, or could not be. `nth`: the dialog that asked for
    /// it, if one did.
    Drawn {
        nth: Option<usize>,
        path: PathBuf,
        drawn: Result<Drawn, String>,
    },
    /// What is not saved was kept, or could not be, after this long.
    Kept {
        kept: Result<(), String>,
        took: Duration,
    },
    /// An experiment with all its ids, and the words that it asks the model about.
    Question {
        written: Box<Written>,
        asked: Result<Box<(Experiment, TokenizedPrompt)>, String>,
        model: Arc<ModelInfo>,
    },
    /// How much memory a result takes.
    Weighed {
        result: Arc<AnalysisResult>,
        n_bytes: u64,
    },
    /// What is heard of a job that asks the hub.
    #[cfg(feature = "hub")]
    Hub(JobId, FromHub),
    /// What a few facts took.
    Estimated(JobId, Box<Estimated>),

    /// The folder of a sweep was read and laid out, in this time.
    Swept {
        dir: PathBuf,
        read: Result<Arc<ReadSweep>, String>,
        took: Duration,
    },

    /// What a sweep asks of one of its facts.
    FactOfSweep {
        which: Which,
        found: Result<Box<FactOfSweep>, String>,
    },
    Screenshot {
        path: PathBuf,
        saved: Result<(), String>,
    },
}

/// A fact of a sweep.
#[derive(Debug)]
pub struct FactOfSweep {
    pub case: String,

    /// What the sweep asks of the fact one way, and then the other way if it asks both. Not empty.
    pub asked: Vec<AskedOfFact>,

    /// The first of them, as a file says it.
    pub text: String,
}

/// What a sweep asks of a fact one way.
#[derive(Debug)]
pub struct AskedOfFact {
    pub direction: Direction,
    pub experiment: Experiment,
    pub prompt: TokenizedPrompt,
}

/// What a thread that asks the hub says. The last four end its job.
#[cfg(feature = "hub")]
#[derive(Debug)]
pub enum FromHub {
    Said(String),
    Progress(Progress),

    /// What a search for a text has found.
    Found(String, Vec<Found>),

    /// A model was downloaded, and lies there.
    Got(HubName, PathBuf),
    Cancelled,
    Failed(String),
}

/// A session that was read, with what is there of its model and dataset.
#[derive(Debug)]
pub struct ReadSession {
    pub session: Session,
    pub present: Present,
}

/// Does work on a thread of its own, and tells the window its answer. The error says why there is no such
/// thread.
pub fn aside(
    name: &str,
    replies: &Sender<Reply>,
    ctx: &egui::Context,
    work: impl FnOnce() -> Reply + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let (replies, ctx) = (replies.clone(), ctx.clone());
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        // The window has closed: nobody to tell.
        _ = replies.send(work());
        ctx.request_repaint();
    })
}
