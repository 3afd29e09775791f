//! What stays between requests: the models that were asked last, and what was found last.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;

use crate::analysis::rank_one_edit::Covariance;
use crate::analysis::{AnalysisResult, AnalysisSpec, ModelEdit};
use crate::session::n_bytes;
use crate::tokens::TokenizedPrompt;
use crate::worker::{DeviceChoice, Engine, ModelInfo};

/// How many models stay open. One with edits counts as one, though it shares most of its weights.
const N_MODELS: usize = 2;

/// How much of what was found is kept, in bytes as a session would take.
const BYTES_FOUND: u64 = 256 << 20;

/// What stays. The last that was asked comes last.
#[derive(Debug, Default)]
pub(in crate::cli) struct Kept {
    models: RefCell<Vec<(ModelKey, Engine)>>,
    found: RefCell<Vec<Found>>,
}

/// What an open model is known by.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct ModelKey {
    path: PathBuf,
    device: DeviceChoice,
    edits: Vec<ModelEdit>,

    /// The files that it was read from, with their sizes and when they were written: a model whose files
    /// are others by now is opened again.
    files: Vec<(PathBuf, u64, Option<SystemTime>)>,
}

impl ModelKey {
    /// A model as its files are now.
    pub fn of(model: &Path, device: DeviceChoice, edits: &[ModelEdit]) -> Self {
        let path = model.canonicalize().unwrap_or_else(|_| model.to_owned());
        let mut files = files_of(&path);
        for edit in edits {
            if let ModelEdit::RankOne(spec) = edit
                && let Covariance::File(path) = &spec.covariance
            {
                files.push(stamped(path.clone()));
            }
        }
        Self { path, device, edits: edits.to_vec(), files }
    }
}

/// A file with its size and when it was written.
fn stamped(path: PathBuf) -> (PathBuf, u64, Option<SystemTime>) {
    let about = fs::metadata(&path).ok();
    let (len, written) = about.map_or((0, None), |it| (it.len(), it.modified().ok()));
    (path, len, written)
}

/// The files of a folder; for a weight file, it and its like beside it, such as its other parts.
fn files_of(model: &Path) -> Vec<(PathBuf, u64, Option<SystemTime>)> {
    let folder = if model.is_file() { model.parent() } else { Some(model) };
    let entries = folder.and_then(|it| fs::read_dir(it).ok()).into_iter().flatten().flatten();
    let is_of = |it: &PathBuf| model.is_dir() || it.extension() == model.extension();
    let mut paths: Vec<PathBuf> = entries.map(|it| it.path()).filter(is_of).collect();
    paths.sort();
    paths.into_iter().map(stamped).collect()
}

/// What a request found.
#[derive(Debug)]
struct Found {
    request: Value,
    info: Arc<ModelInfo>,
    edits: Vec<ModelEdit>,
    prompt: TokenizedPrompt,
    spec: AnalysisSpec,
    result: AnalysisResult,
    n_bytes: u64,
}

impl Kept {
    /// An open model, which is now the one that was asked last.
    pub fn model(&self, key: &ModelKey) -> Option<Engine> {
        let mut models = self.models.borrow_mut();
        let nth = models.iter().position(|(of, _)| of == key)?;
        let found = models.remove(nth);
        let engine = found.1.clone();
        models.push(found);
        Some(engine)
    }

    /// Makes room for a model before it is opened, and says which are given up.
    pub fn make_room(&self) -> Vec<String> {
        let mut models = self.models.borrow_mut();
        let n_too_many = (models.len() + 1).saturating_sub(N_MODELS);
        models.drain(..n_too_many).map(|(_, engine)| engine.info.name.clone()).collect()
    }

    /// Keeps an open model.
    pub fn keep_model(&self, key: ModelKey, engine: &Engine) {
        self.models.borrow_mut().push((key, engine.clone()));
    }

    /// What an earlier request found when it asked a model this.
    pub fn found(
        &self,
        request: &Value,
        engine: &Engine,
        prompt: &TokenizedPrompt,
        spec: &AnalysisSpec,
    ) -> Option<AnalysisResult> {
        let found = self.found.borrow();
        let is_it = |it: &&Found| {
            it.request == *request
                && Arc::ptr_eq(&it.info, &engine.info)
                && it.edits == engine.edits
                && it.prompt == *prompt
                && it.spec == *spec
        };
        found.iter().find(is_it).map(|it| it.result.clone())
    }

    /// Keeps what a request found; what was found first goes where it becomes too much.
    pub fn keep_found(
        &self,
        request: &Value,
        engine: &Engine,
        (prompt, spec): (&TokenizedPrompt, &AnalysisSpec),
        result: &AnalysisResult,
    ) {
        let n_bytes = n_bytes(result);
        let mut found = self.found.borrow_mut();
        let mut total = n_bytes + found.iter().map(|it| it.n_bytes).sum::<u64>();
        while total > BYTES_FOUND && !found.is_empty() {
            total -= found.remove(0).n_bytes;
        }
        if total > BYTES_FOUND {
            return;
        }
        found.push(Found {
            request: request.clone(),
            info: Arc::clone(&engine.info),
            edits: engine.edits.clone(),
            prompt: prompt.clone(),
            spec: spec.clone(),
            result: result.clone(),
            n_bytes,
        });
    }
}
