//! The commands end to end, as a script would call them.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const TINY: &str = "tests/fixtures/tiny";
const COMMANDS: &[&[&str]] = &[
    &[],
    &["explore"],
    &["predict"],
    &["trace"],
    &["atp"],
    &["attribute"],
    &["lens"],
    &["attention"],
    &["heads"],
    &["norms"],
    &["contributions"],
    &["circuit"],
    &["compose"],
    &["ablate"],
    &["knockout"],
    &["cut"],
    &["compare"],
    &["average"],
    &["bench"],
    &["edit"],
    &["steer"],
    &["generate"],
    &["run"],
    &["patch"],
    &["path-patch"],
    &["atp-star"],
    &["eap"],
    &["localise"],
    &["model"],
    &["model", "info"],
    &["model", "random"],
    &["devices"],
    &["train"],
];

fn factscope(args: &[&str]) -> Output {
    let mut command = Command::cargo_bin("factscope").unwrap();
    command.args(args).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap()
}

/// What a command that must succeed printed.
#[track_caller]
fn stdout(args: &[&str]) -> String {
    let output = factscope(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(args)).unwrap()
}

/// What a command that must fail complained about; nothing may reach stdout.
#[track_caller]
fn complaint(args: &[&str]) -> String {
    let output = factscope(args);
    assert!(!output.status.success(), "{args:?} should fail");
    assert!(output.stdout.is_empty(), "{args:?} prints and fails");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    stderr
}

fn numbers(json: &Value) -> Vec<f64> {
    json.as_array().unwrap().iter().map(|it| it.as_f64().unwrap()).collect()
}

fn counterfact(dir: &TempDir) -> String {
    let path = dir.path().join("facts.json");
    let facts = r#"[
        {"case_id": 4, "requested_rewrite": {"prompt": "The mother tongue of {} is", "relation_id":
         "P103", "target_new": {"str": "English"}, "target_true": {"str": "French"},
         "subject": "Danielle Darrieux"}},
        {"case_id": 9, "requested_rewrite": {"prompt": "{} is in", "relation_id": "P17",
         "target_true": {"str": "France"}, "subject": "Lyon"}}]"#;
    fs::write(&path, facts).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The built-in model's context takes fewer random tokens than is usual.
#[test]
fn heads_of_the_built_in_model_are_scored_without_further_flags() {
    let scores = json(&["heads", "--prompt", "The capital of France is", "--json"]);
    assert_eq!(scores["spec"]["n_random"], 31);
}

#[test]
fn every_command_prints_help() {
    for command in COMMANDS {
        let text = stdout(&[*command, &["--help"]].concat());
        assert!(text.contains("Usage: factscope"), "{text}");
    }
}

#[test]
fn wrong_flags_are_told_from_failures() {
    assert_eq!(factscope(&["predict", "--model", TINY]).status.code(), Some(2));
    assert_eq!(factscope(&["trace", "--noise", "loud"]).status.code(), Some(2));
    assert_eq!(factscope(&["predict", "--device", "gpu"]).status.code(), Some(2));
    assert_eq!(factscope(&["predict", "--threads", "0"]).status.code(), Some(2));
    let missing = ["predict", "--model", "nowhere", "--prompt", "a", "--device", "cpu"];
    assert_eq!(factscope(&missing).status.code(), Some(1));
}

/// Hugging Face's logits, from the golden file.
#[test]
fn predictions_are_hugging_faces() {
    let golden = fs::read_to_string(Path::new(TINY).join("golden.json")).unwrap();
    let golden: Value = serde_json::from_str(&golden).unwrap();
    for prompt in golden["prompts"].as_array().unwrap() {
        let text = prompt["text"].as_str().unwrap();
        let mut args = vec!["predict", "--model", TINY, "--prompt", text, "--json", "--top", "5"];
        args.extend(["--device", "cpu", "--answer", "on"]);
        if prompt["bos"].as_bool().unwrap() {
            args.push("--bos");
        }
        let found = json(&args);
        assert_eq!(found["ids"], prompt["ids"]);
        assert_eq!(found["tokens"], prompt["tokens"]);
        let logits = numbers(&prompt["hf_logits_last"]);
        let top = found["top"].as_array().unwrap();
        assert_eq!(top.len(), 5);
        let answer = &found["answer"];
        for it in top.iter().chain([answer]) {
            let id = it["id"].as_u64().unwrap() as usize;
            let logit = it["logit"].as_f64().unwrap();
            assert!((logit - logits[id]).abs() < 1e-3, "{text}: {id}");
        }
        let sum: f64 = logits.iter().map(|it| it.exp()).sum();
        let logit = logits[answer["id"].as_u64().unwrap() as usize];
        assert!((answer["prob"].as_f64().unwrap() - logit.exp() / sum).abs() < 1e-5);
        assert!((answer["log_prob"].as_f64().unwrap() - (logit - sum.ln())).abs() < 1e-3);
        let likelier = logits.iter().filter(|it| **it > logit).count();
        assert_eq!(answer["rank"].as_u64().unwrap() as usize, likelier);
    }
}

#[test]
fn a_trace_of_a_dataset_has_romes_keys_and_shape() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let out = dir.path().join("trace.json");
    let file = out.to_str().unwrap();
    for (kind, bos) in [("hidden", false), ("mlp", true), ("attn", false)] {
        let mut args = vec!["trace", "--model", TINY, "--facts", &facts, "--case", "4"];
        args.extend(["--kind", kind, "--samples", "2", "--out", file, "--device", "cpu"]);
        if bos {
            args.push("--bos");
        }
        assert_eq!(stdout(&args), "");
        let trace: Value = serde_json::from_slice(&fs::read(&out).unwrap()).unwrap();
        let tokens = trace["input_tokens"].as_array().unwrap();
        let text: String = tokens.iter().map(|it| it.as_str().unwrap()).collect();
        let bos_text = if bos { "<|endoftext|>" } else { "" };
        assert_eq!(text, format!("{bos_text}The mother tongue of Danielle Darrieux is"));
        let subject = trace["subject_range"].as_array().unwrap();
        let range = |nth: usize| subject[nth].as_u64().unwrap() as usize;
        let subject: String =
            tokens[range(0)..range(1)].iter().map(|it| it.as_str().unwrap()).collect();
        assert_eq!(subject, " Danielle Darrieux");

        let scores = trace["scores"].as_array().unwrap();
        assert_eq!(scores.len(), tokens.len());
        assert!(scores.iter().flat_map(numbers).all(|it| (0.0..=1.0).contains(&it)));
        assert!(scores.iter().all(|token| token.as_array().unwrap().len() == 4));
        assert_eq!(trace["kind"], kind);
        assert_eq!(trace["window"], 10);
        assert_eq!(trace["seed"], 1);
        assert_eq!(trace["correct_prediction"], false);
        assert_eq!(trace["expected"], "French");
        assert!(trace["low_score"].as_f64().unwrap() > 0.0);
        assert!(trace["high_score"].as_f64().unwrap() > 0.0);
        assert!(trace["noise_std"].as_f64().unwrap() > 0.0);
        let hash = &trace["model"]["weights_sha256"]["model.safetensors"];
        assert_eq!(hash.as_str().unwrap().len(), 64);
        assert_eq!(trace["model"]["name"], "tiny");
        for key in ["answer", "input_ids", "program", "device"] {
            assert!(!trace[key].is_null(), "{key}");
        }
    }
}

