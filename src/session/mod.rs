//! A session as plain data: what was asked of which model about which facts, and all that was found.
//!
//! A result in a session is shown again, never computed. So it must be known to be of the model and
//! of the facts that it is shown with. Therefore both are named by their hashes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::{AnalysisResult, AnalysisSpec, ModelEdit};
use crate::experiment::Experiment;
use crate::facts::{Dataset, Direction, Record};
use crate::figure::{Figure, Look};
use crate::quiet::quietly;
use crate::tokens::{TokenizedPrompt, Tokenizer};
use crate::worker::{ModelConfig, ModelInfo, NumberWatch, WeightHash, Which, weights_sha256};

mod file;
mod joined;
mod unsaved;

pub use file::{EXTENSION, SessionError, VERSION, n_bytes};
pub use unsaved::Unsaved;

/// Everything that a session file holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// The name and version of the program that wrote the session.
    pub program: String,
    pub model: ModelIdentity,

    /// The model that was open beside the first.
    #[serde(default)]
    pub beside: Option<ModelBeside>,

    /// The dataset that was open. `None` if all facts were typed.
    pub dataset: Option<DatasetIdentity>,

    /// The edits made to the model, in order. Results that name no other list of edits are those of the
    /// model as these leave it.
    pub edits: Vec<ModelEdit>,

    /// Other changes of the model, each a list as `edits` is.
    #[serde(default)]
    pub changes: Vec<Vec<ModelEdit>>,

    /// The facts that something was found about.
    pub facts: Vec<StoredFact>,

    /// The tokens of all the dataset's subjects, which noise is measured on.
    pub subjects: Arc<[u32]>,
    pub found: Vec<Found>,

    /// The experiment that was typed and carried out last.
    #[serde(default)]
    pub typed: Option<Typed>,

    /// The window's own data, such as settings, the arrangement of views and what is chosen. See
    /// [`Session::window`].
    window: Vec<u8>,
}

/// A second model, which is not changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelBeside {
    pub model: ModelIdentity,

    /// The tokens of all the dataset's subjects, by this model's tokenizer.
    pub subjects: Arc<[u32]>,
}

/// Which model it was, and what views need to know of it if it is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// A folder, or the name of a built-in model.
    pub path: PathBuf,
    pub name: String,

    /// The SHA-256 of each weight file, by file name.
    pub weights_sha256: BTreeMap<String, String>,
    pub config: ModelConfig,
    pub dtypes: Vec<String>,

    /// The tensors of the files that are no part of a language model. Earlier versions kept none.
    #[serde(default)]
    pub left_out: Vec<String>,
    pub n_bytes: u64,

    /// The device that computed the results.
    pub device: String,

    /// The text of a `tokenizer.json`.
    tokenizer: String,
}

/// Which dataset it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetIdentity {
    /// A file, or `builtin`.
    pub path: PathBuf,
    pub sha256: String,
    pub n_facts: usize,
}

/// A fact of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFact {
    /// The fact's index in the dataset. `None` for a fact that was typed.
    pub nth: Option<usize>,
    pub record: Record,
}

/// A result, with what was asked for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// The model that found it.
    #[serde(default)]
    pub which: Which,

    /// The index in [`Session::changes`] of the edits of the main model, if they are not those of
    /// [`Session::edits`].
    #[serde(default)]
    pub changed: Option<usize>,

    /// The index of its fact in [`Session::facts`].
    pub fact: usize,
    pub direction: Direction,
    pub prompt: TokenizedPrompt,

    /// Why the method was run. The first two formats called it `role`.
    #[serde(alias = "role")]
    pub origin: Origin,
    pub spec: AnalysisSpec,

    /// Whether the method came to its end, or was stopped on the way.
    pub is_complete: bool,
    pub result: Arc<AnalysisResult>,
}

/// An experiment that was typed, with what was found. Its fact may be none of the session's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Typed {
    /// The model that was asked.
    pub which: Which,
    pub experiment: Experiment,

    /// The prompt, which is empty if the weights alone were asked.
    pub prompt: TokenizedPrompt,
    pub is_complete: bool,
    pub result: Arc<AnalysisResult>,
}

/// A result of a session, whether it was typed or not.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    pub which: Which,

    /// What was changed in the model when this was found.
    pub edits: &'a [ModelEdit],
    pub prompt: &'a TokenizedPrompt,
    pub origin: Origin,
    pub spec: &'a AnalysisSpec,
    pub is_complete: bool,
    pub result: &'a AnalysisResult,

    /// The experiment as it was typed; `None` for what a view has asked.
    pub typed: Option<&'a Experiment>,
}

