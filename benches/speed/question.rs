//! What contenders are asked, and what they answer: JSON, one line each way.

use std::path::PathBuf;

use factscope::analysis::Reuse;
use factscope::analysis::causal_trace::{Component, Spec};
use factscope::model::ModelConfig;
use factscope::tokens::TokenizedPrompt;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Question {
    /// Open a model folder. Replaces the model that was open. Timed: the model, its tokenizer.
    Load { model: PathBuf },

    /// Make a model of some size in memory. Factscope only.
    Random { config: ModelConfig },

    /// The standard deviation of a spec's noise. Factscope only.
    NoiseStd { spec: Spec },

    /// One forward pass. `values` are the logits of the first row's last position.
    Forward { rows: Vec<Vec<u32>>, reads: Reads },

    /// A whole map. Factscope only. `values` are its cells, layer by layer.
    Trace {
        prompt: TokenizedPrompt,
        spec: Spec,
        reuse: Reuse,

        /// Stop after this time, with what is there by then.
        budget_secs: Option<f64>,
    },

    /// Some cells of a map, each by itself. Peers only.
    Cells {
        prompt: TokenizedPrompt,
        component: Component,
        window: usize,
        n_samples: usize,
        seed: u32,
        noise_std: f64,

        /// Layer and position of each.
        cells: Vec<[usize; 2]>,
    },

    /// The answer's logit by head.
    Attribute { prompt: TokenizedPrompt },

    /// One product of f32 matrices, `[m, k]` by `[k, n]`.
    Matmul { shape: [usize; 3] },
}

/// At which positions logits are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    Last,

    /// As `transformers` does unless told otherwise.
    All,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reply {
    /// One for each thing that was timed.
    pub secs: Vec<f64>,

    /// Empty places are cells that were not reached.
    pub values: Vec<Option<f64>>,
    pub labels: Vec<String>,

    /// Of a trace: nothing restored.
    pub low: Option<f64>,

    /// Of a trace: the clean run.
    pub high: Option<f64>,

    /// The standard deviation of the noise.
    pub noise_std: Option<f64>,

    /// Of a trace: how much of its work was done, 0 to 1.
    pub fraction: Option<f64>,

    /// Of a trace on a graphics adapter: what it asked of the adapter.
    pub asked: Option<Asked>,

    pub error: Option<String>,
}

/// What a graphics adapter was asked for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Asked {
    pub n_launches: usize,
    pub n_readbacks: u64,
    pub n_bytes: u64,

    /// How long the same took the first time, while kernels were tuned.
    pub first_secs: f64,
}

impl Reply {
    /// All that was timed, together.
    pub fn total_secs(&self) -> f64 {
        self.secs.iter().sum()
    }
}
