//! What heads do by their weights alone, whatever the prompt: `W_V W_O`, `W_Q W_K^T`, and how those
//! of two heads go together.
//!
//! Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits". Nothing of size
//! `d_model × d_model` is ever made for a head.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;

use super::Gpt2;
use super::factored::Factored;
use super::gpt2::{Attention, Block};
use super::linalg::{Svd, Thin};
use super::processing::{Processing, ProcessingStep, centered_rows, heads_of, rows_of};

/// Which of a head's two bilinear maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CircuitKind {
    /// `W_V W_O`: what is written, given what is read.
    Ov,

    /// `W_Q W_K^T`: what is looked at, given what looks. Without biases, and not divided by
    /// `√d_head`.
    Qk,
}

/// The singular vectors of a head's circuit, largest singular value first.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadCircuit {
    /// All `d_head` of them.
    pub singular_values: Vec<f32>,

    /// The side that reads: of OV the source token's residual stream, of QK the query's.
    /// `[vector, d_model]`
    pub left: Vec<Vec<f32>>,

    /// The other side: of OV what is written, of QK the key. `[vector, d_model]`
    pub right: Vec<Vec<f32>>,
}

/// Where the later head takes in what the earlier one wrote.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Composition {
    Q,
    K,
    V,
}

/// One layer's heads, ready to be multiplied with those of others.
#[derive(Clone, Debug)]
pub struct LayerFactors {
    /// For each head rows that give the Frobenius norm of `W_V W_O X` for any `X` behind it.
    /// `[n_heads * d_head, d_model]`
    earlier: Tensor<2>,

    /// Frobenius norm of each head's `W_V W_O`.
    earlier_norms: Vec<f32>,

    /// Of each kind of composition, columns that give the norm of `X` times the circuit, and the
    /// circuit's own norm. `[d_model, n_heads * d_head]`
    later: Vec<(Composition, Tensor<2>, Vec<f32>)>,
}

impl Gpt2 {
    /// # Panics
    ///
    /// If the head is not there.
    pub fn head_circuit(
        &self,
        layer: usize,
        head: usize,
        kind: CircuitKind,
        processing: &Processing,
    ) -> HeadCircuit {
        let attn = self.processed_attention(layer, processing);
        let of_head = |mut all: Vec<(Thin, Vec<f64>)>| all.swap_remove(head).0;
        let product = match kind {
            CircuitKind::Ov => Factored {
                left: of_head(heads_of(&attn.value, attn.n_heads)),
                right: rows_of(&attn.c_proj.weight, attn.n_heads).swap_remove(head),
            },
            CircuitKind::Qk => Factored {
                left: of_head(heads_of(&attn.query, attn.n_heads)),
                right: of_head(heads_of(&attn.key, attn.n_heads)),
            },
        };
        let Svd { u, s, v } = product.svd();
        let vectors = |it: Thin| it.columns.iter().map(|column| to_f32(column)).collect();
        HeadCircuit { singular_values: to_f32(&s), left: vectors(u), right: vectors(v) }
    }

    /// How strongly each token's embedding points along directions. `[vectors, d_vocab]`
    pub fn embedding_scores(&self, vectors: &[Vec<f32>], processing: &Processing) -> Tensor<2> {
        let vectors = self.rows_of(vectors);
        // Centring the embeddings is the same as centring what they are multiplied with.
        let vectors = if processing.does(ProcessingStep::CenterWritingWeights) {
            centered_rows(vectors)
        } else {
            vectors
        };
        self.wte.project(&vectors)
    }

    /// What directions of the residual stream add to each token's logit, before the final layer
    /// norm's scale. `[vectors, d_vocab]`
    pub fn unembedding_scores(&self, vectors: &[Vec<f32>], processing: &Processing) -> Tensor<2> {
        let vectors = self.rows_of(vectors);
        let vectors = if processing.does(ProcessingStep::FoldLn) {
            centered_rows(vectors) * self.ln_f.gain.clone().unsqueeze()
        } else {
            vectors
        };
        let scores = self.lm_head.as_ref().unwrap_or(&self.wte).project(&vectors);
        if processing.does(ProcessingStep::CenterUnembed) { centered_rows(scores) } else { scores }
    }

