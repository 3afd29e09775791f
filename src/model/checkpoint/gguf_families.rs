//! How each family of models is written in GGUF: its sizes, and the names of its tensors.
//!
//! Reference: the classes in `conversion/` of llama.cpp, which write such files from Hugging Face's, and
//! `gguf-py/gguf/tensor_mapping.py`.

use std::f64::consts::PI;

use serde_json::{Value, json};

use super::stored::Fault;
use crate::gguf::Header;

/// A family of models.
pub(super) struct Family {
    /// What the file calls it, in `general.architecture`.
    pub architecture: &'static str,

    /// The fields of its `config.json`. `null` stands for a field that the file does not give.
    pub config: fn(&Says<'_>) -> Result<Value, Fault>,

    /// What comes before the names of a block's tensors in Hugging Face's files; `{}` is the layer.
    block: &'static str,

    /// The tensors outside of blocks and in a block: the name in the file without `.weight` or `.bias`,
    /// Hugging Face's, and what is changed.
    outside: &'static [(&'static str, &'static str, Change)],
    in_block: &'static [(&'static str, &'static str, Change)],
}

/// What the file's numbers are, compared with Hugging Face's.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Same,

    /// A matrix of the other orientation, as GPT-2's `Conv1D`.
    Transposed,

    /// 1 was added, as to Gemma's gains.
    OneAdded,

    /// The two halves of each head's rows take turns, as llama.cpp rotates them for Llama. Holds the
    /// metadata that count the heads.
    HalvesTogether(&'static str),

    /// All queries, all keys and all values are together, where GPT-NeoX has them head by head.
    HeadsTogether,
}

/// What a file says of its model.
pub(super) struct Says<'a> {
    pub bytes: &'a [u8],
    pub header: &'a Header<'a>,
    pub architecture: &'a str,
}

/// What a file lacks that describes its model.
pub(super) fn missing(key: &str) -> Fault {
    Fault::invalid(format!(
        "metadata `{key}` is missing; make the file anew with llama.cpp's `convert_hf_to_gguf.py`"
    ))
}

impl Says<'_> {
    /// A size that must be there.
    pub fn size(&self, name: &str) -> Result<usize, Fault> {
        let key = format!("{}.{name}", self.architecture);
        let found = self.header.size(&key)?;
        found.ok_or_else(|| missing(&key))
    }

    /// A size that may be missing.
    fn size_or(&self, name: &str, default: usize) -> Result<usize, Fault> {
        Ok(self.header.size(&format!("{}.{name}", self.architecture))?.unwrap_or(default))
    }

    /// A number as the shortest decimal that the file's is the nearest to; `null` if it is missing.
    fn number(&self, name: &str) -> Result<Value, Fault> {
        let Some(wide) = self.header.number(&format!("{}.{name}", self.architecture))? else {
            return Ok(Value::Null);
        };
        let narrow = wide as f32;
        let shortest = narrow.to_string().parse().ok().filter(|_| f64::from(narrow) == wide);
        Ok(shortest.unwrap_or(wide).into())
    }

    /// A number that must be there.
    fn needed(&self, name: &str) -> Result<Value, Fault> {
        match self.number(name)? {
            Value::Null => Err(missing(&format!("{}.{name}", self.architecture))),
            found => Ok(found),
        }
    }

    /// The width of heads. Rotating a part of it, or values of another width, is not known in families that
    /// ask for this.
    fn head_width(&self) -> Result<usize, Fault> {
        let (width, n_heads) = (self.size("embedding_length")?, self.size("attention.head_count")?);
        let d_head = self.size_or("attention.key_length", width / n_heads.max(1))?;
        for name in ["attention.value_length", "rope.dimension_count"] {
            let found = self.size_or(name, d_head)?;
            if found != d_head {
                return Err(Fault::invalid(format!(
                    "metadata `{}.{name}` is {found}, but heads are {d_head} wide",
                    self.architecture
                )));
            }
        }
        Ok(d_head)
    }

    /// The rows of the token embedding.
    fn n_tokens(&self) -> Result<usize, Fault> {
        let embedding = self.header.tensors.iter().find(|it| it.name == "token_embd.weight");
        let embedding =
            embedding.ok_or_else(|| Fault::invalid("tensor `token_embd.weight` is missing"))?;
        Ok(embedding.axes[1])
    }

    fn has(&self, tensor: &str) -> bool {
        self.header.tensors.iter().any(|it| it.name == tensor)
    }

    /// Whether the unembedding is the token embedding.
    fn is_tied(&self) -> bool {
        !self.has("output.weight")
    }
}

