//! The charts of a population: maps, lines over layers, and lists of the largest.

use std::collections::BTreeSet;

use super::read::{Cell, Numbers};
use crate::analysis::{Inference, Role};
use crate::figure::number::significant;
use crate::figure::words::counted;
use crate::figure::{Chart, Lines, Map, Pick, Row, Series, Side, Table};

/// How many standard errors to either side hold 95 % of a normal distribution, rounded as in ROME.
const Z: f64 = 1.96;

/// The level below which a p-value sets a cell apart.
pub(super) const LEVEL: f64 = 0.05;

/// The column that says how many questions some facts ask, where that is fewer than the facts.
pub(super) const QUESTIONS: &str = "Questions";

/// What is known of the cells of a chart, for a group or for a difference.
pub(super) struct Found {
    pub name: String,
    pub cells: Vec<Inference>,

    /// How many facts have a value in each cell. Those that ask the same question count as one there.
    pub n_facts: Vec<usize>,

    /// Whether the cells are tested against zero, which what is never below it is not.
    pub is_tested: bool,
}

/// How the cells of a chart are laid out.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum Form {
    /// Two sides, and the place of each cell in the grid. `[row, column]`
    Map { rows: Side, columns: Side, places: Vec<[usize; 2]> },

    /// A line for each name, over layers, and the line and the layer of each cell.
    Lines { series: Vec<String>, n_layers: usize, places: Vec<[usize; 2]> },

    /// What has no such order.
    List,
}

impl Form {
    pub fn of(cells: &[Cell]) -> Self {
        let Some(layers) = cells.iter().map(|it| it.layer).collect::<Option<Vec<usize>>>() else {
            return Self::List;
        };
        let n_layers = layers.iter().max().map_or(0, |it| it + 1);
        if cells.iter().any(|it| it.other.is_some()) {
            return Self::List;
        }
        let columns = || Side::layers("Layer", n_layers);
        let names: Vec<String> = cells.iter().map(Cell::name_over_layers).collect();
        let series: Vec<String> =
            names.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let line = |name: &String| series.binary_search(name).unwrap_or(0);
        let places: Vec<[usize; 2]> =
            names.iter().zip(&layers).map(|(name, &layer)| [line(name), layer]).collect();
        let is_each_once = places.iter().collect::<BTreeSet<_>>().len() == places.len();
        if series.len() == 1 && n_layers > 1 && is_each_once {
            // One place over all layers.
            return Self::Lines { series, n_layers, places };
        }
        let roles: Option<Vec<Role>> = cells.iter().map(|it| it.role).collect();
        let heads: Option<Vec<usize>> = cells.iter().map(|it| it.head).collect();
        match (roles, heads) {
            (Some(of), None) if cells.iter().all(|it| it.head.is_none() && it.label.is_none()) => {
                let mut roles = of.clone();
                roles.sort_unstable();
                roles.dedup();
                let row = |role: &Role| roles.binary_search(role).unwrap_or(0);
                let places = of.iter().zip(&layers).map(|(role, &it)| [row(role), it]).collect();
                Self::Map { rows: Side::roles(&roles), columns: columns(), places }
            }
            (None, Some(of)) if cells.iter().all(|it| it.role.is_none()) => {
                let n_heads = of.iter().max().map_or(0, |it| it + 1);
                let places: Vec<[usize; 2]> =
                    of.iter().zip(&layers).map(|(&head, &layer)| [head, layer]).collect();
                let mut sorted = places.clone();
                sorted.sort_unstable();
                sorted.dedup();
                if sorted.len() < places.len() {
                    return Self::List;
                }
                Self::Map { rows: Side::heads(n_heads), columns: columns(), places }
            }
            _ => {
                let is_few = series.len() <= 12 && n_layers > 1;
                if is_few && is_each_once && cells.len() > series.len() {
                    Self::Lines { series, n_layers, places }
                } else {
                    Self::List
                }
            }
        }
    }
}

