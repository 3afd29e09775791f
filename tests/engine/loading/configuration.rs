//! Folders without a model, and configurations that are none or do not fit the weights.

use std::fs;
use std::path::Path;

use factscope::model::{ModelConfig, Nonlinearity, Scores, Unembedding};
use factscope::worker::DeviceChoice;
use serde_json::{Value, json};

use super::{check_refused, copy_of, logits_of, with_config, with_file, without_file};
use crate::families::with_tokenizer;
use crate::support::fixture;

#[test]
fn a_folder_must_exist_and_have_a_configuration() {
    let dir = tempfile::tempdir().unwrap();
    check_refused(&dir.path().join("nothing"), &["no such folder", "nothing"]);
    check_refused(dir.path(), &["config.json"]);
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    check_refused(&file, &["no weight file by its name", "`.gguf`"]);
    check_refused(without_file("config.json").path(), &["config.json"]);
}

#[test]
fn configurations_that_are_none_are_refused() {
    for text in ["", "{", "[]", "null", "{}", "{\"n_layer\": 4}", "\u{feff}{}"] {
        check_refused(with_file("config.json", text.as_bytes()).path(), &["config.json"]);
    }
    check_refused(with_file("config.json", b"\xff\xfe\0").path(), &["config.json"]);
}

#[test]
fn a_field_of_the_wrong_kind_is_named() {
    for (family, field, value, says) in [
        ("gpt2", "n_inner", json!(-1), "`n_inner` is -1, but must be a whole number of at least 0"),
        ("llama", "head_dim", json!(-4), "`head_dim` is -4, but must be a whole number"),
        ("llama", "head_dim", json!(1.5), "`head_dim` is 1.5, but must be a whole number"),
        ("llama", "rope_theta", json!("big"), "`rope_theta` is \"big\", but must be a number"),
        ("llama", "mlp_bias", json!("yes"), "`mlp_bias` is \"yes\", but must be true or false"),
        ("llama", "rope_parameters", json!({ "factor": "4" }), "`factor` is \"4\", but must be a"),
        ("llama", "quantization_config", json!({ "quant_method": "gptq" }), "quantised by gptq"),
    ] {
        let mut config = json!({ "model_type": family, "num_hidden_layers": 2, "hidden_size": 16,
            "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 24,
            "max_position_embeddings": 32, "vocab_size": 9 });
        config[field] = value;
        let error = ModelConfig::from_json(&config.to_string()).unwrap_err();
        assert!(error.contains(says), "{family}, {field}: {error}");
    }
    assert!(ModelConfig::from_json("[]").unwrap_err().contains("fields in braces"));
}

#[test]
fn a_model_without_its_type_must_have_the_tensors_of_gpt_2() {
    let without_type = |dir: &Path| {
        let path = dir.join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config.as_object_mut().unwrap().remove("model_type");
        fs::write(&path, config.to_string()).unwrap();
    };
    let dir = copy_of("tiny");
    without_type(dir.path());
    assert_eq!(logits_of(dir.path()), logits_of(&fixture("tiny")));
    let dir = with_tokenizer(&fixture("families").join("llama-3"));
    without_type(dir.path());
    check_refused(dir.path(), &["`model_type` is missing", "`wte.weight`"]);
}

#[test]
fn configurations_of_other_models_are_refused() {
    let cases = [
        ("model_type", json!("bert"), "`model_type` is `bert`, which is not one of"),
        ("activation_function", json!("tanh"), "`activation_function` is `tanh`, which is not one"),
        ("add_cross_attention", json!(true), "add_cross_attention"),
        ("n_layer", json!(0), "n_layer"),
        ("n_layer", json!(-1), "-1"),
        ("n_layer", json!(1.5), "1.5"),
        ("n_layer", json!("four"), "four"),
        ("n_head", json!(5), "not a multiple of `n_head`"),
        ("n_head", json!(0), "n_head"),
        ("n_embd", json!(0), "n_embd"),
        ("n_positions", json!(0), "n_positions"),
        ("vocab_size", json!(0), "vocab_size"),
    ];
    for (field, value, says) in cases {
        check_refused(with_config(field, &value).path(), &["config.json", says]);
    }
}

