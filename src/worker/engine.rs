//! The engine: a model that is open, with its tokenizer and the edits made to it. It runs methods, on
//! whichever thread it is called.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::SystemMemory;
use super::devices::{VerifyError, open_verified};
use crate::analysis::prediction::NextTokens;
use crate::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Lab, Memory, ModelEdit, Needs,
    NoiseReader, Positions, rank_one_edit, steering,
};
use crate::model::{
    Checkpoint, DeviceChoice, LoadError, ModelConfig, NumberCheck, Transformer, Verdict,
};
use crate::noise_file;
use crate::task::{Cancelled, TaskCtx};
use crate::tokens::{TokenizedPrompt, Tokenizer, TokenizerError};

/// A model on a device, ready to run methods. Copies share its tensors.
#[derive(Clone, Debug)]
pub struct Engine {
    pub info: Arc<ModelInfo>,

    /// The edits by which the model differs from the one on disk, in the order they were made.
    pub edits: Vec<ModelEdit>,
    model: Transformer,
    steered: Vec<Steered>,

    /// The check that all weights are finite. No result is given out before it has passed.
    check: Arc<NumberCheck>,
}

/// A vector added to the residual stream after a layer, at some tokens of each prompt. `[d_model]`
#[derive(Clone, Debug)]
struct Steered {
    layer: usize,
    positions: Positions,
    vector: Vec<f32>,
}

/// The plain facts about an open model, without its tensors.
#[derive(Debug)]
pub struct ModelInfo {
    /// The folder's name.
    pub name: String,
    pub dir: PathBuf,
    pub config: ModelConfig,
    pub tokenizer: Arc<Tokenizer>,

    /// The number types of the weights on disk: `F32`, `F16`, `BF16`.
    pub dtypes: Vec<String>,

    /// The tensors of the files that are no part of a language model, and are left out.
    pub left_out: Vec<String>,

    /// The size of the weights on disk, in bytes.
    pub n_bytes: u64,

    /// The device that computes: `cpu (2 threads)`, or the adapter's name and driver.
    pub device: String,

    /// The result of the adapter's self-test. `None` for the CPU, which adapters are compared with.
    pub verdict: Option<Verdict>,

    /// How long it took to open the model, in seconds.
    pub load_secs: f64,
    pub hash: WeightHash,
    pub numbers: NumberWatch,
}

/// The check that all weights are finite. `None` where no weights are open, as in a session without
/// its model.
#[derive(Debug, Default)]
pub struct NumberWatch(Option<Arc<NumberCheck>>);

/// The SHA-256 of each weight file, which is computed when it is first asked for, because that takes
/// as long as reading the model.
#[derive(Debug)]
pub struct WeightHash {
    /// The files to hash. `None` if the hashes are known already, as in a session.
    checkpoint: Option<Arc<Checkpoint>>,
    hashes: OnceLock<BTreeMap<String, String>>,
}

/// The steps of opening a model that take a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    TestingDevice,
    ReadingWeights,
}

/// Why a model cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Load(#[from] LoadError),

    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),

    #[error(transparent)]
    Verify(#[from] VerifyError),
}

impl EngineError {
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Load(LoadError::Cancelled(_)) | Self::Verify(VerifyError::Cancelled(_))
        )
    }
}

impl Engine {
    /// Opens a model folder, or a built-in model by its name. `stage` is told what takes a while.
    pub fn load(
        dir: &Path,
        device: DeviceChoice,
        ctx: &TaskCtx<'_>,
        stage: &dyn Fn(Stage),
    ) -> Result<Self, EngineError> {
        let start = Instant::now();
        let checkpoint = Arc::new(Checkpoint::open(dir)?);
        // Some checkpoints pad the vocabulary, and some tokenizers have tokens that the model lacks.
        let tokenizer = Tokenizer::from_dir(dir)?.for_rows(checkpoint.config.d_vocab);
        let verified = open_verified(device, ctx, &|| stage(Stage::TestingDevice))?;
        stage(Stage::ReadingWeights);
        let (model, check) = Transformer::open(&checkpoint, &verified.device, ctx)?;
        let check = Arc::new(check);
        let info = ModelInfo {
            name: checkpoint.name(),
            dir: dir.to_owned(),
            config: checkpoint.config,
            tokenizer: Arc::new(tokenizer),
            dtypes: checkpoint.dtypes(),
            left_out: checkpoint.left_out().to_vec(),
            n_bytes: checkpoint.n_bytes(),
            device: verified.device.to_string(),
            verdict: verified.verdict,
            load_secs: start.elapsed().as_secs_f64(),
            numbers: NumberWatch(Some(Arc::clone(&check))),
            hash: WeightHash { checkpoint: Some(checkpoint), hashes: OnceLock::new() },
        };
        let info = Arc::new(info);
        Ok(Self { info, edits: Vec::new(), model, steered: Vec::new(), check })
    }

    /// Reads all that opening reads but for the numbers: whether a model can be opened, before anything
    /// is given up for it.
    pub fn check(dir: &Path) -> Result<(), EngineError> {
        let checkpoint = Checkpoint::open(dir)?;
        _ = Tokenizer::from_dir(dir)?.for_rows(checkpoint.config.d_vocab);
        Ok(())
    }

