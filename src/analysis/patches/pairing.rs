//! Pairs the positions of two prompts by their role in the fact.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::analysis::AnalysisError;
use crate::analysis::error::at_least_one;
use crate::tokens::{Bos, TokenizedPrompt};

/// A position of the donor's prompt, and the position of the recipient's prompt that gets its
/// activations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    pub donor: usize,
    pub recipient: usize,
}

impl Pair {
    /// Pairs the positions of two prompts by their roles, in the order of the recipient.
    ///
    /// The subjects' last tokens are paired, their other tokens from the first on, positions before
    /// the subject backwards from it, the first positions after it, the other positions after it
    /// backwards from the last, and the last positions. A position without a partner is left out.
    /// If a prompt has no subject, positions are counted from the end.
    pub fn by_role(donor: &TokenizedPrompt, recipient: &TokenizedPrompt) -> Vec<Self> {
        let mut found = BTreeMap::new();
        let mut pair = |donor: usize, recipient: usize| {
            found.entry(recipient).or_insert(donor);
        };
        pair(donor.last(), recipient.last());
        if n_bos(donor) > 0 && n_bos(recipient) > 0 {
            pair(0, 0);
        }
        let from_end = |a: Range<usize>, b: Range<usize>| a.rev().zip(b.rev());
        let (Some(from), Some(to)) = (&donor.subject, &recipient.subject) else {
            for (a, b) in from_end(n_bos(donor)..donor.last(), n_bos(recipient)..recipient.last()) {
                pair(a, b);
            }
            return sorted(found);
        };
        pair(from.end - 1, to.end - 1);
        if from.len() > 1 && to.len() > 1 {
            for (a, b) in (from.start..from.end - 1).zip(to.start..to.end - 1) {
                pair(a, b);
            }
        }
        for (a, b) in from_end(n_bos(donor)..from.start, n_bos(recipient)..to.start) {
            pair(a, b);
        }
        let (from_rest, to_rest) = (from.end..donor.last(), to.end..recipient.last());
        if !from_rest.is_empty() && !to_rest.is_empty() {
            pair(from.end, to.end);
            let further = |rest: Range<usize>| rest.start + 1..rest.end;
            for (a, b) in from_end(further(from_rest), further(to_rest)) {
                pair(a, b);
            }
        }
        sorted(found)
    }

    /// Checks that the prompts have all these positions, and that none is overwritten twice.
    pub fn check(
        pairs: &[Self],
        donor: &TokenizedPrompt,
        recipient: &TokenizedPrompt,
    ) -> Result<(), AnalysisError> {
        at_least_one("the number of paired tokens", pairs.len())?;
        for (nth, pair) in pairs.iter().enumerate() {
            for (pos, prompt) in [(pair.donor, donor), (pair.recipient, recipient)] {
                let n_pos = prompt.n_pos();
                if pos >= n_pos {
                    return Err(AnalysisError::NoPosition { pos, n_pos });
                }
            }
            if pairs[..nth].iter().any(|it| it.recipient == pair.recipient) {
                return Err(AnalysisError::PairedTwice { pos: pair.recipient });
            }
        }
        Ok(())
    }
}

fn sorted(found: BTreeMap<usize, usize>) -> Vec<Pair> {
    found.into_iter().map(|(recipient, donor)| Pair { donor, recipient }).collect()
}

fn n_bos(prompt: &TokenizedPrompt) -> usize {
    match prompt.bos {
        Bos::Off => 0,
        Bos::On => 1,
    }
}

/// Written as it is typed: the donor's position, then the recipient's.
impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.donor, self.recipient)
    }
}

/// A text names no pair of positions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no pair; give a position of the donor and one of the recipient, such as `3:5`")]
pub struct UnknownPair(String);

impl FromStr for Pair {
    type Err = UnknownPair;

    fn from_str(text: &str) -> Result<Self, UnknownPair> {
        let unknown = || UnknownPair(text.to_owned());
        let (donor, recipient) = text.split_once(':').ok_or_else(unknown)?;
        let number = |text: &str| text.parse().ok().ok_or_else(unknown);
        Ok(Self { donor: number(donor)?, recipient: number(recipient)? })
    }
}
