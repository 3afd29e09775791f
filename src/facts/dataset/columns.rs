//! Which column says what: the one table of the names that columns have in people's files.

use std::rc::Rc;

use super::RecordPlace;
use super::cell::{Cell, printed, trimmed};
use super::choices;
use super::error::short;
use super::renamed;

/// What a column says of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Subject,

    /// The right answer.
    Object,

    /// More right answers; the first is the answer where no column is the object.
    Answers,

    /// The prompt, with a place for the subject or with the subject in it.
    Template,

    /// A sentence that may serve as a template where there is none.
    Sentence,

    /// A question, which is asked where there is neither template nor a relation that has one.
    Question,

    /// A sentence with a mask for the answer, as LAMA has them from texts: asked where there is nothing
    /// better.
    Masked,
    Relation,

    /// The template of the inverse, and what it asks about and is right there if the file says so.
    Inverse,
    InverseSubject,
    InverseObject,
    InverseAnswers,
    InverseFoil,

    /// Whether the template asks the inverse as well.
    Symmetric,
    Foil,

    /// What a question lets choose from, of which an answer may give the number or the letter alone.
    Choices,
    Id,

    /// Prompts that ask the same, and prompts about other subjects with the same answer.
    Paraphrases,
    Neighbourhood,
}

/// The names of the columns of each role, as [`plain`] writes them; the first comes first. A `^`
/// marks the field of an object around the records, such as LRE's `name` beside its `samples`.
const NAMES: &[(Role, &[&str])] = &[
    (
        Role::Subject,
        &[
            "subject",
            "sub_label",
            "subject_label",
            "subject_name",
            "subj",
            "sub",
            "s",
            "head_label",
            "head",
            "child",
        ],
    ),
    (
        Role::Object,
        &[
            "object",
            "obj_label",
            "object_label",
            "object_name",
            "obj",
            "o",
            "answer",
            "correct_answer",
            "target",
            "target_true",
            "attribute",
            "ground_truth",
            "tail_label",
            "tail",
            "parent",
        ],
    ),
    (Role::Answers, &["answers", "possible_answers", "obj_aliases", "o_aliases", "answer_alias"]),
    (
        Role::Template,
        &[
            "template",
            "prompt",
            "base_prompt",
            "prompt_template",
            "cloze_prompt",
            "^prompt_templates",
        ],
    ),
    (Role::Sentence, &["fact", "sentence"]),
    (Role::Question, &["question", "src", "query"]),
    (Role::Masked, &["masked_sentence", "masked_sentences"]),
    (
        Role::Relation,
        &[
            "relation_id",
            "predicate_id",
            "relation",
            "relation_label",
            "relation_name",
            "predicate",
            "rel",
            "rel_id",
            "fact_type",
            "prop",
            "property",
            "pred",
            "parent_type",
            "^name",
        ],
    ),
    (
        Role::Inverse,
        &["inverse_template", "inverse_prompt", "inverse", "inv_fact", "inverse.prompt"],
    ),
    (Role::InverseSubject, &["inverse.subject"]),
    (Role::InverseObject, &["inverse.target_true"]),
    (Role::InverseAnswers, &["inverse.answers"]),
    (Role::InverseFoil, &["inverse_foil", "inv_counterfactuals", "inverse.target_new"]),
    (Role::Symmetric, &["symmetric", "properties.symmetric"]),
    (
        Role::Foil,
        &[
            "foil",
            "target_new",
            "target_false",
            "incorrect_answer",
            "wrong_answer",
            "counterfactuals",
            "alt",
        ],
    ),
    (
        Role::Choices,
        &[CHOICES, "options", "candidates", "endings", "mc1_targets", "mc2_targets", "a"],
    ),
    (Role::Id, &["case_id", "known_id", "id", "uuid"]),
    (Role::Paraphrases, &["paraphrase_prompts", "rephrase", "rephrase_prompt"]),
    (Role::Neighbourhood, &["neighborhood_prompts"]),
];

/// What pandas' `describe()` says of each column.
pub(super) const OF_SUMMARY: &[&str] =
    &["count", "unique", "top", "freq", "mean", "std", "min", "max", "25%", "50%", "75%"];

/// The columns that a file must have, for messages.
pub(super) const NEEDED: &str = "a `subject` and an `object` (or `answer`, `target_true`)";

/// CounterFact's fact within a record, which an edit rewrites; `MQuAKE` has a list.
pub(super) const REWRITE: &str = "requested_rewrite";

/// The plain name of the columns that hold a choice each, such as `option_b`.
const CHOICES: &str = "choices";

/// Objects within a record whose fields count as columns of it.
const OPENED: &[&str] = &["inverse", "properties"];

