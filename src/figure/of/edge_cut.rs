//! What the model says with some of its attention cut: readings of the answer and the likeliest
//! tokens, before and after.

use super::Look;
use crate::analysis::Metric;
use crate::analysis::edge_cut::EdgeCut;
use crate::analysis::prediction::Candidate;
use crate::figure::words::{answer_piece, is_long, metric_name, not_first_guess, token_at, told};
use crate::figure::{Cell, Chart, Figure, Row, Table};

/// How many edges are named one by one.
const N_NAMED: usize = 12;

pub(super) fn figure(it: &EdgeCut, look: &Look<'_>) -> Figure {
    let prompt = &it.prompt;
    let metrics = Metric::ALL.into_iter().filter(|metric| match metric {
        Metric::AnswerProb => is_long(prompt.answer.as_ref()),
        _ => it.cut.answer.get(*metric).is_some(),
    });
    let number = |value: Option<f32>| Cell::Number(value.unwrap_or(f32::NAN));
    let readings = metrics.map(|metric| {
        let (clean, cut) = (it.clean.answer.get(metric), it.cut.answer.get(metric));
        let change = clean.zip(cut).map(|(clean, cut)| cut - clean);
        let [clean, cut] = [clean, cut].map(|it| it.map(|it| told(metric, it)));
        let name = Cell::Text(metric_name(metric, prompt));
        Row::new([name, number(clean), number(cut), number(change)])
    });
    let answer = Table::new("Answer", ["Reading", "Clean", "Cut", "Change"], readings);
    let side = |found: Option<&Candidate>| {
        let token = found.map_or_else(String::new, |it| look.token(it.id));
        [Cell::Token(token), number(found.map(|it| it.prob))]
    };
    let n = it.clean.top.len().max(it.cut.top.len()).min(look.n_listed);
    let ranked = (0..n).map(|nth| {
        let rank = [Cell::Number(nth as f32 + 1.0)];
        let sides = side(it.clean.top.get(nth)).into_iter().chain(side(it.cut.top.get(nth)));
        Row::new(rank.into_iter().chain(sides))
    });
    let next =
        Table::new("Next token", ["Rank", "Clean", "Probability", "Cut", "Probability"], ranked);

    let (first, last) = (it.spec.layers.start, it.spec.layers.end - 1);
    let heads = match &it.spec.heads {
        None => "all heads".to_owned(),
        Some(heads) => {
            let heads: Vec<String> = heads.iter().map(usize::to_string).collect();
            format!("heads {}", heads.join(", "))
        }
    };
    let mut notes = vec![format!("Cut in layers {first} to {last}, {heads}: scores set to −∞")];
    let edges = it.spec.edges.iter().take(N_NAMED);
    let edges: Vec<String> = edges
        .map(|edge| format!("{} ↛ {}", token_at(edge.query, prompt), token_at(edge.key, prompt)))
        .collect();
    let more = match it.spec.edges.len().saturating_sub(N_NAMED) {
        0 => String::new(),
        n => format!("  ·  and {n} more"),
    };
    notes.push(if edges.is_empty() {
        "No edge is cut".to_owned()
    } else {
        format!("{}{more}", edges.join("  ·  "))
    });
    Figure {
        title: format!("Attention cut at {} edges — {}", it.spec.edges.len(), answer_piece(prompt)),
        charts: vec![Chart::Table(answer), Chart::Table(next)],
        notes,
        warnings: not_first_guess(&it.clean.answer, prompt).into_iter().collect(),
    }
}
