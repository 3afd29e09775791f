//! The sizes of a model, and the choices of its parts.

use serde::{Deserialize, Serialize};

use super::Nonlinearity;
use super::family::{self, Family};
use super::rotary::RotaryConfig;
use super::tensor_names::{tensors_in_block, tensors_outside};
use crate::intervention::{Site, SiteSet};

/// The sizes of a model, and what its blocks are made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    pub n_layers: usize,

    /// Attention heads per layer.
    pub n_heads: usize,

    /// The width of the residual stream.
    pub d_model: usize,

    /// Neurons per MLP.
    pub d_mlp: usize,

    /// The most tokens that a prompt may have.
    pub n_ctx: usize,

    /// Tokens in the vocabulary.
    pub d_vocab: usize,

    /// The ε that norms add to the variance or mean square.
    pub layer_norm_epsilon: f64,

    /// Where the unembedding matrix comes from.
    pub unembedding: Unembedding,

    /// The function between the two matrices of an MLP.
    #[serde(default)]
    pub nonlinearity: Nonlinearity,

    /// How attention scores follow from queries and keys.
    #[serde(default)]
    pub scores: Scores,

    /// What names the fields and tensors have.
    #[serde(default)]
    pub family: Family,

    /// Heads of keys and values per layer, each of which serves a group of neighbouring query
    /// heads. `None`: as many as query heads
    #[serde(default)]
    pub key_heads: Option<usize>,

    /// The width of a head. `None`: `d_model / n_heads`
    #[serde(default)]
    pub head_width: Option<usize>,

    #[serde(default)]
    pub norm: NormChoice,

    /// Where the norms of a block are.
    #[serde(default)]
    pub norm_places: NormPlaces,

    /// How positions turn queries and keys. `None`: positions have embeddings instead
    #[serde(default)]
    pub rotary: Option<RotaryConfig>,

    /// How positions turn them in layers whose queries see a window. `None`: as in all others
    #[serde(default)]
    pub rotary_in_window: Option<RotaryConfig>,

    /// Whether MLPs are gated: what is bent is multiplied by a second product.
    #[serde(default)]
    pub is_gated: bool,

    /// How queries and keys are normalized. `None`: not at all
    #[serde(default)]
    pub qk_norm: Option<QkNorm>,

    /// Which maps have biases.
    #[serde(default)]
    pub biases: Biases,

    /// How many keys a query sees, in layers where it does not see all before it.
    #[serde(default)]
    pub window: Option<Window>,

    #[serde(default)]
    pub wiring: Wiring,

    /// Whether the unembedding has a bias.
    #[serde(default)]
    pub has_unembed_bias: bool,

    /// What token embeddings are multiplied by before they enter the residual stream. `None`: 1
    #[serde(default)]
    pub embed_scale: Option<f64>,

    /// The size that logits stay below: they are the cap times the hyperbolic tangent of what the
    /// unembedding gives, divided by the cap. `None`: no limit
    #[serde(default)]
    pub logit_cap: Option<f64>,
}

/// What the MLP of a block reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Wiring {
    /// The residual stream to which attention has written.
    #[default]
    Sequential,

    /// What attention reads, so that both write to the stream without seeing each other.
    Parallel,
}

/// What norms do beside dividing by a root mean square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormChoice {
    /// Layer norm: they take off the mean, and add a bias.
    #[default]
    Layer,

    /// Root mean square norm: nothing.
    Rms,
}

/// Where the norms of a block are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormPlaces {
    /// Before attention and before the MLP.
    #[default]
    Before,

    /// Before and after each of them, as in Gemma 2.
    Around,

    /// After each of them, as in `OLMo` 2: they read the residual stream itself.
    After,
}

/// What a norm of queries and keys takes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QkNorm {
    /// The dimensions of one head.
    EachHead,

    /// One norm over the queries of all heads, and one over the keys, as in `OLMo` 2.
    AllHeads,
}

/// Which maps of a block have biases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Biases {
    /// Whether the maps to queries, keys and values have biases.
    pub heads: bool,

    /// Whether the map after attention, `W_O`, has one.
    pub attention: bool,

    /// Whether the maps of the MLP have biases.
    pub mlp: bool,
}

/// All maps have biases, as in GPT-2.
impl Default for Biases {
    fn default() -> Self {
        Self { heads: true, attention: true, mlp: true }
    }
}

