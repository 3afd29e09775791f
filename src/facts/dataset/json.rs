//! Facts as JSON: lists, lines, tables by rows or by columns as pandas writes them, and records
//! within other objects.

mod described;
mod named_once;
mod turned;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::rc::Rc;

use named_once::{by_columns, is_by_columns, of_row, texts};
use turned::{TURNED, is_turned_by_columns, refuse_turned};

use super::super::Catalogue;
use super::cell::Cell;
use super::columns::{self, Column, Row};
use super::error::short;
use super::json_text::{self, View};
use super::{Entry, RecordError, RecordPlace};
use crate::text_file::{self, Misread};

/// Why valid JSON holds no facts.
pub(super) struct Fault(pub String);

/// A JSON list, JSON Lines, an object that holds records, or a single record: a text that has been
/// checked.
pub(super) struct Json<'a> {
    text: Cow<'a, str>,

    /// The line in the file of the text's first.
    first_line: u64,

    /// Whether each line is a document of its own, of which some are none.
    is_by_line: bool,

    /// What the reader decided, each a phrase of its own.
    pub notes: BTreeSet<String>,
}

impl<'a> Json<'a> {
    /// Checks a text that begins as JSON does.
    pub fn new(text: &'a str) -> Result<Self, Misread> {
        let start = text.len() - json_text::without_spaces(text).len();
        let first_line = 1 + json_text::n_lines(&text[..start]);
        let text = &text[start..];
        let mut notes = BTreeSet::new();
        let Err(strict) = json_text::check(text) else {
            return Ok(Self { text: text.into(), first_line, is_by_line: false, notes });
        };
        let mended = text_file::without_nan(text);
        let (text, error) = match mended {
            Some(mended) => {
                notes.insert("`NaN` and the like are taken as missing".to_owned());
                match json_text::check(&mended) {
                    Ok(()) => {
                        let text = mended.into();
                        return Ok(Self { text, first_line, is_by_line: false, notes });
                    }
                    Err(error) => (Cow::Owned(mended), error),
                }
            }
            None => (Cow::Borrowed(text), strict),
        };
        let is_object = |it: &&str| it.trim_start().starts_with('{');
        let is_right = |it: &str| json_text::check_one(it).is_ok();
        let mut lines = text.lines().filter(|it| !it.trim().is_empty());
        let first = lines.next().unwrap_or_default();
        // A fault of the first line costs that line alone where the second is whole.
        let second = lines.next().filter(|it| is_object(&first) && is_object(it));
        if !is_right(first) && !second.is_some_and(is_right) {
            return Err(Misread::new(&text, &error, first_line));
        }
        Ok(Self { text, first_line, is_by_line: true, notes })
    }

    /// Gives each record to `add`, in file order. Of the whole file no more than one is in memory.
    pub fn each(&self, add: &mut dyn FnMut(Entry)) -> Result<(), Fault> {
        let mut n_found = 0;
        if self.is_by_line {
            let lines = self.text.lines().zip(self.first_line..);
            // Files that were put behind each other have marks within.
            let lines = lines.map(|(line, number)| (json_text::without_spaces(line), number));
            let lines = lines.filter(|(line, _)| !line.trim().is_empty());
            let whole = lines.clone().filter(|it| json_text::check_one(it.0).is_ok());
            let whole = whole.map(|it| View::new(it.0.trim()));
            refuse_turned(whole.clone())?;
            let held_in = held_in(whole);
            for (text, number) in lines {
                match json_text::check_one(text) {
                    Ok(()) => {
                        let document = View::new(text.trim());
                        each_of_line(document, &held_in, number, &mut n_found, add);
                    }
                    Err(error) => {
                        let reason = Misread::new(text, &error, number).in_line();
                        let (place, id) = (RecordPlace::Line(number), n_found.to_string());
                        n_found += 1;
                        add(Err(RecordError { place, id, reason }));
                    }
                }
            }
            return Ok(());
        }
        let mut documents = json_text::documents(&self.text).peekable();
        let Some((_, first)) = documents.peek().copied() else { return Ok(()) };
        documents.next();
        if documents.peek().is_none() {
            return held_by(first, &Shared::default(), &mut |held| {
                add(held.into_entry(n_found, RecordPlace::Index(n_found)));
                n_found += 1;
            });
        }
        let all = || json_text::documents(&self.text).map(|it| it.1);
        refuse_turned(all())?;
        let held_in = held_in(all());
        for (line, document) in json_text::documents(&self.text) {
            each_of_line(document, &held_in, self.first_line + line, &mut n_found, add);
        }
        Ok(())
    }
}