impl Family {
    /// A tensor's name in Hugging Face's files, and what is changed. A tensor that those do not have
    /// keeps its name.
    pub fn name_of(&self, name: &str) -> (String, Change) {
        let found = || {
            let (stem, kind) = name.rsplit_once('.')?;
            let (table, stem, before) = match stem.strip_prefix("blk.") {
                Some(rest) => {
                    let (layer, stem) = rest.split_once('.')?;
                    (self.in_block, stem, self.block.replace("{}", layer))
                }
                None => (self.outside, stem, String::new()),
            };
            let (_, own, change) = table.iter().find(|(known, ..)| *known == stem)?;
            Some((format!("{before}{own}.{kind}"), *change))
        };
        found().unwrap_or_else(|| (name.to_owned(), Change::Same))
    }

    /// A tensor's name in the file, from that in Hugging Face's files.
    pub fn name_in_file(&self, name: &str) -> Option<String> {
        let (stem, kind) = name.rsplit_once('.')?;
        let (before, after) = self.block.split_once("{}")?;
        let in_block = stem.strip_prefix(before).and_then(|it| it.split_once(after));
        let (table, stem, before) = match in_block {
            Some((layer, stem)) => (self.in_block, stem, format!("blk.{layer}.")),
            None => (self.outside, stem, String::new()),
        };
        let (own, ..) = table.iter().find(|(_, theirs, _)| *theirs == stem)?;
        Some(format!("{before}{own}.{kind}"))
    }
}

use Change::{HalvesTogether, HeadsTogether, OneAdded, Same, Transposed};

