//! What was found and not saved is kept in a file of its own while the window runs, so that neither a
//! crash nor a power cut loses it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use eframe::egui;

use super::App;
use crate::session::Unsaved;
use crate::ui::closing::Closing;
use crate::ui::pane::Pane;
use crate::ui::reply::{Reply, aside};
use crate::ui::state::{Filter, State};
use crate::worker::{all_is_kept, is_memory_refused};

/// From a result to its being kept. Several that come together are written once.
const SOON: Duration = Duration::from_secs(3);

/// How often what a long job has found so far is kept.
const WHILE_RUNNING: Duration = Duration::from_mins(1);

/// How long it may take until a refusal of memory is seen.
const AFTER_A_REFUSAL: Duration = Duration::from_secs(1);

/// Writing takes at most this part of the time.
const SHARE: u32 = 10;

/// What a file of this window holds, as far as it changes without a person's asking the model.
#[derive(Debug, Default, PartialEq)]
struct Kept {
    /// How many results had come, and how many changes were made.
    n_found: u64,
    n_edits: usize,

    /// The typed facts that were listed, what the list was searched for, and how it was filtered.
    listed: Vec<usize>,
    query: String,
    filter: Filter,
    in_front: BTreeSet<Pane>,

    /// The folder of the sweep that was shown.
    sweep: Option<PathBuf>,
}

/// The file of this window, and what is in it.
#[derive(Debug)]
pub(super) struct Keeping {
    file: Unsaved,
    writer: Option<JoinHandle<()>>,

    /// When it is next written, if there is something new.
    due: Option<Instant>,

    /// The results that the file held when it was last written.
    has: Kept,

    /// Not before this long after the last time.
    pause: Duration,
}

impl Keeping {
    /// `None` where nothing can be written: then nothing is kept.
    pub(super) fn begin(dir: &Path) -> Option<Self> {
        let file = Unsaved::begin(dir).ok()?;
        Some(Self { file, writer: None, due: None, has: Kept::default(), pause: SOON })
    }
}

impl App {
    /// Looks for what windows that have ended without being closed have left.
    pub(super) fn find_left_over(&mut self, dir: &Path) {
        self.state.left_over = Unsaved::left_over(dir);
        self.keeping = Keeping::begin(dir);
    }

    /// Writes what is not saved where the system refuses memory to a job, which ends the program.
    pub(super) fn keep_on_refusal(&mut self, ctx: &egui::Context) {
        if is_memory_refused() {
            self.keep_now();
            all_is_kept();
        }
        // A job that was refused memory tells of nothing any more.
        if self.state.jobs.asked().next().is_some() {
            ctx.request_repaint_after(AFTER_A_REFUSAL);
        }
    }

    /// Writes what is not saved, if something has come since and it is time to.
    pub(super) fn keep_unsaved(&mut self, ctx: &egui::Context) {
        let has = self.what_is_kept();
        let Some(keeping) = &mut self.keeping else { return };
        if keeping.writer.is_some() || self.closing == Closing::Agreed {
            return;
        }
        let now = Instant::now();
        let is_running = self.state.jobs.asked().next().is_some();
        let wait = if has == keeping.has {
            is_running.then(|| WHILE_RUNNING.max(keeping.pause))
        } else {
            Some(keeping.pause)
        };
        // A result that comes while a long job runs need not wait for that job's turn.
        keeping.due = keeping.due.into_iter().chain(wait.map(|wait| now + wait)).min();
        let Some(due) = keeping.due else { return };
        if now < due {
            // Wakes a window in which nothing else happens.
            ctx.request_repaint_after(due - now);
            return;
        }
        keeping.due = None;
        keeping.has = has;
        if !is_worth_keeping(&self.state) {
            // All of it is in a session file, or is forgotten.
            keeping.file.remove().ok();
            return;
        }
        let Some(snapshot) = self.state.snapshot(&self.views.workspace) else { return };
        let path = keeping.file.path().to_owned();
        let writer = aside("keep unsaved", &self.replies, ctx, move || {
            let kept = snapshot.save(&path).map(|_| ());
            Reply::Kept { kept, took: now.elapsed() }
        });
        // Without threads it is tried again after the next result.
        keeping.writer = writer.ok();
    }

    fn what_is_kept(&self) -> Kept {
        let State { n_found, edits, facts, many, .. } = &self.state;
        Kept {
            n_found: *n_found,
            n_edits: edits.len(),
            listed: facts.listed().to_vec(),
            query: facts.query().to_owned(),
            filter: facts.filter().clone(),
            in_front: self.views.workspace.in_front(),
            sweep: many.open.as_ref().map(|it| it.dir.clone()),
        }
    }

    /// Writes what is not saved, and waits for it.
    pub(super) fn keep_now(&mut self) {
        let Some(keeping) = &mut self.keeping else { return };
        if let Some(writer) = keeping.writer.take() {
            writer.join().ok();
        }
        if is_worth_keeping(&self.state)
            && let Some(snapshot) = self.state.snapshot(&self.views.workspace)
        {
            // The window ends: nobody to tell.
            snapshot.save(keeping.file.path()).ok();
        }
    }

    /// It was written, or could not be.
    pub(super) fn kept(&mut self, kept: Result<(), String>, took: Duration) {
        let Some(keeping) = &mut self.keeping else { return };
        keeping.writer = None;
        keeping.pause = SOON.max(took * SHARE);
        if let Err(error) = kept {
            self.state.notice = Some(format!("What was found is not kept: {error}"));
        }
    }

    /// Shows what a window that ended without being closed has left.
    pub(super) fn restore_left_over(&mut self, ctx: &egui::Context) {
        self.state.is_discarding = false;
        if let Some(left) = self.state.left_over.first() {
            self.open_session(left.path().to_owned(), ctx);
        }
    }

    pub(super) fn discard_left_over(&mut self) {
        self.state.is_discarding = false;
        if self.state.left_over.is_empty() {
            return;
        }
        if let Err(error) = self.state.left_over.remove(0).remove() {
            self.state.error = Some(format!("What was left cannot be removed: {error}"));
        }
    }

    pub(super) fn is_left_over(&self, path: &Path) -> bool {
        self.state.left_over.iter().any(|it| it.path() == path)
    }

    /// What was left is in this window now, which keeps it from here on in the same file.
    pub(super) fn take_over(&mut self, path: &Path) {
        let place = self.state.left_over.iter().position(|it| it.path() == path);
        let Some(file) = place.map(|nth| self.state.left_over.remove(nth)) else { return };
        self.forget_unsaved();
        let has = self.what_is_kept();
        self.keeping = Some(Keeping { file, writer: None, due: None, has, pause: SOON });
    }

    /// The window closes as it should, so that nothing is left over.
    pub(super) fn forget_unsaved(&mut self) {
        let Some(Keeping { file, writer, .. }) = self.keeping.take() else { return };
        // What is just being written would come after it was removed.
        if let Some(writer) = writer {
            writer.join().ok();
        }
        file.remove().ok();
    }
}

/// Whether a window that ends unasked leaves something: what is in no session file, or a sweep that can be
/// gone on with.
fn is_worth_keeping(state: &State) -> bool {
    state.has_unsaved() || state.jobs.iter().any(|(_, job)| job.kind.is_sweep())
}

/// Where windows keep what is not saved. `None` where the user has no folder for data.
pub fn unsaved_dir() -> Option<PathBuf> {
    let dir = dirs::data_dir().filter(|dir| dir.is_absolute())?;
    Some(dir.join("factscope").join("unsaved"))
}
