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

/// The list, families in the order in which papers came to them, small models first; sizes are rounded.
pub const KNOWN: [Known; 27] = [
    known("gpt2", 124 * MB, 550 * MB, "MIT"),
    known("gpt2-medium", 355 * MB, 1_521 * MB, "MIT"),
    known("gpt2-large", 774 * MB, 3_249 * MB, "MIT"),
    known("gpt2-xl", 1_558 * MB, 6_433 * MB, "MIT"),
    known("distilbert/distilgpt2", 82 * MB, 354 * MB, "Apache 2.0"),
    known("EleutherAI/gpt-j-6b", 6_051 * MB, 24_210 * MB, "Apache 2.0"),
    known("EleutherAI/pythia-70m", 70 * MB, 168 * MB, "Apache 2.0"),
    known("EleutherAI/pythia-160m", 162 * MB, 377 * MB, "Apache 2.0"),
    known("EleutherAI/pythia-410m", 405 * MB, 913 * MB, "Apache 2.0"),
    known("EleutherAI/pythia-1b", 1_012 * MB, 2_093 * MB, "Apache 2.0"),
    known("EleutherAI/pythia-1.4b", 1_415 * MB, 2_932 * MB, "Apache 2.0"),
    known("EleutherAI/pythia-2.8b", 2_775 * MB, 5_687 * MB, "Apache 2.0"),
    known("HuggingFaceTB/SmolLM2-135M", 135 * MB, 271 * MB, "Apache 2.0"),
    known("HuggingFaceTB/SmolLM2-360M", 362 * MB, 726 * MB, "Apache 2.0"),
    known("HuggingFaceTB/SmolLM2-1.7B", 1_711 * MB, 3_425 * MB, "Apache 2.0"),
    known("meta-llama/Llama-3.2-1B", 1_236 * MB, 2_481 * MB, LLAMA),
    known("meta-llama/Llama-3.2-3B", 3_213 * MB, 6_435 * MB, LLAMA),
    known("meta-llama/Llama-3.1-8B", 8_030 * MB, 16_070 * MB, LLAMA),
    known("meta-llama/Llama-2-7b-hf", 6_738 * MB, 13_479 * MB, LLAMA),
    known("mistralai/Mistral-7B-v0.1", 7_242 * MB, 14_485 * MB, "Apache 2.0"),
    known("Qwen/Qwen2.5-0.5B", 494 * MB, 995 * MB, "Apache 2.0"),
    known("Qwen/Qwen2.5-1.5B", 1_544 * MB, 3_095 * MB, "Apache 2.0"),
    known("Qwen/Qwen2.5-3B", 3_086 * MB, 6_179 * MB, "Qwen Research"),
    known("Qwen/Qwen2.5-7B", 7_616 * MB, 15_239 * MB, "Apache 2.0"),
    known("Qwen/Qwen3-0.6B-Base", 596 * MB, 1_203 * MB, "Apache 2.0"),
    known("Qwen/Qwen3-1.7B-Base", 1_721 * MB, 3_453 * MB, "Apache 2.0"),
    known("Qwen/Qwen3-4B-Base", 4_022 * MB, 8_056 * MB, "Apache 2.0"),
];

/// Its owners want their terms accepted first.
const LLAMA: &str = "Llama's, gated";

const fn known(name: &'static str, n_params: u64, n_bytes: u64, licence: &'static str) -> Known {
    Known { name, n_params, n_bytes, licence }
}

impl Known {
    /// The memory that a trace takes on the CPU, in bytes: the weights as the file has them, and what is
    /// computed.
    pub fn memory(&self) -> u64 {
        /// For activations and products, of which a pass takes as many as fit into about this.
        const COMPUTED: u64 = 400 * MB;
        self.n_bytes + COMPUTED
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
