//! Meng et al. 2022, figure 2 and appendix B, figure 7: mean effects by token role and layer, as maps
//! and as lines with their intervals.

use super::causal_trace::window_title;
use super::{Look, corruption};
use crate::analysis::causal_trace::{Component, Direction};
use crate::analysis::corruption::{Corruption, Draws};
use crate::analysis::trace_average::{Averages, FactDraws, Kept, LeftOut, Spec, TraceAverage};
use crate::analysis::{Estimate, Metric};
use crate::figure::number::significant;
use crate::figure::words::{about_severed, checksum, counted, joined, metric_of_answers};
use crate::figure::{Cell, Chart, Figure, Lines, Map, Pick, Row, Series, Side, Table};

pub(super) fn figure(it: &TraceAverage, look: &Look<'_>) -> Figure {
    let of = |metric: Metric| -> Vec<(Component, Averages)> {
        let components = it.spec.components.iter().enumerate();
        components.filter_map(|(nth, of)| Some((*of, it.averages(nth, metric)?))).collect()
    };
    let mut metric = look.metric;
    let mut found = of(metric);
    if found.is_empty() {
        // None has a foil, say.
        metric = Metric::default();
        found = of(metric);
    }
    let quantity = format!("Indirect effect on {}", metric_of_answers(metric));
    let mut charts: Vec<Chart> =
        maps(it, &found, &quantity, look).into_iter().map(Chart::Map).collect();
    charts.extend(found.iter().map(|of| Chart::Lines(lines(it, of, &quantity))));
    if let Some((_, averages)) = found.first() {
        charts.push(Chart::Table(readings(averages, metric)));
        charts.push(Chart::Table(peaks(it, &found)));
    }
    if !it.left_out.is_empty() {
        charts.push(Chart::Table(left_out(it, look.n_listed)));
    }
    Figure {
        title: format!("Averages over {} — {quantity}", counted(it.facts.len(), "fact")),
        charts,
        warnings: warnings(it),
        notes: notes(it, look),
        ..Figure::default()
    }
}

/// The maps of all components, in one scale, so that they can be compared.
fn maps(
    it: &TraceAverage,
    found: &[(Component, Averages)],
    quantity: &str,
    look: &Look<'_>,
) -> Vec<Map> {
    let map = |(component, averages): &(Component, Averages)| {
        let rows = Side::roles(&averages.roles);
        let layers = look.layers(layer_title(it, *component), it.n_layers);
        let values = averages.indirect.values().iter().map(|it| it.mean as f32).collect();
        let details = averages.indirect.values().iter().enumerate().map(|(nth, estimate)| {
            let row = nth / it.n_layers;
            let (n_facts, n_tokens) = (averages.n_facts[row], averages.n_tokens[row]);
            let of = format!("{} of {}", counted(n_tokens, "token"), counted(n_facts, "fact"));
            match interval(estimate) {
                Some(interval) => format!("95 % interval {interval}\n{of}"),
                None => of,
            }
        });
        let details = details.collect();
        let name = name(it, *component);
        Map { details, ..Map::new(&name, rows, layers, values, quantity).diverging() }
    };
    let mut maps: Vec<Map> = found.iter().map(map).collect();
    let largest = maps.iter().map(|map| map.range.1).fold(0.0, f32::max);
    for map in &mut maps {
        map.range = (-largest, largest);
    }
    maps
}

fn lines(
    it: &TraceAverage,
    (component, averages): &(Component, Averages),
    quantity: &str,
) -> Lines {
    let series = averages.roles.iter().zip(averages.indirect.rows()).map(|(role, row)| Series {
        name: role.to_string(),
        values: row.iter().map(|it| it.mean as f32).collect(),
        band: row.iter().map(|it| (it.low as f32, it.high as f32)).collect(),
    });
    Lines::new(
        format!("{}, by layer", name(it, *component)),
        quantity,
        layer_title(it, *component).to_owned(),
        series,
    )
}

fn name(it: &TraceAverage, component: Component) -> String {
    let name = match component {
        Component::Hidden => "Hidden states",
        Component::Mlp => "MLPs",
        Component::Attn => "Attention",
    };
    match it.spec.trace_window(component) {
        1 => name.to_owned(),
        window => format!("{name}, window {window}"),
    }
}

fn layer_title(it: &TraceAverage, component: Component) -> &'static str {
    window_title(it.spec.trace_window(component) == 1, it.spec.trace.direction)
}

/// The total effect, of which the indirect effects are parts.
fn readings(averages: &Averages, metric: Metric) -> Table {
    // Ranks are counted from 1; a difference of two is as it is.
    let from = if metric == Metric::Rank { 1.0 } else { 0.0 };
    let row = |(name, it, from): (&str, &Estimate, f64)| {
        let numbers = [it.mean + from, it.low + from, it.high + from, it.n as f64];
        let numbers = numbers.map(|number| Cell::Number(number as f32));
        Row::new([Cell::Text(name.to_owned())].into_iter().chain(numbers))
    };
    let columns = [&*metric_of_answers(metric), "Mean", "95 % from", "To", "Facts"];
    Table::new(
        "Total effect",
        columns,
        [
            ("Clean", &averages.clean, from),
            ("Corrupted", &averages.corrupted, from),
            ("Total effect (clean − corrupted)", &averages.total, 0.0),
        ]
        .map(row),
    )
}

