//! How fast Factscope is: beside ROME's procedure, `transformers` and TransformerLens, beside what
//! the machine could do, and against the size of the task.
//!
//! `benches/run.sh` installs the Python peers and runs this; `cargo bench --bench speed` runs it with
//! the peers that are there, and says which are missing. Times are reported and never judged; results
//! that do not agree make it fail.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use factscope::model::{Checkpoint, ModelConfig};

mod checkpoint;
mod contender;
mod counts;
mod factscope_side;
mod machine;
mod memory;
mod question;
mod report;
mod scaling;
mod statistics;
mod traces;
mod versus;

use contender::Starter;
use report::Report;
use versus::{Bench, Peak};

/// As in the program itself: passes take and give back large blocks all the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure Factscope beside ROME's procedure, transformers and TransformerLens
#[derive(Parser)]
struct Options {
    /// Which member of the GPT-2 family, with random weights
    #[arg(long, value_enum, default_value = "gpt2-large")]
    size: Size,

    /// A model folder in Hugging Face's layout instead
    #[arg(long, value_name = "DIR", conflicts_with = "size")]
    model: Option<PathBuf>,

    /// What to measure
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Part::ALL)]
    only: Vec<Part>,

    /// Cells of each map that the peers compute, the rest being extrapolated
    #[arg(long, value_name = "N", default_value_t = 24)]
    cells: usize,

    /// Let the peers compute whole maps: about an hour for GPT-2-large on two cores
    #[arg(long, conflicts_with = "cells")]
    full: bool,

    /// A prompt of the traces
    #[arg(long, value_name = "TEXT", default_value = "The Space Needle is located in the city of")]
    prompt: String,

    /// Its subject
    #[arg(long, value_name = "TEXT", default_value = "Space Needle")]
    subject: String,

    /// Where all compute: PyTorch by CUDA where it has that, else it says that it does not
    #[arg(long, value_enum, default_value_t = On::Cpu)]
    on: On,

    /// Threads of each contender [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,

    /// Where models and peers are kept [default: factscope-bench in the user's cache]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,

    /// The Python that has transformers and TransformerLens 2 [default: venv/bin/python in the cache]
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,

    /// The Python that has TransformerLens 4 [default: venv-lens-4/bin/python in the cache]
    #[arg(long, value_name = "FILE")]
    python_of_lens_4: Option<PathBuf>,

    /// Also write the report to a file
    #[arg(long, value_name = "FILE.md")]
    out: Option<PathBuf>,

    /// Answer questions on standard input: how this program measures itself
    #[arg(long, hide = true)]
    worker: bool,

    /// cargo says so to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Size {
    Gpt2,
    Gpt2Medium,
    Gpt2Large,
    Gpt2Xl,
}

/// What computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum On {
    Cpu,

    /// The first graphics adapter.
    Gpu,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The matrix products that a trace is made of
    Peak,

    /// Causal traces, and peak memory
    Trace,
    Forward,
    Attribution,

    /// Cost against tokens, samples, batch and layers
    Scaling,
}

impl Part {
    const ALL: [Self; 5] =
        [Self::Peak, Self::Trace, Self::Forward, Self::Attribution, Self::Scaling];
}

impl Size {
    fn config(self) -> ModelConfig {
        match self {
            Self::Gpt2 => ModelConfig::SMALL,
            Self::Gpt2Medium => ModelConfig::MEDIUM,
            Self::Gpt2Large => ModelConfig::LARGE,
            Self::Gpt2Xl => ModelConfig::XL,
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |it| it.get_name().to_owned())
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |it| it.get_name()))
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = options.threads.unwrap_or(n_cores);
    if options.worker {
        return factscope_side::serve(threads, options.on);
    }

    let begun = Instant::now();
    let mut report = Report::new(options.out.clone());
    let cache = options.cache.clone().or_else(|| Some(dirs::cache_dir()?.join("factscope-bench")));
    let cache = cache.context("this system has no cache folder; give one with --cache")?;
    let python_in = |given: &Option<PathBuf>, folder: &str| {
        given.clone().unwrap_or_else(|| cache.join(folder).join("bin/python"))
    };
    let starter = Starter {
        python: python_in(&options.python, "venv"),
        python_of_lens_4: python_in(&options.python_of_lens_4, "venv-lens-4"),
        threads,
        on: options.on,
    };

    let name = options.model.as_ref().map_or_else(
        || format!("{} with random weights", options.size.name()),
        |dir| dir.display().to_string(),
    );
    report.title(&format!("Factscope's speed on {name}"))?;
    let where_ = match options.on {
        On::Cpu => "",
        On::Gpu => " with a graphics adapter",
    };
    report.say(&format!(
        "{}{where_}, {threads} of {n_cores} threads for each, f32.{} Each contender has a process of its \
         own, and they work in turn.",
        machine::cpu_name(),
        machine::load_average().map_or_else(String::new, |load| format!(
            " The load average was {load:.1} at the start: above 0.5, something else was running, and \
             neither times nor ratios mean much."
        )),
    ))?;
    if options.only.iter().any(|part| *part != Part::Scaling) {
        versus(&options, starter.clone(), &cache, &mut report)?;
    }
    if options.only.contains(&Part::Scaling) {
        scaling::run(&starter, &mut report)?;
    }
    report.say(&format!("Measured in {:.0} min.", begun.elapsed().as_secs_f64() / 60.0))?;

    let failures = report.failures();
    anyhow::ensure!(failures.is_empty(), "results differ:\n{}", failures.join("\n"));
    Ok(())
}

fn versus(
    options: &Options,
    starter: Starter,
    cache: &std::path::Path,
    report: &mut Report,
) -> anyhow::Result<()> {
    let model = match &options.model {
        Some(dir) => dir.clone(),
        None => checkpoint::prepare(cache, &options.size.name(), &options.size.config())?,
    };
    let config = Checkpoint::open(&model)?.config;
    let mut first = starter.factscope();
    let prompt = versus::prompt(&model, &options.prompt, &options.subject, &mut first)?;
    drop(first);
    let n_all = config.n_layers * prompt.n_pos();
    let n_cells = if options.full { n_all } else { options.cells.clamp(1, n_all) };
    let mut bench = Bench { model, config, starter, prompt, n_cells, peak: Peak::default() };

    let mut who = bench.loading(report)?;
    let wants = |part: Part| options.only.contains(&part);
    if wants(Part::Peak) {
        bench.peak(report)?;
    }
    if wants(Part::Trace) {
        bench.traces(&mut who, report)?;
    }
    if wants(Part::Forward) {
        bench.forward(&mut who, report)?;
    }
    if wants(Part::Attribution) {
        bench.attribution(&mut who, report)?;
    }
    // Without a peer there is less to say, without Factscope nothing.
    let failure = who.factscope.failure().unwrap_or_default();
    anyhow::ensure!(failure.is_empty(), "Factscope failed: {failure}");
    Ok(())
}
