//! What a change of the model reaches: prompts that are asked before and after it.
//!
//! Meng et al. 2022 ask the fact itself, the fact in other words, and facts nearby. The inverse of a fact
//! tells more: a fact that is stored once would change with its inverse (Berglund et al. 2023).

use serde::{Deserialize, Serialize};

use crate::analysis::prediction::{self, Candidate};
use crate::analysis::{AnalysisError, Lab, Method as _};
use crate::model::Transformer;
use crate::tokens::{Answer, TokenizedPrompt};

/// A prompt that is asked before and after a change. Its answer is the new one, if it has one after the
/// change, and its foil the right one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    pub kind: PromptKind,
    pub prompt: TokenizedPrompt,
}

/// How a prompt that is asked relates to the fact that is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptKind {
    /// The prompt of the fact.
    Prompt,

    /// A paraphrase of the fact, whose answer should change too.
    Paraphrase,

    /// A fact of another subject with the same answer, which should not change.
    Neighbourhood,

    /// The inverse asked from the old answer. Its right answer, the subject, is the old one, and there is
    /// no new one.
    InverseOfOld,

    /// The inverse asked from the new answer. The subject is the new answer, and the old one is what the
    /// dataset has.
    InverseOfNew,
}

/// What the model answers to one prompt before and after the change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub kind: PromptKind,
    pub text: String,
    pub before: Answers,
    pub after: Answers,
}

/// What a model answers to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// The likeliest next token.
    pub top: Candidate,

    /// The new answer. `None` if the prompt has none.
    #[serde(default)]
    pub new: Option<Belief>,

    /// The right answer before the change. `None` if it is not known.
    pub old: Option<Belief>,
}

/// How likely a model finds an answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    /// The probability of the first token, 0 to 1.
    pub prob: f32,

    /// The natural logarithm of `prob`, also where that is too small for a number. `None` in results of
    /// earlier programs.
    #[serde(default)]
    pub log_prob: Option<f32>,

    /// The rank of the first token, counted from 0, the most likely token. `None` in results of earlier
    /// programs.
    #[serde(default)]
    pub rank: Option<u32>,

    /// The mean log-probability of all tokens, by which ROME compares answers.
    pub mean_log_prob: f32,
}

/// Refuses prompts whose tokens do not belong together, as a file that was edited by hand may have them.
pub(in crate::analysis) fn check(asked: &[Asked]) -> Result<(), AnalysisError> {
    match asked.iter().find(|it| !it.prompt.is_whole()) {
        Some(torn) => Err(AnalysisError::Torn { text: torn.prompt.text.clone() }),
        None => Ok(()),
    }
}

/// Asks prompts before and after a change. `changed`: the model as it is changed for a prompt.
pub(super) fn told(
    asked: &[Asked],
    lab: &Lab<'_>,
    changed: &dyn Fn(&TokenizedPrompt) -> Result<Transformer, AnalysisError>,
) -> Result<Vec<Told>, AnalysisError> {
    let tell = |Asked { kind, prompt }: &Asked| {
        let before = answers(&Lab { prompt, ..*lab })?;
        let after = answers(&Lab { model: &changed(prompt)?, prompt, ctx: lab.ctx })?;
        Ok(Told { kind: *kind, text: prompt.text.clone(), before, after })
    };
    asked.iter().map(tell).collect()
}

fn answers(lab: &Lab<'_>) -> Result<Answers, AnalysisError> {
    let prompt = lab.prompt;
    let show = prediction::Spec { n_top: 1 };
    let plain = TokenizedPrompt { answer: None, foil: None, ..prompt.clone() };
    let belief = |answer: &Answer| {
        let prompt = TokenizedPrompt { answer: Some(answer.clone()), ..plain.clone() };
        let found = show.run(&Lab { prompt: &prompt, ..*lab })?;
        let measured = found.answer.ok_or(AnalysisError::NoAnswer)?;
        let mean_log_prob = measured.answer_log_prob / answer.ids.len() as f32;
        let (log_prob, rank) = (Some(measured.log_prob), Some(measured.rank));
        let belief = Belief { prob: measured.prob, log_prob, rank, mean_log_prob };
        Ok::<_, AnalysisError>((found.top[0], belief))
    };
    let new = prompt.answer.as_ref().map(belief).transpose()?;
    let old = prompt.foil.as_ref().map(belief).transpose()?;
    let top = match new.or(old) {
        Some((top, _)) => top,
        None => show.run(&Lab { prompt: &plain, ..*lab })?.top[0],
    };
    Ok(Answers { top, new: new.map(|it| it.1), old: old.map(|it| it.1) })
}
