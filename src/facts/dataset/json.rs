//! Facts as JSON: lists, lines, tables by rows or by columns as pandas writes them, and records
//! within other objects.

use std::rc::Rc;

use super::super::Catalogue;
use super::cell::{Cell, is_unseen};
use super::columns::{self, Column, Row};
use super::{Entry, Found, RecordError, RecordPlace};

type Fields = Vec<(String, Cell)>;

/// What can be wrong with a JSON file as a whole.
pub(super) enum Fault {
    Json(serde_json::Error),

    /// There are no facts in it, for this reason.
    NoFacts(String),
}

/// The records of a JSON list, of JSON Lines, of an object that holds them, or of a single record.
pub(super) fn records(text: &str) -> Result<Found, Fault> {
    let mut found = Found::default();
    let strict = stream(text);
    let mended = strict.is_err().then(|| without_nan(text)).flatten();
    let read = match &mended {
        Some(mended) => {
            found.notes.insert("`NaN` and the like are taken as missing".to_owned());
            stream(mended)
        }
        None => strict,
    };
    match read {
        Ok(mut documents) if documents.len() == 1 => {
            let (_, document) = documents.remove(0);
            let held = held_by(document, &Shared::default())?;
            found.entries = held.into_entries(0, RecordPlace::Index);
        }
        Ok(documents) => {
            for (line, document) in documents {
                add_line(&mut found, line, Ok(document));
            }
        }
        Err(error) => {
            let lines = mended.as_deref().unwrap_or(text).lines().zip(1..);
            for (line, number) in lines.filter(|(line, _)| !line.trim().is_empty()) {
                match serde_json::from_str(line) {
                    Err(_) if found.entries.is_empty() => return Err(Fault::Json(error)),
                    read => add_line(&mut found, number, read),
                }
            }
        }
    }
    Ok(found)
}

/// Adds what one line of JSON Lines holds.
fn add_line(found: &mut Found, line: u64, read: Result<Cell, serde_json::Error>) {
    let place = RecordPlace::Line(line);
    let index = found.entries.len();
    let refused = |reason| vec![Err(RecordError { place, id: index.to_string(), reason })];
    let entries = match read {
        Err(error) => refused(format!("not valid JSON: {error}")),
        Ok(document) => match entry(document, &Shared::default()) {
            Records(held) if held.is_empty() => refused("it is empty".to_owned()),
            held => held.into_entries(index, |_| place),
        },
    };
    found.entries.extend(entries);
}

/// The values that follow one another in a text, each with its line.
fn stream(text: &str) -> Result<Vec<(u64, Cell)>, serde_json::Error> {
    let mut read = serde_json::Deserializer::from_str(text).into_iter::<Cell>();
    let (mut found, mut line, mut counted) = (Vec::new(), 1, 0);
    loop {
        let after = &text[read.byte_offset()..];
        let start = text.len() - after.trim_start().len();
        let Some(document) = read.next() else { return Ok(found) };
        line += text[counted..start].bytes().filter(|it| *it == b'\n').count() as u64;
        counted = start;
        found.push((line, document?));
    }
}

/// JSON with `null` in place of what Python and JavaScript write into it: `NaN`, `Infinity`,
/// `None`, and with `true` for `True`. `None` if there is nothing of that.
fn without_nan(text: &str) -> Option<String> {
    let mut mended = String::with_capacity(text.len());
    let (mut is_quoted, mut is_escaped, mut is_mended) = (false, false, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let word = if is_quoted { "" } else { &rest[..word_length(rest)] };
        let instead = match word {
            "NaN" | "Infinity" | "-Infinity" | "-NaN" | "None" | "undefined" => "null",
            "True" => "true",
            "False" => "false",
            word => word,
        };
        if !word.is_empty() {
            is_mended |= instead != word;
            mended.push_str(instead);
            rest = &rest[word.len()..];
            continue;
        }
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = is_quoted && c == '\\' && !is_escaped;
        mended.push(c);
        rest = &rest[c.len_utf8()..];
    }
    is_mended.then_some(mended)
}

/// The bytes of the word that a text begins with, with a minus before it.
fn word_length(text: &str) -> usize {
    let minus = usize::from(text.starts_with('-'));
    let letters = text[minus..].bytes().take_while(u8::is_ascii_alphabetic).count();
    if letters == 0 { 0 } else { minus + letters }
}

/// What the objects around some records say of them.
type Shared = Rc<[Column]>;

/// A record with the key that it has in its object, or why it is none.
struct Held {
    key: Option<String>,
    fields: Result<Fields, String>,
    shared: Shared,
}

/// Records in file order.
struct Records(Vec<Held>);

