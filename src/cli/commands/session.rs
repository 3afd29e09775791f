//! `factscope session`: what a session file of the window holds.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::Args;
use serde_json::json;

use crate::cli::machine::Machine;
use crate::figure::words::counted;
use crate::session::{EXTENSION, Kept, Session};
use crate::whole_file;
use crate::worker::Which;

#[derive(Args)]
pub struct SessionArgs {
    /// Session files that the window or `--save-session` has written
    #[arg(value_name = "FILE.factscope", required = true)]
    files: Vec<PathBuf>,

    /// Write what several files hold of one model into one file, which the window opens
    #[arg(long, value_name = "FILE.factscope", conflicts_with = "extract")]
    join: Option<PathBuf>,

    /// Write one result with its spec as JSON: its number in the list, then the file
    #[arg(long, num_args = 2, value_names = ["N", "FILE.json"])]
    extract: Option<Vec<String>>,
}

/// A session file, or the folder of a sweep, that stands in place of a command.
pub fn session_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() || path.extension().is_some_and(|it| it.eq_ignore_ascii_case(EXTENSION)) {
        Ok(path)
    } else {
        Err(format!("neither a command, a session file (.{EXTENSION}) nor a folder; see `--help`"))
    }
}

impl SessionArgs {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        let [first, others @ ..] = &*self.files else { bail!("name a session file") };
        let mut session = Session::load(first)?;
        if let Some([nth, path]) = self.extract.as_deref() {
            ensure!(others.is_empty(), "a result is taken out of one file; name it alone");
            return extract(&session, nth, Path::new(path));
        }
        if let Some(path) = &self.join {
            for other in others {
                let joined = session.join(Session::load(other)?);
                joined.map_err(|why| anyhow!("{}: {why}", other.display()))?;
            }
            return Ok(session.save(path)?);
        }
        machine.print_text(&to_text(&session))?;
        for other in others {
            machine.print_text(&format!(
                "\n{}\n{}",
                other.display(),
                to_text(&Session::load(other)?)
            ))?;
        }
        Ok(())
    }
}

fn extract(session: &Session, nth: &str, path: &Path) -> anyhow::Result<()> {
    let n = session.kept().count();
    let found = nth.parse::<usize>().ok().and_then(|nth| session.kept().nth(nth.checked_sub(1)?));
    let found = found.with_context(|| format!("there is no result {nth}; the file holds {n}"))?;
    // NaN and infinite numbers become null, as JSON has none.
    let model = session.model_of(found.which);
    let json = json!({
        "program": session.program,
        "model": { "name": model.name, "weights_sha256": model.weights_sha256 },
        "dataset": session.dataset,
        "edits": found.edits,
        "device": model.device,
        "prompt": found.prompt,
        "spec": found.spec,
        "is_complete": found.is_complete,
        "result": found.result,
    });
    whole_file::write(path, format!("{json}\n").as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))
}

fn to_text(session: &Session) -> String {
    let mut text = String::new();
    _ = writeln!(text, "Written by  {}", session.program);
    let beside = session.beside.as_ref().map(|it| ("Beside", &it.model));
    for (name, model) in [Some(("Model", &session.model)), beside].into_iter().flatten() {
        _ = writeln!(text, "{name:<12}{} ({})", model.name, model.path.display());
        for (file, hash) in &model.weights_sha256 {
            _ = writeln!(text, "            {file} sha256 {hash}");
        }
    }
    match &session.dataset {
        Some(it) => {
            let place = it.path.display();
            _ = writeln!(
                text,
                "Dataset     {place}, {}, sha256 {}",
                counted(it.n_facts, "fact"),
                it.sha256
            );
        }
        None => text.push_str("Dataset     none\n"),
    }
    _ = writeln!(text, "Edits       {}", session.edits.len());
    _ = writeln!(text, "Results     {}", session.kept().count());
    for (nth, found) in session.kept().enumerate() {
        let Kept { which, edits, prompt, is_complete, typed, .. } = found;
        let note = if is_complete { "" } else { ", stopped on the way" };
        let of = match which {
            Which::Beside => ", model beside".to_owned(),
            Which::Main if edits == session.edits => String::new(),
            Which::Main if edits.len() == 1 => ", model with 1 edit".to_owned(),
            Which::Main => format!(", model with {} edits", edits.len()),
        };
        let typed = if typed.is_none() { "" } else { ", of the Spec view" };
        _ = writeln!(text, "{:>4}  {}{of}{typed}{note}: {}", nth + 1, found.name(), prompt.text);
    }
    text
}
