//! `get` in a program that was built without downloads: it says so.

use std::ffi::OsString;

use anyhow::bail;
use clap::Args;

use super::Machine;

/// Takes any arguments, so that the complaint is about downloads and not about them.
#[derive(Args)]
pub struct Get {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Get {
    pub fn run(&self, _machine: &Machine) -> anyhow::Result<()> {
        let arguments: Vec<_> = self.arguments.iter().map(|it| it.to_string_lossy()).collect();
        bail!(
            "this factscope was built without downloads; run `hf download {}`, or build it with \
             `--features hub`",
            arguments.join(" ")
        )
    }
}
