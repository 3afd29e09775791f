//! `train` in a program that was built without training: it says so.

use std::ffi::OsString;

use anyhow::bail;
use clap::Args;

use super::Machine;

/// Takes any arguments, so that the complaint is about training and not about them.
#[derive(Args)]
pub struct Train {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Train {
    pub fn run(&self, _machine: &Machine) -> anyhow::Result<()> {
        let arguments: Vec<_> = self.arguments.iter().map(|it| it.to_string_lossy()).collect();
        bail!(
            "this factscope was built without training; to train, run `cargo run --release \
             --features training -- train {}`",
            arguments.join(" ")
        )
    }
}
