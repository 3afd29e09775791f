//! What kind of head each is, by where it looks: a map per score.

use super::{Look, head_map, size};
use crate::analysis::head_scores::{HeadScores, HeadSummary};
use crate::figure::words::counted;
use crate::figure::{Chart, ColorMap, Figure, Map};

/// A score's name, and how it is read; `None` where the prompt has no such keys.
type Score = (&'static str, fn(&HeadScores) -> Option<f32>);

const ON_PROMPT: [Score; 5] = [
    ("Previous token", |it| it.previous_token),
    ("Duplicate token", |it| it.duplicate_token),
    ("Induction", |it| it.induction),
    ("Subject", |it| it.subject),
    ("First token", |it| it.first_token),
];

const ON_RANDOM: [Score; 3] = [
    ("Previous token", |it| Some(it.random_previous_token)),
    ("Duplicate token", |it| Some(it.random_duplicate_token)),
    ("Induction", |it| Some(it.random_induction)),
];

pub(super) fn figure(found: &HeadSummary, look: &Look<'_>) -> Figure {
    let random = ON_RANDOM.map(|it| (it, "repeated random tokens"));
    let prompt = ON_PROMPT.map(|it| (it, "the prompt"));
    let mut charts = Vec::new();
    let mut missing = Vec::new();
    for ((name, read), of) in random.into_iter().chain(prompt) {
        if found.heads.values().iter().all(|it| read(it).is_none()) {
            missing.push(name.to_lowercase());
            continue;
        }
        let name = format!("{name}, on {of}");
        let map = heads(found, &name, "Mean attention weight", look, read);
        // Most heads look at none of these keys: on a scale up to 1 they would all be blank.
        let largest = map.values.iter().copied().filter(|it| it.is_finite()).fold(1e-6, f32::max);
        charts.push(Chart::Map(map.colored(ColorMap::Blues).in_range(0.0, largest)));
    }
    let entropy =
        heads(found, "Entropy, at the last token", "Entropy (nats)", look, |it| Some(it.entropy));
    let uniform = (found.prompt.n_pos().max(2) as f32).ln();
    charts.push(Chart::Map(entropy.colored(ColorMap::Oranges).in_range(0.0, uniform)));
    Figure {
        title: "Head scores — where each head looks".to_owned(),
        charts,
        notes: notes(found, &missing),
        ..Figure::default()
    }
}

fn heads(
    found: &HeadSummary,
    name: &str,
    quantity: &str,
    look: &Look<'_>,
    read: fn(&HeadScores) -> Option<f32>,
) -> Map {
    let value = |layer, head| found.heads.get(layer, head).and_then(read).unwrap_or(f32::NAN);
    head_map(name, quantity, size(&found.heads), look, value)
}

fn notes(found: &HeadSummary, missing: &[String]) -> Vec<String> {
    let spec = found.spec;
    let mut notes = vec![
        format!(
            "Random: {} of {}, each repeated, seed {}; queries of the repetition",
            counted(spec.n_sequences, "sequence"),
            counted(spec.n_random, "token"),
            spec.seed,
        ),
        "Mean attention weight, from 0 to 1, over the queries that have such a key: the token before; earlier \
         occurrences of the same token; what came after those (Olsson et al. 2022)"
            .to_owned(),
        "Subject: from the last token to all of the subject's. First token: from all later ones. \
         Entropy of the last token's weights: 0 is all on one token, the end of the colours even \
         over all"
            .to_owned(),
    ];
    if !missing.is_empty() {
        notes.push(format!("Not in this prompt: {}", missing.join(", ")));
    }
    notes.push("Where a head looks does not say what it writes".to_owned());
    notes
}
