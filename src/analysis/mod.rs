//! What we measure. Each file is one method from the literature: a `Spec` in, a result out.
//!
//! Specs and results are plain data. A method plans its conditions as data too, and leaves running
//! them to [`sweep()`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub mod ablation;
pub mod activation_patching;
mod agreement;
pub mod atp_star;
pub mod accumulated_resid;
pub mod attention;
pub mod attention_knockout;
pub mod attribution_difference;
pub mod attribution_patching;
pub mod causal_trace;
pub mod circuit;
pub mod comparison;
mod contrast;
pub mod composition;
pub mod contribution_graph;
pub mod corruption;
pub mod corruption_bench;
mod donors;
pub mod edge_attribution;
pub mod edge_cut;
pub mod effects;
mod estimate;
pub mod generation;
mod given_noise;
mod grid;
pub mod head_scores;
mod known;
mod largest;
pub mod localisation;
pub mod logit_attribution;
pub mod logit_lens;
mod logit_split;
mod measurement;
mod model_edit;
mod objective;
mod pairing;
mod parts;
pub mod path_patching;
pub mod neuron_ablation;
pub mod neuron_attribution;
mod positions;
pub mod prediction;
pub mod rank_one_edit;
pub mod residual_norms;
pub mod running_sum;
pub mod source_attribution;
mod statistics;
pub mod steering;
mod sweep;
pub mod through_head;
pub mod trace_average;
pub mod trace_cell;
mod trace_map;

pub use agreement::Agreement;
pub use comparison::Role;
pub use contrast::Contrast;
pub use estimate::Estimate;
pub use given_noise::{GivenNoise, NoiseFile, NoiseReader, NoiseShapeError};
pub use grid::Grid;
pub use measurement::{Measurement, Metric};
pub use model_edit::ModelEdit;
pub use pairing::{Pair, UnknownPair};
pub use parts::{HeadInput, Receiver, Sender, UnknownPart};
pub use positions::{Positions, UnknownPositions};
pub use sweep::{Reuse, sweep};

use crate::model::{DeviceFailed, NotFinite, SecondMomentError};
use crate::task::{Cancelled, TaskCtx};
use crate::tokens::Tokenizer;

/// Which method to run. Closed on purpose: the match in `worker::engine` is the list of all that
/// the program can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "there are a few at a time")]
pub enum AnalysisSpec {
    Prediction(prediction::Spec),
    CausalTrace(causal_trace::Spec),
    TraceCell(trace_cell::Spec),
    TraceAverage(trace_average::Spec),
    AttributionPatching(attribution_patching::Spec),
    LogitAttribution(logit_attribution::Spec),
    LogitLens(logit_lens::Spec),
    Attention(attention::Spec),
    Ablation(ablation::Spec),
    NeuronAblation(neuron_ablation::Spec),
    AttentionKnockout(attention_knockout::Spec),
    EdgeCut(edge_cut::Spec),
    Comparison(comparison::Spec),
    Generation(generation::Spec),
    RankOneEdit(rank_one_edit::Spec),
    Steering(steering::Spec),
    ActivationPatching(activation_patching::Spec),
    PathPatching(path_patching::Spec),
    AtpStar(atp_star::Spec),
    EdgeAttribution(edge_attribution::Spec),
    NeuronAttribution(neuron_attribution::Spec),
    SourceAttribution(source_attribution::Spec),
    AttributionDifference(attribution_difference::Spec),
    ThroughHead(through_head::Spec),
    ResidualNorms(residual_norms::Spec),
    AccumulatedResid(accumulated_resid::Spec),
    ContributionGraph(contribution_graph::Spec),
    HeadScores(head_scores::Spec),
    CorruptionBench(corruption_bench::Spec),

    /// Of the weights alone, whatever the prompt.
    Circuit(circuit::Spec),

    /// Of the weights alone, whatever the prompt.
    Composition(composition::Spec),
}

