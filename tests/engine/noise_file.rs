//! Noise that is given as a file; the files in `tests/fixtures/noise` were saved by numpy.

use std::fs;
use std::path::PathBuf;

use factscope::analysis::causal_trace::{self, CausalTrace, Component, Corruption, Direction};
use factscope::analysis::corruption::Draws;
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Contrast, GivenNoise, Measurement,
    Metric, NoiseFile, Reuse, edge_attribution, sweep,
};
use factscope::intervention::{Edit, Intervention, Site, Span};
use factscope::model::Donors;
use factscope::noise_file::{self, NoiseFileError};

use crate::support::{
    assert_close, assert_far, engine, fixture, lab, load, paris, prompt, trace_spec, traced,
};

fn file(name: &str) -> PathBuf {
    fixture("noise").join(name)
}

fn given(name: &str) -> (NoiseFile, Vec<f64>) {
    let (file, noise) = noise_file::read(&file(name)).unwrap();
    assert_eq!(noise.shape, [3, 3, 32]);
    (file, noise.values)
}

fn spec_of(file: NoiseFile, component: Component, window: usize) -> causal_trace::Spec {
    let corruption = Corruption::NoiseFile(file);
    causal_trace::Spec { corruption, ..trace_spec(component, window, 3) }
}

fn runs(trace: &CausalTrace) -> impl Iterator<Item = &Measurement> {
    trace.corrupted.iter().chain(trace.restored.values().iter().flatten())
}

fn log_probs(trace: &CausalTrace) -> Vec<f32> {
    runs(trace).map(|run| run.log_prob).collect()
}

fn probs(trace: &CausalTrace) -> Vec<f32> {
    runs(trace).map(|run| run.prob).collect()
}

#[test]
fn romes_noise_from_a_file_is_romes_noise() {
    let (file, _) = given("rome.npy");
    for (component, window) in [(Component::Hidden, 1), (Component::Mlp, 3), (Component::Attn, 2)] {
        for direction in Direction::ALL {
            let drawn = causal_trace::Spec { direction, ..trace_spec(component, window, 3) };
            let spec = causal_trace::Spec { direction, ..spec_of(file.clone(), component, window) };
            let (drawn, given) = (
                traced(&paris(), &drawn, Reuse::Exact).unwrap(),
                traced(&paris(), &spec, Reuse::Exact).unwrap(),
            );
            // A file's sum is rounded once, as numpy's; the program rounds its own noise before.
            assert_close(&probs(&given), &probs(&drawn), 1e-6, "the same noise");
            assert_close(&log_probs(&given), &log_probs(&drawn), 2e-5, "the same noise");
            assert_eq!(given.corruptions, drawn.corruptions);
            assert!((given.noise_std / drawn.noise_std - 1.0).abs() < 0.2, "{}", given.noise_std);
            let naive = traced(&paris(), &spec, Reuse::Off).unwrap();
            assert_close(&log_probs(&given), &log_probs(&naive), 1e-5, "reuse");
        }
    }
}

/// However it is saved, what stands in the file is what is added.
#[test]
fn the_numbers_of_a_file_are_added_as_they_are() {
    let prompt = paris();
    let model = load(&fixture("tiny"));
    let mut found = Vec::new();
    for name in ["other.npz", "plain.npz"] {
        let (file, values) = given(name);
        let trace = traced(&prompt, &spec_of(file, Component::Hidden, 1), Reuse::Exact).unwrap();
        let conditions: Vec<_> = values
            .chunks(3 * 32)
            .map(|noise| {
                let noise: Vec<f32> = noise.iter().map(|&it| it as f32).collect();
                let edit = Edit::Add(noise.into());
                vec![Intervention::at(Site::Embed, Span::Only(0..3), edit)]
            })
            .collect();
        let ctx = AnalysisCtx::unwatched();
        let donors = Donors::new();
        let expected =
            sweep(&lab(&model, &prompt, &ctx), &conditions, &donors, &mut |_| ()).unwrap();
        let of = |runs: &[Measurement]| runs.iter().map(|it| it.log_prob).collect::<Vec<_>>();
        assert_close(&of(&trace.corrupted), &of(&expected), 1e-5, name);
        found.push(of(&trace.corrupted));
    }
    assert_eq!(found[0], found[1]);
    let romes = traced(&prompt, &trace_spec(Component::Hidden, 1, 3), Reuse::Exact).unwrap();
    let romes: Vec<f32> = romes.corrupted.iter().map(|it| it.log_prob).collect();
    assert_far(&found[0], &romes, "another noise");
}

#[test]
fn the_first_samples_of_a_file_can_be_asked_for_and_no_more_than_there_are() {
    let (file, _) = given("rome.npy");
    let all = spec_of(file, Component::Hidden, 1);
    let with = |n_samples| causal_trace::Spec { n_samples, ..all.clone() };
    let three = traced(&paris(), &all, Reuse::Exact).unwrap();
    let two = traced(&paris(), &with(2), Reuse::Exact).unwrap();
    let of = |it: &CausalTrace| it.corrupted.iter().map(|it| it.log_prob).collect::<Vec<_>>();
    assert_close(&of(&two), &of(&three)[..2], 1e-5, "the first two");
    let error = traced(&paris(), &with(4), Reuse::Exact).unwrap_err();
    assert_eq!(error, AnalysisError::FewNoises { n_found: 3, n_samples: 4 });
}

