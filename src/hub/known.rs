//! Models that people study: what they take, and on which terms they are given.

use std::path::Path;

use super::{find, is_complete, size};

/// A model on the hub that the program opens.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub name: &'static str,

    /// As they follow from the model's shape, rounded to millions.
    pub n_params: u64,

    /// How many bits each has in the hub's file. `None` where that is not known here; 16 then, or more.
    pub n_bits: Option<u64>,
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

/// The list, families in the order in which papers came to them, small models first.
///
/// Licences are those of the model cards, read in November 2026 where a copy of the card is in a public
/// archive of web pages: `gpt2-xl` (OpenAI's is a modified MIT licence), `distilgpt2`, `gpt-j-6b` (its
/// licence by Wikipedia), `pythia-410m-v0`, `SmolLM2` (by aiwiki.ai), `Llama-3.2-1B`, `Mistral-7B-v0.1` (by the
/// paper, arXiv 2310.06825), `Qwen2.5-3B` (by apxml.com) and `Qwen2.5-1.5B`, `Qwen3-0.6B-Base`,
/// `OLMo-2-1124-13B` and `OLMo-2-0425-1B`, `gemma-2-2b-it` and `gemma-3-1b`. A family has the licence of
/// these, but for Llama 2's and 3.1's, whose cards were not found: [`ASKED`]. GPT-2's file has 548,105,171
/// bytes, so its numbers 32 bits; Mistral's have 16 by drose.io.
pub const KNOWN: [Known; 36] = [
    known("gpt2", 124, Some(32), "MIT, modified"),
    known("gpt2-medium", 355, Some(32), "MIT, modified"),
    known("gpt2-large", 774, Some(32), "MIT, modified"),
    known("gpt2-xl", 1_558, Some(32), "MIT, modified"),
    known("distilbert/distilgpt2", 82, None, APACHE),
    known("EleutherAI/gpt-j-6b", 6_051, None, APACHE),
    known("EleutherAI/pythia-70m", 70, None, APACHE),
    known("EleutherAI/pythia-160m", 162, None, APACHE),
    known("EleutherAI/pythia-410m", 405, None, APACHE),
    known("EleutherAI/pythia-1b", 1_012, None, APACHE),
    known("EleutherAI/pythia-1.4b", 1_415, None, APACHE),
    known("EleutherAI/pythia-2.8b", 2_775, None, APACHE),
    known("EleutherAI/pythia-6.9b", 6_857, None, APACHE),
    known("EleutherAI/pythia-12b", 11_846, None, APACHE),
    known("HuggingFaceTB/SmolLM2-135M", 135, None, APACHE),
    known("HuggingFaceTB/SmolLM2-360M", 362, None, APACHE),
    known("HuggingFaceTB/SmolLM2-1.7B", 1_711, None, APACHE),
    known("meta-llama/Llama-3.2-1B", 1_236, None, "Llama 3.2's, gated"),
    known("meta-llama/Llama-3.2-3B", 3_213, None, "Llama 3.2's, gated"),
    known("meta-llama/Llama-3.1-8B", 8_030, None, ASKED),
    known("meta-llama/Llama-2-7b-hf", 6_738, None, ASKED),
    known("mistralai/Mistral-7B-v0.1", 7_242, Some(16), APACHE),
    known("Qwen/Qwen2.5-0.5B", 494, None, APACHE),
    known("Qwen/Qwen2.5-1.5B", 1_544, None, APACHE),
    known("Qwen/Qwen2.5-3B", 3_086, None, "Qwen Research"),
    known("Qwen/Qwen2.5-7B", 7_616, None, APACHE),
    known("Qwen/Qwen3-0.6B-Base", 596, None, APACHE),
    known("Qwen/Qwen3-1.7B-Base", 1_721, None, APACHE),
    known("Qwen/Qwen3-4B-Base", 4_022, None, APACHE),
    known("Qwen/Qwen3-8B-Base", 8_191, None, APACHE),
    known("google/gemma-2-2b", 2_614, None, "Gemma's, gated"),
    known("google/gemma-2-9b", 9_242, None, "Gemma's, gated"),
    known("google/gemma-3-270m", 268, None, "Gemma's, gated"),
    known("google/gemma-3-1b-pt", 1_000, None, "Gemma's, gated"),
    known("allenai/OLMo-2-0425-1B", 1_485, None, APACHE),
    known("allenai/OLMo-2-1124-7B", 7_299, None, APACHE),
];

const APACHE: &str = "Apache 2.0";

/// Stands for what is not known before the hub is asked.
pub const ASKED: &str = "asked from the hub";

const fn known(
    name: &'static str,
    millions: u64,
    n_bits: Option<u64>,
    licence: &'static str,
) -> Known {
    Known { name, n_params: millions * MB, n_bits, licence }
}

impl Known {
    /// What the weights take on disk, in bytes; at least, where their type is not known.
    pub fn n_bytes(&self) -> u64 {
        self.n_params * self.n_bits.unwrap_or(16) / 8
    }

    /// The memory that a trace takes on the CPU, in bytes: the weights as the file has them, and what is
    /// computed; at least, where their type is not known.
    pub fn memory(&self) -> u64 {
        /// For activations and products, of which a pass takes as many as fit into about this.
        const COMPUTED: u64 = 400 * MB;
        self.n_bytes() + COMPUTED
    }

    /// A number of bytes in words, which says whether it is the least.
    pub fn size(&self, n_bytes: u64) -> String {
        match self.n_bits {
            Some(_) => size(n_bytes),
            None => format!("from {}", size(n_bytes)),
        }
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