#[test]
fn an_estimate_has_the_keys_of_a_trace_and_says_what_it_is() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let traced = ["--model", TINY, "--facts", &facts, "--case", "4", "--kind", "mlp"];
    let how = ["--window", "2", "--samples", "3", "--device", "cpu", "--json"];
    let trace = json(&[&["trace"], &traced[..], &how].concat());
    let atp = [&["atp"], &traced[..], &how].concat();
    let estimate = json(&[&atp[..], &["--base", "clean", "--verify", "4"]].concat());
    // The same to rounding: what goes back needs activations that a trace does not stop for.
    let high = |of: &Value| of["high_score"].as_f64().unwrap();
    assert!((high(&estimate) - high(&trace)).abs() < 1e-6);
    let differ = ["scores", "low_score", "high_score", "metrics"];
    for (key, value) in trace.as_object().unwrap() {
        if !differ.contains(&key.as_str()) {
            assert_eq!(estimate[key], *value, "{key}");
        }
    }
    assert_eq!(estimate["estimated_by"], "attribution patching");
    assert_eq!(estimate["base"], "clean");
    assert_eq!(estimate["metric"], "prob");

    let (scores, exact) = (&estimate["scores"], &trace["scores"]);
    let n_tokens = exact.as_array().unwrap().len();
    assert_eq!(scores.as_array().unwrap().len(), n_tokens);
    assert_eq!(numbers(&scores[0]).len(), numbers(&exact[0]).len());
    let heads = estimate["head_effects"].as_array().unwrap();
    assert_eq!(heads.len(), n_tokens);
    assert_eq!((heads[0].as_array().unwrap().len(), numbers(&heads[0][0]).len()), (4, 4));
    let verified = estimate["verified"].as_array().unwrap();
    assert_eq!(verified.len(), 4);
    for it in verified {
        let at = |map: &Value| {
            let layer = it["layer"].as_u64().unwrap() as usize;
            map[it["token"].as_u64().unwrap() as usize][layer].as_f64().unwrap()
        };
        assert_eq!(it["estimate"].as_f64().unwrap(), at(scores));
        assert!((it["patched"].as_f64().unwrap() - at(exact)).abs() < 1e-5);
    }

    let text = stdout(&[&atp[..atp.len() - 1], &["--verify", "2"]].concat());
    assert!(text.contains("from the gradient at the corrupted runs"), "{text}");
    assert!(text.contains("patched for real"), "{text}");

    // The dataset names a wrong answer of this fact, and none of the other.
    let difference = json(&[&atp[..], &["--metric", "logit-diff"]].concat());
    assert_eq!(difference["metric"], "logit_diff");
    let other = ["atp", "--model", TINY, "--facts", &facts, "--case", "9", "--kind", "hidden"];
    let other = [&other[..], &["--device", "cpu", "--metric", "logit-diff", "--json"]].concat();
    let no_foil = complaint(&other);
    assert!(no_foil.contains("needs a foil"), "{no_foil}");
    json(&[&other[..], &["--foil", "the"]].concat());
}

#[test]
fn a_corruption_is_chosen_and_shown() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let list = dir.path().join("others.txt");
    fs::write(&list, "Danielle Darrieuz\nDanielle Darrieua\nLyon\n").unwrap();
    let common = ["--model", TINY, "--device", "cpu", "--facts", &facts, "--case", "4"];
    let how = ["--kind", "mlp", "--window", "2", "--json"];
    let trace = |more: &[&str]| json(&[&["trace"], &common[..], &how, more].concat());
    let resampled = ["--corruption", "resample", "--other-subjects", list.to_str().unwrap()];
    let found = trace(&[&resampled[..], &["--samples", "2"]].concat());
    assert_eq!(found["corruption"], "resample");
    assert!(found["noise_std"].is_null());
    let n_tokens = found["input_tokens"].as_array().unwrap().len();
    let corrupted = found["corrupted"].as_array().unwrap();
    assert_eq!(corrupted.len(), 2);
    for it in corrupted {
        let tokens = it["tokens"].as_array().unwrap();
        let text: String = tokens.iter().map(|it| it.as_str().unwrap()).collect();
        assert!(text.starts_with("The mother tongue of Danielle Darrieu"), "{text}");
        assert_eq!(numbers(&it["ids"]).len(), n_tokens);
    }
    let too_many = complaint(&[&["trace"], &common[..], &how, &resampled].concat());
    assert!(too_many.contains("at most 2"), "{too_many}");

    let found = trace(&["--corruption", "str", "--counterpart", "Danielle Darrieuz"]);
    // Its own answer is not known, so the dataset's foil stays.
    assert_eq!((&found["samples"], &found["foil"]["text"]), (&1.into(), &" English".into()));
    let said = |args: &[&str]| complaint(&[&["trace"], &common[..], &how, args].concat());
    assert!(said(&["--corruption", "str"]).contains("--counterpart"));
    assert!(said(&["--corruption", "str", "--counterpart", "Lyon"]).contains("as many tokens"));
    assert!(said(&["--corruption", "zero", "--replace"]).contains("for noise"));
    assert!(said(&["--corruption", "zero", "--samples", "2"]).contains("1 sample"));
    let said = said(&["--corruption", "gaussian-per-dim", "--noise", "0.1"]);
    assert!(said.contains("such as 3s"), "{said}");

    let zero = ["--corruption", "zero", "--at", "subject", "--widths", "1,3"];
    let found = trace(&zero);
    assert_eq!(found["columns"], serde_json::json!([1, 3]));
    let kl = &found["metrics"]["kl"];
    let [total, indirect, direct] = ["total", "indirect", "direct"].map(|key| &kl[key]);
    for column in 0..2 {
        let pairs = numbers(&indirect[column]).into_iter().zip(numbers(&direct[column]));
        assert!(pairs.clone().count() == 4);
        for (indirect, direct) in pairs {
            assert!((indirect + direct - total.as_f64().unwrap()).abs() < 1e-4);
        }
    }
    let heads = ["trace", "--kind", "head", "--at", "last", "--samples", "2"];
    let text = stdout(&[&heads[..], &common].concat());
    assert!(text.contains("at tokens: last") && text.contains("head "), "{text}");
    let atp = ["atp", "--kind", "head", "--samples", "2"];
    let not_estimated = complaint(&[&atp[..], &common].concat());
    assert!(not_estimated.contains("token by token"), "{not_estimated}");
}

