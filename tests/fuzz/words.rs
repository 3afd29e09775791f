//! Words of the formats that are fuzzed.

/// Of datasets.
#[rustfmt::skip]
pub const FACTS: &[&str] = &[
    "subject", "sub_label", "subj", "sub", "head", "child", "object", "obj_label", "answer",
    "answers", "target_true", "attribute", "ground_truth", "parent", "possible_answers", "template",
    "prompt", "prompt_templates", "question", "src", "masked_sentence", "relation", "relation_id",
    "pred", "prop", "parent_type", "name", "inverse", "inverse_template", "symmetric", "properties",
    "foil", "target_new", "case_id", "id", "uuid", "paraphrase_prompts", "neighborhood_prompts",
    "requested_rewrite", "samples", "columns", "index", "data", "schema", "str", "label", "value",
    "{}", "[X]", "[Y]", "[MASK]", "{subject}", "{object}", "%s", "%(subject)s", "___",
    "<extra_id_0>", "NaN", "None", "Infinity", "null", "/m/0abc12", "Q42", "http://", "P36", "\n",
    "\r\n", "\"", "\\u", "\\ud83d\\ude00", "\u{feff}", "\u{200b}", "\u{301}", ",", ";", "\t", "|",
    "sep=", "['a', 'b']", "{'a': 1}", "|---|",
];

/// Of a `config.json`.
#[rustfmt::skip]
pub const CONFIG: &[&str] = &[
    "\"model_type\"", "\"gpt2\"", "\"llama\"", "\"gemma3_text\"", "\"gptj\"", "\"gpt_neox\"",
    "\"olmo2\"", "\"qwen2\"", "\"mistral\"", "\"n_layer\"", "\"n_head\"", "\"n_embd\"",
    "\"n_inner\"", "\"n_positions\"", "\"vocab_size\"", "\"layer_norm_epsilon\"",
    "\"activation_function\"", "\"gelu_new\"", "\"rope_scaling\"", "\"rope_type\"", "\"llama3\"",
    "\"yarn\"", "\"dynamic\"", "\"factor\"", "\"rope_theta\"", "\"sliding_window\"",
    "\"layer_types\"", "\"hidden_size\"", "\"num_attention_heads\"", "\"num_key_value_heads\"",
    "\"head_dim\"", "\"intermediate_size\"", "\"tie_word_embeddings\"", "\"rotary_dim\"",
    "\"rotary_pct\"", "\"text_config\"", "\"torch_dtype\"", "\"quantization_config\"",
    "\"final_logit_softcapping\"", "\"query_pre_attn_scalar\"",
    "\"scale_attn_by_inverse_layer_idx\"",
];

/// Of safetensors and their index.
#[rustfmt::skip]
pub const TENSORS: &[&str] = &[
    "\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"__metadata__\"", "\"F32\"", "\"F16\"",
    "\"BF16\"", "\"F64\"", "\"I64\"", "\"U8\"", "\"F8_E4M3\"", "transformer.", "wte.weight",
    "lm_head.weight", "h.0.attn.c_attn.weight", "weight_map", "metadata", "total_size",
    "model-00001-of-00002.safetensors", "../", "/dev/zero", "mom2", "_orig_mod.", ".lora_A",
];

/// Of pickles and the archives around them.
#[rustfmt::skip]
pub const PICKLE: &[&str] = &[
    "\u{2}", "ctorch._utils\n_rebuild_tensor_v2\n", "ctorch\nFloatStorage\n",
    "ctorch\nBFloat16Storage\n", "ccollections\nOrderedDict\n",
    "ctorch._utils\n_rebuild_parameter\n", "cos\nsystem\n", "storage", "cpu", "(", ")", "tR", "Q",
    "q\0", "h\0", "r\0\0\0\0", "j\0\0\0\0", "K\u{1}", "M\0\u{1}", "J\0\0\0\0", "X\u{1}\0\0\0a", "]",
    "}", "u", "s", "e", "a", "0", "1", "2", ".", "N", "\u{8a}\u{1}", "PK\u{3}\u{4}", "PK\u{1}\u{2}",
    "PK\u{5}\u{6}", "PK\u{6}\u{6}", "PK\u{6}\u{7}", "data.pkl", "byteorder", "constants.pkl",
    "data/0",
];

/// Of GGUF.
#[rustfmt::skip]
pub const GGUF: &[&str] = &[
    "GGUF", "general.architecture", "general.alignment", "general.type", "llama", "gpt2", "gemma3",
    "olmo2", ".block_count", ".context_length", ".embedding_length", ".feed_forward_length",
    ".attention.head_count", ".attention.head_count_kv", ".attention.layer_norm_rms_epsilon",
    ".rope.freq_base", ".rope.dimension_count", ".rope.scaling.type", "tokenizer.ggml.model",
    "tokenizer.ggml.tokens", "tokenizer.ggml.merges", "tokenizer.ggml.scores",
    "tokenizer.ggml.token_type", "tokenizer.ggml.pre", "tokenizer.ggml.bos_token_id",
    "tokenizer.ggml.add_bos_token", "token_embd.weight", "blk.0.attn_q.weight", "output.weight",
    "\u{4}\0\0\0", "\u{9}\0\0\0\u{9}\0\0\0", "\u{8}\0\0\0",
];

