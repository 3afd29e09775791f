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

use super::attention::{Attention, for_queries};
use super::config::{NormChoice, Unembedding};
use super::factored::Factored;
use super::linalg::Thin;
use super::linear::{Linear, centered_rows, sum};
use super::matrix::Matrix;
use super::norm::Norm;
use super::transformer::Block;
use super::{ModelConfig, Transformer};
use crate::task::{Cancelled, Progress, TaskCtx};

/// One step of weight processing. The steps are carried out in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessingStep {
    /// Folds gains and biases of norms into the weights that read their output, and centres these
    /// weights over `d_model` if normalized inputs have mean 0 there, as layer norms make them.
    FoldLn,

    /// Centres the weights that write to the residual stream, so that all outputs have mean 0 over
    /// `d_model`. Skipped if the norms do not take the mean off, since it would change the model.
    CenterWritingWeights,

    /// Centres the unembedding over the vocabulary. All logits of a position move by the same
    /// number, and no probability changes. Skipped if logits have a cap, under which they would.
    CenterUnembed,

    /// Folds value biases into `b_O`, since attention weights sum to one.
    FoldValueBiases,

    /// Replaces each head's `W_Q`, `W_K`, `W_V` and `W_O` by matrices with orthogonal columns and
    /// the same products `W_Q W_K^T` and `W_V W_O`. Also folds value biases into `b_O`. Skipped if
    /// positions turn queries and keys, or if heads share keys and values: no such matrices give
    /// the same scores then.
    RefactorFactoredAttnMatrices,
}

/// The steps of weight processing that are carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Processing(pub BTreeSet<ProcessingStep>);

/// Whether a reading of weights is of what queries and keys have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadsScores {
    Yes,
    No,
}

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

    /// Whether a step is asked for.
    pub fn does(&self, step: ProcessingStep) -> bool {
        self.0.contains(&step)
    }

    /// The steps that are carried out on a model: those that are asked for and leave its
    /// probabilities as they are.
    pub fn on(&self, config: &ModelConfig) -> Self {
        let applies = |step: &ProcessingStep| match step {
            ProcessingStep::CenterWritingWeights => config.norm == NormChoice::Layer,
            // A cap does not move with what is added to all logits.
            ProcessingStep::CenterUnembed => config.logit_cap.is_none(),
            ProcessingStep::RefactorFactoredAttnMatrices => {
                config.rotary.is_none() && config.n_kv_heads() == config.n_heads
            }
            _ => true,
        };
        Self(self.0.iter().copied().filter(applies).collect())
    }

    /// What a reading of a model's weights leaves out, in sentences: steps that are asked for but
    /// not carried out, and what lies between queries and keys besides their weights.
    pub fn left_out(&self, config: &ModelConfig, reads_scores: ReadsScores) -> Vec<String> {
        let done = self.on(config);
        let skipped = self.0.difference(&done.0).map(|step| {
            let why = match step {
                ProcessingStep::CenterWritingWeights => "the norms take no mean off",
                ProcessingStep::CenterUnembed => "logits have a cap",
                _ => "positions turn queries and keys, or heads share keys and values",
            };
            format!("{} is left out: {why}", step.name())
        });
        let mut all: Vec<String> = skipped.collect();
        if reads_scores == ReadsScores::Yes {
            if config.rotary.is_some() {
                all.push(
                    "Positions turn queries and keys: W_Q W_Kᵀ is what a head attends to at a \
                     distance of 0"
                        .to_owned(),
                );
            }
            if config.qk_norm.is_some() {
                all.push("W_Q W_Kᵀ leaves out the norms of queries and keys".to_owned());
            }
            if config.scores.cap.is_some() {
                all.push("W_Q W_Kᵀ leaves out the cap on scores".to_owned());
            }
        }
        if config.has_norms_after() {
            all.push("W_V W_O leaves out the norm after attention".to_owned());
        }
        all
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
        let processing = &processing.on(&self.config);
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
            self.wpe = self.wpe.map(|it| centered_rows(it.widen()).into());
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
        let matrix = self.unembedding_matrix();
        let bias = self.ln_f.bias();
        let bias = bias.map(|it| matrix.project(&it.clone().unsqueeze()).squeeze_dim::<1>(0));
        self.lm_head = Some(matrix.map_rows(|rows| self.ln_f.directions(rows)));
        self.unembed_bias = sum(self.unembed_bias.take(), bias);
        self.ln_f = self.ln_f.plain();
    }
}

