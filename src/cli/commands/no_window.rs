//! `explore` in a program that was built without a window: it says so.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::Machine;

/// Takes any arguments, so that the complaint is about the window and not about them.
#[derive(Args, Default)]
pub struct Explore {
    #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Explore {
    /// A session file, or the folder of a sweep.
    pub fn of_path(path: PathBuf) -> Self {
        let flag = if path.is_dir() { "--sweep" } else { "--session" };
        Self { arguments: vec![flag.into(), path.into()] }
    }

    pub fn run(&self, _machine: &Machine) -> anyhow::Result<()> {
        let arguments: Vec<_> = self.arguments.iter().map(|it| it.to_string_lossy()).collect();
        bail!(
            "this factscope was built without a window; to open one, run `cargo run --release \
             --features gui -- explore {}`. All other commands need none",
            arguments.join(" ")
        )
    }
}
