//! The fact in one record of a file.

use super::super::{Catalogue, Direction, Fact, Inverse, InverseOrigin, Record, Related};
use super::cell::NAME;
use super::columns::{NEEDED, Role, Row};
use super::ids::Ids;
use super::slots::asked;
use super::taken::{FROM_RELATION, Part, Taken};

/// What was taken for a part of the fact, and the texts there.
type Pick<'a> = (&'a str, Vec<String>);

/// The columns of a record that were taken for something, and what else was decided.
#[derive(Default)]
struct Used(Vec<(Part, String)>, Vec<String>);

impl Used {
    fn add(&mut self, part: Part, column: &str) {
        self.0.push((part, column.to_owned()));
    }

    /// The first text of a column that is taken for a part.
    fn take(&mut self, part: Part, (column, texts): &Pick<'_>) -> String {
        self.add(part, column);
        texts[0].clone()
    }
}

/// The fact in a record. `default_relation` serves files that are named after their relation.
/// `taken` learns which column was taken for what.
pub(super) fn record(
    row: &Row,
    ids: &Ids,
    default_relation: Option<&str>,
    taken: &mut Taken,
) -> Result<(Record, Related), String> {
    if row.is_empty() {
        return Err("the row is empty".to_owned());
    }
    let mut used = Used::default();
    let subject = named(row, Role::Subject, ids, "subject", &mut used)?;
    let subject = match subject {
        Some((column, texts)) if texts.len() > 1 => {
            return Err(format!(
                "`{column}` holds {} subjects; write a record for each",
                texts.len()
            ));
        }
        Some(pick) => (used.take(Part::Subject, &pick), row.spaces_around(pick.0)),
        None => return Err(absent(row, Role::Subject, "subject")),
    };
    let (subject, spaces) = subject;
    let more = row.texts(Role::Answers);
    let object =
        named(row, Role::Object, ids, "answer", &mut used)?.or_else(|| more.first().cloned());
    let object = object.ok_or_else(|| absent(row, Role::Object, "answer"))?;
    let answer = used.take(Part::Answer, &object);
    if row.is_label_of_choice(&answer) {
        return Err(format!(
            "`{}` says “{answer}”, which stands for one of the choices; write the words of the right one there",
            object.0
        ));
    }
    let mut answers = object.1.clone();
    for (column, texts) in more.into_iter().filter(|it| it.0 != object.0) {
        used.add(Part::Answers, column);
        answers.extend(texts);
    }
    deduplicate(&mut answers);

    let catalogue = Catalogue::bundled();
    let relation = relation(row)?;
    let relation = match &relation {
        Some(pick) => Some(used.take(Part::Relation, pick)),
        None => default_relation.map(str::to_owned),
    };
    let relation = relation.map(|it| catalogue.find(&it).map_or(it, |found| found.id.clone()));
    let known = relation.as_deref().and_then(|id| catalogue.get(id));

    let ask = |template: &str| asked(template, (&subject, spaces), &answer, Direction::Forward);
    let mut prompt = |role| prompt(row, role, ask, &mut used);
    let own = prompt(Role::Template)?.or(prompt(Role::Sentence)?);
    let (template, fact) = match (own, known.and_then(|it| it.forward.first())) {
        (Some((column, template, fact)), _) => {
            used.add(Part::Template, &column);
            (template, fact)
        }
        (None, Some(template)) => {
            used.add(Part::Template, FROM_RELATION);
            (template.clone(), ask(template)?)
        }
        (None, None) => {
            let asked = match prompt(Role::Question)? {
                Some(asked) => Some(asked),
                None => prompt(Role::Masked)?,
            };
            let (column, template, fact) = asked.ok_or_else(|| untold(row, relation.as_deref()))?;
            used.add(Part::Question, &column);
            (template, fact)
        }
    };
    let foil = one(row, Role::Foil, "wrong answer")?;
    let foil = foil.map(|pick| used.take(Part::Foil, &pick));

    let is_symmetric = row.texts(Role::Symmetric).iter().any(|it| it.1[0] == "true");
    let inverse = one(row, Role::Inverse, "template of the inverse")?
        .map(|pick| used.take(Part::Inverse, &pick))
        .or_else(|| is_symmetric.then_some(template));
    let inverse = inverse.map(|template| inverse_of(row, &template, &subject, &answer));
    let inverse = inverse.transpose().map_err(|reason| format!("its inverse: {reason}"))?;

    let id = row.texts(Role::Id).into_iter().next();
    if let Some(first) = &id {
        let is_other = |it: &Pick<'_>| it.0.eq_ignore_ascii_case(first.0) && it.1 != first.1;
        if let Some(other) = row.texts(Role::Id).into_iter().find(is_other) {
            return Err(contradiction(first.0, &first.1[0], other.0, &other.1[0], "id"));
        }
    }
    if let Some((column, _)) = &id {
        used.add(Part::Id, column);
    }
    let id = row.given_id();
    if row.is_first_of_several {
        used.1.push("of several rewrites in a record, the first is taken".to_owned());
    }
    let passed_over = row.passed_over();
    used.1
        .extend(passed_over.map(|(name, first)| format!("`{name}` is not read beside `{first}`")));
    if let Some(names) = &row.around {
        used.1.push(format!("each record is what stands in `{names}`"));
    }
    taken.count(used.0, used.1);
    let fact = Fact { foil, ..fact };
    let all = |role| row.texts(role).into_iter().flat_map(|it| it.1).collect();
    let related =
        Related { paraphrases: all(Role::Paraphrases), neighbourhood: all(Role::Neighbourhood) };
    Ok((
        Record { answers, inverse: inverse.map(Box::new), ..Record::new(id, relation, fact) },
        related,
    ))
}