#[test]
fn sizes_have_the_names_that_transformers_takes_too() {
    let own = json!({ "model_type": "gpt2", "n_layer": 3, "n_head": 2, "n_embd": 8,
        "n_positions": 16, "vocab_size": 9 });
    let other = json!({ "model_type": "gpt2", "num_hidden_layers": 3, "num_attention_heads": 2,
        "hidden_size": 8, "n_embd": 8, "max_position_embeddings": 16, "vocab_size": 9 });
    let read = |json: &Value| ModelConfig::from_json(&json.to_string());
    assert_eq!(read(&other).unwrap(), read(&own).unwrap());
    let mut two = own.clone();
    two["hidden_size"] = json!(16);
    assert!(read(&two).unwrap_err().contains("`n_embd` is 8 and `hidden_size` is 16"));
    let mut lacking = own;
    lacking.as_object_mut().unwrap().remove("n_layer");
    assert_eq!(read(&lacking).unwrap().n_layers, 12);
}

/// Made by `tests/golden/make_fields.py`.
#[test]
fn a_field_that_is_missing_or_null_is_what_transformers_takes_for_it() {
    let text = fs::read_to_string(fixture("fields.json")).unwrap();
    let found: Value = serde_json::from_str(&text).unwrap();
    for (family, about) in found.as_object().unwrap() {
        let read = |field: &str, value: Option<&Value>| {
            let mut config = about["base"].clone();
            config["model_type"] = json!(family);
            match value {
                Some(value) => config[field] = value.clone(),
                None => _ = config.as_object_mut().unwrap().remove(field),
            }
            ModelConfig::from_json(&config.to_string())
        };
        for (field, said) in about["fields"].as_object().unwrap() {
            if let Some(usual) = said.get("missing") {
                let (missing, given) = (read(field, None), read(field, Some(usual)));
                // Sizes that do not go with the others are refused either way.
                assert!(missing == given, "{family}, {field}: {missing:?}, {given:?}");
            }
            match (read(field, Some(&Value::Null)), said["null"].get("is")) {
                (Err(error), None) => {
                    assert!(error.contains(&format!("`{field}` is null")), "{family}: {error}");
                }
                (found, Some(value)) => {
                    assert!(found.is_ok(), "{family}, {field}: {found:?}");
                    assert_eq!(found, read(field, Some(value)), "{family}, {field}");
                }
                (Ok(_), None) => panic!("{family}: `{field}` may not be null"),
            }
        }
    }
}

/// The fields of each part of a shape that does not fit, and which of them are not in the file.
#[test]
fn a_shape_that_does_not_fit_names_the_fields_that_are_to_blame() {
    for (field, value, says) in [
        (
            "vocab_size",
            json!(9),
            "shape [657, 32], but must have [9, 32] by `vocab_size` (9) in `config.json`; they are of two models",
        ),
        ("n_inner", json!(100), "but must have [32, 100] by `n_inner` (100) in `config.json`"),
        ("n_positions", json!(65), "but must have [65, 32] by `n_positions` (65) in `config.json`"),
    ] {
        check_refused(with_config(field, &value).path(), &[says]);
    }
    let text =
        json!({ "model_type": "gpt2", "n_layer": 4, "n_head": 4, "vocab_size": 657 }).to_string();
    let dir = with_file("config.json", text.as_bytes());
    check_refused(dir.path(), &["`n_embd` (768, as in `transformers` where it is not given)"]);
}

#[test]
fn a_configuration_of_another_family_is_refused_by_its_name() {
    let text = json!({ "model_type": "mamba", "hidden_size": 768 }).to_string();
    let dir = with_file("config.json", text.as_bytes());
    check_refused(dir.path(), &["`model_type` is `mamba`, which is not one of", "`gpt2`"]);
}

