//! Models that people study: what they take, and on which terms they are given.

use std::path::Path;

use super::{find, is_complete};

/// A model on the hub that the program opens.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub name: &'static str,
    pub n_params: u64,

    /// The download, in bytes.
    pub n_bytes: u64,
    pub licence: &'static str,
}

/// How much of a model a cache has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cached {
    All,
    Part,
    None,
}

const MB: u64 = 1_000_000;

/// The list, small models of a family first.
pub const KNOWN: [Known; 5] = [
    known("distilbert/distilgpt2", 82 * MB, 354 * MB, "Apache 2.0"),
    known("gpt2", 124 * MB, 550 * MB, "MIT"),
    known("gpt2-medium", 355 * MB, 1_521 * MB, "MIT"),
    known("gpt2-large", 774 * MB, 3_249 * MB, "MIT"),
    known("gpt2-xl", 1_558 * MB, 6_433 * MB, "MIT"),
];

const fn known(name: &'static str, n_params: u64, n_bytes: u64, licence: &'static str) -> Known {
    Known { name, n_params, n_bytes, licence }
}

impl Known {
    /// The memory that the weights take, in bytes: four for each number.
    pub fn memory(&self) -> u64 {
        4 * self.n_params
    }
}

impl Cached {
    pub fn of(name: &str, cache: &Path) -> Self {
        match find(name, cache) {
            Some(found) if is_complete(&found) => Self::All,
            Some(_) => Self::Part,
            None => Self::None,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::All => "yes",
            Self::Part => "a part",
            Self::None => "no",
        }
    }
}