/// The families that can be written in GGUF. Whether one can be opened, its configuration decides.
pub(super) static FAMILIES: [Family; 8] = [
    Family {
        architecture: "gpt2",
        config: |it| {
            Ok(json!({
                "model_type": "gpt2",
                "n_layer": it.size("block_count")?,
                "n_head": it.size("attention.head_count")?,
                "n_embd": it.size("embedding_length")?,
                "n_inner": it.size("feed_forward_length")?,
                "n_positions": it.size("context_length")?,
                "vocab_size": it.n_tokens()?,
                "layer_norm_epsilon": it.needed("attention.layer_norm_epsilon")?,
                "tie_word_embeddings": it.is_tied(),
            }))
        },
        block: "h.{}.",
        outside: &[
            ("token_embd", "wte", Same),
            ("position_embd", "wpe", Same),
            ("output_norm", "ln_f", Same),
            ("output", "lm_head", Same),
        ],
        in_block: &[
            ("attn_norm", "ln_1", Same),
            ("attn_qkv", "attn.c_attn", Transposed),
            ("attn_output", "attn.c_proj", Transposed),
            ("ffn_norm", "ln_2", Same),
            ("ffn_up", "mlp.c_fc", Transposed),
            ("ffn_down", "mlp.c_proj", Transposed),
        ],
    },
    Family {
        architecture: "llama",
        config: |it| gated(it, "llama", json!({ "hidden_act": "silu" })),
        block: BLOCK,
        outside: &OUTSIDE,
        in_block: &[
            ("attn_norm", "input_layernorm", Same),
            ("attn_q", "self_attn.q_proj", HalvesTogether("attention.head_count")),
            ("attn_k", "self_attn.k_proj", HalvesTogether("attention.head_count_kv")),
            ("attn_v", "self_attn.v_proj", Same),
            ("attn_output", "self_attn.o_proj", Same),
            ("ffn_norm", "post_attention_layernorm", Same),
            ("ffn_gate", "mlp.gate_proj", Same),
            ("ffn_up", "mlp.up_proj", Same),
            ("ffn_down", "mlp.down_proj", Same),
        ],
    },
    Family {
        architecture: "qwen2",
        config: |it| gated(it, "qwen2", json!({ "hidden_act": "silu" })),
        block: BLOCK,
        outside: &OUTSIDE,
        in_block: &QWEN,
    },
    Family {
        architecture: "qwen3",
        config: |it| gated(it, "qwen3", json!({ "hidden_act": "silu" })),
        block: BLOCK,
        outside: &OUTSIDE,
        in_block: &QWEN,
    },
    Family {
        architecture: "olmo2",
        config: |it| gated(it, "olmo2", json!({ "hidden_act": "silu" })),
        block: BLOCK,
        outside: &OUTSIDE,
        in_block: &[
            ("attn_q", "self_attn.q_proj", Same),
            ("attn_k", "self_attn.k_proj", Same),
            ("attn_v", "self_attn.v_proj", Same),
            ("attn_q_norm", "self_attn.q_norm", Same),
            ("attn_k_norm", "self_attn.k_norm", Same),
            ("attn_output", "self_attn.o_proj", Same),
            ("post_attention_norm", "post_attention_layernorm", Same),
            ("ffn_gate", "mlp.gate_proj", Same),
            ("ffn_up", "mlp.up_proj", Same),
            ("ffn_down", "mlp.down_proj", Same),
            ("post_ffw_norm", "post_feedforward_layernorm", Same),
        ],
    },
    Family {
        architecture: "gemma2",
        config: |it| {
            gated(
                it,
                "gemma2",
                json!({
                    "hidden_activation": "gelu_pytorch_tanh",
                    "attn_logit_softcapping": it.number("attn_logit_softcapping")?,
                    "final_logit_softcapping": it.number("final_logit_softcapping")?,
                    // llama.cpp's file does not say it, and divides as all but the model of 27 billion do.
                    "query_pre_attn_scalar": match it.size("block_count")? {
                        46 => it.size("embedding_length")? / it.size("attention.head_count")?.max(1),
                        _ => it.size("attention.key_length")?,
                    },
                }),
            )
        },
        block: BLOCK,
        outside: &GEMMA_OUTSIDE,
        in_block: &GEMMA,
    },
    Family {
        architecture: "gemma3",
        config: |it| {
            gated(
                it,
                "gemma3_text",
                json!({
                    "hidden_activation": "gelu_pytorch_tanh",
                    "final_logit_softcapping": it.number("final_logit_softcapping")?,
                    // llama.cpp's file says neither; both are the same in all of the family but the model of
                    // 27 billion, which divides by another width.
                    "query_pre_attn_scalar": match it.size("block_count")? {
                        62 => it.size("embedding_length")? / it.size("attention.head_count")?.max(1),
                        _ => it.size("attention.key_length")?,
                    },
                    "rope_local_base_freq": match it.number("rope.freq_base_swa")? {
                        Value::Null => json!(10_000.0),
                        found => found,
                    },
                    // Without it transformers takes 4,096 tokens, and llama.cpp all.
                    "sliding_window": it.size("attention.sliding_window")?,
                    "sliding_window_pattern": 6,
                }),
            )
        },
        block: BLOCK,
        outside: &GEMMA_OUTSIDE,
        in_block: &GEMMA,
    },
    Family {
        architecture: "gptneox",
        config: |it| {
            let (width, n_heads) = (it.size("embedding_length")?, it.size("attention.head_count")?);
            let d_head = width / n_heads.max(1);
            Ok(json!({
                "model_type": "gpt_neox",
                "num_hidden_layers": it.size("block_count")?,
                "num_attention_heads": n_heads,
                "hidden_size": width,
                "intermediate_size": it.size("feed_forward_length")?,
                "max_position_embeddings": it.size("context_length")?,
                "vocab_size": it.n_tokens()?,
                "layer_norm_eps": it.needed("attention.layer_norm_epsilon")?,
                "rotary_pct": it.size("rope.dimension_count")? as f64 / d_head.max(1) as f64,
                "rotary_emb_base": it.number("rope.freq_base")?,
                "use_parallel_residual": it.header.flag("gptneox.use_parallel_residual")?,
                "hidden_act": "gelu",
                "tie_word_embeddings": it.is_tied(),
            }))
        },
        block: "gpt_neox.layers.{}.",
        outside: &[
            ("token_embd", "gpt_neox.embed_in", Same),
            ("output_norm", "gpt_neox.final_layer_norm", Same),
            ("output", "embed_out", Same),
        ],
        in_block: &[
            ("attn_norm", "input_layernorm", Same),
            ("attn_qkv", "attention.query_key_value", HeadsTogether),
            ("attn_output", "attention.dense", Same),
            ("ffn_norm", "post_attention_layernorm", Same),
            ("ffn_up", "mlp.dense_h_to_4h", Same),
            ("ffn_down", "mlp.dense_4h_to_h", Same),
        ],
    },
];

