//! TransformerLens' weight processing, which rewrites weights so that components are easier to
//! compare.
//!
//! The model computes the same probabilities before and after. The reference is Nanda & Bloom 2022,
//! `HookedTransformer.load_and_process_state_dict` of version 2.18. Processed weights are never
//! saved, because Hugging Face's layout has no place for an unembedding's bias.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Transformer;
use super::config::Unembedding;
use super::factored::Factored;
use super::layers::{Affine, LayerNorm};
use super::linalg::Thin;
use super::transformer::{Attention, Block};
use crate::task::{Cancelled, Progress, TaskCtx};

/// One step of weight processing. The steps are carried out in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessingStep {
    /// Folds gains and biases of layer norms into the weights that read their output, and centres
    /// these weights over `d_model`, since normalized inputs have mean 0 there.
    FoldLn,

    /// Centres the weights that write to the residual stream, so that all outputs have mean 0 over
    /// `d_model`.
    CenterWritingWeights,

    /// Centres the unembedding over the vocabulary. All logits of a position move by the same
    /// number, and no probability changes.
    CenterUnembed,

    /// Folds value biases into `b_O`, since attention weights sum to one.
    FoldValueBiases,

    /// Replaces each head's `W_Q`, `W_K`, `W_V` and `W_O` by matrices with orthogonal columns and
    /// the same products `W_Q W_K^T` and `W_V W_O`. Also folds value biases into `b_O`.
    RefactorFactoredAttnMatrices,
}

/// The steps of weight processing that are carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Processing(pub BTreeSet<ProcessingStep>);

impl ProcessingStep {
    pub const ALL: [Self; 5] = [
        Self::FoldLn,
        Self::CenterWritingWeights,
        Self::CenterUnembed,
        Self::FoldValueBiases,
        Self::RefactorFactoredAttnMatrices,
    ];

    /// The step's name in TransformerLens.
    pub fn name(self) -> &'static str {
        match self {
            Self::FoldLn => "fold_ln",
            Self::CenterWritingWeights => "center_writing_weights",
            Self::CenterUnembed => "center_unembed",
            Self::FoldValueBiases => "fold_value_biases",
            Self::RefactorFactoredAttnMatrices => "refactor_factored_attn_matrices",
        }
    }
}

impl Processing {
    /// The default of TransformerLens' `from_pretrained`: all steps except the refactoring.
    pub fn of_transformer_lens() -> Self {
        let mut steps = BTreeSet::from(ProcessingStep::ALL);
        steps.remove(&ProcessingStep::RefactorFactoredAttnMatrices);
        Self(steps)
    }

    /// Whether a step is carried out.
    pub fn does(&self, step: ProcessingStep) -> bool {
        self.0.contains(&step)
    }
}

impl fmt::Display for Processing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let names: Vec<_> = self.0.iter().map(|step| step.name()).collect();
        f.write_str(&names.join(","))
    }
}

/// A text names no weight processing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no weight processing; give `none`, `default` (TransformerLens' own choice), `all`, or \
     names separated by commas: fold_ln, center_writing_weights, center_unembed, fold_value_biases, \
     refactor_factored_attn_matrices"
)]
pub struct UnknownProcessing(String);

impl FromStr for Processing {
    type Err = UnknownProcessing;

    fn from_str(text: &str) -> Result<Self, UnknownProcessing> {
        match text {
            "none" => return Ok(Self::default()),
            "default" => return Ok(Self::of_transformer_lens()),
            "all" => return Ok(Self(BTreeSet::from(ProcessingStep::ALL))),
            _ => {}
        }
        let step = |name: &str| {
            let found = ProcessingStep::ALL.into_iter().find(|step| step.name() == name.trim());
            found.ok_or_else(|| UnknownProcessing(name.to_owned()))
        };
        text.split(',').map(step).collect::<Result<_, _>>().map(Self)
    }
}