/// `tests/fixtures/noise` is what numpy saved for a subject of three tokens, 32 wide.
#[test]
fn noise_is_taken_from_a_file_that_must_stay_what_it_was() {
    let dir = TempDir::new().unwrap();
    let noise = dir.path().join("noise.npy");
    fs::copy("tests/fixtures/noise/rome.npy", &noise).unwrap();
    let noise = noise.to_str().unwrap();
    let fact = ["--prompt", "Paris is the capital of", "--subject", "Paris"];
    let common = [&["trace", "--model", TINY, "--device", "cpu", "--kind", "hidden"][..], &fact];
    let common = common.concat();
    let with = |more: &[&str]| stdout(&[&common[..], more].concat());
    let json_with = |more: &[&str]| json(&[&common[..], more].concat());
    let given = json_with(&["--noise-file", noise, "--json"]);
    let drawn = json_with(&["--noise", "1.5", "--samples", "3", "--json"]);
    assert_eq!((&given["corruption"], &given["samples"]), (&"noise-file".into(), &3.into()));
    for (given, drawn) in
        given["scores"].as_array().unwrap().iter().zip(drawn["scores"].as_array().unwrap())
    {
        for (given, drawn) in numbers(given).into_iter().zip(numbers(drawn)) {
            assert!((given - drawn).abs() < 1e-6);
        }
    }
    let text = with(&["--noise-file", noise]);
    assert!(text.contains("noise of noise.npy (SHA-256 "), "{text}");

    let spec = dir.path().join("spec.json");
    let spec = spec.to_str().unwrap();
    with(&["--noise-file", noise, "--save-spec", spec]);
    let again = json(&["run", spec, "--device", "cpu", "--json"]);
    assert_eq!(again["scores"], given["scores"]);
    fs::copy("tests/fixtures/noise/plain.npz", noise).unwrap();
    let said = complaint(&["run", spec, "--device", "cpu"]);
    assert!(said.contains("is not what it was") && said.contains("noise.npy"), "{said}");

    let said = |more: &[&str]| complaint(&[&common[..], more].concat());
    let other = ["--noise-file", "tests/fixtures/noise/rome.npy"];
    assert!(said(&[&other[..], &["--corruption", "zero"]].concat()).contains("leave --corruption"));
    assert!(said(&[&other[..], &["--replace"]].concat()).contains("--replace is for noise"));
    assert!(said(&[&other[..], &["--samples", "4"]].concat()).contains("at most 3"));
    assert!(said(&["--noise-file", "tests/commands.rs"]).contains("numpy.save"));
    assert!(said(&["--noise-file", "/nowhere.npy"]).contains("/nowhere.npy"));
    assert!(said(&["--corruption", "noise-file"]).contains("--noise-file"));

    let bench = ["bench", "--corruptions", "gaussian,noise-file", "--noise", "1.5", "--kind"];
    let bench = [&bench[..], &["hidden", "--model", TINY, "--device", "cpu", "--json"], &fact];
    let found = json(&[&bench.concat()[..], &["--samples", "3"], &other].concat());
    assert_eq!(found["maps"].as_array().unwrap().len(), 2);
    let same = found["spearman"]["prob"]["score"][0][1].as_f64().unwrap();
    assert!(same > 0.999, "{same}");
}

#[test]
fn noise_is_measured_on_the_subjects_that_are_named() {
    let dir = TempDir::new().unwrap();
    let list = dir.path().join("subjects.txt");
    fs::write(&list, "Lyon\nDanielle Darrieux\n").unwrap();
    let facts = counterfact(&dir);
    let std_with = |more: &[&str]| {
        let common = ["trace", "--model", TINY, "--kind", "mlp", "--samples", "1", "--json"];
        let json = json(&[&common, more, &["--device", "cpu"]].concat());
        json["noise_std"].as_f64().unwrap()
    };
    let typed = ["--prompt", "Lyon is in", "--subject", "Lyon"];
    let of_dataset = ["--facts", &facts, "--case", "9"];
    let listed = ["--noise-subjects", list.to_str().unwrap()];
    // The same subjects in another order: equal but for the rounding of the sums.
    let (a, b) = (std_with(&of_dataset), std_with(&[&typed[..], &listed].concat()));
    assert!((a / b - 1.0).abs() < 1e-12);
    assert_ne!(std_with(&typed), std_with(&[&typed[..], &listed].concat()));
    assert_eq!(std_with(&[&typed[..], &["--noise", "0.25"]].concat()), 0.25);
    let (three, six) = (std_with(&typed), std_with(&[&typed[..], &["--noise", "6s"]].concat()));
    assert!((six / three - 2.0).abs() < 1e-12);
}

#[test]
fn attributions_add_up_to_the_logit() {
    for by in ["layers", "heads"] {
        for foil in [&["--foil", "on"][..], &[]] {
            let common = ["attribute", "--model", TINY, "--prompt", "Lyon is in", "--by", by];
            let more = ["--answer", "it", "--json", "--device", "cpu"];
            let found = json(&[&common, foil, &more[..]].concat());
            let values = numbers(&found["values"]);
            assert_eq!(values.len(), found["labels"].as_array().unwrap().len());
            let number = |key: &str| found[key].as_f64().unwrap();
            assert!((values.iter().sum::<f64>() + number("bias") - number("sum")).abs() < 1e-4);
            assert!((number("sum") - number("logit")).abs() < 1e-4);
            assert_eq!(found["unit"], "logit");
        }
    }
}

