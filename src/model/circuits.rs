//! The circuits of heads, which follow from the weights alone: `W_V W_O`, `W_Q W_K^T`, and how
//! heads compose.
//!
//! The reference is Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits". No
//! matrix of size `d_model × d_model` is ever computed for a head.

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Transformer;
use super::attention::Attention;
use super::factored::Factored;
use super::linalg::{Svd, Thin};
use super::linear::centered_rows;
use super::processing::{Processing, ProcessingStep, heads_of, rows_of};
use super::transformer::Block;

/// One of a head's two circuits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Circuit {
    /// `W_V W_O`, which determines what the head writes for what it reads.
    Ov,

    /// `W_Q W_K^T`, which determines what the head attends to. It leaves out biases, norms of
    /// queries and keys, and positions that turn them, and is not divided by `√d_head`.
    Qk,
}

/// The singular value decomposition of a head's circuit, largest singular value first.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadCircuit {
    /// `[d_head]`
    pub singular_values: Vec<f32>,

    /// The directions that are read: by OV in the source token's residual stream, by QK in the
    /// query's. `[vector, d_model]`
    pub left: Vec<Vec<f32>>,

    /// The directions on the other side: those that OV writes, and those that QK reads in the key's
    /// residual stream. `[vector, d_model]`
    pub right: Vec<Vec<f32>>,
}

/// How a later head uses the output of an earlier one: in its queries, keys or values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Composition {
    /// In its queries.
    Q,

    /// In its keys.
    K,

    /// In its values.
    V,
}

/// The circuits of one layer's heads, in a form that is quickly composed with those of other
/// layers.
#[derive(Clone, Debug)]
pub struct LayerFactors {
    /// Rows for each head whose product with any `X` has the Frobenius norm of `W_V W_O X`.
    /// `[n_heads * d_head, d_model]`
    earlier: Tensor<2>,

    /// The Frobenius norm of each head's `W_V W_O`.
    earlier_norms: Vec<f32>,

    /// For each kind of composition: columns whose product with any `X` before them has the norm of
    /// `X` times the circuit, `[d_model, n_heads * d_head]`, and the norm of each head's circuit.
    later: Vec<(Composition, Tensor<2>, Vec<f32>)>,
}

impl Transformer {
    /// A head's circuit.
    ///
    /// # Panics
    ///
    /// If there is no such head.
    pub fn head_circuit(
        &self,
        layer: usize,
        head: usize,
        circuit: Circuit,
        processing: &Processing,
    ) -> HeadCircuit {
        let attn = self.processed_attention(layer, processing);
        let [q, k, v, o] = attn.factors().map(|mut heads| heads.swap_remove(head));
        let product = match circuit {
            Circuit::Ov => Factored { left: v, right: o },
            Circuit::Qk => Factored { left: q, right: k },
        };
        let Svd { u, s, v } = product.svd();
        let vectors = |it: Thin| it.columns.iter().map(|column| to_f32(column)).collect();
        HeadCircuit { singular_values: to_f32(&s), left: vectors(u), right: vectors(v) }
    }

    /// The product of each token's embedding with some directions. `[vectors, d_vocab]`
    pub fn embedding_scores(&self, vectors: &[Vec<f32>], processing: &Processing) -> Tensor<2> {
        let vectors = self.rows_of(vectors);
        // Centring the directions has the same effect as centring the embeddings.
        let vectors = if processing.on(&self.config).does(ProcessingStep::CenterWritingWeights) {
            centered_rows(vectors)
        } else {
            vectors
        };
        self.wte.project(&(vectors * self.config.embed_scale.unwrap_or(1.0)))
    }

