//! What an exported figure is of, from which the record follows that its picture carries.

use std::sync::Arc;

use crate::experiment::{Experiment, Library};
use crate::facts::Dataset;
use crate::figure::{Looked, Record};
use crate::task::TaskCtx;
use crate::worker::ModelInfo;

/// A question with a whole result, and how that is looked at.
#[derive(Debug)]
pub struct Asked {
    pub info: Arc<ModelInfo>,
    pub experiment: Experiment,

    /// The dataset that is open, by which the experiment says what was meant.
    pub dataset: Option<Arc<Dataset>>,
    pub look: Looked,
}

impl Asked {
    /// The record of the picture. Weights of some gigabytes take a while to hash. The error is for the
    /// user.
    pub fn record(&self) -> Result<Record, String> {
        let Self { info, experiment, dataset, look } = self;
        let library = Library::new(&info.tokenizer).with(dataset.clone());
        let text = experiment.to_json_as_meant(&library).map_err(|it| it.to_string())?;
        let experiment = serde_json::from_str(&text).map_err(|it| it.to_string())?;
        let hashes = info.hash.get(&TaskCtx::unwatched()).map_err(|it| it.to_string())?;
        Ok(Record::new(&info.name, hashes.clone(), &info.device, experiment, *look))
    }
}
