//! What a sweep was asked with, as the flags of its command.

use serde::Serialize;

use super::folder::Manifest;
use super::plan::{FigureSettings, SweepSettings};
use super::recall::KnownBy;
use super::selection::{Selection, Ways, Wording};
use super::sweep::AnswerOf;
use crate::experiment::{as_typed, quoted};

/// The flags of `factscope sweep` that ask what a folder holds, but for its spec and `--out`. `None` where
/// another version wrote settings that this one does not know.
pub fn flags_of(manifest: &Manifest) -> Option<String> {
    let settings: SweepSettings = serde_json::from_value(manifest.settings.clone()).ok()?;
    let mut words = Vec::new();
    let mut flag = |name: &str, value: &str| words.push(format!("--{name} {}", quoted(value)));
    flag("facts", &manifest.facts.display().to_string());
    let Selection { ways, relation, cases, known, known_by, wording, n, seed } =
        &manifest.selection;
    let (figure, usual) = (&settings.figure, FigureSettings::default());
    for (name, value) in [("relation", relation.clone()), ("known", typed(known))] {
        if let Some(value) = value {
            flag(name, &value);
        }
    }
    cases.iter().flatten().for_each(|it| flag("case", it));
    for (name, value, usual) in [
        ("known-by", typed(known_by), typed(&KnownBy::FIRST)),
        ("wording", typed(wording), typed(&Wording::default())),
        ("answer", typed(&settings.answer), typed(&AnswerOf::default())),
        ("figure-metric", typed(&figure.metric), typed(&usual.metric)),
        ("figure-effect", typed(&figure.effect), typed(&usual.effect)),
        ("figure-attribution", typed(&figure.attribution), typed(&usual.attribution)),
    ] {
        value.iter().filter(|_| value != usual).for_each(|it| flag(name, it));
    }
    if !settings.layers.is_empty() {
        let layers: Vec<String> = settings.layers.iter().map(ToString::to_string).collect();
        flag("layers", &layers.join(","));
    }
    if let Some(n) = n {
        flag("n", &n.to_string());
        flag("facts-seed", &seed.to_string());
    }
    match ways {
        Ways::Forward => {}
        Ways::Inverse => words.push("--inverse".to_owned()),
        Ways::Both => words.push("--both-ways".to_owned()),
    }
    if settings.shared_draws {
        words.push("--shared-draws".to_owned());
    }
    Some(words.join(" "))
}

/// A case as flags have it.
fn typed(case: &impl Serialize) -> Option<String> {
    let name = serde_json::to_value(case).ok()?;
    Some(as_typed(name.as_str()?))
}
