//! Makes models and checkpoints with random weights, for benchmarks, tests and the self-test of a
//! device.
//!
//! The scales are those of GPT-2's initialisation (Radford et al. 2019, section 2.3). Biases and
//! layer norms are random too, not 0 and 1, so that a program that leaves them out gives other
//! numbers.

use std::borrow::Cow;
use std::cell::Cell;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Normal};
use safetensors::tensor::{Dtype, View};

use super::checkpoint::Numbers;
use super::device::ComputeDevice;
use super::tensor_names::expected_tensors;
use super::{ModelConfig, Transformer};
use crate::task::{Cancelled, Progress, TaskCtx};
use crate::whole_file;

/// How the numbers of a random checkpoint are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloatType {
    F32,
    F16,
    Bf16,
}

/// Why a checkpoint cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("cannot write the checkpoint: {source}: {path}")]
    Io { path: PathBuf, source: io::Error },

    #[error("cannot write the weights: {reason}: {path}")]
    Weights { path: PathBuf, reason: String },

    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Transformer {
    /// A model with random weights, made in memory.
    pub fn random(config: &ModelConfig, seed: u64, device: &ComputeDevice) -> Self {
        let model = Self::from_source::<Infallible>(config, device, &mut |name| {
            let n = config.shape_of(name).iter().product();
            Ok(Numbers::Owned(values(config, seed, name, n)))
        });
        let Ok(model) = model;
        model
    }
}

/// Writes `config.json` and `model.safetensors`, one tensor in memory at a time.
pub fn write_random_checkpoint(
    config: &ModelConfig,
    seed: u64,
    stored_as: FloatType,
    dir: &Path,
    ctx: &TaskCtx<'_>,
) -> Result<(), WriteError> {
    let io_error = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError::Io { path, source }
    };
    fs::create_dir_all(dir).map_err(io_error(dir))?;
    let path = dir.join("config.json");
    whole_file::write(&path, config.to_json().as_bytes()).map_err(io_error(&path))?;

    // The file has another name until it is whole, because a part of it must not look like a model.
    let path = dir.join("model.safetensors");
    let unfinished = whole_file::begin(&path).map_err(io_error(dir))?;
    let done = Cell::new(0);
    let tensors = expected_tensors(config).map(|(name, shape)| {
        (name.clone(), RandomTensor { config, seed, stored_as, name, shape, done: &done, ctx })
    });
    let metadata = [("format".to_owned(), "pt".to_owned())].into();
    safetensors::serialize_to_file(tensors, Some(metadata), unfinished.path())
        .map_err(|error| WriteError::Weights { path: path.clone(), reason: error.to_string() })?;
    ctx.checkpoint(Progress { done: config.n_params(), total: config.n_params() })?;
    unfinished.persist(&path).map_err(|error| io_error(&path)(error.error))?;
    Ok(())
}

/// A tensor whose numbers are made when it is written, and not kept.
struct RandomTensor<'a, 'b> {
    config: &'a ModelConfig,
    seed: u64,
    stored_as: FloatType,
    name: String,
    shape: Vec<usize>,
    done: &'a Cell<u64>,
    ctx: &'a TaskCtx<'b>,
}

impl View for RandomTensor<'_, '_> {
    fn dtype(&self) -> Dtype {
        match self.stored_as {
            FloatType::F32 => Dtype::F32,
            FloatType::F16 => Dtype::F16,
            FloatType::Bf16 => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let n: usize = self.shape.iter().product();
        let values = values(self.config, self.seed, &self.name, n);
        self.done.set(self.done.get() + n as u64);
        (self.ctx.report)(Progress { done: self.done.get(), total: self.config.n_params() });
        let values = values.into_iter();
        Cow::Owned(match self.stored_as {
            FloatType::F32 => values.flat_map(f32::to_le_bytes).collect(),
            FloatType::F16 => values.flat_map(|it| f16::from_f32(it).to_le_bytes()).collect(),
            FloatType::Bf16 => values.flat_map(|it| bf16::from_f32(it).to_le_bytes()).collect(),
        })
    }

    fn data_len(&self) -> usize {
        let n_bytes = if self.stored_as == FloatType::F32 { 4 } else { 2 };
        self.shape.iter().product::<usize>() * n_bytes
    }
}

/// A tensor's numbers, which depend only on the seed and the tensor's name.
fn values(config: &ModelConfig, seed: u64, name: &str, n: usize) -> Vec<f32> {
    let names = config.family.names();
    let is_norm = name.contains("ln_") || name.contains("norm");
    let mean = if is_norm && name.ends_with("weight") { 1.0 - names.gains_less } else { 0.0 };
    let writes = [names.attention_output, names.mlp[2]];
    let std = if writes.iter().any(|it| name.ends_with(&format!("{it}.weight"))) {
        // Scaled down with depth, so that the residual stream does not grow.
        0.02 / (2.0 * config.n_layers as f32).sqrt()
    } else if is_norm {
        0.1
    } else {
        0.02
    };
    let stream = expected_tensors(config).position(|(expected, _)| expected == name);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream.expect("a name of the checkpoint") as u64);
    let normal = Normal::new(mean, std).expect("a finite standard deviation");
    normal.sample_iter(&mut rng).take(n).collect()
}