    /// Eigenvalues of the whole way from token to logit through a head, `W_E W_V W_O W_U`, as real
    /// and imaginary parts.
    ///
    /// # Panics
    ///
    /// If the head is not there.
    pub fn copying_eigenvalues(
        &self,
        layer: usize,
        head: usize,
        processing: &Processing,
    ) -> Vec<[f64; 2]> {
        let attn = self.processed_attention(layer, processing);
        let value = heads_of(&attn.value, attn.n_heads).swap_remove(head).0;
        let output = rows_of(&attn.c_proj.weight, attn.n_heads).swap_remove(head);
        let rows = |it: &Thin| it.columns.iter().map(|column| to_f32(column)).collect::<Vec<_>>();
        let read = self.embedding_scores(&rows(&value), processing);
        let written = self.unembedding_scores(&rows(&output), processing);
        // The product of two thin matrices has the eigenvalues of the product the other way round.
        let core = written.matmul(read.transpose());
        let [d_head, _] = core.dims();
        let values: Vec<f64> = core.into_data().iter::<f64>().collect();
        let rows = Thin { columns: values.chunks(d_head).map(<[f64]>::to_vec).collect() };
        rows.transposed().eigenvalues()
    }

    /// # Panics
    ///
    /// If the layer is not there.
    pub fn layer_factors(
        &self,
        layer: usize,
        modes: &[Composition],
        processing: &Processing,
    ) -> LayerFactors {
        let attn = self.processed_attention(layer, processing);
        let n_heads = attn.n_heads;
        let weights = |all: Vec<(Thin, Vec<f64>)>| all.into_iter().map(|it| it.0).collect();
        let [q, k, v]: [Vec<Thin>; 3] =
            [&attn.query, &attn.key, &attn.value].map(|it| weights(heads_of(it, n_heads)));
        let o = rows_of(&attn.c_proj.weight, n_heads);
        // `|| a b^T X || = || r b^T X ||` with `a = Q r`.
        let through = |a: &[Thin], b: &[Thin]| -> Vec<Thin> {
            a.par_iter().zip(b).map(|(a, b)| b.times(&a.qr().1.transposed())).collect()
        };
        let later = modes.iter().map(|&mode| {
            let columns = match mode {
                Composition::Q => through(&k, &q),
                Composition::K => through(&q, &k),
                Composition::V => through(&o, &v),
            };
            (mode, self.side_by_side(&columns).transpose(), norms(&columns))
        });
        let earlier = through(&v, &o);
        LayerFactors {
            earlier: self.side_by_side(&earlier),
            earlier_norms: norms(&earlier),
            later: later.collect(),
        }
    }

    fn processed_attention(&self, layer: usize, processing: &Processing) -> Attention {
        let Block { ln_1, attn, .. } = &self.h[layer];
        attn.process(ln_1, processing)
    }

    fn rows_of(&self, vectors: &[Vec<f32>]) -> Tensor<2> {
        let shape = [vectors.len(), self.config.d_model];
        Tensor::from_data(TensorData::new(vectors.concat(), shape), &self.device())
    }

    /// All heads' columns as rows of one matrix. `[n_heads * d_head, d_model]`
    fn side_by_side(&self, heads: &[Thin]) -> Tensor<2> {
        let columns = heads.iter().flat_map(|it| &it.columns).map(|column| to_f32(column));
        self.rows_of(&columns.collect::<Vec<_>>())
    }
}

impl LayerFactors {
    /// Gives back what only a later layer needs.
    pub fn forget_later(&mut self) {
        self.later.clear();
    }

    /// How much of what each of these heads writes each head of a later layer takes in:
    /// `||W_OV X||_F / (||W_OV||_F ||X||_F)`, for each kind of composition. `[head, later head]`
    pub fn composition_with(&self, later: &Self) -> Vec<(Composition, Vec<f32>)> {
        let n_heads = self.earlier_norms.len();
        let scores = later.later.iter().map(|(mode, columns, norms)| {
            let product = self.earlier.clone().matmul(columns.clone());
            let d_head = product.dims()[0] / n_heads;
            let squares = (product.clone() * product).reshape([n_heads, d_head, n_heads, d_head]);
            let sums: Vec<f32> = squares.sum_dim(3).sum_dim(1).into_data().iter::<f32>().collect();
            let divided = sums.iter().enumerate().map(|(nth, sum)| {
                // Nothing composes with a head that does nothing.
                let size = self.earlier_norms[nth / n_heads] * norms[nth % n_heads];
                if size > 0.0 { sum.sqrt() / size } else { 0.0 }
            });
            (*mode, divided.collect())
        });
        scores.collect()
    }
}

fn norms(heads: &[Thin]) -> Vec<f32> {
    heads.iter().map(|it| super::linalg::norm(&it.columns.concat()) as f32).collect()
}

fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|it| *it as f32).collect()
}
