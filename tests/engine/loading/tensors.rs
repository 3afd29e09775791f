//! Tensors that are missing, too many, misshapen, of another type or no numbers, and those that may be there.

use std::collections::BTreeSet;
use std::sync::Arc;

use factscope::analysis::ablation::{Part, Replacement};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Positions, ablation, prediction,
};
use factscope::model::{Checkpoint, ComputeDevice, Transformer};
use factscope::task::TaskCtx;
use factscope::worker::{DeviceChoice, Engine};
use half::{bf16, f16};
use safetensors::tensor::Dtype;
use serde_json::json;

use super::{
    Tensor, WEIGHTS, check_refused, check_says, find, logits_of, read_tensors, with_config,
    with_tensors, write_tensors,
};
use crate::every_analysis::specs;
use crate::families::with_tokenizer;
use crate::support::{assert_close, fixture, prompt};

#[test]
fn a_missing_tensor_is_named() {
    for name in ["wte.weight", "h.2.attn.c_proj.bias", "ln_f.bias", "h.0.ln_1.weight"] {
        let dir = with_tensors(|tensors| tensors.retain(|it| it.name != name));
        check_refused(dir.path(), &["missing", &format!("`{name}`"), WEIGHTS]);
    }
    let dir = with_tensors(Vec::clear);
    check_refused(dir.path(), &["missing", WEIGHTS]);

    // Under the name that it would have in this file, which may have a prefix before all but the
    // unembedding's.
    let check = |family: &str, name: &str| {
        let dir = with_tokenizer(&fixture("families").join(family));
        let path = dir.path().join(WEIGHTS);
        let mut tensors = read_tensors(&path);
        let n_before = tensors.len();
        tensors.retain(|it| it.name != name);
        assert_eq!(tensors.len(), n_before - 1, "{name}");
        write_tensors(&path, &tensors);
        check_refused(dir.path(), &["missing", &format!("`{name}`"), WEIGHTS]);
    };
    check("gpt2-gelu", "transformer.h.0.ln_2.bias");
    check("llama", "model.layers.1.self_attn.k_proj.weight");
    check("qwen3", "model.norm.weight");
    check("pythia", "gpt_neox.layers.0.attention.dense.bias");
    check("pythia", "embed_out.weight");
    check("gptj", "lm_head.bias");
}

#[test]
fn an_extra_tensor_is_named() {
    for name in ["h.4.ln_1.weight", "h.0.attn.c_attn.extra", "adapter.weight"] {
        let dir = with_tensors(|tensors| tensors.push(Tensor::f32(name, &[1], &[1.0])));
        check_refused(dir.path(), &["not part of", &format!("`{name}`"), WEIGHTS]);
    }
}

#[test]
fn a_tensor_that_occurs_twice_is_named() {
    let dir = with_tensors(|tensors| {
        let mut twice = find(tensors, "ln_f.bias").clone();
        twice.name = "transformer.ln_f.bias".to_owned();
        tensors.push(twice);
    });
    check_refused(dir.path(), &["twice", "ln_f.bias", WEIGHTS]);
}

