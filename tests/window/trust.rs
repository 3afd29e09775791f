//! What the numbers rest on is said, and can be set as other programs have it.

use std::fs;
use std::path::Path;

use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable as _;
use factscope::analysis::causal_trace::Component;
use factscope::tokens::Bos;
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use serde_json::json;

use super::support::Window;

#[test]
fn a_preset_sets_every_convention_and_can_be_undone() {
    let mut window = Window::open();
    window.show(Pane::Trust);
    // A single hidden state has no window that could be another.
    window.sees("The settings match ROME");
    window.does(Command::ShowKind(Component::Mlp));
    window.sees("The settings are your own");
    window.sees("Not ROME: Window");
    let before = window.app().state.settings.clone();

    window.click("Matches TransformerLens 4");
    window.sees("The settings match TransformerLens");
    assert_eq!(window.app().state.settings.bos, Bos::On);
    window.wait_for_predictions();
    // BOS is a token of the strip.
    window.sees("<|endoftext|>");

    window.click("Matches ROME");
    window.sees("The settings match ROME");
    let settings = &window.app().state.settings;
    assert_eq!((settings.bos, settings.trace.own_window), (Bos::Off, Some(10)));

    for _ in 0..2 {
        window.harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
        window.harness.run_steps(3);
    }
    assert_eq!(window.app().state.settings, before);
    window.sees("The settings are your own");
}

#[test]
fn sum_device_and_weights_are_vouched_for() {
    let mut window = Window::open();
    window.show(Pane::Trust);
    window.sees("parts add up to");
    window.sees("all weights are finite");
    window.sees("not needed on the CPU");
    window.sees("F32 on disk");
}

/// A tokenizer that ends texts with a token would end a prompt, which is to go on.
#[test]
fn a_token_that_is_left_off_after_a_text_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for file in [
        "families/llama/config.json",
        "families/llama/model.safetensors",
        "tokenizers/llama/tokenizer.json",
    ] {
        let path = fixtures.join(file);
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    for (ends, expected) in [(false, None), (true, Some("</s>, which the tokenizer puts after"))] {
        let config = json!({ "tokenizer_class": "LlamaTokenizer", "add_eos_token": ends });
        fs::write(dir.path().join("tokenizer_config.json"), config.to_string()).unwrap();
        let options = Options { model: Some(dir.path().to_owned()), ..Options::default() };
        let mut window = Window::new(options, None);
        window.wait("the model", |app| app.state.info().is_some());
        window.show(Pane::Trust);
        assert_eq!(window.harness.query_by_label("Left off").is_some(), expected.is_some());
        if let Some(text) = expected {
            window.sees(text);
        }
    }
}
