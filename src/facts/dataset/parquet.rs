//! Facts as a Parquet file, the format of datasets on Hugging Face's hub.
//!
//! The reader may repeat an error without end, and panics at damaged pages; what comes of it here is
//! one error.

use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row as ParquetRow};
use parquet::schema::types::Type;

use super::cell::Cell;
use super::columns::{self, Row};
use super::{Entry, RecordError, RecordPlace};
use crate::quiet::quietly;

/// Rows that a file may hold, for each of its bytes and besides: a damaged count of rows must not
/// fill the memory.
const ROWS_PER_BYTE: u64 = 16;
const ROWS_BESIDES: u64 = 1 << 20;

/// What is wrong with a Parquet file.
pub(super) enum Fault {
    /// It cannot be read, for this reason.
    Damaged(String),

    /// It has no columns for facts, but these.
    Columns(Vec<String>),
}

/// Gives each record of a file to `add`, one a row.
pub(super) fn each(file: File, add: &mut dyn FnMut(Entry)) -> Result<(), Fault> {
    quietly(|| read(file, add)).unwrap_or_else(|_panic| {
        Err(Fault::Damaged(
            "one of its pages is damaged; write it anew, or save it as CSV".to_owned(),
        ))
    })
}

fn read(file: File, add: &mut dyn FnMut(Entry)) -> Result<(), Fault> {
    let damaged = |error: &dyn std::fmt::Display| Fault::Damaged(error.to_string());
    let n_bytes = file.metadata().map_err(|error| damaged(&error))?.len();
    let reader = SerializedFileReader::new(file).map_err(|error| {
        let text = error.to_string();
        let remedy = if text.contains("encrypted") {
            "write it without encryption"
        } else {
            "it is cut short or damaged, copy or download it again"
        };
        Fault::Damaged(format!("{text}; {remedy}"))
    })?;
    check_codecs(reader.metadata())?;
    let schema = reader.metadata().file_metadata().schema();
    let fields = schema.get_fields();
    let holder = holder(fields)?;
    // Pictures or embeddings beside the facts may be large, and need not be read.
    let is_read = |name: &str| columns::is_known(name) || holder.as_deref() == Some(name);
    let fields: Vec<_> = fields.iter().filter(|it| is_read(it.name())).map(Arc::clone).collect();
    // The reader would give the values of the last of them for each.
    let twice = fields
        .iter()
        .enumerate()
        .find(|(nth, it)| fields[..*nth].iter().any(|other| other.name() == it.name()));
    if let Some((_, field)) = twice {
        let name = field.name();
        return Err(Fault::Damaged(format!(
            "two columns are called `{name}`; rename the one that is not meant"
        )));
    }
    let schema = Type::group_type_builder(schema.name()).with_fields(fields).build();
    let schema = schema.map_err(|error| damaged(&error))?;
    let rows = reader.get_row_iter(Some(schema));
    let rows = rows.map_err(|error| Fault::Damaged(about_page(&error)))?;
    let holder: Option<Rc<str>> = holder.map(Into::into);

    let n_most = ROWS_BESIDES + n_bytes.saturating_mul(ROWS_PER_BYTE);
    let shared = Rc::default();
    for (nth, row) in rows.enumerate() {
        if nth as u64 >= n_most {
            return Err(Fault::Damaged(format!("it claims to hold more than {n_most} rows")));
        }
        let row =
            row.map_err(|error| Fault::Damaged(format!("row {nth}: {}", about_page(&error))))?;
        let place = RecordPlace::Index(nth);
        let id = nth.to_string();
        add(match no_text(&row) {
            None => {
                let fields = opened(fields_of(&row), holder.as_deref());
                let mut row = Row::new(place, id, fields, Rc::clone(&shared));
                row.around.clone_from(&holder);
                Ok(row)
            }
            Some(name) => {
                let reason = format!("`{name}` holds bytes that are no UTF-8 text");
                Err(RecordError { place, id, reason })
            }
        });
    }
    Ok(())
}

/// What is said of a page that cannot be read.
fn about_page(error: &ParquetError) -> String {
    let text = error.to_string();
    let what = if text.contains("CRC checksum mismatch") {
        "one of its pages was changed after it was written: its checksum (CRC) is another"
    } else {
        &text
    };
    format!("{what}; it is damaged, copy or download it again")
}