/// All weights are finite, but not what they make.
#[test]
fn logits_that_are_not_finite_give_no_result() {
    let dir = with_tensors(|tensors| {
        let gain = find(tensors, "ln_f.weight");
        for index in 0..gain.values().len() {
            gain.set(index, f32::MAX);
        }
    });
    let engine =
        Engine::load(dir.path(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap();
    let prompt = prompt("In Paris it is", "Paris", Some("it"));
    let mut told = BTreeSet::new();
    for spec in specs(&prompt) {
        let found = engine.run(&prompt, &spec, &AnalysisCtx::unwatched());
        if found.is_err_and(|error| error == AnalysisError::NotFinite) {
            told.insert(spec.name());
        }
    }
    let of_logits = ["prediction", "ablation", "logit lens", "attention knockout"];
    for name in of_logits {
        assert!(told.contains(name), "{name} is not in {told:?}");
    }
}

#[test]
fn a_misshapen_tensor_is_named_with_both_shapes() {
    let check = |name: &str, shape: &[usize], says: &[&str]| {
        let dir = with_tensors(|tensors| {
            let n = shape.iter().product();
            *find(tensors, name) = Tensor::f32(name, shape, &vec![0.5; n]);
        });
        check_refused(dir.path(), &[&[&format!("`{name}`"), WEIGHTS][..], says].concat());
    };
    // Transposed, as a `Linear` would have it.
    check("h.1.mlp.c_fc.weight", &[128, 32], &["[128, 32]", "[32, 128]"]);
    check("wpe.weight", &[63, 32], &["[63, 32]", "[64, 32]"]);
    check("ln_f.weight", &[1, 32], &["[1, 32]", "[32]"]);
    check("ln_f.weight", &[0], &["[0]", "[32]"]);
    check("ln_f.weight", &[], &["[]", "[32]"]);
}

#[test]
fn numbers_that_are_none_are_named_by_tensor_and_place() {
    let check = |value: f32, name: &str, index: usize| {
        let dir = with_tensors(|tensors| find(tensors, name).set(index, value));
        let place = format!("element {index}");
        let says = [&value.to_string(), &format!("`{name}`"), &place, WEIGHTS];
        let checkpoint = Arc::new(Checkpoint::open(dir.path()).unwrap());
        let cpu = ComputeDevice::cpu();
        let refused = Transformer::load(&checkpoint, &cpu, &TaskCtx::unwatched()).unwrap_err();
        check_says(dir.path(), &refused.to_string(), &says);

        // A mapped file is open before its numbers were looked at; no result is told before.
        let partial = |_: AnalysisResult| panic!("{value} in `{name}` was told as a result");
        let ctx = AnalysisCtx { partial: &partial, ..AnalysisCtx::unwatched() };
        let engine =
            Engine::load(dir.path(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap();
        let ablation = ablation::Spec {
            part: Part::Heads,
            positions: Positions::All,
            replacement: Replacement::Zero,
            together: None,
        };
        for spec in [
            AnalysisSpec::Prediction(prediction::Spec { n_top: 1 }),
            AnalysisSpec::Ablation(ablation),
        ] {
            let prompt = prompt("Paris is the capital of", "Paris", Some("the"));
            let refused = engine.run(&prompt, &spec, &ctx).unwrap_err();
            check_says(dir.path(), &refused.to_string(), &says);
        }
    };
    check(f32::NAN, "h.3.mlp.c_proj.weight", 1234);
    check(f32::INFINITY, "wte.weight", 0);
    check(f32::NEG_INFINITY, "h.0.attn.c_attn.bias", 95);
    check(f32::NAN, "ln_f.bias", 31);

    // All of them are told at once where a model is looked at.
    let dir = with_tensors(|tensors| {
        find(tensors, "h.3.mlp.c_proj.weight").set(1234, f32::NAN);
        find(tensors, "h.3.mlp.c_proj.weight").set(1235, f32::INFINITY);
        find(tensors, "h.0.attn.c_attn.bias").set(95, f32::NEG_INFINITY);
    });
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    let found = checkpoint.not_finite(&TaskCtx::unwatched()).unwrap();
    let found = found.iter().map(|it| (it.tensor.as_str(), it.index, it.value.as_str()));
    let found: Vec<_> = found.collect();
    assert_eq!(
        found,
        [("h.0.attn.c_attn.bias", 95, "-inf"), ("h.3.mlp.c_proj.weight", 1234, "NaN")]
    );

    // The masks of old checkpoints are not read, so they may hold what they like.
    let dir = with_tensors(|tensors| find(tensors, "h.0.attn.bias").set(1, f32::NAN));
    assert!(Engine::load(dir.path(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).is_ok());
}

#[test]
fn half_precision_numbers_that_are_none_are_found_as_well() {
    let nan = f16::NAN.to_le_bytes();
    let inf = bf16::INFINITY.to_le_bytes();
    for (dtype, bytes, says) in [(Dtype::F16, nan, "NaN"), (Dtype::BF16, inf, "inf")] {
        let dir = with_tensors(|tensors| {
            let tensor = find(tensors, "h.1.ln_2.bias");
            tensor.dtype = dtype;
            tensor.bytes = [0; 64].into();
            tensor.bytes[2 * 17..][..2].copy_from_slice(&bytes);
        });
        check_refused(dir.path(), &[says, "`h.1.ln_2.bias`", "element 17", WEIGHTS]);
    }
}

#[test]
fn numbers_of_other_types_are_refused() {
    for (dtype, size, says) in [
        (Dtype::F64, 8, "F64"),
        (Dtype::I64, 8, "I64"),
        (Dtype::U8, 1, "U8"),
        (Dtype::I32, 4, "I32"),
        (Dtype::F8_E4M3, 1, "F8_E4M3"),
    ] {
        let dir = with_tensors(|tensors| {
            let tensor = find(tensors, "h.1.ln_2.bias");
            tensor.dtype = dtype;
            tensor.bytes = vec![0; 32 * size];
        });
        check_refused(dir.path(), &["`h.1.ln_2.bias`", says, WEIGHTS]);
    }
}

#[test]
fn a_tied_model_may_carry_its_unembedding_only_if_it_is_the_same() {
    let with_head = |change: fn(&mut Tensor)| {
        with_tensors(|tensors| {
            let mut head = find(tensors, "wte.weight").clone();
            head.name = "lm_head.weight".to_owned();
            change(&mut head);
            tensors.push(head);
        })
    };
    let same = with_head(|_| ());
    assert_close(&logits_of(same.path()), &logits_of(&fixture("tiny")), 0.0, "carried along");
    let other = with_head(|head| head.set(77, 3.0));
    check_refused(other.path(), &["tie", "`lm_head.weight`", WEIGHTS]);
    // In another type it is the same as far as that can tell, rounded or cut off.
    let in_bf16 = |tensor: &mut Tensor, of: fn(f32) -> bf16| {
        let values = tensor.values();
        tensor.dtype = Dtype::BF16;
        tensor.bytes = values.iter().flat_map(|it| of(*it).to_le_bytes()).collect();
    };
    let cut: fn(f32) -> bf16 = |it| bf16::from_bits((it.to_bits() >> 16) as u16);
    for of in [bf16::from_f32, cut] {
        let with = |change: fn(u16) -> u16, is_of_head: bool| {
            with_tensors(|tensors| {
                let mut head = find(tensors, "wte.weight").clone();
                head.name = "lm_head.weight".to_owned();
                let coarse = if is_of_head { &mut head } else { find(tensors, "wte.weight") };
                in_bf16(coarse, of);
                let last = &mut coarse.bytes.as_chunks_mut().0[77];
                *last = change(u16::from_le_bytes(*last)).to_le_bytes();
                tensors.push(head);
            })
        };
        let rounded = with(|it| it, true);
        assert_close(&logits_of(rounded.path()), &logits_of(&fixture("tiny")), 0.0, "rounded");
        let embedding = with(|it| it, false);
        assert!(Checkpoint::open(embedding.path()).is_ok());
        let other = with(|it| it + 2, true);
        check_refused(other.path(), &["tie", "`lm_head.weight`", WEIGHTS]);
    }
    let misshapen = with_head(|head| *head = Tensor::f32("lm_head.weight", &[2], &[1.0, 2.0]));
    check_refused(misshapen.path(), &["`lm_head.weight`", WEIGHTS]);

    // Untied, it must be there.
    let untied = with_config("tie_word_embeddings", &json!(false));
    check_refused(untied.path(), &["missing", "`lm_head.weight`", WEIGHTS]);
}

#[test]
fn of_a_tied_pair_either_name_will_do() {
    let dir =
        with_tensors(|tensors| find(tensors, "wte.weight").name = "lm_head.weight".to_owned());
    assert_close(
        &logits_of(dir.path()),
        &logits_of(&fixture("tiny")),
        0.0,
        "only `lm_head.weight`",
    );
}

#[test]
fn an_adapter_beside_whole_weights_is_left_out_with_a_word() {
    let dir = super::with_file("adapter_config.json", b"{\"peft_type\": \"LORA\"}");
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    let [left_out] = checkpoint.left_out() else { panic!("{:?}", checkpoint.left_out()) };
    assert!(left_out.contains("adapter_config.json, which is not merged"), "{left_out}");
}

#[test]
fn heads_beside_the_language_model_are_left_out_and_named() {
    let heads = ["score.weight", "v_head.summary.weight", "v_head.summary.bias"];
    let dir = with_tensors(|tensors| {
        tensors.extend(heads.map(|name| Tensor::f32(name, &[2, 32], &[0.5; 64])));
    });
    let engine = Engine::load(dir.path(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ());
    let mut named = heads.map(str::to_owned);
    named.sort_unstable();
    assert_eq!(engine.unwrap().info.left_out, named);
    assert_close(&logits_of(dir.path()), &logits_of(&fixture("tiny")), 0.0, "with heads");
}

#[test]
fn a_prefix_that_a_wrapper_leaves_is_named() {
    for prefix in ["_orig_mod.transformer.", "module.", "model."] {
        let dir = with_tensors(|tensors| {
            for it in tensors {
                let plain = it.name.strip_prefix("transformer.").unwrap_or(&it.name);
                it.name = format!("{prefix}{plain}");
            }
        });
        let named = prefix.strip_suffix("transformer.").unwrap_or(prefix);
        check_refused(dir.path(), &[&format!("`{named}`"), "wrapper", WEIGHTS]);
    }
}

#[test]
fn a_wrapper_within_the_model_is_named() {
    for (name, says) in [
        ("h.0._checkpoint_wrapped_module.ln_1.weight", "`_checkpoint_wrapped_module.` in its name"),
        ("h.0._orig_mod.ln_1.weight", "take `_orig_mod.` away from the names"),
        ("h.0.ln_1.parametrizations.weight.original", "remove_parametrizations"),
    ] {
        let dir = with_tensors(|tensors| find(tensors, "h.0.ln_1.weight").name = name.to_owned());
        check_refused(dir.path(), &[name, says]);
    }
}
