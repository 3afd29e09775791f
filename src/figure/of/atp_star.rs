//! What `AtP*` estimates of queries, keys, values, heads and MLPs, and how well that fits.

use super::{Look, by_row, corruption, estimates_against, head_map};
use crate::analysis::atp_star::{AtpStar, Node, Verified};
use crate::analysis::{Correlation, Grid};
use crate::figure::number::significant;
use crate::figure::words::{metric_name, token_at};
use crate::figure::{Bar, Bars, Chart, ColorMap, Figure, Map, Pick, Point, Side};
use crate::tokens::visible;

pub(super) fn figure(it: &AtpStar, look: &Look<'_>) -> Figure {
    let name = metric_name(it.spec.metric, &it.prompt);
    let quantity = format!("AtP* size, change of {name}");
    let pos = look.position(&it.prompt);
    let mlps = &it.effects[Node::ALL.iter().position(|it| *it == Node::Mlp).unwrap_or(0)][0];
    let (n_layers, n_pos) = (mlps.n_rows(), mlps.n_columns());
    let values = by_row(n_pos, n_layers, |pos, layer| {
        it.effect(Node::Mlp, layer, pos, 0).map_or(f32::NAN, |it| it.size)
    });
    let rows = Side::prompt("Token", &it.prompt);
    let map = Map::new("MLPs", rows, look.layers("Layer of the MLP", n_layers), values, &quantity);
    let mut charts = vec![Chart::Map(map.colored(ColorMap::Greens))];
    let n_heads_of = |node: Node| {
        let grids = Node::ALL.iter().position(|it| *it == node).and_then(|nth| it.effects.get(nth));
        grids.and_then(|it| it.first()).map_or(0, Grid::n_columns)
    };
    // Heads that share keys and values have fewer of them.
    let shares_keys = n_heads_of(Node::Key) < n_heads_of(Node::Query);
    for (node, what) in [(Node::Query, "Queries"), (Node::Key, "Keys"), (Node::Value, "Values")] {
        let n_heads = n_heads_of(node);
        let value = |layer: usize, head: usize| {
            it.effect(node, layer, pos, head).map_or(f32::NAN, |it| it.size)
        };
        let name = format!("{what} at {}", token_at(pos, &it.prompt));
        let mut map = head_map(&name, &quantity, [n_layers, n_heads], look, value);
        if shares_keys && node != Node::Query {
            map.rows = Side::key_heads(n_heads);
        }
        let most = map.range.1;
        charts.push(Chart::Map(map.in_range(0.0, most).colored(ColorMap::Reds)));
    }
    let ranked = it.ranked();
    let bars = ranked.iter().take(look.n_listed).map(|part| {
        Bar::new(label(it, part, shares_keys), part.estimate.size).about(pick(part, shares_keys))
    });
    charts.push(Chart::Bars(Bars::new("Largest", &quantity, bars)));
    let corruptions = (it.runs.corruptions.as_slice(), it.runs.corrupted.as_slice());
    charts.extend(
        corruption::prompts(&it.prompt, corruptions, it.spec.metric, look).map(Chart::Table),
    );
    let mut notes = vec![format!(
        "AtP* (Kramár et al. 2024), gradients at the clean run: first order in what the activation is \
         in the corrupted run, the softmax computed anew for queries and keys, the mean size over \
         layers dropped in turn. Clean {}. \
         Corrupted: {}",
        it.runs.clean.get(it.spec.metric).map_or_else(String::new, |it| significant(it, 4)),
        corruption::contrast(&it.spec.contrast, it.runs.noise_std, look),
    )];
    notes.extend(look.about_key_heads(n_heads_of(Node::Query)));
    if !it.verified.is_empty() {
        let points = it.verified.iter().map(|part| Point {
            label: label(it, part, shares_keys),
            x: part.estimate.fixed,
            y: part.patched,
            pick: pick(part, shares_keys),
        });
        let change = format!("change of {name}");
        charts.push(estimates_against("Verified", "Measured", &change, points));
        notes.extend(it.agreement.map(|[fixed, plain]| {
            format!(
                "{} parts corrupted for real: {}; without the softmax computed anew {}",
                fixed.n,
                agreement(&fixed),
                agreement(&plain)
            )
        }));
    }
    Figure {
        title: format!("Estimated effects of parts on {name} (AtP*)"),
        charts,
        notes,
        ..Figure::default()
    }
}

/// `Pearson 0.98, Spearman 0.91`
pub(super) fn agreement(it: &Correlation) -> String {
    let shown = |it: Option<f64>| {
        it.map_or_else(|| "undefined".to_owned(), |value| significant(value as f32, 3))
    };
    format!("Pearson {}, Spearman {}", shown(it.pearson), shown(it.spearman))
}

/// What a part is called. `shares_keys`: whether keys and values are those of groups of heads.
fn label(it: &AtpStar, part: &Verified, shares_keys: bool) -> String {
    let token = visible(&it.prompt.pieces[part.pos]);
    let Verified { layer, pos, .. } = part;
    match (part.node, part.head) {
        (Node::Mlp, _) | (_, None) => format!("MLP {layer} at {pos} {token}"),
        (node @ (Node::Key | Node::Value), Some(head)) if shares_keys => {
            let what = if node == Node::Key { "key" } else { "value" };
            format!("L{layer} key head {head} {what} at {pos} {token}")
        }
        (node, Some(head)) => {
            let what = match node {
                Node::Query => "query",
                Node::Key => "key",
                Node::Value => "value",
                Node::Z | Node::Mlp => "output",
            };
            format!("L{layer} H{head} {what} at {pos} {token}")
        }
    }
}

fn pick(part: &Verified, shares_keys: bool) -> Pick {
    let is_of_group = shares_keys && matches!(part.node, Node::Key | Node::Value);
    let head = part.head.filter(|_| !is_of_group);
    Pick { layer: Some(part.layer), position: Some(part.pos), head }
}
