//! What is heard from the worker, and from the threads of the window.

use std::sync::Arc;
use std::time::Instant;

use eframe::egui;

use super::{App, AwaitedSession};
use crate::analysis::AnalysisResult;
use crate::facts::Dataset;
use crate::figure::words::counted;
use crate::session::{DatasetIdentity, Origin};
use crate::tokens::Bos;
use crate::ui::dialogs::Purpose;
use crate::ui::pane::Pane;
use crate::ui::panels;
use crate::ui::path_prompt::Why;
use crate::ui::reply::Reply;
use crate::ui::row::Row;
use crate::ui::state::{
    Beside, Estimated, FactId, JobKind, ManyJob, ModelState, Outcome, Recalls, RunState, Unsures,
    capitalized,
};
use crate::ui::view::Selection;
use crate::worker::{Event, JobId, ModelInfo, Which};

impl App {
    pub(super) fn apply(&mut self, event: Event, ctx: &egui::Context) {
        match event {
            Event::Stage(id, stage) => {
                self.state.jobs.enter(id, stage);
            }
            Event::Progress(id, progress) => {
                self.state.jobs.advance(id, progress, Instant::now());
                self.sweep_grows(id, false);
            }
            Event::Took(id, took) => {
                if let Some(job) = self.state.jobs.get_mut(id) {
                    job.took = Some(took);
                }
            }
            Event::Partial(id, result) => {
                if let Some(run) = self.state.run_of(id) {
                    run.result = Some(result);
                }
            }
            Event::Loaded(id, info) => {
                let which = self.state.is_loading(id);
                if self.state.jobs.end(id, Outcome::Done).is_some() {
                    match which {
                        Some(Which::Main) => self.loaded(id, info, ctx),
                        Some(Which::Beside) => self.loaded_beside(info, ctx),
                        None => {}
                    }
                }
            }
            Event::Closed(id) => _ = self.state.jobs.end(id, Outcome::Done),
            Event::Edited(id) => {
                if self.state.jobs.end(id, Outcome::Done).is_some() {
                    let n = self.state.edits.len();
                    let notice = match n {
                        0 => "The model is as it was opened".to_owned(),
                        1 => "All views show the changed model".to_owned(),
                        n => format!("All views show the model with {n} changes"),
                    };
                    self.state.notice = Some(notice);
                    self.edit_on();
                }
            }
            Event::Finished(id, result) => self.finished(id, &result),
            Event::Done(id) => {
                let job = self.state.jobs.end(id, Outcome::Done);
                if let Some(job) = job {
                    match job.kind {
                        JobKind::Recall(key) => self.asked_for_fact(key, &job),
                        _ if job.kind.is_sweep() => {
                            let notice = "All facts of the sweep are asked";
                            self.state.notice = Some(notice.to_owned());
                        }
                        _ => {}
                    }
                }
                self.sweep_grows(id, true);
            }
            Event::Cancelled(id) => {
                if self.state.changing() == Some(id) {
                    self.not_edited();
                    self.state.notice = Some("Cancelled; the model is not changed".to_owned());
                }
                self.sweep_grows(id, true);
                self.estimated(id, Estimated::Failed("The trial was stopped".to_owned()));
                if let Some(which) = self.state.is_loading(id) {
                    let left = self.not_loaded(id, which);
                    self.state.notice = Some(format!("Cancelled; {left}"));
                }
                self.stopped(id, RunState::Cancelled, &Outcome::Cancelled);
                self.edit_on();
            }
            Event::Failed(id, message) => {
                let message = capitalized(&message);
                if self.state.changing() == Some(id) {
                    self.not_edited();
                    self.state.error = Some(format!("The model is not changed: {message}"));
                }
                self.sweep_grows(id, true);
                self.estimated(id, Estimated::Failed(message.clone()));
                match self.state.jobs.get(id).map(|job| &job.kind) {
                    Some(kind) if kind.is_asked() => self.state.complain_of_fact(message.clone()),
                    Some(JobKind::Many(_, ManyJob::Sweep(_) | ManyJob::Fact)) => {
                        self.state.error = Some(message.clone());
                    }
                    _ => {}
                }
                if let Some(which) = self.state.is_loading(id) {
                    let left = capitalized(&self.not_loaded(id, which));
                    self.state.error = Some(format!("{message}\n{left}"));
                }
                self.stopped(id, RunState::Failed(message.clone()), &Outcome::Failed(message));
                self.edit_on();
            }
        }
    }

    /// The model is still as it was before the last edit, which failed or was stopped.
    fn not_edited(&mut self) {
        let before = std::mem::take(&mut self.edits_before);
        self.change_model(before);
        self.look();
    }

