//! How a logit adds up: what each layer, or each head, writes towards the answer.

use super::parts::{adds_up, by_parts, fixed, heads_and_mlps, in_depth_order, split_logit, target};
use super::{AttributionForm, Look, running_sums, waterfall};
use crate::analysis::logit_attribution::{Component, LogitAttribution, Parts};
use crate::figure::number::signed;
use crate::figure::words::first_piece;
use crate::figure::{Bar, Bars, Chart, Figure};

const QUANTITY: &str = "Contribution (logits)";

pub(super) fn figure(attribution: &LogitAttribution, look: &Look<'_>) -> Figure {
    let charts = match (look.attribution, attribution.spec.by) {
        (AttributionForm::RunningSum, _) => vec![Chart::Lines(running_sums(attribution))],
        (AttributionForm::Waterfall, _) => {
            vec![Chart::Waterfall(waterfall(attribution, look.n_listed))]
        }
        (AttributionForm::Parts, Parts::Layers) => {
            vec![Chart::Bars(by_depth(attribution)), Chart::Lines(running_sums(attribution))]
        }
        (AttributionForm::Parts, Parts::Heads) => by_heads(attribution, look),
    };
    let by = by_parts(attribution.spec.by);
    Figure {
        title: format!("Direct logit attribution by {by} — {}", target(&attribution.prompt)),
        charts,
        notes: notes(attribution, look),
        measured: Some(split_logit(&attribution.prompt)),
        ..Figure::default()
    }
}

fn by_depth(attribution: &LogitAttribution) -> Bars {
    let parts = attribution.contributions.iter().map(|it| (it.component, it.logit));
    let bias = Bar::new("Final layer norm's bias", attribution.unembed_bias);
    in_depth_order("Contributions in order of depth", QUANTITY, parts, Some(bias))
}

fn by_heads(attribution: &LogitAttribution, look: &Look<'_>) -> Vec<Chart> {
    let names = ["Logit attribution of heads", "Logit attribution of MLPs"];
    heads_and_mlps(&attribution.contributions, names, QUANTITY, look)
}

fn notes(attribution: &LogitAttribution, look: &Look<'_>) -> Vec<String> {
    let (sum, logit) = (attribution.sum(), attribution.logit);
    let mut notes = vec![adds_up("Σ parts + bias", sum, "logit", logit)];
    notes.extend(look.attribution.explain(attribution));
    let mut no_layers = Vec::new();
    for part in &attribution.contributions {
        let name = match part.component {
            Component::Embed => "token embedding",
            Component::PosEmbed => "position embedding",
            Component::Bias => "attention biases of all layers",
            _ => continue,
        };
        no_layers.push(format!("{name} {}", signed(part.logit, 3)));
    }
    if attribution.spec.by == Parts::Heads && !no_layers.is_empty() {
        notes.push(format!("Of no head or MLP: {}", no_layers.join("  ·  ")));
    }
    let reference = match &attribution.prompt.foil {
        Some(foil) => format!("minus that of {}", first_piece(foil)),
        None => "minus the mean over the vocabulary".to_owned(),
    };
    let before_cap = match attribution.logit_cap {
        Some(cap) => format!(", before the cap of {cap} on logits"),
        None => String::new(),
    };
    notes.push(format!(
        "The answer's logit of {} {reference}{before_cap}, at the last position, with the \
         final layer norm's scale held fixed. The final layer norm's bias adds {}",
        fixed(attribution.raw_logit),
        signed(attribution.unembed_bias, 3),
    ));
    notes
}
