//! Which part tells which: the largest edges that a gradient estimates.

use super::atp_star::agreement;
use super::{Look, corruption, estimates_against, head_map, number, size};
use crate::analysis::edge_attribution::{Edge, EdgeAttribution, EdgeBase};
use crate::analysis::{HeadInput, Receiver, Sender};
use crate::figure::number::{significant, with_thousands};
use crate::figure::words::metric_name;
use crate::figure::{Cell, Chart, Figure, Lines, Pick, Point, Row, Series, Table};

pub(super) fn figure(it: &EdgeAttribution, look: &Look<'_>) -> Figure {
    let name = metric_name(it.spec.metric, &it.prompt);
    let quantity = format!("Estimated change of {name}");
    let n_listed = it.edges.len().min(look.n_listed);
    let n_heads = it.heads.n_columns();
    let pick = |edge: &Edge| pick(edge, look.shares_keys(n_heads) == Some(false));
    let rows = it.edges.iter().take(n_listed).enumerate().map(|(nth, edge)| {
        let measured = it.verified.get(nth).copied();
        let mut cells = vec![
            Cell::Text(edge.from.to_string()),
            Cell::Text(edge.to.to_string()),
            Cell::Number(edge.score),
        ];
        if !it.verified.is_empty() {
            cells.push(Cell::Number(measured.unwrap_or(f32::NAN)));
        }
        Row::new(cells).about(pick(edge))
    });
    let mut columns = vec!["From".to_owned(), "To".to_owned(), quantity.clone()];
    if !it.verified.is_empty() {
        columns.push("Measured".to_owned());
    }
    let table = Table::new("Edges", columns, rows);
    let map = head_map("Heads", &quantity, size(&it.heads), look, |layer, head| {
        number(&it.heads, layer, head)
    });
    let lines =
        Lines::new("MLPs", &quantity, "Layer of the MLP", [Series::new("MLP", it.mlps.clone())]);
    let mut charts = vec![Chart::Table(table), Chart::Map(map), Chart::Lines(lines)];
    let corruptions = (it.runs.corruptions.as_slice(), it.runs.corrupted.as_slice());
    charts.extend(
        corruption::prompts(&it.prompt, corruptions, it.spec.metric, look).map(Chart::Table),
    );
    let (method, base) = match it.spec.base {
        EdgeBase::Clean => ("EAP (Syed et al. 2023)", "at the clean run".to_owned()),
        EdgeBase::Between { n_steps } => (
            "EAP-IG (Hanna et al. 2024)",
            format!("averaged over {n_steps} runs from the corrupted embeddings to the clean ones"),
        ),
    };
    let mut notes = vec![
        format!(
            "{method}: what corrupting an edge is estimated to add to {name}, from the gradient {base}; \
             the {} largest of {} edges{}. Clean {}. Corrupted: {}",
            it.edges.len(),
            with_thousands(it.n_edges as u64),
            if n_listed < it.edges.len() {
                format!(", {n_listed} of them listed")
            } else {
                String::new()
            },
            it.runs.clean.get(it.spec.metric).map_or_else(String::new, |it| significant(it, 4)),
            corruption::contrast(&it.spec.contrast, it.runs.noise_std, look),
        ),
        format!(
            "Maps: the same for all that a part writes; of the embeddings {}",
            significant(it.embed, 3)
        ),
    ];
    notes.extend(look.about_key_heads(n_heads));
    if let Some(found) = &it.agreement {
        let points = it.edges.iter().zip(&it.verified).map(|(edge, measured)| Point {
            label: format!("{} → {}", edge.from, edge.to),
            x: edge.score,
            y: *measured,
            pick: pick(edge),
        });
        let change = format!("change of {name}");
        charts.push(estimates_against("Verified", "Measured", &change, points));
        notes.push(format!("{} edges corrupted for real: {}", found.n, agreement(found)));
    }
    Figure { title: format!("Edges that matter for {name}"), charts, notes, ..Figure::default() }
}

/// Where an edge ends; where it begins, if it ends at the logits. `has_own_keys`: whether each head has
/// keys and values of its own, which can then be picked with it.
fn pick(edge: &Edge, has_own_keys: bool) -> Pick {
    match (edge.to, edge.from) {
        (Receiver::Head { layer, input, .. }, _) if input != HeadInput::Query && !has_own_keys => {
            Pick::layer(layer)
        }
        (Receiver::Head { layer, head, .. }, _) | (_, Sender::Head { layer, head }) => {
            Pick::head(layer, head)
        }
        (Receiver::Mlp { layer }, _) | (_, Sender::Mlp { layer }) => Pick::layer(layer),
        (Receiver::Logits, Sender::Embed) => Pick::default(),
    }
}
