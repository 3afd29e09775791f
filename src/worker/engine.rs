//! A model that is open, with its tokenizer: what runs a method, with or without a thread around.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::devices::{VerifyError, open_verified};
use crate::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, ModelEdit, NoiseReader, Positions,
    ablation, accumulated_resid, activation_patching, atp_star, attention, attention_knockout,
    attribution_difference, attribution_patching, causal_trace, circuit, comparison, composition,
    contribution_graph, corruption_bench, edge_attribution, edge_cut, generation, head_scores,
    logit_attribution, logit_lens, neuron_ablation, neuron_attribution, path_patching, prediction,
    rank_one_edit, residual_norms, source_attribution, steering, through_head, trace_average,
    trace_cell,
};
use crate::model::{
    Checkpoint, DeviceChoice, Gpt2, Gpt2Config, LoadError, NumberCheck, SecondMoment, Verdict,
};
use crate::noise_file;
use crate::task::{Cancelled, TaskCtx};
use crate::tokens::{Answer, TokenizedPrompt, Tokenizer, TokenizerError};

/// A model on a device.
#[derive(Debug)]
pub struct Engine {
    pub info: Arc<ModelInfo>,

    /// In what the model differs from the one on disk, in order.
    pub edits: Vec<ModelEdit>,
    model: Gpt2,
    steered: Vec<Steered>,

    /// No result leaves before it has passed.
    check: Arc<NumberCheck>,
}

/// What is added, where a prompt has these tokens.
#[derive(Clone, Debug)]
struct Steered {
    layer: usize,
    positions: Positions,
    vector: Vec<f32>,
}

/// What there is to know of an open model, without its tensors.
#[derive(Debug)]
pub struct ModelInfo {
    /// The folder's name.
    pub name: String,
    pub dir: PathBuf,
    pub config: Gpt2Config,
    pub tokenizer: Arc<Tokenizer>,

    /// Number types of the weights on disk: `F32`, `F16`, `BF16`.
    pub dtypes: Vec<String>,

    /// Size of the weights on disk.
    pub n_bytes: u64,

    /// What computes: `cpu (2 threads)`, or the adapter's name and driver.
    pub device: String,

    /// The adapter's self-test. Nothing for the CPU.
    pub verdict: Option<Verdict>,

    /// How long opening took.
    pub load_secs: f64,
    pub hash: WeightHash,
    pub numbers: NumberWatch,
}

/// Whether all numbers of the weights are finite. Nothing looks where there are no weights.
#[derive(Debug, Default)]
pub struct NumberWatch(Option<Arc<NumberCheck>>);

/// SHA-256 of each weight file, read when first asked for: it takes as long as reading the model.
#[derive(Debug)]
pub struct WeightHash {
    /// Nothing where the hashes were known before.
    checkpoint: Option<Arc<Checkpoint>>,
    hashes: OnceLock<BTreeMap<String, String>>,
}

