//! `factscope merge`: the shards of a sweep as one folder.

use std::path::PathBuf;

use clap::Args;

use crate::cli::machine::Machine;
use crate::population;

#[derive(Args)]
pub struct Merge {
    /// The folders of the shards that `sweep --shard` wrote
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,

    /// The folder that all parts are copied to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Merge {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        let merged = population::merge(&self.folders, &self.out)?;
        let (n, of) = (merged.found.len(), merged.manifest.n_asked);
        let missing = if n < of { "; the others are in no shard yet" } else { "" };
        machine.print_text(&format!(
            "{n} of {of} facts, each way counted, in {}{missing}\n",
            self.out.display()
        ))
    }
}
