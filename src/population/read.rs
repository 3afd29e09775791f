//! Reads the folders of a sweep: the numbers of every fact, by what they are about.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArrayType, DataType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, RowGroupReader};

use serde::Serialize;

use super::folder::{FolderError, Manifest, notes, parts};
use super::part::reading;
use crate::analysis::Role;

/// The numbers of a sweep.
#[derive(Debug)]
pub struct Population {
    pub manifest: Manifest,

    /// All facts that were asked, each way by itself, in the order of the dataset.
    pub facts: Vec<Fact>,

    /// The numbers, chart by chart.
    pub charts: Vec<Numbers>,
}

/// A fact that was asked one way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fact {
    pub record: usize,

    /// `fact` or `inverse`.
    pub direction: String,
    pub case: String,
    pub relation: Option<String>,

    /// `forward`, `inverse`, `both` or `neither`.
    pub known: String,

    /// Why it has no result.
    pub left_out: Option<String>,
    pub prompt: String,

    /// The answer that was measured. `None` where nothing was asked.
    pub answer: Option<String>,
}

impl Fact {
    /// Whether the model knows the fact the way that it is asked.
    pub fn is_known(&self) -> bool {
        let own = if self.direction == "fact" { "forward" } else { "inverse" };
        self.known == "both" || self.known == own
    }
}

/// The numbers of one quantity of a chart.
#[derive(Clone, Debug)]
pub struct Numbers {
    pub chart: String,
    pub quantity: String,

    /// What the numbers are parts or states of, where the quantity does not say it. What others are
    /// parts of stands in a chart of its own.
    pub measured: Option<String>,

    /// What the numbers are about, in order.
    pub cells: Vec<Cell>,

    /// By cell and fact; NaN where a fact has no number. Tokens of one role are averaged within a fact.
    pub values: Vec<Vec<f64>>,

    /// How many cells are left out because only one fact has them, such as the likeliest tokens.
    pub n_single: usize,
}

impl Numbers {
    /// Whether a fact has any of these numbers. `fact`: its place in the population.
    pub fn has(&self, fact: usize) -> bool {
        self.values.iter().any(|cell| !cell[fact].is_nan())
    }

    /// The numbers of some cells.
    pub(super) fn of_cells(&self, cells: &[usize]) -> Self {
        Self {
            chart: self.chart.clone(),
            quantity: self.quantity.clone(),
            measured: self.measured.clone(),
            cells: cells.iter().map(|&it| self.cells[it].clone()).collect(),
            values: cells.iter().map(|&it| self.values[it].clone()).collect(),
            n_single: self.n_single,
        }
    }
}

/// What a number is about, in any prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    pub layer: Option<usize>,
    pub role: Option<Role>,
    pub head: Option<usize>,
    pub component: Option<String>,
    pub label: Option<String>,

    /// The second of two places of one kind, in words.
    pub other: Option<String>,
}

impl Cell {
    /// Whether other facts may have the same, because it is no mere label.
    fn is_of_any(&self) -> bool {
        self.label.is_none()
    }

    /// What the cell is but for its layer, in words.
    pub fn name_over_layers(&self) -> String {
        let label = self.label.clone().filter(|_| self.component.is_none());
        Self { layer: None, label, ..self.clone() }.name()
    }

    /// The cell in words.
    pub fn name(&self) -> String {
        let layer = self.layer.map(|it| format!("L{it}"));
        let head = self.head.map(|it| format!("H{it}"));
        let label = self.label.clone();
        let label = label
            .filter(|_| self.layer.is_none() || (self.component.is_none() && self.head.is_none()));
        let component = self.component.clone();
        let parts =
            [component, layer, head, self.role.map(|it| it.to_string()), label, self.other.clone()];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "all".to_owned() } else { parts.join(" ") }
    }
}

/// What is wanted of a folder.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The charts. Empty for all.
    pub charts: Vec<String>,
}