/// Why a method was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A person has asked for the result.
    #[serde(alias = "Trace", alias = "Study")]
    Asked,

    /// The result is shown for each fact that is chosen, and is found again at once.
    #[serde(alias = "Quick")]
    Unasked,

    /// The result stands in for the cells of a trace that are still to come.
    Preview,
}

/// The models and the dataset of a session as they are now.
#[derive(Debug)]
pub struct Present {
    /// The session's dataset. `None` if it is gone or has changed.
    pub dataset: Option<Dataset>,

    /// What has changed since, in words for the user. Without any, the results are those of the models
    /// and facts that are there.
    pub differences: Vec<String>,
}

impl Session {
    /// The window's own data. `None` if another version of the program wrote it in another form.
    pub fn window<T: for<'de> Deserialize<'de>>(&self) -> Option<T> {
        ciborium::from_reader(&*self.window).ok()
    }

    /// Whether a window wrote it, and no command.
    pub fn is_of_window(&self) -> bool {
        !self.window.is_empty()
    }

    /// Keeps the window's own data.
    ///
    /// # Panics
    ///
    /// If CBOR has no form for `window`, as it has for settings.
    pub fn set_window(&mut self, window: &impl Serialize) {
        self.window.clear();
        ciborium::into_writer(window, &mut self.window).expect("settings are numbers and text");
    }

    /// A session of a model, with no results yet.
    pub fn new(model: ModelIdentity) -> Self {
        Self {
            program: format!("factscope {}", env!("CARGO_PKG_VERSION")),
            model,
            beside: None,
            dataset: None,
            edits: Vec::new(),
            changes: Vec::new(),
            facts: Vec::new(),
            subjects: Arc::from([]),
            found: Vec::new(),
            typed: None,
            window: Vec::new(),
        }
    }

    /// Checks whether models and dataset are still those of the results. Reads them whole.
    pub fn present(&self) -> Present {
        let mut differences = Vec::new();
        let beside = self.beside.as_ref().map(|it| &it.model);
        for model in [Some(&self.model), beside].into_iter().flatten() {
            let place = model.path.display();
            match weights_sha256(&model.path) {
                Ok(hashes) if hashes == model.weights_sha256 => {}
                Ok(_) => differences.push(format!("the model has other weights now: {place}")),
                Err(error) => differences.push(format!("the model cannot be opened: {error}")),
            }
        }
        let dataset = self.dataset_now().unwrap_or_else(|difference| {
            differences.push(difference);
            None
        });
        Present { dataset, differences }
    }

    /// Reads the dataset of the facts, if there was one. The error says what has changed since.
    pub fn dataset_now(&self) -> Result<Option<Dataset>, String> {
        let Some(then) = &self.dataset else { return Ok(None) };
        let place = then.path.display();
        match DatasetIdentity::of(&then.path) {
            Ok((now, read)) if now == *then => Ok(Some(read)),
            Ok(_) => Err(format!("the dataset has changed: {place}")),
            Err(error) => Err(format!("the dataset cannot be opened: {error}")),
        }
    }

    /// The model that a result is from.
    ///
    /// # Panics
    ///
    /// If there is no such model, which [`Session::load`] has ruled out for all results.
    pub fn model_of(&self, which: Which) -> &ModelIdentity {
        match which {
            Which::Main => &self.model,
            Which::Beside => &self.beside.as_ref().expect("it was checked").model,
        }
    }

    /// The session's own facts, in place of a dataset that is gone or has changed.
    pub fn own_dataset(&self) -> Dataset {
        let path = self.dataset.as_ref().map_or_else(PathBuf::new, |it| it.path.clone());
        let records = self.facts.iter().filter(|it| it.nth.is_some());
        let records = records.map(|it| it.record.clone()).collect::<Vec<_>>().into();
        Dataset { path, records, ..Dataset::default() }
    }

