//! The second stage: facts are written into one known MLP layer each, and what was known is kept.

use std::collections::HashSet;

use burn::module::Module as _;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::corpus::{Corpus, Statement};
use super::network::Network;
use super::split::Split;
use super::trainer::{Lesson, Round, Trainer, Trains};
use crate::model::{Checkpoint, LoadError};

/// How many vectors each thread compares per step.
const N_DRAWN: usize = 2048;

/// The inputs that a layer's MLP gets from texts, and the outputs that it gave before.
///
/// Answers that are replayed pull the model back where it has already forgotten; this keeps it from
/// moving, at every token and for a small part of the work, since no other layer is run.
#[derive(Debug)]
pub struct Anchor {
    layer: usize,
    d_model: usize,

    /// `[n, d_model]`
    inputs: Vec<f32>,

    /// `[n, d_model]`
    outputs: Vec<f32>,

    /// Mean square of an output's entry.
    scale: f32,
}

/// Some of an anchor.
pub(super) struct Vectors {
    layer: usize,
    inputs: TensorData,
    outputs: TensorData,
    scale: f32,
}

impl<'a> Round<'a> {
    /// What the MLP of the trainer's layer is taught in its turn: its own facts, and all that is
    /// known by then, half of each batch.
    ///
    /// # Panics
    ///
    /// If `before` is a model of another shape.
    pub fn planting(
        trainer: &Trainer,
        corpus: &'a Corpus,
        split: &Split,
        before: &Checkpoint,
    ) -> Result<Self, LoadError> {
        let layer = trainer.planted_layer();
        let (mut known, _) = corpus.divide(split);
        known.extend((0..layer).flat_map(|earlier| corpus.planted(split, earlier).0));
        let (new, _) = corpus.planted(split, layer);
        let anchor = Anchor::new(trainer, before, &known, layer)?;
        let n_new = trainer.spec.batch / 2;
        Ok(Self {
            lessons: vec![
                Lesson { statements: new, n_rows: n_new },
                Lesson { statements: known, n_rows: trainer.spec.batch - n_new },
            ],
            trains: Trains::Mlp(layer),
            anchor: Some(anchor),
        })
    }
}

impl Anchor {
    /// Each statement once as it is and once as it comes in training. `before` is the model that
    /// had the layer's MLP as it was.
    ///
    /// # Panics
    ///
    /// If there are no statements, or the models are of different shapes.
    pub fn new(
        trainer: &Trainer,
        before: &Checkpoint,
        statements: &[&Statement],
        layer: usize,
    ) -> Result<Self, LoadError> {
        let mut rng = ChaCha8Rng::seed_from_u64(trainer.spec.seed);
        // Streams from 1 on are the steps'.
        rng.set_stream(u64::MAX - layer as u64);
        let mut rows: Vec<Vec<u32>> = statements.iter().map(|it| it.ids.clone()).collect();
        rows.extend(statements.iter().map(|it| trainer.row(&[it], &mut rng).0));
        rows.sort_by_key(Vec::len);

        let device = trainer.device.clone().inner();
        let network = trainer.network.valid();
        let old = trainer.with_mlp_of(before, layer)?.network.valid();
        let d_model = trainer.config.d_model;
        let mut seen: HashSet<&[u32]> = HashSet::new();
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for rows in rows.chunks(128) {
            // No lengths of answers are needed: nothing is predicted.
            let batch: Vec<(Vec<u32>, usize)> = rows.iter().map(|row| (row.clone(), 0)).collect();
            let batch = trainer.batch(&batch);
            let n_pos = batch.ids.shape()[1];
            let x = network.mlp_inputs(Tensor::<2, Int>::from_data(batch.ids, &device), layer);
            let y = old.mlp(layer, x.clone());
            let [x, y] = [x, y].map(|it| it.into_data().try_to_vec::<f32>().expect("they are f32"));
            for (nth, row) in rows.iter().enumerate() {
                for pos in 0..row.len() - 1 {
                    // The same beginning gives the same vectors.
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
        Ok(Self { layer, d_model, inputs, outputs, scale })
    }

    pub(super) fn draw(&self, rng: &mut ChaCha8Rng) -> Vectors {
        let d = self.d_model;
        let n_all = self.inputs.len() / d;
        let drawn: Vec<usize> = (0..N_DRAWN).map(|_| rng.random_range(0..n_all)).collect();
        let take = |all: &[f32]| {
            let values: Vec<f32> =
                drawn.iter().flat_map(|nth| &all[nth * d..(nth + 1) * d]).copied().collect();
            TensorData::new(values, [1, N_DRAWN, d])
        };
        Vectors {
            layer: self.layer,
            inputs: take(&self.inputs),
            outputs: take(&self.outputs),
            scale: self.scale,
        }
    }
}

impl Vectors {
    /// The drift (see `StepReport::drift`), and the gradients of it times a weight.
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
