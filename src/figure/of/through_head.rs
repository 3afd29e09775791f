//! What reaches the answer through one head: from which earlier part, at which token.

use super::parts::{adds_up, bar, by_parts, in_depth_order, named, split_logit, target};
use super::{Look, by_row, head_map, largest, listed, number};
use crate::analysis::logit_attribution::{Component, Parts};
use crate::analysis::through_head::ThroughHead;
use crate::figure::number::{exact, signed};
use crate::figure::{Bars, Chart, Figure, Key, Map, Side};

const QUANTITY: &str = "Contribution through the head (logits)";

pub(super) fn figure(found: &ThroughHead, look: &Look<'_>) -> Figure {
    let weighted: Vec<f32> = (0..found.components.len()).map(|nth| found.weighted(nth)).collect();
    let charts = match found.spec.by {
        Parts::Layers => {
            let parts = found.components.iter().copied().zip(weighted.iter().copied());
            let bars = in_depth_order("Parts in order of depth", QUANTITY, parts, None);
            let all: Vec<usize> = (0..weighted.len()).collect();
            vec![Chart::Bars(bars), Chart::Map(by_token(found, &all, "Parts by token"))]
        }
        Parts::Heads => {
            let bars =
                found.components.iter().zip(&weighted).map(|(part, value)| bar(*part, *value));
            let bars = largest(bars.collect(), look.n_listed);
            let bars = Bars::new("Largest parts", QUANTITY, bars);
            let mut charts: Vec<Chart> = heads(found, &weighted, look).into_iter().collect();
            charts.push(Chart::Bars(bars));
            let shown = of_largest(&weighted, look.n_listed);
            charts.push(Chart::Map(by_token(found, &shown, "Largest parts by token")));
            charts
        }
    };
    let (layer, head) = (found.spec.layer, found.spec.head);
    Figure {
        title: format!(
            "What reaches the answer through L{layer} H{head}, by {} — {}",
            by_parts(found.spec.by),
            target(&found.prompt)
        ),
        charts,
        notes: notes(found, look),
        measured: Some(split_logit(&found.prompt)),
        ..Figure::default()
    }
}

/// The heads of earlier layers; `None` for a head of the first layer.
fn heads(found: &ThroughHead, weighted: &[f32], look: &Look<'_>) -> Option<Chart> {
    let of_heads = || {
        found.components.iter().filter_map(|it| match it {
            Component::Head { layer, head } => Some((*layer, *head)),
            _ => None,
        })
    };
    let value = |layer, head| {
        let wanted = Component::Head { layer, head };
        let nth = found.components.iter().position(|it| *it == wanted);
        nth.map_or(f32::NAN, |nth| weighted[nth])
    };
    let size = [found.spec.layer, of_heads().map(|it| it.1 + 1).max()?];
    Some(Chart::Map(head_map("Earlier heads", QUANTITY, size, look, value)))
}

/// Which parts bring most, in the order they stand in.
fn of_largest(weighted: &[f32], n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..weighted.len()).collect();
    order.sort_by(|&a, &b| weighted[b].abs().total_cmp(&weighted[a].abs()));
    order.truncate(n);
    order.sort_unstable();
    order
}

fn by_token(found: &ThroughHead, shown: &[usize], name: &str) -> Map {
    let prompt = &found.prompt;
    let value = |nth: usize, pos: usize| number(&found.values, nth, pos);
    let labels = shown.iter().map(|&nth| named(found.components[nth]).0).collect();
    let keys = shown.iter().map(|&nth| Key::Component(found.components[nth])).collect();
    let parts = Side { keys, ..Side::named("Part", "part", labels) };
    let tokens = Side::prompt("Source token", prompt);
    let (n_pos, n_parts) = (prompt.n_pos(), shown.len());
    let values =
        by_row(n_pos, n_parts, |pos, column| found.pattern[pos] * value(shown[column], pos));
    let mut map = Map::new(name, tokens, parts, values, QUANTITY).diverging();
    map.details = by_row(n_pos, n_parts, |pos, column| {
        format!(
            "Attention weight  {}\nIf it were 1  {}",
            exact(found.pattern[pos]),
            signed(value(shown[column], pos), 4),
        )
    });
    map
}

fn notes(found: &ThroughHead, look: &Look<'_>) -> Vec<String> {
    let whole = "what the head writes towards the answer";
    let mut notes = vec![adds_up("Σ parts and tokens", found.sum(), whole, found.logit)];
    if found.spec.by == Parts::Heads {
        let n = found.components.len();
        notes.extend(listed(n.min(look.n_listed), n, "parts"));
    }
    notes.push(
        "What a part wrote at the source token × the head's value and output weights along the \
         answer's direction × the attention weight from the last position. The pattern and both \
         layer norms' scales are held fixed (Elhage et al. 2021, virtual weights)"
            .to_owned(),
    );
    notes.push(
        "What reaches the answer by moving the head's attention is not counted, nor are the biases \
         of its layer norm and values"
            .to_owned(),
    );
    notes
}
