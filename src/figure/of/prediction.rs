//! The likeliest next tokens, and where the answer stands among them.

use super::Look;
use crate::analysis::prediction::Prediction;
use crate::figure::number::significant;
use crate::figure::words::first_piece;
use crate::figure::{Cell, Chart, Figure, Row, Table};
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
    let row = |it: &Listed| {
        let token = look.token(it.id);
        Row::new([
            Cell::Number(it.rank as f32),
            if is_answer(it) { Cell::Answer(token) } else { Cell::Token(token) },
            Cell::Share(it.prob),
            Cell::Number(it.logit),
            Cell::Number(it.id as f32),
        ])
    };
    let columns = ["Rank", "Token", "Probability", "Logit", "Token id"];
    let table = Table::new("Next token", columns, listed.iter().map(row));
    let n = prediction.top.len();
    let mut notes: Vec<String> =
        super::listed(n.min(look.n_listed), n, "tokens").into_iter().collect();
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
    // What other methods measure where the prompt has no answer, as in ROME.
    if let Some(guess) = prediction.top.first().filter(|_| answer.is_none()) {
        let (text, prob) = (look.token(guess.id), significant(guess.prob, 4));
        notes.push(format!("No answer is given: the first guess is measured  p({text}) = {prob}"));
    }
    Figure {
        title: match prediction.top.len() {
            1 => "Next token — the likeliest".to_owned(),
            n => format!("Next token — the {n} likeliest"),
        },
        charts: vec![Chart::Table(table)],
        notes,
        ..Figure::default()
    }
}