    /// All results, in the order in which they are listed.
    pub fn kept(&self) -> impl Iterator<Item = Kept<'_>> {
        let found = self.found.iter().map(|it| Kept {
            which: it.which,
            edits: self.edits_of(it),
            prompt: &it.prompt,
            origin: it.origin,
            spec: &it.spec,
            is_complete: it.is_complete,
            result: &it.result,
            typed: None,
        });
        let typed = self.typed.iter().map(|it| Kept {
            which: it.which,
            edits: &it.experiment.edits,
            prompt: &it.prompt,
            origin: Origin::Asked,
            spec: &it.experiment.spec,
            is_complete: it.is_complete,
            result: &it.result,
            typed: Some(&it.experiment),
        });
        found.chain(typed)
    }

    /// The edits made to the model of a result. The model beside is as it is on disk.
    fn edits_of(&self, found: &Found) -> &[ModelEdit] {
        match (found.which, found.changed) {
            (Which::Beside, _) => &[],
            (Which::Main, None) => &self.edits,
            (Which::Main, Some(nth)) => self.changes.get(nth).map_or(&[], Vec::as_slice),
        }
    }

    /// Checks that all of the session can be shown, because a file can be changed by hand.
    fn check(&self) -> Result<(), String> {
        let tokenizer = self.model.checked()?;
        let beside = self.beside.as_ref().map(|it| it.model.checked()).transpose()?;
        let says = |nth: usize, reason: &str| format!("result {}: {reason}", nth + 1);
        for (nth, found) in self.found.iter().enumerate() {
            let says = |reason: &str| says(nth, reason);
            let fact = self.facts.get(found.fact).ok_or_else(|| says("there is no such fact"))?;
            if fact.record.fact(found.direction).is_none() {
                return Err(says("the fact is not asked that way"));
            }
            if found.changed.is_some_and(|nth| nth >= self.changes.len()) {
                return Err(says("there are no such changes of the model"));
            }
        }
        for (nth, it) in self.kept().enumerate() {
            let says = |reason: &str| says(nth, reason);
            let asks_nothing = nth >= self.found.len() && !it.spec.needs_prompt();
            if !it.prompt.is_whole() && !asks_nothing {
                return Err(says("the tokens of the prompt do not belong together"));
            }
            if it.name() != it.result.name() {
                return Err(says("it is not of the method that was asked for"));
            }
            let tokenizer = match it.which {
                Which::Main => Some(&tokenizer),
                Which::Beside => beside.as_ref(),
            };
            let tokenizer = tokenizer.ok_or_else(|| says("there is no such model"))?;
            // Drawing a result finds shapes that do not belong together.
            let draw = || Figure::of(it.result, &Look::new(tokenizer));
            let is_whole = quietly(draw).is_ok_and(|it| it.is_whole());
            if !is_whole {
                return Err(says("its numbers do not belong together"));
            }
        }
        for StoredFact { record, .. } in &self.facts {
            let asked = [Direction::Forward, Direction::Inverse];
            if !asked.into_iter().filter_map(|it| record.fact(it)).all(|it| it.is_whole()) {
                return Err(format!("fact {}: the subject is no part of the prompt", record.id));
            }
        }
        Ok(())
    }
}

impl ModelIdentity {
    pub fn of(info: &ModelInfo, weights_sha256: BTreeMap<String, String>) -> Self {
        Self {
            path: info.dir.clone(),
            name: info.name.clone(),
            weights_sha256,
            config: info.config,
            dtypes: info.dtypes.clone(),
            left_out: info.left_out.clone(),
            n_bytes: info.n_bytes,
            device: info.device.clone(),
            tokenizer: info.tokenizer.to_json(),
        }
    }

    /// What views need to know of the model if it is gone.
    pub fn info(&self) -> Result<ModelInfo, String> {
        Ok(ModelInfo {
            name: self.name.clone(),
            dir: self.path.clone(),
            config: self.config,
            tokenizer: Arc::new(self.tokenizer()?),
            dtypes: self.dtypes.clone(),
            left_out: self.left_out.clone(),
            n_bytes: self.n_bytes,
            device: self.device.clone(),
            verdict: None,
            load_secs: 0.0,
            numbers: NumberWatch::default(),
            hash: WeightHash::known(self.weights_sha256.clone()),
        })
    }

    /// The model's tokenizer. Fails if views could not be drawn for the model.
    fn checked(&self) -> Result<Tokenizer, String> {
        if self.config.n_layers == 0 || self.config.n_heads == 0 {
            return Err("the model has no layers or no heads".to_owned());
        }
        self.tokenizer()
    }

    fn tokenizer(&self) -> Result<Tokenizer, String> {
        Ok(Tokenizer::from_json(&self.tokenizer)?.for_rows(self.config.d_vocab))
    }
}

impl DatasetIdentity {
    /// The identity of a file as it is now, and the dataset that it holds.
    pub fn of(path: &Path) -> Result<(Self, Dataset), String> {
        let dataset = Dataset::load(path).map_err(|error| error.to_string())?;
        let sha256 =
            Dataset::sha256(path).map_err(|error| format!("{error}: {}", path.display()))?;
        let n_facts = dataset.records.len();
        Ok((Self { path: path.to_owned(), sha256, n_facts }, dataset))
    }
}

impl Kept<'_> {
    /// What the method is called.
    pub fn name(&self) -> &'static str {
        self.spec.name()
    }
}
