//! A fact written into one layer: what the model says before and after, and how it got there.

use std::fmt::Write as _;

use super::Look;
use super::reach::{each_kind, each_prompt};
use crate::analysis::rank_one_edit::{Covariance, PromptKind, RankOneEdit, Step, Told};
use crate::figure::number::significant;
use crate::figure::words::{DESCENT, counted, listed_as};
use crate::figure::{Cell, Chart, Figure, Row, Table};
use crate::tokens::visible;

pub(super) fn figure(it: &RankOneEdit, look: &Look<'_>) -> Figure {
    let target = visible(&it.spec.target.text);
    let mut charts = Vec::new();
    if !it.told.is_empty() {
        charts.push(Chart::Table(each_prompt(&it.told, look)));
    }
    let columns = [
        "Step",
        "Loss",
        "Mean −ln p of new's tokens",
        "Divergence",
        "Decay",
        "Mean p of new's tokens",
        "Length of the change",
    ];
    charts.push(Chart::Table(Table::new(DESCENT, columns, it.steps.iter().enumerate().map(step))));
    Figure {
        title: match verdict(it, look) {
            Some(verdict) => format!("{verdict} — rank-one edit of layer {}'s MLP", it.spec.layer),
            None => format!("Rank-one edit of layer {}'s MLP, to say {target}", it.spec.layer),
        },
        charts,
        undrawn: each_kind(&it.told),
        notes: notes(it, look),
        ..Figure::default()
    }
}

fn step((nth, it): (usize, &Step)) -> Row {
    let numbers = [it.loss, it.nll, it.kl, it.weight_decay, it.prob, it.delta_norm];
    let first = Cell::Number(nth as f32);
    let cells = [first].into_iter().chain(numbers.map(|it| Cell::Number(it as f32)));
    Row::new(cells)
}

/// Says in one line whether the edit did what it was made for; `None` if the fact was not asked.
fn verdict(it: &RankOneEdit, look: &Look<'_>) -> Option<String> {
    let of = |kind: PromptKind| it.told.iter().filter(move |told| told.kind == kind);
    let target = it.spec.target.first();
    let says = |told: &&Told| told.after.top.id == target;
    let fact = of(PromptKind::Prompt).next()?;
    let (before, after) = (fact.before.new?.prob, fact.after.new?.prob);
    let [was, is] = [before, after].map(|prob| significant(prob, 2));
    let new = look.token(target);
    let mut text = match (it.works()?, after > before) {
        (true, _) => format!("The edit worked: {new} is now the first guess, p {was} → {is}"),
        (false, rises) => {
            let first = look.token(fact.after.top.id);
            let but = if rises { "though likelier than before" } else { "and no likelier" };
            format!(
                "The edit did not work: the first guess is {first}, not {new}, {but}, p {was} → {is}"
            )
        }
    };
    let n_other = of(PromptKind::Paraphrase).count();
    if n_other > 0 {
        let n_says = of(PromptKind::Paraphrase).filter(says).count();
        _ = write!(text, "; in other words it is said in {n_says} of {n_other}");
    }
    let n_near = of(PromptKind::Neighbourhood).count();
    if n_near > 0 {
        let keeps = |told: &&Told| told.after.top.id == told.before.top.id;
        let n_kept = of(PromptKind::Neighbourhood).filter(keeps).count();
        _ = write!(text, "; of {} nearby {n_kept} kept theirs", counted(n_near, "prompt"));
    }
    Some(text)
}

fn notes(it: &RankOneEdit, look: &Look<'_>) -> Vec<String> {
    let (spec, descent) = (&it.spec, &it.spec.descent);
    let by = match &spec.covariance {
        Covariance::Identity => {
            "the identity, so keys that are merely alike are changed as well".to_owned()
        }
        Covariance::File(path) => path.display().to_string(),
    };
    let essence = spec.essence.as_ref().map(|it| {
        format!("  ·  divergence measured at {} (token {})", look.text(&it.ids), it.subject_last)
    });
    let mut notes = vec![format!(
        "To say {}  ·  key averaged over {}  ·  keys told apart by {by}{}",
        visible(&spec.target.text),
        listed_as(&spec.contexts, "text"),
        essence.unwrap_or_default()
    )];
    notes.push(format!(
        "Adam, {} at {}, until the loss is below {}  ·  weight decay {}  ·  change at most {} × the \
         value  ·  divergence weighs {}",
        counted(descent.n_steps, "step"),
        descent.learning_rate,
        descent.enough,
        descent.weight_decay,
        descent.clamp,
        descent.kl_factor
    ));
    if !spec.asked.is_empty() {
        notes.push(format!("Asked before and after: {}", listed_as(&spec.asked, "prompt")));
    }
    notes.push(
        "p(new), p(old): of the answer's first token  ·  mean p of new's tokens: the geometric mean over \
         all tokens of the new answer, which the descent raises"
            .to_owned(),
    );
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
