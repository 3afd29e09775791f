//! How well a model recalls the facts of a dataset, in each wording of their relations.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::journal::{AskedOf, Journal, JournalError};
use super::part::direction_name;
use super::recall::{Choices, Known, KnownBy, Recall, recall_in};
use super::selection::{KnownWay, Selection};
use crate::analysis::{AnalysisCtx, AnalysisError};
use crate::facts::{Catalogue, Dataset, Direction, Record};
use crate::figure::{Cell, Chart, Figure, Row, Table};
use crate::task::Progress;
use crate::tokens::Bos;
use crate::worker::Engine;

/// What was recalled of each fact, in each wording.
#[derive(Clone, Debug, Serialize)]
pub struct Survey {
    pub entries: Vec<Entry>,

    /// Why facts could not be asked, each with its case.
    pub left_out: Vec<(String, String)>,
}

/// A fact asked one way in one wording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub case: String,
    pub relation: Option<String>,
    pub direction: Direction,

    /// The words, with `{}` for the subject; the prompt where no subject is marked.
    pub template: String,

    /// Whether these are the dataset's own words.
    pub is_own: bool,
    pub recall: Recall,

    /// How many first tokens the relation's answers have, by which a choice by chance is right once in so
    /// many. `None` without a relation.
    pub n_choices: Option<usize>,
}

/// Why a survey did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    #[error(transparent)]
    Analysis(#[from] AnalysisError),

    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// The wordings in which facts are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wordings {
    /// The dataset's own words.
    Own,

    /// These, and the templates of the relation in the catalogue.
    All,
}