/// The columns that are read.
struct Columns {
    record: Vec<Option<i64>>,
    case: Vec<Option<String>>,
    direction: Vec<Option<String>>,
    relation: Vec<Option<String>>,
    known: Vec<Option<String>>,
    left_out: Vec<Option<String>>,
    prompt: Vec<Option<String>>,
    answer: Vec<Option<String>>,
    chart: Vec<Option<String>>,
    quantity: Vec<Option<String>>,
    measured: Vec<Option<String>>,
    at: Places,
    other: Places,
    value: Vec<Option<f32>>,
}

struct Places {
    layer: Vec<Option<i64>>,
    head: Vec<Option<i64>>,
    component: Vec<Option<String>>,
    role: Vec<Option<String>>,
    label: Vec<Option<String>>,
    position: Vec<Option<i64>>,
}

/// The numbers so far.
#[derive(Default)]
struct Found {
    facts: Vec<Fact>,

    /// The place of each fact in the list, by its record and direction.
    places: HashMap<(usize, String), u32>,
    sums: HashMap<Name, HashMap<Cell, Vec<Sum>>>,

    /// The charts, each with the first place that it has in a fact's figure.
    order: BTreeMap<Name, usize>,
}

/// A chart, a quantity, and what that is a part of.
type Name = (String, String, Option<String>);

/// The numbers that a fact has for a cell, such as those of all its middle tokens.
struct Sum {
    /// The fact, by its place in the list.
    fact: u32,
    n: u32,
    total: f64,
}

impl Population {
    /// Reads one folder, or the shards in it.
    pub fn load(dir: &Path, wanted: &Wanted) -> Result<Self, FolderError> {
        let folders = folders(dir)?;
        let manifest = Manifest::load(&folders[0])?;
        let mut found = Found::default();
        for folder in &folders {
            let other = Manifest::load(folder)?;
            if let Some(what) = manifest.of_all().difference(&other.of_all()) {
                return Err(FolderError::Other { what, path: folder.clone() });
            }
            for part in parts(folder)? {
                other.check(&part)?;
                let read = reading(&part, |reader| {
                    for group in 0..reader.num_row_groups() {
                        found.add(&Columns::read(&*reader.get_row_group(group)?)?, wanted);
                    }
                    Ok(())
                });
                read.map_err(|error| FolderError::Part {
                    path: part.clone(),
                    reason: error.to_string(),
                })?;
            }
        }
        Ok(found.population(manifest))
    }
}

/// The size of all parts of a sweep, in bytes: it grows with every part.
pub fn sweep_bytes(dir: &Path) -> Result<u64, FolderError> {
    let mut n_bytes = 0;
    for folder in folders(dir)? {
        for part in parts(&folder)? {
            let size = std::fs::metadata(&part).map(|it| it.len());
            n_bytes += size.map_err(|source| FolderError::Io { path: part, source })?;
        }
    }
    Ok(n_bytes)
}

/// What a sweep asks, and the ids of its facts that have a result, whichever way they were asked.
pub fn cases_of(dir: &Path) -> Result<(Manifest, BTreeSet<String>), FolderError> {
    let mut cases = BTreeSet::new();
    for folder in folders(dir)? {
        for part in parts(&folder)? {
            let asked = notes(&part)?.into_iter().filter(|it| it.left_out.is_none());
            cases.extend(asked.map(|it| it.case));
        }
    }
    Ok((Manifest::of_any(dir)?, cases))
}

/// Whether a folder is that of a sweep, or holds those of its shards.
pub fn is_sweep(dir: &Path) -> bool {
    folders(dir).is_ok()
}

/// The folder itself, or the folders of shards in it.
pub(super) fn folders(dir: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let error = match Manifest::load(dir) {
        Ok(_) => return Ok(vec![dir.to_owned()]),
        Err(error @ FolderError::NoSweep { .. }) => error,
        Err(error) => return Err(error),
    };
    let entries = std::fs::read_dir(dir)
        .map_err(|source| FolderError::Io { path: dir.to_owned(), source })?;
    let mut shards: Vec<PathBuf> = entries.flatten().map(|it| it.path()).collect();
    shards.retain(|it| it.join(Manifest::FILE).exists());
    shards.sort();
    if shards.is_empty() { Err(error) } else { Ok(shards) }
}

