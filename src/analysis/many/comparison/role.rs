//! The role of a token in its prompt, such as the subject's last token.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::tokens::{Bos, TokenizedPrompt};

/// The role of a token in its prompt. Meng et al. 2022, figure 2, pool tokens by these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// BOS before the prompt.
    Bos,

    /// A token before the subject. Without a subject, every token but the last.
    Before,

    /// The first token of a subject with several tokens.
    SubjectFirst,

    /// A token between the subject's first and last.
    SubjectMiddle,

    /// The subject's last or only token.
    SubjectLast,

    /// The token after the subject.
    After,

    /// A later token after the subject.
    Further,

    /// The last token, which predicts the answer, even if it belongs to another role too.
    Last,
}

impl Role {
    /// All roles, in the order of a prompt.
    pub const ALL: [Self; 8] = [
        Self::Bos,
        Self::Before,
        Self::SubjectFirst,
        Self::SubjectMiddle,
        Self::SubjectLast,
        Self::After,
        Self::Further,
        Self::Last,
    ];

    /// The role that is written so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.to_string() == name)
    }

    /// The role of the token at a position.
    ///
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

    /// Whether the token belongs to the subject.
    pub fn is_subject(self) -> bool {
        matches!(self, Self::SubjectFirst | Self::SubjectMiddle | Self::SubjectLast)
    }

    /// Whether the token belongs to the subject or comes after it, so that corrupting the subject
    /// can reach it.
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