impl Survey {
    /// Asks a model for the facts of a selection. What the journal holds is not asked again, and what is
    /// asked is added to it.
    pub fn of(
        engine: &Engine,
        dataset: &Dataset,
        selection: &Selection,
        (wordings, bos): (Wordings, Bos),
        mut journal: Option<&mut Journal>,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<Self, SurveyError> {
        let choices = Choices::new(dataset);
        let tasks = selection.tasks(dataset);
        let total = tasks.len() as u64;
        let mut survey = Self { entries: Vec::new(), left_out: Vec::new() };
        for (done, task) in tasks.into_iter().enumerate() {
            ctx.task
                .checkpoint(Progress { done: done as u64, total })
                .map_err(AnalysisError::from)?;
            let record = &dataset.records[task.record];
            let before = journal.as_ref().and_then(|it| it.get(task).cloned());
            let asked = if let Some(asked) = before {
                asked
            } else {
                let quiet = ctx.reporting(&|_| ());
                let asked =
                    asked_of(engine, &choices, (record, task.direction), (wordings, bos), &quiet)?;
                if let Some(journal) = &mut journal {
                    journal.add(task, asked.clone())?;
                }
                asked
            };
            let left_out = asked.left_out.into_iter().map(|reason| (record.id.clone(), reason));
            survey.left_out.extend(left_out);
            survey.entries.extend(asked.entries);
        }
        if let Some(way) = selection.known {
            survey.keep_known(way, selection.known_by);
        }
        Ok(survey)
    }

    /// Keeps facts that are known so in the dataset's own words, and counts the others among what is
    /// left out.
    fn keep_known(&mut self, way: KnownWay, by: KnownBy) {
        let mut known: BTreeMap<String, Known> = BTreeMap::new();
        for it in self.entries.iter().filter(|it| it.is_own) {
            let of_case = known.entry(it.case.clone()).or_default();
            match it.direction {
                Direction::Forward => of_case.forward = it.recall.is_known(by),
                Direction::Inverse => of_case.inverse = it.recall.is_known(by),
            }
        }
        self.entries.retain(|it| known.get(&it.case).is_some_and(|known| way.holds(*known)));
        let reason = way.unknown_reason();
        let others = known.into_iter().filter(|(_, known)| !way.holds(*known));
        self.left_out.extend(others.map(|(case, _)| (case, reason.clone())));
    }

    /// How many facts are known in the dataset's own words, forward, as inverses, and both ways.
    pub fn n_known(&self, by: KnownBy) -> [usize; 3] {
        let mut ways: BTreeMap<&str, [bool; 2]> = BTreeMap::new();
        for it in self.entries.iter().filter(|it| it.is_own) {
            ways.entry(&it.case).or_default()[it.direction as usize] = it.recall.is_known(by);
        }
        let count = |is_it: fn(&[bool; 2]) -> bool| ways.values().filter(|it| is_it(it)).count();
        [count(|it| it[0]), count(|it| it[1]), count(|it| it[0] && it[1])]
    }

    /// The figure: counts of all facts, and of each relation in each wording.
    pub fn figure(&self) -> Figure {
        let mut warnings = super::left_out::reasons(
            self.left_out.iter().map(|(case, reason)| (&**case, &**reason)),
        );
        if self.entries.is_empty() {
            warnings.push("No fact could be asked".to_owned());
        }
        warnings.extend(self.not_told_apart());
        Figure {
            file_name: "recall".to_owned(),
            title: "Recall of facts".to_owned(),
            charts: vec![Chart::Table(self.of_all()), Chart::Table(self.by_template())],
            warnings,
            notes: vec![
                "Known by first guess, among the first ten, and by forced choice: a right answer is the \
                 likeliest of all answers of its relation. Answers are judged by their first token"
                    .to_owned(),
                "Best: each fact in the wording in which a right answer has the best rank, and of equal \
                 ranks the highest probability. The best of several counts more as known than any one \
                 wording does"
                    .to_owned(),
            ],
            ..Figure::default()
        }
    }

    /// A warning of each relation whose answers differ, but not in their first tokens.
    fn not_told_apart(&self) -> Vec<String> {
        let mut answers: BTreeMap<(&str, Direction), BTreeSet<&str>> = BTreeMap::new();
        for it in self.entries.iter().filter(|it| it.n_choices == Some(1)) {
            let relation = it.relation.as_deref().unwrap_or_default();
            answers.entry((relation, it.direction)).or_default().insert(&it.recall.answer);
        }
        let alike = answers.into_iter().filter(|(_, answers)| answers.len() > 1);
        let warning = |((relation, direction), answers): ((&str, Direction), BTreeSet<&str>)| {
            let examples: Vec<&str> = answers.into_iter().take(2).collect();
            format!(
                "All answers of {relation}, asked as {}, begin with the same token, such as {}: a model \
                 that says it counts as knowing each of these facts",
                direction_name(direction),
                examples.join(" and "),
            )
        };
        alike.map(warning).collect()
    }

    fn of_all(&self) -> Table {
        let mut rows = Vec::new();
        for direction in Direction::ALL {
            let mine = || self.entries.iter().filter(move |it| it.direction == direction);
            let own: Vec<&Entry> = mine().filter(|it| it.is_own).collect();
            if own.is_empty() {
                continue;
            }
            let name = direction_name(direction);
            rows.push(row([name, "own"], &own));
            if mine().any(|it| !it.is_own) {
                rows.push(row([name, "best"], &best(mine())));
            }
        }
        Table::new("All facts", columns(["Asked as", "Wording"]), rows)
    }

    fn by_template(&self) -> Table {
        let mut groups: BTreeMap<(&str, Direction), Vec<&Entry>> = BTreeMap::new();
        for it in &self.entries {
            let relation = it.relation.as_deref().unwrap_or("none");
            groups.entry((relation, it.direction)).or_default().push(it);
        }
        let mut rows = Vec::new();
        for ((relation, direction), entries) in groups {
            let label = Catalogue::bundled().label(relation);
            let relation =
                label.map_or_else(|| relation.to_owned(), |it| format!("{relation} {it}"));
            // In the order of the first fact.
            let mut templates: Vec<&str> = Vec::new();
            for it in &entries {
                if !templates.contains(&&*it.template) {
                    templates.push(&it.template);
                }
            }
            let name = direction_name(direction);
            for template in &templates {
                let mine: Vec<&Entry> =
                    entries.iter().filter(|it| it.template == *template).copied().collect();
                rows.push(row([&relation, name, template], &mine));
            }
            if templates.len() > 1 {
                let best = best(entries.into_iter());
                rows.push(row([&relation, name, "best of these"], &best));
            }
        }
        Table::new("By relation and wording", columns(["Relation", "Asked as", "Wording"]), rows)
    }
}

/// Asks a model for a fact one way, in its own words and in others.
fn asked_of(
    engine: &Engine,
    choices: &Choices<'_>,
    (record, direction): (&Record, Direction),
    (wordings, bos): (Wordings, Bos),
    ctx: &AnalysisCtx<'_>,
) -> Result<AskedOf, AnalysisError> {
    let n_worded = match wordings {
        Wordings::Own => 0,
        Wordings::All => usize::MAX,
    };
    let templates = record.templates(direction).into_iter().skip(1).take(n_worded);
    let worded = templates.filter_map(|it| record.in_words(direction, &it));
    let mut asked = AskedOf::default();
    for (nth, record) in [record.clone()].into_iter().chain(worded).enumerate() {
        match recall_in(engine, choices, (&record, direction), bos, ctx)? {
            Ok(recall) => asked.entries.push(Entry {
                case: record.id.clone(),
                relation: record.relation.clone(),
                direction,
                template: recall.template.clone().unwrap_or_else(|| {
                    record.fact(direction).map_or_else(String::new, |it| it.prompt.clone())
                }),
                is_own: nth == 0,
                recall,
                n_choices: choices
                    .of(&record, direction)
                    .map(|it| it.first_tokens(&engine.info.tokenizer).len()),
            }),
            Err(reason) => asked.left_out.push(reason),
        }
    }
    Ok(asked)
}

/// Each fact in the wording in which it is recalled best.
fn best<'a>(entries: impl Iterator<Item = &'a Entry>) -> Vec<&'a Entry> {
    let mut best: BTreeMap<&str, &Entry> = BTreeMap::new();
    for it in entries {
        let found = best.entry(&it.case).or_insert(it);
        if it.recall.is_better(&found.recall, KnownBy::FIRST) {
            *found = it;
        }
    }
    best.into_values().collect()
}

