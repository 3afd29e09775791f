//! Facts as a Parquet file, the format of datasets on Hugging Face's hub.

use std::fs::File;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::{Field, Row};
use serde_json::{Map, Value, json};

/// The rows as JSON objects, keyed by column.
pub(super) fn rows(file: File) -> Result<Vec<Result<Value, String>>, ParquetError> {
    let reader = SerializedFileReader::new(file)?;
    let rows = reader.get_row_iter(None)?;
    Ok(rows.map(|row| row.map(|row| object(&row)).map_err(|error| error.to_string())).collect())
}

fn object(row: &Row) -> Value {
    let fields = row.get_column_iter().map(|(name, field)| (name.clone(), value(field)));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn value(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(it) => json!(it),
        Field::Byte(it) => json!(it),
        Field::Short(it) => json!(it),
        Field::Int(it) => json!(it),
        Field::Long(it) => json!(it),
        Field::UByte(it) => json!(it),
        Field::UShort(it) => json!(it),
        Field::UInt(it) => json!(it),
        Field::ULong(it) => json!(it),
        Field::Float(it) => json!(it),
        Field::Double(it) => json!(it),
        Field::Str(it) => json!(it),
        // Some writers do not mark their text columns as text.
        Field::Bytes(it) => json!(String::from_utf8_lossy(it.data())),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        other => json!(other.to_string()),
    }
}
