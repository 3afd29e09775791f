//! The neurons that write the answer, one bar each.

use super::parts::{adds_up, split_logit, target};
use super::{Look, listed};
use crate::analysis::neuron_attribution::{Listing, Neuron, NeuronAttribution};
use crate::figure::number::signed;
use crate::figure::{Bar, Bars, Cell, Chart, Figure, Lines, Pick, Row, Series, Table};

const QUANTITY: &str = "Contribution (logits)";

pub(super) fn figure(found: &NeuronAttribution, look: &Look<'_>) -> Figure {
    let shown = shown(found, look);
    let bars = shown.iter().map(|it| Bar::new(label(it), it.logit).about(Pick::layer(it.layer)));
    let rows = shown.iter().map(|it| {
        Row::new([
            Cell::Text(label(it)),
            Cell::Number(it.activation),
            Cell::Number(it.per_unit),
            Cell::Number(it.logit),
        ])
        .about(Pick::layer(it.layer))
    });
    let columns = ["Neuron", "Activation", "Logits per unit of it", QUANTITY].map(str::to_owned);
    let charts = vec![
        Chart::Bars(Bars::new("Largest neurons", QUANTITY, bars)),
        Chart::Lines(Lines::new(
            "All neurons of each layer",
            QUANTITY,
            "Layer",
            [Series::new("Sum over the layer's neurons", found.layers.clone())],
        )),
        Chart::Table(Table::new("Activation and weights", columns, rows)),
    ];
    Figure {
        title: format!("Logit attribution of MLP neurons — {}", target(&found.prompt)),
        charts,
        notes: notes(found, shown.len()),
        measured: Some(split_logit(&found.prompt)),
        ..Figure::default()
    }
}

fn label(neuron: &Neuron) -> String {
    format!("L{} N{}", neuron.layer, neuron.index)
}

/// The neurons that are listed: as many as a list may have, of each layer where each has a list.
fn shown(found: &NeuronAttribution, look: &Look<'_>) -> Vec<Neuron> {
    match found.spec.listing {
        Listing::Overall => found.top.iter().take(look.n_listed).copied().collect(),
        Listing::PerLayer => {
            let of_layer = |layer| found.top.iter().filter(move |it| it.layer == layer);
            let layers = 0..found.layers.len();
            layers.flat_map(|layer| of_layer(layer).take(look.n_listed)).copied().collect()
        }
    }
}

fn notes(found: &NeuronAttribution, n_shown: usize) -> Vec<String> {
    let sum = "Σ all neurons + all else + bias";
    let mut notes = vec![
        adds_up(sum, found.sum(), "logit", found.logit),
        format!(
            "All else is embeddings, attention and the MLPs' output biases: {}. The final layer \
             norm's bias adds {}",
            signed(found.others, 3),
            signed(found.unembed_bias, 3),
        ),
    ];
    let of = match found.spec.listing {
        Listing::Overall => "of all",
        Listing::PerLayer => "of each layer",
    };
    notes.push(format!("The {} largest neurons {of}", found.spec.n_top));
    notes.extend(listed(n_shown, found.top.len(), "neurons"));
    notes.push(
        "A neuron's activation at the last position × its output weights along the answer's \
         direction, with the final layer norm's scale held fixed (Elhage et al. 2021; Geva et al. \
         2022)"
            .to_owned(),
    );
    notes
}