/// The column that holds the facts as structs; `None` where columns of their own hold them.
fn holder(fields: &[Arc<Type>]) -> Result<Option<String>, Fault> {
    let is_table = |fields: &[Arc<Type>]| columns::is_table(fields.iter().map(|it| it.name()));
    if is_table(fields) {
        return Ok(None);
    }
    let is_struct = |it: &Type| it.get_basic_info().converted_type() == ConvertedType::NONE;
    let holds = |it: &&Arc<Type>| it.is_group() && is_struct(it) && is_table(it.get_fields());
    let names: Vec<&str> = fields.iter().filter(holds).map(|it| it.name()).collect();
    match names[..] {
        [] => Err(Fault::Columns(fields.iter().map(|it| it.name().to_owned()).collect())),
        [name] => Ok(Some(name.to_owned())),
        _ => Err(Fault::Damaged(format!(
            "there are facts in the columns `{}`; leave the one that is meant",
            names.join("` and `")
        ))),
    }
}

/// The cells of a row, with those within the struct that holds its fact beside the others.
fn opened(fields: Vec<(String, Cell)>, holder: Option<&str>) -> Vec<(String, Cell)> {
    let (held, mut others): (Vec<_>, Vec<_>) =
        fields.into_iter().partition(|it| Some(it.0.as_str()) == holder);
    others.extend(held.into_iter().filter_map(|it| it.1.fields()).flatten());
    others
}

/// Refuses columns of facts that are packed in a way that this program does not read.
fn check_codecs(metadata: &ParquetMetaData) -> Result<(), Fault> {
    for column in metadata.row_groups().iter().flat_map(|it| it.columns()) {
        let is_known = column.column_path().parts().first().is_some_and(|it| columns::is_known(it));
        let codec = match column.compression() {
            Compression::BROTLI(_) => "Brotli",
            Compression::LZO => "LZO",
            _ => continue,
        };
        if is_known {
            return Err(Fault::Damaged(format!(
                "the column `{}` is packed with {codec}, which this program does not read; write it \
                 with Snappy, gzip, LZ4 or zstd",
                column.column_path().string()
            )));
        }
    }
    Ok(())
}

/// The first column that has bytes where a text should be.
fn no_text(row: &ParquetRow) -> Option<&str> {
    let is_none = |field: &Field| match field {
        Field::Bytes(it) => str::from_utf8(it.data()).is_err(),
        _ => false,
    };
    row.get_column_iter().find(|(_, field)| is_none(field)).map(|(name, _)| name.as_str())
}

fn fields_of(row: &ParquetRow) -> Vec<(String, Cell)> {
    row.get_column_iter().map(|(name, field)| (name.clone(), cell(field))).collect()
}

fn cell(field: &Field) -> Cell {
    match field {
        Field::Null => Cell::Missing,
        // Some writers do not mark their text columns as text.
        Field::Bytes(it) => {
            str::from_utf8(it.data()).map_or(Cell::Missing, |text| Cell::Text(text.to_owned()))
        }
        Field::Str(it) => Cell::Text(it.clone()),
        Field::Group(row) => Cell::Object(fields_of(row)),
        Field::ListInternal(list) => Cell::List(list.elements().iter().map(cell).collect()),
        Field::MapInternal(map) => {
            let fields = map.entries().iter().map(|(key, value)| {
                let key = cell(key).texts().into_iter().next().unwrap_or_default();
                (key, cell(value))
            });
            Cell::Object(fields.collect())
        }
        // Dates are times at midnight to pandas, and no fact tells the zone of the world's clock.
        time @ (Field::TimestampMillis(_) | Field::TimestampMicros(_)) => {
            let text = time.to_string();
            let text = text.strip_suffix(" +00:00").unwrap_or(&text);
            let whole = text.trim_end_matches('0').strip_suffix('.').unwrap_or(text);
            Cell::Text(whole.strip_suffix(" 00:00:00").unwrap_or(whole).to_owned())
        }
        other => {
            let text = other.to_string();
            // pandas writes whole numbers with a point where some are missing.
            Cell::Text(text.strip_suffix(".0").map_or_else(|| text.clone(), str::to_owned))
        }
    }
}
