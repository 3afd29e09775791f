//! Opening models and datasets, and asking for their paths.

use std::path::{Path, PathBuf};
use std::time::Instant;

use eframe::egui;

use super::{App, AwaitedSession};
use crate::builtin;
use crate::experiment::subject_tokens;
use crate::facts::Dataset;
use crate::session::DatasetIdentity;
use crate::tokens::flags;
use crate::ui::command::Command;
use crate::ui::dialogs::{self, Purpose};
use crate::ui::export::ExportDialog;
use crate::ui::panels::file_name;
use crate::ui::path_prompt::{PathPrompt, Why};
use crate::ui::reply::{ReadSession, Reply, aside};
use crate::ui::row::Row;
use crate::ui::state::{JobKind, ModelState, capitalized};
use crate::worker::{DeviceChoice, Engine, Job, JobId, Which, Work};

/// What was read to be opened, and waits until a person agrees.
pub(super) enum Held {
    Dataset(DatasetIdentity, Box<Dataset>),
    Session(Box<ReadSession>),
}

/// The command that opens a model in a place.
fn opening(which: Which, dir: PathBuf) -> Command {
    match which {
        Which::Main => Command::OpenModelAt(dir),
        Which::Beside => Command::OpenModelBesideAt(dir),
    }
}

impl App {
    pub(super) fn ask(&mut self, purpose: Purpose, ctx: &egui::Context) {
        let dir = self.last_dir(purpose);
        let replies = self.replies.clone();
        let tell = move |path, is_missing| {
            // The window has closed: nobody to tell.
            _ = replies.send(Reply::Picked { purpose, path, is_missing });
        };
        let exported = self.export.as_ref().filter(|_| purpose == Purpose::Figure);
        let name = exported.map(ExportDialog::file_name);
        let wanted = (purpose, name.as_deref());
        match dialogs::ask(&self.picker, wanted, dir.as_deref(), ctx, tell) {
            Ok(()) => self.state.dialog = Some((purpose, Instant::now())),
            Err(_) => self.prompt_for(purpose, Why::NoDialog),
        }
    }

    /// The system's dialog does not come.
    pub(super) fn type_instead(&mut self) {
        if let Some((purpose, _)) = self.state.dialog.take() {
            self.prompt_for(purpose, Why::Wanted);
        }
    }

    pub(super) fn prompt_for(&mut self, purpose: Purpose, why: Why) {
        let dir = self.last_dir(purpose);
        self.path_prompt = Some(PathPrompt::new(purpose, dir.as_deref(), why));
    }

    pub(super) fn last_dir(&self, purpose: Purpose) -> Option<PathBuf> {
        let preferences = &self.state.preferences;
        match purpose {
            Purpose::Model(_) | Purpose::ModelFile(_) => {
                Some(preferences.recent_models.first()?.parent()?.to_owned())
            }
            Purpose::Dataset => Some(preferences.recent_datasets.first()?.parent()?.to_owned()),
            Purpose::Noise => preferences.noise_dir.clone(),
            Purpose::Sweep | Purpose::SweepDir => {
                let last = preferences.recent_sweeps.first().and_then(|it| it.parent());
                last.map(Path::to_owned).or_else(|| self.state.many.home.clone())
            }
            Purpose::Session => Some(preferences.recent_sessions.first()?.parent()?.to_owned()),
            Purpose::Anything
            | Purpose::SavedSession
            | Purpose::Report
            | Purpose::Screenshot
            | Purpose::Figure
            | Purpose::Spec
            | Purpose::OpenedSpec => preferences.screenshot_dir.clone(),
        }
    }

    /// The absolute path of a model's folder or file, or `None` after an error is shown.
    fn model_dir(&mut self, dir: PathBuf) -> Option<PathBuf> {
        match Purpose::Model(Which::Main).accept(dir) {
            Ok(Command::OpenModelAt(dir)) if builtin::find(&dir).is_some() => Some(dir),
            Ok(Command::OpenModelAt(dir)) => Some(std::path::absolute(&dir).unwrap_or(dir)),
            Ok(_) => None,
            Err(error) => {
                self.state.error = Some(error);
                None
            }
        }
    }

