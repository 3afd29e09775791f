//! `factscope licences`: those of the packages that the program is made of.

use clap::Args;

use crate::cli::machine::Machine;
use crate::cli::output::print_text;
use crate::packed::LICENCES;

#[derive(Args)]
pub struct Licences;

impl Licences {
    pub fn run(&self, _: &Machine) -> anyhow::Result<()> {
        print_text(&LICENCES)
    }
}