impl Transformer {
    /// The same model with processed weights. Progress counts layers.
    pub fn process(
        mut self,
        processing: &Processing,
        ctx: &TaskCtx<'_>,
    ) -> Result<Self, Cancelled> {
        let total = self.h.len() as u64;
        // Processing block by block avoids a second copy of all weights.
        for (layer, block) in self.h.iter_mut().enumerate() {
            ctx.checkpoint(Progress { done: layer as u64, total })?;
            block.process(processing);
        }
        if processing.does(ProcessingStep::FoldLn) {
            self.fold_final_norm();
        }
        if processing.does(ProcessingStep::CenterWritingWeights) {
            if self.lm_head.is_none() {
                self.lm_head = Some(self.wte.clone());
            }
            self.wte = self.wte.map_rows(centered_rows);
            self.wpe = centered_rows(self.wpe);
        }
        if processing.does(ProcessingStep::CenterUnembed) {
            let matrix = self.unembedding_matrix();
            let mean = matrix.mean().unsqueeze::<2>();
            self.lm_head = Some(matrix.map_rows(|rows| rows - mean.clone()));
            self.unembed_bias = self.unembed_bias.map(|bias| bias.clone() - bias.mean());
        }
        if self.lm_head.is_some() {
            self.config.unembedding = Unembedding::Separate;
        }
        ctx.checkpoint(Progress { done: total, total })?;
        Ok(self)
    }

    fn fold_final_norm(&mut self) {
        let gain = self.ln_f.gain.clone().unsqueeze::<2>();
        let matrix = self.unembedding_matrix();
        let bias = matrix.project(&self.ln_f.bias.clone().unsqueeze()).squeeze_dim::<1>(0);
        self.lm_head = Some(matrix.map_rows(|rows| centered_rows(rows * gain.clone())));
        self.unembed_bias = Some(match self.unembed_bias.take() {
            Some(there) => there + bias,
            None => bias,
        });
        self.ln_f = self.ln_f.plain();
    }
}

impl Block {
    fn process(&mut self, processing: &Processing) {
        if processing.does(ProcessingStep::FoldLn) {
            self.mlp.c_fc = self.mlp.c_fc.reading(&self.ln_2);
            self.ln_2 = self.ln_2.plain();
        }
        if processing.does(ProcessingStep::CenterWritingWeights) {
            self.mlp.c_proj = self.mlp.c_proj.centered();
        }
        self.attn = self.attn.process(&self.ln_1, processing);
        if processing.does(ProcessingStep::FoldLn) {
            self.ln_1 = self.ln_1.plain();
        }
    }
}

impl Attention {
    /// The attention with processed weights. `ln` is the layer norm before it.
    pub(super) fn process(&self, ln: &LayerNorm, processing: &Processing) -> Self {
        let mut it = self.clone();
        if processing.does(ProcessingStep::FoldLn) {
            it.query = it.query.reading(ln);
            it.key = it.key.reading(ln);
            it.value = it.value.reading(ln);
        }
        if processing.does(ProcessingStep::CenterWritingWeights) {
            it.c_proj = it.c_proj.centered();
        }
        let refactors = processing.does(ProcessingStep::RefactorFactoredAttnMatrices);
        if refactors || processing.does(ProcessingStep::FoldValueBiases) {
            let folded = it.value.bias.clone().unsqueeze::<2>().matmul(it.c_proj.weight.clone());
            it.c_proj.bias = it.c_proj.bias + folded.squeeze_dim::<1>(0);
            it.value.bias = it.value.bias.zeros_like();
        }
        if refactors { it.refactored() } else { it }
    }