#[test]
fn every_way_to_split_a_logit_adds_up_to_it() {
    let fact = ["attribute", "--model", TINY, "--prompt", "Lyon is in", "--answer", "it", "--json"];
    let split = |more: &[&str]| json(&[&fact[..], &["--device", "cpu"], more].concat());
    let minus_noise = ["--subject", "Lyon", "--minus-noise", "0.5", "--samples", "2"];
    for (how, whole) in [
        (&["--by", "neurons"][..], "logit"),
        (&["--by", "neurons", "--per-layer", "--top", "2", "--process", "all"], "logit"),
        (&["--by", "sources", "--foil", "on"], "logit"),
        (&["--through", "3.1"], "logit"),
        (&["--through", "L2H0", "--by", "heads"], "logit"),
        (&["--minus-prompt", "Rome is the capital of"], "logit_difference"),
        (&minus_noise, "logit_difference"),
    ] {
        let found = split(how);
        let number = |key: &str| found[key].as_f64().unwrap();
        assert!((number("sum") - number(whole)).abs() < 1e-4, "{how:?}");
        assert_eq!(found["edits"].is_array(), how.contains(&"--process"), "{how:?}");
    }
    let processed = split(&["--process", "fold_ln,center_unembed"]);
    let steps = serde_json::json!([{ "Processing": ["fold_ln", "center_unembed"] }]);
    assert_eq!(processed["edits"], steps);
    let built = split(&["--by", "accumulated"]);
    let last = numbers(built["logits"].as_array().unwrap().last().unwrap());
    let logit = split(&[])["logit"].as_f64().unwrap();
    assert!((last.last().unwrap() - logit).abs() < 1e-4);

    let mixed = complaint(&[&fact[..], &["--by", "neurons", "--through", "1.1"]].concat());
    assert!(mixed.contains("--by layers"), "{mixed}");
    let far = complaint(&[&fact[..], &["--device", "cpu", "--through", "9.0"]].concat());
    assert!(far.contains("no layer 9"), "{far}");
    let subject = complaint(&[&fact[..], &["--device", "cpu", "--minus-noise", "1"]].concat());
    assert!(subject.contains("no subject"), "{subject}");
    assert_eq!(factscope(&[&fact[..], &["--process", "fold"]].concat()).status.code(), Some(2));
}

#[test]
fn heads_the_stream_and_weights_can_be_looked_at() {
    let common = ["--model", TINY, "--device", "cpu", "--json"];
    let prompt = ["--prompt", "Lyon is in"];
    let norms = json(&[&["norms"], &common[..], &prompt].concat());
    assert_eq!(numbers(&norms["resid_mid"][3]).len(), norms["tokens"].as_array().unwrap().len());
    let heads = json(&[&["heads"], &common[..], &prompt, &["--random-tokens", "5"]].concat());
    assert_eq!(numbers(&heads["random_induction"][0]).len(), 4);
    assert!(heads["subject"][0][0].is_null());
    let graph = json(&[&["contributions"], &common[..], &prompt].concat());
    assert!(graph["edges"].as_array().unwrap().len() > 1);
    let circuit = json(&[&["circuit"], &common[..], &["--head", "1.2", "--tokens", "3"]].concat());
    assert_eq!(circuit["vectors"][0]["writes"]["positive"].as_array().unwrap().len(), 3);
    let compose = json(&[&["compose"], &common[..], &["--modes", "v", "--top", "3"]].concat());
    assert_eq!(compose["top"].as_array().unwrap().len(), 3);
    assert_eq!(numbers(&compose["scores"]["v"][0][0][3]).len(), 4);
    assert!(compose["scores"]["q"].is_null());

    // Weights are asked without a fact, from a file too; anything else needs one.
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("circuit.json");
    let file = file.to_str().unwrap();
    let saved = ["--head", "1.2", "--tokens", "3", "--save-spec", file];
    stdout(&[&["circuit", "--model", TINY], &saved[..]].concat());
    assert_eq!(json(&["run", file, "--device", "cpu", "--json"]), circuit);
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains("\"nothing\""), "{text}");
    let mut asked: Value = serde_json::from_str(&text).unwrap();
    asked["spec"] = serde_json::json!({ "ResidualNorms": null });
    fs::write(file, asked.to_string()).unwrap();
    let said = complaint(&["run", file, "--device", "cpu"]);
    assert!(said.contains("name a fact"), "{said}");

    let attention = ["attention", "--layer", "1"];
    let moved = ["--head", "0", "--weighting", "norm"];
    let moved = json(&[&attention, &common[..], &prompt, &moved].concat());
    assert_eq!(moved["weighting"], "norm_based");
    let rolled = json(&[&attention, &common[..], &prompt, &["--rollout"]].concat());
    assert!((numbers(&rolled["pattern"][1]).iter().sum::<f64>() - 1.0).abs() < 1e-5);
}

