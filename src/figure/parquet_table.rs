//! A figure's numbers as one Parquet table: those of the CSV, with the chart's name before each
//! line. What a chart has no column for is null.

use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::Figure;
use super::tidy::{Column, Values, columns};

/// # Panics
///
/// Never: memory can be written to, and each column holds values of its own type.
pub fn to_parquet(figure: &Figure) -> Vec<u8> {
    write(figure).expect("a table of numbers and text can be written to memory")
}

/// A column of all charts: by line, nothing where the line's chart has none.
struct Joined {
    name: String,
    kind: Physical,
    values: JoinedValues,
}

enum JoinedValues {
    Numbers(Vec<Option<f32>>),
    Texts(Vec<Option<ByteArray>>),
    Flags(Vec<Option<bool>>),
    Places(Vec<Option<i64>>),
}

fn write(figure: &Figure) -> Result<Vec<u8>, ParquetError> {
    let joined = joined(figure);
    let fields = joined.iter().map(|it| {
        let kind = match it.kind {
            Physical::BYTE_ARRAY => ConvertedType::UTF8,
            _ => ConvertedType::NONE,
        };
        Type::primitive_type_builder(&it.name, it.kind)
            .with_repetition(Repetition::OPTIONAL)
            .with_converted_type(kind)
            .build()
            .map(Arc::new)
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    let schema = Arc::new(Type::group_type_builder("figure").with_fields(fields).build()?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default())?;
    let mut group = writer.next_row_group()?;
    for it in &joined {
        let Some(mut column) = group.next_column()? else { break };
        write_column(&mut column, &it.values)?;
        column.close()?;
    }
    group.close()?;
    writer.into_inner()
}

fn write_column(
    column: &mut SerializedColumnWriter<'_>,
    values: &JoinedValues,
) -> Result<(), ParquetError> {
    fn split<T: Clone>(values: &[Option<T>]) -> (Vec<T>, Vec<i16>) {
        let levels = values.iter().map(|it| i16::from(it.is_some())).collect();
        (values.iter().flatten().cloned().collect(), levels)
    }
    match values {
        JoinedValues::Numbers(it) => {
            let (values, levels) = split(it);
            column.typed::<FloatType>().write_batch(&values, Some(&levels), None)?;
        }
        JoinedValues::Texts(it) => {
            let (values, levels) = split(it);
            column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None)?;
        }
        JoinedValues::Flags(it) => {
            let (values, levels) = split(it);
            column.typed::<BoolType>().write_batch(&values, Some(&levels), None)?;
        }
        JoinedValues::Places(it) => {
            let (values, levels) = split(it);
            column.typed::<Int64Type>().write_batch(&values, Some(&levels), None)?;
        }
    }
    Ok(())
}

fn joined(figure: &Figure) -> Vec<Joined> {
    let charts: Vec<Vec<Column>> = figure.charts.iter().map(columns).collect();
    let n_lines: Vec<usize> =
        charts.iter().map(|it| it.first().map_or(0, |it| it.values.len())).collect();
    let names = figure.charts.iter().zip(&n_lines);
    let names = names.flat_map(|(chart, n)| std::iter::repeat_n(chart.name().to_owned(), *n));
    let mut joined = vec![Joined::new("chart", &Values::Texts(Vec::new()))];
    joined[0].extend(&Values::Texts(names.collect()));
    let mut done = 0;
    for (columns, n) in charts.iter().zip(&n_lines) {
        for Column { name, values } in columns {
            // A name may stand for text in one chart and for numbers in another.
            let kind = kind(values);
            let free = |nth: usize| if nth == 1 { name.clone() } else { format!("{name} {nth}") };
            let name = (1..=joined.len() + 1).map(free).find(|name| {
                let there = joined.iter().find(|it| it.name == *name);
                there.is_none_or(|it| it.kind == kind && it.len() <= done)
            });
            // One more than there are is free.
            let name = name.expect("each name was tried");
            let nth = joined.iter().position(|it| it.name == name).unwrap_or_else(|| {
                joined.push(Joined::new(&name, values));
                joined.len() - 1
            });
            joined[nth].pad(done);
            joined[nth].extend(values);
        }
        done += n;
    }
    for it in &mut joined {
        it.pad(done);
    }
    joined
}

fn kind(values: &Values) -> Physical {
    match values {
        Values::Numbers(_) => Physical::FLOAT,
        Values::Texts(_) => Physical::BYTE_ARRAY,
        Values::Flags(_) => Physical::BOOLEAN,
        Values::Places(_) => Physical::INT64,
    }
}

impl Joined {
    fn new(name: &str, values: &Values) -> Self {
        let kind = kind(values);
        let values = match values {
            Values::Numbers(_) => JoinedValues::Numbers(Vec::new()),
            Values::Texts(_) => JoinedValues::Texts(Vec::new()),
            Values::Flags(_) => JoinedValues::Flags(Vec::new()),
            Values::Places(_) => JoinedValues::Places(Vec::new()),
        };
        Self { name: name.to_owned(), kind, values }
    }

    fn len(&self) -> usize {
        match &self.values {
            JoinedValues::Numbers(it) => it.len(),
            JoinedValues::Texts(it) => it.len(),
            JoinedValues::Flags(it) => it.len(),
            JoinedValues::Places(it) => it.len(),
        }
    }

    /// Nothing up to a line.
    fn pad(&mut self, n: usize) {
        match &mut self.values {
            JoinedValues::Numbers(it) => it.resize(n, None),
            JoinedValues::Texts(it) => it.resize(n, None),
            JoinedValues::Flags(it) => it.resize(n, None),
            JoinedValues::Places(it) => it.resize(n, None),
        }
    }

    /// Of its own kind.
    fn extend(&mut self, values: &Values) {
        match (&mut self.values, values) {
            (JoinedValues::Numbers(into), Values::Numbers(it)) => {
                into.extend(it.iter().map(|it| Some(*it).filter(|it| !it.is_nan())));
            }
            (JoinedValues::Texts(into), Values::Texts(it)) => {
                into.extend(it.iter().map(|it| Some(ByteArray::from(it.as_str()))));
            }
            (JoinedValues::Flags(into), Values::Flags(it)) => {
                into.extend(it.iter().map(|it| Some(*it)));
            }
            (JoinedValues::Places(into), Values::Places(it)) => {
                into.extend(it.iter().map(|it| Some(*it as i64)));
            }
            _ => {}
        }
    }
}
