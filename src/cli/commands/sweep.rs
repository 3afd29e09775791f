//! `factscope sweep`: what a spec asks of one fact, asked of each fact of a dataset.

use std::cell::Cell;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::analysis::trace_average::FactDraws;
use crate::cli::complain;
use crate::cli::flags::choice;
use crate::cli::inquiry::{opened, read_spec};
use crate::cli::interrupt;
use crate::cli::machine::Machine;
use crate::cli::output::{LookArgs, print};
use crate::cli::progress::Bar;
use crate::experiment::{Binding, Library, Written};
use crate::facts::{Catalogue, Dataset, Direction};
use crate::figure::number::with_thousands;
use crate::population::{
    AnswerOf, Choices, Folder, Goal, KnownBy, KnownWay, Manifest, Outcome, Selection, Shard,
    Sweep as Asking, Task, Ways, Wording, at_layer, reasons_of, to_bytes,
};
use crate::task::{CancelToken, Progress, TaskCtx};

mod planning;

use planning::{Planned, seconds};

#[derive(Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub struct Sweep {
    /// What to ask of each fact, as the command of any method writes it with `--save-spec`; `-` for
    /// standard input
    #[arg(value_name = "SPEC.json")]
    spec: PathBuf,

    /// A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or Parquet
    #[arg(long, value_name = "FILE", default_value = Dataset::BUNDLED)]
    facts: PathBuf,

    /// Ask each fact from its subject and from its answer
    #[arg(long)]
    both_ways: bool,

    /// Ask the facts from their answers only
    #[arg(long, conflicts_with = "both_ways")]
    inverse: bool,

    /// How many facts are drawn at random [default: all, in file order]
    #[arg(long, value_name = "N")]
    n: Option<usize>,

    /// Seed of which facts are drawn; more facts keep the first ones
    #[arg(long, value_name = "N", default_value_t = 1)]
    facts_seed: u32,

    /// Only facts of this relation: its Wikidata id, such as P36, or its name
    #[arg(long, value_name = "RELATION")]
    relation: Option<String>,

    /// Only facts that the model knows `forward`, as an `inverse`, or `both` ways; the others are
    /// counted [default: all, with a column that says which ways each is known]
    #[arg(long, value_name = "WAY", value_parser = choice::<KnownWay>())]
    known: Option<KnownWay>,

    /// When an answer counts as known: a right answer is the model's `first` guess; it is among the
    /// first `ten`; or it is the likeliest by `choice` among the answers of the relation
    #[arg(long, value_name = "HOW", default_value = "first", value_parser = choice::<KnownBy>())]
    known_by: KnownBy,

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
    #[arg(long, value_name = "TIME", value_parser = seconds, conflicts_with_all = ["n", "width", "estimate", "spec_of", "shard"])]
    budget: Option<f64>,

    /// Choose them for a 95 % interval of the mean that is so wide from end to end
    #[arg(long, value_name = "WIDTH", conflicts_with_all = ["n", "estimate", "spec_of", "shard"])]
    width: Option<f64>,

    /// The folder that parts are written to; a second start goes on where the first stopped
    #[arg(long, value_name = "DIR", required_unless_present_any = ["estimate", "spec_of"])]
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

/// How many facts an estimate asks, after one that is not counted.
const N_TRIED: usize = 4;

/// How often progress is told where stderr is no terminal.
const TOLD_EVERY: Duration = Duration::from_mins(1);

