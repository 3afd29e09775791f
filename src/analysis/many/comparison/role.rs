use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tokens::{Bos, TokenizedPrompt};

/// What a token is to its prompt. Meng et al. 2022, figure 2, pool over these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    Bos,

    /// Before the subject; every token but the last where no subject is marked.
    Before,
    SubjectFirst,
    SubjectMiddle,

    /// Also a subject's only token.
    SubjectLast,

    /// The token after the subject.
    After,

    /// Further tokens after the subject.
    Further,

    /// The token that predicts the answer, whatever else it is.
    Last,
}

impl Role {
    /// # Panics
    ///
    /// If the prompt has no such position.
    pub fn of(prompt: &TokenizedPrompt, pos: usize) -> Self {
        assert!(pos < prompt.n_pos(), "there is no such position");
        if pos == prompt.last() {
            return Self::Last;
        }
        if pos == 0 && prompt.bos == Bos::On {
            return Self::Bos;
        }
        let Some(subject) = &prompt.subject else { return Self::Before };
        match pos {
            _ if pos < subject.start => Self::Before,
            _ if pos == subject.end => Self::After,
            _ if pos > subject.end => Self::Further,
            _ if pos + 1 == subject.end => Self::SubjectLast,
            _ if pos == subject.start => Self::SubjectFirst,
            _ => Self::SubjectMiddle,
        }
    }

    /// Whether it is the subject, or a part of it.
    pub fn is_subject(self) -> bool {
        matches!(self, Self::SubjectFirst | Self::SubjectMiddle | Self::SubjectLast)
    }

    /// Whether it is the subject, or what comes after: all that a corrupted subject can reach.
    pub fn follows_subject(self) -> bool {
        !matches!(self, Self::Bos | Self::Before)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bos => "BOS",
            Self::Before => "before the subject",
            Self::SubjectFirst => "first subject token",
            Self::SubjectMiddle => "middle subject token",
            Self::SubjectLast => "last subject token",
            Self::After => "token after the subject",
            Self::Further => "further token",
            Self::Last => "last token",
        })
    }
}
