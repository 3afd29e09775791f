//! What the page was made of: models, weights, datasets, changes and programs, with their hashes.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};

use super::Contents;
use super::chapter::Chapter;
use super::html::Html;
use crate::analysis::ModelEdit;
use crate::figure::words::counted;
use crate::figure::{about_edit, program};
use crate::session::{ModelIdentity, Session};
use crate::worker::Which;

pub(super) const ANCHOR: &str = "made-of";
pub(super) const TITLE: &str = "Model, data and program";

pub(super) fn made_of(html: &mut Html, Contents { chapters, sweeps }: &Contents<'_>) {
    let of_sessions = chapters.iter().map(|it| (&*it.held.name, rows(it)));
    let of_sweeps = sweeps.iter().map(|it| (&*it.name, it.made_of.clone()));
    let all: Vec<_> = of_sessions.chain(of_sweeps).collect();
    html.within("section", &[("aria-labelledby", ANCHOR)], |html| {
        html.element("h2", &[("id", ANCHOR)], TITLE);
        let is_one = all.len() == 1;
        for (name, rows) in all {
            html.open("div", &[("class", "wide")]);
            html.open("table", &[("class", "made-of"), ("aria-label", name)]);
            if !is_one {
                html.element("caption", &[], name);
            }
            html.open("tbody", &[]);
            for (name, text) in rows {
                html.open("tr", &[]);
                html.element("th", &[("scope", "row")], &name);
                html.element("td", &[], &text);
                html.close("tr");
            }
            html.close("tbody");
            html.close("table");
            html.close("div");
        }
    });
}

fn rows(chapter: &Chapter<'_>) -> Vec<(String, String)> {
    let session: &Session = &chapter.held.session;
    let mut rows = Vec::new();
    let mut row = |name: &str, text: String| rows.push((name.to_owned(), text));
    row("Session", chapter.held.name.clone());
    row("Computed by", session.program.clone());
    row("Page written by", program());
    let beside = session.beside.as_ref().map(|it| ("Model beside", &it.model));
    for (name, model) in [Some(("Model", &session.model)), beside].into_iter().flatten() {
        row(name, about_model(model));
        for (file, hash) in &model.weights_sha256 {
            row(&format!("SHA-256 of {file}"), hash.clone());
        }
    }
    match &session.dataset {
        Some(it) => {
            row("Dataset", format!("{}, {}", it.path.display(), counted(it.n_facts, "fact")));
            row("SHA-256 of the dataset", it.sha256.clone());
        }
        None => row("Dataset", "none; all facts were typed".to_owned()),
    }
    if let Err(difference) = &chapter.dataset {
        row("Since then", format!("{difference}; the commands name facts by their text instead"));
    }
    row("Changes of the model", about_changes(chapter));
    rows
}

/// How the main model was changed for the results on the page.
fn about_changes(chapter: &Chapter<'_>) -> String {
    let mut counts: Vec<(&[ModelEdit], usize)> = Vec::new();
    let of_main = chapter.entries().filter(|it| it.kept.which == Which::Main);
    for edits in of_main.map(|it| it.kept.edits) {
        match counts.iter_mut().find(|(it, _)| *it == edits) {
            Some((_, n)) => *n += 1,
            None => counts.push((edits, 1)),
        }
    }
    let told = |edits: &[ModelEdit]| {
        let edits: Vec<String> = edits.iter().map(about_edit).collect();
        if edits.is_empty() { "none".to_owned() } else { edits.join(", ") }
    };
    match &counts[..] {
        [] => told(&[]),
        [(edits, _)] => told(edits),
        several => {
            let mut all = Vec::new();
            for (edits, n) in several {
                all.push(format!("{} for {}", told(edits), counted(*n, "result")));
            }
            all.join("; ")
        }
    }
}

fn about_model(model: &ModelIdentity) -> String {
    let ModelIdentity { name, path, config, dtypes, device, .. } = model;
    format!(
        "{name} ({}): {} layers of {} heads, {} wide, {} tokens, numbers stored as {}, computed on {device}",
        path.display(),
        config.n_layers,
        config.n_heads,
        config.d_model,
        config.d_vocab,
        dtypes.join(", ")
    )
}

/// The hash of a text as policies of pages name it.
pub(super) fn sha256_base64(text: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `printf '' | openssl dgst -sha256 -binary | base64`.
    #[test]
    fn a_hash_is_as_policies_have_it() {
        assert_eq!(sha256_base64(""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }
}
