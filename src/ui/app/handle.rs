//! What each command does: the one place where a click becomes a change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use eframe::egui;

use super::{App, Reply};
use crate::analysis::attribution_patching::{self, BasePoint, Windows};
use crate::analysis::causal_trace::Component;
use crate::analysis::{AnalysisResult, AnalysisSpec, Metric, ModelEdit, prediction};
use crate::builtin;
use crate::facts::{Dataset, Direction};
use crate::session::EXTENSION;
use crate::tokens::TokenizedPrompt;
use crate::tokens::flags;
use crate::ui::command::{Command, Step};
use crate::ui::dialogs::{self, PathPrompt, Purpose, Why};
use crate::ui::palette::Palette;
use crate::ui::pane::Pane;
use crate::ui::panels::{self, Help};
use crate::ui::screenshot;
use crate::ui::state::{
    Beside, FactId, FactKey, JobKind, ModelState, Quick, Slot, Study, TraceRun, TraceState,
    capitalized, subject_tokens,
};
use crate::ui::view::{Selection, ViewAction};
use crate::worker::{Job, JobId, Work};

/// In a model of fewer numbers a question is answered faster than a frame is drawn.
const SMALL: u64 = 50_000_000;

/// What can be stepped through.
#[derive(Clone, Copy)]
enum Axis {
    Layer,
    Head,
    Token,
}

