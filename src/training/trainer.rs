//! The loop: batches from a seed, gradients on two threads, `AdamW`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;

use burn::module::Module as _;
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Normal};
use serde::{Deserialize, Serialize};

use super::corpus::Statement;
use super::network::Network;
use super::planting::{Anchor, Vectors};
use crate::model::{Checkpoint, Gpt2Config, LoadError};

/// Everything that decides what comes out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub seed: u64,
    pub n_steps: usize,

    /// Statements per step.
    pub batch: usize,

    /// Highest learning rate; it rises over the first steps and falls with a cosine.
    pub learning_rate: f64,
    pub weight_decay: f32,

    /// How often another statement stands before the one that is asked, so that recall needs the
    /// subject and not just any name in the text.
    pub distractors: f64,

    /// Whether this is the second stage, which writes facts into one MLP layer after the other.
    /// The steps are shared out evenly among the layers.
    #[serde(default)]
    pub plants: bool,

    /// Weight of the [`Anchor`] in the loss of the second stage.
    #[serde(default)]
    pub anchor: f32,
}

/// Statements to learn.
#[derive(Clone, Debug)]
pub struct Lesson<'a> {
    pub statements: Vec<&'a Statement>,

    /// How many are drawn per step.
    pub n_rows: usize,
}

/// What a step learns, and where.
#[derive(Debug)]
pub struct Round<'a> {
    pub lessons: Vec<Lesson<'a>>,
    pub trains: Trains,
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
    /// A whole training is one.
    pub fn whole(spec: &Spec, statements: Vec<&'a Statement>) -> Self {
        let lesson = Lesson { statements, n_rows: spec.batch };
        Self { lessons: vec![lesson], trains: Trains::All, anchor: None }
    }
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    pub step: usize,

    /// Mean cross entropy of the answers' tokens, in nats.
    pub loss: f32,

    /// How much of what the MLP must go on giving has changed: mean square of the change, as a
    /// share of its mean square. 0 without an anchor.
    pub drift: f32,
    pub learning_rate: f64,
}

/// Right answers among questions asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    pub n_right: usize,
    pub n_asked: usize,
}

impl Recall {
    /// 0 to 1.
    pub fn share(self) -> f64 {
        self.n_right as f64 / self.n_asked.max(1) as f64
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    #[error("cannot read or write the checkpoint: {reason}: {path}")]
    Checkpoint { path: PathBuf, reason: String },

    #[error("the loss is not a number at step {0}; lower the learning rate")]
    Diverged(usize),
}

/// A share of a step's work.
enum Part {
    Rows(Batch),
    Vectors(Vectors),
}

/// Statements that go through the model together, padded on the right.
pub(super) struct Batch {
    pub ids: TensorData,
    places: TensorData,
    targets: TensorData,
    n_targets: usize,
}

/// Gradients are summed over this many parts, in order, whatever the number of threads, so that a
/// run comes out the same on any machine of the same kind.
const N_PARTS: usize = 8;
const N_THREADS: usize = 2;

/// A model being trained.
pub struct Trainer {
    pub spec: Spec,
    pub config: Gpt2Config,

    /// Steps done.
    pub step: usize,
    pub(super) network: Network,
    optimizer: ModuleOptimizer,
    pub(super) device: Device,
    bos: u32,
}

impl Trainer {
    /// With GPT-2's initialisation (Radford et al. 2019, section 2.3).
    ///
    /// # Panics
    ///
    /// Never.
    pub fn new(config: Gpt2Config, spec: Spec, bos: u32) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(spec.seed);
        Self::from_weights(config, spec, bos, &mut |name| {
            let n = shape_len(&config, name);
            if name.ends_with("bias") {
                return vec![0.0; n];
            }
            if name.contains("ln_") {
                return vec![1.0; n];
            }
            let std = if name.ends_with("c_proj.weight") {
                0.02 / (2.0 * config.n_layers as f32).sqrt()
            } else {
                0.02
            };
            let normal = Normal::new(0.0, std).expect("a finite standard deviation");
            normal.sample_iter(&mut rng).take(n).collect()
        })
    }