#[test]
fn what_is_not_known_of_other_families_is_refused_by_its_name() {
    let sizes = json!({ "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
        "hidden_size": 16, "intermediate_size": 24, "max_position_embeddings": 32,
        "vocab_size": 9 });
    for (family, field, value, says) in [
        ("llama", "rope_scaling", json!({ "type": "longrope" }), "`longrope`, which is not one of"),
        ("llama", "rope_scaling", json!({ "type": "yarn" }), "`factor` is missing"),
        ("llama", "rope_scaling", json!({ "type": "dynamic" }), "`factor` is missing"),
        (
            "qwen2",
            "layer_types",
            json!(["full_attention", "sliding_attention"]),
            "`use_sliding_window`",
        ),
        ("llama", "rope_parameters", json!({ "full_attention": {} }), "differ by the type"),
        ("gemma3_text", "rope_parameters", json!({ "rope_theta": 1.0 }), "`full_attention`"),
        ("gemma3_text", "attn_logit_softcapping", json!(50.0), "not supported in Gemma 3"),
        ("gemma3_text", "sliding_window_pattern", json!(0), "`sliding_window_pattern` is 0"),
        ("gemma3_text", "use_bidirectional_attention", json!(true), "use_bidirectional_attention"),
        ("gemma3", "vision_config", json!({}), "it lacks the field `text_config`"),
        ("gemma2", "final_logit_softcapping", json!(0.0), "`final_logit_softcapping` is 0"),
        ("gemma2", "query_pre_attn_scalar", json!(-1), "`query_pre_attn_scalar` is -1"),
        ("gemma2", "sliding_window", json!(null), "`sliding_window` is null"),
        ("gemma2", "layer_types", json!(["full_attention"]), "1 entries for 2 layers"),
        ("gemma2", "num_key_value_heads", json!(3), "not a multiple of `num_key_value_heads`"),
        ("olmo2", "num_key_value_heads", json!(3), "not a multiple of `num_key_value_heads`"),
    ] {
        let mut config = sizes.clone();
        config["model_type"] = json!(family);
        config[field] = value;
        let error = ModelConfig::from_json(&config.to_string()).unwrap_err();
        assert!(error.contains(says), "{family}, {field}: {error}");
    }
}