impl App {
    #[expect(clippy::too_many_lines, reason = "the list of all that can be asked of the window")]
    pub(super) fn handle(&mut self, command: Command, ctx: &egui::Context) {
        match command {
            Command::OpenModel => self.ask(Purpose::Model, ctx),
            Command::OpenDataset => self.ask(Purpose::Dataset, ctx),
            Command::SaveScreenshot => self.ask(Purpose::Screenshot, ctx),
            Command::TypeModelPath => self.prompt_for(Purpose::Model, Why::Wanted),
            Command::TypeDatasetPath => self.prompt_for(Purpose::Dataset, Why::Wanted),
            Command::TypeScreenshotPath => self.prompt_for(Purpose::Screenshot, Why::Wanted),
            Command::OpenModelAt(dir) => self.open_model(dir),
            Command::OpenDatasetAt(path) => self.open_dataset(path, ctx),
            Command::SaveScreenshotTo(path) => {
                self.state.settings.screenshot_dir = path.parent().map(Path::to_owned);
                screenshot::capture(ctx, path, &self.replies);
            }
            Command::SaveFigure(_)
            | Command::SaveFigureTo(_)
            | Command::SaveFigureOf(_)
            | Command::CopyTable(_)
            | Command::CopyTableOf(_)
            | Command::CopyFigureOf(_)
            | Command::CopyImage(_)
            | Command::CopyImageOf(_)
            | Command::CopyCommandLineOf(_)
            | Command::SetFigureScale(_)
            | Command::SaveSpec(_)
            | Command::SaveSpecTo(_) => self.take_away(command, ctx),
            Command::OpenSession
            | Command::OpenSessionAt(_)
            | Command::SaveSession
            | Command::SaveSessionAs
            | Command::SaveSessionTo(_) => self.session_command(command, ctx),
            Command::TypeSessionPath => self.prompt_for(Purpose::Session, Why::Wanted),
            Command::Quit => self.quit(ctx),
            Command::AnswerClosing(answer) => self.answer_closing(answer, ctx),

            Command::SetTheme(theme) => {
                self.state.settings.theme = theme;
                ctx.set_theme(theme);
            }
            Command::ZoomIn => egui::gui_zoom::zoom_in(ctx),
            Command::ZoomOut => egui::gui_zoom::zoom_out(ctx),
            Command::ZoomReset => ctx.set_zoom_factor(1.0),

            Command::ShowPane(pane) => self.views.workspace.show(pane),
            Command::ClosePane(pane) => self.views.workspace.close(pane),
            Command::ResetLayout => self.views.workspace.reset(),
            Command::SpreadViews => self.views.workspace.spread(),

            Command::SetBos(bos) => {
                self.state.settings.bos = bos;
                self.forget_recall();
                self.state.selection = Selection::default();
                self.look();
            }
            Command::SetDevice(device) => {
                self.state.device = device;
                let dir = match &self.state.model {
                    ModelState::None => return,
                    ModelState::Loading { dir, .. } => dir.clone(),
                    ModelState::Open(info) => info.dir.clone(),
                };
                self.open_model(dir);
            }

            Command::Select(fact) => self.select(fact),
            Command::LookAt(direction) => self.look_at(direction),
            Command::Flip => {
                let other = self.state.directions().find(|it| *it != self.state.direction);
                if let Some(direction) = other {
                    self.look_at(direction);
                }
            }
            Command::KeepBeside => self.state.beside = self.state.to_be_kept(),
            Command::ShowBeside(fact) => {
                self.show_beside(Some(Beside { fact, direction: Direction::Forward }));
            }
            Command::DropBeside => self.show_beside(None),
            Command::NextFact => self.step(1),
            Command::PreviousFact => self.step(-1),
            Command::StepLayer(step) => self.step_selection(step, Axis::Layer),
            Command::StepHead(step) => self.step_selection(step, Axis::Head),
            Command::StepToken(step) => self.step_selection(step, Axis::Token),
            Command::FocusSearch => panels::focus_search(ctx),
            Command::AddFact(fact) => {
                let id = self.state.facts.add(fact);
                self.select(id);
                self.views.facts.reveal();
            }

            Command::Trace => self.trace(),
            Command::Study(pane) => self.study(pane),
            Command::CancelStudy => {
                self.state.jobs.cancel(|kind| matches!(kind, JobKind::Study(_)));
            }
            Command::ApplyEdit(pane) => self.apply_edit(pane),
            Command::DropEdits => self.edit(Vec::new()),
            Command::ShowDifference(is_on) => {
                self.state.settings.trace_pair.shows_difference = is_on;
            }
            Command::WeighAttention(weighting) => {
                if weighting != self.state.settings.attention.weighting && !self.refuses() {
                    self.state.settings.attention.weighting = weighting;
                    self.look();
                }
            }
            Command::SetSameScale(is_on) => self.state.settings.trace_pair.has_same_scale = is_on,
            Command::SetMeasuresRecall(is_on) => self.state.settings.measures_recall = is_on,
            Command::Cancel => self.cancel(),
            Command::CancelLoading => {
                self.state.jobs.cancel(|kind| matches!(kind, JobKind::Load(_)));
            }
            Command::Paint(paint) => {
                if let Some(key) = self.state.key() {
                    self.state.painted.change(key, paint);
                }
            }
            Command::View(ViewAction::Select(selection)) => {
                self.state.selection = selection;
                self.look();
                self.follow_cell();
            }
            // Shown, not looked up: the worker is asked nothing.
            Command::Hover(hovered) => self.state.hovered = Some(hovered),
            Command::View(ViewAction::Hover(_)) => {}
            Command::View(ViewAction::SplitBy(parts)) => {
                self.state.parts = parts;
                self.look();
            }

            Command::Match(convention) => {
                let bos = self.state.settings.bos;
                convention.apply(&mut self.state.settings);
                self.bos_may_have_changed(bos);
                self.look();
            }
            Command::RaiseJob(_)
            | Command::LowerJob(_)
            | Command::CancelJob(_)
            | Command::CancelAllJobs
            | Command::ShowEnded(_)
            | Command::AskAgain(_)
            | Command::ForgetEnded => self.job_command(&command),
            Command::ForgetResults => {
                if !self.refuses() {
                    self.state.forget_results();
                    self.state.notice = Some("All results are forgotten".to_owned());
                    self.look();
                }
            }
            Command::SetResultsLimit(limit) => {
                self.state.settings.results_limit_mb = limit;
                self.evict();
            }
            Command::DismissError => self.state.error = None,
            Command::DismissHint => self.state.settings.knows_hint = true,
            Command::ShowPalette => self.palette = Some(Palette::default()),
            Command::Undo => {
                let bos = self.state.settings.bos;
                if self.state.undo() {
                    self.recall_of(bos);
                    self.look();
                    self.views.facts.reveal();
                }
            }
            Command::Redo => {
                let bos = self.state.settings.bos;
                if self.state.redo() {
                    self.recall_of(bos);
                    self.look();
                    self.views.facts.reveal();
                }
            }
            Command::ShowShortcuts | Command::ShowAbout => self.show_help(&command),
        }
    }

