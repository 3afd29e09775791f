//! A figure as aligned text: every number of every chart, for a terminal.

use std::fmt::Write as _;

use super::tidy::{Block, Column, Values};
use super::{Chart, Figure, Side, number};

/// What stands between two columns.
const GAP: &str = "  ";

/// The length of the longest bar of a list, in characters.
const BAR: f32 = 24.0;

/// Title, text, charts, warnings and notes. What is wider than `width` characters goes on below; a single
/// column is never broken.
///
/// A number has five digits at the largest value of its column, and two where it is much smaller. `~`
/// follows an estimate, `°` what is set back, `–` stands for no number, and a star before a label is explained by the notes.
pub fn to_text(figure: &Figure, width: usize) -> String {
    let mut text = format!("{}\n", figure.title);
    if !figure.text.is_empty() {
        text.push('\n');
        wrap(&mut text, &figure.text, width);
    }
    for it in &figure.charts {
        text.push('\n');
        text.push_str(&chart(it, width));
    }
    if !(figure.warnings.is_empty() && figure.notes.is_empty()) {
        text.push('\n');
    }
    for warning in &figure.warnings {
        wrap(&mut text, &format!("Warning: {warning}"), width);
    }
    for note in &figure.notes {
        wrap(&mut text, note, width);
    }
    text
}

fn chart(chart: &Chart, width: usize) -> String {
    let block = Block::of(chart);
    match chart {
        Chart::Map(map) => grid(&map.name, &block, [&map.rows, &map.columns], width),
        Chart::Lines(lines) => {
            let side = Side::named("", "", Vec::new());
            grid(&lines.name, &block, [&side, &side], width)
        }
        Chart::Bars(bars) => {
            let values: Vec<f32> = bars.bars.iter().map(|it| it.value).collect();
            let sheet = Sheet::of_list(&block).with_bars(&values);
            format!("{}\n{}", bars.name, sheet.print(width))
        }
        Chart::Scatter(_) => {
            format!("{}\n{}", chart.name(), Sheet::of_list(&block).print_beside(width))
        }
        Chart::Waterfall(_) | Chart::Graph(_) | Chart::Table(_) => {
            format!("{}\n{}", chart.name(), Sheet::of_list(&block).print(width))
        }
    }
}

/// A map, or lines by layer: one row for each row, all columns across.
fn grid(name: &str, block: &Block, marked: [&Side; 2], width: usize) -> String {
    let (Some([rows, across]), Some(value)) = (&block.sides, block.columns.first()) else {
        return String::new();
    };
    let labels = |nth: usize, labels: &[String]| -> Vec<String> {
        let side = marked[nth];
        let label = |(at, label): (usize, &String)| {
            let star = if side.marked.contains(&at) { "*" } else { "" };
            let place = if side.is_tokens { format!("{at} ") } else { String::new() };
            format!("{star}{place}{label}")
        };
        labels.iter().enumerate().map(label).collect()
    };
    let cells = cells(&block.columns);
    let n_columns = across.labels.len();
    let column = |(nth, head): (usize, String)| {
        let cells = cells.iter().skip(nth).step_by(n_columns.max(1)).cloned().collect();
        SheetColumn { head, cells, is_number: true }
    };
    let first =
        SheetColumn { head: rows.title.clone(), cells: labels(0, &rows.labels), is_number: false };
    let heads = labels(1, &across.labels).into_iter().enumerate();
    let sheet = Sheet { columns: [first].into_iter().chain(heads.map(column)).collect() };
    let mut text = format!("{name}: {}\n", value.name);
    wrap(&mut text, &largest(block, &cells), width);
    let indent = " ".repeat(sheet.columns[0].width());
    _ = writeln!(text, "{indent}{GAP}{} →", across.title);
    text.push_str(&sheet.print(width));
    text
}

/// How many of the largest values of a grid are named before it.
const N_LARGEST: usize = 5;

/// Where the largest values of a grid are, whichever way they go.
fn largest(block: &Block, cells: &[String]) -> String {
    let (Some([rows, across]), Some(Column { values: Values::Numbers(values), .. })) =
        (&block.sides, block.columns.first())
    else {
        return String::new();
    };
    let mut places: Vec<usize> = (0..values.len()).filter(|&nth| values[nth].is_finite()).collect();
    places.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()));
    let place = |&nth: &usize| {
        let (row, column) = (nth / across.labels.len(), nth % across.labels.len());
        let [row, column] = [rows.name(row), across.name(column)];
        format!("{} at {row}, {column}", cells[nth].trim())
    };
    let places: Vec<String> = places.iter().take(N_LARGEST).map(place).collect();
    format!("Largest: {}\n", places.join("; "))
}

/// One text for each place: the first column's number, with what the others say of it.
fn cells(columns: &[Column]) -> Vec<String> {
    let Some((first, more)) = columns.split_first() else { return Vec::new() };
    let mut cells = first.values.texts();
    let ends: Vec<&Column> =
        more.iter().filter(|it| matches!(it.values, Values::Numbers(_))).collect();
    if let [low, high] = ends[..] {
        let ends = low.values.texts().into_iter().zip(high.values.texts());
        for (cell, (low, high)) in cells.iter_mut().zip(ends) {
            if low != number::NONE || high != number::NONE {
                _ = write!(cell, " [{low}, {high}]");
            }
        }
    }
    for column in more {
        match &column.values {
            Values::Flags(flags) if flags.contains(&true) => {
                let mark = if column.name == "is set back" { '°' } else { '~' };
                for (cell, is_marked) in cells.iter_mut().zip(flags) {
                    let is_marked = *is_marked && cell != number::NONE;
                    cell.push(if is_marked { mark } else { ' ' });
                }
            }
            Values::Texts(texts) => {
                for (cell, text) in cells.iter_mut().zip(texts) {
                    _ = write!(cell, " {text}");
                }
            }
            Values::Flags(_) | Values::Numbers(_) | Values::Places(_) => {}
        }
    }
    cells
}

