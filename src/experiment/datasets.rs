//! The datasets that experiments name, each read and hashed once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::ExperimentError;
use crate::facts::Dataset;

/// What has been read so far. Copies share it.
#[derive(Clone, Debug, Default)]
pub struct Datasets(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    read: RefCell<BTreeMap<PathBuf, Arc<Dataset>>>,

    /// SHA-256 of files. `None` for one that cannot be read.
    hashes: RefCell<BTreeMap<PathBuf, Option<String>>>,

    tell: Option<Telling>,
}

/// Tells of each dataset when it has been read.
struct Telling(Box<dyn Fn(&Dataset)>);

impl fmt::Debug for Telling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telling")
    }
}

impl Datasets {
    /// Datasets of which each is told when it is read.
    pub fn telling(tell: impl Fn(&Dataset) + 'static) -> Self {
        Self(Rc::new(Inner { tell: Some(Telling(Box::new(tell))), ..Inner::default() }))
    }

    /// Adds a dataset that has been read.
    pub fn add(&self, dataset: Arc<Dataset>) {
        self.0.read.borrow_mut().insert(dataset.path.clone(), dataset);
    }

    /// The dataset of a file. `sha256`: what the file is expected to be.
    pub fn get(&self, path: &Path, sha256: Option<&str>) -> Result<Arc<Dataset>, ExperimentError> {
        if let (Some(was), Some(is)) = (sha256, sha256.and_then(|_| self.hash(path)))
            && was != is
        {
            let (path, was) = (path.to_owned(), was.to_owned());
            return Err(ExperimentError::OtherDataset { path, was, is });
        }
        if let Some(known) = self.0.read.borrow().get(path) {
            return Ok(Arc::clone(known));
        }
        let dataset = Arc::new(Dataset::load(path)?);
        if let Some(Telling(tell)) = &self.0.tell {
            tell(&dataset);
        }
        self.add(Arc::clone(&dataset));
        Ok(dataset)
    }

    /// All that have been read.
    pub fn all(&self) -> Vec<Arc<Dataset>> {
        self.0.read.borrow().values().cloned().collect()
    }

    /// SHA-256 of a dataset's file, if it can be read.
    pub fn hash(&self, path: &Path) -> Option<String> {
        let mut hashes = self.0.hashes.borrow_mut();
        hashes.entry(path.to_owned()).or_insert_with(|| Dataset::sha256(path).ok()).clone()
    }
}