    fn show_help(&mut self, command: &Command) {
        let is_about = *command == Command::ShowAbout;
        self.help = Some(if is_about { Help::About } else { Help::Shortcuts });
    }

    // Opening.

    pub(super) fn ask(&mut self, purpose: Purpose, ctx: &egui::Context) {
        let dir = self.last_dir(purpose);
        let asked = dialogs::ask(&self.picker, purpose, dir.as_deref(), ctx, &self.replies);
        if asked.is_err() {
            self.prompt_for(purpose, Why::NoDialog);
        }
    }

    pub(super) fn prompt_for(&mut self, purpose: Purpose, why: Why) {
        let dir = self.last_dir(purpose);
        self.path_prompt = Some(PathPrompt::new(purpose, dir.as_deref(), why));
    }

    pub(super) fn last_dir(&self, purpose: Purpose) -> Option<PathBuf> {
        let settings = &self.state.settings;
        match purpose {
            Purpose::Model => Some(settings.recent_models.first()?.parent()?.to_owned()),
            Purpose::Dataset => Some(settings.recent_datasets.first()?.parent()?.to_owned()),
            Purpose::Session => Some(settings.recent_sessions.first()?.parent()?.to_owned()),
            Purpose::SavedSession | Purpose::Screenshot | Purpose::Figure | Purpose::Spec => {
                settings.screenshot_dir.clone()
            }
        }
    }

    pub(super) fn open_model(&mut self, dir: PathBuf) {
        // Checked here, so that a slip does not cost the model that is open.
        let dir = match Purpose::Model.accept(dir) {
            Ok(Command::OpenModelAt(dir)) if builtin::find(&dir).is_some() => dir,
            Ok(Command::OpenModelAt(dir)) => std::path::absolute(&dir).unwrap_or(dir),
            Ok(_) => return,
            Err(error) => {
                self.state.error = Some(error);
                return;
            }
        };
        self.close_model();
        self.state.subjects = None;
        self.state.selection = Selection::default();
        self.state.painted.forget();
        self.state.edits = Vec::new();
        self.state.error = None;
        let (id, cancel) = self.state.jobs.add(JobKind::Load(dir.clone()));
        self.state.model = ModelState::Loading { job: id, dir: dir.clone() };
        let work = Work::Load { dir, device: self.state.device };
        self.worker.submit(Job { id, work, cancel });
    }

    pub(super) fn open_dataset(&mut self, path: PathBuf, ctx: &egui::Context) {
        let is_builtin = path == Path::new(Dataset::BUNDLED);
        let path = if is_builtin { path } else { std::path::absolute(&path).unwrap_or(path) };
        self.state.error = None;
        self.state.reading = Some(path.clone());
        let (ctx, replies, path_then) = (ctx.clone(), self.replies.clone(), path.clone());
        let thread = thread::Builder::new().name("dataset".to_owned()).spawn(move || {
            let dataset = Dataset::load(&path).map_err(|error| capitalized(&error));
            // The window has closed: nobody to tell.
            _ = replies.send(Reply::Dataset { path, dataset });
            ctx.request_repaint();
        });
        if let Err(error) = thread {
            let dataset = Err(format!("The dataset cannot be read: {error}"));
            self.hear(Reply::Dataset { path: path_then, dataset }, &egui::Context::default());
        }
    }

