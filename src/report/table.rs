//! Rows of text and numbers as a table of HTML, whose heads screen readers say with each cell.

use super::html::Html;
use crate::figure::number::brief;
use crate::figure::{Cell, Table};

/// Writes a table. `caption`: what it is of, unless that stands above it.
pub(super) fn table(html: &mut Html, table: &Table, caption: Option<&str>) {
    let is_number = |column: usize| {
        let mut cells = table.rows.iter().filter_map(|row| row.cells.get(column));
        cells.any(|cell| cell.number().is_some())
    };
    let classes: Vec<&str> =
        (0..table.columns.len()).map(|nth| if is_number(nth) { "number" } else { "" }).collect();
    let class_of = |nth: usize| classes.get(nth).copied().unwrap_or_default();
    html.open("div", &[("class", "wide")]);
    html.open("table", &[("aria-label", &table.name)]);
    if let Some(caption) = caption {
        html.element("caption", &[], caption);
    }
    html.open("thead", &[]);
    html.open("tr", &[]);
    for (nth, name) in table.columns.iter().enumerate() {
        html.element("th", &[("scope", "col"), ("class", class_of(nth))], name);
    }
    html.close("tr");
    html.close("thead");
    html.open("tbody", &[]);
    for row in &table.rows {
        html.open("tr", &[]);
        for (nth, cell) in row.cells.iter().enumerate() {
            let number = cell.number().map(brief);
            let text = cell.text().or(number).unwrap_or_default();
            let class = match cell {
                Cell::Token(_) => "token",
                Cell::Answer(_) => "token answer",
                _ => class_of(nth),
            };
            // The first column tells what a row is.
            let (tag, scope): (_, &[(&str, &str)]) =
                if nth == 0 { ("th", &[("scope", "row")]) } else { ("td", &[]) };
            html.element(tag, &[scope, &[("class", class)]].concat(), &text);
        }
        html.close("tr");
    }
    html.close("tbody");
    html.close("table");
    html.close("div");
}