/// What a method found: plain numbers and text, no tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "there are a few at a time")]
pub enum AnalysisResult {
    Prediction(prediction::Prediction),
    CausalTrace(causal_trace::CausalTrace),
    TraceCell(trace_cell::TraceCell),
    TraceAverage(trace_average::TraceAverage),
    AttributionPatching(attribution_patching::AttributionPatching),
    LogitAttribution(logit_attribution::LogitAttribution),
    LogitLens(logit_lens::LogitLens),
    Attention(attention::Attention),
    Ablation(ablation::Ablation),
    NeuronAblation(neuron_ablation::NeuronAblation),
    AttentionKnockout(attention_knockout::AttentionKnockout),
    EdgeCut(edge_cut::EdgeCut),
    Comparison(comparison::Comparison),
    Generation(generation::Generation),
    RankOneEdit(rank_one_edit::RankOneEdit),
    Steering(steering::Steering),
    ActivationPatching(activation_patching::ActivationPatching),
    PathPatching(path_patching::PathPatching),
    AtpStar(atp_star::AtpStar),
    EdgeAttribution(edge_attribution::EdgeAttribution),
    NeuronAttribution(neuron_attribution::NeuronAttribution),
    SourceAttribution(source_attribution::SourceAttribution),
    AttributionDifference(attribution_difference::AttributionDifference),
    ThroughHead(through_head::ThroughHead),
    ResidualNorms(residual_norms::ResidualNorms),
    AccumulatedResid(accumulated_resid::AccumulatedResid),
    ContributionGraph(contribution_graph::ContributionGraph),
    HeadScores(head_scores::HeadSummary),
    CorruptionBench(corruption_bench::CorruptionBench),
    Circuit(circuit::CircuitReading),
    Composition(composition::Composition),
}

/// What is asked and what is found are of the same methods, so both are named here.
macro_rules! kinds {
    ($($method:ident => $name:literal,)*) => {
        impl AnalysisSpec {
            /// The method, in a word or two.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$method(_) => $name,)* }
            }
        }

        impl AnalysisResult {
            /// As [`AnalysisSpec::kind`].
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$method(_) => $name,)* }
            }
        }
    };
}

kinds! {
    Prediction => "prediction",
    CausalTrace => "causal trace",
    CorruptionBench => "corruption bench",
    TraceCell => "trace cell",
    TraceAverage => "trace average",
    AttributionPatching => "attribution patching",
    LogitAttribution => "logit attribution",
    LogitLens => "logit lens",
    Attention => "attention",
    Ablation => "ablation",
    NeuronAblation => "neuron ablation",
    AttentionKnockout => "attention knockout",
    EdgeCut => "edge cut",
    Comparison => "comparison",
    Generation => "generation",
    RankOneEdit => "rank-one edit",
    Steering => "steering",
    ActivationPatching => "activation patching",
    PathPatching => "path patching",
    AtpStar => "AtP*",
    EdgeAttribution => "edge attribution",
    NeuronAttribution => "neuron attribution",
    SourceAttribution => "source attribution",
    AttributionDifference => "attribution difference",
    ThroughHead => "attribution through a head",
    ResidualNorms => "residual norms",
    AccumulatedResid => "accumulated residual",
    ContributionGraph => "contribution graph",
    HeadScores => "head scores",
    Circuit => "circuit",
    Composition => "composition",
}

