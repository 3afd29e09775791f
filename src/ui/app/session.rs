//! Session files: saving, opening, and what the title says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::{self, ViewportCommand};

use super::open::Held;
use super::{App, AwaitedSession};
use crate::analysis::AnalysisSpec;
use crate::facts::Direction;
use crate::session::{Found, Origin, Session};
use crate::tokens::Bos;
use crate::ui::command::Command;
use crate::ui::dialogs::Purpose;
use crate::ui::pane::Pane;
use crate::ui::panels;
use crate::ui::reply::{ReadSession, Reply, aside};
use crate::ui::row::Row;
use crate::ui::state::{
    Answers, Beside, FactId, JobKind, Look, Mark, ModelState, OpenSession, Recalls, Stored,
    TraceSettings, capitalized,
};
use crate::ui::workspace::Workspace;
use crate::worker::{Job, Which, Work};

impl App {
    /// Such as `france.factscope (unsaved) – Factscope`.
    pub fn title(&self) -> String {
        let Some(session) = &self.state.session else { return "Factscope".to_owned() };
        let name = panels::file_name(&session.path);
        match self.state.is_unsaved() {
            Some(true) => format!("{name} (unsaved) – Factscope"),
            _ => format!("{name} – Factscope"),
        }
    }

    /// Tells the system the window's title when it has changed.
    pub(super) fn show_title(&mut self, ctx: &egui::Context) {
        let title = self.title();
        if title != self.shown_title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.shown_title = title;
        }
    }

    pub(super) fn session_command(&mut self, command: Command, ctx: &egui::Context) {
        match command {
            Command::OpenSession => self.ask(Purpose::Session, ctx),
            Command::OpenSessionAt(path) => self.open_session(path, ctx),
            Command::SaveSession => match &self.state.session {
                Some(session) => self.save_session(session.path.clone(), ctx),
                None => self.session_command(Command::SaveSessionAs, ctx),
            },
            Command::SaveSessionAs if self.can_save() => self.ask(Purpose::SavedSession, ctx),
            Command::SaveSessionAs => _ = self.stay_unless_named(),
            Command::SaveSessionTo(path) => self.save_session(path, ctx),
            _ => {}
        }
    }

    fn can_save(&mut self) -> bool {
        if self.state.stored.is_some() {
            self.state.error = Some(
                "These results are from a session file already, and nothing was added: copy that \
                 file instead"
                    .to_owned(),
            );
        } else if self.state.info().is_none() {
            self.state.error = Some("Open a model first: a session holds its results".to_owned());
        } else {
            return true;
        }
        false
    }

    fn save_session(&mut self, path: PathBuf, ctx: &egui::Context) {
        if !self.can_save() {
            self.stay_unless_named();
            return;
        }
        let path = std::path::absolute(&path).unwrap_or(path);
        let Some(snapshot) = self.state.snapshot(&self.views.workspace) else { return };
        self.state.under_way = Some("Saving the session…".to_owned());
        self.saving_begins();
        let path_then = path.clone();
        let thread = aside("save session", &self.replies, ctx, move || {
            let saved = snapshot.save(&path).map(Box::new);
            Reply::SessionSaved { path, saved }
        });
        if let Err(error) = thread {
            self.session_saved(path_then, Err(error.to_string()), ctx);
        }
    }

    pub(super) fn session_saved(
        &mut self,
        path: PathBuf,
        saved: Result<Box<Mark>, String>,
        ctx: &egui::Context,
    ) {
        let is_saved = saved.is_ok();
        self.state.under_way = None;
        match saved {
            Ok(saved) => {
                self.state.notice = Some(format!("Saved {}", path.display()));
                self.state.preferences.remember_session(&path);
                self.state.session = Some(OpenSession { path, saved: *saved });
            }
            Err(error) => self.state.error = Some(format!("The session is not saved: {error}")),
        }
        self.leave_when_saved(is_saved, ctx);
    }

    pub(super) fn open_session(&mut self, path: PathBuf, ctx: &egui::Context) {
        let path = std::path::absolute(&path).unwrap_or(path);
        if let Some(Held::Session(read)) = self.take_held(&Command::OpenSessionAt(path.clone())) {
            self.begin_read(&path, *read, ctx);
            return;
        }
        self.state.error = None;
        self.state.reading_session = Some(path.clone());
        self.state.under_way = Some(format!("Reading {}", path.display()));
        let path_then = path.clone();
        let thread = aside("open session", &self.replies, ctx, move || {
            let read = Session::load(&path).map_err(|error| capitalized(&error)).map(|session| {
                let present = session.present();
                Box::new(ReadSession { session, present })
            });
            Reply::Session { path, read }
        });
        if let Err(error) = thread {
            let read = Err(format!("The session cannot be read: {error}"));
            self.session_read(&path_then, read, &egui::Context::default());
        }
    }

    pub(super) fn session_read(
        &mut self,
        path: &Path,
        read: Result<Box<ReadSession>, String>,
        ctx: &egui::Context,
    ) {
        if self.state.reading_session.as_deref() != Some(path) {
            return;
        }
        self.state.reading_session = None;
        self.state.under_way = None;
        let command = Command::OpenSessionAt(path.to_owned());
        match read {
            Ok(read) if self.may_leave(command.clone()) => self.begin_read(path, *read, ctx),
            Ok(read) => self.hold(command, Held::Session(read)),
            Err(error) => {
                let left = capitalized(&self.left_open(Which::Main));
                self.state.error = Some(format!("{error}\n{left}"));
            }
        }
    }

    /// Begins to show a session that was read.
    fn begin_read(&mut self, path: &Path, read: ReadSession, ctx: &egui::Context) {
        let ReadSession { session, present } = read;
        // A dataset that is just being read would take the place of the session's.
        self.state.reading = None;
        if !self.is_left_over(path) {
            self.state.preferences.remember_session(path);
        }
        if !present.differences.is_empty() {
            self.show_stored(path, session, present.differences, ctx);
            return;
        }
        let (path, dataset) = (path.to_owned(), present.dataset);
        self.begin_session(AwaitedSession { path, session, dataset });
    }

    /// The model of a session is open: shows its facts and results.
    pub(super) fn adopt_session(&mut self, path: &Path, session: Session, ctx: &egui::Context) {
        let places = self.state.adopt_facts(&session.facts, |fact| fact.nth);
        // It counts as there while it is opened, so that its results have their places.
        if let Some(beside) = &session.beside {
            self.begin_model_beside(beside.model.path.clone());
            let subjects = session.dataset.as_ref().map(|_| Arc::clone(&beside.subjects));
            self.state.set_subjects(Which::Beside, subjects);
        } else {
            self.let_go_of_beside();
        }
        self.state.edits.clone_from(&session.edits);
        if !session.edits.is_empty() {
            self.edits_before.clear();
            let edits = session.edits.clone();
            let (id, cancel) = self.state.jobs.add(JobKind::Edit);
            self.worker.submit(Job { id, work: Work::Edit { edits }, cancel });
        }
        self.put_back(path, session, &places, ctx);
    }

    /// The results alone, without the model: nothing can be computed beside them.
    fn show_stored(
        &mut self,
        path: &Path,
        session: Session,
        differences: Vec<String>,
        ctx: &egui::Context,
    ) {
        let beside = session.beside.as_ref().map(|it| it.model.info()).transpose();
        let (info, beside) = match (session.model.info(), beside) {
            (Ok(info), Ok(beside)) => (Arc::new(info), beside.map(Arc::new)),
            (Err(error), _) | (_, Err(error)) => {
                self.state.error = Some(error);
                return;
            }
        };
        self.state.jobs.cancel(|kind| matches!(kind, JobKind::Load(..)));
        self.awaited = None;
        self.close_model();
        self.let_go_of_beside();
        if session.dataset.is_some() {
            self.state.facts.open(session.own_dataset());
        } else {
            self.state.facts.close();
        }
        self.state.dataset.clone_from(&session.dataset);
        let mut n_records = 0;
        let places = self.state.adopt_facts(&session.facts, |fact| {
            fact.nth.map(|_| {
                n_records += 1;
                n_records - 1
            })
        });
        self.state.model = ModelState::Open(info);
        if let (Some(info), Some(stored)) = (beside, &session.beside) {
            self.state.model_beside.model = ModelState::Open(info);
            let subjects = session.dataset.as_ref().map(|_| Arc::clone(&stored.subjects));
            self.state.set_subjects(Which::Beside, subjects);
        }
        self.state.edits.clone_from(&session.edits);
        let model = session.model.path.clone();
        self.state.stored = Some(Stored { path: path.to_owned(), model, differences });
        self.put_back(path, session, &places, ctx);
    }

    fn put_back(&mut self, path: &Path, session: Session, places: &[FactId], ctx: &egui::Context) {
        self.state.forget_steps();
        let (look, is_of_window) = (Look::of(&session), session.is_of_window());
        match look.as_ref().and_then(|it| it.typed.as_ref()) {
            Some(typed) => {
                let listed = typed.iter().filter_map(|nth| places.get(*nth).copied());
                self.state.facts.list_also(&listed.collect::<Vec<_>>());
            }
            None => self.state.facts.list_also(places),
        }
        if session.dataset.is_some() {
            self.state.subjects = Some(Arc::clone(&session.subjects));
        }
        let is_first = |it: &&Found| it.fact == 0 && it.origin == Origin::Asked;
        let first = session
            .found
            .iter()
            .find(is_first)
            .map(|it| (it.spec.clone(), it.direction, it.prompt.bos));
        let answers = look.as_ref().map_or(&[][..], |it| &it.answers);
        self.state.answers = Answers::default();
        self.state.adopt_answers(answers, places);
        for result in self.state.adopt_found(session.found, &session.changes, places) {
            self.weigh(&result);
        }
        if let Some(typed) = session.typed {
            self.weigh(&typed.result);
            self.state.adopt_typed(typed);
        }
        let painted = look.as_ref().map_or(&[][..], |it| &it.painted);
        self.state.adopt_painted(painted, places);
        if let Some(look) = &look {
            self.state.adopt_choices(look);
            self.views.workspace = look.workspace.clone();
            Workspace::reveal(ctx);
            self.state.many.open = look.sweep.clone().map(|(dir, view)| self.sweep_at(dir, view));
            self.state.selected = look.chosen.and_then(|nth| places.get(nth).copied());
            self.state.beside = look
                .beside
                .and_then(|(nth, direction)| Some(Beside { fact: *places.get(nth)?, direction }));
            if self.state.stored.is_none() {
                self.state.facts.adopt_recall(&look.recall);
                self.state.recalls.clone_from(&look.recalls);
            }
        } else {
            if is_of_window {
                self.state.notice = Some(
                    "Another version wrote this session: its results are here, its settings and \
                     arrangement are not"
                        .to_owned(),
                );
            }
            self.state.selected = places.first().copied();
            self.state.beside = None;
            if let Some((spec, direction, bos)) = first {
                self.show_asked(&spec, direction, bos);
            }
        }
        if self.state.fact().is_none() {
            self.state.row = Row::First;
        }
        self.views.facts.reveal();
        self.look();
        let saved = self.state.mark();
        self.state.session = Some(OpenSession { path: path.to_owned(), saved });
        if self.is_left_over(path) && self.state.stored.is_none() {
            // Nobody has saved it: the file that was open lacks it.
            let saved = self.state.mark().of_less();
            let file = look.and_then(|look| look.session);
            self.state.session = file.map(|path| OpenSession { path, saved });
            self.take_over(path);
            let text = match &self.state.session {
                Some(file) => {
                    let name = panels::file_name(&file.path);
                    format!("What had been found is here again; {name} lacks it until it is saved")
                }
                None => {
                    "What had been found is here again; it is in no session file yet".to_owned()
                }
            };
            self.state.notice = Some(text);
        } else if look.is_some() {
            self.state.notice = Some(format!("Opened {}", path.display()));
        }
        ctx.request_repaint();
    }

    /// Brings to the front what a command asked, with the settings of a trace as it had them: the file says
    /// nothing of a window.
    fn show_asked(&mut self, spec: &AnalysisSpec, direction: Direction, bos: Bos) {
        let before = std::mem::replace(&mut self.state.settings.bos, bos);
        self.recall_of(before);
        self.state.row = match direction {
            Direction::Forward => Row::First,
            Direction::Inverse => Row::Second,
        };
        let Some(pane) = self.state.pane_showing(spec) else { return };
        if let (Pane::Trace, AnalysisSpec::CausalTrace(trace)) = (pane, spec) {
            self.state.settings.trace = TraceSettings::of(trace);
        }
        self.views.workspace.show(pane);
    }

    /// Whether what was asked must not be computed, because the results of a file are shown without
    /// their model; says so then.
    pub(super) fn refuses(&mut self) -> bool {
        let Some(stored) = &self.state.stored else { return false };
        let name = panels::file_name(&stored.path);
        self.state.error = Some(format!(
            "Results of {name} are shown without their model, so nothing new is computed; open a \
             model to go on"
        ));
        true
    }

    /// Closes the main model. Results that are shown without their models go as a whole.
    pub(super) fn close_model(&mut self) {
        let is_stored = self.state.stored.take().is_some();
        let is_left = |which: Which| which == Which::Main || is_stored;
        self.state.jobs.abandon(|kind| {
            let is_of_model =
                !matches!(kind, JobKind::Load(..) | JobKind::CloseBeside | JobKind::AskHub(_));
            is_of_model && is_left(kind.which())
        });
        self.state.forget(|key| is_left(key.which));
        if is_stored {
            self.state.forget_model_beside();
        }
        self.state.model = ModelState::None;
        self.state.edits = Vec::new();
        self.state.recalls = Recalls::default();
        // Another model has numbers of its own for what a sweep has asked.
        self.state.swept = None;
        self.state.forget_edits();
        self.state.subjects = None;
        self.state.answers.settled.clear();
        self.state.stop_waiting();
        self.state.session = None;
    }
}
