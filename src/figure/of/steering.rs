//! A direction added to the residual stream: the likeliest next tokens before and after.

use super::reach::{each_kind, each_prompt};
use super::{Look, next_tokens};
use crate::analysis::prediction::Candidate;
use crate::analysis::steering::{Direction, Steering};
use crate::figure::number::significant;
use crate::figure::words::{answer_piece, at, likeliest};
use crate::figure::{Chart, Figure};

pub(super) fn figure(it: &Steering, look: &Look<'_>) -> Figure {
    let run = |top: &[Candidate]| top.iter().map(|it| (it.id, it.prob)).collect();
    let runs = [("Before", run(&it.before.top)), ("After", run(&it.after.top))];
    let table = next_tokens(&runs, look);
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
    let direction = match &it.spec.direction {
        Direction::Prompts { plus, minus } => format!(
            "The residual stream at the end of {} minus that of {} (Turner et al. 2023)",
            look.text(plus),
            look.text(minus)
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
    notes.push(format!("{} of each run", likeliest(it.spec.n_top)));
    let mut charts = vec![Chart::Table(table)];
    let mut undrawn = Vec::new();
    if !it.told.is_empty() {
        charts.push(Chart::Table(each_prompt(&it.told, look)));
        undrawn = each_kind(&it.told);
    }
    let at = at(&it.spec.positions, &it.prompt);
    Figure {
        title: format!("Steering after layer {} {at}", it.spec.layer),
        charts,
        undrawn,
        notes,
        ..Figure::default()
    }
}