/// What one line of JSON Lines holds.
fn each_of_line(
    document: View<'_>,
    held_in: &HeldIn,
    line: u64,
    n_found: &mut usize,
    add: &mut dyn FnMut(Entry),
) {
    let place = RecordPlace::Line(line);
    let before = *n_found;
    entry(document, held_in, &Shared::default(), &mut |held| {
        add(held.into_entry(*n_found, place));
        *n_found += 1;
    });
    if *n_found == before {
        let reason = "it is empty".to_owned();
        add(Err(RecordError { place, id: n_found.to_string(), reason }));
        *n_found += 1;
    }
}

/// What the objects around some records say of them.
type Shared = Rc<[Column]>;

/// A record with the key that it has in its object, or why it is none.
struct Held {
    key: Option<String>,
    fields: Result<Vec<(String, Cell)>, String>,
    shared: Shared,

    /// The names around the record that every other entry of its list has too.
    around: Option<Rc<str>>,
}

impl Held {
    fn new(key: Option<String>, fields: Vec<(String, Cell)>, shared: &Shared) -> Self {
        Self { key, fields: Ok(fields), shared: Rc::clone(shared), around: None }
    }

    fn refused(reason: String, shared: &Shared) -> Self {
        Self { key: None, fields: Err(reason), shared: Rc::clone(shared), around: None }
    }

    fn into_entry(self, nth: usize, place: RecordPlace) -> Entry {
        let id = self.key.unwrap_or_else(|| nth.to_string());
        match self.fields {
            Ok(fields) => {
                let mut row = Row::new(place, id, fields, self.shared);
                row.around = self.around;
                Ok(row)
            }
            Err(reason) => Err(RecordError { place, id, reason }),
        }
    }
}

type Add<'a> = &'a mut dyn FnMut(Held);

/// The records that a document holds.
fn held_by(document: View<'_>, shared: &Shared, add: Add<'_>) -> Result<(), Fault> {
    if document.is_list() {
        return list(document, shared, add);
    }
    if !document.is_object() {
        return Err(Fault(SINGLE.to_owned()));
    }
    if is_table(document) {
        described::refuse(document)?;
        if !is_by_columns(document) {
            add(Held::new(None, record_fields(document), shared));
            return Ok(());
        }
        return by_columns(document, shared, add);
    }
    let named = |name: &str| document.get(name).filter(|it| it.is_list());
    // Datasette calls them rows, which may be objects too.
    let rows = || named("rows").filter(|it| it.elements().next().is_some_and(View::is_list));
    if let (Some(names), Some(data)) = (named("columns"), named("data").or_else(rows))
        && let Some(names) = texts(names)
    {
        if !columns::is_table(&names)
            && named("index").and_then(texts).is_some_and(columns::is_table)
        {
            return Err(Fault(TURNED.to_owned()));
        }
        let mut ids = named("index").filter(|it| it.elements().count() == data.elements().count());
        let mut ids = ids.take().map(View::elements);
        for (nth, row) in data.elements().enumerate() {
            let id = ids.as_mut().and_then(Iterator::next).and_then(View::text);
            add(of_row(nth, row, &names, id, shared));
        }
        return Ok(());
    }
    if is_turned_by_columns(document) {
        return Err(Fault(TURNED.to_owned()));
    }
    within(document, shared, add)
}

