//! Loads a model from a checkpoint, tensor by tensor, each copied to the device before the next is
//! read.

use std::sync::Arc;

use burn::tensor::{DType, Tensor, TensorData};

use super::checkpoint::Numbers;
use super::config::Unembedding;
use super::cpu::View;
use super::device::ComputeDevice;
use super::layers::{Affine, LayerNorm};
use super::tensor_names::LM_HEAD;
use super::transformer::{Attention, Block, Mlp};
use super::vocabulary::Vocabulary;
use super::{Checkpoint, LoadError, ModelConfig, NumberCheck, Transformer};
use crate::task::{Progress, TaskCtx};

impl Transformer {
    /// Loads a model and checks that all its weights are finite. Progress counts weights.
    pub fn load(
        checkpoint: &Arc<Checkpoint>,
        device: &ComputeDevice,
        ctx: &TaskCtx<'_>,
    ) -> Result<Self, LoadError> {
        let (model, check) = Self::open(checkpoint, device, ctx)?;
        check.wait(&ctx.cancel)??;
        Ok(model)
    }

    /// Loads a model without waiting for the check of its weights. Whoever shows a result waits for
    /// the check first. Progress counts weights.
    pub fn open(
        checkpoint: &Arc<Checkpoint>,
        device: &ComputeDevice,
        ctx: &TaskCtx<'_>,
    ) -> Result<(Self, NumberCheck), LoadError> {
        let model = Self::map(checkpoint, device, ctx)?;
        let check = if device.adapter.is_none() {
            NumberCheck::start(Arc::clone(checkpoint))
        } else {
            NumberCheck::passed()
        };
        Ok((model, check))
    }

    /// Reads the weights, on the CPU without copying those that the file has as `f32`.
    fn map(
        checkpoint: &Checkpoint,
        device: &ComputeDevice,
        ctx: &TaskCtx<'_>,
    ) -> Result<Self, LoadError> {
        let total = checkpoint.config.n_params();
        let mut done = 0;
        Self::from_source(&checkpoint.config, device, &mut |name| {
            ctx.checkpoint(Progress { done, total })?;
            let numbers = if device.adapter.is_none() {
                checkpoint.numbers(name)?
            } else {
                Numbers::Owned(checkpoint.read(name)?)
            };
            done += numbers.len() as u64;
            Ok(numbers)
        })
    }

    /// A model whose numbers `read` gives, tensor by tensor of a checkpoint.
    pub(super) fn from_source<E>(
        config: &ModelConfig,
        device: &ComputeDevice,
        read: &mut dyn FnMut(&str) -> Result<Numbers, E>,
    ) -> Result<Self, E> {
        let mut source = TensorSource { config, device, read };
        let wte = source.vocabulary("wte.weight")?;
        let lm_head = match config.unembedding {
            Unembedding::Tied => None,
            Unembedding::Separate => Some(source.vocabulary(LM_HEAD)?),
        };
        let model = Self {
            config: *config,
            wte,
            wpe: source.matrix("wpe.weight", [config.n_ctx, config.d_model])?,
            h: (0..config.n_layers).map(|layer| source.block(layer)).collect::<Result<_, E>>()?,
            ln_f: source.layer_norm("ln_f")?,
            lm_head,
            unembed_bias: None,
            is_queued: device.adapter.is_some(),
            max_rows: max_rows(config, device),
            additions: Vec::new(),
            traffic: Arc::default(),
        };
        // A pass whose weights `cpu` cannot read would silently take burn's slower way.
        let is_fused = View::of(&model.wpe).is_some();
        assert!(is_fused || model.is_queued, "the weights are not where the CPU computes");
        Ok(model)
    }
}

/// The most rows that a pass may have, so that the logits of all rows fit into one binding of the
/// device.
fn max_rows(config: &ModelConfig, device: &ComputeDevice) -> usize {
    const MAX: usize = 512;
    let row_bytes = (config.d_vocab * size_of::<f32>()) as u64;
    device.max_binding_bytes.map_or(MAX, |max| ((max / row_bytes) as usize).clamp(1, MAX))
}

/// Makes layers from the numbers of a checkpoint.
struct TensorSource<'a, E> {
    config: &'a ModelConfig,
    device: &'a ComputeDevice,
    read: &'a mut dyn FnMut(&str) -> Result<Numbers, E>,
}

impl<E> TensorSource<'_, E> {
    fn block(&mut self, layer: usize) -> Result<Block, E> {
        let ModelConfig { d_model, d_mlp, n_heads, .. } = *self.config;
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
                divisor: self.config.score_divisor(layer),
            },
            ln_2: self.layer_norm(&name("ln_2"))?,
            mlp: Mlp {
                c_fc: self.affine(&name("mlp.c_fc"), [d_model, d_mlp])?,
                c_proj: self.affine(&name("mlp.c_proj"), [d_mlp, d_model])?,
                nonlinearity: self.config.nonlinearity,
            },
        })
    }

    /// The query, key and value maps, which `c_attn` holds side by side as
    /// `[d_model, 3 * d_model]`. On the CPU they are views of it; a GPU's kernels need each to be
    /// contiguous.
    fn query_key_value(&mut self, name: &str) -> Result<[Affine; 3], E> {
        let d = self.config.d_model;
        let weight = (self.read)(&format!("{name}.weight"))?.into_data([d, 3 * d]);
        let bias = (self.read)(&format!("{name}.bias"))?.into_data([3 * d]);
        let device = &self.device.burn;
        let bias: Tensor<1> = Tensor::from_data(bias, device);
        let bias = |part: usize| bias.clone().narrow(0, part * d, d);
        if self.device.adapter.is_none() {
            let weight: Tensor<2> = Tensor::from_data(weight, device);
            return Ok([0, 1, 2].map(|part| Affine {
                weight: weight.clone().narrow(1, part * d, d),
                bias: bias(part),
            }));
        }
        let weight = weight.as_slice::<f32>().expect("the weights are f32");
        Ok([0, 1, 2].map(|nth| {
            let columns = nth * d..(nth + 1) * d;
            let mut part = Vec::with_capacity(d * d);
            for row in weight.chunks(3 * d) {
                part.extend_from_slice(&row[columns.clone()]);
            }
            Affine {
                weight: Tensor::from_data(TensorData::new(part, [d, d]), device),
                bias: bias(nth),
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

    fn vocabulary(&mut self, name: &str) -> Result<Vocabulary, E> {
        let d_model = self.config.d_model;
        let data = (self.read)(name)?.into_data([self.config.d_vocab, d_model]);
        Ok(Vocabulary::new(data, d_model, self.device))
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Tensor<2>, E> {
        Ok(Tensor::from_data((self.read)(name)?.into_data(shape), &self.device.burn))
    }

    fn vector(&mut self, name: &str) -> Result<Tensor<1>, E> {
        let numbers = (self.read)(name)?;
        let len = numbers.len();
        Ok(Tensor::from_data(numbers.into_data([len]), &self.device.burn))
    }
}

impl Numbers {
    fn len(&self) -> usize {
        match self {
            Self::Owned(values) => values.len(),
            Self::Mapped(bytes) => bytes.len() / size_of::<f32>(),
        }
    }

    fn into_data<const D: usize>(self, shape: [usize; D]) -> TensorData {
        match self {
            Self::Owned(values) => TensorData::new(values, shape),
            Self::Mapped(bytes) => TensorData::from_bytes(bytes, shape, DType::F32),
        }
    }
}
