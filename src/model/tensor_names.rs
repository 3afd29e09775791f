//! The names and shapes of a checkpoint's tensors.

use super::ModelConfig;
use super::config::Unembedding;

/// The unembedding's tensor, in checkpoints that do not tie it to the token embedding.
pub(super) const LM_HEAD: &str = "lm_head.weight";

/// The token embedding's tensor.
pub(super) const EMBEDDING: &str = "wte.weight";

/// How the names of tensors begin that `transformers` and `trl` put on top of a language model: to
/// classify texts or tokens, to choose an answer, to find it in a text, to rate what is written.
pub(super) const HEADS: [&str; 7] = [
    "score.",
    "classifier.",
    "multiple_choice_head.",
    "qa_outputs.",
    "v_head.",
    "value_head.",
    "summary.",
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
}

/// The names, without the `transformer.` prefix, and shapes of all tensors that a checkpoint has.
/// Matrices are `[d_in, d_out]`.
pub(super) fn expected_tensors(
    config: &ModelConfig,
) -> impl Iterator<Item = (String, Vec<usize>)> + use<> {
    let ModelConfig { n_layers, d_model, d_mlp, n_ctx, d_vocab, .. } = *config;
    let in_block = [
        ("ln_1.weight", vec![d_model]),
        ("ln_1.bias", vec![d_model]),
        ("attn.c_attn.weight", vec![d_model, 3 * d_model]),
        ("attn.c_attn.bias", vec![3 * d_model]),
        ("attn.c_proj.weight", vec![d_model, d_model]),
        ("attn.c_proj.bias", vec![d_model]),
        ("ln_2.weight", vec![d_model]),
        ("ln_2.bias", vec![d_model]),
        ("mlp.c_fc.weight", vec![d_model, d_mlp]),
        ("mlp.c_fc.bias", vec![d_mlp]),
        ("mlp.c_proj.weight", vec![d_mlp, d_model]),
        ("mlp.c_proj.bias", vec![d_model]),
    ];
    let outside = [
        (EMBEDDING, vec![d_vocab, d_model]),
        ("wpe.weight", vec![n_ctx, d_model]),
        ("ln_f.weight", vec![d_model]),
        ("ln_f.bias", vec![d_model]),
    ];
    let head = match config.unembedding {
        Unembedding::Tied => None,
        Unembedding::Separate => Some((LM_HEAD.to_owned(), vec![d_vocab, d_model])),
    };
    let blocks = (0..n_layers).flat_map(move |layer| {
        in_block.clone().map(|(name, shape)| (format!("h.{layer}.{name}"), shape))
    });
    outside.map(|(name, shape)| (name.to_owned(), shape)).into_iter().chain(blocks).chain(head)
}