/// A column's name in small letters, with underscores for spaces and hyphens and between the words of
/// `subjectLabel`, and without what pandas writes before and behind: the second of two columns is `object.1`, and
/// a field of a rewrite `requested_rewrite.target_true.str`.
fn plain(column: &str) -> String {
    // Some tables mark the line of names so.
    let column = trimmed(trimmed(column).trim_start_matches('#'));
    let of_rewrite = column.strip_prefix(REWRITE).and_then(|it| it.strip_prefix(['.', '_', '/']));
    let column = of_rewrite.unwrap_or(column);
    let named = column.strip_suffix("str").and_then(|it| it.strip_suffix(['.', '_', '/']));
    let column = named.unwrap_or(column);
    let mut plain = String::with_capacity(column.len() + 2);
    let mut is_within_word = false;
    for c in column.chars() {
        if c.is_uppercase() && is_within_word {
            plain.push('_');
        }
        is_within_word = c.is_lowercase();
        match c {
            ' ' | '-' => plain.push('_'),
            c => plain.extend(c.to_lowercase()),
        }
    }
    plain.truncate(renamed::without_number(&plain).len());
    if choices::is_one(&plain) { CHOICES.to_owned() } else { plain }
}

fn names(role: Role) -> &'static [&'static str] {
    NAMES.iter().find(|(it, _)| *it == role).map_or(&[], |(_, names)| names)
}

fn is_of(role: Role, column: &str) -> bool {
    names(role).contains(&plain(column).as_str())
}

/// The longest name of a column that is looked at.
const N_BYTES: usize = 64;

/// Whether a column says anything of a fact.
pub(super) fn is_known(column: &str) -> bool {
    if column.len() > N_BYTES {
        return false;
    }
    let plain = plain(column);
    column == REWRITE
        || OPENED.contains(&column)
        || NAMES.iter().any(|(_, names)| names.contains(&plain.as_str()))
}

/// Whether a field of an object around records says anything of all of them.
pub(super) fn is_known_around(field: &str) -> bool {
    is_known(field) || NAMES.iter().any(|(_, names)| names.contains(&&*format!("^{field}")))
}

/// Whether rows with these columns can be facts.
pub(super) fn is_table(columns: impl IntoIterator<Item: AsRef<str>>) -> bool {
    let (mut has_subject, mut has_answer) = (false, false);
    for column in columns {
        let column = column.as_ref();
        has_subject |= is_subject(column);
        has_answer |= is_answer(column);
        if has_subject && has_answer || column == REWRITE {
            return true;
        }
    }
    false
}

/// Whether a column may hold the subject.
pub(super) fn is_subject(column: &str) -> bool {
    column.len() <= N_BYTES && is_of(Role::Subject, column)
}

/// Whether a column may hold the right answer.
pub(super) fn is_answer(column: &str) -> bool {
    column.len() <= N_BYTES && (is_of(Role::Object, column) || is_of(Role::Answers, column))
}

/// A named cell of a record.
#[derive(Clone, Debug)]
pub(super) struct Column {
    name: String,

    /// The name as [`plain`] writes it.
    plain: String,
    cell: Cell,
}

impl Column {
    pub fn new(name: &str, cell: Cell) -> Self {
        Self { plain: plain(name), name: trimmed(name).to_owned(), cell }
    }
}

/// One record of a file.
pub(super) struct Row {
    pub place: RecordPlace,

    /// The id of a record that names none: its number in the file, or its key.
    pub id: String,
    cells: Vec<Column>,

    /// What the objects around the records say of all of them.
    shared: Rc<[Column]>,

    /// Whether the record holds several rewrites, of which the first is the row, as in
    /// `MQuAKE`.
    pub is_first_of_several: bool,

    /// The names of the objects around the record, if each record of the file has them around it.
    pub around: Option<Rc<str>>,
}

impl Row {
    pub fn new(
        place: RecordPlace,
        id: String,
        fields: Vec<(String, Cell)>,
        shared: Rc<[Column]>,
    ) -> Self {
        let (rewrites, beside): (Vec<_>, Vec<_>) =
            fields.into_iter().partition(|(name, _)| name == REWRITE);
        let mut is_first_of_several = false;
        let has_rewrite = !rewrites.is_empty();
        let rewrite = rewrites.into_iter().next().and_then(|(_, cell)| {
            // A table holds it as Python prints it.
            let cell = if let Cell::Text(text) = cell { printed(&text)? } else { cell };
            match cell {
                Cell::Object(fields) => Some(fields),
                Cell::List(all) => {
                    is_first_of_several = all.len() > 1;
                    all.into_iter().next().and_then(Cell::fields)
                }
                _ => None,
            }
        });
        let cells = match rewrite {
            None if has_rewrite => {
                // Its name is told where the subject is missed.
                opened([beside, vec![(REWRITE.to_owned(), Cell::Unread)]].concat())
            }
            None => opened(beside),
            Some(mut fields) => {
                // Beside a rewrite, `answer` and the like are of something else.
                let of_record = [Role::Id, Role::Paraphrases, Role::Neighbourhood];
                let is_of_record = |name: &str| {
                    name == "inverse" || of_record.into_iter().any(|role| is_of(role, name))
                };
                fields.extend(beside.into_iter().filter(|(name, _)| is_of_record(name)));
                opened(fields)
            }
        };
        Self { place, id, cells, shared, is_first_of_several, around: None }
    }

