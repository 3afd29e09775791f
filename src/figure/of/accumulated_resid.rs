//! The answer's logit, as if the residual stream ended at each of its states.

use super::parts::target;
use super::{Look, by_row};
use crate::analysis::accumulated_resid::{AccumulatedResid, LensScale};
use crate::figure::number::significant;
use crate::figure::words::token_at;
use crate::figure::{Chart, Figure, Lines, Map, Series, Side};

pub(super) fn figure(found: &AccumulatedResid, look: &Look<'_>) -> Figure {
    let prompt = &found.prompt;
    let pos = look.position(prompt);
    let at = token_at(pos, prompt);
    let at = if pos == prompt.last() { format!("the last {at}") } else { at };
    let target = target(prompt);
    Figure {
        title: format!("Accumulated residual stream — {target}"),
        charts: vec![Chart::Lines(lines(found, pos, &at)), Chart::Map(map(found, look))],
        notes: notes(found),
        ..Figure::default()
    }
}

/// States in front of attention and the last, and those between attention and MLP.
fn lines(found: &AccumulatedResid, pos: usize, at: &str) -> Lines {
    let n_states = found.logits.n_rows();
    // There is no MLP behind the last: both are as long.
    let series = |name: &str, first: usize| {
        Series::new(
            name,
            (0..n_states.div_ceil(2))
                .map(|nth| found.logits.get(2 * nth + first, pos).copied().unwrap_or(f32::NAN)),
        )
    };
    Lines::new(
        format!("States at {at}"),
        "Logit if the stream ended there",
        format!("Layer ({}: behind the last)", n_states / 2),
        [
            series("In front of attention (resid_pre)", 0),
            series("In front of the MLP (resid_mid)", 1),
        ],
    )
}

fn map(found: &AccumulatedResid, look: &Look<'_>) -> Map {
    let prompt = &found.prompt;
    let (n_pos, n_states) = (prompt.n_pos(), found.logits.n_rows());
    let tokens = Side::prompt("Token", prompt);
    // The states in front of the planted layer's attention and of its MLP.
    let marked = look.planted.filter(|layer| 2 * layer + 2 < n_states);
    let marked = marked.map_or(0..0, |layer| 2 * layer..2 * layer + 2);
    let states =
        Side::named("State of the residual stream", "state", found.labels.clone()).marking(marked);
    let values = by_row(n_pos, n_states, |pos, state| {
        found.logits.get(state, pos).copied().unwrap_or(f32::NAN)
    });
    Map::new("States and tokens", tokens, states, values, "Logit if the stream ended there")
        .diverging()
}

fn notes(found: &AccumulatedResid) -> Vec<String> {
    let last = found.prompt.last();
    let end = found.logits.rows().last().and_then(|row| row.get(last)).copied();
    let scale = match found.spec.scale {
        LensScale::Own => {
            "Each state through the final layer norm and the unembedding, as if it were the last: the \
             logit lens (nostalgebraist 2020). Steps between states are not contributions, for each \
             state has its own scale"
        }
        LensScale::Final => {
            "Each state divided by the last state's scale at that position, then unembedded: a step \
             between two states is what the attention or MLP between them adds in direct logit \
             attribution (Elhage et al. 2021)"
        }
    };
    vec![
        format!(
            "The last state at the last position is the model's own logit: {}",
            end.map_or_else(|| "not computed".to_owned(), |it| significant(it, 4)),
        ),
        scale.to_owned(),
        "n_pre is the stream in front of layer n's attention, n_mid in front of its MLP".to_owned(),
    ]
}