    /// A copy of the model with edits made to it, one after the other. This model stays as it is, and
    /// the copy shares with it what is not edited.
    pub fn edited(
        &self,
        edits: &[ModelEdit],
        ctx: &AnalysisCtx<'_>,
    ) -> Result<Self, AnalysisError> {
        let mut edited = Self {
            info: Arc::clone(&self.info),
            edits: [&self.edits, edits].concat(),
            model: self.model.clone(),
            steered: self.steered.clone(),
            check: Arc::clone(&self.check),
        };
        for edit in edits {
            let model = &edited.model;
            match edit {
                ModelEdit::RankOne(spec) => {
                    let (_, update) = rank_one_edit::update(model, spec, ctx, &mut |_| ())?;
                    edited.model = update.apply(model);
                }
                ModelEdit::Steering(spec) => edited.steered.push(Steered {
                    layer: spec.layer,
                    positions: spec.positions.clone(),
                    vector: steering::vector(model, spec, ctx)?,
                }),
                ModelEdit::Processing(processing) => {
                    edited.model = model.clone().process(processing, &ctx.task)?;
                }
            }
        }
        Ok(edited)
    }

    /// The model that answers this prompt: with its steering at the tokens of the prompt.
    fn model_for(
        &self,
        prompt: &TokenizedPrompt,
        is_of_other_prompts: bool,
    ) -> Result<Transformer, AnalysisError> {
        let mut model = self.model.watched();
        for Steered { layer, positions, vector } in &self.steered {
            if *positions != Positions::All && is_of_other_prompts {
                return Err(AnalysisError::SteeredElsewhere);
            }
            model = steering::steered(&model, prompt, (*layer, positions, vector))?;
        }
        Ok(model)
    }

    /// Runs a method, unless it would take more memory than there is. Where the method needs an answer and the
    /// prompt has none, the model's own first guess is the answer, as in ROME.
    ///
    /// The result, whole or partial, is given out once all weights are known to be finite, and the
    /// whole one if all logits are.
    pub fn run(
        &self,
        prompt: &TokenizedPrompt,
        spec: &AnalysisSpec,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<AnalysisResult, AnalysisError> {
        spec.check()?;
        if ctx.memory == Memory::Checked {
            let need = self.info.memory_need(prompt, spec);
            if let Some(lack) = need.lack(SystemMemory::read().as_ref()) {
                let [need, lack] = [need.to_string(), lack.to_string()];
                return Err(AnalysisError::NoRoom { what: spec.name(), need, lack });
            }
        }
        let model = match spec.needs() {
            Needs::Weights => self.model.watched(),
            _ => self.model_for(prompt, spec.has_other_prompts())?,
        };
        self.checked(&model, prompt, ctx, |lab| spec.run(lab))
    }

    /// How likely each token is to follow a prompt, once all weights and logits are known to be finite.
    pub fn next_tokens(
        &self,
        prompt: &TokenizedPrompt,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<NextTokens, AnalysisError> {
        let model = self.model_for(prompt, false)?;
        self.checked(&model, prompt, ctx, NextTokens::after)
    }

    fn checked<T>(
        &self,
        model: &Transformer,
        prompt: &TokenizedPrompt,
        ctx: &AnalysisCtx<'_>,
        run: impl FnOnce(&Lab<'_>) -> Result<T, AnalysisError>,
    ) -> Result<T, AnalysisError> {
        let partial = |so_far| {
            if matches!(self.check.verdict(), Some(Ok(()))) && !model.has_failed_logits() {
                (ctx.partial)(so_far);
            }
        };
        let tokenizer = Some(&*self.info.tokenizer);
        let read_noise: &NoiseReader =
            &|file| noise_file::read_again(file).map_err(|error| error.to_string());
        let reporting = ctx.reporting(ctx.task.report);
        let own_ctx = AnalysisCtx { partial: &partial, tokenizer, read_noise, ..reporting };
        let found = model.guarded(|| run(&Lab { model, prompt, ctx: &own_ctx }));
        self.check.wait(&ctx.task.cancel)??;
        let found = found?;
        if model.has_finite_logits()? { Ok(found) } else { Err(AnalysisError::NotFinite) }
    }
}

/// The SHA-256 of each weight file of a model that is not open.
pub fn weights_sha256(dir: &Path) -> Result<BTreeMap<String, String>, LoadError> {
    Ok(Checkpoint::open(dir)?.sha256(&TaskCtx::unwatched())?)
}

impl NumberWatch {
    /// Whether all weights are finite. `None` while they are being checked. The error names the first
    /// that is not.
    pub fn verdict(&self) -> Option<Result<(), String>> {
        Some(self.0.as_ref()?.verdict()?.map_err(|error| error.to_string()))
    }
}

impl WeightHash {
    /// The hashes, if they are known already.
    pub fn known_already(&self) -> Option<&BTreeMap<String, String>> {
        self.hashes.get()
    }

    /// Hashes that are known already, of a model that need not be there any more.
    pub fn known(hashes: BTreeMap<String, String>) -> Self {
        Self { checkpoint: None, hashes: OnceLock::from(hashes) }
    }

    /// The hashes, which are computed at the first call and then remembered.
    pub fn get(&self, ctx: &TaskCtx<'_>) -> Result<&BTreeMap<String, String>, Cancelled> {
        if let Some(hashes) = self.hashes.get() {
            return Ok(hashes);
        }
        let hashes = self.checkpoint.as_ref().map(|it| it.sha256(ctx)).transpose()?;
        Ok(self.hashes.get_or_init(|| hashes.unwrap_or_default()))
    }
}
