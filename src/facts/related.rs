use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::DatasetError;

/// What CounterFact asks beside a fact (Meng et al. 2022, appendix E): to see what an edit reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Related {
    /// The same fact in other words.
    pub paraphrases: Vec<String>,

    /// Other subjects of which the same is true.
    pub neighbourhood: Vec<String>,
}

#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    case_id: Option<serde_json::Value>,
    #[serde(default)]
    paraphrase_prompts: Vec<String>,
    #[serde(default)]
    neighborhood_prompts: Vec<String>,
}

impl Related {
    /// Of a fact by its `case_id`. None where the file is not CounterFact's.
    pub fn of(path: &Path, case: &str) -> Result<Self, DatasetError> {
        if path == Path::new(super::Dataset::BUNDLED) {
            return Ok(Self::default());
        }
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(DatasetError::Read { path: path.to_owned(), source }),
        };
        // Whatever else it is, it has been read as a dataset before.
        let records: Vec<Record> = serde_json::from_slice(&bytes).unwrap_or_default();
        let is_it = |it: &Record| {
            it.case_id
                .as_ref()
                .is_some_and(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned) == case)
        };
        let found = records.into_iter().find(is_it);
        Ok(found.map_or_else(Self::default, |it| Self {
            paraphrases: it.paraphrase_prompts,
            neighbourhood: it.neighborhood_prompts,
        }))
    }
}
