//! A figure's numbers as numpy's npz: arrays by name, for `numpy.load`.
//!
//! The format: numpy.lib.format (version 1.0) in a zip archive without compression.

use flate2::Crc;

use super::tidy::{Block, Column, Edge, Values, chart_names, plain_name, plain_names};
use super::{Chart, Figure};

/// Arrays by name, one or more for each chart.
///
/// A map is `NAME` (`[rows, columns]`) with its sides beside it: `NAME.rows.layer`,
/// `NAME.columns.token`. Lines are `NAME` (`[series, layer]`) with `NAME.series`, and `NAME.low` and
/// `NAME.high` where it is said how sure they are. All else has one array per column, `NAME.COLUMN`.
/// Title and notes are `title` and `notes`.
pub fn to_npz(figure: &Figure) -> Vec<u8> {
    let mut zip = Zip::default();
    zip.add("title", &texts(&[], std::slice::from_ref(&figure.title)));
    zip.add("notes", &texts(&[figure.notes.len()], &figure.notes));
    for (name, chart) in chart_names(figure).iter().zip(&figure.charts) {
        let Block { sides, columns } = Block::of(chart);
        let names = plain_names(columns.iter().map(|it| &*it.name));
        let Some([rows, across]) = sides else {
            for (column, Column { values, .. }) in names.iter().zip(&columns) {
                zip.add(&format!("{name}.{column}"), &array(&[values.len()], values));
            }
            continue;
        };
        let shape = [rows.labels.len(), across.labels.len()];
        for (nth, (column, Column { values, .. })) in names.iter().zip(&columns).enumerate() {
            let name = if nth == 0 { name.clone() } else { format!("{name}.{column}") };
            zip.add(&name, &array(&shape, values));
        }
        let sides = match chart {
            Chart::Lines(_) => vec![("series".to_owned(), rows)],
            _ => [("rows", rows), ("columns", across)]
                .map(|(which, side)| (format!("{which}.{}", plain_name(&side.noun)), side))
                .into(),
        };
        for (side, Edge { labels, .. }) in sides {
            zip.add(&format!("{name}.{side}"), &texts(&[labels.len()], &labels));
        }
    }
    zip.finish()
}

fn array(shape: &[usize], values: &Values) -> Vec<u8> {
    match values {
        Values::Numbers(it) => numbers(shape, it),
        Values::Texts(it) => texts(shape, it),
        Values::Flags(it) => flags(shape, it),
        Values::Places(it) => places(shape, it),
    }
}

fn numbers(shape: &[usize], values: &[f32]) -> Vec<u8> {
    npy("<f4", shape, values.iter().flat_map(|it| it.to_le_bytes()))
}

fn places(shape: &[usize], values: &[usize]) -> Vec<u8> {
    npy("<i8", shape, values.iter().flat_map(|it| (*it as u64).to_le_bytes()))
}

fn flags(shape: &[usize], values: &[bool]) -> Vec<u8> {
    npy("|b1", shape, values.iter().map(|it| u8::from(*it)))
}

/// An array of texts of one width, in UTF-32.
fn texts(shape: &[usize], values: &[String]) -> Vec<u8> {
    let width = values.iter().map(|it| it.chars().count()).max().unwrap_or(0).max(1);
    let chars = values.iter().flat_map(|it| it.chars().chain(std::iter::repeat('\0')).take(width));
    npy(&format!("<U{width}"), shape, chars.flat_map(|c| u32::from(c).to_le_bytes()))
}

fn npy(dtype: &str, shape: &[usize], data: impl Iterator<Item = u8>) -> Vec<u8> {
    let sides: Vec<String> = shape.iter().map(ToString::to_string).collect();
    // A tuple of one has a comma.
    let comma = if shape.len() == 1 { "," } else { "" };
    let sides = sides.join(", ") + comma;
    let mut head = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({sides}), }}");
    // The data begin at a multiple of 64.
    while !(10 + head.len() + 1).is_multiple_of(64) {
        head.push(' ');
    }
    head.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.bytes());
    bytes.extend(data);
    bytes
}

/// An archive whose files are stored as they are. No dates: the same figure gives the same file.
#[derive(Default)]
struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    n_files: u16,
}

impl Zip {
    fn add(&mut self, name: &str, data: &[u8]) {
        let name = format!("{name}.npy");
        let mut crc = Crc::new();
        crc.update(data);
        let start = self.bytes.len() as u32;
        let n = data.len() as u32;
        // Version 2.0, names in UTF-8, stored, 1 January 1980.
        let mut common = Vec::new();
        common.extend([20, 0, 0, 8, 0, 0, 0, 0, 0x21, 0]);
        common.extend(crc.sum().to_le_bytes());
        common.extend(n.to_le_bytes());
        common.extend(n.to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&common);
        self.bytes.extend(name.bytes());
        self.bytes.extend(data);
        self.directory.extend(b"PK\x01\x02\x14\x00");
        self.directory.extend(&common);
        self.directory.extend([0; 10]);
        self.directory.extend(start.to_le_bytes());
        self.directory.extend(name.bytes());
        self.n_files += 1;
    }

    fn finish(mut self) -> Vec<u8> {
        let start = self.bytes.len() as u32;
        self.bytes.extend(&self.directory);
        self.bytes.extend(b"PK\x05\x06\0\0\0\0");
        self.bytes.extend(self.n_files.to_le_bytes());
        self.bytes.extend(self.n_files.to_le_bytes());
        self.bytes.extend((self.directory.len() as u32).to_le_bytes());
        self.bytes.extend(start.to_le_bytes());
        self.bytes.extend([0, 0]);
        self.bytes
    }
}
