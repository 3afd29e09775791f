//! A cell of a trace: the likeliest next tokens in each run behind it, and the answer's score in each
//! sample.

use super::Look;
use super::causal_trace::{component_name, settings};
use crate::analysis::Measurement;
use crate::analysis::causal_trace::{Corrupted, Direction};
use crate::analysis::trace_cell::{NextToken, TraceCell};
use crate::figure::number::{signed, significant};
use crate::figure::words::{long_answer, metric_name, metric_or_prob, token_at, told};
use crate::figure::{Bar, Bars, Cell, Chart, Figure, Row, Table};
use crate::tokens::visible;

pub(super) fn figure(it: &TraceCell, look: &Look<'_>) -> Figure {
    let metric = metric_or_prob(look.metric, &it.clean);
    let quantity = metric_name(metric, &it.prompt);
    let does = does(it);
    let mean = |runs: &[Measurement]| {
        Measurement::mean(runs, metric).map_or(f32::NAN, |it| told(metric, it))
    };
    let (corrupted, patched) = (mean(&it.corrupted), mean(&it.patched));
    let value = |found: &Measurement| found.get(metric).map_or(f32::NAN, |it| told(metric, it));
    let bar = |label: String, value: f32| Bar::new(label, value);
    let mut bars = vec![
        bar("Clean".to_owned(), value(&it.clean)),
        bar("Corrupted, mean".to_owned(), corrupted),
        bar(format!("{does}, mean"), patched),
    ];
    let samples = it.patched.iter().take(look.n_listed).enumerate();
    bars.extend(samples.map(|(nth, found)| bar(format!("{does}, sample {nth}"), value(found))));

    let spec = &it.spec;
    let (run, start) = match spec.trace.direction {
        Direction::Denoise => ("corrupted", corrupted),
        Direction::Noise => ("clean", value(&it.clean)),
    };
    let together = match it.layers.len() {
        0 | 1 => String::new(),
        n => format!(" with {n} layers together ({}–{})", it.layers.start, it.layers.end - 1),
    };
    let mut notes = vec![
        format!(
            "{does} at {}, layer {}{together}: {quantity} {}, in the {run} runs {}, a change of {}",
            token_at(spec.pos, &it.prompt),
            spec.layer,
            significant(patched, 4),
            significant(start, 4),
            signed(patched - start, 4),
        ),
        settings(&it.as_trace(), metric),
        "Probabilities of next tokens are means over samples, as in ROME (Meng et al. 2022). The \
         same draws are behind every cell of the map"
            .to_owned(),
    ];
    notes.extend(long_answer(metric, &it.prompt));
    look.explain_planted(&mut notes);
    Figure {
        title: format!(
            "Why this cell? {} {} at {}, layer {}",
            capital(component_name(spec.trace.component)),
            does.to_lowercase(),
            token_at(spec.pos, &it.prompt),
            spec.layer
        ),
        charts: vec![
            Chart::Table(likeliest(it, look)),
            Chart::Bars(Bars::new("Samples", quantity, bars)),
            Chart::Table(draws(it, look)),
        ],
        notes,
        ..Figure::default()
    }
}

/// What is done to the run.
fn does(it: &TraceCell) -> &'static str {
    match it.spec.trace.direction {
        Direction::Denoise => "Restored",
        Direction::Noise => "Corrupted here",
    }
}

/// The likeliest of each run beside each other, with the change of those of the patched runs.
fn likeliest(it: &TraceCell, look: &Look<'_>) -> Table {
    let side = |found: Option<&NextToken>, prob: fn(&NextToken) -> f32| {
        let token = found.map_or_else(String::new, |it| look.token(it.id));
        [Cell::Token(token), Cell::Number(found.map_or(f32::NAN, prob))]
    };
    let top = &it.top;
    let n = top.clean.len().min(look.n_listed);
    let row = |nth: usize| {
        let patched = top.patched.get(nth);
        let cells = [Cell::Number(nth as f32 + 1.0)]
            .into_iter()
            .chain(side(top.clean.get(nth), |it| it.clean))
            .chain(side(top.corrupted.get(nth), |it| it.corrupted))
            .chain(side(patched, |it| it.patched))
            .chain([Cell::Number(patched.map_or(f32::NAN, |next| it.change(next)))]);
        Row::new(cells)
    };
    let columns = ["Rank", "Clean", "p", "Corrupted", "p", does(it), "p", "Change"];
    Table::new("Next token", columns, (0..n).map(row))
}

/// Each sample, and what became of the subject in it.
fn draws(it: &TraceCell, look: &Look<'_>) -> Table {
    let metric = metric_or_prob(look.metric, &it.clean);
    let value = |found: Option<&Measurement>| {
        let reading = found.and_then(|it| it.get(metric));
        Cell::Number(reading.map_or(f32::NAN, |it| told(metric, it)))
    };
    let became = |nth: usize| match it.corruptions.get(nth) {
        Some(Corrupted::Prompt { tokens, .. }) => {
            Cell::Text(visible(&tokens.concat()).replace('·', " ").trim().to_owned())
        }
        Some(Corrupted::Vectors { norms, distances }) => {
            let list = |numbers: &[f32]| {
                numbers.iter().map(|&it| significant(it, 3)).collect::<Vec<_>>().join(", ")
            };
            Cell::Text(format!("{} away, {} long", list(distances), list(norms)))
        }
        None => Cell::Text(String::new()),
    };
    let row = |nth: usize| {
        Row::new([
            Cell::Number(nth as f32),
            value(it.corrupted.get(nth)),
            value(it.patched.get(nth)),
            became(nth),
        ])
    };
    let what = match it.corruptions.first() {
        Some(Corrupted::Prompt { .. }) => "Corrupted prompt",
        _ => "Embeddings of the subject's tokens",
    };
    Table::new(
        "Draws",
        ["Sample", "Corrupted", does(it), what],
        (0..it.corrupted.len().min(look.n_listed)).map(row),
    )
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|it| it.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
