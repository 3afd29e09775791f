//! Makes models and checkpoints with random weights, for benchmarks, tests and the self-test of a
//! device.
//!
//! The scales are those of GPT-2's initialisation (Radford et al. 2019, section 2.3). Biases and
//! layer norms are random too, not 0 and 1, so that a program that leaves them out gives other
//! numbers.

use std::convert::Infallible;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Normal};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};

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
    let mut unfinished = whole_file::begin(&path).map_err(io_error(dir))?;
    let mut tensors: Vec<(String, Vec<usize>)> = expected_tensors(config).collect();
    // In the order in which the format's own library writes them.
    tensors.sort_unstable();
    let header = header(&tensors, stored_as);
    let mut write = |bytes: &[u8]| unfinished.write_all(bytes).map_err(io_error(&path));
    write(&(header.len() as u64).to_le_bytes())?;
    write(&header)?;
    let mut progress = Progress { done: 0, total: config.n_params() };
    for (name, shape) in tensors {
        let values = values(config, seed, &name, shape.iter().product());
        progress.done += values.len() as u64;
        let values = values.into_iter();
        let bytes: Vec<u8> = match stored_as {
            FloatType::F32 => values.flat_map(f32::to_le_bytes).collect(),
            FloatType::F16 => values.flat_map(|it| f16::from_f32(it).to_le_bytes()).collect(),
            FloatType::Bf16 => values.flat_map(|it| bf16::from_f32(it).to_le_bytes()).collect(),
        };
        write(&bytes)?;
        ctx.checkpoint(progress)?;
    }
    // Where the disk has no room, some file systems say so only now.
    unfinished.as_file().sync_all().map_err(io_error(&path))?;
    unfinished.persist(&path).map_err(|error| io_error(&path)(error.error))?;
    Ok(())
}

/// What a safetensors file says of its tensors before them. They lie one after the other.
fn header(tensors: &[(String, Vec<usize>)], stored_as: FloatType) -> Vec<u8> {
    const ALIGNED_TO: usize = 8;
    let (dtype, n_bytes) = match stored_as {
        FloatType::F32 => (Dtype::F32, 4),
        FloatType::F16 => (Dtype::F16, 2),
        FloatType::Bf16 => (Dtype::BF16, 2),
    };
    let mut end = 0;
    let infos = tensors.iter().map(|(name, shape)| {
        let start = end;
        end += shape.iter().product::<usize>() * n_bytes;
        (name.clone(), TensorInfo { dtype, shape: shape.clone(), data_offsets: (start, end) })
    });
    let written_by = [("format".to_owned(), "pt".to_owned())].into();
    let metadata = Metadata::new(Some(written_by), infos.collect());
    let metadata = metadata.expect("the tensors lie one after the other");
    let mut header = serde_json::to_vec(&metadata).expect("names and numbers");
    header.resize(header.len().next_multiple_of(ALIGNED_TO), b' ');
    header
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
