//! Keeps one layer's MLP from changing what it gives for inputs that are already known.

use std::collections::HashSet;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use super::batch::{Batch, TextRow};
use super::network::Network;

/// How many vectors each thread compares per step.
const N_DRAWN: usize = 2048;

/// The inputs that a layer's MLP gets from known texts, and the outputs that it gave before
/// training.
///
/// Replayed answers correct the model only after it has forgotten them. The anchor keeps it from
/// moving at all, at every token, and costs little because no other layer runs.
#[derive(Debug)]
pub struct Anchor {
    layer: usize,
    d_model: usize,

    /// `[n, d_model]`
    inputs: Vec<f32>,

    /// `[n, d_model]`
    outputs: Vec<f32>,

    /// The mean square of the entries of `outputs`.
    scale: f32,
}

/// Vectors of an anchor that a step compares.
pub(super) struct AnchorBatch {
    layer: usize,

    /// `[1, n, d_model]`
    inputs: TensorData,

    /// `[1, n, d_model]`
    outputs: TensorData,
    scale: f32,
}

impl Anchor {
    /// The inputs come from `network`, the outputs for them from the MLP of `before`.
    ///
    /// # Panics
    ///
    /// If there are no rows, or the networks have different shapes.
    pub(super) fn new(
        mut rows: Vec<Vec<u32>>,
        layer: usize,
        network: &Network,
        before: &Network,
        padding: u32,
    ) -> Self {
        rows.sort_by_key(Vec::len);
        let device = network.device();
        let mut seen: HashSet<&[u32]> = HashSet::new();
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        let mut d_model = 0;
        for rows in rows.chunks(128) {
            let unlearned: Vec<TextRow> =
                rows.iter().map(|ids| TextRow { ids: ids.clone(), n_learned: 0 }).collect();
            let ids = Batch::new(&unlearned, padding).ids;
            let x = network.mlp_inputs(Tensor::<2, Int>::from_data(ids, &device), layer);
            let y = before.mlp(layer, x.clone());
            let [_, n_pos, width] = x.dims();
            d_model = width;
            let [x, y] =
                [x, y].map(|it| it.into_data().try_to_vec::<f32>().expect("activations are f32"));
            for (nth, row) in rows.iter().enumerate() {
                for pos in 0..row.len() - 1 {
                    // Rows with the same beginning have the same vectors there.
                    if seen.insert(&row[..=pos]) {
                        let start = (nth * n_pos + pos) * d_model;
                        inputs.extend_from_slice(&x[start..start + d_model]);
                        outputs.extend_from_slice(&y[start..start + d_model]);
                    }
                }
            }
        }
        let squares: f64 = outputs.iter().map(|&it| f64::from(it).powi(2)).sum();
        let scale = (squares / outputs.len() as f64) as f32;
        Self { layer, d_model, inputs, outputs, scale }
    }

    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> AnchorBatch {
        let d = self.d_model;
        let n_all = self.inputs.len() / d;
        let drawn: Vec<usize> = (0..N_DRAWN).map(|_| rng.random_range(0..n_all)).collect();
        let take = |all: &[f32]| {
            let values: Vec<f32> =
                drawn.iter().flat_map(|nth| &all[nth * d..(nth + 1) * d]).copied().collect();
            TensorData::new(values, [1, N_DRAWN, d])
        };
        AnchorBatch {
            layer: self.layer,
            inputs: take(&self.inputs),
            outputs: take(&self.outputs),
            scale: self.scale,
        }
    }
}

impl AnchorBatch {
    /// The drift (see [`StepReport::drift`](super::StepReport::drift)), and the gradients of
    /// `weight` times the drift.
    pub fn gradients(
        &self,
        network: &Network,
        weight: f32,
        device: &Device,
    ) -> (f32, GradientsParams) {
        let outputs = network.mlp(self.layer, Tensor::from_data(self.inputs.clone(), device));
        let before = Tensor::from_data(self.outputs.clone(), device);
        let drift = (outputs - before).square().mean() / self.scale;
        let grads = (drift.clone() * weight).backward();
        (drift.into_scalar::<f32>(), GradientsParams::from_grads(grads, network))
    }
}