#[test]
fn the_lens_ends_at_the_prediction_and_attention_rows_sum_to_one() {
    let common = ["--model", TINY, "--prompt", "Lyon is in", "--json", "--device", "cpu"];
    let lens = json(&[&["lens"], &common[..]].concat());
    let layers = lens["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 4);
    let prediction = json(&[&["predict"], &common[..]].concat());
    let last = &layers[3];
    assert_eq!(last["top"]["id"], prediction["top"][0]["id"]);
    assert_eq!(last["answer_rank"], 0);

    let head = ["--layer", "2", "--head", "1"];
    let attention = json(&[&["attention"], &common[..], &head].concat());
    for (query, row) in attention["pattern"].as_array().unwrap().iter().enumerate() {
        let row = numbers(row);
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        assert!(row[query + 1..].iter().all(|it| *it == 0.0));
    }
}

#[test]
fn a_random_model_of_full_size_can_be_used_at_once() {
    let dir = TempDir::new().unwrap();
    let model = dir.path().join("gpt2");
    let model = model.to_str().unwrap();
    let random = ["model", "random", "--config", "gpt2", "--seed", "3", "--out", model];
    assert_eq!(stdout(&random).trim(), model);
    let info = json(&["model", "info", model, "--json"]);
    assert_eq!(info["n_params"], 124_439_808);
    assert_eq!(info["n_tokens"], 50_257);
    let prompt = "The Eiffel Tower is located in";
    let found =
        json(&["predict", "--model", model, "--prompt", prompt, "--json", "--device", "cpu"]);
    // As OpenAI's encoder gives them.
    assert_eq!(found["ids"], serde_json::json!([464, 412, 733, 417, 8765, 318, 5140, 287]));
    // A model that is there is not written over.
    assert!(complaint(&random).contains("there is a model already"));
}

#[test]
fn failures_name_the_file_and_the_remedy() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let text = ["--prompt", "Lyon is in", "--device", "cpu"];
    let predict = |model: &str| complaint(&[&["predict", "--model", model], &text[..]].concat());
    assert!(predict(&path("nowhere")).contains("nowhere"));
    assert!(predict(dir.path().to_str().unwrap()).contains("config.json"));

    let facts = counterfact(&dir);
    let trace = ["trace", "--model", TINY, "--kind", "mlp", "--device", "cpu"];
    let fails = |more: &[&str], says: &str| {
        let said = complaint(&[&trace, more].concat());
        assert!(said.contains(says), "{said}");
    };
    fails(&["--facts", &facts, "--case", "5"], "no case 5");
    fails(&["--facts", &path("none.json"), "--case", "5"], "none.json");
    fails(&["--prompt", "Lyon is in", "--subject", "Paris"], "Paris");
    let out = path("missing/trace.json");
    fails(&["--facts", &facts, "--case", "4", "--out", &out], "missing");
    fails(&["--facts", &facts, "--case", "4", "--samples", "0"], "samples");
    fails(&["--facts", &facts, "--case", "4", "--noise-subjects", &path("s.txt")], "s.txt");

    let ablate = ["ablate", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    let other = complaint(&[&ablate[..], &["--with", "resample", "--other", "Lyon"]].concat());
    assert!(other.contains("of the same length"), "{other}");
    let other = complaint(&[&ablate[..], &["--with", "resample"]].concat());
    assert!(other.contains("--other"), "{other}");
    let chosen = complaint(&[&ablate[..], &["--top", "4"]].concat());
    assert!(chosen.contains("--part neurons"), "{chosen}");
    let mean = complaint(&[&ablate[..], &["--with", "mean"]].concat());
    assert!(mean.contains("--mean-prompts"), "{mean}");
    let subject = complaint(&[&ablate[..], &["--positions", "subject"]].concat());
    assert!(subject.contains("no subject"), "{subject}");
    let far = complaint(&[&ablate[..], &["--positions", "2..90"]].concat());
    assert!(far.contains("no token 89"), "{far}");
    let knockout = ["knockout", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    let all = complaint(&[&knockout[..], &["--edges", "all:last"]].concat());
    assert!(all.contains("nothing left to look at"), "{all}");
    let edges = complaint(&[&knockout[..], &["--edges", "last"]].concat());
    assert!(edges.contains("subject:last"), "{edges}");
    let cut = ["cut", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    let later = complaint(&[&cut[..], &["--edge", "1:2"]].concat());
    assert!(later.contains("token 1 cannot look at token 2"), "{later}");
    let far = complaint(&[&cut[..], &["--edge", "2:1", "--layers", "3..9"]].concat());
    assert!(far.contains("no layer 8"), "{far}");

    let attention = ["attention", "--model", TINY, "--prompt", "a", "--device", "cpu"];
    let layer = complaint(&[&attention[..], &["--layer", "4", "--head", "0"]].concat());
    assert!(layer.contains("no layer 4"), "{layer}");
    let head = complaint(&[&attention[..], &["--layer", "0", "--head", "4"]].concat());
    assert!(head.contains("no head 4"), "{head}");
}

#[test]
fn an_ablation_and_a_knockout_hold_what_makes_them_again() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let fact = ["--model", TINY, "--device", "cpu", "--facts", &facts, "--case", "4", "--json"];
    let heads = json(&[&["ablate"], &fact[..], &["--with", "mean"]].concat());
    assert_eq!(heads["ablated"].as_array().unwrap().len(), 4);
    assert_eq!(numbers(&heads["change"]["prob"][3]).len(), 4);
    let n_prompts = heads["spec"]["replacement"]["mean"]["prompts"].as_array().unwrap().len();
    assert_eq!(n_prompts, 2);
    let change = heads["ablated"][1][2]["logit"].as_f64().unwrap()
        - heads["clean"]["logit"].as_f64().unwrap();
    // Differences of f32 of size 10.
    assert!((change - heads["change"]["logit"][1][2].as_f64().unwrap()).abs() < 1e-5);
    let naive = json(&[&["ablate"], &fact[..], &["--with", "mean", "--exact-naive"]].concat());
    let pairs =
        |it: &Value| (0..4).flat_map(|n| numbers(&it["change"]["prob"][n])).collect::<Vec<_>>();
    for (found, expected) in pairs(&heads).iter().zip(pairs(&naive)) {
        assert!((found - expected).abs() < 1e-5);
    }

    let cut = json(&[&["knockout"], &fact[..], &["--window", "2"]].concat());
    let names = cut["edges"].as_array().unwrap().iter().map(|it| it["from"].as_str().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["subject", "non-subject", "last"]);
    assert_eq!(numbers(&cut["edges"][0]["relative_change"]).len(), 4);
    assert_eq!(cut["spec"]["window"], 2);
    let custom = ["--edges", "1..3:last", "--edges", "subject:3..5"];
    let cut = json(&[&["knockout"], &fact[..], &custom].concat());
    assert_eq!(cut["edges"][1]["to"], "3..5");

    let severed = ["--kind", "hidden", "--samples", "2", "--sever", "mlp"];
    let out = dir.path().join("severed.json");
    let to_file = ["--out", out.to_str().unwrap()];
    stdout(&[&["trace"], &fact[..], &severed, &to_file].concat());
    let trace: Value = serde_json::from_str(&fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!((&trace["sever"], &trace["direction"]), (&"mlp".into(), &"denoise".into()));
}

/// Every analysis, from its own command and from the file that the command saves.
#[test]
fn a_saved_spec_gives_what_its_command_gives() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let spec = dir.path().join("spec.json");
    let spec = spec.to_str().unwrap();
    let case = ["--facts", &facts, "--case", "4"];
    let prompt = ["--prompt", "Lyon is in"];
    let trace = ["--kind", "mlp", "--samples", "2", "--window", "2"];
    let pair = ["--facts", "builtin", "--case", "2"];
    let edit = ["--layer", "1", "--steps", "3", "--target", "the"];
    let steer = ["--plus", "Lyon is", "--minus", "it", "--layer", "1", "--positions", "last"];
    let edited = dir.path().join("edit.json");
    let edited = edited.to_str().unwrap();
    let asked = [&["edit", "--model", TINY, "--device", "cpu"][..], &case, &edit].concat();
    stdout(&[&asked[..], &["--save-spec", edited]].concat());
    let inverse = ["--from-inverse"];
    let average = ["--samples", "2", "--keep-unknown"];
    let commands: [(&str, &[&str], &[&str]); 36] = [
        ("patch", &pair, &[&inverse[..], &["--kind", "heads", "--together"]].concat()),
        ("patch", &prompt, &["--from", "it is on", "--kind", "mlp", "--window", "3"]),
        ("path-patch", &pair, &[&inverse[..], &["--to", "L2H1.k", "--mlps", "frozen"]].concat()),
        ("atp-star", &case, &["--samples", "2", "--verify", "3"]),
        ("eap", &prompt, &["--other", "Lyon is on", "--steps", "3", "--verify", "2"]),
        ("atp-star", &case, &["--corruption", "tokens-cosine", "--samples", "2"]),
        ("eap", &case, &["--corruption", "zero", "--method", "eap", "--verify", "2"]),
        ("edit", &case, &[&edit[..], &["--sample-prefixes", "2"]].concat()),
        ("steer", &prompt, &steer),
        ("predict", &prompt, &["--edit", edited, "--answer", "it"]),
        ("trace", &case, &[&trace[..], &["--edit", edited]].concat()),
        ("predict", &prompt, &["--answer", "it", "--top", "3", "--bos"]),
        ("trace", &case, &trace),
        ("trace", &case, &[&trace[..], &["--cell", "1,2", "--top", "4"]].concat()),
        ("trace", &["--prompt", "Lyon is in", "--subject", "Lyon"], &trace),
        ("trace", &[&case[..], &["--inverse"]].concat(), &trace),
        ("atp", &case, &[&trace[..], &["--foil", "the", "--metric", "logit-diff"]].concat()),
        ("attribute", &prompt, &["--by", "heads", "--foil", "on"]),
        ("lens", &prompt, &[]),
        ("attention", &prompt, &["--layer", "1", "--head", "2"]),
        ("ablate", &case, &["--with", "mean", "--foil", "on"]),
        ("ablate", &prompt, &["--with", "resample", "--other", "Lyon is on", "--part", "mlp"]),
        ("ablate", &case, &["--part", "layers", "--positions", "subject"]),
        ("ablate", &case, &["--part", "neuron", "--top", "4", "--layers", "1,3"]),
        ("knockout", &case, &[]),
        ("generate", &prompt, &["--tokens", "5"]),
        ("generate", &prompt, &["--temperature", "0.7", "--top-k", "9", "--seed", "3"]),
        ("compare", &pair, &["--map", "attribution", "--permutations", "99"]),
        ("compare", &pair, &["--map", "hidden", "--samples", "2", "--bos"]),
        ("compare", &pair, &["--map", "ablation", "--other-case", "3"]),
        ("average", &["--facts", &facts], &[&average[..], &["--window", "2", "--bos"]].concat()),
        (
            "average",
            &["--relation", "capital", "--n", "2", "--inverse"],
            &[&average[..], &["--corruption", "random-subject", "--kind", "attn,hidden"]].concat(),
        ),
        ("bench", &case, &["--samples", "2", "--kind", "attn", "--window", "2,3"]),
        ("bench", &pair, &["--samples", "2", "--kind", "hidden", "--corruptions", "zero,str"]),
        ("knockout", &prompt, &["--edges", "0..1:last", "--answer", "it"]),
        ("cut", &prompt, &["--edge", "2:0", "--edge", "last:1", "--layers", "1..3", "--head", "0"]),
    ];
    for (command, fact, more) in commands {
        let asked = [&[command, "--model", TINY][..], fact, more].concat();
        assert_eq!(stdout(&[&asked[..], &["--device", "cpu", "--save-spec", spec]].concat()), "");
        for how in [&["--device", "cpu", "--json"][..], &["--device", "cpu"]] {
            let own = stdout(&[&asked[..], how].concat());
            assert_eq!(stdout(&[&["run", spec], how].concat()), own, "{asked:?}");
        }
    }

    fs::write(spec, "{\n  \"modle\": \"builtin\"\n}").unwrap();
    let said = complaint(&["run", spec]);
    assert!(said.contains("line 2, column 9: unknown field `modle`"), "{said}");
    assert!(said.contains("spec.json"), "{said}");
    let far = complaint(&["lens", "--prompt", "a", "--save-spec", "/nowhere/spec.json"]);
    assert!(far.contains("/nowhere"), "{far}");
}

#[test]
fn the_figure_of_an_attribution_adds_up_where_that_is_asked_for() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("figure.csv");
    let args = ["attribute", "--model", TINY, "--prompt", "Lyon is in", "--answer", "it"];
    let head = |form: &str| {
        let to_file = ["--figure", path.to_str().unwrap(), "--figure-attribution", form];
        stdout(&[&args[..], &["--device", "cpu", "--by", "layers"], &to_file].concat());
        fs::read_to_string(&path).unwrap().lines().next().unwrap().to_owned()
    };
    assert_eq!(head("running-sum"), "layer,after its MLP,after its attention");
    assert!(head("waterfall").ends_with(",from,to"));
    assert!(!head("parts").contains("from"));
}

#[test]
fn averages_say_what_is_in_them_and_what_is_left_out() {
    let dir = TempDir::new().unwrap();
    let facts = counterfact(&dir);
    let figure = dir.path().join("figure.csv");
    let args = ["average", "--model", TINY, "--facts", &facts, "--samples", "2", "--window", "2"];
    let args = [&args[..], &["--kind", "hidden,mlp", "--device", "cpu"]].concat();
    let to_file = ["--figure", figure.to_str().unwrap()];
    let all = json(&[&args[..], &to_file, &["--keep-unknown", "--json"]].concat());
    assert_eq!((&all["n_asked"], &all["n_facts"]), (&2.into(), &2.into()));
    let map = &all["maps"][1];
    assert_eq!((&map["kind"], &map["window"]), (&"mlp".into(), &2.into()));
    let prob = &map["metrics"]["prob"];
    let roles = prob["roles"].as_array().unwrap();
    for key in ["indirect", "low", "high", "standard_error"] {
        assert_eq!(prob[key].as_array().unwrap().len(), roles.len());
    }
    let read = |key: &str| prob[key]["mean"].as_f64().unwrap();
    assert!((read("clean") - read("corrupted") - read("total")).abs() < 1e-6);
    // With half of the facts, all that the last state does is the total.
    let last = numbers(prob["rome"]["result"].as_array().unwrap().last().unwrap());
    assert_eq!((last.len(), &prob["rome"]["size"]), (4, &2.into()));
    let csv = fs::read_to_string(&figure).unwrap();
    assert!(csv.contains("last token,3,") && csv.contains("last token low"), "{csv}");

    // Random weights know nothing.
    let text = stdout(&args);
    assert!(text.starts_with("0 of 2 facts averaged, 2 not known\n"), "{text}");
    assert!(text.contains("the model says") && text.contains("not ·French"), "{text}");
    let nothing = complaint(&[&args[..], &["--relation", "nonsense"]].concat());
    assert!(nothing.contains("no such fact in"), "{nothing}");

    let known = ["average", "--n", "4", "--samples", "2", "--kind", "mlp", "--device", "cpu"];
    let text = stdout(&[&known[..], &["--relation", "P36"]].concat());
    assert!(text.contains("last subject token") && text.contains("total effect"), "{text}");
}

#[test]
fn a_prompt_is_given_the_activations_of_its_inverse() {
    let args = ["patch", "--facts", "builtin", "--case", "2", "--from-inverse", "--device", "cpu"];
    let hidden = json(&[&args[..], &["--kind", "hidden", "--json"]].concat());
    let pairs = hidden["pairs"].as_array().unwrap();
    let role = |nth: usize| pairs[nth]["to"]["role"].as_str().unwrap();
    assert_eq!((role(0), role(pairs.len() - 1)), ("subject-last", "last"));
    let cells = hidden["logit_diff"][0].as_array().unwrap();
    // The last state of the last token is all that the answer is read from.
    let end = numbers(&cells[5])[pairs.len() - 1];
    assert!((end - hidden["donor"]["logit_diff"].as_f64().unwrap()).abs() < 1e-4);
    let heads = [&args[..], &["--kind", "heads", "--pair", "5:4", "--pair", "0:0"]].concat();
    let text = stdout(&heads);
    assert!(text.contains("paired tokens") && text.contains("L5H"), "{text}");

    let far = complaint(&[&heads[..], &["--pair", "3:90"]].concat());
    assert!(far.contains("no token 90"), "{far}");
    let twice = complaint(&[&heads[..], &["--pair", "3:4"]].concat());
    assert!(twice.contains("two activations at once"), "{twice}");
    let nothing = complaint(&[&args[..5], &["--kind", "mlp"]].concat());
    assert!(nothing.contains("--from-inverse"), "{nothing}");
}

#[test]
fn a_cell_of_a_trace_shows_the_runs_behind_it() {
    let common = ["trace", "--model", TINY, "--device", "cpu", "--kind", "mlp", "--samples", "3"];
    let trace = [&common[..], &["--prompt", "Lyon is in", "--subject", "Lyon"]].concat();
    let map = json(&[&trace[..], &["--json"]].concat());
    let cell = json(&[&trace[..], &["--cell", "1,2", "--top", "4", "--json"]].concat());
    let number = |value: &Value| value.as_f64().unwrap();
    let mean = number(&cell["means"]["prob"]["patched"]);
    assert!((mean - number(&map["scores"][1][2])).abs() < 1e-5);
    assert!((number(&cell["means"]["prob"]["corrupted"]) - number(&map["low_score"])).abs() < 1e-5);
    assert_eq!(cell["samples"]["patched"].as_array().unwrap().len(), 3);
    assert_eq!(cell["top"]["patched"].as_array().unwrap().len(), 4);
    assert_eq!((&cell["seed"], &cell["noise_std"]), (&map["seed"], &map["noise_std"]));
    let text = stdout(&[&trace[..], &["--cell", "1,2"]].concat());
    assert!(text.contains("layer 2") && text.contains("moved by"), "{text}");

    let wrong = complaint(&[&trace[..], &["--cell", "1,99"]].concat());
    assert!(wrong.contains("no layer 99"), "{wrong}");
    let wrong = complaint(&[&trace[..], &["--at", "all", "--cell", "1,2"]].concat());
    assert!(wrong.contains("single tokens"), "{wrong}");
    assert_eq!(factscope(&[&trace[..], &["--cell", "1"]].concat()).status.code(), Some(2));
}

#[test]
fn paths_and_parts_hold_what_makes_them_again() {
    let fact = ["--facts", "builtin", "--case", "2", "--device", "cpu"];
    let path = [&["path-patch"], &fact[..], &["--from-inverse", "--to", "L3H1.q"]].concat();
    let found = json(&[&path[..], &["--to", "MLP5", "--positions", "last", "--json"]].concat());
    assert_eq!(found["spec"]["receivers"], serde_json::json!(["L3H1.q", "MLP5"]));
    assert_eq!(found["spec"]["between"], "recomputed");
    assert!(found["mlps"][4]["logit"].is_number() && found["mlps"][5].is_null());
    assert!(found["change"]["logit_diff"]["heads"][0][0].is_number());
    let text = stdout(&[&path[..], &["--mlps", "frozen"]].concat());
    assert!(text.contains("direct paths to L3H1.q") && text.contains("frozen"), "{text}");
    let wrong = complaint(&[&path[..], &["--to", "L9H9.q"]].concat());
    assert!(wrong.contains("no layer 9"), "{wrong}");
    assert_eq!(factscope(&[&path[..], &["--to", "H9"]].concat()).status.code(), Some(2));

    let star = [&["atp-star"], &fact[..], &["--samples", "2"]].concat();
    let found = json(&[&star[..], &["--verify", "3", "--json"]].concat());
    assert_eq!((&found["base"], &found["metric"]), (&"clean".into(), &"log_prob".into()));
    for key in ["atp", "atp_fixed", "atp_star"] {
        assert_eq!(numbers(&found[key]["k"][4][2]).len(), 6, "{key}");
        assert_eq!(numbers(&found[key]["mlp_out"][5]).len(), 5, "{key}");
    }
    assert_eq!(found["verified"].as_array().unwrap().len(), 3);
    assert_eq!(found["agreement"]["atp_fixed"]["n"], 3);
    let text = stdout(&[&star[..], &["--verify", "3"]].concat());
    assert!(text.contains("Spearman"), "{text}");

    let eap = [&["eap"], &fact[..], &["--other", "The capital of Iraq is"]].concat();
    let found = json(&[&eap[..], &["--steps", "4", "--edges", "7", "--json"]].concat());
    assert_eq!(found["edges"].as_array().unwrap().len(), 7);
    assert_eq!(found["estimated_by"], "EAP-IG");
    assert_eq!(found["spec"]["base"]["between"]["n_steps"], 4);
    assert!(found["n_edges"].as_u64().unwrap() > 2000);
    let plain = json(&[&eap[..], &["--method", "eap", "--verify", "2", "--json"]].concat());
    assert_eq!((&plain["base"], &plain["estimated_by"]), (&"clean".into(), &"EAP".into()));
    assert!(plain["edges"][1]["patched"].is_number() && plain["edges"][2]["patched"].is_null());
    let other = complaint(&[&["eap"], &fact[..], &["--other", "Cairo"]].concat());
    assert!(other.contains("of the same length"), "{other}");
}

#[test]
fn a_result_that_was_there_survives_a_failure() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("old.json");
    fs::write(&out, "old").unwrap();
    let file = out.to_str().unwrap();
    let common = ["attribute", "--model", TINY, "--device", "cpu", "--out", file];
    complaint(&[&common[..], &["--prompt", ""]].concat());
    assert_eq!(fs::read_to_string(&out).unwrap(), "old");
    stdout(&[&common[..], &["--prompt", "Lyon is in"]].concat());
    assert!(fs::read_to_string(&out).unwrap().contains("labels"));
}

