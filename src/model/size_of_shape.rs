//! Which sizes of a configuration make the shape of a tensor, so that a shape that does not fit can be
//! told by the fields that are to blame.

use super::{Family, ModelConfig};

/// A size that shapes are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Width,
    Heads,
    KeyHeads,
    HeadWidth,
    Neurons,
    Context,
    Vocabulary,
}

impl Size {
    const ALL: [Self; 7] = [
        Self::Width,
        Self::Heads,
        Self::KeyHeads,
        Self::HeadWidth,
        Self::Neurons,
        Self::Context,
        Self::Vocabulary,
    ];

    /// The sizes that the shape of a tensor follows from, along the axes that differ from `found`; along all
    /// axes if it has another number of axes.
    ///
    /// # Panics
    ///
    /// If a checkpoint of this configuration has no tensor of that name.
    pub fn behind(config: &ModelConfig, tensor: &str, found: &[usize]) -> Vec<Self> {
        let shape = config.shape_of(tensor);
        let differs = |axis: usize| found.len() != shape.len() || found[axis] != shape[axis];
        let is_behind = |size: &Self| {
            let Some(doubled) = size.doubled(config) else { return false };
            let other = doubled.shape_of(tensor);
            (0..shape.len()).any(|axis| differs(axis) && other[axis] != shape[axis])
        };
        Self::ALL.into_iter().filter(is_behind).collect()
    }

    /// A configuration in which this size alone is doubled. `None` if it follows from others.
    fn doubled(self, config: &ModelConfig) -> Option<ModelConfig> {
        let mut config = *config;
        match self {
            Self::Width => config.d_model *= 2,
            // Heads that share the width out are as wide together, however many they are.
            Self::Heads if config.head_width.is_none() => return None,
            Self::Heads => config.n_heads *= 2,
            Self::KeyHeads => config.key_heads = Some(2 * config.key_heads?),
            Self::HeadWidth => config.head_width = Some(2 * config.head_width?),
            Self::Neurons => config.d_mlp *= 2,
            Self::Context => config.n_ctx *= 2,
            Self::Vocabulary => config.d_vocab *= 2,
        }
        Some(config)
    }

    pub fn of(self, config: &ModelConfig) -> usize {
        match self {
            Self::Width => config.d_model,
            Self::Heads => config.n_heads,
            Self::KeyHeads => config.n_kv_heads(),
            Self::HeadWidth => config.d_head(),
            Self::Neurons => config.d_mlp,
            Self::Context => config.n_ctx,
            Self::Vocabulary => config.d_vocab,
        }
    }

    /// The field of a family's `config.json`.
    pub fn field(self, family: Family) -> &'static str {
        let is_gpt = matches!(family, Family::Gpt2 | Family::Gptj);
        match self {
            Self::Width if is_gpt => "n_embd",
            Self::Width => "hidden_size",
            Self::Heads if is_gpt => "n_head",
            Self::Heads => "num_attention_heads",
            Self::KeyHeads => "num_key_value_heads",
            Self::HeadWidth => "head_dim",
            Self::Neurons if is_gpt => "n_inner",
            Self::Neurons => "intermediate_size",
            Self::Context if is_gpt => "n_positions",
            Self::Context => "max_position_embeddings",
            Self::Vocabulary => "vocab_size",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Size::{self, Context, HeadWidth, Heads, KeyHeads, Neurons, Vocabulary, Width};
    use super::*;

    #[test]
    fn each_axis_names_the_sizes_that_it_follows_from() {
        let gpt2 = ModelConfig::SMALL;
        let llama = ModelConfig::published("llama-3.2-1b").expect("a published model");
        for (config, tensor, found, expected) in [
            (&gpt2, "wte.weight", &[50_258, 768][..], &[Vocabulary][..]),
            (&gpt2, "wte.weight", &[50_257, 64], &[Width]),
            (&gpt2, "wte.weight", &[50_257], &[Width, Vocabulary]),
            (&gpt2, "wpe.weight", &[9, 768], &[Context]),
            (&gpt2, "h.3.attn.c_attn.weight", &[768, 9], &[Width]),
            (&gpt2, "h.3.mlp.c_fc.weight", &[768, 9], &[Neurons]),
            (&llama, "layers.1.self_attn.q_proj.weight", &[9, 2048], &[Heads, HeadWidth]),
            (&llama, "layers.1.self_attn.k_proj.weight", &[9, 2048], &[KeyHeads, HeadWidth]),
            (&llama, "layers.1.self_attn.o_proj.weight", &[9, 2048], &[Width]),
        ] {
            assert_eq!(Size::behind(config, tensor, found), expected, "{tensor}");
        }
    }
}