    /// TransformerLens' `refactor_factored_attn_matrices`. The biases of queries and keys are
    /// treated as one more row of their weights.
    fn refactored(mut self) -> Self {
        let d_model = self.c_proj.bias.dims()[0];
        let device = self.c_proj.bias.device();
        let [q, k, v] = [&self.query, &self.key, &self.value].map(|it| heads_of(it, self.n_heads));
        let o = rows_of(&self.c_proj.weight, self.n_heads);
        let heads: Vec<[Thin; 4]> = (0..self.n_heads)
            .into_par_iter()
            .map(|head| {
                let with_bias = |(weight, bias): &(Thin, Vec<f64>)| {
                    let mut it = weight.clone();
                    for (column, bias) in it.columns.iter_mut().zip(bias) {
                        column.push(*bias);
                    }
                    it
                };
                let qk = Factored { left: with_bias(&q[head]), right: with_bias(&k[head]) }.svd();
                let roots: Vec<f64> = qk.s.iter().map(|it| it.sqrt()).collect();
                let ov = Factored { left: v[head].0.clone(), right: o[head].clone() }.svd();
                [qk.u.scaled(&roots), qk.v.scaled(&roots), ov.u.scaled(&ov.s), ov.v]
            })
            .collect();
        let vector = |values: Vec<f32>| {
            let shape = [values.len()];
            Tensor::<1>::from_data(TensorData::new(values, shape), &device)
        };
        let columns = |nth: usize| heads.iter().flat_map(move |it| it[nth].columns.iter());
        // The columns one after the other are the transposed matrix, row by row.
        let matrix = |nth: usize| {
            let values = columns(nth).flat_map(|column| &column[..d_model]);
            vector(values.map(|it| *it as f32).collect()).reshape([-1, d_model as i32])
        };
        let bias = |nth: usize| vector(columns(nth).map(|column| column[d_model] as f32).collect());
        self.query = Affine { weight: in_one_piece(matrix(0).transpose()), bias: bias(0) };
        self.key = Affine { weight: in_one_piece(matrix(1).transpose()), bias: bias(1) };
        self.value.weight = in_one_piece(matrix(2).transpose());
        self.c_proj.weight = matrix(3);
        self
    }
}

/// Each head's columns of a map to all heads, `[d_model, d_head]`, and their biases, `[d_head]`.
pub(super) fn heads_of(affine: &Affine, n_heads: usize) -> Vec<(Thin, Vec<f64>)> {
    let [d_model, d_out] = affine.weight.dims();
    let values: Vec<f32> = affine.weight.clone().into_data().iter::<f32>().collect();
    let bias: Vec<f64> = affine.bias.clone().into_data().iter::<f64>().collect();
    let d_head = d_out / n_heads;
    let column =
        |nth: usize| (0..d_model).map(|row| f64::from(values[row * d_out + nth])).collect();
    (0..n_heads)
        .map(|head| {
            let of_head = head * d_head..(head + 1) * d_head;
            let columns = of_head.clone().map(column).collect();
            (Thin { columns }, bias[of_head].to_vec())
        })
        .collect()
}

/// Each head's rows of `W_O`, as columns. `[d_model, d_head]`
pub(super) fn rows_of(weight: &Tensor<2>, n_heads: usize) -> Vec<Thin> {
    let [d_in, d_model] = weight.dims();
    let values: Vec<f64> = weight.clone().into_data().iter::<f64>().collect();
    let rows: Vec<Vec<f64>> = values.chunks(d_model).map(<[f64]>::to_vec).collect();
    rows.chunks(d_in / n_heads).map(|columns| Thin { columns: columns.to_vec() }).collect()
}

impl Affine {
    /// The map that gives for the layer norm without gain and bias what this map gives for `ln`.
    fn reading(&self, ln: &LayerNorm) -> Self {
        let bias = ln.bias.clone().unsqueeze::<2>().matmul(self.weight.clone());
        let weight = self.weight.clone() * ln.gain.clone().unsqueeze_dim(1);
        Self {
            weight: weight.clone() - weight.mean_dim(0),
            bias: self.bias.clone() + bias.squeeze_dim::<1>(0),
        }
    }

    /// The map whose outputs are this map's outputs less their mean.
    fn centered(&self) -> Self {
        Self {
            weight: centered_rows(self.weight.clone()),
            bias: self.bias.clone() - self.bias.clone().mean(),
        }
    }
}

impl LayerNorm {
    /// The layer norm without gain and bias: TransformerLens' `LNPre`.
    fn plain(&self) -> Self {
        Self { gain: self.gain.ones_like(), bias: self.bias.zeros_like(), epsilon: self.epsilon }
    }
}

/// The rows less their means.
pub(super) fn centered_rows(rows: Tensor<2>) -> Tensor<2> {
    rows.clone() - rows.mean_dim(1)
}

/// The same matrix with its rows one after the other in memory, as the fast products need it.
fn in_one_piece(matrix: Tensor<2>) -> Tensor<2> {
    let device = matrix.device();
    Tensor::from_data(matrix.into_data(), &device)
}