    /// Begins to open a model. The one that is open at that place stays until the new one is there;
    /// what it is asked is not gone on with.
    fn load(&mut self, which: Which, dir: PathBuf) -> JobId {
        self.state.error = None;
        self.state.jobs.cancel(|kind| {
            let is_long = matches!(kind, JobKind::Load(..) | JobKind::Many(..)) || kind.is_asked();
            is_long && kind.which() == which
        });
        let (id, cancel) = self.state.jobs.add(JobKind::Load(which, dir.clone()));
        if self.state.info_of(which).is_none() {
            *self.state.model_mut(which) = ModelState::Loading { job: id, dir: dir.clone() };
        }
        let work = Work::Load { which, dir, device: self.state.device };
        self.worker.submit(Job { id, work, cancel });
        id
    }

    /// Begins to open the second model of a session in the place of any other.
    pub(super) fn begin_model_beside(&mut self, dir: PathBuf) {
        self.state.drop_model_beside();
        self.load(Which::Beside, dir);
        self.place_beside();
    }

    /// The second row may be asked of another model than before.
    pub(super) fn place_beside(&mut self) {
        self.state.selection.position = None;
        self.state.row = Row::First;
    }

    pub(super) fn close_model_beside(&mut self) {
        if !self.state.has_model_beside()
            || self.refuses()
            || !self.may_leave(Command::CloseModelBeside)
        {
            return;
        }
        self.let_go_of_beside();
        self.state.row = Row::First;
        self.look();
    }

    /// Lets go of the second model and of what was found in it.
    pub(super) fn let_go_of_beside(&mut self) {
        if self.state.has_model_beside() {
            self.state.drop_model_beside();
            let (id, cancel) = self.state.jobs.add(JobKind::CloseBeside);
            self.worker.submit(Job { id, work: Work::CloseBeside, cancel });
        }
    }

    /// Opens a model in its place. Where something would be lost, its files are read first, so that nobody
    /// is asked about a model that cannot be opened.
    pub(super) fn open_model(&mut self, which: Which, dir: PathBuf, ctx: &egui::Context) {
        let Some(dir) = self.model_dir(dir) else { return };
        if which == Which::Beside && self.refuses() {
            return;
        }
        self.checking[which as usize] = None;
        if !self.must_ask(&opening(which, dir.clone())) {
            self.begin_model(which, dir);
            return;
        }
        self.state.error = None;
        self.state.under_way = Some(format!("Reading {}", dir.display()));
        self.checking[which as usize] = Some(dir.clone());
        let dir_then = dir.clone();
        let thread = aside("check model", &self.replies, ctx, move || {
            let checked = Engine::check(&dir).map_err(|error| capitalized(&error));
            Reply::Checked { which, dir, checked }
        });
        if let Err(error) = thread {
            self.model_checked(which, dir_then, Err(format!("The model cannot be read: {error}")));
        }
    }

    /// The files of a model have been looked at.
    pub(super) fn model_checked(
        &mut self,
        which: Which,
        dir: PathBuf,
        checked: Result<(), String>,
    ) {
        // Another one was wanted since.
        if self.checking[which as usize].take_if(|it| *it == dir).is_none() {
            return;
        }
        self.state.under_way = None;
        match checked {
            Ok(()) if self.may_leave(opening(which, dir.clone())) => self.begin_model(which, dir),
            Ok(()) => {}
            Err(error) => {
                let left = capitalized(&self.left_open(which));
                self.state.error = Some(format!("{error}\n{left}"));
            }
        }
    }

    fn begin_model(&mut self, which: Which, dir: PathBuf) {
        self.load(which, dir);
        // The second row is asked of the second model.
        if which == Which::Beside {
            self.place_beside();
            self.look();
        }
    }

    /// What is open in a place, for a sentence.
    pub(super) fn left_open(&self, which: Which) -> String {
        match (self.state.info_of(which), which) {
            (Some(info), _) => format!("the model {} is still open", info.name),
            (None, Which::Main) => "no model is open now".to_owned(),
            (None, Which::Beside) => "no second model is open now".to_owned(),
        }
    }