fn columns<const N: usize>(first: [&str; N]) -> Vec<String> {
    let counts =
        ["Facts", "First guess", "Among ten", "By choice", "By chance", "Mean probability"];
    first.into_iter().chain(counts).map(str::to_owned).collect()
}

/// A row: how many facts there are, how many are known by what, how many a choice by chance would get
/// right, and the mean probability of a right answer.
fn row<const N: usize>(first: [&str; N], entries: &[&Entry]) -> Row {
    let n = entries.len() as f32;
    let known = |by: KnownBy| entries.iter().filter(|it| it.recall.is_known(by)).count() as f32;
    // The sum of no numbers would be −0.
    let chance =
        entries.iter().filter_map(|it| Some(1.0 / it.n_choices? as f32)).fold(0.0, |a, b| a + b);
    let mean: f32 = entries.iter().map(|it| it.recall.prob).sum::<f32>() / n;
    let numbers =
        [n, known(KnownBy::FIRST), known(KnownBy::TEN), known(KnownBy::Choice), chance, mean];
    let texts = first.map(|it| Cell::Text(it.to_owned()));
    Row::new(texts.into_iter().chain(numbers.map(Cell::Number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(case: &str, relation: &str, answer: &str, n_choices: usize) -> Entry {
        let recall = Recall {
            template: None,
            answer: answer.to_owned(),
            rank: 0,
            prob: 0.5,
            choice: Some(0),
            own_rank: Some(0),
            guess: " ".to_owned(),
        };
        Entry {
            case: case.to_owned(),
            relation: Some(relation.to_owned()),
            direction: Direction::Forward,
            template: "{} is".to_owned(),
            is_own: true,
            recall,
            n_choices: Some(n_choices),
        }
    }

    /// As SmolLM2's tokenizer begins every number with a space of its own.
    #[test]
    fn answers_that_begin_alike_are_warned_of() {
        let entries = vec![
            entry("1", "P1086", "6", 1),
            entry("2", "P1086", "8", 1),
            entry("3", "P36", "Paris", 2),
            entry("4", "P36", "Rome", 2),
            entry("5", "P30", "Europe", 1),
        ];
        let survey = Survey { entries, left_out: Vec::new() };
        let warnings = survey.figure().warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("P1086") && warnings[0].contains("6 and 8"), "{warnings:?}");
    }
}
