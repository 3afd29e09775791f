//! GPT-2 for training with burn's autodiff: the same function as [`crate::model`], without sites.

use burn::module::{Module, Param, ParamId};
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::module::layer_norm;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::model::ModelConfig;

/// GPT-2's parameters, by their names in a checkpoint.
#[derive(Module, Debug)]
pub(super) struct Network {
    wte: Param<Tensor<2>>,
    wpe: Param<Tensor<2>>,
    h: Vec<Block>,
    ln_f: Norm,
    n_heads: usize,
}

#[derive(Module, Debug)]
struct Block {
    ln_1: Norm,
    c_attn: Affine,
    attn_proj: Affine,
    ln_2: Norm,
    c_fc: Affine,
    mlp_proj: Affine,
}

#[derive(Module, Debug)]
struct Norm {
    gain: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Affine {
    /// `[d_in, d_out]`
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

/// Makes parameters from numbers. Their ids count them in order of making, so that an optimizer's
/// state read from a file still fits them.
struct ParamSource<'a, E> {
    read: &'a mut dyn FnMut(&str) -> Result<Vec<f32>, E>,
    device: Device,
    n_made: u64,
}

impl<E> ParamSource<'_, E> {
    fn param<const D: usize>(
        &mut self,
        name: &str,
        shape: [usize; D],
    ) -> Result<Param<Tensor<D>>, E> {
        let data = TensorData::new((self.read)(name)?, shape);
        self.n_made += 1;
        let tensor = Tensor::from_data(data, &self.device).require_grad();
        Ok(Param::initialized(ParamId::from(self.n_made), tensor))
    }

    fn block(&mut self, config: &ModelConfig, layer: usize) -> Result<Block, E> {
        let ModelConfig { d_model, d_mlp, .. } = *config;
        let name = |part: &str| format!("h.{layer}.{part}");
        Ok(Block {
            ln_1: self.norm(&name("ln_1"), d_model)?,
            c_attn: self.affine(&name("attn.c_attn"), [d_model, 3 * d_model])?,
            attn_proj: self.affine(&name("attn.c_proj"), [d_model, d_model])?,
            ln_2: self.norm(&name("ln_2"), d_model)?,
            c_fc: self.affine(&name("mlp.c_fc"), [d_model, d_mlp])?,
            mlp_proj: self.affine(&name("mlp.c_proj"), [d_mlp, d_model])?,
        })
    }

    fn norm(&mut self, name: &str, d_model: usize) -> Result<Norm, E> {
        Ok(Norm {
            gain: self.param(&format!("{name}.weight"), [d_model])?,
            bias: self.param(&format!("{name}.bias"), [d_model])?,
        })
    }

    fn affine(&mut self, name: &str, shape: [usize; 2]) -> Result<Affine, E> {
        Ok(Affine {
            weight: self.param(&format!("{name}.weight"), shape)?,
            bias: self.param(&format!("{name}.bias"), [shape[1]])?,
        })
    }
}

impl Norm {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        layer_norm(x, self.gain.val(), Some(self.bias.val()), 1e-5)
    }
}

impl Affine {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, n_pos, d_in] = x.dims();
        let weight = self.weight.val();
        let d_out = weight.dims()[1];
        let y = x.reshape([batch * n_pos, d_in]).matmul(weight);
        (y + self.bias.val().unsqueeze()).reshape([batch, n_pos, d_out])
    }
}

impl Block {
    fn mlp(&self, normalized: Tensor<3>) -> Tensor<3> {
        self.mlp_proj.forward(gelu(self.c_fc.forward(normalized)))
    }
}

/// GPT-2's GELU. `(1 + tanh u) / 2` is `sigmoid 2u`, which takes one exponential; burn's own GELU
/// uses `tanh` and `powf`, which take a quarter of a step's time.
fn gelu(x: Tensor<3>) -> Tensor<3> {
    const SQRT_2_OVER_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
    let square = x.clone() * x.clone();
    let inner = (square * 0.044_715 + 1.0) * x.clone() * (2.0 * SQRT_2_OVER_PI);
    x * sigmoid(inner)
}

impl Network {
    /// A network whose numbers `read` gives, tensor by tensor of a checkpoint.
    pub fn new<E>(
        config: &ModelConfig,
        device: &Device,
        read: &mut dyn FnMut(&str) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let ModelConfig { n_layers, n_heads, d_model, n_ctx, d_vocab, .. } = *config;
        let mut source = ParamSource { read, device: device.clone(), n_made: 0 };
        Ok(Self {
            wte: source.param("wte.weight", [d_vocab, d_model])?,
            wpe: source.param("wpe.weight", [n_ctx, d_model])?,
            h: (0..n_layers).map(|layer| source.block(config, layer)).collect::<Result<_, E>>()?,
            ln_f: source.norm("ln_f", d_model)?,
            n_heads,
        })
    }

    /// The same network, of which only one layer's MLP learns. Gradients of earlier layers are not
    /// computed either.
    pub fn with_all_but_mlp_frozen(self, layer: usize) -> Self {
        let mut network = self.no_grad();
        let Block { c_fc, mlp_proj, .. } = &mut network.h[layer];
        for affine in [c_fc, mlp_proj] {
            affine.weight = affine.weight.clone().set_require_grad(true);
            affine.bias = affine.bias.clone().set_require_grad(true);
        }
        network
    }

