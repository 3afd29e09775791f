//! `factscope get`: a model downloaded from Hugging Face's hub, and which models there are.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::cli::machine::Machine;
use crate::cli::output::Output;
use crate::hub::{ASKED, Cached, Found, HubName, KNOWN, Settings, count, find, search};

#[derive(Args)]
#[group(required = true, multiple = false, args = ["name", "list", "search"])]
pub struct Get {
    /// What to download: NAME, OWNER/NAME, OWNER/NAME@REVISION, or one file as OWNER/NAME:FILE.gguf
    name: Option<HubName>,

    /// List models that people study, with what they take, and whether they are downloaded
    #[arg(long)]
    list: bool,

    /// Ask the hub for models whose name holds a text
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,

    #[command(flatten)]
    output: Output,
}

impl Get {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let settings = Settings::from_env()?;
        if let Some(name) = &self.name {
            let dir = machine.download(name, &settings)?;
            let path = dir.to_str().context("the folder's name is no text")?;
            let json = json!({ "name": name.to_string(), "path": path });
            return self.output.write(machine, || Ok(json), || format!("{path}\n"));
        }
        if let Some(text) = &self.search {
            let found = machine
                .watched("Asking the hub", |task| search(text, &settings, &task))
                .with_context(|| format!("cannot search for `{text}`"))?;
            if found.is_empty() {
                bail!("no model that writes text has `{text}` in its name: {}", settings.endpoint);
            }
            let models = found.iter().map(|it| found_json(it, &settings));
            return self.output.write(
                machine,
                || Ok(models_json(models)),
                || found_text(&found, &settings),
            );
        }
        let models = KNOWN.iter().map(|it| {
            json!({
                "name": it.name,
                "n_params": it.n_params,
                "n_bytes": it.n_bytes(),
                "memory_bytes": it.memory(),
                "are_least": it.n_bits.is_none(),
                "licence": Some(it.licence).filter(|it| *it != ASKED),
                "path": find(it.name, &settings.cache),
                "cached": Cached::of(it.name, &settings.cache).text(),
            })
        });
        self.output.write(machine, || Ok(models_json(models)), || known_text(&settings))
    }
}

fn models_json(models: impl Iterator<Item = Value>) -> Value {
    json!({ "models": models.collect::<Vec<_>>() })
}

fn found_json(found: &Found, settings: &Settings) -> Value {
    json!({
        "name": found.name,
        "model_type": found.model_type,
        "n_params": found.n_params,
        "licence": found.licence,
        "is_gated": found.is_gated,
        "n_downloads": found.n_downloads,
        "path": find(&found.name, &settings.cache),
        "cached": Cached::of(&found.name, &settings.cache).text(),
    })
}

fn known_text(settings: &Settings) -> String {
    let head = ["Model", "Parameters", "Weights", "Memory", "Licence", "Downloaded"];
    let rows = KNOWN.iter().map(|it| {
        let cached = Cached::of(it.name, &settings.cache).text();
        let name = it.name.to_owned();
        let (weights, memory) = (it.size(it.n_bytes()), it.size(it.memory()));
        [name, count(it.n_params), weights, memory, it.licence.to_owned(), cached.to_owned()]
    });
    format!(
        "{}\nSizes “from” are of 16 bits a number; the hub tells the true ones before a download begins.\nAny \
         other model of these families on {} can be had by its name.\nThe cache, shared with \
         Python: {}\n",
        table(head, rows),
        settings.endpoint,
        settings.cache.display()
    )
}

fn found_text(found: &[Found], settings: &Settings) -> String {
    let none = || "–".to_owned();
    let head = ["Model", "Kind", "Parameters", "Licence", "Gated", "Downloaded"];
    let rows = found.iter().map(|it| {
        let cached = Cached::of(&it.name, &settings.cache).text();
        [
            it.name.clone(),
            it.model_type.clone().unwrap_or_else(none),
            it.n_params.map_or_else(none, count),
            it.licence.clone().unwrap_or_else(none),
            if it.is_gated { "yes" } else { "no" }.to_owned(),
            cached.to_owned(),
        ]
    });
    table(head, rows)
}

fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    text
}
