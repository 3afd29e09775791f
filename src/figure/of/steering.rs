//! A direction added to the residual stream: the likeliest next tokens before and after.

use super::Look;
use crate::analysis::prediction::Candidate;
use crate::analysis::steering::{Direction, Steering};
use crate::figure::number::significant;
use crate::figure::words::{answer_piece, at};
use crate::figure::{Cell, Chart, Figure, Row, Table};

pub(super) fn figure(it: &Steering, look: &Look<'_>) -> Figure {
    let (before, after) = (&it.before.top, &it.after.top);
    let side = |found: Option<&Candidate>| {
        let token = found.map_or_else(String::new, |it| look.token(it.id));
        [Cell::Token(token), Cell::Number(found.map_or(f32::NAN, |it| it.prob))]
    };
    let row = |nth: usize| {
        Row::new(
            [Cell::Number(nth as f32 + 1.0)]
                .into_iter()
                .chain(side(before.get(nth)))
                .chain(side(after.get(nth))),
        )
    };
    let n = before.len().max(after.len()).min(look.n_listed);
    let columns = ["Rank", "Before", "Probability", "After", "Probability"];
    let table = Table::new("Next token", columns, (0..n).map(row));
    let mut notes = Vec::new();
    if let (Some(before), Some(after)) = (&it.before.answer, &it.after.answer) {
        let (before, after) = (significant(before.prob, 4), significant(after.prob, 4));
        let answer = answer_piece(&it.prompt);
        notes.push(format!("p({answer})  {before} before, {after} after"));
    }
    let number = |it: f64| significant(it as f32, 4);
    notes.push(format!(
        "Scale {}  ·  length of what is added {}, of the residual stream there {} on average",
        it.spec.scale,
        number(it.added_norm),
        number(it.resid_norm)
    ));
    let text = |ids: &[u32]| {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| look.tokenizer.bytes(id)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let direction = match &it.spec.direction {
        Direction::Prompts { plus, minus } => format!(
            "The residual stream at the end of “{}” minus that of “{}” (Turner et al. 2023)",
            text(plus),
            text(minus)
        ),
        Direction::Tokens { plus, minus } => {
            let minus = match minus {
                Some(id) => format!("that of {}", look.token(*id)),
                None => "the mean of all tokens".to_owned(),
            };
            format!("The unembedding of {} minus {minus}", look.token(*plus))
        }
    };
    notes.push(direction);
    let at = at(&it.spec.positions, &it.prompt);
    Figure {
        title: format!("Steering after layer {} {at}", it.spec.layer),
        charts: vec![Chart::Table(table)],
        notes,
        ..Figure::default()
    }
}