impl Found {
    fn add(&mut self, columns: &Columns, wanted: &Wanted) {
        let mut last: Option<(usize, &str, u32)> = None;
        let mut nth = 0;
        for row in 0..columns.record.len() {
            let Some(record) = columns.record[row] else { continue };
            let record = record as usize;
            let direction = columns.direction[row].as_deref().unwrap_or_default();
            let fact = match last {
                Some((r, d, fact)) if (r, d) == (record, direction) => fact,
                _ => {
                    nth = 0;
                    self.fact(record, direction, columns, row)
                }
            };
            nth += 1;
            last = Some((record, direction, fact));
            let (Some(chart), Some(quantity)) = (&columns.chart[row], &columns.quantity[row])
            else {
                continue;
            };
            let is_wanted = match wanted.charts.as_slice() {
                [] => true,
                named => named.contains(chart),
            };
            let Some(value) = columns.value[row].filter(|_| is_wanted) else { continue };
            let name = (chart.clone(), quantity.clone(), columns.measured[row].clone());
            match self.order.get_mut(&name) {
                Some(first) => *first = nth.min(*first),
                None => _ = self.order.insert(name.clone(), nth),
            }
            let cell = self.sums.entry(name).or_default().entry(columns.cell(row)).or_default();
            // The rows of a fact stand together.
            match cell.last_mut().filter(|it| it.fact == fact) {
                Some(own) => {
                    own.total += f64::from(value);
                    own.n += 1;
                }
                None => cell.push(Sum { fact, n: 1, total: f64::from(value) }),
            }
        }
    }

    fn fact(&mut self, record: usize, direction: &str, columns: &Columns, row: usize) -> u32 {
        let next = self.facts.len() as u32;
        let place = *self.places.entry((record, direction.to_owned())).or_insert(next);
        if place == next {
            let text = |column: &[Option<String>]| column[row].clone();
            self.facts.push(Fact {
                record,
                direction: direction.to_owned(),
                case: text(&columns.case).unwrap_or_default(),
                relation: text(&columns.relation),
                known: text(&columns.known).unwrap_or_default(),
                left_out: text(&columns.left_out),
                prompt: text(&columns.prompt).unwrap_or_default(),
                answer: text(&columns.answer),
            });
        }
        place
    }

    fn population(self, manifest: Manifest) -> Population {
        let Self { facts, mut sums, order, .. } = self;
        // In the order of the dataset, whatever the order of the parts.
        let mut sorted: Vec<usize> = (0..facts.len()).collect();
        sorted.sort_by(|&a, &b| facts[a].cmp(&facts[b]));
        let mut places = vec![0; facts.len()];
        for (place, &fact) in sorted.iter().enumerate() {
            places[fact] = place;
        }
        let mut numbers = |name: Name| {
            let found = sums.remove(&name).unwrap_or_default();
            let n_found = found.len();
            let mut cells: Vec<(Cell, Vec<Sum>)> =
                found.into_iter().filter(|(cell, it)| it.len() > 1 || cell.is_of_any()).collect();
            cells.sort_by(|a, b| a.0.cmp(&b.0));
            let n_single = n_found - cells.len();
            let dense = |sums: &Vec<Sum>| {
                let mut values = vec![f64::NAN; facts.len()];
                for it in sums {
                    values[places[it.fact as usize]] = it.total / f64::from(it.n);
                }
                values
            };
            let values = cells.iter().map(|it| dense(&it.1)).collect();
            let cells = cells.into_iter().map(|it| it.0).collect();
            let (chart, quantity, measured) = name;
            Numbers { chart, quantity, measured, cells, values, n_single }
        };
        let mut order: Vec<(Name, usize)> = order.into_iter().collect();
        order.sort_by_key(|it| it.1);
        let charts = order.into_iter().map(|it| numbers(it.0)).collect();
        let facts = sorted.into_iter().map(|nth| facts[nth].clone()).collect();
        Population { manifest, facts, charts }
    }
}