impl Values {
    fn texts(&self) -> Vec<String> {
        match self {
            Self::Places(it) => it.iter().map(usize::to_string).collect(),
            Self::Numbers(it) => number::column(it),
            Self::Texts(it) => it.clone(),
            Self::Flags(it) => it.iter().map(bool::to_string).collect(),
        }
    }
}

/// Columns of text that are printed beside each other.
struct Sheet {
    columns: Vec<SheetColumn>,
}

struct SheetColumn {
    head: String,
    cells: Vec<String>,

    /// Numbers stand at the right, text at the left.
    is_number: bool,
}

impl Sheet {
    fn of_list(block: &Block) -> Self {
        let column = |it: &Column| SheetColumn {
            head: it.name.clone(),
            cells: it.values.texts(),
            is_number: matches!(it.values, Values::Numbers(_) | Values::Places(_)),
        };
        Self { columns: block.columns.iter().map(column).collect() }
    }

    /// The sheet with a bar for each number: filled above zero, hollow below.
    fn with_bars(mut self, values: &[f32]) -> Self {
        let finite = values.iter().filter(|it| it.is_finite());
        let largest = finite.fold(0.0_f32, |a, b| a.max(b.abs())).max(f32::MIN_POSITIVE);
        let bar = |value: &f32| {
            let n = if value.is_finite() { (value.abs() / largest * BAR).round() } else { 0.0 };
            (if *value < 0.0 { "░" } else { "█" }).repeat(n as usize)
        };
        let cells = values.iter().map(bar).collect();
        self.columns.push(SheetColumn { head: String::new(), cells, is_number: false });
        self
    }

    /// The first column again before each part that goes on below.
    fn print(&self, width: usize) -> String {
        let Some((first, mut rest)) = self.columns.split_first() else { return String::new() };
        let mut text = String::new();
        loop {
            let mut total = first.width();
            let fits = |it: &&SheetColumn| {
                total += GAP.len() + it.width();
                total <= width
            };
            let n = rest.iter().take_while(fits).count().max(1).min(rest.len());
            let part: Vec<&SheetColumn> = std::iter::once(first).chain(&rest[..n]).collect();
            for line in lines(&part) {
                text.push_str(line.trim_end());
                text.push('\n');
            }
            rest = &rest[n..];
            if rest.is_empty() {
                return text;
            }
            text.push('\n');
        }
    }

    /// Prints as many rows beside each other as there is room for.
    fn print_beside(&self, width: usize) -> String {
        let all: Vec<&SheetColumn> = self.columns.iter().collect();
        let lines = lines(&all);
        let Some((head, lines)) = lines.split_first() else { return String::new() };
        let own = head.chars().count() + 2 * GAP.len();
        let n_beside = ((width + 2 * GAP.len()) / own.max(1)).clamp(1, lines.len().max(1));
        let n_rows = lines.len().div_ceil(n_beside);
        let heads = vec![head; lines.len().div_ceil(n_rows.max(1))];
        let rows = (0..n_rows).map(|row| lines.iter().skip(row).step_by(n_rows).collect());
        let mut text = String::new();
        for row in std::iter::once(heads).chain(rows) {
            let row: Vec<&str> = row.into_iter().map(|it| &**it).collect();
            _ = writeln!(text, "{}", row.join(&GAP.repeat(2)).trim_end());
        }
        text
    }
}

impl SheetColumn {
    fn width(&self) -> usize {
        let widths = self.cells.iter().chain([&self.head]).map(|it| it.chars().count());
        widths.max().unwrap_or(0)
    }
}

/// The head, then each row.
fn lines(columns: &[&SheetColumn]) -> Vec<String> {
    let n_rows = columns.iter().map(|it| it.cells.len()).max().unwrap_or(0);
    let line = |cell: &dyn Fn(&SheetColumn) -> String| {
        let padded = columns.iter().map(|it| {
            let (cell, width) = (cell(it), it.width());
            if it.is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        padded.collect::<Vec<_>>().join(GAP)
    };
    let head = line(&|it| it.head.clone());
    let rows = (0..n_rows).map(|nth| line(&|it| it.cells.get(nth).cloned().unwrap_or_default()));
    std::iter::once(head).chain(rows).collect()
}

/// Words up to the width; what goes on below is set in. No line ends with a space.
fn wrap(text: &mut String, words: &str, width: usize) {
    for line in words.lines() {
        let (mut length, mut is_start) = (0, true);
        for word in line.split(' ') {
            let n = word.chars().count();
            if !is_start && length + 1 + n > width {
                text.truncate(text.trim_end_matches(' ').len());
                text.push_str("\n  ");
                (length, is_start) = (2, true);
            }
            if is_start && word.is_empty() {
                continue;
            }
            if !is_start {
                text.push(' ');
                length += 1;
            }
            text.push_str(word);
            length += n;
            is_start = false;
        }
        text.push('\n');
    }
}