/// A limit on the keys that a query sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// How many keys a query sees, its own included.
    pub n_keys: usize,

    pub layers: WindowedLayers,
}

/// The layers whose queries see a window of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowedLayers {
    /// This layer and all after it.
    From(usize),

    /// All but every nth, counted from 1.
    AllBut(usize),

    /// The layers whose bits are set, of the first 128.
    Listed([u64; 2]),
}

/// How attention scores follow from the products of queries and keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// What the products are divided by. `None`: `√d_head`
    pub divisor: Option<f64>,

    /// Whether the products are also divided by the layer's number, counted from 1, as in Stanford
    /// CRFM's models.
    pub divided_by_layer: bool,

    /// The size that scores stay below, as [`ModelConfig::logit_cap`] limits logits.
    #[serde(default)]
    pub cap: Option<f64>,
}

/// Where the unembedding matrix comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unembedding {
    /// `W_U` is the token embedding, as in the released models.
    Tied,

    /// `W_U` is `lm_head.weight`.
    Separate,
}

impl Unembedding {
    pub(super) fn tied_if(is_tied: bool) -> Self {
        if is_tied { Self::Tied } else { Self::Separate }
    }
}

impl WindowedLayers {
    /// Whether a layer's queries see a window.
    pub(super) fn includes(self, layer: usize) -> bool {
        match self {
            Self::From(first) => layer >= first,
            Self::AllBut(nth) => !(layer + 1).is_multiple_of(nth),
            Self::Listed(bits) => {
                bits.get(layer / 64).is_some_and(|it| it >> (layer % 64) & 1 == 1)
            }
        }
    }
}

/// The largest size that is read: far above any model's, and small enough that products of sizes
/// fit in 64 bits.
pub(super) const MAX_SIZE: usize = 1 << 24;

impl ModelConfig {
    /// 124 M parameters.
    pub const SMALL: Self = Self::released(12, 12, 768);

    /// 355 M parameters.
    pub const MEDIUM: Self = Self::released(24, 16, 1024);

    /// 774 M parameters.
    pub const LARGE: Self = Self::released(36, 20, 1280);

    /// 1,558 M parameters.
    pub const XL: Self = Self::released(48, 25, 1600);

    const fn released(n_layers: usize, n_heads: usize, d_model: usize) -> Self {
        Self {
            n_layers,
            n_heads,
            d_model,
            d_mlp: 4 * d_model,
            n_ctx: 1024,
            d_vocab: 50_257,
            layer_norm_epsilon: 1e-5,
            unembedding: Unembedding::Tied,
            nonlinearity: Nonlinearity::GeluNew,
            scores: Scores { divisor: None, divided_by_layer: false, cap: None },
            family: Family::Gpt2,
            key_heads: None,
            head_width: None,
            norm: NormChoice::Layer,
            norm_places: NormPlaces::Before,
            rotary: None,
            rotary_in_window: None,
            is_gated: false,
            qk_norm: None,
            biases: Biases { heads: true, attention: true, mlp: true },
            window: None,
            wiring: Wiring::Sequential,
            has_unembed_bias: false,
            embed_scale: None,
            logit_cap: None,
        }
    }

    /// The width of a head's queries, keys and values.
    pub fn d_head(&self) -> usize {
        self.head_width.unwrap_or(self.d_model / self.n_heads)
    }

    /// Heads of keys and values per layer.
    pub fn n_kv_heads(&self) -> usize {
        self.key_heads.unwrap_or(self.n_heads)
    }

    /// How many keys a layer's queries see, their own included. `None`: all before them
    pub fn window_of(&self, layer: usize) -> Option<usize> {
        let Window { n_keys, layers } = self.window?;
        layers.includes(layer).then_some(n_keys)
    }

    /// The first of the positions that a query sees in a layer. The last is its own.
    pub fn first_key(&self, layer: usize, query: usize) -> usize {
        self.window_of(layer).map_or(0, |n_keys| (query + 1).saturating_sub(n_keys))
    }

    /// How positions turn a layer's queries and keys.
    pub fn rotary_of(&self, layer: usize) -> Option<RotaryConfig> {
        let in_window = self.rotary_in_window.filter(|_| self.window_of(layer).is_some());
        in_window.or(self.rotary)
    }