impl Columns {
    fn read(group: &dyn RowGroupReader) -> Result<Self, ParquetError> {
        let places = |suffix: &str| {
            let named = |name: &str| format!("{name}{suffix}");
            Ok::<_, ParquetError>(Places {
                layer: read::<Int64Type>(group, &named("layer"))?,
                head: read::<Int64Type>(group, &named("head"))?,
                component: texts(group, &named("component"))?,
                role: texts(group, &named("role"))?,
                label: texts(group, &named("label"))?,
                position: read::<Int64Type>(group, &named("position"))?,
            })
        };
        Ok(Self {
            record: read::<Int64Type>(group, "record")?,
            case: texts(group, "case")?,
            direction: texts(group, "direction")?,
            relation: texts(group, "relation")?,
            known: texts(group, "known")?,
            left_out: texts(group, "left_out")?,
            prompt: texts(group, "prompt")?,
            answer: texts(group, "answer")?,
            chart: texts(group, "chart")?,
            quantity: texts(group, "quantity")?,
            measured: texts(group, "measured")?,
            at: places("")?,
            other: places("_2")?,
            value: read::<FloatType>(group, "value")?,
        })
    }

    /// What a row is about.
    fn cell(&self, row: usize) -> Cell {
        let at = self.at.cell(row);
        let other = self.other.cell(row);
        let is_there = other != Cell::default();
        Cell { other: is_there.then(|| format!("→ {}", other.name())), ..at }
    }
}

impl Places {
    fn cell(&self, row: usize) -> Cell {
        let place = |column: &[Option<i64>]| column[row].map(|it| it as usize);
        let role = self.role[row].as_deref().and_then(Role::named);
        // A token without a role is only a position.
        let position = self.position[row].filter(|_| role.is_none());
        let label = self.label[row].clone().or_else(|| position.map(|it| format!("token {it}")));
        Cell {
            layer: place(&self.layer),
            role,
            head: place(&self.head),
            component: self.component[row].clone(),
            label,
            other: None,
        }
    }
}

/// A column of a row group, with a value or none for each row.
pub(super) fn read<T: DataType>(
    group: &dyn RowGroupReader,
    name: &str,
) -> Result<Vec<Option<T::T>>, ParquetError> {
    let metadata = group.metadata();
    let place = metadata.columns().iter().position(|it| it.column_path().string() == name);
    let place = place.ok_or_else(|| ParquetError::General(format!("it has no column `{name}`")))?;
    if metadata.column(place).column_type() != T::get_physical_type() {
        return Err(ParquetError::General(format!("its column `{name}` is of another type")));
    }
    let n_rows = metadata.num_rows() as usize;
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(place)?);
    let (mut there, mut values) = (Vec::with_capacity(n_rows), Vec::new());
    while there.len() < n_rows {
        let left = n_rows - there.len();
        let (n_read, ..) = reader.read_records(left, Some(&mut there), None, &mut values)?;
        if n_read == 0 {
            return Err(ParquetError::General(format!("its column `{name}` is too short")));
        }
    }
    let mut values = values.into_iter();
    Ok(there.iter().map(|it| if *it == 1 { values.next() } else { None }).collect())
}

fn texts(group: &dyn RowGroupReader, name: &str) -> Result<Vec<Option<String>>, ParquetError> {
    let cells = read::<ByteArrayType>(group, name)?;
    let text = |it: parquet::data_type::ByteArray| {
        let text = it.as_utf8()?.to_owned();
        Ok::<_, ParquetError>(text)
    };
    cells.into_iter().map(|it| it.map(text).transpose()).collect()
}
