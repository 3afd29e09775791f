//! One question asked of many facts: tried out and begun.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui;

use super::App;
use crate::analysis::AnalysisCtx;
use crate::experiment::{Datasets, Written};
use crate::population::{
    Estimate, Folder, Outcome, Plan, PlanError, Shard, SweepSettings, Ways, Wording,
};
use crate::task::Progress;
use crate::ui::command::Command;
use crate::ui::dialogs::Purpose;
use crate::ui::pane::Pane;
use crate::ui::panels;
use crate::ui::reply::Reply;
use crate::ui::state::{
    Amount, Asking, Estimated, JobKind, LONG, ManyJob, ManyOptions, OpenSweep, capitalized,
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
            Command::BackToSweep => self.views.workspace.show(Pane::Sweep),
            Command::LeaveSwept => {
                self.state.swept = None;
                self.look();
            }
            _ => {}
        }
    }

    /// Fills the form with what a view asks.
    fn ask_over(&mut self, pane: Pane) {
        if self.refuses() {
            return;
        }
        let row = self.state.rows_of(pane).next().unwrap_or(self.state.row);
        let Some(text) = self.state.experiment_of_many(pane) else {
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
        let figure = panels::figure_settings(pane, row, &self.state);
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
        let draws = written.with_numbers("seed", &|seed| seed, Path::new(""));
        let draws = draws.is_ok_and(|(_, n)| n > 0);
        let asking = Asking { pane, which, written, options, estimate, draws, is_unsure: false };
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
            Ok((plan, goal)) => {
                let replies = self.replies.clone();
                let id = self.call(which, ManyJob::Estimate, Class::Usual, |id| {
                    move |engine: &Engine, datasets: &Datasets, ctx: &AnalysisCtx<'_>| {
                        let found = match goal {
                            Some(goal) => Estimated::Chosen(plan.choose(
                                goal,
                                engine,
                                datasets,
                                Path::new(""),
                                ctx,
                            )?),
                            None => Estimated::Known(
                                plan.open(engine, datasets, |ready| Estimate::of(ready, ctx))??,
                            ),
                        };
                        // The window has closed: nobody to tell.
                        _ = replies.send(Reply::Estimated(id, Box::new(found)));
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
    pub(super) fn call<F>(
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
    pub(super) fn is_sweeping(&mut self) -> bool {
        let is_sweeping = self.state.jobs.iter().any(|(_, job)| job.kind.is_sweep());
        if is_sweeping {
            let error = "A sweep is running; stop it first, it can be gone on with";
            self.state.error = Some(error.to_owned());
        }
        is_sweeping
    }

    /// Asks all facts of a plan that the folder lacks, and shows the folder.
    pub(super) fn sweep(&mut self, plan: Plan, dir: PathBuf, which: Which, shard: Option<Shard>) {
        let (kind, to) = (ManyJob::Sweep(dir.clone()), dir.clone());
        let id = self.call(which, kind, Class::Long, |_| {
            move |engine: &Engine, datasets: &Datasets, ctx: &AnalysisCtx<'_>| {
                let outcome = plan.open(engine, datasets, |ready| {
                    // The weights are hashed, which is no part of asking the facts.
                    let total = ready.tasks.len() as u64;
                    let hashing = |_: Progress| (ctx.task.report)(Progress { done: 0, total });
                    let manifest = ready.manifest(shard, &ctx.reporting(&hashing).task)?;
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

    /// What the trial of a few facts found, unless another one has begun since.
    pub(super) fn estimated(&mut self, id: JobId, found: Estimated) {
        if let Some(asking) = &mut self.state.many.asking
            && matches!(asking.estimate, Estimated::Running(it) if it == id)
        {
            asking.estimate = found;
        }
    }
}
