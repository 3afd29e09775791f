//! `factscope report`: what session files and sweeps hold, as a page of HTML.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;

use crate::cli::machine::Machine;
use crate::cli::output::check_writable;
use crate::report::{Held, Options, Swept, to_html_with};
use crate::session::Session;
use crate::whole_file;

#[derive(Args)]
pub struct Report {
    /// Session files that the window has saved, and folders that `sweep` has written
    #[arg(value_name = "FILE.factscope|DIR", required = true)]
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
        let (dirs, files): (Vec<_>, Vec<_>) = self.files.iter().partition(|it| it.is_dir());
        ensure!(
            self.only.is_empty() || (dirs.is_empty() && files.len() == 1),
            "--only is about the results of one session file"
        );
        check_writable(&self.out)?;
        let held = |path: &PathBuf| {
            anyhow::Ok(Held { name: name_of(path), session: Session::load(path)? })
        };
        let all = files.into_iter().map(held).collect::<anyhow::Result<Vec<_>>>()?;
        let html = machine.watched("Drawing", |_| {
            let sweeps =
                dirs.into_iter().map(|it| swept(it)).collect::<anyhow::Result<Vec<_>>>()?;
            let options = Options { title: self.title.clone(), only: self.only.clone() };
            Ok::<_, anyhow::Error>(to_html_with(&all, &sweeps, &options)?)
        })?;
        whole_file::write(&self.out, html.as_bytes())
            .with_context(|| format!("cannot write {}", self.out.display()))
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// What the facts of a sweep have in common, as `factscope population` shows it without flags.
#[cfg(feature = "parquet")]
fn swept(dir: &Path) -> anyhow::Result<Swept> {
    use crate::experiment::{Written, quoted};
    use crate::figure::program;
    use crate::figure::words::counted;
    use crate::population::{Population, Shown, Wanted, flags_of};

    let found = Population::load(dir, &Wanted::default())?;
    let manifest = &found.manifest;
    let outline = Written::parse(&manifest.spec.to_string(), dir)?.outline;
    let name = name_of(&dir.canonicalize().unwrap_or_else(|_| dir.to_owned()));
    let out = quoted(&name);
    let row = |name: &str, text: String| (name.to_owned(), text);
    Ok(Swept {
        model: manifest.model.clone(),
        asked: outline.spec,
        figure: found.figure(&Shown::default()),
        spec: serde_json::to_string_pretty(&manifest.spec)?,
        commands: vec![
            match flags_of(manifest) {
                Some(flags) => {
                    let spec = quoted(&format!("{name}.json"));
                    format!("factscope sweep {spec} {flags} --out {out}")
                }
                // The folder asks the same as its sweep.
                None => format!("factscope sweep {out} --out {out}"),
            },
            format!("factscope population {out}"),
        ],
        made_of: vec![
            row(
                "Sweep",
                format!("{name}, {} asked, each way counted", counted(manifest.n_asked, "fact")),
            ),
            row("Page written by", program()),
            row("Model", manifest.model.clone()),
            row(
                "SHA-256 of the names and hashes of its weight files",
                manifest.model_sha256.clone(),
            ),
            row("Dataset", manifest.facts.display().to_string()),
            row("SHA-256 of the dataset", manifest.facts_sha256.clone()),
            row("SHA-256 of the spec", manifest.spec_sha256.clone()),
        ],
        name,
    })
}

#[cfg(not(feature = "parquet"))]
fn swept(dir: &Path) -> anyhow::Result<Swept> {
    anyhow::bail!("this build reads no sweeps (feature `parquet`): {}", dir.display())
}
