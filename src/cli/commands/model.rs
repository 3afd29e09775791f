//! `factscope model`: a model on disk looked at, or made.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::cli::machine::Machine;
use crate::cli::output::Output;
use crate::model::{
    Checkpoint, FloatType, ModelConfig, NumberType, WeightMemory, write_random_checkpoint,
};
use crate::tokens::{Tokenizer, gpt2_merges_for, gpt2_vocabulary};
use crate::whole_file;

#[derive(Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one")]
pub enum Model {
    /// Sizes, format, number types and hashes of a model on disk
    Info(Info),

    /// Write a full-size model with random weights, in Hugging Face's layout
    Random(Random),
}

#[derive(Args)]
pub struct Info {
    /// A model folder in Hugging Face's layout, a GGUF or other weight file, or the name of a model on its
    /// hub, which is downloaded if the cache lacks it
    #[arg(value_name = "DIR")]
    dir: PathBuf,

    /// Name each tensor with its type and shape
    #[arg(long)]
    tensors: bool,

    #[command(flatten)]
    output: Output,
}

#[derive(Args)]
pub struct Random {
    /// A published model whose size it has, or a `config.json` of any family
    #[arg(long, value_name = "NAME|FILE", value_parser = config, help = config_help())]
    config: ModelConfig,

    /// The same seed gives the same file
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// How numbers are stored
    #[arg(long = "type", value_enum, value_name = "TYPE", default_value_t = Stored::F32)]
    stored_as: Stored,

    /// The folder to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// The number types of a random model.
#[derive(Clone, Copy, ValueEnum)]
enum Stored {
    F32,
    F16,
    Bf16,
}

impl From<Stored> for FloatType {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::F32 => Self::F32,
            Stored::F16 => Self::F16,
            Stored::Bf16 => Self::Bf16,
        }
    }
}

fn config_help() -> String {
    let known: Vec<_> = ModelConfig::published_names().collect();
    format!(
        "A published model whose size it has ({}), or a config.json of any family",
        known.join(", ")
    )
}

/// The configuration of a published model, or that of a file or folder.
fn config(text: &str) -> Result<ModelConfig, String> {
    if let Some(found) = ModelConfig::published(text) {
        return Ok(found);
    }
    let path = PathBuf::from(text);
    let path = if path.is_dir() { path.join("config.json") } else { path };
    let text = fs::read_to_string(&path).map_err(|error| {
        let known: Vec<_> = ModelConfig::published_names().collect();
        format!("give one of {}, or a config.json; as a file: {error}", known.join(", "))
    })?;
    ModelConfig::from_json(&text)
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
        let dir = machine.model(&self.dir)?;
        let checkpoint = Checkpoint::open(&dir)?;
        let tokenizer = Tokenizer::from_dir(&dir)?;
        let hashes = machine.watched("Hashing the weights", |task| checkpoint.sha256(&task))?;

        let not_finite =
            machine.watched("Looking at the numbers", |task| checkpoint.not_finite(&task))?;

        let mut n_of_type: BTreeMap<NumberType, usize> = BTreeMap::new();
        for (_, dtype, _) in checkpoint.tensors() {
            *n_of_type.entry(dtype).or_default() += 1;
        }
        let types: Vec<String> =
            n_of_type.iter().map(|(dtype, n)| format!("{n} × {dtype}")).collect();
        let config = &checkpoint.config;
        let mut text = format!(
            "{}\n  family      {}\n  layers      {}\n  heads       {}\n  d_model     {}\n  d_mlp       {}\n  \
             context     {}\n  vocabulary  {} (tokenizer {})\n  unembedding {}\n  parameters  \
             {}\n  format      {}\n  tensors     {} ({:.1} MB)\n  memory      {}\n",
            checkpoint.name(),
            config.family.name(),
            config.n_layers,
            heads(config),
            config.d_model,
            config.d_mlp,
            config.n_ctx,
            config.d_vocab,
            tokenizer.n_vocab(),
            format!("{:?}", config.unembedding).to_lowercase(),
            config.n_params(),
            checkpoint.format,
            types.join(", "),
            checkpoint.n_bytes() as f64 / 1e6,
            needed(checkpoint.memory()),
        );
        if let Some(left_off) = tokenizer.about_left_off() {
            _ = writeln!(text, "  left off    {left_off}");
        }
        if !checkpoint.left_out().is_empty() {
            _ = writeln!(text, "  left out    {}", checkpoint.left_out().join(", "));
        }
        for it in &not_finite {
            let (tensor, value, index) = (&it.tensor, &it.value, it.index);
            _ = writeln!(text, "  not finite  {tensor} holds {value} at element {index}");
        }
        for (file, hash) in &hashes {
            _ = writeln!(text, "  sha256      {hash}  {file}");
        }
        if self.tensors {
            for (name, dtype, shape) in checkpoint.tensors() {
                _ = writeln!(text, "  {:<10}  {name}  {shape:?}", dtype.to_string());
            }
        }
        let left_off = tokenizer.left_off().iter().map(|&id| tokenizer.readable(id));
        let left_off: Vec<String> = left_off.collect();
        let tensors = checkpoint.tensors().map(|(name, dtype, shape)| {
            json!({ "name": name, "type": dtype.to_string(), "shape": shape })
        });
        let tensors: Vec<_> = tensors.collect();
        let not_finite = not_finite
            .iter()
            .map(|it| json!({ "tensor": it.tensor, "element": it.index, "value": it.value }));
        let not_finite: Vec<_> = not_finite.collect();
        let json = json!({
            "name": checkpoint.name(),
            "config": config,
            "n_params": config.n_params(),
            "format": checkpoint.format.to_string(),
            "dtypes": checkpoint.dtypes(),
            "tensors": tensors,
            "left_out": checkpoint.left_out(),
            "not_finite": not_finite,
            "n_bytes": checkpoint.n_bytes(),
            "memory": checkpoint.memory(),
            "n_tokens": tokenizer.n_vocab(),
            "left_off": left_off,
            "weights_sha256": hashes,
        });
        self.output.write(machine, || Ok(json), || text)
    }
}

