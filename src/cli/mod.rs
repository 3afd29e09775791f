//! The commands and their flags: one file per command.
//!
//! Results go to stdout or a file, everything else to stderr; a command that fails exits with 1, a
//! wrong flag with 2.

use std::convert::Infallible;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};

use crate::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec, Reuse};
use crate::builtin;
use crate::hub;
use crate::task::{CancelToken, TaskCtx};
use crate::tokens::{Bos, TokenizedPrompt};
use crate::worker::{DeviceChoice, Engine, Processing, Stage};

mod ablate;
mod ablate_neurons;
mod atp;
mod atp_star;
mod attention;
mod attribute;
mod average;
mod bench;
mod cell;
mod circuit;
mod compare;
mod contrast;
mod compose;
mod contributions;
mod corruption;
mod cut;
mod devices;
mod eap;
mod edit;
#[cfg_attr(not(feature = "gui"), path = "no_window.rs")]
mod explore;
mod fact;
mod generate;
mod head;
mod heads;
mod knockout;
mod lens;
mod localise;
mod model;
mod norms;
mod output;
mod patch;
mod path_patch;
mod predict;
mod progress;
mod run;
mod session;
mod steer;
mod trace;
#[cfg_attr(not(feature = "training"), path = "no_training.rs")]
mod train;

/// A desktop microscope for facts in language models.
///
/// Without a command the window opens.
#[derive(Parser)]
#[command(version, arg_required_else_help = false)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    /// A session file to open in the window
    #[arg(value_name = "FILE.factscope", value_parser = session::session_file)]
    session: Option<PathBuf>,

    #[command(flatten)]
    machine: Machine,
}

/// How the work is done, never what comes out.
#[derive(Args, Clone, Debug)]
struct Machine {
    /// Where to compute: `auto` (a real GPU if there is one, else the CPU), `cpu`, `wgpu` or
    /// `wgpu:N` (an adapter of `factscope devices`, software ones included)
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,

    /// CPU threads [default: one per core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,

    /// Compute every run of a sweep from its first token and layer on: slower, the same numbers,
    /// to check exact reuse by
    #[arg(long, global = true)]
    exact_naive: bool,

    /// Show no progress
    #[arg(long, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Open the window
    Explore(explore::Explore),

    /// What the model says next
    Predict(predict::Predict),

    /// Causal trace of a fact (Meng et al. 2022)
    Trace(trace::Trace),

    /// Causal traces of many facts, averaged by what each token is to its prompt (Meng et al. 2022,
    /// figure 2)
    Average(average::Average),

    /// The same trace under several corruptions, and how alike the maps are (Zhang & Nanda 2024)
    Bench(bench::Bench),

    /// Estimate a causal trace from one gradient (attribution patching)
    Atp(atp::Atp),

    /// Split the answer's logit by layer component, head, neuron or source token
    Attribute(attribute::Attribute),

    /// What the model would say after each layer
    Lens(lens::Lens),

    /// Where one attention head looks
    Attention(attention::Attention),

    /// What kind of head each head is, by where it looks
    Heads(heads::Heads),

    /// How long the residual stream is, and what each layer adds
    Norms(norms::Norms),

    /// Which tokens and parts a prediction came through (Ferrando & Voita 2024)
    Contributions(contributions::Contributions),

    /// What one head reads and writes by its weights alone
    Circuit(circuit::Circuit),

    /// Which heads are wired to read what which earlier heads write
    Compose(compose::Compose),

    /// What the answer loses without each head, MLP or layer
    Ablate(ablate::Ablate),

    /// Where attention must be cut for the answer to get lost (Geva et al. 2023)
    Knockout(knockout::Knockout),

    /// What the answer loses without the ways by which some tokens look at others, all cut at once
    Cut(cut::Cut),

    /// A fact beside its inverse: is each recalled, and in the same place?
    Compare(compare::Compare),

    /// Give the model another answer to a fact (ROME, Meng et al. 2022), and see what it reaches
    Edit(edit::Edit),

    /// Add a direction to the residual stream, and see what the model says
    Steer(steer::Steer),

    /// What the model writes after a text
    Generate(generate::Generate),

    /// Do what a file says: any analysis, as `--save-spec` of its command writes it
    Run(run::Run),
    /// Give a prompt the activations of another, such as the inverse of its fact
    Patch(patch::Patch),

    /// Which heads and MLPs tell the logits, a head or an MLP what they do (Wang et al. 2022)
    PathPatch(path_patch::PathPatch),

    /// Which queries, keys, values and MLPs matter, from gradients (`AtP*`, Kramár et al. 2024)
    AtpStar(atp_star::AtpStarCommand),

    /// Which part tells which, from gradients (EAP, EAP-IG)
    Eap(eap::Eap),

    /// Score methods by whether they name the layer that a fact was planted in
    Localise(localise::Localise),

    /// What a session file of the window holds
    Session(session::SessionArgs),

    /// Look at a model folder, or make a random one
    #[command(subcommand)]
    Model(model::Model),

    /// Train the built-in model anew from the facts of the program
    Train(train::Train),

    /// List the graphics adapters, or test one
    Devices(devices::Devices),
}

/// The model, and how its prompt begins.
#[derive(Args)]
struct ModelArgs {
    /// A model folder in Hugging Face's layout, the name of a model that Python has downloaded from its
    /// hub, `builtin` or `builtin-planted`
    #[arg(long, value_name = "DIR", default_value = builtin::FACTS.name, value_parser = model_dir)]
    model: PathBuf,

    /// Put `<|endoftext|>` before the prompt, as TransformerLens does; ROME does not
    #[arg(long)]
    bos: bool,