    /// What some directions of the residual stream add to each token's logit, before the division
    /// by the final layer norm's scale. `[vectors, d_vocab]`
    pub fn unembedding_scores(&self, vectors: &[Vec<f32>], processing: &Processing) -> Tensor<2> {
        let vectors = self.rows_of(vectors);
        let vectors = if processing.does(ProcessingStep::FoldLn) {
            self.ln_f.center(vectors) * self.ln_f.gain.clone().unsqueeze()
        } else {
            vectors
        };
        let scores = self.unembedding_matrix().project(&vectors);
        if processing.on(&self.config).does(ProcessingStep::CenterUnembed) {
            centered_rows(scores)
        } else {
            scores
        }
    }

    /// The eigenvalues of the path from tokens to logits through a head, `W_E W_V W_O W_U`, as real
    /// and imaginary parts.
    ///
    /// # Panics
    ///
    /// If there is no such head.
    pub fn copying_eigenvalues(
        &self,
        layer: usize,
        head: usize,
        processing: &Processing,
    ) -> Vec<[f64; 2]> {
        let attn = self.processed_attention(layer, processing);
        let [_, _, value, output] = attn.factors().map(|mut heads| heads.swap_remove(head));
        let rows = |it: &Thin| it.columns.iter().map(|column| to_f32(column)).collect::<Vec<_>>();
        let read = self.embedding_scores(&rows(&value), processing);
        let written = self.unembedding_scores(&rows(&output), processing);
        // The products `A B` and `B A` have the same non-zero eigenvalues, and `B A` is the small
        // one.
        let core = written.matmul(read.transpose());
        let [d_head, _] = core.dims();
        let values: Vec<f64> = core.into_data().iter::<f64>().collect();
        let rows = Thin { columns: values.chunks(d_head).map(<[f64]>::to_vec).collect() };
        rows.transposed().eigenvalues()
    }

    /// The circuits of a layer's heads, for these kinds of composition.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn layer_factors(
        &self,
        layer: usize,
        modes: &[Composition],
        processing: &Processing,
    ) -> LayerFactors {
        let attn = self.processed_attention(layer, processing);
        let [q, k, v, o] = attn.factors();
        // With `a = Q r`, `|| a b^T X ||` equals `|| r b^T X ||`.
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
        attn.process(ln_1, &processing.on(&self.config))
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

impl Attention {
    /// The columns of each query head's `W_Q`, `W_K` and `W_V`, and the rows of its `W_O`. Heads of
    /// a group share keys and values. `[d_model, d_head]` each
    fn factors(&self) -> [Vec<Thin>; 4] {
        let n_in_group = self.n_heads / self.n_kv_heads;
        let of = |map, n_heads, n_times| {
            let heads = heads_of(map, n_heads).into_iter().map(|it| it.0);
            heads.flat_map(|it| std::iter::repeat_n(it, n_times)).collect()
        };
        [
            of(&self.query, self.n_heads, 1),
            of(&self.key, self.n_kv_heads, n_in_group),
            of(&self.value, self.n_kv_heads, n_in_group),
            rows_of(&self.output.weight, self.n_heads),
        ]
    }
}

impl LayerFactors {
    /// Frees the tensors that serve only as the later layer of a composition.
    pub fn forget_later(&mut self) {
        self.later.clear();
    }

    /// The composition scores `||W_OV X||_F / (||W_OV||_F ||X||_F)` of these heads with the
    /// circuits `X` of a later layer's heads, for each kind of composition. `[head, later head]`, 0
    /// to 1
    pub fn composition_with(&self, later: &Self) -> Vec<(Composition, Vec<f32>)> {
        let n_heads = self.earlier_norms.len();
        let scores = later.later.iter().map(|(mode, columns, norms)| {
            let product = self.earlier.clone().matmul(columns.clone());
            let d_head = product.dims()[0] / n_heads;
            let squares = (product.clone() * product).reshape([n_heads, d_head, n_heads, d_head]);
            let sums: Vec<f32> = squares.sum_dim(3).sum_dim(1).into_data().iter::<f32>().collect();
            let divided = sums.iter().enumerate().map(|(nth, sum)| {
                // A head whose weights are all zero composes with no other.
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
