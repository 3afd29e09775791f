//! The answer's logit, as if the residual stream ended at each of its states.

use super::parts::{split_logit, target};
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
        measured: Some(split_logit(prompt)),
        ..Figure::default()
    }
}

/// States in front of attention and the last, and those between attention and MLP, if there are such.
fn lines(found: &AccumulatedResid, pos: usize, at: &str) -> Lines {
    let n_states = found.logits.n_rows();
    let per_layer = states_per_layer(found);
    // There is no MLP behind the last: all are as long.
    let series = |(first, name): (usize, &str)| {
        let at = |nth| found.logits.get(per_layer * nth + first, pos).copied();
        let values = (0..n_states.div_ceil(per_layer)).map(|nth| at(nth).unwrap_or(f32::NAN));
        Series::new(name, values)
    };
    let names = ["In front of attention (resid_pre)", "In front of the MLP (resid_mid)"];
    Lines::new(
        format!("States at {at}"),
        "Logit if the stream ended there",
        format!("Layer ({}: behind the last)", n_states / per_layer),
        names.into_iter().take(per_layer).enumerate().map(series),
    )
}

/// How many states of each layer there are: one in models whose MLPs do not read what attention
/// writes, else two.
fn states_per_layer(found: &AccumulatedResid) -> usize {
    if found.labels.iter().any(|it| it.ends_with("_mid")) { 2 } else { 1 }
}

fn map(found: &AccumulatedResid, look: &Look<'_>) -> Map {
    let prompt = &found.prompt;
    let (n_pos, n_states) = (prompt.n_pos(), found.logits.n_rows());
    let tokens = Side::prompt("Token", prompt);
    // The states in front of the planted layer's attention and of its MLP.
    let per_layer = states_per_layer(found);
    let marked = look.planted.filter(|layer| per_layer * (layer + 1) < n_states);
    let marked = marked.map_or(0..0, |layer| per_layer * layer..per_layer * (layer + 1));
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
