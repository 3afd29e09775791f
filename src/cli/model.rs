use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::Machine;
use super::output::{Output, print};
use super::progress::Bar;
use crate::model::{Checkpoint, Gpt2Config, write_random_checkpoint};
use crate::task::{CancelToken, TaskCtx};
use crate::tokens::{GPT2_MERGES, Tokenizer, gpt2_vocabulary};
use crate::whole_file;

#[derive(Subcommand)]
pub(super) enum Model {
    /// Sizes, number types and hashes of a model folder
    Info(Info),

    /// Write a full-size model with random weights, in Hugging Face's layout
    Random(Random),
}

#[derive(Args)]
pub(super) struct Info {
    /// A model folder in Hugging Face's layout, or the name of a model that Python has downloaded
    #[arg(value_name = "DIR", value_parser = super::model_dir)]
    dir: PathBuf,

    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub(super) struct Random {
    /// Which member of the GPT-2 family
    #[arg(long, value_enum)]
    config: Size,

    /// The same seed gives the same file
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Size {
    Gpt2,
    Gpt2Medium,
    Gpt2Large,
    Gpt2Xl,
}

impl Model {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        match self {
            Self::Info(it) => it.run(machine),
            Self::Random(it) => it.run(machine),
        }
    }
}

impl Info {
    fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let checkpoint = Checkpoint::open(&self.dir)?;
        let tokenizer = Tokenizer::from_dir(&self.dir)?;
        let bar = Bar::new(machine, "Hashing the weights");
        let report = |progress| bar.set(progress);
        let ctx = TaskCtx { cancel: CancelToken::default(), report: &report };
        let hashes = checkpoint.sha256(&ctx)?;
        bar.finish();

        let config = &checkpoint.config;
        let mut text = format!(
            "{}\n  layers      {}\n  heads       {}\n  d_model     {}\n  d_mlp       {}\n  \
             context     {}\n  vocabulary  {} (tokenizer {})\n  unembedding {}\n  parameters  \
             {}\n  stored as   {} ({:.1} MB)\n",
            checkpoint.name(),
            config.n_layers,
            config.n_heads,
            config.d_model,
            config.d_mlp,
            config.n_ctx,
            config.d_vocab,
            tokenizer.n_vocab(),
            format!("{:?}", config.unembedding).to_lowercase(),
            config.n_params(),
            checkpoint.dtypes().join(", "),
            checkpoint.n_bytes() as f64 / 1e6,
        );
        for (file, hash) in &hashes {
            _ = writeln!(text, "  sha256      {hash}  {file}");
        }
        let json = json!({
            "name": checkpoint.name(),
            "config": config,
            "n_params": config.n_params(),
            "dtypes": checkpoint.dtypes(),
            "n_bytes": checkpoint.n_bytes(),
            "n_tokens": tokenizer.n_vocab(),
            "weights_sha256": hashes,
        });
        self.output.write(&json, &text)
    }
}

impl Random {
    fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        let config = match self.config {
            Size::Gpt2 => Gpt2Config::SMALL,
            Size::Gpt2Medium => Gpt2Config::MEDIUM,
            Size::Gpt2Large => Gpt2Config::LARGE,
            Size::Gpt2Xl => Gpt2Config::XL,
        };
        let existing = self.out.join("model.safetensors");
        anyhow::ensure!(
            !existing.exists(),
            "there is a model already; choose another folder: {}",
            existing.display()
        );
        let bar = Bar::new(machine, "Writing random weights");
        let report = |progress| bar.set(progress);
        let ctx = TaskCtx { cancel: CancelToken::default(), report: &report };
        write_random_checkpoint(&config, self.seed, &self.out, &ctx)?;
        bar.finish();

        let vocabulary = gpt2_vocabulary(GPT2_MERGES).map_err(anyhow::Error::msg)?;
        let write = |name: &str, text: &str| {
            let path = self.out.join(name);
            whole_file::write(&path, text.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))
        };
        write("vocab.json", &serde_json::to_string(&vocabulary)?)?;
        write("merges.txt", GPT2_MERGES)?;
        print(&format!("{}\n", self.out.display()))
    }
}