    /// Where the parameters are.
    pub fn device(&self) -> Device {
        self.wte.val().device()
    }

    /// The name, shape and numbers of every tensor, as a checkpoint holds them.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        fn entry<const D: usize>(
            name: String,
            param: &Param<Tensor<D>>,
        ) -> (String, Vec<usize>, Vec<f32>) {
            let tensor = param.val();
            let shape = tensor.dims().to_vec();
            let values = tensor.into_data().try_to_vec().expect("weights are f32");
            (name, shape, values)
        }
        let norm = |name: String, it: &Norm| {
            [entry(format!("{name}.weight"), &it.gain), entry(format!("{name}.bias"), &it.bias)]
        };
        let affine = |name: String, it: &Affine| {
            [entry(format!("{name}.weight"), &it.weight), entry(format!("{name}.bias"), &it.bias)]
        };
        let mut all = vec![
            entry("wte.weight".to_owned(), &self.wte),
            entry("wpe.weight".to_owned(), &self.wpe),
        ];
        for (layer, block) in self.h.iter().enumerate() {
            all.extend(norm(format!("h.{layer}.ln_1"), &block.ln_1));
            all.extend(affine(format!("h.{layer}.attn.c_attn"), &block.c_attn));
            all.extend(affine(format!("h.{layer}.attn.c_proj"), &block.attn_proj));
            all.extend(norm(format!("h.{layer}.ln_2"), &block.ln_2));
            all.extend(affine(format!("h.{layer}.mlp.c_fc"), &block.c_fc));
            all.extend(affine(format!("h.{layer}.mlp.c_proj"), &block.mlp_proj));
        }
        all.extend(norm("ln_f".to_owned(), &self.ln_f));
        all
    }

    /// Logits at chosen places. Rows may be padded on the right, because no position sees a later
    /// one.
    ///
    /// # Shapes
    ///
    /// - `ids`: `[batch, pos]`
    /// - `places`: indices into `batch × pos`, `[place]`
    /// - output: `[place, d_vocab]`
    pub fn forward(&self, ids: Tensor<2, Int>, places: Tensor<1, Int>) -> Tensor<2> {
        let [batch, n_pos] = ids.dims();
        let (mut resid, future) = self.embed(ids);
        for block in &self.h {
            resid = self.attend(block, resid, &future);
            resid = resid.clone() + block.mlp(block.ln_2.forward(resid));
        }
        let wte = self.wte.val();
        let last = resid.reshape([batch * n_pos, wte.dims()[1]]).select(0, places);
        let normalized = self.ln_f.forward(last.unsqueeze());
        normalized.squeeze_dim::<2>(0).matmul(wte.transpose())
    }

    /// The input of one layer's MLP.
    ///
    /// # Shapes
    ///
    /// - `ids`: `[batch, pos]`
    /// - output: `[batch, pos, d_model]`
    pub fn mlp_inputs(&self, ids: Tensor<2, Int>, layer: usize) -> Tensor<3> {
        let (mut resid, future) = self.embed(ids);
        for block in &self.h[..layer] {
            resid = self.attend(block, resid, &future);
            resid = resid.clone() + block.mlp(block.ln_2.forward(resid));
        }
        let block = &self.h[layer];
        block.ln_2.forward(self.attend(block, resid, &future))
    }

    /// The output of one layer's MLP for [`Self::mlp_inputs`], in the same shape.
    pub fn mlp(&self, layer: usize, inputs: Tensor<3>) -> Tensor<3> {
        self.h[layer].mlp(inputs)
    }

    /// The residual stream that enters the first block, `[batch, pos, d_model]`, and the mask of
    /// later positions, `[query, key]`.
    fn embed(&self, ids: Tensor<2, Int>) -> (Tensor<3>, Tensor<2>) {
        let [batch, n_pos] = ids.dims();
        let wte = self.wte.val();
        let d_model = wte.dims()[1];
        let embed = wte.select(0, ids.reshape([batch * n_pos]));
        let wpe = self.wpe.val().narrow(0, 0, n_pos);
        let resid = embed.reshape([batch, n_pos, d_model]) + wpe.unsqueeze();
        let future = Tensor::<2>::ones([n_pos, n_pos], &resid.device()).triu(1) * -1e9;
        (resid, future)
    }

    fn attend(&self, block: &Block, resid: Tensor<3>, future: &Tensor<2>) -> Tensor<3> {
        let attn = self.attention(block, block.ln_1.forward(resid.clone()), future);
        resid + attn
    }

    fn attention(&self, block: &Block, x: Tensor<3>, future: &Tensor<2>) -> Tensor<3> {
        let [batch, n_pos, d_model] = x.dims();
        let d_head = d_model / self.n_heads;
        let parts = block.c_attn.forward(x).chunk(3, 2);
        let [q, k, v] = [0, 1, 2].map(|nth| {
            let heads = [batch, n_pos, self.n_heads, d_head];
            parts[nth].clone().reshape(heads).swap_dims(1, 2)
        });
        let scores = q.matmul(k.transpose()) / (d_head as f32).sqrt();
        let pattern = softmax(scores + future.clone().unsqueeze(), 3);
        let z = pattern.matmul(v).swap_dims(1, 2).reshape([batch, n_pos, d_model]);
        block.attn_proj.forward(z)
    }
}