    /// The names of the columns, for messages.
    pub fn columns(&self) -> String {
        let names: Vec<String> =
            self.cells.iter().map(|it| format!("`{}`", short(&it.name))).collect();
        names.join(", ")
    }

    /// The id that the record gives itself, of which a list is all together, or else its own.
    pub fn given_id(&self) -> String {
        let given = self.texts(Role::Id).into_iter().next();
        given.map_or_else(|| self.id.clone(), |(_, texts)| texts.join("+"))
    }

    pub fn is_empty(&self) -> bool {
        self.cells.iter().all(|it| it.cell.is_empty())
    }

    /// The column of a role that holds an object which has no name for itself.
    pub fn nameless(&self, role: Role) -> Option<&str> {
        let is_nameless = |it: &Cell| matches!(it, Cell::Object(_)) && it.named().is_none();
        let mut all = self.cells_of(role);
        let found = all.find(|it| match &it.cell {
            Cell::Text(text) => printed(text).is_some_and(|it| is_nameless(&it)),
            Cell::List(all) => !all.is_empty() && all.iter().all(is_nameless),
            cell => is_nameless(cell),
        });
        found.map(|it| it.name.as_str())
    }

    /// The columns that are called as another one of the record with a number behind, and say something else, each
    /// with that one.
    pub fn passed_over(&self) -> impl Iterator<Item = (&str, &str)> {
        let roles = [Role::Subject, Role::Object, Role::Template, Role::Relation];
        self.cells.iter().filter_map(move |column| {
            let base = renamed::base(&column.plain)?;
            let is_of_role = roles.into_iter().any(|role| names(role).contains(&base));
            let first = self.cells.iter().find(|it| is_of_role && it.plain == base)?;
            let is_other = !column.cell.is_empty() && column.cell != first.cell;
            is_other.then_some((column.name.as_str(), first.name.as_str()))
        })
    }

    /// Whether a text stands for one of several choices of the record, of whose words it is none.
    pub fn is_label_of_choice(&self, text: &str) -> bool {
        let all: Vec<(&str, &Cell)> =
            self.cells_of(Role::Choices).map(|it| (it.name.as_str(), &it.cell)).collect();
        choices::is_label(text, &all)
    }

    /// Whether the text of a column has a space before it and behind it.
    pub fn spaces_around(&self, column: &str) -> [bool; 2] {
        let cell = self.cells.iter().chain(&*self.shared).find(|it| it.name == column);
        match cell.map(|it| &it.cell) {
            Some(Cell::Text(text)) => {
                [text.starts_with(char::is_whitespace), text.ends_with(char::is_whitespace)]
            }
            _ => [false; 2],
        }
    }

    pub fn has(&self, role: Role) -> bool {
        self.cells_of(role).next().is_some()
    }

    /// The columns of a role, in the order of the table, each with its texts if it has any.
    pub fn texts(&self, role: Role) -> Vec<(&str, Vec<String>)> {
        let texts = if role == Role::Subject { Cell::names } else { Cell::texts };
        let all = self.cells_of(role).map(|it| (it.name.as_str(), texts(&it.cell)));
        all.filter(|(_, texts)| !texts.is_empty()).collect()
    }

    fn cells_of(&self, role: Role) -> impl Iterator<Item = &Column> {
        names(role).iter().flat_map(|name| {
            let (name, is_shared) = match name.strip_prefix('^') {
                Some(name) => (name, true),
                None => (*name, false),
            };
            let own = self.cells.iter().filter(move |_| !is_shared);
            own.chain(&*self.shared).filter(move |it| it.plain == name)
        })
    }
}

/// The fields of an object as columns, those of the objects in it that count as columns too.
pub(super) fn opened(fields: Vec<(String, Cell)>) -> Vec<Column> {
    let mut columns = Vec::new();
    for (name, cell) in fields {
        match cell {
            Cell::Object(inner) if OPENED.contains(&name.as_str()) => {
                let named = |(field, cell)| Column::new(&format!("{name}.{field}"), cell);
                columns.extend(inner.into_iter().map(named));
            }
            cell => columns.push(Column::new(&name, cell)),
        }
    }
    columns
}
