//! What the figures of numbers that add up share: names of parts, sums and lists.

use super::{Look, by_row, head_map, largest_heads};
use crate::analysis::logit_attribution::{self, Component, Contribution, Parts};
use crate::figure::number::significant;
use crate::figure::words::{answer_piece, first_piece};
use crate::figure::{Bar, Bars, Chart, DepthPart, Lines, Map, Pick, Series, Side};
use crate::tokens::TokenizedPrompt;

/// How a part is called, and what a click on it picks.
pub(super) fn named(component: Component) -> (String, Pick) {
    match component {
        Component::Embed => ("Token embedding".to_owned(), Pick::default()),
        Component::PosEmbed => ("Position embedding".to_owned(), Pick::default()),
        Component::Bias => ("Attention biases".to_owned(), Pick::default()),
        Component::AttnOut(layer) => (format!("L{layer} attention"), Pick::layer(layer)),
        Component::MlpOut(layer) => (format!("L{layer} MLP"), Pick::layer(layer)),
        Component::Head { layer, head } => (format!("L{layer} H{head}"), Pick::head(layer, head)),
    }
}

pub(super) fn bar(component: Component, value: f32) -> Bar {
    let (label, pick) = named(component);
    Bar::new(label, value).about(pick)
}

/// Bars of what is added up, in order of depth; the final layer norm comes last.
pub(super) fn in_depth_order(
    name: &str,
    quantity: &str,
    parts: impl Iterator<Item = (Component, f32)>,
    final_norm: Option<Bar>,
) -> Bars {
    let mut bars = Bars::new(name, quantity, Vec::new());
    for (component, value) in parts {
        bars.bars.push(bar(component, value));
        bars.parts.push(depth_part(component));
    }
    bars.parts.extend(final_norm.iter().map(|_| DepthPart::FinalNorm));
    bars.bars.extend(final_norm);
    bars
}

pub(super) fn depth_part(component: Component) -> DepthPart {
    match component {
        Component::Embed | Component::PosEmbed | Component::Bias => DepthPart::Embedding,
        Component::AttnOut(_) | Component::Head { .. } => DepthPart::Attention,
        Component::MlpOut(_) => DepthPart::Mlp,
    }
}

/// The logit that is split, as in a title.
pub(super) fn target(prompt: &TokenizedPrompt) -> String {
    let answer = answer_piece(prompt);
    match &prompt.foil {
        Some(foil) => format!("logit({answer}) − logit({})", first_piece(foil)),
        None => format!("logit({answer}) minus the vocabulary mean"),
    }
}

/// The logit that is split, of any fact.
pub(super) fn split_logit(prompt: &TokenizedPrompt) -> String {
    let less = if prompt.foil.is_some() { "− logit(foil)" } else { "minus the vocabulary mean" };
    format!("logit(answer) {less}")
}

/// What a logit is split by, in a title.
pub(super) fn by_parts(by: Parts) -> &'static str {
    match by {
        Parts::Layers => "layer",
        Parts::Heads => "head",
    }
}

/// A logit with three decimals.
pub(super) fn fixed(value: f32) -> String {
    format!("{value:.3}").replace('-', "−")
}

/// Says whether a sum is what it should be.
pub(super) fn adds_up(parts: &str, sum: f32, whole_name: &str, whole: f32) -> String {
    let difference = significant(sum - whole, 2);
    let sign = if logit_attribution::adds_up(sum, whole) { "✓" } else { "≠" };
    let [sum, whole] = [sum, whole].map(fixed);
    format!("{parts} = {sum}, {whole_name} = {whole} {sign}  (difference {difference})")
}

/// A map with a number for each token and layer.
pub(super) fn token_map(
    name: &str,
    quantity: &str,
    prompt: &TokenizedPrompt,
    n_layers: usize,
    look: &Look<'_>,
    value: impl Fn(usize, usize) -> f32,
) -> Map {
    let values = by_row(prompt.n_pos(), n_layers, |pos, layer| value(layer, pos));
    let tokens = Side::prompt("Token", prompt);
    Map::new(name, tokens, look.layers("Layer", n_layers), values, quantity)
}

/// What heads add as a map, the largest of them as bars, and what MLPs add as a line. `names`: those of
/// the charts of heads and of MLPs.
pub(super) fn heads_and_mlps(
    parts: &[Contribution],
    names: [&str; 2],
    quantity: &str,
    look: &Look<'_>,
) -> Vec<Chart> {
    let find = |wanted: Component| {
        parts.iter().find(|it| it.component == wanted).map_or(f32::NAN, |it| it.logit)
    };
    let heads = || {
        parts.iter().filter_map(|it| match it.component {
            Component::Head { layer, head } => Some((layer, head)),
            _ => None,
        })
    };
    let n_layers = heads().map(|it| it.0 + 1).max().unwrap_or(0);
    let n_heads = heads().map(|it| it.1 + 1).max().unwrap_or(0);
    let map = head_map(names[0], quantity, [n_layers, n_heads], look, |layer, head| {
        find(Component::Head { layer, head })
    });
    let largest = largest_heads(&map, look);
    let mlps = Lines::new(
        names[1].to_owned(),
        quantity,
        "Layer",
        [Series::new("MLP", (0..n_layers).map(|layer| find(Component::MlpOut(layer))))],
    );
    vec![Chart::Map(map), largest, Chart::Lines(mlps)]
}
