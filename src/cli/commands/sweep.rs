//! `factscope sweep`: what a spec asks of one fact, asked of each fact of a dataset.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::cli::complain;
use crate::cli::flags::choice;
use crate::cli::flags::chosen::ChosenArgs;
use crate::cli::inquiry::read_spec;
use crate::cli::interrupt;
use crate::cli::machine::Machine;
use crate::cli::output::LookArgs;
use crate::cli::progress::Bar;
use crate::experiment::Library;
use crate::facts::{Dataset, Direction};
use crate::figure::number::with_thousands;
use crate::population::{
    AnswerOf, Chosen, Estimate, Folder, Goal, Manifest, Outcome, Plan, Ready, Selection, Shard,
    SweepSettings, Task, Ways, Wording, duration, reasons_of,
};
use crate::task::{Progress, TaskCtx};

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Sweep {
    /// What to ask of each fact, as the command of any method writes it with `--save-spec`; `-` for
    /// standard input. The folder of a sweep asks the same as that sweep, and goes on with it
    #[arg(value_name = "SPEC.json")]
    spec: PathBuf,

    #[command(flatten)]
    chosen: ChosenArgs,

    /// Ask each fact from its subject and from its answer
    #[arg(long)]
    both_ways: bool,

    /// Ask the facts from their answers only
    #[arg(long, conflicts_with = "both_ways")]
    inverse: bool,

    /// The words in which facts are asked: the dataset's `own`, or of those and the templates of the
    /// relation in the catalogue the ones in which each is recalled `best`
    #[arg(long, value_name = "WHICH", default_value = "own", value_parser = choice::<Wording>())]
    wording: Wording,

    /// Which answer is measured: the `right` one, of several the likeliest, or the model's first
    /// `guess`, as in ROME
    #[arg(long, value_name = "WHICH", default_value = "right", value_parser = choice::<AnswerOf>())]
    answer: AnswerOf,

    /// Give all facts the draws of the spec's seed, as ROME does; intervals over facts then leave out
    /// how much a mean would change with other draws [default: each fact has draws of its own]
    #[arg(long)]
    shared_draws: bool,

    /// Ask each fact at these layers, one after the other, where the spec names one, as for an edit:
    /// `0,3,5` [default: at the spec's own]
    #[arg(long, value_name = "L,L", value_delimiter = ',')]
    layers: Vec<usize>,

    /// Choose how many facts are drawn, and how often the corruption of each, for so much time on this
    /// machine: `90s`, `20m`, `2h`. A pilot of a few facts tells what is worth its time
    #[arg(long, value_name = "TIME", value_parser = Goal::budget, conflicts_with_all = ["n", "width", "estimate", "spec_of", "shard"])]
    budget: Option<Goal>,

    /// Choose them for a 95 % interval of the mean that is so wide from end to end
    #[arg(long, value_name = "WIDTH", value_parser = Goal::width, conflicts_with_all = ["n", "estimate", "spec_of", "shard"])]
    width: Option<Goal>,

    /// The folder that parts are written to; a second start goes on where the first stopped
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Ask only every N-th fact, from the I-th on: `1/4` to `4/4`, into a folder of its own in --out
    /// [default: what a job array of Slurm or an indexed job of Kubernetes says, else all]
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,

    /// Ask a few facts, write nothing, and say how long all take and how much room they need
    #[arg(long, conflicts_with = "out")]
    estimate: bool,

    /// Ask nothing; print what would be asked of this fact, for `factscope run -`; its inverse with
    /// --inverse
    #[arg(long, value_name = "ID", conflicts_with_all = ["out", "estimate", "both_ways"])]
    spec_of: Option<String>,

    #[command(flatten)]
    look: LookArgs,
}

/// How often progress is told where stderr is no terminal.
const TOLD_EVERY: Duration = Duration::from_mins(1);

