//! One question asked of many facts: tried out, begun, stopped and gone on with; and its folder, read
//! while it grows.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use eframe::egui;

use super::App;
use crate::analysis::AnalysisCtx;
use crate::experiment::{Datasets, Library, Written};
use crate::facts::Direction;
use crate::population::{
    Estimate, Folder, Manifest, Outcome, Plan, PlanError, Population, Shard, SweepSettings, Task,
    Wanted, Ways, Wording, sweep_bytes,
};
use crate::ui::command::Command;
use crate::ui::dialogs::Purpose;
use crate::ui::pane::Pane;
use crate::ui::reply::{Reply, aside};
use crate::ui::row::Row;
use crate::ui::state::{
    Amount, Asking, Estimated, JobKind, LONG, ManyJob, ManyOptions, OpenSweep, ReadSweep,
    SweepView, capitalized,
};
use crate::worker::{Call, CallError, Class, Engine, Job, JobId, Which, Work};

impl App {
    pub(super) fn many_command(&mut self, command: Command, ctx: &egui::Context) {
        match command {
            Command::Over(pane) => self.ask_over(pane),
            Command::SetMany(options) => self.set_many(*options),
            Command::ChooseSweepDir => self.ask(Purpose::SweepDir, ctx),
            Command::SetSweepDir(dir) => {
                if let Some(asking) = &mut self.state.many.asking {
                    asking.options.dir = dir.display().to_string();
                }
            }
            Command::StartSweep => self.start_sweep(),
            Command::LeaveAsking => {
                self.stop_estimate();
                self.state.many.asking = None;
            }
            Command::OpenSweep => self.ask(Purpose::Sweep, ctx),
            Command::OpenSweepAt(dir) => self.open_sweep(dir),
            Command::GoOnWithSweep => self.go_on_with_sweep(),
            Command::LookAtSweep(view) => {
                if let Some(open) = &mut self.state.many.open {
                    open.view = *view;
                    open.behind = None;
                }
            }
            Command::ShowBehind(chart, nth) => {
                if let Some(open) = &mut self.state.many.open {
                    open.behind = open.read.as_ref().and_then(|it| {
                        let behind = it.behind(&chart, nth)?;
                        Some((behind, it.facts_behind(&behind)))
                    });
                }
            }
            Command::AskFactOfSweep(task) => self.ask_fact_of_sweep(task),
            _ => {}
        }
    }

    /// Fills the form with what a view asks.
    fn ask_over(&mut self, pane: Pane) {
        if self.refuses() {
            return;
        }
        let row = self.state.rows_of(pane).next().unwrap_or(self.state.row);
        let Some(text) = self.state.experiment_text(pane) else {
            match self.state.spec_of(pane, row) {
                Err(error) if pane != Pane::Spec => {
                    self.state.complain_of_fact(capitalized(&error));
                }
                _ => self.nothing_to_save(pane),
            }
            return;
        };
        let written = match Written::parse(&text, Path::new("")) {
            Ok(written) => written,
            Err(error) => {
                self.state.error = Some(capitalized(&error));
                return;
            }
        };
        let Some(which) = self.state.model_asked(&written.outline) else {
            self.state.error = Some("The experiment is of a model that is not open".to_owned());
            return;
        };
        let records = self.state.facts.dataset.iter().flat_map(|it| &it.records);
        let has_inverses = records.take(100).any(|it| it.inverse.is_some());
        let figure = self.views.figure_settings(pane, row, &self.state);
        let settings = SweepSettings { figure, ..SweepSettings::default() };
        let options = ManyOptions {
            ways: if has_inverses { Ways::Both } else { Ways::Forward },
            known_by: self.state.facts.filter().known_by,
            wording: Wording::default(),
            settings,
            amount: Amount::default(),
            dir: String::new(),
        };
        self.stop_estimate();
        let estimate = Estimated::Failed(String::new());
        let asking = Asking { pane, which, written, options, estimate, is_unsure: false };
        self.state.many.asking = Some(asking);
        self.views.workspace.show(Pane::Sweep);
        self.estimate();
    }

