//! `factscope licences`: those of the packages that the program is made of.

use clap::Args;

use crate::cli::machine::Machine;
use crate::packed::LICENCES;

#[derive(Args)]
pub struct Licences;

impl Licences {
    #[expect(clippy::unused_self, reason = "commands are all run so")]
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        machine.print_text(&LICENCES)
    }
}
