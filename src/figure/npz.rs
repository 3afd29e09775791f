//! A figure's numbers as numpy's npz: arrays by name, for `numpy.load`.
//!
//! The format: numpy.lib.format (version 1.0) in a zip archive without compression.

use flate2::Crc;

use super::tidy::{Column, Values, chart_names, columns, plain_name};
use super::{Chart, Figure, Series, Side};

/// Arrays by name, one or more for each chart.
///
/// A map is `NAME` (`[rows, columns]`) with its sides beside it: `NAME.rows.layer`,
/// `NAME.columns.token`. Lines are `NAME` (`[series, layer]`) with `NAME.series`, and `NAME.low` and
/// `NAME.high` where it is said how sure they are. All else has one array per column, `NAME.COLUMN`. Title and notes are `title` and `notes`.
pub fn to_npz(figure: &Figure) -> Vec<u8> {
    let mut zip = Zip::default();
    zip.add("title", &texts(&[], std::slice::from_ref(&figure.title)));
    zip.add("notes", &texts(&[figure.notes.len()], &figure.notes));
    for (name, chart) in chart_names(figure).iter().zip(&figure.charts) {
        match chart {
            Chart::Map(map) => {
                let shape = [map.n_rows(), map.n_columns()];
                zip.add(name, &numbers(&shape, &map.values));
                for (which, side) in [("rows", &map.rows), ("columns", &map.columns)] {
                    let Side { noun, labels, .. } = side;
                    let name = format!("{name}.{which}.{}", plain_name(noun));
                    zip.add(&name, &texts(&[labels.len()], labels));
                }
                if !map.texts.is_empty() {
                    zip.add(&format!("{name}.text"), &texts(&shape, &map.texts));
                }
                if !map.estimated.is_empty() {
                    let name = format!("{name}.is_estimate");
                    zip.add(&name, &flags(&shape, &map.estimated));
                }
            }
            Chart::Lines(lines) => {
                let n_layers = lines.series.iter().map(|it| it.values.len()).max().unwrap_or(0);
                let shape = [lines.series.len(), n_layers];
                let by_layer = |value: &dyn Fn(&Series, usize) -> f32| -> Vec<f32> {
                    let of = |it| (0..n_layers).map(move |layer| value(it, layer));
                    lines.series.iter().flat_map(of).collect()
                };
                let values =
                    by_layer(&|it, layer| it.values.get(layer).copied().unwrap_or(f32::NAN));
                zip.add(name, &numbers(&shape, &values));
                if lines.has_bands() {
                    let low = by_layer(&|it, layer| it.ends(layer).0);
                    let high = by_layer(&|it, layer| it.ends(layer).1);
                    zip.add(&format!("{name}.low"), &numbers(&shape, &low));
                    zip.add(&format!("{name}.high"), &numbers(&shape, &high));
                }
                let names: Vec<String> = lines.series.iter().map(|it| it.name.clone()).collect();
                zip.add(&format!("{name}.series"), &texts(&[names.len()], &names));
            }
            Chart::Bars(_)
            | Chart::Waterfall(_)
            | Chart::Scatter(_)
            | Chart::Graph(_)
            | Chart::Table(_) => {
                for Column { name: column, values } in columns(chart) {
                    let shape = [values.len()];
                    let array = match &values {
                        Values::Numbers(it) => numbers(&shape, it),
                        Values::Texts(it) => texts(&shape, it),
                        Values::Flags(it) => flags(&shape, it),
                        Values::Places(it) => places(&shape, it),
                    };
                    zip.add(&format!("{name}.{}", plain_name(&column)), &array);
                }
            }
        }
    }
    zip.finish()
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

/// Of one width, in UTF-32.
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
