//! Names for token positions that fit any prompt, such as the subject or the last token.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::analysis::AnalysisError;
use crate::analysis::error::at_least_one;
use crate::tokens::TokenizedPrompt;

/// Token positions by their role, so that one spec fits a fact, its inverse and a whole dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Positions {
    /// Every token of the prompt.
    All,

    /// The subject's tokens.
    Subject,

    /// Every token before the last that is not the subject's, BOS included. Geva et al. 2023 call
    /// them the relation's.
    NonSubject,

    /// The last token, which predicts the answer.
    Last,

    /// These positions, counted from 0.
    Only(Range<usize>),
}

impl Positions {
    /// The positions in a prompt, as ranges in order, none of them empty. Without such tokens there
    /// is no range.
    pub fn ranges(&self, prompt: &TokenizedPrompt) -> Result<Vec<Range<usize>>, AnalysisError> {
        let subject = || prompt.subject.clone().ok_or(AnalysisError::NoSubject);
        let (n_pos, last) = (prompt.n_pos(), prompt.last());
        let (range, more) = match self {
            Self::All => (0..n_pos, 0..0),
            Self::Subject => (subject()?, 0..0),
            Self::NonSubject => {
                let subject = subject()?;
                (0..subject.start.min(last), subject.end..last)
            }
            Self::Last => (last..n_pos, 0..0),
            Self::Only(range) => {
                at_least_one("the number of tokens", range.len())?;
                if range.end > n_pos {
                    return Err(AnalysisError::NoPosition { pos: range.end - 1, n_pos });
                }
                (range.clone(), 0..0)
            }
        };
        Ok([range, more].into_iter().filter(|range| !range.is_empty()).collect())
    }
}

/// Written as it is typed: `subject`, `7`, `3..6`.
impl fmt::Display for Positions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Subject => f.write_str("subject"),
            Self::NonSubject => f.write_str("non-subject"),
            Self::Last => f.write_str("last"),
            Self::Only(range) if range.len() == 1 => write!(f, "{}", range.start),
            Self::Only(range) => write!(f, "{}..{}", range.start, range.end),
        }
    }
}

/// A text names no positions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` names no tokens; give `all`, `subject`, `non-subject`, `last`, one position such as `3`, \
     or a range such as `3..6`, which leaves out its end"
)]
pub struct UnknownPositions(String);

impl FromStr for Positions {
    type Err = UnknownPositions;

    fn from_str(text: &str) -> Result<Self, UnknownPositions> {
        let unknown = || UnknownPositions(text.to_owned());
        let number = |text: &str| text.parse::<usize>().ok().ok_or_else(unknown);
        match text {
            "all" => return Ok(Self::All),
            "subject" => return Ok(Self::Subject),
            "non-subject" => return Ok(Self::NonSubject),
            "last" => return Ok(Self::Last),
            _ => {}
        }
        let range = if let Some((start, end)) = text.split_once("..") {
            number(start)?..number(end)?
        } else {
            let start = number(text)?;
            start..start + 1
        };
        if range.is_empty() { Err(unknown()) } else { Ok(Self::Only(range)) }
    }
}