    /// The tokens that noise is measured on, and what to beware of in each fact; for a large
    /// dataset they take a while.
    pub(super) fn count_subjects(&mut self, ctx: &egui::Context) {
        self.state.tell_taught();
        self.state.subjects = None;
        let (Some(model), Some(dataset)) =
            (self.state.info().cloned(), self.state.facts.dataset.as_ref())
        else {
            return;
        };
        let facts = dataset.clone();
        let (ctx, replies) = (ctx.clone(), self.replies.clone());
        let thread = thread::Builder::new().name("subjects".to_owned()).spawn(move || {
            let tokens = subject_tokens(&model.tokenizer, facts.subjects());
            let flags = flags(&facts.records, &model.tokenizer);
            let dataset = facts.path;
            // The window has closed: nobody to tell.
            _ = replies.send(Reply::Subjects { dataset, model, tokens, flags });
            ctx.request_repaint();
        });
        if let Err(error) = thread {
            self.state.error = Some(format!("The subjects cannot be counted: {error}"));
        }
    }

    /// What is dropped on the window is opened as what it looks like.
    pub(super) fn drop_file(&mut self, path: &Path, ctx: &egui::Context) {
        let is_session = path.extension().is_some_and(|it| it.eq_ignore_ascii_case(EXTENSION));
        let is_dataset = path.extension().is_some_and(|extension| {
            Dataset::EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known))
        });
        if path.is_dir() {
            self.open_model(path.to_owned());
        } else if path.file_name().is_some_and(|name| name == "config.json")
            && let Some(dir) = path.parent()
        {
            self.open_model(dir.to_owned());
        } else if is_session {
            self.open_session(path.to_owned(), ctx);
        } else if is_dataset {
            self.open_dataset(path.to_owned(), ctx);
        } else {
            self.state.error = Some(format!(
                "Neither a model folder (with a config.json), a dataset ({}) nor a session \
                 (.factscope) was dropped: {}",
                Dataset::EXTENSIONS.join(", "),
                path.display()
            ));
        }
    }

    // Choosing.

    pub(super) fn select(&mut self, fact: FactId) {
        if self.state.selected != Some(fact) {
            self.state.selected = Some(fact);
            self.state.selection = Selection::default();
            self.state.trace_waits = false;
        }
        // Not every fact has an inverse, and what is kept beside it is not what was chosen.
        if self.state.fact().is_none() || self.state.beside.is_some() {
            self.state.direction = Direction::Forward;
        }
        self.look();
    }

    fn show_beside(&mut self, beside: Option<Beside>) {
        if self.state.beside == beside {
            return;
        }
        self.state.beside = beside;
        if self.state.direction == Direction::Inverse {
            self.state.direction = Direction::Forward;
            self.state.selection.position = None;
        }
        self.look();
    }

    fn look_at(&mut self, direction: Direction) {
        if self.state.direction != direction && self.state.key_of(direction).is_some() {
            self.state.direction = direction;
            // Positions of one prompt mean nothing in the other.
            self.state.selection.position = None;
            self.look();
        }
    }

    pub(super) fn step(&mut self, step: isize) {
        if let Some(fact) = self.state.facts.neighbour(self.state.selected, step) {
            self.select(fact);
            self.views.facts.reveal();
        }
    }

    /// From the first or the last, where nothing is picked out yet.
    fn step_selection(&mut self, step: Step, axis: Axis) {
        let (Some(info), Some(prompt)) = (self.state.info(), self.state.prompt()) else { return };
        let config = &info.config;
        let n = match axis {
            Axis::Layer => config.n_layers,
            Axis::Head => config.n_heads,
            Axis::Token => prompt.n_pos(),
        };
        let selection = &mut self.state.selection;
        let at = match axis {
            Axis::Layer => &mut selection.layer,
            Axis::Head => &mut selection.head,
            Axis::Token => &mut selection.position,
        };
        *at = Some(match (*at, step) {
            (Some(at), Step::Next) => (at + 1).min(n - 1),
            (Some(at), Step::Previous) => at.saturating_sub(1),
            (None, Step::Next) => 0,
            (None, Step::Previous) => n - 1,
        });
        self.look();
    }

    /// Asks for what the panels show of the chosen fact and is not known yet: everything in the
    /// direction that is looked at, and the prediction in the other.
    pub(super) fn look(&mut self) {
        let keys: Vec<FactKey> = self
            .state
            .directions()
            .collect::<Vec<_>>()
            .into_iter()
            .filter_map(|direction| self.state.visit(direction))
            .collect();
        self.leave(&keys);
        for key in keys {
            let wanted = panels::wanted(self.state.parts);
            let is_looked_at = key.direction == self.state.direction;
            let wanted = if is_looked_at { &wanted[..] } else { &[Quick::Prediction] };
            for &quick in wanted {
                self.want(key, quick);
            }
        }
    }

    /// Asks for one result, unless it is there or on its way.
    fn want(&mut self, key: FactKey, quick: Quick) {
        if self.state.stored.is_some() {
            return;
        }
        let Some(config) = self.state.info().map(|info| info.config) else { return };
        let layer = self.state.selection.layer.unwrap_or(0).min(config.n_layers - 1);
        let weighting = self.state.settings.attention.weighting;
        let Some(findings) = self.state.findings_of(key) else { return };
        let Ok(prompt) = findings.prompt.clone() else { return };
        let is_needed = match findings.quick(quick) {
            Slot::Missing => true,
            Slot::Found(result) => match &**result {
                AnalysisResult::Attention(it) => {
                    !it.spec.layers.contains(&layer) || it.spec.weighting != weighting
                }
                _ => false,
            },
            Slot::Waiting(_) | Slot::Failed(_) => false,
        };
        if is_needed {
            let spec = quick.spec(&config, prompt.n_pos(), layer, weighting);
            let id = self.analyse(JobKind::Quick(key, quick), prompt, spec);
            if let Some(findings) = self.state.findings_of(key) {
                *findings.quick_mut(quick) = Slot::Waiting(id);
            }
        }
    }

    /// Nobody looks at the facts that were chosen before.
    fn leave(&mut self, now: &[FactKey]) {
        let is_left = |kind: &JobKind| matches!(kind, JobKind::Quick(key, _) if !now.contains(key));
        let left: Vec<(FactKey, Quick)> = self
            .state
            .jobs
            .iter()
            .filter_map(|(_, job)| match job.kind {
                JobKind::Quick(key, quick) if is_left(&job.kind) => Some((key, quick)),
                _ => None,
            })
            .collect();
        for (key, quick) in left {
            if let Some(findings) = self.state.findings_of(key) {
                *findings.quick_mut(quick) = Slot::Missing;
            }
        }
        self.state.jobs.abandon(is_left);
    }

    pub(super) fn analyse(
        &mut self,
        kind: JobKind,
        prompt: Arc<TokenizedPrompt>,
        spec: AnalysisSpec,
    ) -> JobId {
        let asked = self.asked(&kind, &prompt);
        let is_held = asked.is_some() && self.state.jobs.is_busy();
        let (id, cancel) = self.state.jobs.add(kind);
        if let Some(job) = self.state.jobs.get_mut(id) {
            job.asked = asked.map(Box::new);
        }
        let job = Job { id, work: Work::Analyse { prompt, spec }, cancel };
        if is_held {
            self.state.jobs.hold(job);
        } else {
            self.worker.submit(job);
        }
        id
    }

    // Recall.

    /// Whatever was measured was of another model, or of other prompts.
    pub(super) fn forget_recall(&mut self) {
        self.state.jobs.abandon(|kind| matches!(kind, JobKind::Recall(..)));
        let n_facts = self.state.facts.dataset.as_ref().map_or(0, |it| it.records.len());
        self.state.facts.recall_mut().reset(n_facts);
        self.state.facts.recalled();
    }

    /// Asks the model for the dataset's facts one by one, while nothing else is to be done.
    pub(super) fn measure_recall(&mut self) {
        if !self.state.settings.measures_recall || self.state.stored.is_some() {
            return;
        }
        let Some(info) = self.state.info().cloned() else { return };
        // In a large one, whoever chooses a fact should not wait for more than the one under way.
        let n_ahead = if info.config.n_params() < SMALL { 16 } else { 2 };
        while self.state.jobs.iter().all(|(_, job)| matches!(job.kind, JobKind::Recall(..)))
            && self.state.jobs.iter().count() < n_ahead
        {
            let Some((nth, direction)) = self.state.facts.recall_mut().take_next() else { return };
            let fact = self.state.facts.get(FactId::Record(nth)).and_then(|it| it.fact(direction));
            let prompt = fact.filter(|fact| fact.answer.is_some()).and_then(|fact| {
                TokenizedPrompt::new(&info.tokenizer, fact, self.state.settings.bos).ok()
            });
            match prompt {
                Some(prompt) => {
                    let spec = AnalysisSpec::Prediction(prediction::Spec { n_top: 1 });
                    self.analyse(JobKind::Recall(nth, direction), Arc::new(prompt), spec);
                }
                None => self.state.facts.recall_mut().set(nth, direction, None),
            }
        }
    }

    // Tracing.

    /// Starts the traces that the controls describe, of the fact and of its inverse, the one that
    /// is looked at first, unless they are there or on their way.
    pub(super) fn trace(&mut self) {
        let mut directions: Vec<Direction> = self.state.directions().collect();
        directions.sort_by_key(|direction| *direction != self.state.direction);
        for direction in directions {
            self.trace_one(direction);
        }
    }

    fn trace_one(&mut self, direction: Direction) {
        let Some(key) = self.state.key_of(direction) else { return };
        let Some(findings) = self.state.findings_of(key) else { return };
        let Ok(prompt) = findings.prompt.clone() else { return };
        if prompt.subject.is_none() {
            return;
        }
        let Some(spec) = self.state.trace_spec(direction) else {
            self.state.trace_waits = true;
            return;
        };
        self.state.trace_waits = false;
        let known = self.state.trace(direction).map(|run| &run.state);
        if matches!(known, Some(TraceState::Running(_) | TraceState::Complete)) {
            return;
        }
        if self.refuses() {
            return;
        }
        if attribution_patching::Spec::is_of(&spec) {
            // Held windows are closer, and take a large model more than the few passes that are
            // worth waiting for.
            let is_small = self.state.info().is_some_and(|it| it.config.n_params() < SMALL);
            let windows = if is_small { Windows::Held } else { Windows::Added };
            let preview = AnalysisSpec::AttributionPatching(attribution_patching::Spec {
                trace: spec.clone(),
                base: BasePoint::Corrupted,
                metric: previewed(spec.component),
                windows,
                n_verified: 0,
            });
            self.analyse(JobKind::Preview(key), Arc::clone(&prompt), preview);
        }
        let id = self.analyse(JobKind::Trace(key), prompt, AnalysisSpec::CausalTrace(spec.clone()));
        if let Some(findings) = self.state.findings_of(key) {
            findings.traces.retain(|run| run.spec != spec);
            let state = TraceState::Running(id);
            findings.traces.push(TraceRun { spec, state, result: None, preview: None });
        }
    }

    /// Starts the ablation or the knockout that the controls describe, as [`App::trace`] does.
    pub(super) fn study(&mut self, pane: Pane) {
        self.views.workspace.show(pane);
        let mut directions: Vec<Direction> = self.state.study_directions(pane).collect();
        directions.sort_by_key(|direction| *direction != self.state.direction);
        for direction in directions {
            self.study_one(pane, direction);
        }
    }

    fn study_one(&mut self, pane: Pane, direction: Direction) {
        let Some(key) = self.state.key_of(direction) else { return };
        let spec = match self.state.study_spec(pane, direction) {
            Ok(spec) => spec,
            Err(error) => {
                self.state.error = Some(capitalized(&error));
                return;
            }
        };
        let known = self.state.study(pane, direction).map(|study| &study.state);
        if matches!(known, Some(TraceState::Running(_) | TraceState::Complete)) {
            return;
        }
        if self.refuses() {
            return;
        }
        let Some(findings) = self.state.findings_of(key) else { return };
        let Ok(prompt) = findings.prompt.clone() else { return };
        let id = self.analyse(JobKind::Study(key), prompt, spec.clone());
        if let Some(asked) = self.state.jobs.get_mut(id).and_then(|job| job.asked.as_mut()) {
            asked.pane = pane;
        }
        if let Some(findings) = self.state.findings_of(key) {
            findings.studies.retain(|study| study.spec != spec);
            findings.studies.push(Study { spec, state: TraceState::Running(id), result: None });
        }
    }

    /// Where the cell of a trace is looked into, the one that is picked out is, unasked: that is a
    /// few passes. What was asked for before is let go.
    fn follow_cell(&mut self) {
        let (pane, direction) = (Pane::Cell, self.state.direction);
        if !self.views.workspace.is_in_front(pane) {
            return;
        }
        let Ok(spec) = self.state.study_spec(pane, direction) else { return };
        let left: Vec<JobId> = self
            .state
            .findings()
            .into_iter()
            .flat_map(|it| &it.studies)
            .filter(|study| matches!(study.spec, AnalysisSpec::TraceCell(_)) && study.spec != spec)
            .filter_map(|study| match study.state {
                TraceState::Running(id) => Some(id),
                _ => None,
            })
            .collect();
        for job in left.into_iter().filter_map(|id| self.state.jobs.get(id)) {
            job.cancel.cancel();
        }
        self.study_one(pane, direction);
    }

    /// One edit more, as the view's settings describe it.
    fn apply_edit(&mut self, pane: Pane) {
        let direction = self.state.direction;
        match self.state.study_spec(pane, direction).map(ModelEdit::tried_by) {
            Ok(Some(edit)) => {
                let edits = self.state.edits.iter().cloned().chain([edit]).collect();
                self.edit(edits);
            }
            Ok(None) => {}
            Err(error) => self.state.error = Some(capitalized(&error)),
        }
    }

    fn edit(&mut self, edits: Vec<ModelEdit>) {
        if self.state.info().is_none() || edits == self.state.edits || self.refuses() {
            return;
        }
        self.state.edits.clone_from(&edits);
        // What is known was found in another model.
        self.state.forget(|_| true);
        self.forget_recall();
        let (id, cancel) = self.state.jobs.add(JobKind::Edit);
        self.worker.submit(Job { id, work: Work::Edit { edits }, cancel });
        self.look();
    }

    pub(super) fn cancel(&mut self) {
        let on_screen: Vec<FactKey> =
            self.state.directions().filter_map(|it| self.state.key_of(it)).collect();
        let any = || self.state.jobs.sweeps().next().map(|(id, _)| id);
        if self.state.running_trace().is_some() {
            self.state.jobs.cancel(|kind| match kind {
                JobKind::Trace(key) | JobKind::Preview(key) => on_screen.contains(key),
                JobKind::Load(_)
                | JobKind::Edit
                | JobKind::Quick(..)
                | JobKind::Study(_)
                | JobKind::Recall(..) => false,
            });
        } else if let Some(job) = any().and_then(|id| self.state.jobs.get(id)) {
            job.cancel.cancel();
        } else if self.state.trace_waits {
            self.state.trace_waits = false;
        } else if self.state.selection != Selection::default() {
            self.state.selection = Selection::default();
        } else {
            self.state.error = None;
        }
    }

    // Hearing.
}

/// What is estimated while a trace is computed: what ranks the cells most as the trace does
/// (measured on the built-in model: 0.95 and 0.98 for hidden states and attention, 0.81 for MLPs).
///
/// Logarithms bend less than probabilities, and can be read as such. But a window of MLPs is
/// overestimated, which a logarithm turns into a factor (0.62).
fn previewed(component: Component) -> Metric {
    match component {
        Component::Hidden | Component::Attn => Metric::LogProb,
        Component::Mlp => Metric::Prob,
    }
}