    /// Which dataset is open, as a sentence.
    pub(super) fn dataset_left_open(&self) -> String {
        match self.state.facts.dataset_path() {
            Some(path) => format!("The dataset {} is still open", file_name(path)),
            None => "No dataset is open".to_owned(),
        }
    }

    /// Opens the models again on another device.
    pub(super) fn set_device(&mut self, device: DeviceChoice) {
        if !self.may_leave(Command::SetDevice(device)) {
            return;
        }
        self.state.device = device;
        for which in [Which::Main, Which::Beside] {
            let dir = self.state.model_of(which).dir().cloned();
            if let Some(dir) = dir.and_then(|dir| self.model_dir(dir)) {
                self.begin_model(which, dir);
            }
        }
    }

    /// Begins to open the model of a session; the session takes the window when it is open.
    pub(super) fn begin_session(&mut self, awaited: AwaitedSession) {
        // Where the model is missing, its results were shown without it.
        let Some(dir) = self.model_dir(awaited.session.model.path.clone()) else { return };
        let job = self.load(Which::Main, dir);
        self.awaited = Some((job, awaited));
    }

    pub(super) fn open_dataset(&mut self, path: PathBuf, ctx: &egui::Context) {
        let is_builtin = path == Path::new(Dataset::BUNDLED);
        let path = if is_builtin { path } else { std::path::absolute(&path).unwrap_or(path) };
        if let Some(Held::Dataset(identity, dataset)) =
            self.take_held(&Command::OpenDatasetAt(path.clone()))
        {
            self.adopt(identity, *dataset, ctx);
            return;
        }
        self.state.error = None;
        self.state.reading = Some(path.clone());
        let path_then = path.clone();
        let thread = aside("dataset", &self.replies, ctx, move || {
            let read = DatasetIdentity::of(&path).map_err(|error| capitalized(&error));
            Reply::Dataset { path, read }
        });
        if let Err(error) = thread {
            let read = Err(format!("The dataset cannot be read: {error}"));
            self.hear(Reply::Dataset { path: path_then, read }, &egui::Context::default());
        }
    }

    /// A dataset was read: it takes the place of the one that is open, if it may.
    pub(super) fn dataset_read(
        &mut self,
        path: PathBuf,
        (identity, dataset): (DatasetIdentity, Dataset),
        ctx: &egui::Context,
    ) {
        let command = Command::OpenDatasetAt(path);
        if self.may_leave(command.clone()) {
            self.adopt(identity, dataset, ctx);
        } else {
            self.hold(command, Held::Dataset(identity, Box::new(dataset)));
        }
    }

    /// Keeps what was read until a person agrees that it takes the place of what was found.
    pub(super) fn hold(&mut self, command: Command, held: Held) {
        self.held.retain(|(of, _)| *of != command);
        self.held.push((command, held));
    }

    /// What was read for a command that a person has agreed to.
    pub(super) fn take_held(&mut self, command: &Command) -> Option<Held> {
        if !self.is_let_go {
            return None;
        }
        self.held.extract_if(.., |(of, _)| of == command).next().map(|(_, held)| held)
    }

    /// The tokens that noise is measured on, and what to beware of in each fact; for a large
    /// dataset they take a while.
    pub(super) fn count_subjects(&mut self, ctx: &egui::Context) {
        self.state.tell_taught();
        for which in [Which::Main, Which::Beside] {
            self.count_subjects_of(which, ctx);
        }
    }

    pub(super) fn count_subjects_of(&mut self, which: Which, ctx: &egui::Context) {
        self.state.set_subjects(which, None);
        let (Some(model), Some(dataset)) =
            (self.state.info_of(which).cloned(), self.state.facts.dataset.as_ref())
        else {
            return;
        };
        let facts = dataset.clone();
        let thread = aside("subjects", &self.replies, ctx, move || {
            let tokens = subject_tokens(&model.tokenizer, facts.subjects()).ids.into();
            let flags = flags(&facts.records, &model.tokenizer);
            let dataset = facts.path;
            Reply::Subjects { dataset, which, model, tokens, flags }
        });
        if let Err(error) = thread {
            self.state.error = Some(format!("The subjects cannot be counted: {error}"));
        }
    }
}
