//! What the answer loses without each of some neurons, beside what was estimated.

use super::ablation::replaced_by;
use super::atp_star::agreement;
use super::{Look, estimates_against, listed};
use crate::analysis::Metric;
use crate::analysis::neuron_ablation::{Neuron, NeuronAblation};
use crate::figure::number::with_thousands;
use crate::figure::words::{
    at, joined, long_answer, metric_name, metric_or_prob, not_first_guess, reading, told,
};
use crate::figure::{Bar, Bars, Cell, Chart, Figure, Pick, Point, Row, Table};

pub(super) fn figure(found: &NeuronAblation, look: &Look<'_>) -> Figure {
    let metric = metric_or_prob(look.metric, &found.clean);
    let quantity = format!("Change of {}", metric_name(metric, &found.prompt));
    let change = |neuron: &Neuron, metric: Metric| found.change(neuron, metric).unwrap_or(f32::NAN);
    let shown = &found.neurons[..found.neurons.len().min(look.n_listed)];
    let bars =
        shown.iter().map(|it| Bar::new(label(it), change(it, metric)).about(Pick::layer(it.layer)));
    let bars = Bars::new("Ablation of neurons", &quantity, bars);
    let mut charts = vec![Chart::Bars(bars)];

    let estimated = format!("change of {}", metric_name(found.spec.metric, &found.prompt));
    let measured: Vec<Point> = found
        .neurons
        .iter()
        .filter(|it| it.ablated.is_some())
        .map(|it| Point {
            label: label(it),
            x: it.estimate,
            y: change(it, found.spec.metric),
            pick: Pick::layer(it.layer),
        })
        .collect();
    if !measured.is_empty() {
        let name = "Estimated against ablated";
        charts.push(estimates_against(name, "Measured", &estimated, measured));
    }
    charts.push(Chart::Table(table(found, shown, metric)));
    Figure {
        title: format!("{quantity} without each neuron"),
        charts,
        warnings: not_first_guess(&found.clean, &found.prompt).into_iter().collect(),
        notes: notes(found, metric, look),
        ..Figure::default()
    }
}

fn label(neuron: &Neuron) -> String {
    format!("L{} N{}", neuron.layer, neuron.index)
}

fn table(found: &NeuronAblation, shown: &[Neuron], metric: Metric) -> Table {
    let number = |value: Option<f32>| Cell::Number(value.unwrap_or(f32::NAN));
    let row = |it: &Neuron| {
        Row::new([
            Cell::Text(label(it)),
            number(it.activations.last().copied()),
            number(it.replacements.last().copied()),
            Cell::Number(it.estimate),
            number(found.change(it, found.spec.metric)),
            number(it.ablated.as_ref().and_then(|it| Some(told(metric, it.get(metric)?)))),
        ])
        .about(Pick::layer(it.layer))
    };
    let estimated = metric_name(found.spec.metric, &found.prompt);
    let columns = [
        "Neuron".to_owned(),
        "Activation".to_owned(),
        "Put in".to_owned(),
        "Estimated".to_owned(),
        "Measured".to_owned(),
        format!("{} without it", metric_name(metric, &found.prompt)),
    ];
    Table::new(
        format!("Change of {estimated}, estimated and measured"),
        columns,
        shown.iter().map(row),
    )
}

fn notes(found: &NeuronAblation, metric: Metric, look: &Look<'_>) -> Vec<String> {
    let prompt = &found.prompt;
    let clean = reading(metric, found.clean.get(metric));
    let (by, at) = (replaced_by(&found.spec.replacement, look), at(&found.spec.positions, prompt));
    let mut notes = vec![format!("Clean {clean}  ·  replaced by {by} {at}")];
    notes.extend(long_answer(metric, prompt));
    let n_neurons = found.neurons.len();
    let layers: Vec<String> = found.spec.layers.iter().map(usize::to_string).collect();
    let of = if layers.is_empty() {
        "all layers".to_owned()
    } else {
        format!("layers {}", joined(&layers))
    };
    notes.push(format!(
        "The {n_neurons} of {} neurons of {of} whose estimated change of {} is largest: first order, from the \
         gradient at the clean run. Others may matter that it overlooks",
        with_thousands(found.n_neurons as u64),
        metric_name(found.spec.metric, prompt),
    ));
    notes.extend(listed(n_neurons.min(look.n_listed), n_neurons, "neurons"));
    let n_done = found.neurons.iter().filter(|it| it.ablated.is_some()).count();
    if n_done < n_neurons {
        notes.push(format!("{n_done} of {n_neurons} computed"));
    }
    notes.extend(
        found.agreement.map(|it| format!("Estimated and measured change: {}", agreement(&it))),
    );
    notes.push(
        "Reading without the neuron − clean reading, all else running on: below 0 it speaks for the \
         answer. Activations are those after the nonlinearity, in the table at the last token where \
         they are replaced"
            .to_owned(),
    );
    notes
}