    /// Change the model first: what `edit` or `steer` tries out, from its --save-spec; may be given
    /// again
    #[arg(long, value_name = "SPEC.json")]
    edit: Vec<PathBuf>,

    /// Rewrite the weights after that, as TransformerLens does: `default`, `all`, or names with commas
    /// between (`fold_ln`, `center_writing_weights`, `center_unembed`, `fold_value_biases`,
    /// `refactor_factored_attn_matrices`). No probability changes
    #[arg(long, value_name = "STEPS", default_value = "none")]
    process: Processing,
}

/// A folder, from what may be a name.
#[expect(clippy::unnecessary_wraps, reason = "as clap wants it")]
fn model_dir(text: &str) -> Result<PathBuf, Infallible> {
    let path = PathBuf::from(text);
    Ok(hub::find_unless_folder(&path).unwrap_or(path))
}

/// The model, where its weights are all that is asked about.
#[derive(Args)]
struct WeightArgs {
    /// A model folder in Hugging Face's layout, the name of a model that Python has downloaded from its
    /// hub, `builtin` or `builtin-planted`
    #[arg(long, value_name = "DIR", default_value = builtin::FACTS.name, value_parser = model_dir)]
    model: PathBuf,

    /// Change the model first: what `edit` tries out, from its --save-spec; may be given again
    #[arg(long, value_name = "SPEC.json")]
    edit: Vec<PathBuf>,

    /// Rewrite the weights after that: TransformerLens' `default`, `none`, `all`, or its names with
    /// commas between
    #[arg(long, value_name = "STEPS", default_value = "default")]
    process: Processing,
}

impl ModelArgs {
    fn bos(&self) -> Bos {
        if self.bos { Bos::On } else { Bos::Off }
    }
}

impl Machine {
    /// Runs a method with a progress bar.
    fn run(
        &self,
        engine: &Engine,
        prompt: &TokenizedPrompt,
        spec: &AnalysisSpec,
        what: &'static str,
    ) -> anyhow::Result<AnalysisResult> {
        let bar = progress::Bar::new(self, what);
        let report = |progress| bar.set(progress);
        let task = TaskCtx { cancel: CancelToken::default(), report: &report };
        let result = engine.run(prompt, spec, &self.ctx(task))?;
        bar.finish();
        Ok(result)
    }

    fn ctx<'a>(&self, task: TaskCtx<'a>) -> AnalysisCtx<'a> {
        let reuse = if self.exact_naive { Reuse::Nothing } else { Reuse::Exact };
        AnalysisCtx { task, reuse, ..AnalysisCtx::unwatched() }
    }
}

fn load(model: &Path, machine: &Machine) -> anyhow::Result<Engine> {
    let bar = progress::Bar::new(machine, "Opening the model");
    let report = |progress| bar.set(progress);
    let ctx = TaskCtx { cancel: CancelToken::default(), report: &report };
    let stage = |stage| {
        bar.say(match stage {
            Stage::TestingDevice => "Testing the device (once per adapter and driver)",
            Stage::ReadingWeights => "Reading weights",
        });
    };
    let engine = Engine::load(model, machine.device, &ctx, &stage)?;
    bar.finish();
    Ok(engine)
}

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // The message and place of a panic were printed when it happened.
    let outcome = catch_unwind(AssertUnwindSafe(|| run(cli)));
    match outcome {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
        Err(_) => {
            complain("this is a fault of the program; please report it with the lines above");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let machine = cli.machine;
    if let Some(threads) = machine.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(usize::from(threads))
            .build_global()
            .context("cannot start the threads")?;
    }
    let window = || cli.session.map(explore::Explore::of_session).unwrap_or_default();
    match cli.command.unwrap_or_else(|| Command::Explore(window())) {
        Command::Explore(it) => it.run(&machine),
        Command::Predict(it) => it.run(&machine),
        Command::Trace(it) => it.run(&machine),
        Command::Average(it) => it.run(&machine),
        Command::Bench(it) => it.run(&machine),
        Command::Atp(it) => it.run(&machine),
        Command::Attribute(it) => it.run(&machine),
        Command::Lens(it) => it.run(&machine),
        Command::Attention(it) => it.run(&machine),
        Command::Heads(it) => it.run(&machine),
        Command::Norms(it) => it.run(&machine),
        Command::Contributions(it) => it.run(&machine),
        Command::Circuit(it) => it.run(&machine),
        Command::Compose(it) => it.run(&machine),
        Command::Ablate(it) => it.run(&machine),
        Command::Knockout(it) => it.run(&machine),
        Command::Cut(it) => it.run(&machine),
        Command::Compare(it) => it.run(&machine),
        Command::Edit(it) => it.run(&machine),
        Command::Steer(it) => it.run(&machine),
        Command::Generate(it) => it.run(&machine),
        Command::Run(it) => it.run(&machine),
        Command::Patch(it) => it.run(&machine),
        Command::PathPatch(it) => it.run(&machine),
        Command::AtpStar(it) => it.run(&machine),
        Command::Eap(it) => it.run(&machine),
        Command::Localise(it) => it.run(&machine),
        Command::Session(it) => it.run(),
        Command::Model(it) => it.run(&machine),
        Command::Train(it) => it.run(&machine),
        Command::Devices(it) => it.run(&machine),
    }
}

fn complain(message: &str) {
    // Where even stderr is closed there is nobody to tell.
    _ = writeln!(std::io::stderr(), "factscope: {message}");
}

/// The reader of our output has gone, as `head` does: not a failure of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }
}
