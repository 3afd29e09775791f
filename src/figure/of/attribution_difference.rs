//! Which parts write less of the answer in the second run.

use super::Look;
use super::corruption::{generator, settings, spread};
use super::parts::{
    adds_up, bar, by_parts, fixed, heads_and_mlps, in_depth_order, split_logit, target,
};
use crate::analysis::Grid;
use crate::analysis::attribution_difference::{AttributionDifference, ScaleOf, SecondRun};
use crate::analysis::logit_attribution::{Component, Parts};
use crate::figure::number::signed;
use crate::figure::words::counted;
use crate::figure::{Bar, Bars, Chart, Figure, Lines, Map, Pick, Series, Side};

const QUANTITY: &str = "Clean − corrupted contribution (logits)";

pub(super) fn figure(found: &AttributionDifference, look: &Look<'_>) -> Figure {
    let mut charts = match found.spec.by {
        Parts::Layers => vec![Chart::Bars(by_depth(found))],
        Parts::Heads => by_heads(found, look),
    };
    let (mut by, mut undrawn) = (by_parts(found.spec.by).to_owned(), Vec::new());
    if let Some(neurons) = &found.neurons {
        by = format!("neuron and {by}");
        charts.insert(0, Chart::Lines(of_layers(neurons)));
        charts.insert(0, Chart::Bars(largest_neurons(found, look)));
        undrawn.push(Chart::Map(all_neurons(neurons)));
    }
    Figure {
        title: format!("Difference in logit attribution by {by} — {}", target(&found.prompt)),
        charts,
        undrawn,
        notes: notes(found, look),
        measured: Some(split_logit(&found.prompt)),
        ..Figure::default()
    }
}

fn by_depth(found: &AttributionDifference) -> Bars {
    let parts = found.differences.iter().map(|it| (it.component, it.logit));
    in_depth_order("Differences in order of depth", QUANTITY, parts, Some(scale(found)))
}

/// The neurons with the largest differences.
fn largest_neurons(found: &AttributionDifference, look: &Look<'_>) -> Bars {
    let listed = found.largest_neurons().into_iter().take(look.n_listed);
    let bars = listed.map(|(layer, index, logit)| {
        Bar::new(format!("L{layer} N{index}"), logit).about(Pick::layer(layer))
    });
    Bars::new("Largest neurons", QUANTITY, bars)
}

fn of_layers(neurons: &Grid<f32>) -> Lines {
    let sums = neurons.rows().map(|row| row.iter().map(|it| f64::from(*it)).sum::<f64>() as f32);
    let series = Series::new("Sum over the layer's neurons", sums);
    Lines::new("All neurons of each layer", QUANTITY, "Layer", [series])
}

/// All neurons, far more than can be drawn.
fn all_neurons(neurons: &Grid<f32>) -> Map {
    let names = (0..neurons.n_columns()).map(|it| format!("N{it}")).collect();
    let layers = Side::layers("Layer", neurons.n_rows());
    let values = neurons.values().to_vec();
    Map::new(
        "Differences of neurons",
        layers,
        Side::named("Neuron", "neuron", names),
        values,
        QUANTITY,
    )
}

fn scale(found: &AttributionDifference) -> Bar {
    Bar::new("Final layer norm's scale", found.scale_change)
}

fn by_heads(found: &AttributionDifference, look: &Look<'_>) -> Vec<Chart> {
    let names = ["Differences of heads", "Differences of MLPs"];
    let mut charts = heads_and_mlps(&found.differences, names, QUANTITY, look);
    let others = found.differences.iter().filter(|it| {
        matches!(it.component, Component::Embed | Component::PosEmbed | Component::Bias)
    });
    let others = others.map(|it| bar(it.component, it.logit)).chain([scale(found)]);
    charts.push(Chart::Bars(Bars::new("Of no head or MLP", QUANTITY, others)));
    charts
}

fn notes(found: &AttributionDifference, look: &Look<'_>) -> Vec<String> {
    let whole = "clean − corrupted logit";
    let of = match found.spec.scale_of {
        ScaleOf::Clean => "clean",
        ScaleOf::Corrupted => "corrupted",
    };
    let n_neurons = found.spec.n_top.filter(|_| found.neurons.is_some());
    let mut notes = vec![
        adds_up("Σ differences + scale", found.sum(), whole, found.logit_difference()),
        format!(
            "Clean {}  ·  corrupted {}  ·  {}",
            fixed(found.clean_logit),
            fixed(found.corrupted_logit),
            second(found, look),
        ),
        format!(
            "Each part's direct logit attribution in the clean run − in the corrupted one, at the last \
             position, both with the {of} run's final layer norm scale. What that scale's own change \
             adds, {}, is no part's",
            signed(found.scale_change, 3),
        ),
        "Above 0 the part writes more of the answer in the clean run. Of parts that act through \
         later ones only what they write themselves is counted (Elhage et al. 2021)"
            .to_owned(),
    ];
    notes.extend(n_neurons.map(|n| format!("Of neurons the {n} largest are listed")));
    notes
}

/// What the second run is.
fn second(found: &AttributionDifference, look: &Look<'_>) -> String {
    match &found.spec.second {
        SecondRun::Prompt { ids } => format!("corrupted: the prompt {}", look.text(ids)),
        SecondRun::Noise { level, n_samples, seed, rng } => {
            let std = spread(level, found.noise_std);
            let samples = counted(*n_samples, "sample");
            format!(
                "corrupted: noise σ {std} on the subject's embeddings, mean of {samples}, seed {seed}{}",
                generator(*rng)
            )
        }
        SecondRun::Subject(draws) => {
            let n = counted(draws.n_samples, "sample");
            format!("corrupted: mean of {n} of {}", settings(draws, found.noise_std, look))
        }
    }
}
