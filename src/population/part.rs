//! A part of a sweep: the results of some facts as one Parquet file, a row for each number.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::ByteArrayType;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde::{Deserialize, Serialize};

use super::read::read;
use super::selection::Task;
use crate::facts::Direction;
use crate::figure::{Cells, Number, Place, table_to_parquet};
use crate::quiet::quietly;

/// Rows that a part may hold, for each of its bytes and besides: a damaged count of rows must not fill the
/// memory.
const ROWS_PER_BYTE: u64 = 16;
const ROWS_BESIDES: u64 = 1 << 16;

/// The key of a file's own note on the facts that it holds.
const FACTS: &str = "factscope.facts";

/// A fact that was asked, with what came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub note: FactNote,
    pub relation: Option<Arc<str>>,

    /// Which ways the model knows the fact: `forward`, `inverse`, `both` or `neither`.
    pub known: Arc<str>,
    pub prompt: Arc<str>,

    /// The words of the prompt, with `{}` for the subject. `None` without a subject.
    pub template: Option<Arc<str>>,

    /// The answer that was measured, the right one or the model's first guess. `None` where nothing was
    /// asked.
    pub answer: Option<Arc<str>>,

    /// The wrong answer that it was compared with. `None` without one.
    pub foil: Option<Arc<str>>,

    /// The numbers of its figure, those of its recall first.
    pub numbers: Vec<Number>,
}

/// What a file says of a fact without its rows being read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactNote {
    /// The record's index in the dataset.
    pub record: usize,

    /// The record's id.
    pub case: String,
    pub direction: Direction,

    /// Why there is no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,

    /// How many numbers there are.
    pub n_numbers: usize,
}

impl FactNote {
    pub fn task(&self) -> Task {
        Task { record: self.record, direction: self.direction }
    }
}

/// The name of a direction in files.
pub fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "fact",
        Direction::Inverse => "inverse",
    }
}

/// Where a number stands, of its two places.
type WhichPlace = fn(&Number) -> &Place;

/// What a column of texts says of a fact and a number of it.
type TextOf<'a> = dyn Fn(&Asked, Option<&Number>) -> Option<Arc<str>> + 'a;

/// The bytes of a part. `model` and `spec`: the hashes of what was asked of what.
pub fn to_bytes(facts: &[Asked], model: &str, spec: &str) -> Result<Vec<u8>, ParquetError> {
    let (model, spec): (Arc<str>, Arc<str>) = (model.into(), spec.into());
    // A fact without a number has a row that says why.
    let rows: Vec<(&Asked, Option<(usize, &Number)>)> = facts
        .iter()
        .flat_map(|fact| {
            let numbers = fact.numbers.iter().enumerate().map(move |it| (fact, Some(it)));
            let empty = fact.numbers.is_empty().then_some((fact, None));
            numbers.chain(empty)
        })
        .collect();
    let texts = |of: &TextOf<'_>| {
        Cells::Texts(rows.iter().map(|(fact, it)| of(fact, it.map(|it| it.1))).collect())
    };
    let places = |of: &dyn Fn(&Place) -> Option<usize>, which: WhichPlace| {
        let place = |it: Option<(usize, &Number)>| Some(of(which(it?.1))? as i64);
        Cells::Places(rows.iter().map(|(_, it)| place(*it)).collect())
    };
    let labels =
        |of: &dyn Fn(&Place) -> Option<Arc<str>>, which: WhichPlace| texts(&|_, it| of(which(it?)));
    let indices = |of: &dyn Fn(&Asked, Option<usize>) -> Option<usize>| {
        let index = |(fact, it): &(&Asked, Option<(usize, &Number)>)| {
            Some(of(fact, it.map(|it| it.0))? as i64)
        };
        Cells::Places(rows.iter().map(index).collect())
    };
    let mut columns: Vec<(String, Cells)> = Vec::new();
    let mut column = |name: &str, cells: Cells| columns.push((name.to_owned(), cells));
    column("record", indices(&|fact, _| Some(fact.note.record)));
    column("case", texts(&|fact, _| Some((&*fact.note.case).into())));
    column("direction", texts(&|fact, _| Some(direction_name(fact.note.direction).into())));
    column("relation", texts(&|fact, _| fact.relation.clone()));
    column("known", texts(&|fact, _| Some(Arc::clone(&fact.known))));
    column("prompt", texts(&|fact, _| Some(Arc::clone(&fact.prompt))));
    column("template", texts(&|fact, _| fact.template.clone()));
    column("answer", texts(&|fact, _| fact.answer.clone()));
    column("foil", texts(&|fact, _| fact.foil.clone()));
    column("left_out", texts(&|fact, _| fact.note.left_out.as_deref().map(Into::into)));
    column("number", indices(&|_, nth| nth));
    column("chart", texts(&|_, it| Some(Arc::clone(&it?.chart))));
    column("quantity", texts(&|_, it| Some(Arc::clone(&it?.quantity))));
    column("measured", texts(&|_, it| it?.measured.clone()));
    let sides: [(&str, WhichPlace); 2] = [("", |it| &it.at), ("_2", |it| &it.other)];
    for (suffix, which) in sides {
        let named = |name: &str| format!("{name}{suffix}");
        column(&named("layer"), places(&|it| it.layer, which));
        column(&named("head"), places(&|it| it.head, which));
        column(&named("component"), labels(&|it| it.component.clone(), which));
        column(&named("position"), places(&|it| it.position, which));
        column(&named("role"), labels(&|it| Some(it.role?.to_string().into()), which));
        column(&named("label"), labels(&|it| it.label.clone(), which));
    }
    let value = |it: Option<(usize, &Number)>| Some(it?.1.value).filter(|it| !it.is_nan());
    column("value", Cells::Numbers(rows.iter().map(|(_, it)| value(*it)).collect()));
    column("model_sha256", texts(&|_, _| Some(Arc::clone(&model))));
    column("spec_sha256", texts(&|_, _| Some(Arc::clone(&spec))));

    let notes: Vec<&FactNote> = facts.iter().map(|it| &it.note).collect();
    let notes = serde_json::to_string(&notes).map_err(|it| ParquetError::External(it.into()))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![KeyValue::new(FACTS.to_owned(), notes)]))
        .build();
    table_to_parquet("numbers", &columns, Arc::new(properties))
}