const BLOCK: &str = "model.layers.{}.";

const OUTSIDE: [(&str, &str, Change); 3] = [
    ("token_embd", "model.embed_tokens", Same),
    ("output_norm", "model.norm", Same),
    ("output", "lm_head", Same),
];

const QWEN: [(&str, &str, Change); 11] = [
    ("attn_norm", "input_layernorm", Same),
    ("attn_q", "self_attn.q_proj", Same),
    ("attn_k", "self_attn.k_proj", Same),
    ("attn_v", "self_attn.v_proj", Same),
    ("attn_q_norm", "self_attn.q_norm", Same),
    ("attn_k_norm", "self_attn.k_norm", Same),
    ("attn_output", "self_attn.o_proj", Same),
    ("ffn_norm", "post_attention_layernorm", Same),
    ("ffn_gate", "mlp.gate_proj", Same),
    ("ffn_up", "mlp.up_proj", Same),
    ("ffn_down", "mlp.down_proj", Same),
];

const GEMMA_OUTSIDE: [(&str, &str, Change); 3] = [
    ("token_embd", "model.embed_tokens", Same),
    ("output_norm", "model.norm", OneAdded),
    ("output", "lm_head", Same),
];

const GEMMA: [(&str, &str, Change); 13] = [
    ("attn_norm", "input_layernorm", OneAdded),
    ("attn_q", "self_attn.q_proj", Same),
    ("attn_k", "self_attn.k_proj", Same),
    ("attn_v", "self_attn.v_proj", Same),
    ("attn_q_norm", "self_attn.q_norm", OneAdded),
    ("attn_k_norm", "self_attn.k_norm", OneAdded),
    ("attn_output", "self_attn.o_proj", Same),
    ("post_attention_norm", "post_attention_layernorm", OneAdded),
    ("ffn_norm", "pre_feedforward_layernorm", OneAdded),
    ("ffn_gate", "mlp.gate_proj", Same),
    ("ffn_up", "mlp.up_proj", Same),
    ("ffn_down", "mlp.down_proj", Same),
    ("post_ffw_norm", "post_feedforward_layernorm", OneAdded),
];

/// What Llama 3 divides each frequency by, which llama.cpp writes as a tensor.
pub(super) const LLAMA3_FACTORS: &str = "rope_freqs.weight";