/// What opening a model is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    TestingDevice,
    ReadingWeights,
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Load(#[from] LoadError),

    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),

    #[error(transparent)]
    Verify(#[from] VerifyError),

    #[error(
        "the tokenizer knows {n_tokens} tokens and the model {d_vocab}, so they do not belong \
         together: {dir}"
    )]
    Vocabulary { n_tokens: usize, d_vocab: usize, dir: PathBuf },
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
    pub fn load(
        dir: &Path,
        device: DeviceChoice,
        ctx: &TaskCtx<'_>,
        stage: &dyn Fn(Stage),
    ) -> Result<Self, EngineError> {
        let start = Instant::now();
        let checkpoint = Arc::new(Checkpoint::open(dir)?);
        let tokenizer = Tokenizer::from_dir(dir)?;
        let (n_tokens, d_vocab) = (tokenizer.n_vocab(), checkpoint.config.d_vocab);
        // Some checkpoints pad the vocabulary; the other way round there are ids without a row.
        if n_tokens > d_vocab {
            let dir = dir.to_owned();
            return Err(EngineError::Vocabulary { n_tokens, d_vocab, dir });
        }
        let verified = open_verified(device, ctx, &|| stage(Stage::TestingDevice))?;
        stage(Stage::ReadingWeights);
        let (model, check) = Gpt2::open(&checkpoint, &verified.device, ctx)?;
        let check = Arc::new(check);
        let info = ModelInfo {
            name: checkpoint.name(),
            dir: dir.to_owned(),
            config: checkpoint.config,
            tokenizer: Arc::new(tokenizer),
            dtypes: checkpoint.dtypes(),
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

    /// The same model with edits made to it, one after the other. This one stays as it is, and shares
    /// with it what is not edited.
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
                    let moment = self.second_moment(spec)?;
                    let (_, update) =
                        rank_one_edit::update(model, spec, moment.as_ref(), ctx, &mut |_| ())?;
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

    fn second_moment(
        &self,
        spec: &rank_one_edit::Spec,
    ) -> Result<Option<SecondMoment>, AnalysisError> {
        match &spec.covariance {
            rank_one_edit::Covariance::Identity => Ok(None),
            rank_one_edit::Covariance::File(path) => {
                Ok(Some(SecondMoment::load(path, self.info.config.d_mlp)?))
            }
        }
    }

    /// The model as it answers this prompt.
    fn model_for(
        &self,
        prompt: &TokenizedPrompt,
        spec: &AnalysisSpec,
    ) -> Result<Gpt2, AnalysisError> {
        let mut model = self.model.clone();
        if spec.is_of_weights() {
            return Ok(model);
        }
        for Steered { layer, positions, vector } in &self.steered {
            if *positions != Positions::All && spec.has_other_prompts() {
                return Err(AnalysisError::SteeredElsewhere);
            }
            model = steering::steered(&model, prompt, (*layer, positions, vector))?;
        }
        Ok(model)
    }

    /// Runs a method. Without an answer in the prompt, the model's own first guess is the answer,
    /// as in ROME.
    ///
    /// What it found, or found so far, is told once all numbers of the weights were looked at.
    pub fn run(
        &self,
        prompt: &TokenizedPrompt,
        spec: &AnalysisSpec,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<AnalysisResult, AnalysisError> {
        let partial = |so_far| {
            if matches!(self.check.verdict(), Some(Ok(()))) {
                (ctx.partial)(so_far);
            }
        };
        let task = TaskCtx { cancel: ctx.task.cancel.clone(), report: ctx.task.report };
        let tokenizer = Some(&*self.info.tokenizer);
        let read_noise: &NoiseReader =
            &|file| noise_file::read_again(file).map_err(|error| error.to_string());
        let own_ctx = AnalysisCtx { task, partial: &partial, tokenizer, read_noise, ..*ctx };
        let found = self.compute(prompt, spec, &own_ctx);
        self.check.wait(&ctx.task.cancel)??;
        found
    }

    #[expect(clippy::too_many_lines, reason = "the list of all that the program can do")]
    fn compute(
        &self,
        prompt: &TokenizedPrompt,
        spec: &AnalysisSpec,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<AnalysisResult, AnalysisError> {
        let model = &self.model_for(prompt, spec)?;
        Ok(match spec {
            AnalysisSpec::Prediction(spec) => {
                AnalysisResult::Prediction(prediction::prediction(model, prompt, *spec, ctx)?)
            }
            AnalysisSpec::CausalTrace(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                AnalysisResult::CausalTrace(causal_trace::causal_trace(model, &prompt, spec, ctx)?)
            }
            AnalysisSpec::CorruptionBench(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                let result = corruption_bench::corruption_bench(model, &prompt, spec, ctx)?;
                AnalysisResult::CorruptionBench(result)
            }
            AnalysisSpec::AttributionPatching(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                let result = attribution_patching::attribution_patching(model, &prompt, spec, ctx)?;
                AnalysisResult::AttributionPatching(result)
            }
            AnalysisSpec::LogitAttribution(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                let result = logit_attribution::logit_attribution(model, &prompt, *spec, ctx)?;
                AnalysisResult::LogitAttribution(result)
            }
            AnalysisSpec::LogitLens(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                AnalysisResult::LogitLens(logit_lens::logit_lens(model, &prompt, *spec, ctx)?)
            }
            AnalysisSpec::Attention(spec) => {
                AnalysisResult::Attention(attention::attention(model, prompt, spec, ctx)?)
            }
            AnalysisSpec::Ablation(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                AnalysisResult::Ablation(ablation::ablation(model, &prompt, spec, ctx)?)
            }
            AnalysisSpec::NeuronAblation(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                let result = neuron_ablation::neuron_ablation(model, &prompt, spec, ctx)?;
                AnalysisResult::NeuronAblation(result)
            }
            AnalysisSpec::AttentionKnockout(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                let result = attention_knockout::attention_knockout(model, &prompt, spec, ctx)?;
                AnalysisResult::AttentionKnockout(result)
            }
            AnalysisSpec::EdgeCut(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                AnalysisResult::EdgeCut(edge_cut::edge_cut(model, &prompt, spec, ctx)?)
            }
            AnalysisSpec::Comparison(spec) => {
                // Before its inverse is asked anything.
                spec.check()?;
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                let inverse = with_answer(&self.info, model, &spec.inverse, ctx)?;
                let spec = comparison::Spec { inverse, ..spec.clone() };
                AnalysisResult::Comparison(comparison::comparison(model, &prompt, &spec, ctx)?)
            }
            AnalysisSpec::Generation(spec) => {
                AnalysisResult::Generation(generation::generation(model, prompt, spec, ctx)?)
            }
            AnalysisSpec::RankOneEdit(spec) => {
                let moment = self.second_moment(spec)?;
                let moment = moment.as_ref();
                let result = rank_one_edit::rank_one_edit(model, prompt, spec, moment, ctx)?;
                AnalysisResult::RankOneEdit(result)
            }
            AnalysisSpec::Steering(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                AnalysisResult::Steering(steering::steering(model, &prompt, spec, ctx)?)
            }
            AnalysisSpec::TraceCell(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                AnalysisResult::TraceCell(trace_cell::trace_cell(model, &prompt, spec, ctx)?)
            }
            AnalysisSpec::TraceAverage(spec) => {
                AnalysisResult::TraceAverage(trace_average::trace_average(model, spec, ctx)?)
            }
            AnalysisSpec::ActivationPatching(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                let donor = Arc::new(with_answer(&self.info, model, &spec.donor, ctx)?);
                let spec = activation_patching::Spec { donor, ..spec.clone() };
                let result = activation_patching::activation_patching(model, &prompt, &spec, ctx)?;
                AnalysisResult::ActivationPatching(result)
            }
            AnalysisSpec::PathPatching(spec) => {
                let mut prompt = with_answer(&self.info, model, prompt, ctx)?;
                if prompt.foil.is_none() {
                    prompt.foil.clone_from(&spec.donor.answer);
                }
                let result = path_patching::path_patching(model, &prompt, spec, ctx)?;
                AnalysisResult::PathPatching(result)
            }
            AnalysisSpec::AtpStar(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                AnalysisResult::AtpStar(atp_star::atp_star(model, &prompt, spec, ctx)?)
            }
            AnalysisSpec::EdgeAttribution(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                let result = edge_attribution::edge_attribution(model, &prompt, spec, ctx)?;
                AnalysisResult::EdgeAttribution(result)
            }
            AnalysisSpec::NeuronAttribution(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                let result = neuron_attribution::neuron_attribution(model, &prompt, *spec, ctx)?;
                AnalysisResult::NeuronAttribution(result)
            }
            AnalysisSpec::SourceAttribution(source_attribution::Spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                let result = source_attribution::source_attribution(model, &prompt, ctx)?;
                AnalysisResult::SourceAttribution(result)
            }
            AnalysisSpec::AttributionDifference(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                let result =
                    attribution_difference::attribution_difference(model, &prompt, spec, ctx)?;
                AnalysisResult::AttributionDifference(result)
            }
            AnalysisSpec::ThroughHead(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                AnalysisResult::ThroughHead(through_head::through_head(model, &prompt, *spec, ctx)?)
            }
            AnalysisSpec::ResidualNorms(residual_norms::Spec) => {
                AnalysisResult::ResidualNorms(residual_norms::residual_norms(model, prompt, ctx)?)
            }
            AnalysisSpec::AccumulatedResid(spec) => {
                let prompt = with_answer(&self.info, model, prompt, ctx)?;
                let result = accumulated_resid::accumulated_resid(model, &prompt, *spec, ctx)?;
                AnalysisResult::AccumulatedResid(result)
            }
            AnalysisSpec::ContributionGraph(spec) => {
                let result = contribution_graph::contribution_graph(model, prompt, *spec, ctx)?;
                AnalysisResult::ContributionGraph(result)
            }
            AnalysisSpec::HeadScores(spec) => {
                AnalysisResult::HeadScores(head_scores::head_scores(model, prompt, *spec, ctx)?)
            }
            AnalysisSpec::Circuit(spec) => {
                AnalysisResult::Circuit(circuit::circuit(model, spec, ctx)?)
            }
            AnalysisSpec::Composition(spec) => {
                AnalysisResult::Composition(composition::composition(model, spec, ctx)?)
            }
        })
    }
}

fn with_answer(
    info: &ModelInfo,
    model: &Gpt2,
    prompt: &TokenizedPrompt,
    ctx: &AnalysisCtx<'_>,
) -> Result<TokenizedPrompt, AnalysisError> {
    let mut prompt = prompt.clone();
    if prompt.answer.is_none() {
        let spec = prediction::Spec { n_top: 1 };
        let id = prediction::prediction(model, &prompt, spec, ctx)?.top[0].id;
        let text = info.tokenizer.piece(id);
        prompt.answer = Some(Answer { pieces: vec![text.clone()], text, ids: vec![id] });
    }
    Ok(prompt)
}

/// The hashes of a model that is not opened.
pub fn weights_sha256(dir: &Path) -> Result<BTreeMap<String, String>, LoadError> {
    Ok(Checkpoint::open(dir)?.sha256(&TaskCtx::unwatched())?)
}

impl NumberWatch {
    /// Nothing while they are being looked at. The error names the first that is not finite.
    pub fn verdict(&self) -> Option<Result<(), String>> {
        Some(self.0.as_ref()?.verdict()?.map_err(|error| error.to_string()))
    }
}

impl WeightHash {
    /// Nothing before anybody has asked for it.
    pub fn known_already(&self) -> Option<&BTreeMap<String, String>> {
        self.hashes.get()
    }

    /// Of a model that need not be there any more.
    pub fn known(hashes: BTreeMap<String, String>) -> Self {
        Self { checkpoint: None, hashes: OnceLock::from(hashes) }
    }

    /// Computed at the first call, remembered after.
    pub fn get(&self, ctx: &TaskCtx<'_>) -> Result<&BTreeMap<String, String>, Cancelled> {
        if let Some(hashes) = self.hashes.get() {
            return Ok(hashes);
        }
        let hashes = self.checkpoint.as_ref().map(|it| it.sha256(ctx)).transpose()?;
        Ok(self.hashes.get_or_init(|| hashes.unwrap_or_default()))
    }
}