    /// Whether queries and keys of a prompt of this length are turned in another way than those of its
    /// beginning, so that no run of the beginning can be gone on with.
    pub fn turns_by_length(&self, length: usize) -> bool {
        [self.rotary, self.rotary_in_window]
            .into_iter()
            .flatten()
            .any(|it| it.follows_length(length))
    }

    /// Whether norms come after attention and MLP.
    pub fn has_norms_after(&self) -> bool {
        self.norm_places != NormPlaces::Before
    }

    /// Where the last map of a layer's MLP writes, before any norm after it.
    pub fn mlp_mapped(&self, layer: usize) -> Site {
        if self.has_norms_after() { Site::MlpMapped(layer) } else { Site::MlpOut(layer) }
    }

    /// Whether a model of this configuration has a site.
    pub fn has(&self, site: Site) -> bool {
        match site {
            Site::Ln1Scale(_) | Site::Ln2Scale(_) => self.norm_places != NormPlaces::After,
            Site::AttnMapped(_) | Site::MlpMapped(_) => self.has_norms_after(),
            Site::PosEmbed => self.rotary.is_none(),
            Site::ResidMid(_) => self.wiring == Wiring::Sequential,
            Site::RotQ(_) | Site::RotK(_) => self.rotary.is_some(),
            Site::MlpPreLinear(_) => self.is_gated,
            _ => site.layer().is_none_or(|layer| layer < self.n_layers),
        }
    }

    /// The residual stream that a layer's MLP reads.
    pub fn mlp_reads(&self, layer: usize) -> Site {
        match self.wiring {
            Wiring::Sequential => Site::ResidMid(layer),
            Wiring::Parallel => Site::ResidPre(layer),
        }
    }

    /// Every site of the model.
    pub fn sites(&self) -> SiteSet {
        Site::all(self.n_layers).into_iter().filter(|site| self.has(*site)).collect()
    }

    /// The sites that a run must keep for another to go on from its positions: keys as scores take
    /// them, and values.
    pub fn past_sites(&self) -> SiteSet {
        let of = |layer| [self.product_sites(layer)[1], Site::V(layer)];
        (0..self.n_layers).flat_map(of).collect()
    }

    /// The number of parameters, which counts a tied unembedding once.
    pub fn n_params(&self) -> u64 {
        let size = |shape: Vec<usize>| shape.into_iter().map(|it| it as u64).product::<u64>();
        let block: u64 = tensors_in_block(self).map(|(_, shape)| size(shape)).sum();
        let [before, after] = tensors_outside(self);
        let outside: u64 = before.into_iter().chain(after).map(|(_, shape)| size(shape)).sum();
        outside + self.n_layers as u64 * block
    }

    /// What the products of a layer's queries and keys are divided by.
    pub fn score_divisor(&self, layer: usize) -> f64 {
        let divisor = self.scores.divisor.unwrap_or_else(|| (self.d_head() as f64).sqrt());
        if self.scores.divided_by_layer { divisor * (layer + 1) as f64 } else { divisor }
    }

    /// Reads the text of a `config.json`. The error says which field is wrong and what it should
    /// be.
    pub fn from_json(text: &str) -> Result<Self, String> {
        family::from_json(text)
    }

    /// The text of a `config.json`, as Hugging Face writes it.
    pub fn to_json(self) -> String {
        format!("{:#}\n", family::to_json(&self))
    }

    /// Refuses sizes that no model has. Each comes with the name of its field.
    pub(super) fn check_sizes(
        sizes: impl IntoIterator<Item = (&'static str, usize)>,
    ) -> Result<(), String> {
        for (name, size) in sizes {
            if size == 0 {
                return Err(format!("`{name}` is 0, but must be at least 1"));
            }
            if size > MAX_SIZE {
                return Err(format!("`{name}` is {size}, which is larger than any model's"));
            }
        }
        Ok(())
    }

    /// Refuses a size that is not shared out evenly. Each comes with the name of its field.
    pub(super) fn check_multiple(
        (name, size): (&str, usize),
        (of, sharers): (&str, usize),
    ) -> Result<(), String> {
        let fault = || format!("`{name}` ({size}) is not a multiple of `{of}` ({sharers})");
        size.is_multiple_of(sharers).then_some(()).ok_or_else(fault)
    }
}