/// The first column of a role. Others that have another text are an error: nobody knows which one is
/// meant.
fn one<'a>(row: &'a Row, role: Role, what: &str) -> Result<Option<Pick<'a>>, String> {
    agreed(row.texts(role), what)
}

fn agreed<'a>(all: Vec<Pick<'a>>, what: &str) -> Result<Option<Pick<'a>>, String> {
    let mut all = all.into_iter();
    let Some(first) = all.next() else { return Ok(None) };
    match all.find(|it| !it.1.contains(&first.1[0]) && !first.1.contains(&it.1[0])) {
        None => Ok(Some(first)),
        Some(other) => Err(contradiction(first.0, &first.1[0], other.0, &other.1[0], what)),
    }
}

fn contradiction(column: &str, text: &str, other: &str, its: &str, what: &str) -> String {
    let columns = if column == other {
        format!("two columns are called `{column}`: one says “{text}”, the other “{its}”")
    } else {
        format!("`{column}` says “{text}” and `{other}` “{its}”")
    };
    format!("{columns}; rename the one that is not the {what}")
}

/// The column of the names of subject or object. Columns of ids are passed over.
fn named<'a>(
    row: &'a Row,
    role: Role,
    ids: &Ids,
    what: &str,
    used: &mut Used,
) -> Result<Option<Pick<'a>>, String> {
    let is_id = |it: &Pick<'_>| ids.is_one(it.0, &it.1[0]);
    let (of_ids, of_names): (Vec<_>, Vec<_>) = row.texts(role).into_iter().partition(is_id);
    match of_ids.first() {
        Some((column, texts))
            if of_names.is_empty() && !(role == Role::Object && row.has(Role::Answers)) =>
        {
            Err(format!(
                "`{column}` holds an id, “{}”, and no column holds the name of the {what} here",
                texts[0]
            ))
        }
        _ => {
            let passed_over = of_ids.iter().map(|it| format!("`{}` holds ids, not names", it.0));
            used.1.extend(passed_over);
            let (codes, names): (Vec<_>, Vec<_>) =
                of_names.into_iter().partition(|it| ids.is_code(it.0));
            if names.is_empty() {
                return agreed(codes, what);
            }
            let says_else = |it: &&Pick<'_>| !names[0].1.contains(&it.1[0]);
            let passed_over = codes.iter().filter(says_else);
            used.1.extend(passed_over.map(|it| format!("`{}` holds codes, not names", it.0)));
            agreed(names, what)
        }
    }
}

/// Why a part is not there.
fn absent(row: &Row, role: Role, what: &str) -> String {
    let roles = if role == Role::Object { &[role, Role::Answers][..] } else { &[role] };
    if roles.iter().any(|it| row.nameless(*it).is_some()) {
        let names = NAME.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
        format!("the {what} is an object without a name: it has none of {names}")
    } else if roles.iter().any(|it| row.has(*it)) {
        let what = if role == Role::Object { "object, which is the answer," } else { what };
        format!("the {what} is empty")
    } else {
        format!(
            "there is no column for the {what}: a record needs {NEEDED}; this one has {}",
            row.columns()
        )
    }
}

