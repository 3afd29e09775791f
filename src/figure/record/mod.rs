//! The record that a picture carries beside what it shows: what was asked, of which model, and the
//! numbers, so that whoever has the file can compute them anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::tidy::{Block, Values};
use super::together::behind;
use super::{Figure, Looked, program};

mod carried;
mod comparing;

pub use carried::{Drawing, NoRecord, carried};
pub(super) use carried::{PDF_NAME, in_png, in_svg};
pub use comparing::{Compared, Difference};

/// What a figure is of. Two figures with the same record and the same program show the same numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// `factscope 0.1.0`.
    pub program: String,

    /// The model's name and the SHA-256 of each of its weight files.
    pub model: String,
    pub weights_sha256: BTreeMap<String, String>,

    /// The device that computed.
    pub device: String,

    /// What was asked, as `factscope run` reads it.
    pub experiment: Value,

    /// How the result is looked at.
    pub look: Looked,

    /// The charts of the picture.
    #[serde(default)]
    pub charts: Vec<Numbers>,

    /// SHA-256 of the file without this record, and of this record without this hash, so that a picture
    /// that was retouched is told. Earlier builds wrote that of the file without the record alone.
    #[serde(default)]
    pub drawing_sha256: String,

    /// On a page with several results, the name that the charts of this one stand behind. Empty on a page
    /// of its own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub row: String,

    /// The other results on the page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Self>,
}

/// The numbers of a chart, a line for each, or for each row of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// The chart's name.
    pub chart: String,

    /// Whether the lines are a set, whose order says nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_set: bool,

    /// What the numbers of a line are of, by the name of the column.
    places: Vec<(String, Vec<String>)>,

    /// The numbers, by the name of the column; `null` where there is none.
    values: Vec<(String, Vec<Option<f32>>)>,
}

impl Record {
    /// Of a result, without its numbers, which are those of the charts that are written. `experiment`: as
    /// `factscope run` reads it.
    pub fn new(
        model: &str,
        weights_sha256: BTreeMap<String, String>,
        device: &str,
        experiment: Value,
        look: Looked,
    ) -> Self {
        Self {
            program: program(),
            model: model.to_owned(),
            weights_sha256,
            device: device.to_owned(),
            experiment,
            look,
            charts: Vec::new(),
            drawing_sha256: String::new(),
            row: String::new(),
            others: Vec::new(),
        }
    }

    /// The record of the figures of several results, as [`Figure::together`] puts them on one page: the
    /// first result's, which holds the others'. `None` where one of the figures has no record.
    pub fn together(records: &[(String, Option<Arc<Self>>)]) -> Option<Self> {
        let named = |(row, record): &(String, Option<Arc<Self>>)| {
            Some(Self { row: row.clone(), ..Self::clone(record.as_ref()?) })
        };
        let mut all = records.iter().map(named).collect::<Option<Vec<_>>>()?.into_iter();
        let first = all.next()?;
        Some(Self { others: all.collect(), ..first })
    }

    /// This record with the numbers that a figure shows.
    #[must_use]
    pub(super) fn of(&self, figure: &Figure) -> Self {
        let mut charts = numbers_of(figure);
        if !self.row.is_empty() {
            // The figure of one result does not name its row.
            let before = behind(&self.row, "");
            charts.retain_mut(|it| {
                let own = it.chart.strip_prefix(&before).map(str::to_owned);
                it.chart = own.clone().unwrap_or_default();
                own.is_some()
            });
        }
        // One chart alone may be taken from the page.
        let others = self.others.iter().map(|it| it.of(figure)).filter(|it| !it.charts.is_empty());
        let others = others.collect();
        Self { charts, others, ..self.clone() }
    }

    /// This record as JSON, to be put into the file of a drawing.
    pub(super) fn beside(&self, drawing: &[u8]) -> String {
        let json = |drawing_sha256| {
            let record = Self { drawing_sha256, ..self.clone() };
            in_ascii(&serde_json::to_string(&record).expect("a record is numbers and text"))
        };
        json(sha256(&[drawing, json(String::new()).as_bytes()]))
    }

    /// Whether a file, its drawing and what it carries, is as it was written.
    pub fn is_of(&self, drawing: &Drawing) -> bool {
        let is_of_drawing = self.drawing_sha256 == sha256(&[&drawing.bytes]);
        drawing.is_put_together && (is_of_drawing || self.is_held_by(drawing))
    }

    /// Whether the hash is of the record too, and so of which charts it has. Pictures of earlier builds have
    /// a hash of the drawing alone.
    pub fn is_held_by(&self, drawing: &Drawing) -> bool {
        let written = |hash: &str| format!("\"drawing_sha256\":\"{hash}\"");
        let json = drawing.json.replace(&written(&self.drawing_sha256), &written(""));
        self.drawing_sha256 == sha256(&[&drawing.bytes, json.as_bytes()])
    }
}

/// Of texts or bytes, one behind the other.
fn sha256(bytes: &[&[u8]]) -> String {
    let mut hex = String::new();
    let hasher = bytes.iter().fold(Sha256::new(), |hasher, it| hasher.chain_update(it));
    for byte in hasher.finalize() {
        _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn numbers_of(figure: &Figure) -> Vec<Numbers> {
    let numbers = |chart: &super::Chart| {
        let (mut places, mut values) = (Vec::new(), Vec::new());
        for column in Block::of(chart).lines() {
            let name = column.name;
            match column.values {
                Values::Numbers(it) => {
                    let it = it.into_iter().map(|it| Some(it).filter(|it| it.is_finite()));
                    values.push((name, it.collect()));
                }
                Values::Places(it) => places.push((name, texts(&it))),
                Values::Flags(it) => places.push((name, texts(&it))),
                Values::Texts(it) => places.push((name, it)),
            }
        }
        let is_set = matches!(chart, super::Chart::Scatter(it) if it.is_set);
        Numbers { chart: chart.name().to_owned(), is_set, places, values }
    };
    figure.charts.iter().map(numbers).collect()
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(T::to_string).collect()
}

/// JSON with its other characters spelled out: XML cannot hold all that prompts can.
fn in_ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}
