//! The names and shapes of a checkpoint's tensors.

use super::ModelConfig;
use super::config::{NormChoice, NormPlaces, QkNorm, Unembedding};

/// The names that a family gives its tensors. Those of maps and norms end in `.weight` and `.bias`.
pub(super) struct TensorNames {
    /// What may stand before all names but the unembedding's, in checkpoints of the whole model. The
    /// first that a name has is taken off.
    pub prefixes: &'static [&'static str],

    /// The unembedding's tensor, in checkpoints that do not tie it to the token embedding.
    pub unembedding: &'static str,

    /// The token embedding's tensor.
    pub embedding: &'static str,

    /// The position embedding's tensor, in families that have one.
    pub positions: &'static str,

    pub final_norm: &'static str,

    /// What stands before a block's names and the layer.
    pub block: &'static str,

    /// The norms before attention and MLP, which may be one, in models that have them.
    pub norms: [&'static str; 2],

    /// The norms after attention and MLP, in models that have them.
    pub norms_after: [&'static str; 2],

    /// What the file has taken off the gains of norms.
    pub gains_less: f32,

    pub heads: HeadNames,

    /// `W_O`.
    pub attention_output: &'static str,

    /// The map whose outputs are bent, what they are multiplied by in a gated MLP, and `W_out`.
    pub mlp: [&'static str; 3],

    pub layout: MatrixLayout,
}

/// Where the maps to queries, keys and values are.
#[derive(Clone, Copy)]
pub(super) enum HeadNames {
    /// One map makes all of them: all queries, then all keys, then all values.
    Joined(&'static str),

    /// One map makes all of them: query, key and value of a head, then those of the next.
    ByHead(&'static str),

    /// Three maps, and the norms of queries and keys in models that have these.
    Apart { maps: [&'static str; 3], norms: [&'static str; 2] },
}

/// How a matrix lies in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum MatrixLayout {
    /// `[d_in, d_out]`, as GPT-2's Conv1D.
    InFirst,

    /// `[d_out, d_in]`, as `torch.nn.Linear`.
    OutFirst,
}

/// How the names of tensors begin, beside those of a part called `…_head`, that `transformers` and `trl` put on
/// top of a language model: to
/// classify texts or tokens, to choose an answer, to find it in a text, to rate what is written; and
/// before it, to see.
pub(super) const HEADS: [&str; 11] = [
    "score.",
    "classifier.",
    "multiple_choice_head.",
    "qa_outputs.",
    "v_head.",
    "value_head.",
    "summary.",
    "cls.",
    "pooler.",
    "vision_tower.",
    "multi_modal_projector.",
];

/// What `transformers` calls the unembedding of any family; some families' checkpoints have another
/// name for it.
pub(super) const LM_HEAD: &str = "lm_head.weight";

/// How the names of buffers end that old checkpoints store: causal masks, the value of masked scores,
/// the angles of rotary positions, and the positions themselves.
pub(super) const BUFFERS: [&str; 6] = [
    "attn.bias",
    "attn.masked_bias",
    "attention.bias",
    "attention.masked_bias",
    "rotary_emb.inv_freq",
    "position_ids",
];

impl ModelConfig {
    /// The shape of a tensor of the checkpoint.
    ///
    /// # Panics
    ///
    /// If a checkpoint of this configuration has no tensor of that name.
    pub fn shape_of(&self, name: &str) -> Vec<usize> {
        let found = expected_tensors(self).find(|(expected, _)| expected == name);
        found.map(|(_, shape)| shape).expect("a name of the checkpoint")
    }

    /// The shape of a matrix in the file, from `[d_in, d_out]`.
    fn in_file(&self, [d_in, d_out]: [usize; 2]) -> Vec<usize> {
        match self.family.names().layout {
            MatrixLayout::InFirst => vec![d_in, d_out],
            MatrixLayout::OutFirst => vec![d_out, d_in],
        }
    }
}

/// The names, without the family's prefix, and shapes of all tensors that a checkpoint has.
pub(super) fn expected_tensors(
    config: &ModelConfig,
) -> impl Iterator<Item = (String, Vec<usize>)> + use<> {
    let of_block: Vec<_> = tensors_in_block(config).collect();
    let block = config.family.names().block;
    let blocks = (0..config.n_layers).flat_map(move |layer| {
        let of_block = of_block.clone().into_iter();
        of_block.map(move |(name, shape)| (format!("{block}.{layer}.{name}"), shape))
    });
    let [before, after] = tensors_outside(config);
    before.into_iter().chain(blocks).chain(after)
}

/// The tensors before the blocks and those after them, by their names and shapes.
pub(super) fn tensors_outside(config: &ModelConfig) -> [Vec<(String, Vec<usize>)>; 2] {
    let ModelConfig { d_model, n_ctx, d_vocab, .. } = *config;
    let names = config.family.names();
    let named = |name: &str, shape: &[usize]| (name.to_owned(), shape.to_vec());
    let mut before = vec![named(names.embedding, &[d_vocab, d_model])];
    if config.rotary.is_none() {
        before.push(named(names.positions, &[n_ctx, d_model]));
    }
    before.extend(norm(names.final_norm, d_model, config.norm));
    let mut after = Vec::new();
    if config.unembedding == Unembedding::Separate {
        after.push(named(names.unembedding, &[d_vocab, d_model]));
    }
    if config.has_unembed_bias {
        after.push(named(&bias_beside(names.unembedding), &[d_vocab]));
    }
    [before, after]
}

/// The name of a bias, from that of the matrix.
pub(super) fn bias_beside(weight: &str) -> String {
    format!("{}.bias", weight.trim_end_matches(".weight"))
}

/// A block's tensors, by their names inside the block and their shapes.
pub(super) fn tensors_in_block(config: &ModelConfig) -> impl Iterator<Item = (String, Vec<usize>)> {
    let ModelConfig { d_model, d_mlp, n_heads, biases, .. } = *config;
    let names = config.family.names();
    let map = |name: &str, [d_in, d_out]: [usize; 2], has_bias: bool| {
        let bias = has_bias.then(|| (format!("{name}.bias"), vec![d_out]));
        let weight = (format!("{name}.weight"), config.in_file([d_in, d_out]));
        [weight].into_iter().chain(bias)
    };
    let (width, kv_width) = (n_heads * config.d_head(), config.n_kv_heads() * config.d_head());
    let mut all = Vec::new();
    let has_norms_before = config.norm_places != NormPlaces::After;
    if has_norms_before {
        all.extend(norm(names.norms[0], d_model, config.norm));
    }
    match names.heads {
        HeadNames::Joined(name) | HeadNames::ByHead(name) => {
            all.extend(map(name, [d_model, width + 2 * kv_width], biases.heads));
        }
        HeadNames::Apart { maps, norms } => {
            for (name, width) in maps.into_iter().zip([width, kv_width, kv_width]) {
                all.extend(map(name, [d_model, width], biases.heads));
            }
            if let Some(kind) = config.qk_norm {
                let widths = match kind {
                    QkNorm::EachHead => [config.d_head(); 2],
                    QkNorm::AllHeads => [width, kv_width],
                };
                let norms = norms.into_iter().zip(widths);
                all.extend(norms.flat_map(|(name, width)| norm(name, width, config.norm)));
            }
        }
    }
    all.extend(map(names.attention_output, [width, d_model], biases.attention));
    // Attention and MLP may read through one norm.
    if has_norms_before && names.norms[1] != names.norms[0] {
        all.extend(norm(names.norms[1], d_model, config.norm));
    }
    if config.has_norms_after() {
        all.extend(names.norms_after.into_iter().flat_map(|it| norm(it, d_model, config.norm)));
    }
    let [input, factor, output] = names.mlp;
    all.extend(map(input, [d_model, d_mlp], biases.mlp));
    if config.is_gated {
        all.extend(map(factor, [d_model, d_mlp], biases.mlp));
    }
    all.extend(map(output, [d_mlp, d_model], biases.mlp));
    all.into_iter()
}

/// The tensors of a norm.
fn norm(
    name: &str,
    width: usize,
    kind: NormChoice,
) -> impl Iterator<Item = (String, Vec<usize>)> + use<> {
    let bias = (kind == NormChoice::Layer).then(|| (format!("{name}.bias"), vec![width]));
    [(format!("{name}.weight"), vec![width])].into_iter().chain(bias)
}