/// They would make numbers that are none, or all results the same.
#[test]
fn numbers_out_of_bounds_are_refused_by_name() {
    let rotary = |field: &str, value: f64| {
        let mut scaling = json!({ "rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0,
            "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8 });
        scaling[field] = json!(value);
        scaling
    };
    let of_type = |kind: &str, field: &str, value: f64| {
        let mut scaling = rotary(field, value);
        scaling["rope_type"] = json!(kind);
        scaling
    };
    let local = json!({ "sliding_attention": { "rope_theta": -1.0 } });
    let of_scales = json!({ "rope_type": "yarn", "factor": 4.0, "mscale": -40.0,
        "mscale_all_dim": 1.0, "original_max_position_embeddings": 8 });
    for (family, field, value, says) in [
        (
            "llama",
            "rms_norm_eps",
            json!(-1e-6),
            "`rms_norm_eps` is -0.000001, but must be at least 0",
        ),
        ("llama", "rms_norm_eps", json!(1e39), "`rms_norm_eps` is 1000"),
        ("gpt_neox", "layer_norm_eps", json!(-1), "`layer_norm_eps` is -1,"),
        ("gpt2", "layer_norm_epsilon", json!(-1), "`layer_norm_epsilon` is -1,"),
        ("gpt_neox", "rotary_emb_base", json!(0), "`rotary_emb_base` is 0, but must be above 0"),
        ("llama", "rope_theta", json!(0), "`rope_theta` is 0, but must be above 0"),
        ("llama", "rope_theta", json!(-500.0), "`rope_theta` is -500"),
        ("llama", "rope_parameters", rotary("rope_theta", 1.0), "`rope_theta` is 1, whose"),
        ("llama", "rope_parameters", rotary("factor", 0.0), "`factor` is 0"),
        ("llama", "rope_parameters", of_type("linear", "factor", -2.0), "`factor` is -2"),
        ("llama", "rope_parameters", of_type("linear", "factor", 1e-40), "too large for 32 bits"),
        ("llama", "rope_parameters", of_type("llama3", "factor", 0.0), "`factor` is 0"),
        (
            "llama",
            "rope_parameters",
            of_type("llama3", "low_freq_factor", 0.0),
            "`low_freq_factor` is 0",
        ),
        (
            "llama",
            "rope_parameters",
            of_type("llama3", "high_freq_factor", -4.0),
            "`high_freq_factor` is -4",
        ),
        ("llama", "rope_parameters", rotary("beta_fast", -1.0), "`beta_fast` is -1"),
        ("llama", "rope_parameters", rotary("beta_slow", -1.0), "`beta_slow` is -1"),
        ("llama", "rope_parameters", rotary("attention_factor", 0.0), "`attention_factor` is 0"),
        ("llama", "rope_parameters", of_scales, "`mscale` by `mscale_all_dim` is -"),
        ("gemma3_text", "rope_local_base_freq", json!(0), "`rope_local_base_freq` is 0"),
        ("gemma3_text", "rope_parameters", local, "`rope_theta` is -1"),
        ("gemma2", "final_logit_softcapping", json!(1e-60), "`final_logit_softcapping` is 0.0"),
    ] {
        let mut config = json!({ "model_type": family, "num_hidden_layers": 2, "hidden_size": 16,
            "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 24,
            "max_position_embeddings": 32, "vocab_size": 9, "rotary_pct": 0.5 });
        config[field] = value;
        let error = ModelConfig::from_json(&config.to_string()).unwrap_err();
        assert!(error.contains(says), "{family}, {field}: {error}");
    }
}

#[test]
fn windows_may_be_in_any_layers() {
    let read = |family: &str, kinds: &str| {
        let types = kinds.chars().map(|it| match it {
            's' => "sliding_attention",
            'f' => "full_attention",
            _ => "chunked_attention",
        });
        let config = json!({ "model_type": family, "num_hidden_layers": kinds.len(),
            "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 4,
            "intermediate_size": 24, "max_position_embeddings": 32, "vocab_size": 9,
            "use_sliding_window": true, "sliding_window": 3,
            "layer_types": types.collect::<Vec<_>>() });
        ModelConfig::from_json(&config.to_string())
    };
    let irregular = format!("sff{}fs", "f".repeat(123));
    for kinds in ["sff", "fsffs", "ssf", "fss", "fff", &irregular] {
        for family in ["mistral", "qwen2", "qwen3", "gemma2", "gemma3_text"] {
            let config = read(family, kinds).unwrap();
            let seen = |layer| if config.window_of(layer) == Some(3) { 's' } else { 'f' };
            let found: String = (0..config.n_layers).map(seen).collect();
            assert_eq!(found, kinds, "{family}");
            if family == "gemma3_text" {
                let base = |layer| config.rotary_of(layer).unwrap().base;
                let is_local = |layer| (base(layer) - 10_000.0).abs() < 1.0;
                assert!((0..config.n_layers).all(|it| is_local(it) == (seen(it) == 's')));
            }
            assert_eq!(ModelConfig::from_json(&config.to_json()), Ok(config));
        }
    }
    assert!(read("qwen3", "sfc").unwrap_err().contains("`chunked_attention`, which is not one of"));
    assert!(read("qwen3", &format!("s{irregular}")).unwrap_err().contains("more than 128 layers"));
}

/// `transformers` would take the older one without a word.
#[test]
fn two_fields_about_positions_must_say_the_same() {
    let read = |family: &str, today: &Value, older: &Value| {
        let config = json!({ "model_type": family, "num_hidden_layers": 2, "hidden_size": 16,
            "num_attention_heads": 4, "num_key_value_heads": 4, "intermediate_size": 24,
            "max_position_embeddings": 32, "vocab_size": 9, "rope_theta": 500.0,
            "rope_parameters": today, "rope_scaling": older });
        ModelConfig::from_json(&config.to_string())
    };
    let plain = json!({ "rope_type": "default", "rope_theta": 500.0 });
    let linear = json!({ "type": "linear", "factor": 4.0 });
    let scaled = json!({ "rope_type": "linear", "factor": 4.0, "rope_theta": 500.0 });
    let alone = read("llama", &json!(null), &linear).unwrap();
    assert_eq!(read("llama", &scaled, &linear).unwrap(), alone);
    assert_eq!(read("llama", &json!({}), &linear).unwrap(), alone);
    assert_eq!(read("llama", &scaled, &json!({})).unwrap(), alone);
    let by_layer = json!({ "full_attention": scaled });
    let alone = read("gemma3_text", &json!(null), &linear).unwrap();
    assert_eq!(read("gemma3_text", &by_layer, &linear).unwrap(), alone);

    let other_base = json!({ "type": "linear", "factor": 4.0, "rope_theta": 100.0 });
    let share = json!({ "type": "linear", "factor": 4.0, "partial_rotary_factor": 0.5 });
    let long = json!({ "type": "longrope", "factor": 4.0 });
    for (family, today, older, says) in [
        ("llama", &plain, &linear, "remove the one"),
        ("llama", &scaled, &other_base, "remove the one"),
        ("gpt_neox", &scaled, &share, "`partial_rotary_factor` of `rope_parameters`"),
        ("gemma3_text", &json!({ "full_attention": plain }), &linear, "remove the one"),
        ("llama", &plain, &long, "`longrope`, which is not one of"),
        ("gemma3_text", &by_layer, &long, "`longrope`, which is not one of"),
    ] {
        let error = read(family, today, older).unwrap_err();
        assert!(error.contains(says), "{family}, {today}, {older}: {error}");
    }
}

#[test]
fn the_released_sizes_have_the_published_parameter_counts() {
    assert_eq!(ModelConfig::SMALL.n_params(), 124_439_808);
    assert_eq!(ModelConfig::LARGE.n_params(), 774_030_080);
    assert_eq!(ModelConfig::XL.n_params(), 1_557_611_200);
}

#[test]
fn published_models_have_the_published_parameter_counts() {
    for (name, n_params) in [
        ("gpt2", 124_439_808),
        ("smollm2-135m", 134_515_008),
        ("llama-3.2-1b", 1_235_814_400),
        ("mistral-7b", 7_241_732_096),
        ("qwen2.5-1.5b", 1_543_714_304),
        ("qwen3-0.6b", 596_049_920),
        ("olmo-2-1b", 1_484_916_736),
        ("gemma-2-2b", 2_614_341_888),
        ("gemma-3-270m", 268_098_176),
        ("gemma-3-1b", 999_885_952),
        ("pythia-410m", 405_334_016),
        ("gpt-j-6b", 6_050_882_784),
    ] {
        assert_eq!(ModelConfig::published(name).unwrap().n_params(), n_params, "{name}");
    }
    for name in ModelConfig::published_names() {
        let config = ModelConfig::published(name).unwrap();
        assert_eq!(ModelConfig::from_json(&config.to_json()), Ok(config), "{name}");
    }
}

#[test]
fn a_config_survives_its_own_json() {
    let scores = Scores { divisor: Some(1.0), divided_by_layer: true, cap: None };
    let nonlinearity = Nonlinearity::Gelu;
    let unembedding = Unembedding::Separate;
    let config = ModelConfig { unembedding, nonlinearity, scores, ..ModelConfig::MEDIUM };
    assert_eq!(ModelConfig::from_json(&config.to_json()), Ok(config));
}

#[test]
fn devices_are_written_as_they_are_read() {
    for text in ["auto", "cpu", "wgpu", "wgpu:3"] {
        assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
    }
    for text in ["gpu", "wgpu:", "wgpu:x", "cuda", ""] {
        assert!(text.parse::<DeviceChoice>().is_err(), "{text}");
    }
}

/// Wrong in a way that only the weights can tell; also sizes that no memory could hold.
#[test]
fn sizes_that_are_not_those_of_the_weights_are_refused() {
    let cases = [
        ("n_layer", json!(5), "h.4."),
        ("n_layer", json!(3), "h.3."),
        ("n_embd", json!(64), "wte.weight"),
        ("n_inner", json!(100), "mlp.c_fc"),
        ("n_positions", json!(65), "wpe.weight"),
        ("vocab_size", json!(658), "wte.weight"),
        ("n_layer", json!(1_u64 << 40), "n_layer"),
        ("n_layer", json!(1_u64 << 24), "h.4."),
        ("n_embd", json!(1_u64 << 62), "n_embd"),
        ("n_inner", json!(1_u64 << 62), "n_inner"),
        ("n_positions", json!(u64::MAX), "n_positions"),
    ];
    for (field, value, says) in cases {
        check_refused(with_config(field, &value).path(), &[says]);
    }
}
