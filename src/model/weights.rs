//! Checkpoint to model: tensor by tensor, each handed to the device before the next is read.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use super::checkpoint::{LM_HEAD, expected_tensors};
use super::config::Unembedding;
use super::device::ComputeDevice;
use super::gpt2::{Attention, Block, Mlp};
use super::layers::{Affine, LayerNorm};
use super::vocabulary::Vocabulary;
use super::{Checkpoint, Gpt2, Gpt2Config, LoadError};
use crate::task::{Progress, TaskCtx};

impl Gpt2 {
    /// Reads the weights. Progress is counted in numbers.
    pub fn load(
        checkpoint: &Checkpoint,
        device: &ComputeDevice,
        ctx: &TaskCtx<'_>,
    ) -> Result<Self, LoadError> {
        let total = checkpoint.config.n_params();
        let mut done = 0;
        Self::from_source(&checkpoint.config, device, &mut |name| {
            ctx.checkpoint(Progress { done, total })?;
            let values = checkpoint.read(name)?;
            done += values.len() as u64;
            Ok(values)
        })
    }

    /// Builds a model from whatever gives the numbers of a named tensor.
    pub(super) fn from_source<E>(
        config: &Gpt2Config,
        device: &ComputeDevice,
        read: &mut dyn FnMut(&str) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let mut source = Source { config, device, read };
        let wte = source.read_vocabulary("wte.weight")?;
        let (lm_head, mean_unembedding) = match config.unembedding {
            Unembedding::Tied => (None, wte.1),
            Unembedding::Separate => {
                let (head, mean) = source.read_vocabulary(LM_HEAD)?;
                (Some(head), mean)
            }
        };
        Ok(Self {
            config: *config,
            wte: wte.0,
            wpe: source.matrix("wpe.weight", [config.n_ctx, config.d_model])?,
            h: (0..config.n_layers).map(|layer| source.block(layer)).collect::<Result<_, E>>()?,
            ln_f: source.layer_norm("ln_f")?,
            lm_head,
            mean_unembedding: source.vector_of(mean_unembedding),
            is_queued: device.adapter.is_some(),
            max_rows: max_rows(config, device),
            readbacks: Arc::default(),
            bytes_read_back: Arc::default(),
        })
    }
}

/// Logits of one row over the whole vocabulary must fit a binding of the device with those of all
/// the others.
fn max_rows(config: &Gpt2Config, device: &ComputeDevice) -> usize {
    const MAX: usize = 512;
    let row_bytes = (config.d_vocab * size_of::<f32>()) as u64;
    device.max_binding_bytes.map_or(MAX, |max| ((max / row_bytes) as usize).clamp(1, MAX))
}

struct Source<'a, E> {
    config: &'a Gpt2Config,
    device: &'a ComputeDevice,
    read: &'a mut dyn FnMut(&str) -> Result<Vec<f32>, E>,
}

impl<E> Source<'_, E> {
    fn block(&mut self, layer: usize) -> Result<Block, E> {
        let Gpt2Config { d_model, d_mlp, n_heads, .. } = *self.config;
        let name = |part: &str| format!("h.{layer}.{part}");
        let [query, key, value] = self.query_key_value(&name("attn.c_attn"))?;
        Ok(Block {
            ln_1: self.layer_norm(&name("ln_1"))?,
            attn: Attention {
                query,
                key,
                value,
                c_proj: self.affine(&name("attn.c_proj"), [d_model, d_model])?,
                n_heads,
            },
            ln_2: self.layer_norm(&name("ln_2"))?,
            mlp: Mlp {
                c_fc: self.affine(&name("mlp.c_fc"), [d_model, d_mlp])?,
                c_proj: self.affine(&name("mlp.c_proj"), [d_mlp, d_model])?,
            },
        })
    }

    /// `c_attn` is three matrices side by side: `[d_model, 3 * d_model]`.
    fn query_key_value(&mut self, name: &str) -> Result<[Affine; 3], E> {
        let d = self.config.d_model;
        let weight = (self.read)(&format!("{name}.weight"))?;
        let bias = (self.read)(&format!("{name}.bias"))?;
        Ok([0, 1, 2].map(|part| {
            let columns = part * d..(part + 1) * d;
            let mut part = Vec::with_capacity(d * d);
            for row in weight.chunks(3 * d) {
                part.extend_from_slice(&row[columns.clone()]);
            }
            Affine {
                weight: Tensor::from_data(TensorData::new(part, [d, d]), &self.device.burn),
                bias: self.vector_of(bias[columns].to_vec()),
            }
        }))
    }

    fn affine(&mut self, name: &str, shape: [usize; 2]) -> Result<Affine, E> {
        Ok(Affine {
            weight: self.matrix(&format!("{name}.weight"), shape)?,
            bias: self.vector(&format!("{name}.bias"))?,
        })
    }

    fn layer_norm(&mut self, name: &str) -> Result<LayerNorm, E> {
        Ok(LayerNorm {
            gain: self.vector(&format!("{name}.weight"))?,
            bias: self.vector(&format!("{name}.bias"))?,
            epsilon: self.config.layer_norm_epsilon,
        })
    }

    /// The matrix, and the mean of its rows.
    fn read_vocabulary(&mut self, name: &str) -> Result<(Vocabulary, Vec<f32>), E> {
        let d_model = self.config.d_model;
        let values = (self.read)(name)?;
        let mut sum = vec![0.0_f64; d_model];
        for row in values.chunks(d_model) {
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += f64::from(*value);
            }
        }
        let n = self.config.d_vocab as f64;
        let mean = sum.into_iter().map(|sum| (sum / n) as f32).collect();
        let device = self.device;
        Ok((Vocabulary::new(values, d_model, device.max_binding_bytes, &device.burn), mean))
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Tensor<2>, E> {
        let values = (self.read)(name)?;
        Ok(Tensor::from_data(TensorData::new(values, shape), &self.device.burn))
    }

    fn vector(&mut self, name: &str) -> Result<Tensor<1>, E> {
        let values = (self.read)(name)?;
        Ok(self.vector_of(values))
    }

    fn vector_of(&self, values: Vec<f32>) -> Tensor<1> {
        let shape = [values.len()];
        Tensor::from_data(TensorData::new(values, shape), &self.device.burn)
    }
}

impl Gpt2Config {
    /// The shape of a tensor of the checkpoint.
    ///
    /// # Panics
    ///
    /// If there is no tensor of that name.
    pub fn shape_of(&self, name: &str) -> Vec<usize> {
        shape_of(self, name)
    }
}

pub(super) fn shape_of(config: &Gpt2Config, name: &str) -> Vec<usize> {
    let found = expected_tensors(config).find(|(expected, _)| expected == name);
    found.map(|(_, shape)| shape).expect("a name of the checkpoint")
}
