//! What a subject becomes: corruptions, and noise from files.

use std::fs;

use tempfile::TempDir;

use crate::support::{TINY, complaint, counterfact, json, numbers, stdout};

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
    assert!(text.contains("z at the last token") && text.contains("Head"), "{text}");
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
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
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
    assert!(said(&["--noise-file", "tests/commands/main.rs"]).contains("numpy.save"));
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