    /// A model could not be opened, or was not wanted any more. Says what is open in its place.
    fn not_loaded(&mut self, id: JobId, which: Which) -> String {
        self.awaited.take_if(|(job, _)| *job == id);
        if self.state.model_of(which).is_loading(id) {
            match which {
                Which::Main => self.state.model = ModelState::None,
                Which::Beside => {
                    self.state.forget_model_beside();
                    self.state.row = Row::First;
                }
            }
        }
        // What was stopped for it, and is shown unasked.
        self.look();
        self.left_open(which)
    }

    /// A method has come to its end.
    fn finished(&mut self, id: JobId, result: &Arc<AnalysisResult>) {
        let mut is_asked = false;
        if let Some(run) = self.state.run_of(id) {
            run.result = Some(Arc::clone(result));
            run.state = RunState::Done;
            is_asked = run.origin == Origin::Asked;
        }
        let Some(job) = self.state.jobs.end(id, Outcome::Done) else { return };
        match job.kind {
            JobKind::Run { key, pane, .. } => {
                self.state.n_found += 1;
                self.state.n_asked += u64::from(is_asked);
                self.weigh(result);
                let took = job.took.unwrap_or_default();
                self.state.learn_pace(key.which, result, took);
                if let Some(findings) = self.state.findings_of(key) {
                    findings.foresee();
                }
                if pane == Pane::Spec {
                    self.state.share_experiment();
                }
                self.trace_what_is_quick();
            }
            JobKind::Load(..)
            | JobKind::CloseBeside
            | JobKind::Edit
            | JobKind::AskHub(_)
            | JobKind::Recall(_)
            | JobKind::Many(..) => {}
        }
    }

    /// A job has ended before it came to its end.
    fn stopped(&mut self, id: JobId, state: RunState, outcome: &Outcome) {
        if let Some(run) = self.state.run_of(id) {
            run.state = state;
        }
        let job = self.state.jobs.end(id, outcome.clone());
        if let Some(JobKind::Recall(key)) = job.map(|job| job.kind) {
            self.not_recalled(key, outcome);
        }
    }

    /// A model takes the place of the one that was open.
    fn loaded(&mut self, id: JobId, info: Arc<ModelInfo>, ctx: &egui::Context) {
        // A tokenizer that begins texts in another way than the last one's brings its own habit.
        let usual = |it: &Arc<ModelInfo>| it.tokenizer.default_bos();
        let before = self.state.info().map_or(Bos::Off, usual);
        let own = Some(usual(&info)).filter(|it| *it != before);
        if let Some(bos) = self.given_bos.take().or(own) {
            self.state.settings.bos = bos;
        }
        self.close_model();
        self.edits_next = None;
        self.state.pace.forget(Which::Main);
        self.state.unsure = Unsures::default();
        self.state.selection = Selection::default();
        self.state.painted.forget();
        self.state.preferences.remember_model(&info.dir);
        self.state.notice = Some(format!("Opened {} in {:.1} s", info.name, info.load_secs));
        self.state.model = ModelState::Open(info);
        let mut awaited = self.awaited.take_if(|(job, _)| *job == id).map(|(_, it)| it);
        if let Some(awaited) = &mut awaited {
            match awaited.dataset.take() {
                Some(dataset) => self.state.facts.open(dataset),
                None => self.state.facts.close(),
            }
            self.state.dataset.clone_from(&awaited.session.dataset);
        }
        self.forget_recall();
        self.state.recalls = Recalls::default();
        self.count_subjects(ctx);
        match awaited {
            Some(AwaitedSession { path, session, .. }) => self.adopt_session(&path, session, ctx),
            None => self.look(),
        }
    }

    fn loaded_beside(&mut self, info: Arc<ModelInfo>, ctx: &egui::Context) {
        if self.state.info_of(Which::Beside).is_some() {
            self.state.forget_model_beside();
            self.place_beside();
        }
        self.state.pace.forget(Which::Beside);
        self.state.unsure = Unsures::default();
        self.state.preferences.remember_model(&info.dir);
        let text = format!("Opened {} beside in {:.1} s", info.name, info.load_secs);
        self.state.notice = Some(text);
        self.state.model_beside.model = ModelState::Open(info);
        if self.state.subjects_of(Which::Beside).is_none() {
            self.count_subjects_of(Which::Beside, ctx);
        }
        self.look();
    }