impl Sweep {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        let mut written = read_spec(&self.spec)?;
        let model = machine.model(&written.outline.model)?;
        let engine = opened(&model, &written.outline.edits, machine)?;
        let dataset = machine.datasets.get(&self.facts, None)?;
        let library = Library::new(&engine.info.tokenizer).sharing(&machine.datasets);
        let draws = if self.shared_draws { FactDraws::Shared } else { FactDraws::Anew };
        let mut selection = self.selection();
        let choices = Choices::new(&dataset, &engine.info.tokenizer);
        let mut plan = None;
        if let Some(goal) = self.goal()? {
            let chosen = if let Some(chosen) = self.planned_before(goal)? {
                chosen
            } else {
                let asked = Planned { goal, written: &written, selection: &selection, draws };
                self.plan(&asked, (&engine, &dataset, &choices, &library), machine)?
            };
            if let Some(n) = chosen.n_samples {
                written = written.with_numbers("n_samples", &|_| n as u64, &self.spec)?.0;
            }
            selection.n = Some(chosen.n_facts);
            plan = Some(chosen);
        }
        let mut binding = Binding::new(&written, &library, draws)?;
        binding.tell_of(&dataset);
        if let (Some(layer), None) = (
            self.layers.first(),
            self.layers.first().and_then(|it| at_layer(&written.outline.spec, *it)),
        ) {
            bail!("--layers {layer}: the spec names no layer, so it cannot be asked at others");
        }
        let sweep = Asking {
            engine: &engine,
            binding: &binding,
            dataset: &dataset,
            choices: &choices,
            selection: &selection,
            answer: self.answer,
            layers: &self.layers,
            look: &|spec, tokenizer| self.look.look(spec, tokenizer),
        };
        if let Some(case) = &self.spec_of {
            let record = dataset.case(case)?;
            let record = dataset.records.iter().position(|it| it.id == record.id);
            let record = record.context("the case was just there")?;
            let direction = if self.inverse { Direction::Inverse } else { Direction::Forward };
            let task = Task { record, direction };
            let asked =
                machine.watched("Asking", |ctx| sweep.experiment(task, &machine.ctx(ctx)))?;
            let experiment = asked.map_err(anyhow::Error::msg)?;
            return print(&experiment.to_json_as_meant(&library)?);
        }
        let tasks = selection.tasks(&dataset);
        ensure!(self.n != Some(0), "--n 0 draws no fact; draw at least 1");
        if let (Some(relation), true) = (&self.relation, tasks.is_empty()) {
            bail!(
                "no fact is of the relation “{relation}” that --relation names: {}",
                self.facts.display()
            );
        }
        ensure!(!tasks.is_empty(), "the dataset has no fact: {}", self.facts.display());
        if !machine.quiet {
            binding.told.iter().for_each(|it| complain(it));
            plan.iter().flat_map(|it| &it.told).for_each(|it| complain(it));
            if !dataset.skipped.is_empty() {
                let n = dataset.n_skipped();
                complain(&format!(
                    "{n} records of the dataset cannot be used: {}",
                    dataset.skipped[0]
                ));
            }
        }
        if self.estimate {
            return Self::estimate(&sweep, &tasks, machine);
        }
        let out = self.out.as_deref().context("name a folder with --out")?;
        let shard = self.shard()?;
        let mut manifest = self.manifest(&written, &sweep, tasks.len(), shard, machine)?;
        if let (Some(plan), Some(settings)) = (plan, manifest.settings.as_object_mut()) {
            settings.insert("plan".to_owned(), serde_json::to_value(plan)?);
        }
        let (mine, dir) = match shard {
            None => (tasks, out.to_owned()),
            Some(shard) => (shard.of(tasks), out.join(shard.folder())),
        };
        let mut folder = Folder::open(&dir, manifest)?;
        let n_before = folder.found.len();
        let outcome = watched(mine.len() - n_before.min(mine.len()), machine, |ctx| {
            sweep.run(&mine, &mut folder, &machine.ctx(ctx))
        })?;
        print(&summary(&folder, mine.len(), n_before))?;
        if outcome == Outcome::Stopped {
            bail!("stopped; what is done is written, and the same command goes on from there");
        }
        Ok(())
    }

    fn selection(&self) -> Selection {
        Selection {
            ways: match (self.both_ways, self.inverse) {
                (true, _) => Ways::Both,
                (false, true) => Ways::Inverse,
                (false, false) => Ways::Forward,
            },
            n: self.n,
            seed: self.facts_seed,
            relation: self.relation.as_ref().map(|it| Catalogue::bundled().id_of(it)),
            known: self.known,
            known_by: self.known_by,
            wording: self.wording,
        }
    }

    fn goal(&self) -> anyhow::Result<Option<Goal>> {
        let goal = self.budget.map(Goal::Budget).or_else(|| self.width.map(Goal::Width));
        if let Some(Goal::Budget(number) | Goal::Width(number)) = goal {
            ensure!(number.is_finite() && number > 0.0, "--budget and --width are above 0");
        }
        Ok(goal)
    }

    fn shard(&self) -> anyhow::Result<Option<Shard>> {
        match self.shard {
            Some(shard) => Ok(Some(shard)),
            None => Ok(Shard::of_job(&|name| std::env::var(name).ok())?),
        }
    }

    fn manifest(
        &self,
        written: &Written,
        sweep: &Asking<'_>,
        n_asked: usize,
        shard: Option<Shard>,
        machine: &Machine,
    ) -> anyhow::Result<Manifest> {
        let info = &sweep.engine.info;
        let hashes =
            machine.watched("Hashing the weights", |task| info.hash.get(&task).cloned())?;
        let facts_sha256 = machine.datasets.hash(&self.facts).context("the dataset is gone")?;
        let spec: serde_json::Value = serde_json::from_str(written.text())?;
        Ok(Manifest {
            spec_sha256: sha256(written.text()),
            spec,
            method: written.outline.spec.name().to_owned(),
            model: info.name.clone(),
            model_sha256: sha256(&serde_json::to_string(&hashes)?),
            facts: self.facts.clone(),
            facts_sha256,
            selection: sweep.selection.clone(),
            settings: json!({
                "answer": self.answer,
                "shared_draws": self.shared_draws,
                "layers": self.layers,
                "figure": self.look.to_json(),
            }),
            bound: sweep.binding.told.clone(),
            n_asked,
            shard: shard.map(|it| [it.index, it.count]),
        })
    }

    /// Asks a few facts, evenly spaced, and says what all would take.
    fn estimate(sweep: &Asking<'_>, tasks: &[Task], machine: &Machine) -> anyhow::Result<()> {
        let n = (N_TRIED + 1).min(tasks.len());
        let tried = (0..n).map(|nth| tasks[nth * tasks.len() / n]);
        let mut start = Instant::now();
        let (mut found, mut secs) = (Vec::new(), 0.0);
        for (nth, task) in tried.enumerate() {
            let asked = machine.watched("Trying", |ctx| sweep.try_out(task, &machine.ctx(ctx)))?;
            secs = start.elapsed().as_secs_f64();
            if nth == 0 && n > 1 {
                // The first waits for the weights to be checked.
                start = Instant::now();
            }
            found.push(asked);
        }
        let n_timed = (n - 1).max(1) as f64;
        let secs = secs / n_timed * tasks.len() as f64;
        let n_bytes = to_bytes(&found, "", "")?.len() as f64 / n as f64 * tasks.len() as f64;
        let n_left_out = found.iter().filter(|it| it.note.left_out.is_some()).count();
        let n_numbers: usize = found.iter().map(|it| it.numbers.len()).sum();
        let mut text = format!(
            "{} facts, each way counted: about {} on this machine ({:.2} s a fact, by {} of them), {} \
             on disk, {} numbers",
            with_thousands(tasks.len() as u64),
            duration(secs),
            secs / tasks.len() as f64,
            n_timed,
            size(n_bytes),
            with_thousands((n_numbers as f64 / n as f64 * tasks.len() as f64) as u64),
        );
        if let Some(peak) = peak_memory() {
            _ = write!(text, ", {} of memory", size(peak));
        }
        if secs > 3600.0 {
            let n = (secs / 3600.0).ceil();
            _ = write!(text, "; with --shard on {n} such machines, about an hour");
        }
        text.push('\n');
        if n_left_out > 0 {
            _ = writeln!(text, "{n_left_out} of {n} facts that were tried would be left out");
            for reason in reasons_of(found.iter().map(|it| &it.note)) {
                _ = writeln!(text, "  {reason}");
            }
        }
        print(&text)
    }
}

