//! Where the heads of one layer look: one pattern large, all of them small.

use super::Look;
use crate::analysis::attention::{Attention, Weighting};
use crate::figure::words::{
    about_attention, attention_quantity, attention_spread, attention_title,
};
use crate::figure::{Chart, Figure, Map, Side};

pub(super) fn figure(attention: &Attention, look: &Look<'_>) -> Figure {
    // What is picked, or else the head that comes first.
    let shown: Vec<(usize, usize)> = attention.shown().collect();
    let is_layer = |layer: usize| look.pick.layer == Some(layer);
    let is_head = |head: usize| look.pick.head == Some(head);
    let of_layer = || shown.iter().copied().filter(|it| is_layer(it.0));
    let picked = of_layer().find(|it| is_head(it.1)).or_else(|| of_layer().next());
    let picked = picked.or_else(|| shown.iter().copied().find(|it| is_head(it.1)));
    let (layer, head) = picked.or_else(|| shown.first().copied()).unwrap_or_default();
    let Some(pattern) = attention.pattern(layer, head) else {
        return Figure {
            title: attention_title(attention.spec.weighting).to_owned(),
            notes: vec!["No layer of this prompt's attention was computed".to_owned()],
            ..Figure::default()
        };
    };
    let is_rollout = attention.spec.weighting == Weighting::Rollout;
    let name = if is_rollout { format!("L{layer}") } else { format!("L{layer} H{head}") };
    // Beside it all heads of the layer; rolled out there is one map a layer, so all layers.
    let beside: Vec<(usize, usize)> =
        shown.into_iter().filter(|it| is_rollout || it.0 == layer).collect();
    let high = attention_end(attention, layer, pattern);
    let mut charts = vec![Chart::Map(attention_map(attention, &name, pattern, high))];
    if beside.len() > 1 {
        charts.extend(beside.iter().filter_map(|&(layer, head)| {
            let pattern = attention.pattern(layer, head)?;
            let name = if is_rollout { format!("Layer {layer}") } else { format!("Head {head}") };
            Some(Chart::Map(Map {
                is_small: true,
                ..attention_map(attention, &name, pattern, high)
            }))
        }));
    }
    let mut notes = vec![attention_spread(&attention.prompt, pattern, look.pick.position)];
    notes.push(about_attention(attention.spec.weighting).to_owned());
    if beside.len() > 1 {
        notes.push(if is_rollout {
            let layers = &attention.spec.layers;
            let (first, last) = (layers.start, layers.end.saturating_sub(1));
            format!("Small: layers {first} to {last}, in the same colours")
        } else {
            format!("Small: all heads of layer {layer}, in the same colours")
        });
    }
    let what = attention_title(attention.spec.weighting);
    Figure { title: format!("{what} — {name}"), charts, notes, ..Figure::default() }
}

/// The value at the end of the colours of one head's map.
///
/// The weights of a long prompt are small. Its colours end at the largest weight from one token to
/// another, the first token aside, at which heads look that look at nothing (Xiao et al. 2024).
pub fn attention_end(attention: &Attention, layer: usize, pattern: &[f32]) -> f32 {
    /// The most tokens of a prompt whose colours end at a weight of 1.
    const SHORT: usize = 64;

    let n_pos = attention.prompt.n_pos();
    let is_weight = matches!(attention.spec.weighting, Weighting::Pattern | Weighting::Rollout);
    if n_pos <= SHORT || !is_weight {
        return attention.scale(layer);
    }
    let rows = pattern.chunks(n_pos).enumerate().skip(2);
    rows.flat_map(|(query, row)| &row[1..query]).copied().fold(1e-6, f32::max)
}

/// One head's pattern, queries down and keys across. `high`: where its colours end.
pub fn attention_map(attention: &Attention, name: &str, pattern: &[f32], high: f32) -> Map {
    let prompt = &attention.prompt;
    let side = |title: &str, noun: &str| {
        let side = Side::prompt(title, prompt);
        Side { noun: noun.to_owned(), ..side }
    };
    let (rows, columns) = (side("From (query)", "from token"), side("To (key)", "to token"));
    let quantity = attention_quantity(attention.spec.weighting);
    Map::new(name, rows, columns, pattern.to_vec(), quantity).in_range(0.0, high).square()
}
