//! The folder of a sweep: shown, read while it grows, gone on with, and its facts asked by themselves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use eframe::egui;

use super::App;
use crate::analysis::AnalysisCtx;
use crate::experiment::{Datasets, FactSource, Library};
use crate::facts::Direction;
use crate::population::{
    FolderError, Manifest, Plan, PlanError, Population, Shard, Task, Wanted, sweep_bytes,
};
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::reply::{Reply, aside};
use crate::ui::row::Row;
use crate::ui::state::{JobKind, ManyJob, OpenSweep, ReadSweep, SweepView, capitalized};
use crate::worker::{Class, Engine, JobId};

impl App {
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

    pub(super) fn go_on_with_sweep(&mut self) {
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

    pub(super) fn hear_sweep(&mut self, reply: Reply, ctx: &egui::Context) {
        match reply {
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
            Reply::FactOfSweep { case, direction, answer, text } => match text {
                Ok(text) => {
                    self.show_fact_of_sweep((&case, direction), answer.as_ref(), text, ctx);
                }
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

    /// Finds what is asked of one fact of the sweep, to carry it out by itself.
    pub(super) fn ask_fact_of_sweep(&mut self, task: Task) {
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
                let (case, answer, text) = plan.open(engine, datasets, |ready| {
                    let now = ready.manifest(None, &ctx.task)?;
                    let case = ready.sweep.dataset.records.get(task.record).map(|it| it.id.clone());
                    let (Some(case), None) = (case, read.manifest.of_all().difference(&now)) else {
                        let error = "the model or the dataset is not the sweep's any more";
                        return Ok((String::new(), None, Err(error.to_owned())));
                    };
                    let library = Library::new(&engine.info.tokenizer).sharing(datasets);
                    let found = ready.sweep.experiment(task, ctx)?;
                    let answer = found.as_ref().ok().and_then(|it| match &it.fact {
                        FactSource::Record(record) => record.answer.clone(),
                        FactSource::Text(_) | FactSource::NoFact => None,
                    });
                    let text = found.and_then(|it| {
                        it.to_json_as_meant(&library).map_err(|error| error.to_string())
                    });
                    Ok::<_, PlanError>((case, answer, text))
                })??;
                let direction = task.direction;
                // The window has closed: nobody to tell.
                _ = replies.send(Reply::FactOfSweep { case, direction, answer, text });
                Ok(())
            }
        });
    }

    /// Chooses a fact of the sweep with the answer that the sweep measures, and carries out what was asked
    /// of it in the Spec view: its numbers are those of the sweep.
    fn show_fact_of_sweep(
        &mut self,
        (case, direction): (&str, Direction),
        answer: Option<&String>,
        text: String,
        ctx: &egui::Context,
    ) {
        let facts = self.state.many.open.as_ref().and_then(|it| it.read.as_ref());
        let facts = facts.map(|it| it.manifest.facts.clone());
        let is_open = facts.as_deref() == self.state.facts.dataset_path();
        if let Some(id) = self.state.facts.find(case).filter(|_| is_open) {
            let answers = self.state.facts.get(id).map_or(&[][..], |it| it.answers(direction));
            let place = answers.iter().position(|it| Some(it) == answer);
            if let Some(place) = place.filter(|_| answers.len() > 1) {
                self.state.ask_for(id, direction, place);
            }
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
) -> Result<Arc<ReadSweep>, FolderError> {
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