impl Sweep {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.chosen.check()?;
        let begun = self.begun()?;
        let mut plan = if let Some(manifest) = &begun {
            Plan::again(manifest, &self.spec)?
        } else {
            let settings = self.settings();
            Plan::new(
                read_spec(&self.spec, machine)?,
                self.chosen.dataset.facts.clone(),
                self.selection()?,
                settings,
            )?
        };
        let model = machine.model(&plan.written.outline.model)?;
        let engine = machine.opened(&model, &plan.written.outline.edits)?;
        if let Some(goal) = self.goal() {
            let chosen = if let Some(chosen) = self.planned_before(goal)? {
                chosen
            } else {
                let (datasets, spec) = (&machine.datasets, &self.spec);
                machine.watched("Planning", |task| {
                    plan.choose(goal, &engine, datasets, spec, &machine.ctx(task))
                })?
            };
            if !machine.quiet {
                chosen.told.iter().for_each(|it| machine.tell(it));
            }
            plan = plan.chosen(&chosen, &self.spec)?;
        }
        plan.open(&engine, &machine.datasets, |ready| self.asked(ready, begun.as_ref(), machine))?
    }

    /// What the folder that stands in place of a spec was begun with. `None` for a spec.
    fn begun(&self) -> anyhow::Result<Option<Manifest>> {
        if !self.spec.is_dir() {
            return Ok(None);
        }
        let is_usual = self.selection()? == Selection::default()
            && self.settings() == SweepSettings::default()
            && self.chosen.dataset.facts == Path::new(Dataset::BUNDLED)
            && self.shard.is_none()
            && self.goal().is_none();
        ensure!(
            is_usual,
            "the folder says itself which facts are asked and what is measured; leave these flags out: {}",
            self.spec.display()
        );
        Ok(Some(Manifest::load(&self.spec)?))
    }

    fn asked(
        &self,
        ready: &Ready<'_>,
        begun: Option<&Manifest>,
        machine: &Machine,
    ) -> anyhow::Result<()> {
        let sweep = &ready.sweep;
        if let Some(case) = &self.spec_of {
            let record = sweep.dataset.case(case)?;
            let record = sweep.dataset.records.position(&record.id);
            let record = record.context("the case was just there")?;
            let direction = if self.inverse { Direction::Inverse } else { Direction::Forward };
            let task = Task { record, direction };
            let asked =
                machine.watched("Asking", |ctx| sweep.experiment(task, &machine.ctx(ctx)))?;
            let (experiment, _) = asked.map_err(anyhow::Error::msg)?;
            let library = Library::new(&sweep.engine.info.tokenizer).sharing(&machine.datasets);
            return machine.print_data(&experiment.to_json_as_meant(&library)?);
        }
        if !machine.quiet {
            sweep.binding.told.iter().for_each(|it| machine.tell(it));
            if !sweep.dataset.skipped.is_empty() {
                let n = sweep.dataset.n_skipped();
                machine.tell(&format!(
                    "{n} records of the dataset cannot be used: {}",
                    sweep.dataset.skipped[0]
                ));
            }
        }
        if self.estimate {
            let estimate =
                machine.watched("Trying", |task| Estimate::of(ready, &machine.ctx(task)))?;
            let share = self.shard()?.map(|it| (it, it.of(ready.tasks.clone()).len()));
            return machine.print_text(&estimate.text(ready.tasks.len(), share));
        }
        let out = self.out.as_deref().or_else(|| begun.map(|_| &*self.spec));
        let out = out.context("name a folder with --out")?;
        let shard = match begun {
            Some(it) => it.shard.map(|[index, count]| Shard { index, count }),
            None => self.shard()?,
        };
        let manifest =
            machine.watched("Hashing the weights", |task| ready.manifest(shard, &task))?;
        let tasks = ready.tasks.clone();
        let (mine, dir) = match (shard, begun) {
            (None, _) => (tasks, out.to_owned()),
            (Some(shard), Some(_)) => (shard.of(tasks), out.to_owned()),
            (Some(shard), None) => (shard.of(tasks), out.join(shard.folder())),
        };
        let mut folder = Folder::open(&dir, manifest)?;
        let n_before = folder.found.len();
        let outcome = watched(mine.len() - n_before.min(mine.len()), machine, |ctx| {
            sweep.run(&mine, &mut folder, &machine.ctx(ctx))
        })?;
        machine.print_text(&summary(&folder, mine.len(), n_before))?;
        if outcome == Outcome::Stopped {
            bail!("stopped; what is done is written, and the same command goes on from there");
        }
        Ok(())
    }

    fn selection(&self) -> anyhow::Result<Selection> {
        Ok(Selection {
            ways: match (self.both_ways, self.inverse) {
                (true, _) => Ways::Both,
                (false, true) => Ways::Inverse,
                (false, false) => Ways::Forward,
            },
            wording: self.wording,
            ..self.chosen.selection()?
        })
    }

    fn settings(&self) -> SweepSettings {
        SweepSettings {
            answer: self.answer,
            shared_draws: self.shared_draws,
            layers: self.layers.clone(),
            figure: self.look.of_sweep(),
            plan: None,
        }
    }

    fn goal(&self) -> Option<Goal> {
        self.budget.or(self.width)
    }

    /// What the folder was begun with, which a second start keeps.
    fn planned_before(&self, goal: Goal) -> anyhow::Result<Option<Chosen>> {
        let Some(out) = self.out.as_deref().filter(|it| it.join(Manifest::FILE).exists()) else {
            return Ok(None);
        };
        let plan = Manifest::load(out)?.settings.get("plan").cloned();
        let plan: Option<Chosen> = plan.map(serde_json::from_value).transpose()?;
        Ok(plan.filter(|it| it.goal == goal.to_string()))
    }

    fn shard(&self) -> anyhow::Result<Option<Shard>> {
        match self.shard {
            Some(shard) => Ok(Some(shard)),
            None => Ok(Shard::of_job(&|name| std::env::var(name).ok())?),
        }
    }
}

