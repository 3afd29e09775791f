//! `recall` in a program that was built without Parquet: it says so.

use std::ffi::OsString;

use anyhow::bail;
use clap::Args;

use super::Machine;

/// Takes any arguments, so that the complaint is about Parquet and not about them.
#[derive(Args)]
pub struct Recall {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    _arguments: Vec<OsString>,
}

impl Recall {
    #[expect(clippy::unused_self, reason = "as with Parquet")]
    pub fn run(&self, _machine: &Machine) -> anyhow::Result<()> {
        bail!(
            "this factscope was built without Parquet, which the facts of sweeps are; build it with \
             `--features parquet`"
        )
    }
}
