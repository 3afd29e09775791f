//! Loads a model from a checkpoint, tensor by tensor, each copied to the device before the next is
//! read.

use std::sync::Arc;

use burn::tensor::{AllocationProperty, Bytes as TensorBytes, DType, Device, Tensor, TensorData};

use super::attention::Attention;
use super::checkpoint::{Numbers, StoredMatrix};
use super::config::{NormChoice, NormPlaces, Unembedding};
use super::cpu::View;
use super::device::ComputeDevice;
use super::linear::Linear;
use super::matrix::Matrix;
use super::mlp::Mlp;
use super::norm::{Norm, NormKind};
use super::rotary::Rotary;
use super::tensor_names::{HeadNames, MatrixLayout, bias_beside};
use super::transformer::Block;
use super::vocabulary::Vocabulary;
use super::{Checkpoint, LoadError, ModelConfig, NumberCheck, Transformer, UnfitWeights};
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
            if let Some(path) = checkpoint.changed_file() {
                return Err(UnfitWeights::Changed(path.to_owned()).into());
            }
            NumberCheck::passed()
        };
        Ok((model, check))
    }

    /// Reads the weights, on the CPU without copying matrices.
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
        let names = config.family.names();
        let mut source = TensorSource { config, device, read };
        let wte = source.vocabulary(names.embedding)?;
        let lm_head = match config.unembedding {
            Unembedding::Tied => None,
            Unembedding::Separate => Some(source.vocabulary(names.unembedding)?),
        };
        let wpe = match config.rotary {
            None => Some(source.matrix(names.positions, [config.n_ctx, config.d_model])?),
            Some(_) => None,
        };
        let model = Self {
            config: *config,
            wte,
            wpe,
            h: (0..config.n_layers).map(|layer| source.block(layer)).collect::<Result<_, E>>()?,
            ln_f: source.norm(names.final_norm)?,
            lm_head,
            unembed_bias: if config.has_unembed_bias {
                Some(source.vector(&bias_beside(names.unembedding))?)
            } else {
                None
            },
            is_queued: device.adapter.is_some(),
            max_rows: max_rows(config, device),
            kept_bytes: Self::KEPT_BYTES,
            additions: Vec::new(),
            traffic: Arc::default(),
            logit_watch: Arc::default(),
        };
        // A pass whose weights `cpu` cannot read would silently take burn's slower way.
        let is_fused = View::of(&model.ln_f.gain).is_some();
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
        let config = self.config;
        let ModelConfig { d_model, d_mlp, n_heads, biases, .. } = *config;
        let names = config.family.names();
        let name = |part: &str| format!("{}.{layer}.{part}", names.block);
        let (width, kv_width) = (n_heads * config.d_head(), config.n_kv_heads() * config.d_head());
        let (maps, qk_norm) = match names.heads {
            HeadNames::Joined(joined) => (self.query_key_value(&name(joined))?, None),
            HeadNames::ByHead(joined) => (self.by_head(&name(joined))?, None),
            HeadNames::Apart { maps, norms } => {
                let mut map = |nth: usize, width| {
                    self.linear(&name(maps[nth]), [d_model, width], biases.heads)
                };
                let maps = [map(0, width)?, map(1, kv_width)?, map(2, kv_width)?];
                let qk_norm = if config.qk_norm.is_some() {
                    Some([self.norm(&name(norms[0]))?, self.norm(&name(norms[1]))?])
                } else {
                    None
                };
                (maps, qk_norm)
            }
        };
        let [query, key, value] = maps;
        let output =
            self.linear(&name(names.attention_output), [width, d_model], biases.attention)?;
        let [input, factor, mlp_output] = names.mlp;
        let factor = if config.is_gated {
            Some(self.linear(&name(factor), [d_model, d_mlp], biases.mlp)?)
        } else {
            None
        };
        let has_norms_before = config.norm_places != NormPlaces::After;
        let ln_1 =
            if has_norms_before { self.norm(&name(names.norms[0]))? } else { self.no_norm() };
        let ln_2 = if !has_norms_before || names.norms[1] == names.norms[0] {
            ln_1.clone()
        } else {
            self.norm(&name(names.norms[1]))?
        };
        let [after_attention, after_mlp] = if config.has_norms_after() {
            let [attention, mlp] = names.norms_after;
            [Some(self.norm(&name(attention))?), Some(self.norm(&name(mlp))?)]
        } else {
            [None, None]
        };
        Ok(Block {
            ln_1,
            attn: Attention {
                query,
                key,
                value,
                output,
                after: after_attention,
                n_heads,
                n_kv_heads: config.n_kv_heads(),
                qk_norm,
                rotary: config.rotary_of(layer).as_ref().map(Rotary::new),
                divisor: config.score_divisor(layer),
                cap: config.scores.cap,
                window: config.window_of(layer),
            },
            ln_2,
            mlp: Mlp {
                input: self.linear(&name(input), [d_model, d_mlp], biases.mlp)?,
                factor,
                output: self.linear(&name(mlp_output), [d_mlp, d_model], biases.mlp)?,
                after: after_mlp,
                nonlinearity: config.nonlinearity,
            },
            wiring: config.wiring,
        })
    }

    /// The query, key and value maps, which the file holds side by side as
    /// `[d_model, 3 * d_model]`. On the CPU they are views of it; a GPU's kernels need each to be
    /// contiguous.
    fn query_key_value(&mut self, name: &str) -> Result<[Linear; 3], E> {
        let d = self.config.d_model;
        let weight = (self.read)(&format!("{name}.weight"))?;
        let bias = (self.read)(&format!("{name}.bias"))?.into_data([3 * d]);
        let device = &self.device.burn;
        let bias: Tensor<1> = Tensor::from_data(bias, device);
        let bias = |part: usize| Some(bias.clone().narrow(0, part * d, d));
        if self.device.adapter.is_none() {
            let weight = weight.into_matrix([d, 3 * d], device);
            return Ok([0, 1, 2].map(|part| Linear {
                weight: weight.clone().narrow(1, part * d, d),
                bias: bias(part),
            }));
        }
        let weight = weight.into_data([d, 3 * d]);
        let weight = weight.as_slice::<f32>().expect("the weights are f32");
        Ok([0, 1, 2].map(|nth| {
            let columns = nth * d..(nth + 1) * d;
            let mut part = Vec::with_capacity(d * d);
            for row in weight.chunks(3 * d) {
                part.extend_from_slice(&row[columns.clone()]);
            }
            Linear {
                weight: Tensor::from_data(TensorData::new(part, [d, d]), device).into(),
                bias: bias(nth),
            }
        }))
    }

    /// The query, key and value maps, which the file holds head by head as
    /// `[n_heads * 3 * d_head, d_model]`.
    fn by_head(&mut self, name: &str) -> Result<[Linear; 3], E> {
        let config = self.config;
        let (d_model, d_head, n_heads) = (config.d_model, config.d_head(), config.n_heads);
        let weight = (self.read)(&format!("{name}.weight"))?;
        let bias = if config.biases.heads {
            let bias = (self.read)(&format!("{name}.bias"))?.into_data([n_heads * 3 * d_head]);
            Some(bias.as_slice::<f32>().expect("the weights are f32").to_vec())
        } else {
            None
        };
        let device = &self.device.burn;
        let rows = |nth: usize| {
            (0..n_heads)
                .flat_map(move |head| (0..d_head).map(move |at| (3 * head + nth) * d_head + at))
        };
        let of_bias = |nth: usize| {
            let bias = bias.as_ref()?;
            let part: Vec<f32> = rows(nth).map(|row| bias[row]).collect();
            let len = part.len();
            Some(Tensor::<1>::from_data(TensorData::new(part, [len]), device))
        };
        let shape = [n_heads * 3 * d_head, d_model];
        let stored = match &weight {
            Numbers::Stored(weight) => Some(weight.clone()),
            Numbers::Mapped(bytes) => Some(StoredMatrix::of_f32(bytes.clone(), shape)),
            Numbers::Owned(_) => None,
        };
        if let Some(weight) = stored {
            let parts = [0, 1, 2].map(|nth| weight.select_rows(rows(nth)));
            if let [Some(query), Some(key), Some(value)] = parts {
                let linear = |nth, part: StoredMatrix| Linear {
                    weight: Matrix::Stored(part.transpose()),
                    bias: of_bias(nth),
                };
                return Ok([linear(0, query), linear(1, key), linear(2, value)]);
            }
        }
        let weight = weight.into_data(shape);
        let weight = weight.as_slice::<f32>().expect("the weights are f32");
        Ok([0, 1, 2].map(|nth| {
            // As `[d_model, d_out]`, which every device's kernels take.
            let columns: Vec<usize> = rows(nth).collect();
            let mut part = Vec::with_capacity(columns.len() * d_model);
            for input in 0..d_model {
                part.extend(columns.iter().map(|column| weight[column * d_model + input]));
            }
            let part = TensorData::new(part, [d_model, columns.len()]);
            Linear { weight: Tensor::from_data(part, device).into(), bias: of_bias(nth) }
        }))
    }

    fn linear(
        &mut self,
        name: &str,
        [d_in, d_out]: [usize; 2],
        has_bias: bool,
    ) -> Result<Linear, E> {
        let weight = format!("{name}.weight");
        let weight = match self.config.family.names().layout {
            MatrixLayout::InFirst => self.matrix(&weight, [d_in, d_out])?,
            // On the CPU this is a view, whose numbers stay where they are; a GPU's kernels need
            // them in one piece.
            MatrixLayout::OutFirst if self.device.adapter.is_none() => {
                self.matrix(&weight, [d_out, d_in])?.transpose()
            }
            MatrixLayout::OutFirst => {
                let data = (self.read)(&weight)?.into_data([d_out, d_in]);
                let values = data.as_slice::<f32>().expect("the weights are f32");
                let turned = (0..d_in * d_out).map(|at| values[at % d_out * d_in + at / d_out]);
                let data = TensorData::new(turned.collect(), [d_in, d_out]);
                Tensor::from_data(data, &self.device.burn).into()
            }
        };
        let bias = if has_bias { Some(self.vector(&format!("{name}.bias"))?) } else { None };
        Ok(Linear { weight, bias })
    }

    fn norm(&mut self, name: &str) -> Result<Norm, E> {
        let gain = self.vector(&format!("{name}.weight"))?;
        let gain = match self.config.family.names().gains_less {
            0.0 => gain,
            less => gain + less,
        };
        let kind = match self.config.norm {
            NormChoice::Layer => NormKind::Layer { bias: self.vector(&format!("{name}.bias"))? },
            NormChoice::Rms => NormKind::Rms,
        };
        Ok(Norm { gain, kind, epsilon: self.config.layer_norm_epsilon })
    }

    /// What stands where a block has no norm.
    fn no_norm(&self) -> Norm {
        let gain = Tensor::ones([self.config.d_model], &self.device.burn);
        Norm { gain, kind: NormKind::Absent, epsilon: 0.0 }
    }

    fn vocabulary(&mut self, name: &str) -> Result<Vocabulary, E> {
        let d_model = self.config.d_model;
        Ok(match (self.read)(name)? {
            Numbers::Stored(matrix) if self.device.max_binding_bytes.is_none() => {
                Vocabulary::stored(matrix)
            }
            numbers => {
                let data = numbers.into_data([self.config.d_vocab, d_model]);
                Vocabulary::new(data, d_model, self.device)
            }
        })
    }

    fn matrix(&mut self, name: &str, shape: [usize; 2]) -> Result<Matrix, E> {
        Ok((self.read)(name)?.into_matrix(shape, &self.device.burn))
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
            Self::Stored(matrix) => matrix.n_values(),
        }
    }

    fn into_data<const D: usize>(self, shape: [usize; D]) -> TensorData {
        match self {
            Self::Owned(values) => TensorData::new(values, shape),
            Self::Mapped(bytes) => {
                let bytes = TensorBytes::from_shared(bytes, AllocationProperty::File);
                TensorData::from_bytes(bytes, shape, DType::F32)
            }
            Self::Stored(matrix) => Matrix::Stored(matrix).widen().into_data(),
        }
    }

    /// A matrix of this shape, which stays in the file if its numbers do.
    fn into_matrix(self, shape: [usize; 2], device: &Device) -> Matrix {
        match self {
            Self::Stored(matrix) => Matrix::Stored(matrix),
            numbers => Tensor::from_data(numbers.into_data(shape), device).into(),
        }
    }
}