/// Llama 3's scaling, whose factors the file holds. The file does not say what they were made of, so they
/// are made again with the numbers that all of Llama 3 have, and compared.
fn llama3_scaling(it: &Says<'_>) -> Result<Option<Value>, Fault> {
    let (low, high, n_original) = (1.0, 4.0, 8192.0);
    let Some(tensor) = it.header.tensors.iter().find(|it| it.name == LLAMA3_FACTORS) else {
        return Ok(None);
    };
    let start = it.header.data_start.saturating_add(tensor.start);
    let bytes = it.bytes.get(start..).filter(|_| tensor.kind == 0).unwrap_or_default();
    let factors: Vec<f64> = bytes
        .as_chunks()
        .0
        .iter()
        .take(tensor.axes[0])
        .map(|it| f64::from(f32::from_le_bytes(*it)))
        .collect();
    let factor = factors.iter().copied().fold(1.0, f64::max);
    let base = it.header.number("llama.rope.freq_base")?.unwrap_or(10_000.0);
    let made = (0..tensor.axes[0]).map(|nth| {
        let length = 2.0 * PI * base.powf(nth as f64 / tensor.axes[0] as f64);
        let smooth = ((n_original / length - low) / (high - low)).clamp(0.0, 1.0);
        1.0 / ((1.0 - smooth) / factor + smooth)
    });
    let are_same = factors.len() == tensor.axes[0]
        && made.zip(&factors).all(|(made, factor)| (made / factor - 1.0).abs() < 1e-4);
    if !are_same {
        return Err(Fault::invalid(format!(
            "tensor `{LLAMA3_FACTORS}` scales positions in another way than Llama 3 does"
        )));
    }
    Ok(Some(json!({
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": low,
        "high_freq_factor": high,
        "original_max_position_embeddings": n_original as usize,
    })))
}

/// How positions beyond those of the training are scaled; `null` if they are not.
fn rope_scaling(it: &Says<'_>) -> Result<Value, Fault> {
    if let Some(scaling) = llama3_scaling(it)? {
        return Ok(scaling);
    }
    let kind = it.header.text(&format!("{}.rope.scaling.type", it.architecture))?;
    // The older name of the factor.
    let factor = match it.number("rope.scaling.factor")? {
        Value::Null => it.number("rope.scale_linear")?,
        found => found,
    };
    Ok(match kind {
        Some("none") => Value::Null,
        None if factor.is_null() => Value::Null,
        // As in llama.cpp, a factor without a type is of that one.
        kind => json!({
            "rope_type": kind.unwrap_or("linear"),
            "factor": factor,
            "original_max_position_embeddings":
                it.header.size(&format!("{}.rope.scaling.original_context_length", it.architecture))?,
        }),
    })
}

/// The configuration that families with gated MLPs have in common, and what is their own.
fn gated(it: &Says<'_>, model_type: &str, own: Value) -> Result<Value, Fault> {
    let (width, n_heads) = (it.size("embedding_length")?, it.size("attention.head_count")?);
    let mut config = json!({
        "model_type": model_type,
        "rope_scaling": rope_scaling(it)?,
        "num_hidden_layers": it.size("block_count")?,
        "num_attention_heads": n_heads,
        "num_key_value_heads": it.size_or("attention.head_count_kv", n_heads)?,
        "head_dim": it.head_width()?,
        "hidden_size": width,
        "intermediate_size": it.size("feed_forward_length")?,
        "max_position_embeddings": it.size("context_length")?,
        "vocab_size": it.n_tokens()?,
        "rms_norm_eps": it.needed("attention.layer_norm_rms_epsilon")?,
        "rope_theta": it.number("rope.freq_base")?,
        "sliding_window": it.header.size(&format!("{}.attention.sliding_window", it.architecture))?,
        "attention_bias": it.has("blk.0.attn_q.bias"),
        "tie_word_embeddings": it.is_tied(),
    });
    if let (Value::Object(config), Value::Object(own)) = (&mut config, own) {
        config.extend(own);
    }
    Ok(config)
}
