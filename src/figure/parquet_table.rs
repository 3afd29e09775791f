//! A figure's numbers as one Parquet table: the lines of the CSV, with the chart's name before each.
//! What a chart has no column for is null.

use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::Figure;
use super::tidy::{Block, Column, Values};

/// # Panics
///
/// Never: memory can be written to, and each column holds values of its own type.
pub fn to_parquet(figure: &Figure) -> Vec<u8> {
    write(figure).expect("a table of numbers and text can be written to memory")
}

/// A column of all charts.
struct Joined<'a> {
    name: String,
    kind: Physical,

    /// The values that charts have in this column, each with the line where it begins.
    parts: Vec<(usize, &'a Values)>,
}

fn write(figure: &Figure) -> Result<Vec<u8>, ParquetError> {
    let charts: Vec<Vec<Column>> = figure.charts.iter().map(|it| Block::of(it).lines()).collect();
    let n_lines = charts.iter().map(|it| it.first().map_or(0, |it| it.values.len()));
    let n_lines: Vec<usize> = n_lines.collect();
    let names = figure.charts.iter().zip(&n_lines);
    let names = names.flat_map(|(chart, n)| std::iter::repeat_n(chart.name().to_owned(), *n));
    let names = Values::Texts(names.collect());
    let joined = joined(&names, &charts, &n_lines);

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
        let n = names.len();
        match it.kind {
            Physical::FLOAT => {
                let (values, there) = it.split(n, |values, nth| match values {
                    Values::Numbers(it) => Some(it[nth]).filter(|it| !it.is_nan()),
                    _ => None,
                });
                column.typed::<FloatType>().write_batch(&values, Some(&there), None)?;
            }
            Physical::INT64 => {
                let (values, there) = it.split(n, |values, nth| match values {
                    Values::Places(it) => Some(it[nth] as i64),
                    _ => None,
                });
                column.typed::<Int64Type>().write_batch(&values, Some(&there), None)?;
            }
            Physical::BOOLEAN => {
                let (values, there) = it.split(n, |values, nth| match values {
                    Values::Flags(it) => Some(it[nth]),
                    _ => None,
                });
                column.typed::<BoolType>().write_batch(&values, Some(&there), None)?;
            }
            _ => {
                let (values, there) = it.split(n, |values, nth| match values {
                    Values::Texts(it) => Some(ByteArray::from(&*it[nth])),
                    _ => None,
                });
                column.typed::<ByteArrayType>().write_batch(&values, Some(&there), None)?;
            }
        }
        column.close()?;
    }
    group.close()?;
    writer.into_inner()
}

/// Columns of one name and type are one, but for those of the same chart.
fn joined<'a>(names: &'a Values, charts: &'a [Vec<Column>], n_lines: &[usize]) -> Vec<Joined<'a>> {
    let chart = "chart".to_owned();
    let mut joined = vec![Joined { name: chart, kind: kind(names), parts: vec![(0, names)] }];
    let mut start = 0;
    for (columns, n) in charts.iter().zip(n_lines) {
        for Column { name, values } in columns {
            let kind = kind(values);
            let mut free = name.clone();
            // A name may stand for text in one chart and for numbers in another.
            let mut nth = 1;
            let place = loop {
                match joined.iter().position(|it| it.name == free) {
                    Some(at) if joined[at].kind == kind && joined[at].end() <= start => break at,
                    Some(_) => {
                        nth += 1;
                        free = format!("{name} {nth}");
                    }
                    None => {
                        joined.push(Joined { name: free, kind, parts: Vec::new() });
                        break joined.len() - 1;
                    }
                }
            };
            joined[place].parts.push((start, values));
        }
        start += n;
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

impl Joined<'_> {
    fn end(&self) -> usize {
        self.parts.last().map_or(0, |(start, values)| start + values.len())
    }

    /// The values there are, and by line whether there is one.
    fn split<T>(
        &self,
        n_lines: usize,
        read: impl Fn(&Values, usize) -> Option<T>,
    ) -> (Vec<T>, Vec<i16>) {
        let (mut values, mut there) = (Vec::new(), vec![0; n_lines]);
        for (start, part) in &self.parts {
            for nth in 0..part.len() {
                there[start + nth] = i16::from(read(part, nth).map(|it| values.push(it)).is_some());
            }
        }
        (values, there)
    }
}
