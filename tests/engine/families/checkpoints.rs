//! Checkpoints of every family as people have them: with a tokenizer, with parts that are not the language model, with fields in any order.

use std::collections::BTreeSet;
use std::fs;

use factscope::intervention::SiteSet;
use factscope::model::{Family, FloatType, ModelConfig, RotaryConfig, write_random_checkpoint};
use factscope::task::TaskCtx;
use safetensors::SafeTensors;
use serde_json::{Value, json};

use super::{families, golden, with_tokenizer};
use crate::support::{fixture, load, logits};

/// Gemma 3's larger models also see; the language model in them is the same as alone, under the names
/// of published checkpoints and of those that `transformers` writes today.
#[test]
fn the_language_model_of_a_checkpoint_that_also_sees_is_read() {
    let family = fixture("families/gemma3");
    let ids = &golden(&family).cases[0].ids;
    let of = |dir: &std::path::Path| logits(&load(dir).run_clean(ids, &[].into()));
    let config: Value =
        serde_json::from_slice(&fs::read(family.join("config.json")).unwrap()).unwrap();
    let config = json!({ "model_type": "gemma3", "text_config": config, "vision_config": {} });
    for [language, vision] in [
        ["language_model.model.", "vision_tower."],
        ["model.language_model.", "model.vision_tower."],
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.json"), config.to_string()).unwrap();
        let bytes = fs::read(family.join("model.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.tensors().into_iter().flat_map(|(name, view)| {
            let seen = format!("{vision}{name}");
            [(name.replacen("model.", language, 1), view.clone()), (seen, view)]
        });
        let path = dir.path().join("model.safetensors");
        safetensors::serialize_to_file(tensors, None, &path).unwrap();
        assert_eq!(of(dir.path()), of(&family), "{language}");
    }
}

/// Where the low factor of `llama3` is not below the high one, `transformers` blends no angles: those
/// that turn less often than the low factor says are divided, and the high one does not matter.
#[test]
fn factors_of_llama_3_may_stand_in_any_order() {
    let dir = with_tokenizer(&fixture("families").join("llama-3"));
    let path = dir.path().join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    let logits_with = |low: f64, high: f64| {
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config["rope_scaling"]["low_freq_factor"] = json!(low);
        config["rope_scaling"]["high_freq_factor"] = json!(high);
        fs::write(&path, config.to_string()).unwrap();
        logits(&load(dir.path()).run_clean(&[47, 283, 271, 318, 262], &SiteSet::new()))
    };
    // Over 8 positions the fastest pair turns 1.3 times and the next 0.13 times.
    let inverted = logits_with(0.5, 0.1);
    assert_eq!(inverted, logits_with(0.5, 0.5));
    assert_ne!(inverted, logits_with(0.1, 0.1));
}

/// By the configurations that `model random --config` knows, made small.
#[test]
fn random_checkpoints_of_every_family_are_opened() {
    let mut of_families = BTreeSet::new();
    for name in ModelConfig::published_names() {
        let published = ModelConfig::published(name).unwrap();
        of_families.insert(published.family.name());
        let width = if published.head_width.is_some() { 8 } else { 4 };
        let turned = match published.family {
            Family::GptNeox | Family::Gptj => 2,
            _ => width,
        };
        let rotary = |it: RotaryConfig| RotaryConfig { width: turned, ..it };
        let config = ModelConfig {
            n_layers: 7,
            n_heads: 4,
            key_heads: published.key_heads.map(|n| if n < published.n_heads { 2 } else { 4 }),
            head_width: published.head_width.map(|_| width),
            d_model: 16,
            d_mlp: 24,
            n_ctx: 32,
            d_vocab: 50,
            rotary: published.rotary.map(rotary),
            rotary_in_window: published.rotary_in_window.map(rotary),
            embed_scale: published.embed_scale.map(|_| 4.0),
            ..published
        };
        let dir = tempfile::tempdir().unwrap();
        write_random_checkpoint(&config, 1, FloatType::F32, dir.path(), &TaskCtx::unwatched())
            .unwrap();
        let model = load(dir.path());
        assert_eq!(model.config, config, "{name}");
        let logits = logits(&model.run_clean(&[3, 1, 4, 1, 5], &[].into()));
        let largest = logits.iter().fold(0.0_f32, |max, it| max.max(it.abs()));
        assert!(logits.len() == 50 && largest > 1e-3 && largest < 100.0, "{name}: {logits:?}");
    }
    let fixtures = families();
    let checked: BTreeSet<&str> =
        fixtures.iter().map(|dir| load(dir).config.family.name()).collect();
    assert_eq!(of_families, checked);
}
