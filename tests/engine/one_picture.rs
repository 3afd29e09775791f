//! One picture of each result: every number of a figure stands alike in text, CSV, JSON and npz.

use factscope::figure::{Cell, Chart, Figure, to_csv, to_npz, to_text};
use serde_json::Value;

use super::every_analysis::results;
use super::exports::{array, unzipped};
use super::figures::looks;
use crate::support::engine;

/// Of every method, in every way of looking at it that the window has.
#[test]
fn every_number_of_every_figure_stands_alike_in_text_csv_json_and_npz() {
    let engine = engine("tiny");
    for result in results(&engine) {
        for look in looks(&engine) {
            let figure = Figure::of(&result, &look);
            let json = serde_json::to_value(&figure).unwrap();
            let csv = to_csv(&figure);
            let tables: Vec<&str> = csv.split("\n\n").collect();
            let text = to_text(&figure, 90);
            let mut rest = &*text;
            for (nth, chart) in figure.charts.iter().enumerate() {
                let what = format!("{}: {}", figure.title, chart.name());
                let numbers = numbers(chart);
                hold(&format!("JSON of {what}"), &numbers, in_json(&json["charts"][nth]));
                hold(&format!("CSV of {what}"), &numbers, in_csv(tables[nth]));
                let next = figure.charts.get(nth + 1).map(Chart::name);
                let (own, after) = section(rest, chart.name(), next);
                rest = after;
                shown(&format!("text of {what}"), &numbers, own);
            }
            let all: Vec<f32> = figure.charts.iter().flat_map(numbers).collect();
            hold(&format!("npz of {}", figure.title), &all, in_npz(&to_npz(&figure)));
            let said = words(&text);
            for line in figure.warnings.iter().chain(&figure.notes).chain([&figure.title]) {
                assert!(said.contains(&words(line)), "{line}\n{text}");
            }
        }
    }
}

/// A lost sign, a lost number and a digit too few are noticed, so the test above can fail.
#[test]
fn a_number_that_differs_is_noticed() {
    let text = "Bars\nlabel   p\nL0 H1  −0.12345\nL1 H0   0.00120\n";
    let is_noticed = |expected: &[f32], text: &str| {
        std::panic::catch_unwind(|| shown("text", expected, text)).is_err()
    };
    let numbers = [-0.123_45, 0.0012];
    assert!(!is_noticed(&numbers, text));
    assert!(is_noticed(&numbers, &text.replace('−', "")));
    assert!(is_noticed(&numbers, &text.replace("0.00120", "0.00")));
    assert!(is_noticed(&numbers, &text.replace("0.00120", "")));
    assert!(std::panic::catch_unwind(|| hold("CSV", &numbers, vec![0.123_45, 0.0012])).is_err());
}

/// All numbers that a chart shows.
pub fn numbers(chart: &Chart) -> Vec<f32> {
    let mut numbers: Vec<f32> = match chart {
        Chart::Map(map) => map.values.clone(),
        Chart::Bars(it) => it.bars.iter().map(|it| it.value).collect(),
        Chart::Waterfall(it) => {
            let bars = it.bars.bars.iter().map(|it| it.value);
            bars.chain(it.starts.iter().copied()).collect()
        }
        Chart::Lines(lines) => {
            let of = |it: &factscope::figure::Series| {
                let ends = it.band.iter().flat_map(|&(low, high)| [low, high]);
                it.values.iter().copied().chain(ends).collect::<Vec<_>>()
            };
            lines.series.iter().flat_map(of).collect()
        }
        Chart::Scatter(it) => it.points.iter().flat_map(|it| [it.x, it.y]).collect(),
        Chart::Graph(it) => it.edges.iter().map(|it| it.weight).collect(),
        Chart::Table(it) => {
            let cells = it.rows.iter().flat_map(|row| &row.cells);
            cells.filter_map(Cell::number).collect()
        }
    };
    numbers.retain(|it| it.is_finite());
    numbers
}

/// Each number is there, to the last bit, as often as it should be.
#[track_caller]
fn hold(what: &str, expected: &[f32], mut found: Vec<f32>) {
    for value in expected {
        let nth = found.iter().position(|it| it.to_bits() == value.to_bits());
        let Some(nth) = nth else { panic!("{what} lacks {value}") };
        found.swap_remove(nth);
    }
}

fn in_json(json: &Value) -> Vec<f32> {
    match json {
        Value::Number(it) => vec![it.as_f64().unwrap() as f32],
        Value::Array(all) => all.iter().flat_map(in_json).collect(),
        Value::Object(all) => all.values().flat_map(in_json).collect(),
        _ => Vec::new(),
    }
}

fn in_csv(table: &str) -> Vec<f32> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    records.iter().flatten().filter_map(|it| it.parse().ok()).collect()
}

fn in_npz(bytes: &[u8]) -> Vec<f32> {
    let mut numbers = Vec::new();
    for npy in unzipped(bytes).values() {
        let (head, data) = array(npy);
        if head.contains("'<f4'") {
            let floats = data.chunks(4).map(|it| f32::from_le_bytes(it.try_into().unwrap()));
            numbers.extend(floats);
        }
    }
    numbers
}

/// What stands between a chart's name and the next chart's, and all after it.
fn section<'a>(text: &'a str, name: &str, next: Option<&str>) -> (&'a str, &'a str) {
    let start = text.find(&format!("\n\n{name}")).expect("each chart is named");
    let text = &text[start + 2 + name.len()..];
    let end = next.and_then(|next| text.find(&format!("\n\n{next}"))).unwrap_or(text.len());
    (&text[..end], &text[end..])
}

/// Each number is printed as often as it should be: right to half of the last digit, and with two digits
/// at least.
#[track_caller]
fn shown(what: &str, expected: &[f32], text: &str) {
    let mut printed: Vec<(f64, f64)> = text.split_whitespace().filter_map(printed).collect();
    let mut expected: Vec<f64> = expected.iter().map(|&it| f64::from(it)).collect();
    expected.sort_by(f64::total_cmp);
    // Of those that a number may have become the one that is used up first.
    printed.sort_by(|a, b| (a.0 + a.1).total_cmp(&(b.0 + b.1)));
    for value in expected {
        let is_it = |(text, half): &(f64, f64)| {
            let error = (text - value).abs();
            error <= half + 1e-6 * value.abs() && error <= 0.05 * value.abs()
        };
        let Some(nth) = printed.iter().position(is_it) else {
            panic!("{what} lacks {value}:\n{text}")
        };
        printed.remove(nth);
    }
}

/// A number and half of its last digit, if a word is one.
fn printed(word: &str) -> Option<(f64, f64)> {
    let word = word.trim_matches(['[', ']', '(', ')', ',', ';', '~']).replace('−', "-");
    let (digits, exponent) = word.split_once('e').unwrap_or((&word, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let decimals = digits.split_once('.').map_or(0, |(_, decimals)| decimals.len() as i32);
    Some((word.parse().ok()?, 0.5 * 10_f64.powi(exponent - decimals)))
}

/// Without what a narrow terminal does to it.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
