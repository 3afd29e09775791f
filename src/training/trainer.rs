//! The training loop: batches drawn from a seed, gradients on two threads, and `AdamW`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::thread;

use burn::module::Module as _;
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Normal};
use serde::{Deserialize, Serialize};

use super::anchor::{Anchor, AnchorBatch};
use super::batch::{Batch, TextRow};
use super::corpus::Statement;
use super::network::Network;
use crate::model::{Checkpoint, LoadError, ModelConfig};

/// The settings that determine a training run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub seed: u64,
    pub n_steps: usize,

    /// How many statements each step learns from.
    pub batch: usize,

    /// The highest learning rate. It rises over the first steps and then falls with a cosine.
    pub learning_rate: f64,
    pub weight_decay: f32,

    /// The probability that another statement stands before the one to learn, so that recall needs
    /// the subject and not just any name in the text. 0 to 1.
    pub distractors: f64,

    /// Whether this is the second stage, which writes facts into one MLP layer after another. Each
    /// layer gets the same number of steps.
    #[serde(default)]
    pub plants: bool,

    /// The weight of the [`Anchor`] in the loss of the second stage.
    #[serde(default)]
    pub anchor: f32,
}

/// Statements to learn, and how many of them each step draws.
#[derive(Clone, Debug)]
pub struct Lesson<'a> {
    pub statements: Vec<&'a Statement>,

    /// How many statements each step draws.
    pub n_rows: usize,
}

/// What the steps of a round learn, and with which parameters.
#[derive(Debug)]
pub struct Round<'a> {
    pub lessons: Vec<Lesson<'a>>,
    pub trains: Trains,

    /// What must not change, if anything is given.
    pub anchor: Option<Anchor>,
}

/// The parameters that learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trains {
    All,

    /// The MLP of one layer.
    Mlp(usize),
}

impl<'a> Round<'a> {
    /// The round that the first stage of training consists of.
    pub fn whole(spec: &Spec, statements: Vec<&'a Statement>) -> Self {
        let lesson = Lesson { statements, n_rows: spec.batch };
        Self { lessons: vec![lesson], trains: Trains::All, anchor: None }
    }
}

/// The outcome of one step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    pub step: usize,

    /// The mean cross entropy of the answers' tokens, in nats.
    pub loss: f32,

    /// How far the MLP has moved from its anchor: the mean square of the change of its outputs, as
    /// a share of their mean square. 0 without an anchor.
    pub drift: f32,
    pub learning_rate: f64,
}

/// How many of the questions asked were answered right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    pub n_right: usize,
    pub n_asked: usize,
}

impl Recall {
    /// The share of right answers, 0 to 1.
    pub fn share(self) -> f64 {
        self.n_right as f64 / self.n_asked.max(1) as f64
    }
}

/// Why a training run fails.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error("cannot read or write the checkpoint: {reason}: {path}")]
    Checkpoint { path: PathBuf, reason: String },

    #[error("the loss is not a number at step {0}; lower the learning rate")]
    Diverged(usize),
}

/// A share of a step's work.
enum WorkShare {
    Statements(Batch),
    Anchor(AnchorBatch),
}

/// How many shares the statements of a step are parted into. Their gradients are summed in order,
/// whatever the number of threads, so that runs on machines of one kind are alike.
const N_SHARES: usize = 8;
const N_THREADS: usize = 2;

/// A model being trained.
pub struct Trainer {
    pub spec: Spec,
    pub config: ModelConfig,

    /// How many steps are done.
    pub step: usize,
    pub(super) network: Network,
    pub(super) optimizer: ModuleOptimizer,
    device: Device,

    /// The id of `<|endoftext|>`, which also pads rows.
    pub(super) bos: u32,
}

impl Trainer {
    /// A model with GPT-2's initial weights (Radford et al. 2019, section 2.3).
    ///
    /// # Panics
    ///
    /// Never: the standard deviations are finite.
    pub fn new(config: ModelConfig, spec: Spec, bos: u32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(spec.seed);
        let Ok(trainer) = Self::from_weights(config, spec, bos, &mut |name| {
            let n = config.shape_of(name).iter().product();
            if name.ends_with("bias") {
                return Ok::<_, Infallible>(vec![0.0; n]);
            }
            if name.contains("ln_") {
                return Ok(vec![1.0; n]);
            }
            let std = if name.ends_with("c_proj.weight") {
                0.02 / (2.0 * config.n_layers as f32).sqrt()
            } else {
                0.02
            };
            let normal = Normal::new(0.0, std).expect("a finite standard deviation");
            Ok(normal.sample_iter(&mut rng).take(n).collect())
        });
        trainer
    }