/// The column in which a part holds the hash of another model or spec than these. `None` if it is of both.
pub fn foreign(path: &Path, model: &str, spec: &str) -> Result<Option<&'static str>, ParquetError> {
    reading(path, |reader| {
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group)?;
            for (name, hash) in [("spec_sha256", spec), ("model_sha256", model)] {
                let cells = read::<ByteArrayType>(&*group, name)?;
                if cells.iter().any(|it| it.as_ref().is_none_or(|it| it.data() != hash.as_bytes()))
                {
                    return Ok(Some(name));
                }
            }
        }
        Ok(None)
    })
}

/// Reads a part by `read`. The library panics at damaged pages; what comes of it here is an error.
pub(super) fn reading<T>(
    path: &Path,
    read: impl FnOnce(&SerializedFileReader<File>) -> Result<T, ParquetError>,
) -> Result<T, ParquetError> {
    let damaged = |what: &str| ParquetError::General(what.to_owned());
    let work = || {
        let file = File::open(path)?;
        let n_bytes = file.metadata()?.len();
        let reader = SerializedFileReader::new(file)?;
        let n_most = ROWS_BESIDES + n_bytes.saturating_mul(ROWS_PER_BYTE);
        let groups = reader.metadata().row_groups().iter();
        let n_rows = groups.map(|it| u64::try_from(it.num_rows()).unwrap_or(u64::MAX));
        if n_rows.fold(0, u64::saturating_add) > n_most {
            return Err(damaged("it claims to hold more rows than a part of its size can"));
        }
        read(&reader)
    };
    quietly(work).unwrap_or_else(|_panic| Err(damaged("one of its pages is damaged")))
}

/// The facts that a part holds.
pub fn notes(path: &Path) -> Result<Vec<FactNote>, ParquetError> {
    reading(path, |reader| {
        let all = reader.metadata().file_metadata().key_value_metadata();
        let note = all.and_then(|all| all.iter().find(|it| it.key == FACTS)?.value.clone());
        let note =
            note.ok_or_else(|| ParquetError::General("it is no part of a sweep".to_owned()))?;
        serde_json::from_str(&note).map_err(|it| ParquetError::External(it.into()))
    })
}