fn peaks(it: &TraceAverage, found: &[(Component, Averages)]) -> Table {
    let rows = found.iter().flat_map(|(component, averages)| {
        let row = |(nth, role)| {
            let (layer, effect) = averages.peak(nth)?;
            let (n_facts, n_tokens) = (averages.n_facts[nth], averages.n_tokens[nth]);
            let numbers = [
                layer as f64,
                effect.mean,
                effect.low,
                effect.high,
                n_facts as f64,
                n_tokens as f64,
            ];
            let texts = [name(it, *component), format!("{role}")].map(Cell::Text);
            let numbers = numbers.map(|number| Cell::Number(number as f32));
            Some(Row::new(texts.into_iter().chain(numbers)).about(Pick::layer(layer)))
        };
        averages.roles.iter().enumerate().filter_map(row).collect::<Vec<_>>()
    });
    let columns =
        ["Restored", "At", "Layer", "Largest effect", "95 % from", "To", "Facts", "Tokens"];
    let mut columns = columns.map(str::to_owned);
    if it.spec.trace.direction == Direction::Noise {
        "Corrupted".clone_into(&mut columns[0]);
    }
    Table::new("Peaks", columns, rows)
}

fn left_out(it: &TraceAverage, n_listed: usize) -> Table {
    let row = |LeftOut { prompt, reason, .. }: &LeftOut| {
        Row::new([prompt, reason].map(|text| Cell::Text(text.clone())))
    };
    Table::new("Left out", ["Prompt", "Why"], it.left_out.iter().take(n_listed).map(row))
}

fn interval(it: &Estimate) -> Option<String> {
    let ends = [it.low, it.high].map(|end| significant(end as f32, 3));
    (it.low.is_finite() && it.high.is_finite()).then(|| format!("{} to {}", ends[0], ends[1]))
}

/// What the draws of facts have to do with each other, and so the intervals with the draws.
fn about_draws(spec: &Spec) -> Option<&'static str> {
    let corruption = spec.corruption();
    if !corruption.is_drawn() {
        return None;
    }
    Some(match (spec.draws, corruption) {
        (_, Corruption::NoiseFile(_)) => {
            "All facts are given the same noise: the intervals leave out how much the means would change \
             with other noise"
        }
        (FactDraws::Shared, _) => {
            "All facts share the draws of one seed, as in ROME: the intervals leave out how much the \
             means would change with other draws"
        }
        (FactDraws::Anew, _) => {
            "Each fact has draws of its own, by a seed that follows from its tokens"
        }
    })
}

fn warnings(it: &TraceAverage) -> Vec<String> {
    let mut warnings = Vec::new();
    if it.facts.is_empty() {
        warnings.push(format!("There is nothing to average: {}", it.count()));
    }
    let n_unknown = it.facts.iter().filter(|fact| !fact.is_known).count();
    if n_unknown > 0 {
        warnings.push(format!(
            "{n_unknown} of {} {} not known: the answer is not the model's first guess, and the \
             effect is on what it would not have said",
            it.facts.len(),
            if n_unknown == 1 { "is" } else { "are" }
        ));
    }
    warnings
}

fn notes(it: &TraceAverage, look: &Look<'_>) -> Vec<String> {
    let trace = &it.spec.trace;
    let names: Vec<String> = it.spec.components.iter().map(|of| name(it, *of)).collect();
    let kept = match it.spec.kept {
        Kept::All => "known or not",
        Kept::Known => {
            "known, as in ROME: the model's first guess is the first token of a right answer"
        }
    };
    let facts = checksum(&*it.spec.facts);
    let mut notes =
        vec![it.count(), format!("{} of facts {facts} that are {kept}", joined(&names))];
    if it.left_out.len() > look.n_listed {
        let n = look.n_listed;
        notes.push(format!("The first {n} that are left out are listed; a result's file has all"));
    }
    let (what, effect) = match trace.direction {
        Direction::Denoise => ("restored", "patched − corrupted"),
        Direction::Noise => ("corrupted", "clean − patched"),
    };
    notes.push(format!(
        "Indirect effect of a {what} cell, {effect}, each the mean over the facts that have such a \
         token; bands are 95 % intervals over facts, ±1.96 standard errors, which need two"
    ));
    notes.extend(about_severed(trace));
    // Subjects that stand in for a fact's own are in the checksum of the facts.
    let corruption = match it.spec.corruption().clone() {
        Corruption::OtherSubjects { of, .. } => Corruption::OtherSubjects { of, ids: [].into() },
        Corruption::Counterpart { .. } => Corruption::Counterpart { ids: [].into() },
        other => other,
    };
    let draws = Draws { corruption, ..trace.draws() };
    let noise_std = it.facts.first().map(|fact| fact.noise_std);
    notes.push(corruption::settings(&draws, noise_std, look));
    notes.extend(about_draws(&it.spec).map(str::to_owned));
    notes.push(
        "A token has one role. ROME's figure 2 pools middle and further tokens over facts and counts \
         a subject's only token as its first, too; a peak shows where restoring suffices, not where \
         facts are stored (Hase et al. 2023)"
            .to_owned(),
    );
    notes
}
