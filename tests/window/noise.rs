//! Noise from a file, for the trace.

use std::path::PathBuf;

use eframe::egui::{Key, Modifiers};
use factscope::analysis::causal_trace::{Corruption, NoiseLevel};
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::state::{NoiseSetting, RunState};

use super::support::{Window, tiny};

/// As `numpy.save` writes `numpy.zeros((2, n_tokens, d_model), 'float32')`.
fn zeros(n_tokens: usize, d_model: usize) -> Vec<u8> {
    let mut head = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': (2, {n_tokens}, {d_model}), }}"
    );
    while !(10 + head.len() + 1).is_multiple_of(64) {
        head.push(' ');
    }
    head.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((head.len() as u16).to_le_bytes());
    bytes.extend(head.bytes());
    bytes.extend(vec![0; 2 * n_tokens * d_model * 4]);
    bytes
}

impl Window {
    fn noise(&self, name: &str, n_tokens: usize) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, zeros(n_tokens, 32)).unwrap();
        path
    }

    fn n_subject(&self) -> usize {
        self.app().state.prompt().unwrap().subject.clone().unwrap().len()
    }

    fn noise_name(&self) -> Option<String> {
        match &self.app().state.settings.trace.noise {
            NoiseSetting::File(file) => Some(file.name()),
            _ => None,
        }
    }
}

#[test]
fn noise_that_is_dropped_is_added_as_it_is() {
    let mut window = Window::open();
    let path = window.noise("mine.npy", window.n_subject());
    window.drop(path.clone());
    window.harness.run_steps(3);
    assert_eq!(window.app().state.error, None);
    assert_eq!(window.app().state.settings.trace.n_samples, 2);
    assert_eq!(window.noise_name().as_deref(), Some("mine.npy"));
    window.harness.state_mut().command(Command::Trace);
    window.harness.run_steps(2);
    window.trace_ends();
    let trace = window.trace().unwrap();
    assert!(matches!(trace.spec.corruption, Corruption::NoiseFile(_)));
    // Nothing is added, so nothing is lost.
    let runs = trace.corrupted.iter().chain(trace.restored.values().iter().flatten());
    assert!(runs.count() > 2);
    for run in trace.corrupted.iter().chain(trace.restored.values().iter().flatten()) {
        assert!((run.prob - trace.clean.prob).abs() < 1e-6);
    }
    // Its hash is in the whole caption, under the pointer.
    window.sees("noise of mine.npy");

    // Another generator would be another trace, if it had a part in it.
    let spec = window.app().state.trace_spec(factscope::ui::row::Row::First);
    window.harness.state_mut().state.settings.trace.seed = 77;
    let same = window.app().state.trace_spec(factscope::ui::row::Row::First);
    assert_eq!(spec, same);
    assert!(matches!(same.unwrap().noise, NoiseLevel::Multiple { .. }));

    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.harness.run_steps(3);
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.harness.run_steps(3);
    assert_eq!(window.noise_name(), None, "it can be undone");
}

#[test]
fn noise_that_does_not_fit_says_what_would() {
    let mut window = Window::open();
    let n_subject = window.n_subject();
    let path = window.noise("long.npy", n_subject + 1);
    window.drop(path);
    window.harness.run_steps(3);
    window.harness.state_mut().command(Command::Trace);
    window.harness.run_steps(2);
    window.trace_ends();
    let Some(RunState::Failed(error)) = window.trace_state() else { panic!("it was traced") };
    assert!(error.contains(&format!("the subject has {n_subject} tokens")), "{error}");

    let wrong = window.file("wrong.npy", "no array");
    window.drop(wrong);
    window.harness.run_steps(3);
    window.sees("no array that `numpy.save` has written");
    assert_eq!(window.noise_name().as_deref(), Some("long.npy"), "what was there stays");
}

#[test]
fn noise_is_chosen_among_the_traces_settings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("picked.npy");
    std::fs::write(&path, zeros(2, 32)).unwrap();
    let options = Options { model: Some(tiny()), ..Options::default() };
    let mut window = Window::new(options, Some(path.clone()));
    window.wait("the model", |app| app.state.info().is_some());
    window.harness.state_mut().command(Command::OpenNoise);
    window.wait("the file", |app| matches!(app.state.settings.trace.noise, NoiseSetting::File(_)));
    assert_eq!(window.noise_name().as_deref(), Some("picked.npy"));
}
