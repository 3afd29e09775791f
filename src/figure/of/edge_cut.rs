//! What the model says with some of its attention cut: readings of the answer and the likeliest
//! tokens, before and after.

use super::{Look, next_tokens};
use crate::analysis::Metric;
use crate::analysis::edge_cut::EdgeCut;
use crate::analysis::prediction::Candidate;
use crate::figure::words::{
    answer_piece, checksum, counted, is_long, joined, likeliest, metric_name, not_first_guess,
    token_at, told,
};
use crate::figure::{Cell, Chart, Figure, Row, Table};

/// The most edges that are named one by one.
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
    let run = |top: &[Candidate]| top.iter().map(|it| (it.id, it.prob)).collect();
    let next = next_tokens(&[("Clean", run(&it.clean.top)), ("Cut", run(&it.cut.top))], look);

    let (first, last) = (it.spec.layers.start, it.spec.layers.end - 1);
    let heads = match &it.spec.heads {
        None => "all heads".to_owned(),
        Some(heads) => {
            let heads: Vec<String> = heads.iter().map(usize::to_string).collect();
            format!("heads {}", joined(&heads))
        }
    };
    let mut notes = vec![format!("Cut in layers {first} to {last}, {heads}: scores set to −∞")];
    let edges = it.spec.edges.iter().take(N_NAMED);
    let edges: Vec<String> = edges
        .map(|edge| format!("{} ↛ {}", token_at(edge.query, prompt), token_at(edge.key, prompt)))
        .collect();
    let more = match it.spec.edges.len().saturating_sub(N_NAMED) {
        0 => String::new(),
        n => format!("  ·  and {n} more {}", checksum(&it.spec.edges)),
    };
    notes.push(if edges.is_empty() {
        "No edge is cut".to_owned()
    } else {
        format!("{}{more}", edges.join("  ·  "))
    });
    notes.push(format!("{} of each run", likeliest(it.spec.n_top)));
    let edges = counted(it.spec.edges.len(), "edge");
    Figure {
        title: format!("Attention cut at {edges} — {}", answer_piece(prompt)),
        charts: vec![Chart::Table(answer), Chart::Table(next)],
        notes,
        warnings: not_first_guess(&it.clean.answer, prompt).into_iter().collect(),
        ..Figure::default()
    }
}