#[test]
fn noise_of_another_subject_and_a_file_that_has_changed_are_refused() {
    let (romes, _) = given("rome.npy");
    let mut long = prompt("Windows 95 was made by", "Windows 95", None);
    long.answer = paris().answer;
    let n_subject = long.subject.as_ref().unwrap().len();
    assert_ne!(n_subject, 3);
    let error = traced(&long, &spec_of(romes.clone(), Component::Hidden, 1), Reuse::Exact);
    let error = error.unwrap_err().to_string();
    for says in ["(3, 3, 32)", &format!("(3, {n_subject}, 32)"), "subject has", "rome.npy"] {
        assert!(error.contains(says), "{error}");
    }

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.npy");
    fs::copy(file("rome.npy"), &path).unwrap();
    let (mine, _) = noise_file::read(&path).unwrap();
    assert_eq!(mine.sha256, romes.sha256);
    let spec = spec_of(mine, Component::Hidden, 1);
    // As a session and `factscope run` have it.
    let text = serde_json::to_string(&spec).unwrap();
    assert!(text.contains("noise-file") && text.len() < 1000, "{text}");
    assert_eq!(serde_json::from_str::<causal_trace::Spec>(&text).unwrap(), spec);
    assert!(traced(&paris(), &spec, Reuse::Exact).is_ok());
    fs::copy(file("plain.npz"), &path).unwrap();
    let error = traced(&paris(), &spec, Reuse::Exact).unwrap_err().to_string();
    assert!(error.contains("is not what it was") && error.contains("mine.npy"), "{error}");
    fs::remove_file(&path).unwrap();
    let error = traced(&paris(), &spec, Reuse::Exact).unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("mine.npy"), "{error}");
}

/// Wherever the subject can be corrupted, it can be by a file.
#[test]
fn estimates_take_the_noise_of_a_file() {
    let (file, _) = given("rome.npy");
    let draws = |corruption| Draws { corruption, ..trace_spec(Component::Hidden, 1, 3).draws() };
    let found = [Corruption::NoiseFile(file), Corruption::default()].map(|corruption| {
        let spec = AnalysisSpec::EdgeAttribution(edge_attribution::Spec {
            contrast: Contrast::Subject(draws(corruption)),
            metric: Metric::LogProb,
            base: edge_attribution::EdgeBase::Clean,
            n_edges: 40,
            n_verified: 0,
        });
        match engine("tiny").run(&paris(), &spec, &AnalysisCtx::unwatched()).unwrap() {
            AnalysisResult::EdgeAttribution(it) => it,
            other => panic!("{other:?}"),
        }
    });
    let scores = found.each_ref().map(|it| it.edges.iter().map(|it| it.score).collect::<Vec<_>>());
    assert_close(&scores[0], &scores[1], 1e-5, "estimates");
}

/// As `numpy.save` writes an array of one, two, three, ….
fn npy_file(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut head = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while !(10 + head.len() + 1).is_multiple_of(64) {
        head.push(' ');
    }
    head.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.bytes());
    bytes.extend(data);
    bytes
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|it| it.to_le_bytes()).collect()
}

/// The noise in a file with these bytes.
fn read(bytes: &[u8]) -> Result<GivenNoise, NoiseFileError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("noise.npy");
    fs::write(&path, bytes).unwrap();
    noise_file::read(&path).map(|(_, noise)| noise)
}

#[test]
fn both_widths_are_read_in_order() {
    let shape = "(2, 1, 3)";
    let singles = npy_file("<f4", "False", shape, &f32s(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.5]));
    let doubles: Vec<u8> =
        [1.0_f64, 2.0, 3.0, 4.0, 5.0, 6.5].iter().flat_map(|it| it.to_le_bytes()).collect();
    let doubles = npy_file("<f8", "False", shape, &doubles);
    for bytes in [singles, doubles] {
        let noise = read(&bytes).unwrap();
        assert_eq!(noise.shape, [2, 1, 3]);
        assert_eq!(noise.values, [1.0, 2.0, 3.0, 4.0, 5.0, 6.5]);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_remedy() {
    let four = f32s(&[1.0; 4]);
    for (bytes, says) in [
        (npy_file("<f2", "False", "(2, 1, 2)", &[0; 8]), "noise.astype('float32')"),
        (npy_file("<i8", "False", "(2, 1, 2)", &[0; 32]), "noise.astype('float32')"),
        (npy_file(">f4", "False", "(2, 1, 2)", &four), "noise.astype('<f4')"),
        (npy_file("<f4", "True", "(2, 1, 2)", &four), "numpy.ascontiguousarray(noise)"),
        (npy_file("<f4", "False", "(2, 2)", &four), "(samples, subject tokens, d_model)"),
        (npy_file("<f4", "False", "(4,)", &four), "the shape (4,)"),
        (npy_file("<f4", "False", "(2, 1, 3)", &four), "24 bytes of numbers, and has 16"),
        (npy_file("<f4", "False", "(2, 0, 3)", &[]), "has no numbers"),
        (
            npy_file("<f4", "False", "(18446744073709551615, 2, 3)", &four),
            "more numbers than a file can have",
        ),
        (
            npy_file("<f4", "False", "(1, 2, 2)", &f32s(&[0.0, 0.0, f32::NAN, 0.0])),
            "NaN at [0, 1, 0]",
        ),
        (b"PK\x03\x04".to_vec(), "not whole"),
        (b"hello".to_vec(), "numpy.save"),
        (Vec::new(), "numpy.save"),
    ] {
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

/// A spec names the file in JSON, which has no other than UTF-8 text.
#[cfg(target_os = "linux")]
#[test]
fn noise_whose_name_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    let named = dir.path().join(std::ffi::OsStr::from_bytes(b"n\xff.npy"));
    fs::copy(file("rome.npy"), &named).unwrap();
    let error = noise_file::read(&named).unwrap_err().to_string();
    assert!(error.contains("no UTF-8 text") && error.contains("rename it"), "{error}");
}