/// The records within the fields of an object that is none itself.
fn within(document: View<'_>, shared: &Shared, add: Add<'_>) -> Result<(), Fault> {
    let is_record = |it: &View<'_>| it.is_object() && is_table(*it) && !is_by_columns(*it);
    let n_fields = document.fields().count();
    let n_records = document.fields().filter(|(_, it)| is_record(it)).count();
    // One that lacks a column is a record too, which is told as such.
    let is_part = |it: View<'_>| {
        let mut names = it.fields().map(|it| it.0);
        it.is_object() && names.any(|it| columns::is_subject(&it) || columns::is_answer(&it))
    };
    let are_records = n_records > 0
        && document.fields().all(|(_, it)| it.is_object())
        && (2 * n_records > n_fields || document.fields().all(|(_, it)| is_part(it)));
    if are_records {
        for (key, record) in document.fields() {
            add(Held::new(Some(key.into_owned()), record_fields(record), shared));
        }
        return Ok(());
    }
    let groups = || document.fields().filter(|(_, it)| holds_records(*it));
    let n_groups = groups().count();
    if n_groups == 0 {
        for (_, it) in document.fields().filter(|(_, it)| it.is_list()) {
            refuse_turned(it.elements())?;
        }
        return Err(Fault(without_records(document)));
    }
    let is_relation = |name: &str| Catalogue::bundled().find(name).is_some();
    if n_groups > 1 && !groups().all(|(name, _)| is_relation(&name)) {
        return Err(Fault(several(groups().map(|(name, _)| name))));
    }
    let beside = document
        .fields()
        .filter(|(name, it)| columns::is_known_around(name) && !holds_records(*it));
    let beside = beside.map(|(name, it)| (name.into_owned(), it.cell())).collect();
    let beside: Vec<Column> =
        columns::opened(beside).into_iter().chain(shared.iter().cloned()).collect();
    for (name, group) in groups() {
        let mut shared = beside.clone();
        if is_relation(&name) {
            shared.push(Column::new("relation", Cell::Text(name.into_owned())));
        }
        held_by(group, &shared.into(), add)?;
    }
    Ok(())
}

/// Why it is not known which facts of an object are meant.
fn several<'a>(names: impl Iterator<Item = Cow<'a, str>>) -> String {
    let names = quoted(names).join(" and in ");
    format!("there are facts in {names}; put those that are meant into a file of their own")
}

/// Why an object holds no facts.
fn without_records(document: View<'_>) -> String {
    let names = quoted(document.fields().map(|(name, _)| name));
    let said = ["error", "message", "detail"].into_iter().find_map(|it| document.get(it)?.text());
    match (names.is_empty(), said) {
        (true, _) => "it is an object without fields".to_owned(),
        (_, Some(said)) => {
            format!("it is an object with {}, which says “{}”", names.join(", "), short(&said))
        }
        (_, None) => format!("it is an object with {}", names.join(", ")),
    }
}

/// The first few names, for messages.
fn quoted<'a>(mut names: impl Iterator<Item = Cow<'a, str>>) -> Vec<String> {
    const N_NAMED: usize = 12;
    let mut named: Vec<String> =
        names.by_ref().take(N_NAMED).map(|it| format!("`{}`", short(&it))).collect();
    match names.count() {
        0 => {}
        n => named.push(format!("{n} more")),
    }
    named
}

/// The records of a list. One that is none is kept with the reason.
fn list(entries: View<'_>, shared: &Shared, add: Add<'_>) -> Result<(), Fault> {
    let head = entries.elements().next().filter(|it| it.is_list()).and_then(texts);
    if let Some(names) = head
        && columns::is_table(names.iter().map(String::as_str))
    {
        for (nth, row) in entries.elements().skip(1).enumerate() {
            add(of_row(nth, row, &names, None, shared));
        }
        return Ok(());
    }
    refuse_turned(entries.elements())?;
    let held_in = held_in(entries.elements());
    for it in entries.elements() {
        entry(it, &held_in, shared, add);
    }
    Ok(())
}

/// How many entries of a list tell what all of them are.
const N_SAMPLED: usize = 64;

/// What the entries of a list hold their records in, if the entries themselves are no records.
enum HeldIn {
    /// No name that all entries have, as where an entry holds records by their ids.
    Nothing,

    /// Each in objects of these names around each other: `{"fact": {…}}`.
    One(Vec<String>),

    /// Each has several, under these names, and nobody knows which is meant.
    Several(Vec<String>),
}

/// What the first entries of a list have in common. Names that all of them have are no ids.
fn held_in<'a>(entries: impl Iterator<Item = View<'a>>) -> HeldIn {
    let is_record = |it: View<'_>| is_table(it) && !is_by_columns(it);
    let mut common: Option<Vec<String>> = None;
    let (mut are_several, mut n) = (false, 0);
    for it in entries.take(N_SAMPLED).filter(|it| it.is_object() && !is_table(*it)) {
        let records = it.fields().filter(|(_, it)| it.is_object() && is_record(*it));
        let mut names: Vec<String> = records.map(|it| it.0.into_owned()).collect();
        are_several |= names.len() > 1;
        if names.len() < 2 {
            let (around, within) = unwrapped(it);
            names = if is_record(within) { around } else { Vec::new() };
        }
        if names.is_empty() {
            continue;
        }
        n += 1;
        if common.get_or_insert_with(|| names.clone()) != &names {
            return HeldIn::Nothing;
        }
    }
    match common {
        Some(names) if are_several && n > 1 => HeldIn::Several(names),
        Some(names) if !are_several => HeldIn::One(names),
        _ => HeldIn::Nothing,
    }
}

