//! A dataset, and which of its facts are drawn, as flags.

use std::path::PathBuf;

use clap::Args;

use crate::facts::{Catalogue, Dataset};

/// A dataset and what is drawn from it, but for how many.
#[derive(Args)]
pub struct DatasetArgs {
    /// A dataset: JSON (CounterFact, `known_1000.json`, zsRE, LRE, …), JSON Lines, CSV or Parquet
    #[arg(long, value_name = "FILE", default_value = Dataset::BUNDLED)]
    pub facts: PathBuf,

    /// Seed of which facts are drawn; more facts keep the first ones
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub facts_seed: u32,

    /// Only facts of this relation: its Wikidata id, such as P36, or its name
    #[arg(long, value_name = "RELATION")]
    relation: Option<String>,
}

impl DatasetArgs {
    /// The id of the relation that is named.
    pub fn relation(&self) -> Option<String> {
        self.relation.as_ref().map(|it| Catalogue::bundled().id_of(it))
    }
}