impl Records {
    fn into_entries(self, first: usize, place: impl Fn(usize) -> RecordPlace) -> Vec<Entry> {
        let entries = self.0.into_iter().zip(first..).map(|(it, nth)| {
            let (place, id) = (place(nth), it.key.unwrap_or_else(|| nth.to_string()));
            match it.fields {
                Ok(fields) => Ok(Row::new(place, id, fields, it.shared)),
                Err(reason) => Err(RecordError { place, id, reason }),
            }
        });
        entries.collect()
    }

    /// Records of one object, each with its key.
    fn of(rows: impl IntoIterator<Item = (Option<String>, Fields)>, shared: &Shared) -> Self {
        let held = rows.into_iter().map(|(key, fields)| Held {
            key,
            fields: Ok(fields),
            shared: Rc::clone(shared),
        });
        Self(held.collect())
    }
}

/// The records that a document holds.
fn held_by(document: Cell, shared: &Shared) -> Result<Records, Fault> {
    let fields = match document {
        Cell::List(entries) => return list(entries, shared),
        Cell::Object(fields) => fields,
        Cell::Text(_) | Cell::Missing => return Err(Fault::NoFacts(SINGLE.to_owned())),
    };
    if is_table(&fields) {
        let Some(keys) = columns::subject(&fields).and_then(keys) else {
            return Ok(Records::of([(None, fields)], shared));
        };
        return Ok(Records::of(by_columns(fields, keys)?, shared));
    }
    let cell = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, cell)| cell);
    if let (Some(Cell::List(names)), Some(Cell::List(data))) = (cell("columns"), cell("data"))
        && let Some(names) = names.iter().map(text).collect::<Option<Vec<_>>>()
    {
        let rows = table(&names, data)?;
        let ids = match cell("index") {
            Some(Cell::List(ids)) if ids.len() == rows.len() => ids.iter().map(text).collect(),
            _ => vec![None; rows.len()],
        };
        return Ok(Records::of(ids.into_iter().zip(rows), shared));
    }
    within(fields, shared)
}

/// The records within the fields of an object that is none itself.
fn within(fields: Fields, shared: &Shared) -> Result<Records, Fault> {
    let is_record = |cell: &Cell| matches!(cell, Cell::Object(fields) if is_table(fields));
    let is_object = |cell: &Cell| matches!(cell, Cell::Object(_));
    let n_records = fields.iter().filter(|(_, cell)| is_record(cell)).count();
    if 2 * n_records > fields.len() && fields.iter().all(|(_, cell)| is_object(cell)) {
        let rows = fields.into_iter().filter_map(|(key, cell)| match cell {
            Cell::Object(fields) => Some((Some(key), fields)),
            _ => None,
        });
        return Ok(Records::of(rows, shared));
    }
    let quoted = |fields: &Fields| -> Vec<String> {
        fields.iter().map(|(name, _)| format!("`{name}`")).collect()
    };
    let names = quoted(&fields);
    let (groups, beside): (Fields, Fields) =
        fields.into_iter().partition(|(_, cell)| holds_records(cell));
    if groups.is_empty() {
        return Err(Fault::NoFacts(if names.is_empty() {
            "it is an object without fields".to_owned()
        } else {
            format!("it is an object with {}", names.join(", "))
        }));
    }
    let is_relation = |name: &str| Catalogue::bundled().find(name).is_some();
    if groups.len() > 1 && !groups.iter().all(|(name, _)| is_relation(name)) {
        return Err(Fault::NoFacts(format!(
            "there are facts in {}; put those that are meant into a file of their own",
            quoted(&groups).join(" and in ")
        )));
    }
    let beside = columns::opened(beside).into_iter().chain(shared.iter().cloned());
    let beside: Vec<Column> = beside.collect();
    let mut found = Vec::new();
    for (name, cell) in groups {
        let mut shared = beside.clone();
        if is_relation(&name) {
            shared.push(Column::new("relation".to_owned(), Cell::Text(name)));
        }
        found.extend(held_by(cell, &shared.into())?.0);
    }
    Ok(Records(found))
}

/// The records of a list. One that is none is kept with the reason.
fn list(entries: Vec<Cell>, shared: &Shared) -> Result<Records, Fault> {
    if let Some(Cell::List(head)) = entries.first()
        && let Some(names) = head.iter().map(text).collect::<Option<Vec<_>>>()
        && columns::is_table(names.iter().map(String::as_str))
    {
        let rows = table(&names, &entries[1..])?;
        return Ok(Records::of(rows.into_iter().map(|row| (None, row)), shared));
    }
    Ok(Records(entries.into_iter().flat_map(|it| entry(it, shared).0).collect()))
}