    fn set_many(&mut self, options: ManyOptions) {
        let Some(asking) = &mut self.state.many.asking else { return };
        let is_other = ManyOptions { dir: String::new(), ..options.clone() }
            != ManyOptions { dir: String::new(), ..asking.options.clone() };
        asking.options = options;
        asking.is_unsure = false;
        if is_other {
            self.stop_estimate();
            self.estimate();
        }
    }

    fn stop_estimate(&self) {
        if let Some(Asking { estimate: Estimated::Running(id), .. }) = self.state.many.asking
            && let Some(job) = self.state.jobs.get(id)
        {
            job.cancel.cancel();
        }
    }

    /// What is about to be asked. The error says to the user what is missing.
    fn plan(&self, asking: &Asking) -> Result<Plan, String> {
        let (facts, selection) = self.state.listed(&asking.options)?;
        let settings = asking.options.settings.clone();
        Plan::new(asking.written.clone(), facts, selection, settings)
            .map_err(|error| capitalized(&error))
    }

    /// Asks a few of the facts, to tell how long all take.
    fn estimate(&mut self) {
        let Some(asking) = &self.state.many.asking else { return };
        let which = asking.which;
        let goal = asking.options.amount.goal().map_err(|error| capitalized(&error));
        let estimate = match self.plan(asking).and_then(|plan| Ok((plan, goal?))) {
            Err(error) => Estimated::Failed(error),
            Ok((plan, Some(goal))) => {
                let replies = self.replies.clone();
                let id = self.call(which, ManyJob::Estimate, Class::Usual, |id| {
                    move |engine: &Engine, datasets: &Datasets, ctx: &AnalysisCtx<'_>| {
                        let chosen = plan.choose(goal, engine, datasets, Path::new(""), ctx)?;
                        // The window has closed: nobody to tell.
                        _ = replies.send(Reply::Chosen(id, Box::new(chosen)));
                        Ok(())
                    }
                });
                Estimated::Running(id)
            }
            Ok((plan, None)) => {
                let replies = self.replies.clone();
                let id = self.call(which, ManyJob::Estimate, Class::Usual, |id| {
                    move |engine: &Engine, datasets: &Datasets, ctx: &AnalysisCtx<'_>| {
                        let found = plan.open(engine, datasets, |ready| Estimate::of(ready, ctx));
                        let estimate = found??;
                        // The window has closed: nobody to tell.
                        _ = replies.send(Reply::Estimated(id, Box::new(estimate)));
                        Ok(())
                    }
                });
                Estimated::Running(id)
            }
        };
        if let Some(asking) = &mut self.state.many.asking {
            asking.estimate = estimate;
        }
    }

    /// Gives the worker work that is done with the dataset that is open, or with others.
    fn call<F>(
        &mut self,
        which: Which,
        kind: ManyJob,
        class: Class,
        work: impl FnOnce(JobId) -> F,
    ) -> JobId
    where
        F: Fn(&Engine, &Datasets, &AnalysisCtx<'_>) -> Result<(), PlanError>
            + Send
            + Sync
            + 'static,
    {
        let (id, cancel) = self.state.jobs.add(JobKind::Many(which, kind));
        let dataset = self.state.facts.dataset.clone().map(Arc::new);
        let work = work(id);
        let call = move |engine: &Engine, ctx: &AnalysisCtx<'_>| {
            let datasets = Datasets::default();
            if let Some(dataset) = &dataset {
                datasets.add(Arc::clone(dataset));
            }
            work(engine, &datasets, ctx).map_err(|error| {
                if error.is_cancelled() {
                    CallError::Cancelled
                } else {
                    CallError::Failed(error.to_string())
                }
            })
        };
        self.worker.submit(Job {
            id,
            work: Work::Call { which, class, call: Call(Arc::new(call)) },
            cancel,
        });
        id
    }

    fn start_sweep(&mut self) {
        if self.refuses() || self.is_sweeping() {
            return;
        }
        let Some(asking) = &self.state.many.asking else { return };
        let Some((secs, _)) = asking.cost(self.state.n_listed(asking.options.ways)) else { return };
        if secs > LONG && !asking.is_unsure {
            if let Some(asking) = &mut self.state.many.asking {
                asking.is_unsure = true;
            }
            return;
        }
        let asked = self.state.listed(&asking.options);
        let begun = asked.and_then(|asked| {
            let plan = match (self.plan(asking)?, &asking.estimate) {
                (plan, Estimated::Chosen(chosen)) => {
                    plan.chosen(chosen, Path::new("")).map_err(|error| capitalized(&error))?
                }
                (plan, _) => plan,
            };
            Ok((plan, self.state.sweep_dir(asking, &asked)?, asking.which))
        });
        match begun {
            Ok((plan, dir, which)) => {
                self.stop_estimate();
                self.state.many.asking = None;
                self.sweep(plan, dir, which, None);
            }
            Err(error) => self.state.error = Some(error),
        }
    }

    /// Whether a sweep runs, which is said then.
    fn is_sweeping(&mut self) -> bool {
        let is_sweeping = self.state.jobs.iter().any(|(_, job)| job.kind.is_sweep());
        if is_sweeping {
            let error = "A sweep is running; stop it first, it can be gone on with";
            self.state.error = Some(error.to_owned());
        }
        is_sweeping
    }

    /// Asks all facts of a plan that the folder lacks, and shows the folder.
    fn sweep(&mut self, plan: Plan, dir: PathBuf, which: Which, shard: Option<Shard>) {
        let (kind, to) = (ManyJob::Sweep(dir.clone()), dir.clone());
        let id = self.call(which, kind, Class::Long, |_| {
            move |engine: &Engine, datasets: &Datasets, ctx: &AnalysisCtx<'_>| {
                let outcome = plan.open(engine, datasets, |ready| {
                    let manifest = ready.manifest(shard, &ctx.task)?;
                    let mut folder = Folder::open(&to, manifest)?;
                    let tasks = ready.tasks.clone();
                    let tasks = shard.map_or_else(|| tasks.clone(), |it| it.of(tasks.clone()));
                    Ok::<_, PlanError>(ready.sweep.run(&tasks, &mut folder, ctx)?)
                });
                match outcome?? {
                    Outcome::Whole => Ok(()),
                    Outcome::Stopped => Err(PlanError::Cancelled(crate::task::Cancelled)),
                }
            }
        });
        let before = self.state.many.open.take().filter(|it| it.dir == dir);
        let view = before.map(|it| it.view).unwrap_or_default();
        self.state.preferences.remember_sweep(&dir);
        self.state.many.open = Some(OpenSweep::new(dir, view, Some(id)));
        self.views.workspace.show(Pane::Sweep);
    }

    fn go_on_with_sweep(&mut self) {
        if self.refuses() || self.is_sweeping() {
            return;
        }
        let Some(open) = &self.state.many.open else { return };
        let dir = open.dir.clone();
        let Some(read) = open.read.clone() else { return };
        let shard = read.manifest.shard.map(|[index, count]| Shard { index, count });
        match Plan::again(&read.manifest, &dir) {
            Ok(plan) => match self.state.model_asked(&plan.written.outline) {
                Some(which) => self.sweep(plan, dir, which, shard),
                None => self.state.error = Some(self.not_of_open_model(&read.manifest)),
            },
            Err(error) => self.state.error = Some(capitalized(&error)),
        }
    }

    fn not_of_open_model(&self, manifest: &Manifest) -> String {
        let open = self.state.info().map_or("none", |it| &it.name);
        format!(
            "The sweep is of {}, with the changes that its spec names, and the open model is {open}: \
             open its model first",
            manifest.model
        )
    }

    /// Shows the folder of a sweep.
    pub(super) fn open_sweep(&mut self, dir: PathBuf) {
        let dir = std::path::absolute(&dir).unwrap_or(dir);
        self.state.preferences.remember_sweep(&dir);
        self.state.many.open = Some(self.sweep_at(dir, SweepView::default()));
        self.views.workspace.show(Pane::Sweep);
    }

    /// A folder to be shown, with the job that writes to it, if there is one.
    pub(super) fn sweep_at(&self, dir: PathBuf, view: SweepView) -> OpenSweep {
        let is_of =
            |kind: &JobKind| matches!(kind, JobKind::Many(_, ManyJob::Sweep(it)) if *it == dir);
        let job = self.state.jobs.iter().find(|(_, job)| is_of(&job.kind)).map(|(id, _)| id);
        OpenSweep::new(dir, view, job)
    }

    /// Reads the folder that is shown, or lays its figure out otherwise, on a thread of its own.
    pub(super) fn read_sweep(&mut self, ctx: &egui::Context) {
        let Some(open) = &mut self.state.many.open else { return };
        if !open.is_due(Instant::now()) {
            return;
        }
        (open.is_reading, open.has_grown) = (true, false);
        let (dir, view, before) = (open.dir.clone(), open.view.clone(), open.read.clone());
        let thread = aside("read sweep", &self.replies, ctx, move || {
            let start = Instant::now();
            let read = read(&dir, view, before).map_err(|error| capitalized(&error));
            Reply::Swept { dir, read, took: start.elapsed() }
        });
        if let Err(error) = thread {
            open.error = Some(format!("The folder cannot be read: {error}"));
        }
    }

    pub(super) fn hear_sweep(&mut self, reply: Reply, ctx: &egui::Context) {
        match reply {
            Reply::Estimated(id, estimate) => {
                if let Some(asking) = &mut self.state.many.asking
                    && matches!(asking.estimate, Estimated::Running(it) if it == id)
                {
                    asking.estimate = Estimated::Known(*estimate);
                }
            }
            Reply::Chosen(id, chosen) => {
                if let Some(asking) = &mut self.state.many.asking
                    && matches!(asking.estimate, Estimated::Running(it) if it == id)
                {
                    asking.estimate = Estimated::Chosen(*chosen);
                }
            }
            Reply::Swept { dir, read, took } => {
                let jobs = &self.state.jobs;
                let Some(open) = self.state.many.open.as_mut().filter(|it| it.dir == dir) else {
                    return;
                };
                open.is_reading = false;
                open.rest(took);
                let is_running = open.job.is_some_and(|id| jobs.get(id).is_some());
                match read {
                    Ok(read) => {
                        open.error = None;
                        if let (Some((behind, _)), Some(before)) = (&open.behind, &open.read)
                            && !Arc::ptr_eq(&before.population, &read.population)
                        {
                            open.behind = read.again(behind, before);
                        }
                        open.read = Some(read);
                    }
                    // There is nothing before the first facts are asked.
                    Err(_) if is_running && open.read.is_none() => {}
                    Err(error) => open.error = Some(error),
                }
                if is_running || open.has_grown {
                    ctx.request_repaint_after(open.next.saturating_duration_since(Instant::now()));
                }
            }
            Reply::FactOfSweep { case, direction, text } => match text {
                Ok(text) => self.show_fact_of_sweep(&case, direction, text, ctx),
                Err(error) => self.state.error = Some(capitalized(&error)),
            },
            _ => {}
        }
    }

    /// A job of many facts has said something or is over.
    pub(super) fn sweep_grows(&mut self, id: JobId, is_over: bool) {
        if let Some(open) = self.state.many.open.as_mut().filter(|it| it.job == Some(id)) {
            open.has_grown = true;
            if is_over {
                open.job = None;
                open.next = Instant::now();
            }
        }
    }

    /// A few facts could not be asked, or were not.
    pub(super) fn estimate_failed(&mut self, id: JobId, message: &str) {
        if let Some(asking) = &mut self.state.many.asking
            && matches!(asking.estimate, Estimated::Running(it) if it == id)
        {
            asking.estimate = Estimated::Failed(message.to_owned());
        }
    }

    /// Finds what is asked of one fact of the sweep, to carry it out by itself.
    fn ask_fact_of_sweep(&mut self, task: Task) {
        if self.refuses() {
            return;
        }
        let Some(read) = self.state.many.open.as_ref().and_then(|it| it.read.clone()) else {
            return;
        };
        let dir = self.state.many.open.as_ref().map_or_else(PathBuf::new, |it| it.dir.clone());
        let plan = match Plan::again(&read.manifest, &dir) {
            Ok(plan) => plan,
            Err(error) => {
                self.state.error = Some(capitalized(&error));
                return;
            }
        };
        let Some(which) = self.state.model_asked(&plan.written.outline) else {
            self.state.error = Some(self.not_of_open_model(&read.manifest));
            return;
        };
        let replies = self.replies.clone();
        self.call(which, ManyJob::Fact, Class::Usual, |_| {
            move |engine: &Engine, datasets: &Datasets, ctx: &AnalysisCtx<'_>| {
                let (case, text) = plan.open(engine, datasets, |ready| {
                    let now = ready.manifest(None, &ctx.task)?;
                    let case = ready.sweep.dataset.records.get(task.record).map(|it| it.id.clone());
                    let (Some(case), None) = (case, read.manifest.of_all().difference(&now)) else {
                        let error = "the model or the dataset is not the sweep's any more";
                        return Ok((String::new(), Err(error.to_owned())));
                    };
                    let library = Library::new(&engine.info.tokenizer).sharing(datasets);
                    let found = ready.sweep.experiment(task, ctx)?;
                    let text = found.and_then(|it| {
                        it.to_json_as_meant(&library).map_err(|error| error.to_string())
                    });
                    Ok::<_, PlanError>((case, text))
                })??;
                let direction = task.direction;
                // The window has closed: nobody to tell.
                _ = replies.send(Reply::FactOfSweep { case, direction, text });
                Ok(())
            }
        });
    }

    /// Chooses a fact of the sweep, and carries out what was asked of it in the Spec view: its numbers
    /// are those of the sweep.
    fn show_fact_of_sweep(
        &mut self,
        case: &str,
        direction: Direction,
        text: String,
        ctx: &egui::Context,
    ) {
        let facts = self.state.many.open.as_ref().and_then(|it| it.read.as_ref());
        let facts = facts.map(|it| it.manifest.facts.clone());
        let is_open = facts.as_deref() == self.state.facts.dataset_path();
        if let Some(id) = self.state.facts.find(case).filter(|_| is_open) {
            self.handle(Command::Select(id), ctx);
            let row = match direction {
                Direction::Forward => Row::First,
                Direction::Inverse => Row::Second,
            };
            self.handle(Command::LookAt(row), ctx);
            self.views.facts.reveal();
        }
        self.handle(Command::SetSpecText(text), ctx);
        self.handle(Command::RunSpec, ctx);
    }
}

/// Reads a folder, unless nothing has come since, and lays it out.
fn read(
    dir: &Path,
    view: SweepView,
    before: Option<Arc<ReadSweep>>,
) -> Result<Arc<ReadSweep>, crate::population::FolderError> {
    let n_bytes = sweep_bytes(dir)?;
    let known = before.filter(|it| it.n_bytes == n_bytes && n_bytes > 0);
    if let Some(known) = known.as_ref().filter(|it| it.view == view) {
        return Ok(Arc::clone(known));
    }
    let population = match known {
        Some(known) => Arc::clone(&known.population),
        None => Arc::new(Population::load(dir, &Wanted::default())?),
    };
    let laid = population.laid(&view.shown());
    Ok(Arc::new(ReadSweep {
        manifest: population.manifest.clone(),
        figure: Arc::new(laid.figure),
        behind: laid.behind,
        population,
        view,
        n_bytes,
    }))
}

/// Where sweeps lie that are given no other folder. `None` where the user has no folder for data.
pub fn sweeps_dir() -> Option<PathBuf> {
    let dir = dirs::data_dir().filter(|dir| dir.is_absolute())?;
    Some(dir.join("factscope").join("sweeps"))
}