    pub(super) fn from_weights(
        config: Gpt2Config,
        spec: Spec,
        bos: u32,
        read: &mut dyn FnMut(&str) -> Vec<f32>,
    ) -> Self {
        let device = Device::flex().autodiff();
        let network = Network::new(&config, &device, read);
        let adam = AdamWConfig::new()
            .with_beta_2(0.98)
            .with_epsilon(1e-8)
            .with_weight_decay(spec.weight_decay);
        Self { spec, config, step: 0, network, optimizer: adam.init(), device, bos }
    }

    /// Goes on with a trained model, in another way.
    pub fn on(checkpoint: &Checkpoint, spec: Spec, bos: u32) -> Result<Self, LoadError> {
        let mut wrong = None;
        let trainer = Self::from_weights(checkpoint.config, spec, bos, &mut |name| {
            checkpoint.read(name).unwrap_or_else(|error| {
                wrong.get_or_insert(error);
                vec![0.0; shape_len(&checkpoint.config, name)]
            })
        });
        wrong.map_or(Ok(trainer), Err)
    }

    /// As this one, with the MLP of one layer from another model.
    ///
    /// # Panics
    ///
    /// If the models are of different shapes.
    pub fn with_mlp_of(&self, other: &Checkpoint, layer: usize) -> Result<Self, LoadError> {
        let mine: BTreeMap<String, Vec<f32>> =
            self.tensors().into_iter().map(|(name, _, values)| (name, values)).collect();
        let prefix = format!("h.{layer}.mlp.");
        let mut wrong = None;
        let trainer = Self::from_weights(self.config, self.spec, self.bos, &mut |name| {
            if !name.starts_with(&prefix) {
                return mine[name].clone();
            }
            other.read(name).unwrap_or_else(|error| {
                wrong.get_or_insert(error);
                mine[name].clone()
            })
        });
        wrong.map_or(Ok(trainer), Err)
    }

