//! Tables in JSON whose columns are named once: written column by column, or with the names beside the rows.

use super::super::cell::Cell;
use super::super::columns;
use super::super::json_text::View;
use super::{Add, Fault, Held, Shared, is_table};

/// Whether an object's columns hold a value for each row: the subjects and the answers do.
pub(super) fn is_by_columns(document: View<'_>) -> bool {
    if rewrites_are_by_rows(document) {
        return true;
    }
    let is_column = |it: View<'_>| it.is_list() || it.is_object() && it.cell().named().is_none();
    let of = |is_wanted: fn(&str) -> bool| {
        document.fields().filter(move |(name, _)| is_wanted(name)).map(|(_, it)| it)
    };
    of(columns::is_subject).next().is_some_and(is_column)
        && of(columns::is_answer).any(is_column)
        // One subject in a list, which has several answers, is a record.
        && !(of(columns::is_subject).all(|it| it.is_list() && it.elements().nth(1).is_none())
            && of(columns::is_answer).any(|it| it.elements().nth(1).is_some()))
}

/// Whether a table of CounterFact has the rewrites of all rows in one column. In a record of `MQuAKE`, which has
/// several, all else is of the one record.
fn rewrites_are_by_rows(document: View<'_>) -> bool {
    let Some(rewrites) = document.get(columns::REWRITE) else { return false };
    let n_rows = rewrites.n_values();
    let known = document.fields().filter(|(name, _)| columns::is_known(name));
    let mut others = known.filter(|(name, _)| name != columns::REWRITE).peekable();
    n_rows > 0
        && others.peek().is_some()
        && !(rewrites.is_object() && is_table(rewrites))
        && rewrites.values().all(|it| it.is_object() && is_table(it))
        && others.all(|(_, it)| (it.is_list() || it.is_object()) && it.n_values() == n_rows)
}

/// The rows of a table that is written column by column, each with its key.
pub(super) fn by_columns(document: View<'_>, shared: &Shared, add: Add<'_>) -> Result<(), Fault> {
    let is_column = |it: View<'_>| it.is_list() || it.is_object() && it.cell().named().is_none();
    let is_subject = |name: &str| name == columns::REWRITE || columns::is_subject(name);
    let Some((_, subjects)) = document.fields().find(|(name, _)| is_subject(name.as_ref())) else {
        return Ok(());
    };
    let n_rows = subjects.n_values();
    let known = || document.fields().filter(|(name, _)| columns::is_known(name));
    for (name, column) in known().filter(|(_, it)| is_column(*it)) {
        let n_values = column.n_values();
        let is_in_order = !column.is_object()
            || column.fields().map(|it| it.0).eq(subjects.fields().map(|it| it.0));
        if n_values != n_rows || !is_in_order {
            let differ = if n_values == n_rows {
                "their indices differ, or the order of them".to_owned()
            } else {
                format!("{n_values} and {n_rows}")
            };
            return Err(Fault(format!(
                "it is a table by columns, and `{name}` has not the same rows as the column of \
                 subjects: {differ}"
            )));
        }
    }
    let mut columns: Vec<_> = known()
        .map(|(name, column)| {
            // What is no column is one value for all rows.
            let values = if is_column(column) { Ok(column.values()) } else { Err(column.cell()) };
            (name, values)
        })
        .collect();
    let mut keys = subjects.fields().map(|it| it.0.into_owned());
    for _ in 0..n_rows {
        let fields = columns.iter_mut().map(|(name, column)| {
            let cell = match column {
                Ok(values) => values.next().map_or(Cell::Missing, View::cell),
                Err(cell) => cell.clone(),
            };
            (name.clone().into_owned(), cell)
        });
        let fields = fields.collect();
        add(Held::new(keys.next(), fields, shared));
    }
    Ok(())
}

/// A row of a table whose columns are named once.
pub(super) fn of_row(
    nth: usize,
    row: View<'_>,
    names: &[String],
    id: Option<String>,
    shared: &Shared,
) -> Held {
    if !row.is_list() || row.elements().count() != names.len() {
        let n = names.len();
        let reason = format!("row {nth} does not have a value for each of the {n} columns");
        return Held::refused(reason, shared);
    }
    let cells = names.iter().cloned().zip(row.elements().map(View::cell));
    Held::new(id, cells.collect(), shared)
}

/// The values of a list that holds texts alone.
pub(super) fn texts(list: View<'_>) -> Option<Vec<String>> {
    list.elements().map(View::text).collect()
}
