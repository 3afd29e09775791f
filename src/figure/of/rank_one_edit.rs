//! A fact written into one layer: what the model says before and after, and how it got there.

use super::Look;
use crate::analysis::rank_one_edit::{Belief, Covariance, PromptKind, RankOneEdit, Step, Told};
use crate::figure::number::significant;
use crate::figure::{Cell, Chart, Figure, Row, Table};
use crate::tokens::visible;

pub(super) fn figure(it: &RankOneEdit, look: &Look<'_>) -> Figure {
    let target = visible(&it.spec.target.text);
    let mut charts = Vec::new();
    if !it.told.is_empty() {
        charts.push(Chart::Table(Table::new(
            "Before and after",
            [
                "",
                "p(new) before",
                "p(new) after",
                "p(old) before",
                "p(old) after",
                "Says before",
                "Says after",
                "Prompt",
            ],
            it.told.iter().map(|told| answers(told, look)),
        )));
    }
    let columns =
        ["Step", "Loss", "−ln p(new)", "Divergence", "Decay", "p(new)", "Length of the change"];
    charts.push(Chart::Table(Table::new(
        "Finding the value",
        columns,
        it.steps.iter().enumerate().map(step),
    )));
    Figure {
        title: format!("Rank-one edit of layer {}'s MLP, to say {target}", it.spec.layer),
        charts,
        notes: notes(it),
        ..Figure::default()
    }
}

fn answers(told: &Told, look: &Look<'_>) -> Row {
    let kind = match told.kind {
        PromptKind::Prompt => "the fact",
        PromptKind::Paraphrase => "in other words",
        PromptKind::Neighbourhood => "nearby",
    };
    let old = |it: Option<Belief>| Cell::Number(it.map_or(f32::NAN, |it| it.prob));
    let (before, after) = (&told.before, &told.after);
    Row::new([
        Cell::Text(kind.to_owned()),
        Cell::Number(before.new.prob),
        Cell::Number(after.new.prob),
        old(before.old),
        old(after.old),
        Cell::Token(look.token(before.top.id)),
        Cell::Token(look.token(after.top.id)),
        Cell::Text(told.text.clone()),
    ])
}

fn step((nth, it): (usize, &Step)) -> Row {
    let numbers = [it.loss, it.nll, it.kl, it.weight_decay, it.prob, it.delta_norm];
    let first = Cell::Number(nth as f32);
    let cells = [first].into_iter().chain(numbers.map(|it| Cell::Number(it as f32)));
    Row::new(cells)
}

fn notes(it: &RankOneEdit) -> Vec<String> {
    let (n, descent) = (it.spec.contexts.len(), &it.spec.descent);
    let texts = if n == 1 { "text" } else { "texts" };
    let by = match &it.spec.covariance {
        Covariance::Identity => {
            "the identity, so keys that are merely alike are changed as well".to_owned()
        }
        Covariance::File(path) => path.display().to_string(),
    };
    let mut notes = vec![
        format!("Key averaged over {n} {texts}  ·  keys told apart by {by}"),
        format!(
            "Adam, {} steps at {}  ·  weight decay {}  ·  change at most {} × the value  ·  \
             divergence weighs {}",
            descent.n_steps,
            descent.learning_rate,
            descent.weight_decay,
            descent.clamp,
            descent.kl_factor
        ),
    ];
    if let Some(update) = &it.update {
        let number = |it: f64| significant(it as f32, 4);
        notes.push(format!(
            "Length of the value {} before, {} after; of the change of the matrix {}",
            number(update.value_norm),
            number(update.new_value_norm),
            number(update.change_norm),
        ));
    }
    notes.push(
        "As ROME (Meng et al. 2022, section 3). Nearby: other subjects with the same answer, which \
         should not change. That an edit works in a layer does not say that the fact was there (Hase \
         et al. 2023)"
            .to_owned(),
    );
    notes
}