/// What is within objects of one field each, which is an object, and the names of these fields.
fn unwrapped(mut entry: View<'_>) -> (Vec<String>, View<'_>) {
    const N_DEEP: usize = 8;
    let mut names = Vec::new();
    while names.len() < N_DEEP
        && !is_table(entry)
        && let mut fields = entry.fields()
        && let (Some((name, within)), None) = (fields.next(), fields.next())
        && within.is_object()
    {
        names.push(name.into_owned());
        entry = within;
    }
    (names, entry)
}

/// The records of one entry of a list, which is mostly one itself.
fn entry(entry: View<'_>, held_in: &HeldIn, shared: &Shared, add: Add<'_>) {
    match held_in {
        HeldIn::One(names) => {
            let (around, record) = unwrapped(entry);
            if around == *names {
                let relation = names.iter().find(|it| Catalogue::bundled().find(it).is_some());
                let relation = relation.map(|it| Column::new("relation", Cell::Text(it.clone())));
                let shared = relation.into_iter().chain(shared.iter().cloned()).collect();
                let held = Held::new(None, record_fields(record), &shared);
                return add(Held { around: Some(names.join("`, `").into()), ..held });
            }
        }
        HeldIn::Several(names) => {
            let of_names = |it: &String| entry.get(it).is_some_and(holds_records);
            if names.iter().all(of_names) {
                let names = names.iter().map(|it| Cow::from(it.as_str()));
                return add(Held::refused(several(names), shared));
            }
        }
        HeldIn::Nothing => {}
    }
    let holds_some = |it: View<'_>| it.values().any(holds_records);
    let held = if entry.is_object() && !is_table(entry) && !holds_some(entry) {
        add(Held::new(None, record_fields(entry), shared));
        Ok(())
    } else if entry.is_list() && !holds_some(entry) {
        Err(Fault(
            "it is a list of values without the names of columns; in pandas, write it with `orient=\"records\"`"
                .to_owned(),
        ))
    } else {
        held_by(entry, shared, add)
    };
    if let Err(Fault(reason)) = held {
        add(Held::refused(reason, shared));
    }
}

const SINGLE: &str = "it is a single value, not a record";

/// The fields of a record. Of those that say nothing of a fact only the names are kept.
fn record_fields(record: View<'_>) -> Vec<(String, Cell)> {
    const N_KNOWN: usize = 1024;
    const N_OTHERS: usize = 32;
    let (mut n_known, mut n_others) = (0, 0);
    let mut fields = Vec::new();
    for (name, value) in record.fields() {
        if columns::is_known(&name) {
            n_known += 1;
            if n_known <= N_KNOWN {
                fields.push((name.into_owned(), value.cell()));
            }
        } else {
            n_others += 1;
            if n_others <= N_OTHERS {
                let cell = if value.is_missing() { Cell::Missing } else { Cell::Unread };
                fields.push((name.into_owned(), cell));
            }
        }
    }
    fields
}

fn is_table(record: View<'_>) -> bool {
    columns::is_table(record.fields().map(|(name, _)| name))
}

/// Whether there are records in a value, of which the first few of a list tell.
fn holds_records(value: View<'_>) -> bool {
    /// Each is read once more for those around it, so that there must be an end to them.
    const N_DEEP: usize = 8;
    holds_records_within(value, N_DEEP)
}

/// Whether there are records within at most `n_deep` brackets of a value.
fn holds_records_within(value: View<'_>, n_deep: usize) -> bool {
    const N_LOOKED_AT: usize = 8;
    let Some(n_deep) = n_deep.checked_sub(1) else { return false };
    if value.is_object() {
        is_table(value) || value.fields().any(|(_, it)| holds_records_within(it, n_deep))
    } else {
        value.elements().take(N_LOOKED_AT).any(|it| holds_records_within(it, n_deep))
    }
}