    /// A model whose numbers `read` gives, tensor by tensor of a checkpoint.
    pub(super) fn from_weights<E>(
        config: ModelConfig,
        spec: Spec,
        bos: u32,
        read: &mut dyn FnMut(&str) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let device = Device::flex().autodiff();
        let network = Network::new(&config, &device, read)?;
        let adam = AdamWConfig::new()
            .with_beta_2(0.98)
            .with_epsilon(1e-8)
            .with_weight_decay(spec.weight_decay);
        Ok(Self { spec, config, step: 0, network, optimizer: adam.init(), device, bos })
    }

    /// Continues the training of a model with other settings.
    pub fn on(checkpoint: &Checkpoint, spec: Spec, bos: u32) -> Result<Self, LoadError> {
        Self::from_weights(checkpoint.config, spec, bos, &mut |name| Ok(checkpoint.read(name)?))
    }

    /// The same model, with one layer's MLP from a checkpoint.
    ///
    /// # Panics
    ///
    /// If the models have different shapes.
    pub fn with_mlp_of(&self, other: &Checkpoint, layer: usize) -> Result<Self, LoadError> {
        let mine: BTreeMap<String, Vec<f32>> =
            self.tensors().into_iter().map(|(name, _, values)| (name, values)).collect();
        let prefix = format!("h.{layer}.mlp.");
        Self::from_weights(self.config, self.spec, self.bos, &mut |name| {
            if name.starts_with(&prefix) { Ok(other.read(name)?) } else { Ok(mine[name].clone()) }
        })
    }

