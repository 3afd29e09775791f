//! `factscope run`: an experiment from a file.

use std::path::PathBuf;

use clap::Args;

use crate::cli::inquiry::{Inquiry, read_spec};
use crate::cli::machine::Machine;
use crate::cli::output::ResultOutput;
use crate::experiment::Experiment;

#[derive(Args)]
pub struct Run {
    /// What to do, as the command of any analysis writes it with `--save-spec`; `-` for standard
    /// input
    #[arg(value_name = "SPEC.json")]
    spec: PathBuf,

    #[command(flatten)]
    output: ResultOutput,
}

impl Run {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let written = read_spec(&self.spec, machine)?;
        let Experiment { model, bos, fact, edits, .. } = written.outline.clone();
        let model = machine.model(&model)?;
        let inquiry = Inquiry::open(&model, Some(bos), fact, edits, machine)?;
        let spec = written.resolve(&inquiry.library(), &self.spec)?.spec;
        inquiry.run(&spec, &self.output)
    }
}
