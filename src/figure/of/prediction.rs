//! The likeliest next tokens, and where the answer stands among them.

use super::Look;
use crate::analysis::prediction::Prediction;
use crate::figure::number::significant;
use crate::figure::words::first_piece;
use crate::figure::{Bar, Bars, Cell, Chart, Figure, Pick, Row, Table};
use crate::tokens::visible;

/// One line of the list.
struct Listed {
    /// 1 is the likeliest.
    rank: u32,
    id: u32,
    prob: f32,
    logit: f32,
}

pub(super) fn figure(prediction: &Prediction, look: &Look<'_>) -> Figure {
    let answer = prediction.prompt.answer.as_ref();
    let mut listed: Vec<Listed> = (1..)
        .zip(prediction.top.iter().take(look.n_listed))
        .map(|(rank, it)| Listed { rank, id: it.id, prob: it.prob, logit: it.logit })
        .collect();
    let is_answer = |it: &Listed| answer.is_some_and(|answer| answer.first() == it.id);
    if let (Some(answer), Some(found)) = (answer, prediction.answer)
        && !listed.iter().any(is_answer)
    {
        let (rank, id) = (found.rank + 1, answer.first());
        listed.push(Listed { rank, id, prob: found.prob, logit: found.logit });
    }
    let pick = Pick::default();
    let starred = |it: &Listed| look.token(it.id) + if is_answer(it) { " *" } else { "" };
    let bar = |it: &Listed| Bar::new(starred(it), it.prob).about(pick);
    let row = |it: &Listed| {
        Row::new([
            Cell::Number(it.rank as f32),
            Cell::Token(starred(it)),
            Cell::Number(it.prob),
            Cell::Number(it.logit),
        ])
        .about(pick)
    };
    let bars = Bars::new("Probabilities", "Probability of the next token", listed.iter().map(bar));
    let table =
        Table::new("Numbers", ["Rank", "Token", "Probability", "Logit"], listed.iter().map(row));
    let mut notes = Vec::new();
    if let (Some(answer), Some(found)) = (answer, prediction.answer) {
        let (text, n) = (visible(&answer.text), answer.ids.len());
        notes.push(if n == 1 {
            format!("* answer  p({text}) = {}", significant(found.prob, 4))
        } else {
            format!(
                "* first token of the answer {text} in {n} tokens: p({}) = {}; whole answer p({text}) \
                 = {}",
                first_piece(answer),
                significant(found.prob, 4),
                significant(found.answer_log_prob.exp(), 4),
            )
        });
    }
    Figure {
        title: "Next token — likeliest first".to_owned(),
        charts: vec![Chart::Bars(bars), Chart::Table(table)],
        notes,
        ..Figure::default()
    }
}
