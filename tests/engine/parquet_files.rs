//! Parquet files: datasets that are read, and figures that are written, in a build that has them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use factscope::facts::{Dataset, DatasetError, RecordPlace};
use factscope::figure::{Figure, to_parquet};
use parquet::data_type::{ByteArrayType, Int64Type};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::{Field, Row};
use parquet::schema::parser::parse_message_type;

use crate::exports::{figure, waterfall};

/// The rows that a reader finds in a figure's file.
fn rows(figure: &Figure) -> Vec<Row> {
    let reader = SerializedFileReader::new(bytes::Bytes::from(to_parquet(figure))).unwrap();
    reader.get_row_iter(None).unwrap().map(Result::unwrap).collect()
}

/// Writes two facts, of which the second has no answer.
fn write_facts(path: &Path) {
    let schema = "message facts { required binary subject (UTF8); required binary object \
                  (UTF8); required binary template (UTF8); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let columns = [["France", "Peru"], ["Paris", ""], ["The capital of {} is", "{}"]];
    for values in columns {
        let values = values.map(|text| text.as_bytes().to_vec().into());
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn parquet_loads_and_half_a_file_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.parquet");
    write_facts(&path);
    let dataset = Dataset::load(&path).unwrap();
    assert_eq!(dataset.records[0].fact.prompt, "The capital of France is");
    assert_eq!(dataset.skipped[0].place, RecordPlace::Index(1));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(Dataset::load(&path), Err(DatasetError::Parquet { .. })));
}