/// Of a tokenizer and the files beside it.
#[rustfmt::skip]
pub const TOKENIZER: &[&str] = &[
    "\n=== tokenizer.json\n", "\n=== tokenizer_config.json\n", "\n=== added_tokens.json\n",
    "\n=== special_tokens_map.json\n", "\n=== config.json\n", "\n=== vocab.json\n",
    "\n=== merges.txt\n", "\"BPE\"", "\"Unigram\"", "\"WordPiece\"", "\"WordLevel\"", "\"vocab\"",
    "\"merges\"", "\"unk_token\"", "\"unk_id\"", "\"dropout\"", "\"fuse_unk\"", "\"byte_fallback\"",
    "\"ignore_merges\"", "\"added_tokens\"", "\"content\"", "\"special\"", "\"lstrip\"",
    "\"rstrip\"", "\"single_word\"", "\"normalized\"", "\"normalizer\"", "\"NFC\"", "\"NFKC\"",
    "\"Precompiled\"", "\"precompiled_charsmap\"", "\"Sequence\"", "\"Replace\"", "\"Prepend\"",
    "\"Strip\"", "\"Lowercase\"", "\"BertNormalizer\"", "\"pre_tokenizer\"", "\"ByteLevel\"",
    "\"Metaspace\"", "\"Split\"", "\"Regex\"", "\"String\"", "\"pattern\"", "\"behavior\"",
    "\"Isolated\"", "\"invert\"", "\"Digits\"", "\"Punctuation\"", "\"post_processor\"",
    "\"TemplateProcessing\"", "\"decoder\"", "\"Fuse\"", "\"ByteFallback\"", "\"padding\"",
    "\"truncation\"", "\"max_length\"", "\"stride\"", "\"add_prefix_space\"", "\"bos_token\"",
    "\"eos_token\"", "\"tokenizer_class\"", "\"GPT2Tokenizer\"", "\"LlamaTokenizer\"",
    "\"Qwen2Tokenizer\"", "\"added_tokens_decoder\"", "\"add_bos_token\"", "<0x41>",
    "<|endoftext|>", "Ġ", "▁", "(a*)*b", "(?<!a)", "\\p{L}+", "#version: 0.2\n",
];

/// Of numpy's arrays and archives.
#[rustfmt::skip]
pub const NPY: &[&str] = &[
    "\u{93}NUMPY", "'descr':", "'fortran_order':", "'shape':", "'<f4'", "'<f8'", "'>f4'", "True",
    "False", "(1, 1, 2)", "(18446744073709551615, 2, 2)", "noise.npy", "PK\u{3}\u{4}",
    "PK\u{1}\u{2}", "PK\u{5}\u{6}",
];

/// Of specs and manifests.
#[rustfmt::skip]
pub const SPEC: &[&str] = &[
    "\"model\"", "\"fact\"", "\"text\"", "\"record\"", "\"spec\"", "\"edits\"", "\"meant\"",
    "\"tokens_of\"", "\"subjects_of\"", "\"prompts_of\"", "\"other_subjects_of\"", "\"prompt\"",
    "\"answer\"", "\"facts\"", "\"case\"", "\"direction\"", "\"CausalTrace\"", "\"LogitLens\"",
    "\"Ablation\"", "\"Steering\"", "\"RankOneEdit\"", "\"EdgeAttribution\"", "\"layers\"",
    "\"positions\"", "\"seed\"", "\"n_samples\"",
];

/// Of pictures and the records that they carry.
#[rustfmt::skip]
pub const PICTURE: &[&str] = &[
    "<svg", "<metadata id=\"factscope\">", "</metadata>\n", "&amp;", "\u{89}PNG\r\n",
    "iTXtfactscope\0\u{1}\0\0\0", "%PDF-", "/Type /EmbeddedFile", " 0 obj", "stream\n",
    "\"charts\"", "\"places\"", "\"values\"", "null",
];

/// Of what the hub answers.
#[rustfmt::skip]
pub const HUB: &[&str] = &[
    "\"sha\"", "\"siblings\"", "\"rfilename\"", "\"size\"", "\"blobId\"", "\"lfs\"", "\"sha256\"",
    "\"id\"", "\"gated\"", "\"config\"", "\"safetensors\"", "\"total\"", "\"tags\"", "license:",
    "config.json", "model.safetensors", "model.safetensors.index.json", "../", "<html>",
];