/// Why a method gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnalysisError {
    #[error(transparent)]
    Cancelled(#[from] Cancelled),

    #[error(transparent)]
    Device(#[from] DeviceFailed),

    #[error("{0}; nothing that the model says can be trusted")]
    NotFinite(#[from] NotFinite),

    #[error("no subject is marked in the prompt, so none of its tokens can be changed")]
    NoSubject,

    #[error(
        "only traces that restore clean activations token by token, with nothing severed, are \
         estimated"
    )]
    NotEstimated,

    #[error("`{}` has no slope, so its effects cannot be estimated", .0.key())]
    NoSlope(Metric),

    #[error("only attention is split by heads")]
    NoHeads,

    #[error("this corruption is the same each time; ask for 1 sample")]
    SameEachTime,

    #[error(
        "noise per dimension is measured on two tokens or more: give it as a multiple of the \
         subjects' spread, such as 3s, not as one number"
    )]
    NoSpread,

    #[error("tokens cannot be chosen without the model's tokenizer")]
    NoTokenizer,

    #[error("a subject of {n_other} tokens cannot stand in place of one of {n_subject}")]
    OtherCount { n_subject: usize, n_other: usize },

    #[error(
        "there are {n_found} other subjects of as many tokens, fewer than the {n_samples} samples; \
         ask for at most {n_found}"
    )]
    FewSubjects { n_found: usize, n_samples: usize },

    #[error("{0}")]
    NoiseShape(NoiseShapeError),

    /// The message is for the user.
    #[error("{0}")]
    NoiseFile(String),

    #[error(
        "the noise file has {n_found} samples, fewer than the {n_samples} asked for; ask for at \
         most {n_found}"
    )]
    FewNoises { n_found: usize, n_samples: usize },

    #[error("there is no answer to measure")]
    NoAnswer,

    #[error("only the cells of a trace of single tokens are looked into")]
    NotOneToken,

    #[error("only traces of single tokens are compared")]
    NotCompared,

    #[error("only traces of single tokens are averaged")]
    NotAveraged,

    #[error("traces are compared that restore or corrupt the same, in the same windows")]
    OtherTrace,

    #[error(
        "the models have {} and {} layers, and a window of layers, restored or severed, is another \
         part of each; restore hidden states, with all layers severed or none, whose difference is \
         taken by depth, or look at both maps side by side, in the same scale",
        n_layers[0],
        n_layers[1]
    )]
    OtherDepth { n_layers: [usize; 2] },

    #[error("hidden states are restored one at a time: the only window is 1")]
    NoWindow,

    #[error("{what} is asked for twice")]
    Twice { what: String },

    #[error("the tokens, subject and answer of the prompt “{text}” do not belong together")]
    Torn { text: String },

    #[error("a logit difference needs a foil, and the prompt has none")]
    NoFoil,

    #[error("the prompt with its answer has {n_pos} tokens, and the model takes {n_ctx}")]
    TooLong { n_pos: usize, n_ctx: usize },

    #[error("token {id} is not in the model's vocabulary of {d_vocab}")]
    UnknownToken { id: u32, d_vocab: usize },

    #[error("there is no {what} {index}; the model has {n}, counted from 0")]
    OutOfRange { what: &'static str, index: usize, n: usize },

    #[error("{what} must be at least 1")]
    Zero { what: &'static str },

    #[error("{what} must be {bounds}")]
    OutOfBounds { what: &'static str, bounds: &'static str },

    /// The message is for the user.
    #[error("{0}")]
    SecondMoment(String),

    #[error(
        "the model is steered at some tokens of the prompt, and other prompts have others; steer it \
         at all tokens instead"
    )]
    SteeredElsewhere,

    #[error(
        "what the MLP of layer {layer}, the last, writes at the subject is read nowhere where the \
         answer is; edit an earlier one"
    )]
    NotRead { layer: usize },

    #[error("there is no token {pos}; the prompt has {n_pos}, counted from 0")]
    NoPosition { pos: usize, n_pos: usize },

    #[error(
        "the prompt has {n_pos} tokens and the one to resample from {n_other}; choose one of the \
         same length"
    )]
    OtherLength { n_pos: usize, n_other: usize },

    #[error("the two prompts are the same, so there is nothing to compare")]
    SamePrompt,

    #[error("the logits cannot be told beside other receivers: they follow from all of them")]
    LogitsAmongOthers,

    #[error("token {pos} would be given two activations at once; name it once")]
    PairedTwice { pos: usize },

    #[error("token {query} cannot look at token {key}, which comes after it")]
    LaterKey { query: usize, key: usize },

    #[error("token {pos} would have nothing left to look at; cut it off from fewer tokens")]
    NothingToLookAt { pos: usize },
}

impl From<SecondMomentError> for AnalysisError {
    fn from(error: SecondMomentError) -> Self {
        match error {
            SecondMomentError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            other => Self::SecondMoment(other.to_string()),
        }
    }
}

/// What a method may say while it runs.
pub struct AnalysisCtx<'a> {
    pub task: TaskCtx<'a>,

    /// Takes what has been found so far.
    pub partial: &'a dyn Fn(AnalysisResult),

    /// The same numbers up to rounding, sooner or later.
    pub reuse: Reuse,

    /// Found by the same model before, whole or in part. What is asked again of it is not computed
    /// again, unless nothing is to be reused.
    pub earlier: &'a [Arc<AnalysisResult>],

    /// To choose tokens, and to show them. [`Engine::run`](crate::worker::Engine::run) brings its
    /// own.
    pub tokenizer: Option<&'a Tokenizer>,

    /// Reads noise that is given as a file. [`Engine::run`](crate::worker::Engine::run) brings its
    /// own.
    pub read_noise: &'a NoiseReader,
}

impl AnalysisCtx<'_> {
    /// Nobody watches, and nobody can stop it.
    pub fn unwatched() -> Self {
        Self {
            task: TaskCtx::unwatched(),
            partial: &|_| (),
            reuse: Reuse::Exact,
            earlier: &[],
            tokenizer: None,
            read_noise: &|_| Err("no file is read here".to_owned()),
        }
    }
}
