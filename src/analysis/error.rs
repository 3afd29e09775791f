//! The reasons why a method gives no result.

use std::path::PathBuf;

use crate::analysis::Metric;
use crate::model::{DeviceFailed, SecondMomentError, UnfitWeights};
use crate::task::Cancelled;

/// Why a method gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnalysisError {
    #[error(transparent)]
    Cancelled(#[from] Cancelled),

    #[error(transparent)]
    Device(#[from] DeviceFailed),

    #[error("{0}; no result of the model can be trusted")]
    Unfit(#[from] UnfitWeights),

    #[error(
        "{what} would take {need}, and {lack}; ask it of a shorter prompt, or for fewer layers, draws or \
         conditions; commands go on all the same with --ignore-memory"
    )]
    NoRoom { what: &'static str, need: String, lack: String },

    #[error(
        "the model's logits are not finite, as where its numbers get too large for 32 bits; no result \
         of the model can be trusted"
    )]
    NotFinite,

    #[error("no subject is marked in the prompt, so none of its tokens can be changed")]
    NoSubject,

    #[error(
        "only traces that restore clean activations token by token, with nothing severed, can be \
         estimated"
    )]
    NotEstimated,

    #[error("`{}` has no slope, so its effects cannot be estimated", .0.key())]
    NoSlope(Metric),

    #[error("only attention can be split by heads")]
    NoHeads,

    #[error("this corruption is the same in every sample; ask for 1 sample")]
    SameEachTime,

    #[error(
        "noise per dimension needs a spread measured on at least two tokens; give the noise as a \
         multiple of the subjects' spread, such as 3s, not as one number"
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

    #[error(
        "the noise has the shape ({n}, {tokens}, {width}), but here it must be \
         ({n}, {n_subject}, {d_model}): {remedy}: {path}",
        n = found[0], tokens = found[1], width = found[2]
    )]
    NoiseShape {
        found: [usize; 3],
        n_subject: usize,
        d_model: usize,
        remedy: String,
        path: PathBuf,
    },

    /// Why a file that the method reads cannot be used, in words for the user.
    #[error("{0}")]
    File(String),

    #[error(
        "the noise file has {n_found} samples, fewer than the {n_samples} asked for; ask for at \
         most {n_found}"
    )]
    FewNoises { n_found: usize, n_samples: usize },

    #[error("there is no answer to measure")]
    NoAnswer,

    #[error("only traces of single tokens can be {done}")]
    NotOfTokens { done: &'static str },

    #[error(
        "two traces can be compared only if they restore or corrupt the same part in the same windows"
    )]
    OtherTrace,

    #[error(
        "the models have {} and {} layers, and a window of layers, restored or severed, is another \
         part of each; restore hidden states, with all layers severed or none, whose difference is \
         taken by depth, or look at both maps side by side, in the same scale",
        n_layers[0],
        n_layers[1]
    )]
    OtherDepth { n_layers: [usize; 2] },

    #[error("hidden states are restored one layer at a time, so the window must be 1")]
    NoWindow,

    #[error("{what} is named twice")]
    Twice { what: String },

    #[error("the tokens, subject and answer of the prompt “{text}” do not belong together")]
    Torn { text: String },

    #[error("the spec names no layer, so it cannot be asked at others")]
    NoLayer,

    #[error("a logit difference needs a foil, but the prompt has none")]
    NoFoil,

    #[error(
        "the prompt with its answer has {n_pos} tokens, but the model takes at most {n_ctx}: it was made \
         for no more positions, and what it says beyond them means nothing"
    )]
    TooLong { n_pos: usize, n_ctx: usize },

    #[error("token {id} is not in the model's vocabulary of {d_vocab}")]
    UnknownToken { id: u32, d_vocab: usize },

    #[error("there is no {what} {index}; the model has {n}, counted from 0")]
    OutOfRange { what: &'static str, index: usize, n: usize },

    #[error("{what} must be at least 1")]
    Zero { what: &'static str },

    #[error("{what} is {n}, and at most {most} can be asked for at once; ask for fewer")]
    TooMany { what: &'static str, n: usize, most: usize },

    #[error("{what} must be {bounds}")]
    OutOfBounds { what: &'static str, bounds: &'static str },

    #[error(
        "the model is steered at some tokens of the prompt, which other prompts do not have; steer it \
         at all tokens instead"
    )]
    SteeredElsewhere,

    #[error(
        "layer {layer} is the last, so what its MLP writes at the subject cannot reach the answer; edit \
         an earlier layer"
    )]
    NotRead { layer: usize },

    #[error("there is no token {pos}; the prompt has {n_pos}, counted from 0")]
    NoPosition { pos: usize, n_pos: usize },

    #[error(
        "the prompt has {n_pos} tokens, but the prompt to resample from has {n_other}; choose one of \
         the same length"
    )]
    OtherLength { n_pos: usize, n_other: usize },

    #[error("the two prompts are the same, so there is nothing to compare")]
    SamePrompt,

    #[error("the logits cannot be a receiver beside others, because they depend on all of them")]
    LogitsAmongOthers,

    #[error("token {pos} would get two activations; name it once")]
    PairedTwice { pos: usize },

    #[error("token {query} cannot attend to token {key}, which comes after it")]
    LaterKey { query: usize, key: usize },

    /// Tokens from `first_key` on to the token itself are all that it sees.
    #[error(
        "token {pos} would have no token left to attend to in layer {layer}, where it {}; leave it at \
         least one of these",
        seen(*.pos, *.first_key)
    )]
    NoKeyLeft { pos: usize, layer: usize, first_key: usize },
}

