//! The model that a command asks, as flags.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::analysis::ModelEdit;
use crate::builtin;
use crate::cli::inquiry::{About, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::{Experiment, FactSource};
use crate::hub;
use crate::tokens::{Bos, Tokenizer};
use crate::worker::Processing;

/// The model, and how its prompt begins.
#[derive(Args)]
pub struct ModelArgs {
    /// A model folder in Hugging Face's layout; a GGUF or other weight file; the name of a model on its
    /// hub, such as `gpt2-large` or `OWNER/NAME`, which is downloaded if the cache lacks it; `builtin` or
    /// `builtin-planted`
    #[arg(long, value_name = "DIR", default_value = builtin::FACTS.name)]
    model: PathBuf,

    #[command(flatten)]
    bos: BosArgs,

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

/// Whether the prompt begins with BOS.
#[derive(Args, Default)]
pub struct BosArgs {
    /// Put the tokenizer's BOS, such as `<|endoftext|>` or `<s>`, before the prompt [default: as the
    /// tokenizer does by itself; GPT-2's does not]
    #[arg(long, overrides_with = "no_bos")]
    bos: bool,

    /// Put no BOS before the prompt, as ROME does
    #[arg(long)]
    no_bos: bool,
}

impl BosArgs {
    /// `None` leaves it to the tokenizer.
    pub fn choice(&self) -> Option<Bos> {
        match (self.bos, self.no_bos) {
            (true, _) => Some(Bos::On),
            (false, true) => Some(Bos::Off),
            (false, false) => None,
        }
    }
}

/// The model, for commands that read its weights alone.
#[derive(Args)]
pub struct WeightArgs {
    /// A model folder in Hugging Face's layout; a GGUF or other weight file; the name of a model on its
    /// hub, such as `gpt2-large` or `OWNER/NAME`, which is downloaded if the cache lacks it; `builtin` or
    /// `builtin-planted`
    #[arg(long, value_name = "DIR", default_value = builtin::FACTS.name)]
    model: PathBuf,

    /// Change the model first: what `edit` tries out, from its --save-spec; may be given again
    #[arg(long, value_name = "SPEC.json")]
    edit: Vec<PathBuf>,

    /// Rewrite the weights after that: TransformerLens' `default`, `none`, `all`, or its names with
    /// commas between
    #[arg(long, value_name = "STEPS", default_value = "default")]
    pub process: Processing,
}

/// Of a command that finds its facts itself.
impl About for ModelArgs {
    fn source(&self) -> FactSource {
        FactSource::NoFact
    }

    fn open(&self, source: FactSource, machine: &Machine) -> anyhow::Result<Inquiry> {
        let model = machine.model(&self.model)?;
        let mut edits = edits(&self.edit, &model)?;
        if self.process != Processing::default() {
            edits.push(ModelEdit::Processing(self.process.clone()));
        }
        Inquiry::open(&model, self.bos.choice(), source, edits, machine)
    }
}

/// Of a command that reads the weights alone.
impl About for WeightArgs {
    fn source(&self) -> FactSource {
        FactSource::NoFact
    }

    fn open(&self, source: FactSource, machine: &Machine) -> anyhow::Result<Inquiry> {
        let model = machine.model(&self.model)?;
        let edits = edits(&self.edit, &model)?;
        Inquiry::open(&model, Some(Bos::Off), source, edits, machine)
    }
}

fn edits(specs: &[PathBuf], model: &Path) -> anyhow::Result<Vec<ModelEdit>> {
    if specs.is_empty() {
        return Ok(Vec::new());
    }
    let tokenizer = Tokenizer::from_dir(model)?;
    // Earlier specs say where the model lies.
    let names = [hub::called(model), model.to_owned()];
    let edits = specs.iter().map(|path| Experiment::load_edits(path, &names, &tokenizer));
    Ok(edits.collect::<Result<Vec<_>, _>>()?.concat())
}