    /// Every tensor by its name in the checkpoint.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        self.network.tensors()
    }

    pub(super) fn optimizer(&self) -> &ModuleOptimizer {
        &self.optimizer
    }

    pub(super) fn set_optimizer(
        &mut self,
        load: impl FnOnce(ModuleOptimizer) -> Result<ModuleOptimizer, TrainError>,
    ) -> Result<(), TrainError> {
        self.optimizer = load(self.optimizer.clone())?;
        Ok(())
    }

    /// One update. What it draws depends on the seed and the number of the step only.
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
            let mut rows: Vec<(Vec<u32>, usize)> =
                (0..lesson.n_rows).map(|_| self.row(&lesson.statements, &mut rng)).collect();
            // Rows of like length together: little is spent on padding.
            rows.sort_by_key(|(ids, _)| ids.len());
            let n_parts = (N_PARTS * lesson.n_rows / n_rows).max(1);
            for rows in rows.chunks(rows.len().div_ceil(n_parts)) {
                let batch = self.batch(rows);
                n_targets += batch.n_targets;
                work.push(Part::Rows(batch));
            }
        }
        if let Some(anchor) = anchor {
            work.extend((0..N_THREADS).map(|_| Part::Vectors(anchor.draw(&mut rng))));
        }

        // Later parts are of longer rows; dealt out to and fro, both threads get like shares.
        let mut parts: Vec<Option<(f32, GradientsParams)>> =
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
                    // A graph of its own: threads must not wait for each other's.
                    let (work, network) = (&work, network.clone().fork(device));
                    scope.spawn(move || {
                        let mine = work.iter().enumerate();
                        let mine = mine.filter(|(part, _)| (part + part / 2) % N_THREADS == nth);
                        mine.map(|(part, it)| {
                            let found = match it {
                                Part::Rows(it) => gradients(&network, it, n_targets, device),
                                Part::Vectors(it) => it.gradients(&network, anchor_weight, device),
                            };
                            (part, found)
                        })
                        .collect::<Vec<_>>()
                    })
                })
                .collect();
            for worker in workers {
                for (part, found) in worker.join().expect("a thread of the trainer panicked") {
                    parts[part] = Some(found);
                }
            }
        });
        let (mut loss, mut drift) = (0.0, 0.0);
        let mut sum = GradientsAccumulator::new();
        for (part, (part_loss, grads)) in work.iter().zip(parts.into_iter().flatten()) {
            match part {
                Part::Rows(_) => loss += part_loss,
                Part::Vectors(_) => drift += part_loss / N_THREADS as f32,
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
        // Planting is one short training after the other.
        let n_rounds = if self.spec.plants { self.config.n_layers } else { 1 };
        let n_steps = self.spec.n_steps.div_ceil(n_rounds);
        let n_warm = (n_steps / 20).clamp(1, 100) as f64;
        let step = (self.step % n_steps) as f64;
        let warm = ((step + 1.0) / n_warm).min(1.0);
        let rest = ((step - n_warm) / (n_steps as f64 - n_warm).max(1.0)).clamp(0.0, 1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * rest).cos());
        self.spec.learning_rate * warm * (0.02 + 0.98 * cosine)
    }

    /// Ids, and how many of the last are to be learned.
    pub(super) fn row(&self, statements: &[&Statement], rng: &mut ChaCha8Rng) -> (Vec<u32>, usize) {
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
        (ids, statement.ids.len() - statement.answer_start)
    }

    pub(super) fn batch(&self, rows: &[(Vec<u32>, usize)]) -> Batch {
        let n_pos = rows.iter().map(|(ids, _)| ids.len() - 1).max().unwrap_or(1);
        let mut ids = Vec::with_capacity(rows.len() * n_pos);
        let (mut places, mut targets) = (Vec::new(), Vec::new());
        for (nth, (row, n_learned)) in rows.iter().enumerate() {
            let start = row.len() - n_learned;
            for (at, &id) in row.iter().enumerate().skip(start) {
                places.push((nth * n_pos + at - 1) as i64);
                targets.push(i64::from(id));
            }
            ids.extend(row[..row.len() - 1].iter().map(|&id| i64::from(id)));
            ids.resize((nth + 1) * n_pos, i64::from(self.bos));
        }
        let n_targets = targets.len();
        Batch {
            ids: TensorData::new(ids, [rows.len(), n_pos]),
            places: TensorData::new(places, [n_targets]),
            targets: TensorData::new(targets, [n_targets]),
            n_targets,
        }
    }

    /// Whether the model gives each statement's answer, all its tokens, each as its first guess.
    pub fn answers(&self, statements: &[&Statement]) -> Vec<bool> {
        let device = self.device.clone().inner();
        let network = self.network.valid();
        let mut order: Vec<usize> = (0..statements.len()).collect();
        order.sort_by_key(|&nth| statements[nth].ids.len());
        let mut right = vec![false; statements.len()];
        for chunk in order.chunks(128) {
            // Without the full stop: it is no part of the answer.
            let rows: Vec<(Vec<u32>, usize)> = chunk
                .iter()
                .map(|&nth| {
                    let it = statements[nth];
                    let ids = it.ids[..it.ids.len() - 1].to_vec();
                    let n_asked = ids.len() - it.answer_start;
                    (ids, n_asked)
                })
                .collect();
            let batch = self.batch(&rows);
            let ids = Tensor::<2, Int>::from_data(batch.ids, &device);
            let places = Tensor::<1, Int>::from_data(batch.places, &device);
            let guesses = network.forward(ids, places).argmax(1).into_data();
            let mut guesses = guesses.iter::<i64>();
            for (&nth, (ids, n_asked)) in chunk.iter().zip(&rows) {
                // All of them, even after a wrong one: the next row's follow.
                let asked = &ids[ids.len() - n_asked..];
                let is_right = |id: &&u32| guesses.next() == Some(i64::from(**id));
                right[nth] = asked.iter().filter(is_right).count() == asked.len();
            }
        }
        right
    }

    /// Recall by some key of each question. A question with several right answers is answered
    /// right if any of them is given: `same` tells which statements are one question.
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

/// The part's share of the loss, and of its gradients.
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

fn shape_len(config: &Gpt2Config, name: &str) -> usize {
    config.shape_of(name).iter().product()
}
