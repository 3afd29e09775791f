//! Tables in JSON that lie on their side.

use std::borrow::Cow;

use super::super::columns;
use super::super::json_text::View;
use super::{Fault, N_SAMPLED, is_table};

/// What is said of such a table.
pub(super) const TURNED: &str = "its rows are named as its columns should be: turn it, in pandas with `df.T`, and write it with \
                      `to_json(path, orient=\"records\")`";

/// Refuses rows that begin with the names that columns should have: lists, or objects whose first field holds
/// the name.
pub(super) fn refuse_turned<'a>(rows: impl Iterator<Item = View<'a>>) -> Result<(), Fault> {
    let rows: Vec<View<'_>> = rows.take(N_SAMPLED).collect();
    let names = rows.iter().filter_map(|row| row.values().next()?.text());
    // Beside a name, a list of columns says something else, such as a type.
    let is_row = |row: &View<'_>| {
        let mut names = row.fields().map(|it| it.0);
        let first = names.next();
        let is_number = |it: Cow<'_, str>| it.parse::<usize>().is_ok();
        row.is_list()
            || row.is_object()
                && !is_table(*row)
                && (first.is_some_and(|it| it == "index") || names.all(is_number))
    };
    if rows.iter().all(is_row) && columns::is_table(names) {
        return Err(Fault(TURNED.to_owned()));
    }
    Ok(())
}

/// Whether a table by columns lies on its side: its first column has the names.
pub(super) fn is_turned_by_columns(document: View<'_>) -> bool {
    let is_column = |it: View<'_>| it.is_list() || it.is_object();
    let mut columns = document.fields().map(|it| it.1);
    let Some(first) = columns.next().filter(|it| is_column(*it)) else { return false };
    let n = first.n_values();
    let mut columns = columns.take(N_SAMPLED).peekable();
    let is_of_texts = |it: View<'_>| it.values().all(|it| it.is_missing() || it.text().is_some());
    n <= N_SAMPLED
        && columns::is_table(first.values().filter_map(View::text))
        && columns.peek().is_some()
        && columns.all(|it| is_column(it) && it.n_values() == n && is_of_texts(it))
}