/// Does work that is watched by a bar, or by a line a minute where there is no terminal, and that
/// Ctrl-C stops.
fn watched<T, E>(
    n_facts: usize,
    machine: &Machine,
    work: impl FnOnce(TaskCtx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let cancel = machine.cancel();
    if machine.request.is_none() {
        interrupt::listen(&cancel);
    }
    let bar = Bar::new(machine, "Sweeping");
    let is_told = machine.request.is_none() && !machine.quiet && !std::io::stderr().is_terminal();
    // A sweep that goes on begins in the middle, which says nothing of its speed.
    let (start, begun) = (Instant::now(), Cell::new(None));
    let told = Cell::new(Instant::now());
    let report = |progress: Progress| {
        bar.set(progress);
        let share = f64::from(progress.fraction());
        let begun = begun.get().unwrap_or_else(|| {
            begun.set(Some(share));
            share
        });
        if is_told && told.get().elapsed() >= TOLD_EVERY && share > begun {
            told.set(Instant::now());
            let left = start.elapsed().as_secs_f64() * (1.0 - share) / (share - begun);
            let n = (share * n_facts as f64) as u64;
            complain(&format!("{n} of {n_facts} facts, about {} left", duration(left)));
        }
    };
    let done = work(TaskCtx { cancel, report: &report })?;
    bar.finish();
    Ok(done)
}

/// What the folder holds now.
fn summary(folder: &Folder, n_tasks: usize, n_before: usize) -> String {
    let n = folder.found.len();
    let n_numbers: usize = folder.found.iter().map(|it| it.n_numbers).sum();
    let n_left_out = folder.found.iter().filter(|it| it.left_out.is_some()).count();
    let mut text = format!(
        "{} of {n_tasks} facts asked, each way counted, {n_left_out} of them left out; {} numbers\n",
        n,
        with_thousands(n_numbers as u64),
    );
    if n_before > 0 {
        _ = writeln!(text, "{n_before} of them were there already");
    }
    for reason in reasons_of(folder.found.iter()) {
        _ = writeln!(text, "  {reason}");
    }
    _ = writeln!(text, "In {}", folder.path.display());
    text
}