    /// The name, shape and numbers of every tensor, as a checkpoint holds them.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        self.network.tensors()
    }

    /// Updates the parameters once. What the step draws depends only on the seed and the step's
    /// number.
    ///
    /// # Panics
    ///
    /// If a lesson has no statements.
    pub fn train_step(&mut self, round: &Round<'_>) -> Result<StepReport, TrainError> {
        let Round { lessons, trains, anchor } = round;
        let mut rng = ChaCha8Rng::seed_from_u64(self.spec.seed);
        rng.set_stream(self.step as u64 + 1);
        let n_rows: usize = lessons.iter().map(|lesson| lesson.n_rows).sum();
        let mut work = Vec::new();
        let mut n_targets = 0;
        for lesson in lessons {
            let mut rows: Vec<TextRow> =
                (0..lesson.n_rows).map(|_| self.draw_row(&lesson.statements, &mut rng)).collect();
            // Rows of similar length go together, which saves padding.
            rows.sort_by_key(|row| row.ids.len());
            let n_shares = (N_SHARES * lesson.n_rows / n_rows).max(1);
            for rows in rows.chunks(rows.len().div_ceil(n_shares)) {
                let batch = Batch::new(rows, self.bos);
                n_targets += batch.n_targets;
                work.push(WorkShare::Statements(batch));
            }
        }
        if let Some(anchor) = anchor {
            work.extend((0..N_THREADS).map(|_| WorkShare::Anchor(anchor.draw(&mut rng))));
        }

        let mut results: Vec<Option<(f32, GradientsParams)>> =
            (0..work.len()).map(|_| None).collect();
        let network = match trains {
            Trains::All => self.network.clone(),
            Trains::Mlp(layer) => self.network.clone().with_all_but_mlp_frozen(*layer),
        };
        let device = &self.device;
        let anchor_weight = self.spec.anchor / N_THREADS as f32;
        thread::scope(|scope| {
            let workers: Vec<_> = (0..N_THREADS)
                .map(|nth| {
                    // Each thread has its own autodiff graph, so that none waits for another's.
                    let (work, network) = (&work, network.clone().fork(device));
                    scope.spawn(move || {
                        // Later shares have longer rows. Dealing them out 0, 1, 1, 0, … gives both
                        // threads about the same work.
                        let mine = work.iter().enumerate();
                        let mine = mine.filter(|(at, _)| (at + at / 2) % N_THREADS == nth);
                        mine.map(|(at, share)| {
                            let result = match share {
                                WorkShare::Statements(it) => {
                                    gradients(&network, it, n_targets, device)
                                }
                                WorkShare::Anchor(it) => {
                                    it.gradients(&network, anchor_weight, device)
                                }
                            };
                            (at, result)
                        })
                        .collect::<Vec<_>>()
                    })
                })
                .collect();
            for worker in workers {
                for (at, result) in worker.join().expect("a thread of the trainer panicked") {
                    results[at] = Some(result);
                }
            }
        });
        let (mut loss, mut drift) = (0.0, 0.0);
        let mut sum = GradientsAccumulator::new();
        for (share, (share_loss, grads)) in work.iter().zip(results.into_iter().flatten()) {
            match share {
                WorkShare::Statements(_) => loss += share_loss,
                WorkShare::Anchor(_) => drift += share_loss / N_THREADS as f32,
            }
            sum.accumulate(&self.network, grads);
        }
        if !loss.is_finite() {
            return Err(TrainError::Diverged(self.step));
        }
        let learning_rate = self.learning_rate();
        self.network = self.optimizer.step(learning_rate, self.network.clone(), sum.grads());
        let report = StepReport { step: self.step, loss, drift, learning_rate };
        self.step += 1;
        Ok(report)
    }

    /// The layer that facts are being planted in.
    pub fn planted_layer(&self) -> usize {
        self.step / self.spec.n_steps.div_ceil(self.config.n_layers)
    }

    fn learning_rate(&self) -> f64 {
        // Planting is a sequence of short trainings, one for each layer.
        let n_rounds = if self.spec.plants { self.config.n_layers } else { 1 };
        let n_steps = self.spec.n_steps.div_ceil(n_rounds);
        let n_warm = (n_steps / 20).clamp(1, 100) as f64;
        let step = (self.step % n_steps) as f64;
        let warm = ((step + 1.0) / n_warm).min(1.0);
        let rest = ((step - n_warm) / (n_steps as f64 - n_warm).max(1.0)).clamp(0.0, 1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * rest).cos());
        self.spec.learning_rate * warm * (0.02 + 0.98 * cosine)
    }

    /// A row that ends with one of the statements, perhaps after BOS and another statement.
    pub(super) fn draw_row(&self, statements: &[&Statement], rng: &mut ChaCha8Rng) -> TextRow {
        let statement = statements.choose(rng).expect("there are statements");
        let mut ids = Vec::new();
        if rng.random_bool(0.5) {
            ids.push(self.bos);
        }
        if rng.random_bool(self.spec.distractors) {
            let other = statements.choose(rng).expect("there are statements");
            ids.extend(&other.ids);
        }
        ids.extend(&statement.ids);
        TextRow { ids, n_learned: statement.ids.len() - statement.answer_start }
    }

    /// Whether the model gives each statement's answer: all its tokens, each as its first guess.
    pub fn answers(&self, statements: &[&Statement]) -> Vec<bool> {
        let device = self.device.clone().inner();
        let network = self.network.valid();
        let mut order: Vec<usize> = (0..statements.len()).collect();
        order.sort_by_key(|&nth| statements[nth].ids.len());
        let mut right = vec![false; statements.len()];
        for chunk in order.chunks(128) {
            let rows: Vec<TextRow> = chunk
                .iter()
                .map(|&nth| {
                    let it = statements[nth];
                    // The full stop is no part of the answer.
                    let ids = it.ids[..it.ids.len() - 1].to_vec();
                    TextRow { n_learned: ids.len() - it.answer_start, ids }
                })
                .collect();
            let batch = Batch::new(&rows, self.bos);
            let ids = Tensor::<2, Int>::from_data(batch.ids, &device);
            let places = Tensor::<1, Int>::from_data(batch.places, &device);
            let guesses = network.forward(ids, places).argmax(1).into_data();
            let mut guesses = guesses.iter::<i64>();
            for (&nth, TextRow { ids, n_learned }) in chunk.iter().zip(&rows) {
                // `filter` takes every guess of this row, even after a wrong one, because the next
                // row's guesses follow.
                let asked = &ids[ids.len() - n_learned..];
                let is_right = |id: &&u32| guesses.next() == Some(i64::from(**id));
                right[nth] = asked.iter().filter(is_right).count() == asked.len();
            }
        }
        right
    }

    /// Recall of `statements`, grouped by a key. A statement counts as right if the model gives the
    /// answer of any of the `candidates` with the same question, since a question may have several
    /// right answers.
    pub fn recall<K: Ord, Q: Ord>(
        &self,
        statements: &[&Statement],
        key: impl Fn(&Statement) -> K,
        question: impl Fn(&Statement) -> Q,
        candidates: &[&Statement],
    ) -> BTreeMap<K, Recall> {
        let mut given: BTreeMap<Q, bool> = BTreeMap::new();
        for (statement, is_right) in candidates.iter().zip(self.answers(candidates)) {
            *given.entry(question(statement)).or_default() |= is_right;
        }
        let mut recall: BTreeMap<K, Recall> = BTreeMap::new();
        for statement in statements {
            let entry = recall.entry(key(statement)).or_default();
            entry.n_asked += 1;
            entry.n_right +=
                usize::from(given.get(&question(statement)).copied().unwrap_or_default());
        }
        recall
    }
}

/// A batch's share of the step's loss, and the gradients of that share.
fn gradients(
    network: &Network,
    batch: &Batch,
    n_targets: usize,
    device: &Device,
) -> (f32, GradientsParams) {
    let ids = Tensor::<2, Int>::from_data(batch.ids.clone(), device);
    let places = Tensor::<1, Int>::from_data(batch.places.clone(), device);
    let targets = Tensor::<1, Int>::from_data(batch.targets.clone(), device);
    let log_probs = log_softmax(network.forward(ids, places), 1);
    let loss = -log_probs.gather(1, targets.unsqueeze_dim(1)).sum() / n_targets as f32;
    let grads = GradientsParams::from_grads(loss.backward(), network);
    (loss.into_scalar::<f32>(), grads)
}