/// The maps of all groups in one scale, and of their difference in one of its own.
pub(super) fn maps(
    title: &str,
    found: &[Found],
    rows: &Side,
    columns: &Side,
    places: &[[usize; 2]],
) -> Vec<Chart> {
    let (n_rows, n_columns) = (rows.labels.len(), columns.labels.len());
    let nth = |[row, column]: [usize; 2]| row * n_columns + column;
    let map = |it: &Found| {
        let mut values = vec![f32::NAN; n_rows * n_columns];
        let mut details = vec![String::new(); values.len()];
        let mut set_back = vec![false; values.len()];
        for ((cell, n_facts), place) in it.cells.iter().zip(&it.n_facts).zip(places) {
            let nth = nth(*place);
            values[nth] = cell.mean as f32;
            details[nth] = detail(it, cell, *n_facts);
            set_back[nth] = it.is_tested && cell.n > 0 && !is_set_apart(cell);
        }
        let quantity = format!("Mean of {}", title.rsplit_once(", ").map_or(title, |it| it.1));
        let name = format!("{title}: {}", it.name);
        let map = Map::new(&name, rows.clone(), columns.clone(), values, &quantity);
        let map = if it.is_tested { map.diverging() } else { map };
        Map { set_back, details, missing: "no fact was counted here", ..map }
    };
    let mut maps: Vec<Map> = found.iter().map(map).collect();
    // From zero, above it or below it, or as far down as up.
    let of_groups = |map: &&mut Map| !map.name.contains(" − ");
    let all = maps.iter_mut().filter(of_groups).flat_map(|it| it.values.iter().copied());
    let (low, high) = all
        .filter(|it| it.is_finite())
        .fold((0.0_f32, 0.0_f32), |(low, high), it| (low.min(it), high.max(it)));
    let largest = if low < high { high.max(-low) } else { 1.0 };
    let range = if found.iter().all(|it| it.is_tested) {
        (-largest, largest)
    } else if low < high {
        (low, high)
    } else {
        (0.0, largest)
    };
    for map in maps.iter_mut().filter(of_groups) {
        map.range = range;
    }
    maps.into_iter().map(Chart::Map).collect()
}

fn detail(found: &Found, cell: &Inference, n_facts: usize) -> String {
    if cell.n == 0 {
        return String::new();
    }
    let number = |it: f64| significant(it as f32, 3);
    let p = if found.is_tested { format!("p {} of ", number(cell.p)) } else { String::new() };
    let questions = if cell.n < n_facts {
        format!(", which ask {}", counted(cell.n, "question"))
    } else {
        String::new()
    };
    format!(
        "95 %: {} to {} (±1.96 SE)\n95 %: {} to {} (bootstrap)\n{p}{}",
        number(cell.mean - Z * cell.error),
        number(cell.mean + Z * cell.error),
        number(cell.low),
        number(cell.high),
        counted(n_facts, "fact") + &questions,
    )
}

pub(super) fn is_set_apart(cell: &Inference) -> bool {
    cell.p < LEVEL
}

pub(super) fn lines(
    title: &str,
    numbers: &Numbers,
    found: &Found,
    names: &[String],
    n_layers: usize,
) -> Chart {
    let series = names.iter().map(|name| {
        let mut values = vec![f32::NAN; n_layers];
        let mut band = vec![(f32::NAN, f32::NAN); n_layers];
        for (cell, it) in numbers.cells.iter().zip(&found.cells) {
            if let Some(layer) = cell.layer.filter(|_| cell.name_over_layers() == *name) {
                values[layer] = it.mean as f32;
                band[layer] = (it.low as f32, it.high as f32);
            }
        }
        Series { name: name.clone(), values, band }
    });
    let quantity = format!("Mean of {}", numbers.quantity);
    Chart::Lines(Lines::new(format!("{title}: {}", found.name), quantity, "Layer", series))
}

/// The places with the largest means of each group and of the difference, and the group and the cell that
/// each row is about.
pub(super) fn listing(
    title: &str,
    numbers: &Numbers,
    found: &[Found],
    n_listed: usize,
) -> (Table, Vec<[usize; 2]>) {
    let (mut rows, mut about) = (Vec::new(), Vec::new());
    let mut is_shared = false;
    for (nth_group, group) in found.iter().enumerate() {
        let mut order: Vec<usize> =
            (0..group.cells.len()).filter(|&nth| group.cells[nth].n > 0).collect();
        order.sort_by(|&a, &b| group.cells[b].mean.abs().total_cmp(&group.cells[a].mean.abs()));
        for nth in order.into_iter().take(n_listed) {
            let (cell, it, n_facts) = (&numbers.cells[nth], &group.cells[nth], group.n_facts[nth]);
            is_shared |= it.n < n_facts;
            let values = [
                it.mean,
                it.mean - Z * it.error,
                it.mean + Z * it.error,
                it.low,
                it.high,
                if group.is_tested { it.p } else { f64::NAN },
                n_facts as f64,
                it.n as f64,
            ];
            let values = values.map(|it| crate::figure::Cell::Number(it as f32));
            let texts = [group.name.clone(), cell.name()].map(crate::figure::Cell::Text);
            let pick = Pick { layer: cell.layer, head: cell.head, position: None };
            rows.push(Row::new(texts.into_iter().chain(values)).about(pick));
            about.push([nth_group, nth]);
        }
    }
    let mut columns = vec![
        "Group",
        "Place",
        "Mean",
        "95 % low by SE",
        "95 % high by SE",
        "95 % low by bootstrap",
        "95 % high by bootstrap",
        "p",
        "Facts",
        QUESTIONS,
    ];
    if !is_shared {
        columns.pop();
        for row in &mut rows {
            row.cells.truncate(columns.len());
        }
    }
    (Table::new(format!("{title}: largest means"), columns, rows), about)
}
