//! Where the heads of one layer look: one pattern large, all of them small.

use super::Look;
use crate::analysis::attention::{Attention, Weighting};
use crate::figure::number::significant;
use crate::figure::words::{
    about_attention, attention_quantity, attention_spread, attention_title,
};
use crate::figure::{Chart, Figure, Map, Pick, Side};

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
    let end = attention_end(attention, layer, pattern);
    let mut charts = vec![Chart::Map(attention_map(attention, &name, pattern, end))];
    let end_of = |&(layer, head): &(usize, usize)| {
        Some(attention_end(attention, layer, attention.pattern(layer, head)?))
    };
    let end_of_all = beside.iter().filter_map(end_of).fold(end, f32::max);
    if beside.len() > 1 {
        charts.extend(beside.iter().filter_map(|&(layer, head)| {
            let pattern = attention.pattern(layer, head)?;
            let name = if is_rollout { format!("Layer {layer}") } else { format!("Head {head}") };
            Some(Chart::Map(Map {
                is_small: true,
                ..attention_map(attention, &name, pattern, end_of_all)
            }))
        }));
    }
    let mut notes = vec![attention_spread(&attention.prompt, pattern, look.pick.position)];
    notes.push(about_attention(attention.spec.weighting).to_owned());
    notes.extend(about_attention_end(attention, layer, end));
    if beside.len() > 1 {
        notes.push(if is_rollout {
            let layers = &attention.spec.layers;
            let (first, last) = (layers.start, layers.end.saturating_sub(1));
            format!("Small: layers {first} to {last}, on one scale")
        } else {
            format!("Small: all heads of layer {layer}, on one scale")
        });
    }
    let what = attention_title(attention.spec.weighting);
    Figure { title: format!("{what} — {name}"), charts, notes, ..Figure::default() }
}

/// All heads of each layer that [`figure`] does not show. Rolled out, it shows all layers.
pub(super) fn other_layers(attention: &Attention, look: &Look<'_>) -> Vec<Figure> {
    if attention.spec.weighting == Weighting::Rollout {
        return Vec::new();
    }
    let is_found = |it: &(usize, usize)| attention.pattern(it.0, it.1).is_some();
    let mut layers: Vec<usize> = attention.shown().filter(is_found).map(|it| it.0).collect();
    layers.dedup();
    let shown =
        look.pick.layer.filter(|it| layers.contains(it)).or_else(|| layers.first().copied());
    let of_layer = |layer: usize| {
        let pick = Pick { layer: Some(layer), ..look.pick };
        let mut figure = figure(attention, &Look { pick, ..*look });
        if figure.charts.len() > 1 {
            // The large one is of whichever head comes first.
            figure.charts.remove(0);
            let what = attention_title(attention.spec.weighting);
            figure.title = format!("{what} — all heads of L{layer}");
            figure.notes = vec!["On one scale, queries down and keys across".to_owned()];
        }
        figure
    };
    layers.into_iter().filter(|it| Some(*it) != shown).map(of_layer).collect()
}

/// The value at the end of the colours of one head's map.
///
/// Heads that look at nothing look at the first token (Xiao et al. 2024). Where most of a head's weight
/// rests there, the colours end at the largest weight elsewhere. They do so in a long prompt too, whose
/// weights are small, from one token to another.
pub fn attention_end(attention: &Attention, layer: usize, pattern: &[f32]) -> f32 {
    /// The most tokens of a prompt whose colours end at a weight of 1.
    const SHORT: usize = 64;

    let n_pos = attention.prompt.n_pos();
    let is_short = n_pos <= SHORT;
    let is_weight = matches!(attention.spec.weighting, Weighting::Pattern | Weighting::Rollout);
    if !is_weight || (is_short && !rests_on_first(pattern, n_pos)) {
        return attention.scale(layer);
    }
    let rows = pattern.chunks(n_pos).enumerate().skip(1);
    let elsewhere = rows.flat_map(|(query, row)| &row[1..query + usize::from(is_short)]);
    elsewhere.copied().fold(1e-6, f32::max)
}

/// Says that the colours of a map end below the largest weight.
pub fn about_attention_end(attention: &Attention, layer: usize, end: f32) -> Option<String> {
    (end < attention.scale(layer)).then(|| {
        let end = significant(end, 2);
        format!("Large: colours end at {end}, the largest weight on any token but the first")
    })
}

/// Whether more than half of the weight of the tokens behind the first is on the first.
fn rests_on_first(pattern: &[f32], n_pos: usize) -> bool {
    let on_first: f32 = pattern.chunks(n_pos).skip(1).map(|row| row[0]).sum();
    on_first > 0.5 * (n_pos - 1) as f32
}

/// The most cells that a small picture of a head has a side.
const MOST_CELLS: usize = 24;

/// One head's pattern as a small picture of few cells, queries down and keys across.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadPicture {
    /// The cells of a side. Where a prompt has more tokens, a cell shows the largest of several.
    pub side: usize,

    /// One row after the other. `[query, key]`
    pub shades: Vec<Shade>,

    /// The number that is drawn darkest.
    pub end: f32,
}

/// What a cell of a small picture shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shade {
    /// A weight from the first key, 0 to 1, which is set apart from the others.
    First(f32),

    /// A number as a share of the largest that is drawn, 0 to 1.
    Share(f32),
}

/// How many cells a small picture of a pattern of `n_pos` tokens has a side.
pub fn head_picture_side(n_pos: usize) -> usize {
    n_pos.div_ceil(n_pos.div_ceil(MOST_CELLS).max(1))
}

/// The small picture of a head. `None` if its pattern is not computed. `layer_end`: the
/// [`Attention::scale`] of its layer.
///
/// In many models most heads rest on the first key nearly always (Xiao et al. 2024): in colours that
/// reach to its weight all heads look alike. The colours of weights therefore end at the head's largest
/// weight from any other key, and the first key is set apart, or left out where it shares a cell with
/// others. Norms show how little is moved from such a key, and have the scale of their layer.
pub fn head_picture(
    attention: &Attention,
    layer: usize,
    head: usize,
    layer_end: f32,
) -> Option<HeadPicture> {
    let pattern = attention.pattern(layer, head)?;
    let n_pos = attention.prompt.n_pos();
    let side = head_picture_side(n_pos);
    let group = n_pos.div_ceil(side);
    let is_weight = matches!(attention.spec.weighting, Weighting::Pattern | Weighting::Rollout);
    let n_apart = usize::from(is_weight);
    let others = || pattern.chunks(n_pos).flat_map(|row| &row[n_apart..]).copied();
    let end = if is_weight {
        others().filter(|it| it.is_finite()).fold(1e-6, f32::max)
    } else {
        layer_end
    };
    let mut shades = vec![Shade::Share(0.0); side * side];
    for (query, row) in pattern.chunks(n_pos).enumerate() {
        let of_query = &mut shades[query / group * side..][..side];
        for (key, &weight) in row.iter().enumerate() {
            let shade = &mut of_query[key / group];
            match shade {
                _ if key < n_apart && group > 1 => {}
                _ if key < n_apart => *shade = Shade::First(weight),
                Shade::First(_) => {}
                Shade::Share(share) => *share = share.max(weight / end),
            }
        }
    }
    Some(HeadPicture { side, shades, end })
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