impl AnalysisError {
    /// Whether the reason lies in the fact that was asked, so that others may be asked all the same.
    pub fn is_of_one_fact(&self) -> bool {
        use AnalysisError::{Cancelled, Device, NoLayer, NoRoom, Unfit};
        !matches!(self, Cancelled(_) | Device(_) | Unfit(_) | NoLayer | NoRoom { .. })
    }
}

impl From<SecondMomentError> for AnalysisError {
    fn from(error: SecondMomentError) -> Self {
        match error {
            SecondMomentError::Cancelled(cancelled) => Self::Cancelled(cancelled),
            other => Self::File(other.to_string()),
        }
    }
}

/// What a token sees, in words.
fn seen(pos: usize, first_key: usize) -> String {
    let tokens = match pos - first_key {
        0 => format!("token {pos} alone"),
        _ => format!("tokens {first_key} to {pos}"),
    };
    match (first_key, pos - first_key + 1) {
        (0, _) => format!("sees {tokens}"),
        (_, n_keys) => format!("sees {tokens}, by the model's sliding window of {n_keys}"),
    }
}

/// Fails if a number is 0. `what` names it in the message.
pub(in crate::analysis) fn at_least_one(what: &'static str, n: usize) -> Result<(), AnalysisError> {
    if n == 0 { Err(AnalysisError::Zero { what }) } else { Ok(()) }
}

/// The most draws, steps or sequences that are asked for at once. What literature asks for is far below,
/// and a list of so many still fits into any machine, also where the system does not say how large it is.
const MOST_DRAWS: usize = 100_000;

/// Fails for no draws, and for more than can be asked for at once. `what` names their number in the message.
pub(in crate::analysis) fn countable(what: &'static str, n: usize) -> Result<(), AnalysisError> {
    at_least_one(what, n)?;
    at_most(what, n, MOST_DRAWS)
}

/// Fails for more than `most`. `what` names the number in the message.
pub(in crate::analysis) fn at_most(
    what: &'static str,
    n: usize,
    most: usize,
) -> Result<(), AnalysisError> {
    if n > most { Err(AnalysisError::TooMany { what, n, most }) } else { Ok(()) }
}

/// Fails unless `index` is one of `n`. `what` names it in the message.
pub(in crate::analysis) fn index_below(
    what: &'static str,
    index: usize,
    n: usize,
) -> Result<(), AnalysisError> {
    if index < n { Ok(()) } else { Err(AnalysisError::OutOfRange { what, index, n }) }
}