/// The records of one entry of a list, which is mostly one itself.
fn entry(entry: Cell, shared: &Shared) -> Records {
    let held = match entry {
        Cell::Object(fields) if !fields.iter().any(|(_, it)| holds_records(it)) => {
            if is_table(&fields) {
                held_by(Cell::Object(fields), shared)
            } else {
                Ok(Records::of([(None, fields)], shared))
            }
        }
        Cell::List(entries) if !entries.iter().any(holds_records) => {
            Err(Fault::NoFacts("it is a list of values without the names of columns".to_owned()))
        }
        entry => held_by(entry, shared),
    };
    held.unwrap_or_else(|fault| {
        let reason = match fault {
            Fault::Json(error) => error.to_string(),
            Fault::NoFacts(reason) => reason,
        };
        Records(vec![Held { key: None, fields: Err(reason), shared: Rc::clone(shared) }])
    })
}

const SINGLE: &str = "it is a single value, not a record";

fn is_table(fields: &Fields) -> bool {
    columns::is_table(fields.iter().map(|(name, _)| name.as_str()))
}

/// Whether there are records in a value, of which the first few of a list tell.
fn holds_records(cell: &Cell) -> bool {
    const N_LOOKED_AT: usize = 8;
    match cell {
        Cell::Object(fields) => is_table(fields) || fields.iter().any(|(_, it)| holds_records(it)),
        Cell::List(all) => all.iter().take(N_LOOKED_AT).any(holds_records),
        Cell::Text(_) | Cell::Missing => false,
    }
}

/// The keys of a column that holds a value for each row, as a list or by the row's key. `None` for
/// a cell of one row.
fn keys(column: &Cell) -> Option<Vec<Option<String>>> {
    match column {
        Cell::List(values) => Some(vec![None; values.len()]),
        Cell::Object(values) if column.named().is_none() => {
            Some(values.iter().map(|(key, _)| Some(key.clone())).collect())
        }
        _ => None,
    }
}

/// The rows of a table that is written column by column, each with its key.
fn by_columns(
    fields: Fields,
    keys: Vec<Option<String>>,
) -> Result<Vec<(Option<String>, Fields)>, Fault> {
    let n_rows = keys.len();
    let mut rows = vec![Fields::new(); n_rows];
    for (name, column) in fields.into_iter().filter(|(name, _)| columns::is_known(name)) {
        let n_values = match &column {
            Cell::List(values) => values.len(),
            Cell::Object(values) if column.named().is_none() => values.len(),
            _ => n_rows,
        };
        let is_in_order = match &column {
            Cell::Object(values) if column.named().is_none() => {
                values.iter().zip(&keys).all(|(value, key)| Some(&value.0) == key.as_ref())
            }
            _ => true,
        };
        if n_values != n_rows || !is_in_order {
            return Err(Fault::NoFacts(format!(
                "it is a table by columns, and `{name}` has not the same rows as the column of \
                 subjects: {n_values} and {n_rows}"
            )));
        }
        let values = match column {
            Cell::List(values) => values,
            Cell::Object(values) if n_values > 0 && values.len() == n_rows => {
                values.into_iter().map(|(_, value)| value).collect()
            }
            // One value for all rows.
            value => vec![value; n_rows],
        };
        for (row, value) in rows.iter_mut().zip(values) {
            row.push((name.clone(), value));
        }
    }
    Ok(keys.into_iter().zip(rows).collect())
}

/// The rows of a table whose columns are named once.
fn table(names: &[String], data: &[Cell]) -> Result<Vec<Fields>, Fault> {
    let rows = data.iter().enumerate().map(|(nth, row)| match row {
        Cell::List(values) if values.len() == names.len() => {
            Ok(names.iter().cloned().zip(values.iter().cloned()).collect())
        }
        _ => Err(Fault::NoFacts(format!(
            "row {nth} does not have a value for each of the {} columns",
            names.len()
        ))),
    });
    rows.collect()
}

fn text(cell: &Cell) -> Option<String> {
    match cell {
        Cell::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// Whether a text begins as JSON does.
pub(super) fn is_json(text: &str) -> bool {
    text.trim_start_matches(|c: char| c.is_whitespace() || is_unseen(c)).starts_with(['[', '{'])
}

/// What to do about JSON that is none, where that can be told.
pub(super) fn hint(text: &str, error: &serde_json::Error) -> &'static str {
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    match line.as_bytes().get(error.column().saturating_sub(1)) {
        _ if error.is_eof() => "; it ends too early, as if it were cut off",
        Some(b'\'') => "; this is how Python prints, write it with `json.dump`",
        _ => "",
    }
}