#[test]
fn without_a_display_the_window_says_what_still_works() {
    let said = complaint(&["explore", "--model", TINY]);
    assert!(said.contains("display") && said.contains("the commands work"), "{said}");
}

/// Peak of anonymous memory while a model loads and predicts, against its weights in f32.
#[cfg(target_os = "linux")]
#[test]
fn weights_are_computed_on_where_they_lie_in_the_file() {
    use std::process::{Command, Stdio};

    let dir = TempDir::new().unwrap();
    let model = dir.path().join("gpt2");
    let model = model.to_str().unwrap();
    stdout(&["model", "random", "--config", "gpt2-medium", "--out", model]);
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("factscope"))
        .args(["predict", "--model", model, "--prompt", "Lyon is in", "--device", "cpu"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak_kib = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib = anonymous.and_then(|it| it.trim().trim_end_matches("kB").trim().parse().ok());
        peak_kib = peak_kib.max(kib.unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    let weights = 354_823_168.0 * 4.0;
    let ratio = peak_kib as f64 * 1024.0 / weights;
    assert!(ratio < 0.2, "{ratio:.2} × the weights");
}

#[test]
fn without_a_model_the_built_in_one_answers() {
    let found =
        json(&["predict", "--prompt", "The capital of Egypt is", "--answer", "Cairo", "--json"]);
    assert_eq!(found["answer"]["rank"], 0, "{found}");
    let info = json(&["model", "info", "builtin", "--json"]);
    assert_eq!(info["config"]["n_layers"], 6);

    // Of the built-in facts, too.
    let dir = TempDir::new().unwrap();
    let out = dir.path().join("trace.json");
    let out = out.to_str().unwrap();
    let args = ["trace", "--kind", "hidden", "--facts", "builtin", "--case", "2", "--samples", "2"];
    stdout(&[&args[..], &["--out", out]].concat());
    let trace: Value = serde_json::from_str(&fs::read_to_string(out).unwrap()).unwrap();
    assert_eq!(trace["model"]["name"], "builtin");
    assert_eq!(trace["correct_prediction"], true);
}

#[test]
#[cfg(feature = "training")]
fn training_a_little_makes_a_model_that_opens_and_can_go_on() {
    let dir = TempDir::new().unwrap();
    let out = dir.path().to_str().unwrap();
    let size = ["--layers", "1", "--heads", "1", "--width", "8", "--batch", "8", "--steps", "4"];
    let train = |more: &[&str]| -> Value {
        json(&[&["train", "--out", out, "--json"], &size[..], more].concat())
    };
    assert_eq!(train(&["--stop-after", "2"])["steps"], 2);
    assert_eq!(train(&["--resume"])["steps"], 4);
    let curves = fs::read_to_string(dir.path().join("curves.csv")).unwrap();
    let steps: Vec<&str> =
        curves.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(steps, ["1", "2", "3", "4"]);
    let found = json(&["predict", "--model", out, "--prompt", "The capital of Egypt is", "--json"]);
    assert!(!found["top"].as_array().unwrap().is_empty());

    let complaint = complaint(&["train", "--out", out, "--heads", "5", "--width", "8"]);
    assert!(complaint.contains("multiple"), "{complaint}");
}

/// Of a trace, in every format, and of what a file asks.
#[test]
fn figures_go_to_files_of_every_format() {
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let trace = ["trace", "--model", TINY, "--prompt", "Paris is in", "--subject", "Paris"];
    let trace = [&trace[..], &["--kind", "mlp", "--samples", "2", "--device", "cpu"]].concat();
    let draw = |name: &str| {
        let file = path(name);
        stdout(&[&trace[..], &["--json", "--figure", &file]].concat());
        fs::read(file).unwrap()
    };
    let svg = String::from_utf8(draw("a.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("Restoring MLP output"), "{svg}");
    assert!(svg.contains("Model tiny"), "{svg}");
    assert!(draw("a.pdf").starts_with(b"%PDF-"));
    let found: Value = serde_json::from_slice(&draw("a.json")).unwrap();
    let values = numbers(&found["charts"][0]["Map"]["values"]);
    let csv = String::from_utf8(draw("a.CSV")).unwrap();
    assert_eq!(csv.lines().count(), 1 + values.len());

    let spec = path("trace.spec");
    stdout(&[&trace[..], &["--save-spec", &spec]].concat());
    let again = path("again.csv");
    stdout(&["run", &spec, "--device", "cpu", "--figure", &again]);
    assert_eq!(fs::read_to_string(&again).unwrap(), csv);
    let recovery = ["--figure-effect", "recovery", "--figure-metric", "logit"];
    stdout(&[&["run", &spec, "--device", "cpu", "--figure", &again], &recovery[..]].concat());
    assert!(fs::read_to_string(&again).unwrap().contains("Recovery of logit("));

    let lens = ["lens", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    let at = |pick: &[&str]| {
        stdout(&[&lens[..], &["--figure", &again], pick].concat());
        fs::read_to_string(&again).unwrap()
    };
    assert_ne!(at(&["--figure-position", "1"]), at(&[]));
    let far = complaint(&[&lens[..], &["--figure", &again, "--figure-position", "90"]].concat());
    assert!(far.contains("--figure-position is not among 0.."), "{far}");
    let attention = ["attention", "--model", TINY, "--device", "cpu", "--prompt", "Lyon is in"];
    let drawn = path("attention.svg");
    let attention = [&attention[..], &["--layer", "1", "--figure", &drawn]].concat();
    let of_head = |head| {
        stdout(&[&attention[..], &["--figure-head", head]].concat());
        fs::read_to_string(&drawn).unwrap()
    };
    assert!(of_head("2").contains("Attention pattern — L1 H2"));
    assert!(of_head("0").contains("Attention pattern — L1 H0"));
    let far = complaint(&[&attention[..], &["--figure-layer", "0"]].concat());
    assert!(far.contains("--figure-layer is not among 1..2"), "{far}");

    let error = complaint(&[&trace[..], &["--figure", &path("a.bmp")]].concat());
    assert!(error.contains(".bmp") && error.contains(".svg"), "{error}");
    let error = complaint(&[&trace[..], &["--figure", "/nowhere/a.svg"]].concat());
    assert!(error.contains("/nowhere"), "{error}");
}
