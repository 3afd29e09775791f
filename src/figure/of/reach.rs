//! What a change of the model reaches, by kind of prompt: the fact, other words, facts nearby, the inverse.

use super::Look;
use crate::analysis::reach::{Answers, Belief, PromptKind, Told};
use crate::figure::{Cell, Chart, Row, Table};

/// How the prompts of a kind are called.
pub(super) fn kind_name(kind: PromptKind) -> &'static str {
    match kind {
        PromptKind::Prompt => "the fact",
        PromptKind::Paraphrase => "in other words",
        PromptKind::Neighbourhood => "nearby",
        PromptKind::InverseOfOld => "the inverse, from the old answer",
        PromptKind::InverseOfNew => "the inverse, from the new answer",
    }
}

/// A row for each prompt.
pub(super) fn each_prompt(told: &[Told], look: &Look<'_>) -> Table {
    let prob = |it: Option<Belief>| Cell::Number(it.map_or(f32::NAN, |it| it.prob));
    let row = |told: &Told| {
        let (before, after) = (&told.before, &told.after);
        Row::new([
            Cell::Text(kind_name(told.kind).to_owned()),
            prob(before.new),
            prob(after.new),
            prob(before.old),
            prob(after.old),
            Cell::Token(look.token(before.top.id)),
            Cell::Token(look.token(after.top.id)),
            Cell::Text(told.text.clone()),
        ])
    };
    Table::new(
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
        told.iter().map(row),
    )
}

/// What is told of an answer, of a prompt before and after.
type Number = fn(Option<Belief>) -> Option<f32>;

/// One of a prompt's answers, of which the model may not have been asked.
type Answer = fn(&Answers) -> Option<Belief>;

/// The two answers that a prompt may have.
const ANSWERS: [(&str, Answer); 2] = [("new", |it| it.new), ("old", |it| it.old)];

/// A table for each kind of prompt, with means over its prompts, so that the numbers of many facts can be laid
/// over each other, each kind over the facts that have such a prompt.
pub(super) fn each_kind(told: &[Told]) -> Vec<Chart> {
    let mut kinds: Vec<PromptKind> = told.iter().map(|it| it.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let of_kind = |kind: PromptKind| {
        let mine: Vec<&Told> = told.iter().filter(|it| it.kind == kind).collect();
        let name = format!("What the change reaches: {}", kind_name(kind));
        Chart::Table(means(name, &mine))
    };
    kinds.into_iter().map(of_kind).collect()
}

fn means(name: String, told: &[&Told]) -> Table {
    let numbers: [(&str, Number); 3] = [
        ("p", |it| Some(it?.prob)),
        ("ln p", |it| it.map(|it| it.log_prob.unwrap_or_else(|| it.prob.ln()))),
        ("rank", |it| Some(it?.rank? as f32 + 1.0)),
    ];
    let mean = |value: &dyn Fn(&Told) -> Option<f32>| {
        let found: Option<Vec<f32>> = told.iter().map(|it| value(it)).collect();
        found.map_or(f32::NAN, |it| it.iter().sum::<f32>() / it.len() as f32)
    };
    let (mut columns, mut cells) = (Vec::new(), Vec::new());
    let mut add = |column: String, value: f32| {
        columns.push(column);
        cells.push(Cell::Number(value));
    };
    for (name, number) in numbers {
        for (answer, of) in ANSWERS {
            add(format!("{name}({answer}) before"), mean(&|it| number(of(&it.before))));
            add(format!("{name}({answer}) after"), mean(&|it| number(of(&it.after))));
        }
    }
    let is_new =
        |new: Option<Belief>, old: Option<Belief>| Some(f32::from(u8::from(new?.prob > old?.prob)));
    let share = "Share where new is likelier";
    add(format!("{share} before"), mean(&|it| is_new(it.before.new, it.before.old)));
    add(format!("{share} after"), mean(&|it| is_new(it.after.new, it.after.old)));
    for (name, number) in numbers {
        for (answer, of) in ANSWERS {
            let change = |it: &Told| Some(number(of(&it.after))? - number(of(&it.before))?);
            add(format!("change of {name}({answer})"), mean(&change));
        }
    }
    Table::new(name, columns, [Row::new(cells)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::prediction::Candidate;

    /// One fact would make the mean over all infinite.
    #[test]
    fn a_probability_that_is_too_small_for_a_number_has_its_logarithm() {
        let belief = |prob: f32, log_prob: f32| Answers {
            top: Candidate { id: 0, prob: 1.0, logit: 0.0 },
            new: None,
            old: Some(Belief { prob, log_prob: Some(log_prob), rank: Some(0), mean_log_prob: 0.0 }),
        };
        let told = Told {
            kind: PromptKind::Prompt,
            text: String::new(),
            before: belief(0.5, 0.5_f32.ln()),
            after: belief(0.0, -200.0),
        };
        let Chart::Table(table) = &each_kind(&[told])[0] else { panic!("it is a table") };
        let number = |column: &str| {
            let nth = table.columns.iter().position(|it| it == column).unwrap();
            table.rows[0].cells[nth].number().unwrap()
        };
        assert_eq!(number("ln p(old) after"), -200.0);
        assert_eq!(number("change of ln p(old)"), -200.0 - 0.5_f32.ln());
    }
}