/// Without a look at the checksum, “Oslo” would be another word.
#[test]
fn a_page_that_was_changed_after_it_was_written_is_refused() {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checked.parquet");
    let answers = |path: &Path| {
        Dataset::load(path)
            .map(|it| it.records.iter().map(|it| it.answers[0].clone()).collect::<Vec<_>>())
    };
    assert_eq!(answers(&whole).unwrap(), ["Oslo", "Cairo"]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.parquet");
    let bytes = fs::read(&whole).unwrap();
    // A page of names, and one of templates.
    for word in [&b"Oslo"[..], b"capital"] {
        let at = bytes.windows(word.len()).position(|it| it == word).unwrap();
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        fs::write(&path, &damaged).unwrap();
        let error = answers(&path).unwrap_err().to_string();
        for says in ["checksum (CRC)", "download it again", "facts.parquet"] {
            assert!(error.contains(says), "no “{says}” in: {error}");
        }
    }
}

/// Writes one row of bytes.
fn write_row(path: &Path, columns: &[(&str, &[u8])]) {
    let fields: Vec<String> =
        columns.iter().map(|(name, _)| format!("required binary {name};")).collect();
    let fields = fields.join(" ");
    let schema = Arc::new(parse_message_type(&format!("message facts {{ {fields} }}")).unwrap());
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for (_, value) in columns {
        let mut column = group.next_column().unwrap().unwrap();
        let values = [value.to_vec().into()];
        column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

#[test]
fn columns_of_the_same_name_and_bytes_that_are_no_text_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.parquet");
    let subject: (&str, &[u8]) = ("subject", b"Norway");
    let template: (&str, &[u8]) = ("template", b"The capital of {} is");
    for (objects, says) in [
        (&[("object", &b"Oslo"[..]), ("object", b"Bergen")][..], "two columns are called `object`"),
        (&[("object", b"Osl\xff")], "`object` holds bytes that are no UTF-8 text"),
    ] {
        write_row(&path, &[&[subject, template], objects].concat());
        let error = Dataset::load(&path).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    write_row(&path, &[subject, template, ("object", b"Oslo"), ("other", b"1"), ("other", b"2")]);
    assert_eq!(Dataset::load(&path).unwrap().records[0].fact.answer.as_deref(), Some("Oslo"));
}

/// As pandas and `datasets` write a column of dictionaries.
#[test]
fn facts_in_structs_are_read_where_one_column_holds_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.parquet");
    let write = |schema: &str, values: &[&str]| {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let file = fs::File::create(&path).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        for value in values {
            let mut column = group.next_column().unwrap().unwrap();
            let values = [value.as_bytes().to_vec().into()];
            column.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
    };
    let fact = "{ required binary subject (UTF8); required binary object (UTF8); }";
    let rest = "required binary template (UTF8); required binary id (UTF8);";
    write(
        &format!("message facts {{ required group fact {fact} {rest} }}"),
        &["Norway", "Oslo", "The capital of {} is", "n7"],
    );
    let dataset = Dataset::load(&path).unwrap();
    let record = &dataset.records[0];
    assert_eq!(record.fact.prompt, "The capital of Norway is");
    assert_eq!((record.fact.answer.as_deref(), &*record.id), (Some("Oslo"), "n7"));
    let reading = dataset.reading();
    assert!(reading.contains("each record is what stands in `fact`"), "{reading}");

    write(
        &format!("message facts {{ required group a {fact} required group b {fact} {rest} }}"),
        &["Norway", "Oslo", "Egypt", "Cairo", "The capital of {} is", "n7"],
    );
    let error = Dataset::load(&path).unwrap_err().to_string();
    assert!(error.contains("there are facts in the columns `a` and `b`"), "{error}");
}

/// The reader repeats some errors without end, and panics at some bytes: neither may reach the user.
#[test]
fn dates_are_read_as_people_write_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.parquet");
    for (unit, per_second) in [("MILLIS", 1_000), ("MICROS", 1_000_000)] {
        for (seconds, fraction, expected) in [
            (1_589_673_600, 0, "2020-05-17"),
            (1_589_716_800, 0, "2020-05-17 12:00:00"),
            (-86_400, 0, "1969-12-31"),
            (1_589_716_801, per_second / 2, "2020-05-17 12:00:01.5"),
        ] {
            let schema = format!(
                "message facts {{ required binary subject; required int64 object (TIMESTAMP({unit},true)); \
                 required binary template; }}"
            );
            let schema = Arc::new(parse_message_type(&schema).unwrap());
            let file = fs::File::create(&path).unwrap();
            let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
            let mut group = writer.next_row_group().unwrap();
            for text in ["Constitution Day", "", "The date of {} is"] {
                let mut column = group.next_column().unwrap().unwrap();
                if text.is_empty() {
                    let time = seconds * per_second + fraction;
                    column.typed::<Int64Type>().write_batch(&[time], None, None).unwrap();
                } else {
                    let text = [text.as_bytes().to_vec().into()];
                    column.typed::<ByteArrayType>().write_batch(&text, None, None).unwrap();
                }
                column.close().unwrap();
            }
            group.close().unwrap();
            writer.close().unwrap();
            let dataset = Dataset::load(&path).unwrap();
            let answer = dataset.records[0].fact.answer.as_deref().unwrap();
            assert!(answer.starts_with(expected), "{unit}: {answer}");
            assert!(fraction > 0 || answer == expected, "{unit}: {answer}");
        }
    }
}

#[test]
fn a_damaged_parquet_file_gives_one_error_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.parquet");
    write_facts(&path);
    let whole = fs::read(&path).unwrap();
    let mut reasons = BTreeSet::new();
    for at in 4..whole.len() {
        for mask in [0x01, 0x08, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= mask;
            fs::write(&path, &damaged).unwrap();
            if let Err(error) = Dataset::load(&path) {
                reasons.insert(error.to_string());
            }
        }
    }
    let has = |part: &str| reasons.iter().any(|it| it.contains(part));
    // UNCOMPRESSED and BROTLI are one bit apart.
    assert!(has("packed with Brotli, which this program does not read"), "{reasons:#?}");
    assert!(has("row 0"), "{reasons:#?}");
    assert!(has("needs columns for"), "{reasons:#?}");
}

#[test]
fn parquet_holds_every_number_of_every_chart() {
    let rows = rows(&figure());
    assert_eq!(rows.len(), 6 + 4 + 1);
    let cell = |row: usize, name: &str| {
        let found = rows[row].get_column_iter().find(|(it, _)| *it == name);
        found.map(|(_, field)| field.clone()).unwrap()
    };
    let text = |text: &str| Field::Str(text.to_owned());
    assert_eq!(cell(0, "chart"), text("Trace of MLPs"));
    assert_eq!(cell(3, "token"), Field::Long(1));
    assert_eq!(cell(3, "token text"), text("\u{b7}東京"));
    assert_eq!(cell(4, "layer"), Field::Long(1));
    assert_eq!(cell(4, "p"), Field::Float(1e-30));
    assert_eq!(cell(1, "p"), Field::Null);
    assert_eq!(cell(5, "is estimate"), Field::Bool(true));
    assert_eq!(cell(0, "series"), Field::Null);
    assert_eq!(cell(8, "series"), text("Foil"));
    assert_eq!(cell(8, "Logit"), Field::Float(-3.5));
    assert_eq!(cell(8, "layer"), Field::Long(0));
    assert_eq!([cell(7, "low"), cell(7, "high")], [1.5, 4.0].map(Field::Float));
    assert_eq!([cell(8, "low"), cell(0, "high")], [Field::Null, Field::Null]);
    assert_eq!(cell(10, "label"), text("L0H1"));
    assert_eq!(cell(10, "Logit"), Field::Float(0.1));
    assert_eq!(cell(10, "p"), Field::Null);
}

#[test]
fn a_waterfall_says_where_each_bar_begins_and_ends() {
    let rows = rows(&waterfall());
    for (name, values) in [("from", [0.0, 1.0, 3.0, 0.0]), ("to", [1.0, 3.0, 2.5, 2.5])] {
        let column: Vec<Field> = rows
            .iter()
            .flat_map(|row| row.get_column_iter().filter(|(it, _)| *it == name))
            .map(|(_, field)| field.clone())
            .collect();
        assert_eq!(column, values.map(Field::Float), "{name}");
    }
}

#[test]
fn a_figure_without_charts_is_a_file_all_the_same() {
    assert_eq!(rows(&Figure::default()).len(), 0);
}
