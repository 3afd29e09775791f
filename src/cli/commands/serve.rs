//! `factscope serve`: another program asks, a line of JSON for each request.

use clap::Args;

use crate::cli::machine::Machine;
use crate::cli::serve::{described, serve};

#[derive(Args)]
#[group(required = true, multiple = false, args = ["stdio", "describe"])]
pub struct Serve {
    /// Read requests from standard input, a line of JSON each, and reply on standard output
    #[arg(long)]
    stdio: bool,

    /// Print all commands with their flags as JSON
    #[arg(long)]
    describe: bool,
}

impl Serve {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        if self.describe {
            return machine.print_data(&format!("{:#}\n", described()));
        }
        serve(machine)
    }
}