    pub(super) fn hear(&mut self, reply: Reply, ctx: &egui::Context) {
        if matches!(reply, Reply::Picked { .. }) {
            self.state.dialog = None;
        }
        match reply {
            Reply::Picked { purpose, path: Some(path), .. } => match purpose.accept(path.clone()) {
                Ok(command) => self.commands.push(command),
                Err(error) => match &mut self.export {
                    Some(dialog) if purpose == Purpose::Figure => dialog.refuse(&path, error),
                    _ => {
                        self.state.error = Some(error);
                        self.stay_unless_named();
                    }
                },
            },
            Reply::Picked { purpose, path: None, is_missing: true } => match &mut self.export {
                Some(dialog) if purpose == Purpose::Figure => dialog.has_no_picker(),
                _ => self.prompt_for(purpose, Why::NoDialog),
            },
            Reply::Picked { .. } => {
                if self.stay_unless_named() {
                    let text = "Not saved, since no file was picked: the window stays as it is";
                    self.state.notice = Some(text.to_owned());
                }
            }
            Reply::Checked { which, dir, checked } => self.model_checked(which, dir, checked),
            #[cfg(feature = "hub")]
            Reply::Hub(id, told) => self.hear_hub(id, told),
            Reply::Dataset { path, read } => {
                if self.state.reading.as_ref() == Some(&path) {
                    self.state.reading = None;
                    match read {
                        Ok(read) => self.dataset_read(path, read, ctx),
                        Err(error) => {
                            let left = self.dataset_left_open();
                            self.state.error = Some(format!("{error}\n{left}"));
                        }
                    }
                }
            }
            Reply::Subjects { dataset, which, model, tokens, flags } => {
                let is_current = self.state.facts.dataset_path() == Some(&dataset)
                    && self.state.info_of(which).is_some_and(|info| Arc::ptr_eq(info, &model));
                if is_current {
                    self.state.set_subjects(which, Some(tokens));
                    // The list tells of the main model.
                    if which == Which::Main {
                        self.state.facts.set_flags(flags);
                    }
                    self.trace_waiting();
                    self.look();
                }
            }
            Reply::Question { written, asked, model } => {
                self.ask_spec(*written, asked, &model);
            }
            Reply::Session { path, read } => self.session_read(&path, read, ctx),
            Reply::SessionSaved { path, saved } => self.session_saved(path, saved, ctx),
            Reply::ReportSaved { path, saved } => self.report_saved(&path, saved),
            Reply::Recorded { nth, records } => self.recorded(nth, records, ctx),
            Reply::Drawn { nth, path, drawn } => self.drawn(nth, &path, drawn, ctx),
            Reply::Kept { kept, took } => self.kept(kept, took),
            Reply::Estimated(id, found) => self.estimated(id, *found),
            reply @ (Reply::Swept { .. } | Reply::FactOfSweep { .. }) => {
                self.hear_sweep(reply, ctx);
            }
            Reply::Weighed { result, n_bytes } => self.weighed(&result, n_bytes, ctx),
            Reply::Screenshot { path, saved } => {
                if let Some(errand) = &mut self.errand {
                    errand.saved();
                }
                match saved {
                    Ok(()) => self.state.notice = Some(format!("Saved {}", path.display())),
                    Err(error) => {
                        let place = path.display();
                        self.state.error =
                            Some(format!("The screenshot cannot be saved: {error}: {place}"));
                    }
                }
            }
        }
    }

    pub(super) fn adopt(
        &mut self,
        identity: DatasetIdentity,
        dataset: Dataset,
        ctx: &egui::Context,
    ) {
        if self.state.stored.is_some() {
            self.close_model();
        }
        self.state.session = None;
        self.state.recalls = Recalls::default();
        self.state.forget(|key| matches!(key.fact, FactId::Record(_)));
        self.state.painted.forget();
        self.state.answers.forget_records();
        self.state.forget_steps();
        self.state.preferences.remember_dataset(&dataset.path);
        let name = panels::file_name(&dataset.path);
        let n_facts = counted(dataset.records.len(), "fact");
        let left_out = match dataset.n_skipped() {
            0 => String::new(),
            n => format!("; {} left out", counted(n, "record")),
        };
        self.state.notice = Some(format!("Opened {name} with {n_facts}{left_out}"));
        self.state.facts.open(dataset);
        self.state.recall_goes_on = None;
        self.state.dataset = Some(identity);
        self.state.stop_waiting();
        self.count_subjects(ctx);
        if matches!(self.state.beside, Some(Beside { fact: FactId::Record(_), .. })) {
            self.state.beside = None;
        }
        if !matches!(self.state.selected, Some(FactId::Typed(_))) {
            self.state.selected = None;
            self.select(FactId::Record(0));
            self.views.facts.reveal();
        }
    }
}