/// The column of the relation: the first that the catalogue knows, else the first. The error is that
/// others name another relation of the catalogue.
fn relation(row: &Row) -> Result<Option<Pick<'_>>, String> {
    let is_prediction = |it: &Pick<'_>| {
        // zsRE's `pred` is what a model said; LAMA's is `/people/person/place_of_birth`.
        let number = it.1[0].strip_prefix('P').unwrap_or_default();
        let is_property = !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit());
        it.0 == "pred" && !it.1[0].starts_with('/') && !is_property
    };
    let all = || row.texts(Role::Relation).into_iter().filter(|it| !is_prediction(it));
    let known = |it: &Pick<'_>| Some(&Catalogue::bundled().find(&it.1[0])?.id);
    let Some(first) = all().find(|it| known(it).is_some()).or_else(|| all().next()) else {
        // The reversal curse's pairs of child and parent.
        let is_parent = |it: &Pick<'_>| it.0.eq_ignore_ascii_case("parent");
        let parent = row.texts(Role::Object).into_iter().find(is_parent);
        return Ok(parent.map(|it| (it.0, vec![it.0.to_owned()])));
    };
    let is_other = |it: &Pick<'_>| match (known(&first), known(it)) {
        (Some(id), Some(other)) => id != other,
        _ => it.0.eq_ignore_ascii_case(first.0) && it.1[0] != first.1[0],
    };
    match all().find(is_other) {
        Some(other) => Err(contradiction(first.0, &first.1[0], other.0, &other.1[0], "relation")),
        None => Ok(Some(first)),
    }
}

/// The prompt from the columns of a role: column, template and fact. All that are there must ask the
/// same, or the same and more, as ROME's `prompt` goes on where its `template` ends.
fn prompt(
    row: &Row,
    role: Role,
    ask: impl Fn(&str) -> Result<Fact, String>,
    used: &mut Used,
) -> Result<Option<(String, String, Fact)>, String> {
    let mut all = row
        .texts(role)
        .into_iter()
        .map(|(column, mut texts)| (column, texts.len(), texts.swap_remove(0)));
    let Some((mut column, mut n_texts, mut template)) = all.next() else {
        // The catalogue's words would be asked in place of the file's own.
        return match row.nameless(role).filter(|_| role != Role::Sentence) {
            None => Ok(None),
            Some(column) => Err(format!(
                "`{column}` is an object without a name, of which nobody knows what is asked; write the text there"
            )),
        };
    };
    let mut fact = ask(&template)?;
    for (other, n, its) in all {
        match ask(&its) {
            Ok(it) if fact.prompt.starts_with(&it.prompt) => {}
            Ok(it) if it.prompt.starts_with(&fact.prompt) => {
                fact.prompt = it.prompt;
                (column, n_texts, template) = (other, n, its);
            }
            _ => {
                return Err(contradiction(
                    column,
                    &template,
                    other,
                    &its,
                    "prompt or its template",
                ));
            }
        }
    }
    if n_texts > 1 {
        used.1.push(format!("of several texts in `{column}`, the first is taken"));
    }
    Ok(Some((column.to_owned(), template, fact)))
}

/// Why there is no prompt.
fn untold(row: &Row, relation: Option<&str>) -> String {
    let missing = if row.has(Role::Template) {
        "the prompt or its template is empty"
    } else {
        "there is no column `template`"
    };
    match relation {
        Some(id) => {
            format!("{missing}, and the program has no template for the relation “{id}”")
        }
        None => format!(
            "{missing}, and no column `relation` with a relation that the program has templates for"
        ),
    }
}

/// The inverse in the file's own words. `subject` and `answer` are those of the fact.
fn inverse_of(row: &Row, template: &str, subject: &str, answer: &str) -> Result<Inverse, String> {
    let text = |role, usual: &str| -> Result<String, String> {
        let pick = one(row, role, "part of the inverse")?;
        Ok(pick.map_or_else(|| usual.to_owned(), |it| it.1[0].clone()))
    };
    let of = text(Role::InverseSubject, answer)?;
    let right = text(Role::InverseObject, subject)?;
    let fact = asked(template, (&of, [false; 2]), &right, Direction::Inverse)?;
    let mut answers = vec![right];
    answers.extend(row.texts(Role::InverseAnswers).into_iter().flat_map(|it| it.1));
    deduplicate(&mut answers);
    let foil = one(row, Role::InverseFoil, "wrong answer of the inverse")?;
    let fact = Fact { foil: foil.map(|it| it.1[0].clone()), ..fact };
    Ok(Inverse { fact, answers: answers.into(), origin: InverseOrigin::File })
}

fn deduplicate(texts: &mut Vec<String>) {
    let mut seen = std::collections::BTreeSet::new();
    texts.retain(|it| seen.insert(it.clone()));
}