/// Does work that is watched by a bar, or by a line a minute where there is no terminal, and that
/// Ctrl-C stops.
fn watched<T, E>(
    n_facts: usize,
    machine: &Machine,
    work: impl FnOnce(TaskCtx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let cancel = CancelToken::default();
    interrupt::listen(&cancel);
    let bar = Bar::new(machine, "Sweeping");
    let is_told = !machine.quiet && !std::io::stderr().is_terminal();
    let (start, told) = (Instant::now(), Cell::new(Instant::now()));
    let report = |progress: Progress| {
        bar.set(progress);
        if is_told && told.get().elapsed() >= TOLD_EVERY && progress.done > 0 {
            told.set(Instant::now());
            let share = f64::from(progress.fraction());
            let left = start.elapsed().as_secs_f64() * (1.0 - share) / share;
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

fn sha256(text: &str) -> String {
    let mut hash = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        _ = write!(hash, "{byte:02x}");
    }
    hash
}

/// A time in the unit that a person would use.
fn duration(secs: f64) -> String {
    match secs {
        _ if secs < 60.0 => format!("{secs:.1} s"),
        _ if secs < 3600.0 => format!("{:.0} min", secs / 60.0),
        _ => format!("{:.1} h", secs / 3600.0),
    }
}

fn size(n_bytes: f64) -> String {
    match n_bytes {
        _ if n_bytes < 1e6 => format!("{:.0} kB", n_bytes / 1e3),
        _ if n_bytes < 1e9 => format!("{:.1} MB", n_bytes / 1e6),
        _ => format!("{:.1} GB", n_bytes / 1e9),
    }
}

/// The most memory that the process has had, in bytes, where the system says it.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}
