//! The tokens that a head's circuits read and write, from its weights alone.
//!
//! `W_V W_O` determines what a head writes for what it reads, and `W_Q W_K^T` what it attends to
//! (Elhage et al. 2021). Their singular vectors are read through the embedding and the unembedding
//! (Millidge & Black 2022, "The Singular Value Decompositions of Transformer Weight Matrices are
//! Highly Interpretable"). The eigenvalues of the whole path from tokens to logits say whether the
//! head copies: TransformerLens' copying score, `Σ λ / Σ |λ|`.
//!
//! A layer norm stands before both circuits, so the weights are processed first, as the spec says
//! and after any processing that was done when the model was opened.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::analysis::error::index_below;
use crate::analysis::largest::largest;
use crate::analysis::memory::floats;
use crate::analysis::{About, AnalysisError, Lab, Method, Needs, Sizes, sources};
pub use crate::model::Circuit;
use crate::model::{ModelConfig, Processing, ReadsScores};
use crate::task::Progress;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    pub layer: usize,
    pub head: usize,
    pub circuit: Circuit,

    /// How many singular vectors are listed.
    pub n_vectors: usize,

    /// How many tokens are listed at each end of a singular vector.
    pub n_tokens: usize,

    /// How the weights are processed first.
    pub processing: Processing,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CircuitReading {
    pub spec: Spec,

    /// All `d_head` singular values, largest first.
    pub singular_values: Vec<f32>,

    /// The singular vectors that are listed, largest singular value first.
    pub vectors: Vec<SingularVector>,

    /// Whether the head copies. `None` for a QK circuit.
    pub copying: Option<Copying>,

    /// What the reading leaves out of this model, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// The two sides of one singular value.
///
/// Which end of a side is positive has no meaning in itself, but the ends of both sides belong
/// together. The sign is chosen so that the largest score of `writes` is positive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SingularVector {
    /// The singular value.
    pub value: f32,

    /// The tokens that are read, by their embeddings: by OV at the source, by QK at the query.
    pub reads: Ends,

    /// For OV the tokens that are written, by their logits; for QK those that are attended to, by
    /// their embeddings.
    pub writes: Ends,
}

/// The tokens at the two ends of a direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ends {
    /// Largest scores first.
    pub positive: Vec<TokenScore>,

    /// Smallest scores first.
    pub negative: Vec<TokenScore>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenScore {
    pub id: u32,
    pub score: f32,
}

/// Whether what a head writes is what it reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Copying {
    /// The copying score: −1 if reading a token always lowers its logit, 1 if it always raises it.
    pub score: f32,

    /// The eigenvalues as real and imaginary parts, largest first, and in a conjugate pair the one
    /// with a positive imaginary part first.
    pub eigenvalues: Vec<[f32; 2]>,
}

impl Method for Spec {
    type Found = CircuitReading;
    const NAME: &'static str = "circuit";
    const ABOUT: About = About {
        text: "Which tokens a head reads and writes, or which of them look at which, by its \
               weights alone.",
        sources: &[sources::ELHAGE_2021],
    };
    const VERB: &'static str = "Reading weights";
    const NEEDS: Needs = Needs::Weights;
    const IS_SHORT: bool = true;

    fn run(&self, lab: &Lab<'_>) -> Result<CircuitReading, AnalysisError> {
        let &Lab { model, ctx, .. } = lab;
        let Self { layer, head, .. } = *self;
        let (n_layers, n_heads) = (model.config.n_layers, model.config.n_heads);
        index_below("layer", layer, n_layers)?;
        index_below("head", head, n_heads)?;
        ctx.task.checkpoint(Progress { done: 0, total: 3 })?;
        let found = model.head_circuit(layer, head, self.circuit, &self.processing);
        ctx.task.checkpoint(Progress { done: 1, total: 3 })?;
        let n_vectors = self.n_vectors.min(found.left.len());
        let vectors = if n_vectors == 0 {
            Vec::new()
        } else {
            let reads = rows(model.embedding_scores(&found.left[..n_vectors], &self.processing));
            let right = &found.right[..n_vectors];
            let writes = rows(match self.circuit {
                Circuit::Ov => model.unembedding_scores(right, &self.processing),
                Circuit::Qk => model.embedding_scores(right, &self.processing),
            });
            let sides = reads.into_iter().zip(writes).zip(&found.singular_values);
            sides.map(|((reads, writes), value)| vector(*value, reads, writes, self)).collect()
        };
        ctx.task.checkpoint(Progress { done: 2, total: 3 })?;
        let copying = (self.circuit == Circuit::Ov)
            .then(|| copying(&model.copying_eigenvalues(layer, head, &self.processing)));
        let reads_scores = match self.circuit {
            Circuit::Qk => ReadsScores::Yes,
            Circuit::Ov => ReadsScores::No,
        };
        Ok(CircuitReading {
            left_out: self.processing.left_out(&model.config, reads_scores),
            spec: self.clone(),
            singular_values: found.singular_values,
            vectors,
            copying,
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let ModelConfig { d_model, d_vocab, n_heads, .. } = *sizes.config;
        // The scores of all tokens along both sides of each vector, read back, and the layer's factors.
        let n_vectors = self.n_vectors.min(sizes.config.d_head());
        floats(8 * n_vectors * d_vocab) + floats(16 * n_heads * sizes.config.d_head() * d_model)
    }
}

fn rows(scores: Tensor<2>) -> Vec<Vec<f32>> {
    let [_, d_vocab] = scores.dims();
    let values: Vec<f32> = scores.into_data().iter::<f32>().collect();
    values.chunks(d_vocab).map(<[f32]>::to_vec).collect()
}

fn vector(value: f32, reads: Vec<f32>, writes: Vec<f32>, spec: &Spec) -> SingularVector {
    let largest_score = writes.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
    let sign = 1.0_f32.copysign(largest_score.unwrap_or(1.0));
    let ends = |scores: Vec<f32>| {
        let turned = |sign: f32| scores.iter().map(|it| sign * it).collect::<Vec<_>>();
        let list = |along: f32| {
            let order = largest(&turned(along), spec.n_tokens).into_iter();
            order.map(|id| TokenScore { id: id as u32, score: sign * scores[id] }).collect()
        };
        Ends { positive: list(sign), negative: list(-sign) }
    };
    SingularVector { value, reads: ends(reads), writes: ends(writes) }
}

fn copying(eigenvalues: &[[f64; 2]]) -> Copying {
    let size = |it: &[f64; 2]| it[0].hypot(it[1]);
    let mut sorted = eigenvalues.to_vec();
    sorted.sort_by(|a, b| size(b).total_cmp(&size(a)));
    // Only rounding makes one of a conjugate pair larger than the other.
    for nth in 1..sorted.len() {
        let (a, b) = (sorted[nth - 1], sorted[nth]);
        if a[1] < 0.0 && b[1] > 0.0 && (size(&a) - size(&b)).abs() <= 1e-9 * size(&a) {
            sorted.swap(nth - 1, nth);
        }
    }
    let sizes: f64 = sorted.iter().map(size).sum();
    let sum: f64 = sorted.iter().map(|it| it[0]).sum();
    Copying {
        score: if sizes > 0.0 { (sum / sizes) as f32 } else { 0.0 },
        eigenvalues: sorted.iter().map(|it| it.map(|part| part as f32)).collect(),
    }
}
