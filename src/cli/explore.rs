use std::path::PathBuf;

use clap::Args;

use super::Machine;
use crate::tokens::Bos;
use crate::ui;

#[derive(Args, Default)]
pub(super) struct Explore {
    /// A model folder in Hugging Face's layout
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,

    /// A dataset: CounterFact, or ROME's `known_1000.json`
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,

    /// Put `<|endoftext|>` before the prompt, as TransformerLens does
    #[arg(long)]
    bos: bool,
}

impl Explore {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        let options = ui::Options {
            model: self.model.clone(),
            facts: self.facts.clone(),
            device: machine.device,
            bos: if self.bos { Bos::On } else { Bos::Off },
        };
        Ok(ui::run(options)?)
    }
}
