//! The prompts that CounterFact gives beside a fact, to test what an edit changes.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::DatasetError;

/// Prompts beside a fact that show how far an edit reaches (Meng et al. 2022, appendix E).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Related {
    /// Prompts that ask the same fact in other words.
    pub paraphrases: Vec<String>,

    /// Prompts about other subjects with the same answer.
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
    /// The prompts beside the fact with this `case_id`. Empty where the file is not CounterFact's.
    pub fn of(path: &Path, case: &str) -> Result<Self, DatasetError> {
        if path == Path::new(super::Dataset::BUNDLED) {
            return Ok(Self::default());
        }
        let bytes = fs::read(path).map_err(DatasetError::reading(path))?;
        // The file has been read as a dataset before, so what does not parse here is another
        // format.
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
