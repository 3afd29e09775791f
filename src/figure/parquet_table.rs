//! Tables as Parquet: a figure's numbers as the lines of the CSV, with the chart's name before each, and
//! any other columns. What a line has no value for is null.

use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::Figure;
use super::tidy::{Block, Column, Values};

/// A column of a table, with a value or none in each line.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    Numbers(Vec<Option<f32>>),
    Places(Vec<Option<i64>>),
    Texts(Vec<Option<Arc<str>>>),
    Flags(Vec<Option<bool>>),
}

/// # Panics
///
/// Never: memory can be written to, and each column holds values of its own type.
pub fn to_parquet(figure: &Figure) -> Vec<u8> {
    write(figure).expect("a table of numbers and text can be written to memory")
}

/// A table of named columns of one length as a file.
pub fn table_to_parquet(
    name: &str,
    columns: &[(String, Cells)],
    properties: WriterPropertiesPtr,
) -> Result<Vec<u8>, ParquetError> {
    let fields = columns.iter().map(|(name, cells)| {
        let kind = cells.kind();
        let text =
            if kind == Physical::BYTE_ARRAY { ConvertedType::UTF8 } else { ConvertedType::NONE };
        Type::primitive_type_builder(name, kind)
            .with_repetition(Repetition::OPTIONAL)
            .with_converted_type(text)
            .build()
            .map(Arc::new)
    });
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    let schema = Arc::new(Type::group_type_builder(name).with_fields(fields).build()?);
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties)?;
    let mut group = writer.next_row_group()?;
    for (_, cells) in columns {
        let Some(mut column) = group.next_column()? else { break };
        match cells {
            Cells::Numbers(it) => write_cells::<FloatType, _>(&mut column, it, |it| *it)?,
            Cells::Places(it) => write_cells::<Int64Type, _>(&mut column, it, |it| *it)?,
            Cells::Flags(it) => write_cells::<BoolType, _>(&mut column, it, |it| *it)?,
            Cells::Texts(it) => {
                write_cells::<ByteArrayType, _>(&mut column, it, |it| ByteArray::from(&**it))?;
            }
        }
        column.close()?;
    }
    group.close()?;
    writer.into_inner()
}

fn write_cells<T: DataType, C>(
    column: &mut SerializedColumnWriter<'_>,
    cells: &[Option<C>],
    value: impl Fn(&C) -> T::T,
) -> Result<(), ParquetError> {
    let values: Vec<T::T> = cells.iter().flatten().map(value).collect();
    let there: Vec<i16> = cells.iter().map(|it| i16::from(it.is_some())).collect();
    column.typed::<T>().write_batch(&values, Some(&there), None)?;
    Ok(())
}

impl Cells {
    fn kind(&self) -> Physical {
        match self {
            Self::Numbers(_) => Physical::FLOAT,
            Self::Texts(_) => Physical::BYTE_ARRAY,
            Self::Flags(_) => Physical::BOOLEAN,
            Self::Places(_) => Physical::INT64,
        }
    }
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
    let n = names.len();
    let columns: Vec<(String, Cells)> =
        joined(&names, &charts, &n_lines).iter().map(|it| (it.name.clone(), it.cells(n))).collect();
    table_to_parquet("figure", &columns, Arc::default())
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

    /// The values by line.
    fn cells(&self, n_lines: usize) -> Cells {
        match self.kind {
            Physical::FLOAT => Cells::Numbers(self.spread(n_lines, |values, nth| match values {
                Values::Numbers(it) => Some(it[nth]).filter(|it| !it.is_nan()),
                _ => None,
            })),
            Physical::INT64 => Cells::Places(self.spread(n_lines, |values, nth| match values {
                Values::Places(it) => Some(it[nth] as i64),
                _ => None,
            })),
            Physical::BOOLEAN => Cells::Flags(self.spread(n_lines, |values, nth| match values {
                Values::Flags(it) => Some(it[nth]),
                _ => None,
            })),
            _ => Cells::Texts(self.spread(n_lines, |values, nth| match values {
                Values::Texts(it) => Some(Arc::from(&*it[nth])),
                _ => None,
            })),
        }
    }

    fn spread<T>(
        &self,
        n_lines: usize,
        read: impl Fn(&Values, usize) -> Option<T>,
    ) -> Vec<Option<T>> {
        let mut cells: Vec<Option<T>> = std::iter::repeat_with(|| None).take(n_lines).collect();
        for (start, part) in &self.parts {
            for nth in 0..part.len() {
                cells[start + nth] = read(part, nth);
            }
        }
        cells
    }
}