impl Block {
    fn process(&mut self, processing: &Processing) {
        if processing.does(ProcessingStep::FoldLn) {
            self.mlp.input = self.mlp.input.reading(&self.ln_2);
            self.mlp.factor = self.mlp.factor.as_ref().map(|it| it.reading(&self.ln_2));
            self.ln_2 = self.ln_2.plain();
        }
        if processing.does(ProcessingStep::CenterWritingWeights) {
            self.mlp.output = self.mlp.output.centered();
        }
        self.attn = self.attn.process(&self.ln_1, processing);
        if processing.does(ProcessingStep::FoldLn) {
            self.ln_1 = self.ln_1.plain();
        }
    }
}

impl Attention {
    /// The attention with processed weights. `norm` is the one before it.
    pub(super) fn process(&self, norm: &Norm, processing: &Processing) -> Self {
        let mut it = self.clone();
        if processing.does(ProcessingStep::FoldLn) {
            it.query = it.query.reading(norm);
            it.key = it.key.reading(norm);
            it.value = it.value.reading(norm);
        }
        if processing.does(ProcessingStep::CenterWritingWeights) {
            it.output = it.output.centered();
        }
        let refactors = processing.does(ProcessingStep::RefactorFactoredAttnMatrices);
        let folds_bias = refactors || processing.does(ProcessingStep::FoldValueBiases);
        if let Some(bias) = it.value.bias.take_if(|_| folds_bias) {
            let bias = bias.reshape([1, 1, it.n_kv_heads as i32, -1]);
            let bias = for_queries(bias, it.n_heads).reshape([1, -1]);
            let folded = it.output.weight.after(bias).squeeze_dim::<1>(0);
            it.output.bias = sum(it.output.bias, Some(folded));
        }
        if refactors { it.refactored() } else { it }
    }

    /// TransformerLens' `refactor_factored_attn_matrices`. The biases of queries and keys are
    /// treated as one more row of their weights.
    fn refactored(mut self) -> Self {
        let d_model = self.output.weight.dims()[1];
        let device = self.output.weight.device();
        let [q, k, v] = [&self.query, &self.key, &self.value].map(|it| heads_of(it, self.n_heads));
        let o = rows_of(&self.output.weight, self.n_heads);
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
        let with_bias = |nth| Linear {
            weight: in_one_piece(matrix(nth).transpose()).into(),
            bias: Some(bias(nth)),
        };
        self.query = with_bias(0);
        self.key = with_bias(1);
        self.value.weight = in_one_piece(matrix(2).transpose()).into();
        self.output.weight = matrix(3).into();
        self
    }
}

/// Each head's columns of a map to all heads, `[d_model, d_head]`, and their biases, `[d_head]`.
pub(super) fn heads_of(map: &Linear, n_heads: usize) -> Vec<(Thin, Vec<f64>)> {
    let [d_model, d_out] = map.weight.dims();
    let values: Vec<f32> = map.weight.widen().into_data().iter::<f32>().collect();
    let bias: Vec<f64> = map.offset().into_data().iter::<f64>().collect();
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
pub(super) fn rows_of(weight: &Matrix, n_heads: usize) -> Vec<Thin> {
    let [d_in, d_model] = weight.dims();
    let values: Vec<f64> = weight.widen().into_data().iter::<f64>().collect();
    let rows: Vec<Vec<f64>> = values.chunks(d_model).map(<[f64]>::to_vec).collect();
    rows.chunks(d_in / n_heads).map(|columns| Thin { columns: columns.to_vec() }).collect()
}

/// The same matrix with its rows one after the other in memory, as the fast products need it.
fn in_one_piece(matrix: Tensor<2>) -> Tensor<2> {
    let device = matrix.device();
    Tensor::from_data(matrix.into_data(), &device)
}
