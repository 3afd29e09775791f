//! What a reader took each column of a dataset for, so that a wrong guess is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

/// A part of a fact that a column is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Subject,
    Answer,

    /// More right answers.
    Answers,

    /// The prompt with a place for the subject: a column, or `FROM_RELATION`.
    Template,

    /// A question in place of a template.
    Question,
    Relation,

    /// The template of the inverse.
    Inverse,
    Foil,
    Id,
}

/// In place of a column: the catalogue's template of the relation.
pub(super) const FROM_RELATION: &str = "from the relation";

/// Which columns were taken for what, in how many records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Taken {
    pub columns: BTreeMap<Part, BTreeMap<String, usize>>,

    /// What else the reader decided, each a phrase of its own.
    pub notes: BTreeSet<String>,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Answer => "answer",
            Self::Answers => "more answers",
            Self::Template => "template",
            Self::Question => "question as prompt",
            Self::Relation => "relation",
            Self::Inverse => "inverse",
            Self::Foil => "foil",
            Self::Id => "id",
        }
    }
}

impl Taken {
    pub(super) fn count(&mut self, used: Vec<(Part, String)>, notes: Vec<String>) {
        self.notes.extend(notes);
        for (part, column) in used {
            *self.columns.entry(part).or_default().entry(column).or_default() += 1;
        }
    }
}

/// Such as: subject = `sub_label`, answer = `obj_label`, template from the relation.
impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_records = self.columns.get(&Part::Subject).map_or(0, |it| it.values().sum());
        let parts = self.columns.iter().map(|(part, columns)| {
            let columns = columns.iter().map(|(column, n)| {
                let name = match column.as_str() {
                    FROM_RELATION => FROM_RELATION.to_owned(),
                    column => format!("`{column}`"),
                };
                if *n == n_records { name } else { format!("{name} ({n})") }
            });
            let columns = columns.collect::<Vec<_>>().join(" or ");
            let equals = if columns.starts_with(FROM_RELATION) { "" } else { "= " };
            format!("{} {equals}{columns}", part.name())
        });
        let notes = self.notes.iter().map(|note| format!("; {note}"));
        write!(f, "{}{}", parts.collect::<Vec<_>>().join(", "), notes.collect::<String>())
    }
}
