//! `factscope report`: what session files hold, as a page of HTML.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::cli::machine::Machine;
use crate::cli::output::check_writable;
use crate::report::{Held, Options, to_html};
use crate::session::Session;
use crate::whole_file;

#[derive(Args)]
pub struct Report {
    /// Session files that the window has saved
    #[arg(value_name = "FILE.factscope", required = true)]
    files: Vec<PathBuf>,

    /// The page: one file that needs no other, and no network
    #[arg(long, value_name = "FILE.html")]
    out: PathBuf,

    /// What stands above all [default: what was asked of which model]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,

    /// Only these results, by their numbers in `factscope session FILE`: `3` or `1,3,4` [default: all but
    /// estimates that only stood in for cells of a trace]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    only: Vec<usize>,
}

impl Report {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        let several = self.files.len() > 1;
        ensure!(!several || self.only.is_empty(), "--only is about one file; several are given");
        check_writable(&self.out)?;
        let held = |path: &PathBuf| {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            anyhow::Ok(Held { name, session: Session::load(path)? })
        };
        let all = self.files.iter().map(held).collect::<anyhow::Result<Vec<_>>>()?;
        let options = Options { title: self.title.clone(), only: self.only.clone() };
        let html = machine.watched("Drawing", |_| to_html(&all, &options))?;
        whole_file::write(&self.out, html.as_bytes())
            .with_context(|| format!("cannot write {}", self.out.display()))
    }
}
