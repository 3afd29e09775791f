//! A cell of a trace: the likeliest next tokens in each run behind it, and the answer's score in each
//! sample.

use super::causal_trace::{component_name, patched, settings, warnings};
use super::{Look, next_tokens};
use crate::analysis::Measurement;
use crate::analysis::causal_trace::{Corrupted, Direction};
use crate::analysis::trace_cell::{NextToken, TraceCell};
use crate::figure::number::{signed, significant};
use crate::figure::words::{
    about_severed, capitalized, likeliest, long_answer, metric_name, metric_or_prob, token_at, told,
};
use crate::figure::{Bar, Bars, Cell, Chart, Figure, Row, Table};
use crate::tokens::visible;

pub(super) fn figure(it: &TraceCell, look: &Look<'_>) -> Figure {
    let metric = metric_or_prob(look.metric, &it.clean);
    let quantity = metric_name(metric, &it.prompt);
    let does = does(it);
    let told_of = |reading: Option<f32>| reading.map_or(f32::NAN, |reading| told(metric, reading));
    let mean = |runs: &[Measurement]| told_of(Measurement::mean(runs, metric));
    let clean = told_of(it.clean.get(metric));
    let (corrupted, exchanged) = (mean(&it.corrupted), mean(&it.patched));
    let mut bars = vec![
        Bar::new("Clean", clean),
        Bar::new("Corrupted, mean", corrupted),
        Bar::new(format!("{does}, mean"), exchanged),
    ];
    let samples = it.patched.iter().take(look.n_listed).enumerate();
    bars.extend(
        samples.map(|(nth, found)| {
            Bar::new(format!("{does}, sample {nth}"), told_of(found.get(metric)))
        }),
    );

    let (spec, trace) = (&it.spec, it.as_trace());
    let (run, start) = match spec.trace.direction {
        Direction::Denoise => ("corrupted", corrupted),
        Direction::Noise => ("clean", clean),
    };
    let layers = match it.layers.len() {
        0 | 1 => format!("layer {}", spec.layer),
        _ => format!("layers {}–{} around {}", it.layers.start, it.layers.end - 1, spec.layer),
    };
    let mut notes = vec![
        format!(
            "{} at {}, {layers}: {quantity} {}, in the {run} runs {}, a change of {}",
            patched(&trace),
            token_at(spec.pos, &it.prompt),
            significant(exchanged, 4),
            significant(start, 4),
            signed(exchanged - start, 4),
        ),
        settings(&trace, metric, look),
        format!(
            "{} of each run. Their probabilities are means over samples, as in \
             ROME (Meng et al. 2022). The same draws are behind every cell of the map",
            likeliest(spec.n_top)
        ),
    ];
    notes.extend(about_severed(&spec.trace));
    notes.extend(long_answer(metric, &it.prompt));
    Figure {
        title: format!(
            "Why this cell? {} {} at {}, layer {}",
            capitalized(&component_name(spec.trace.component)),
            does.to_lowercase(),
            token_at(spec.pos, &it.prompt),
            spec.layer
        ),
        charts: vec![
            Chart::Table(runs(it, look)),
            Chart::Bars(Bars::new("Samples", quantity, bars)),
            Chart::Table(draws(it, look)),
        ],
        notes,
        warnings: warnings(&trace, metric),
        ..Figure::default()
    }
}

/// What is done to the cell, as a heading.
fn does(it: &TraceCell) -> &'static str {
    match it.spec.trace.direction {
        Direction::Denoise => "Restored",
        Direction::Noise => "Corrupted here",
    }
}

/// The likeliest of each run beside each other, with the change of those of the patched runs.
fn runs(it: &TraceCell, look: &Look<'_>) -> Table {
    let run = |tokens: &[NextToken], prob: fn(&NextToken) -> f32| {
        tokens.iter().map(|it| (it.id, prob(it))).collect()
    };
    let top = &it.top;
    let mut table = next_tokens(
        &[
            ("Clean", run(&top.clean, |it| it.clean)),
            ("Corrupted", run(&top.corrupted, |it| it.corrupted)),
            (does(it), run(&top.patched, |it| it.patched)),
        ],
        look,
    );
    table.columns.push("Change".to_owned());
    for (nth, row) in table.rows.iter_mut().enumerate() {
        let change = top.patched.get(nth).map_or(f32::NAN, |next| it.change(next));
        row.cells.push(Cell::Number(change));
    }
    table
}

/// The readings of each sample, and what the subject became in it.
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