/// What the weights take in memory, in words.
fn needed(memory: WeightMemory) -> String {
    let WeightMemory { in_file, copied, on_adapter } = memory;
    let [in_file, copied, on_adapter] = [in_file, copied, on_adapter].map(|it| it as f64 / 1e6);
    format!(
        "{in_file:.1} MB in the file and {copied:.1} MB copied; on an adapter {on_adapter:.1} MB"
    )
}

/// How many heads there are, and how many of keys and values if these are fewer.
fn heads(config: &ModelConfig) -> String {
    let (n_heads, n_kv_heads) = (config.n_heads, config.n_kv_heads());
    if n_heads == n_kv_heads {
        return n_heads.to_string();
    }
    format!("{n_heads} ({n_kv_heads} of keys and values)")
}

impl Random {
    fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        let existing = self.out.join("model.safetensors");
        anyhow::ensure!(
            !existing.exists(),
            "there is a model already; choose another folder: {}",
            existing.display()
        );
        let merges = gpt2_merges_for(self.config.d_vocab).with_context(|| {
            format!(
                "`vocab_size` is {}, but GPT-2's tokenizer, which is written beside the weights, needs 257 \
                 tokens or more: one for each byte, and `<|endoftext|>`",
                self.config.d_vocab
            )
        })?;
        machine.watched("Writing random weights", |task| {
            let stored_as = self.stored_as.into();
            write_random_checkpoint(&self.config, self.seed, stored_as, &self.out, &task)
        })?;

        let vocabulary = gpt2_vocabulary(&merges).map_err(anyhow::Error::msg)?;
        let write = |name: &str, text: &str| {
            let path = self.out.join(name);
            whole_file::write(&path, text.as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))
        };
        write("vocab.json", &serde_json::to_string(&vocabulary)?)?;
        write("merges.txt", &merges)?;
        // Otherwise the family's own special tokens would be added, which the model has no rows for.
        let end = "<|endoftext|>";
        let special = json!({
            "tokenizer_class": "GPT2Tokenizer",
            "bos_token": end,
            "eos_token": end,
            "unk_token": end,
        });
        write("tokenizer_config.json", &special.to_string())?;
        machine.print_text(&format!("{}\n", self.out.display()))
    }
}
