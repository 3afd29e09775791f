//! Views of prompts of 300 tokens, and of models of many layers with few heads.

use std::fs;
use std::path::Path;

use eframe::egui::accesskit::Role;
use eframe::egui::vec2;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::analysis::edge_cut::Edge;
use factscope::model::{FloatType, ModelConfig, write_random_checkpoint};
use factscope::task::TaskCtx;
use factscope::tokens::{GPT2_MERGES, gpt2_vocabulary};
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::state::Paint;
use factscope::ui::view::Selection;
use tempfile::TempDir;

use super::super::support::{FACTS, Window};
use super::{SIZES, TOLERANCE};

/// A model that reads long prompts: small, with random weights.
fn write_model(n_layers: usize, n_heads: usize, dir: &Path) {
    let config =
        ModelConfig { n_layers, n_heads, d_model: 48, d_mlp: 96, n_ctx: 512, ..ModelConfig::LARGE };
    write_random_checkpoint(&config, 0, FloatType::F32, dir, &TaskCtx::unwatched()).unwrap();
    let vocabulary = gpt2_vocabulary(&GPT2_MERGES).unwrap();
    fs::write(dir.join("vocab.json"), serde_json::to_string(&vocabulary).unwrap()).unwrap();
    fs::write(dir.join("merges.txt"), GPT2_MERGES.as_str()).unwrap();
}

/// A window with a model of so many layers and heads, and a fact of 300 tokens and its inverse.
fn with_a_long_prompt(n_layers: usize, n_heads: usize) -> (Window, TempDir) {
    let model = tempfile::tempdir().unwrap();
    write_model(n_layers, n_heads, model.path());
    let options = Options { model: Some(model.path().to_owned()), ..Options::default() };
    let mut window = Window::new(options, None);
    let before = "one two three four".repeat(74);
    let case = |case: u32, country: &str, capital: &str| {
        let inverse = format!("{before} {{}} is the capital of");
        serde_json::json!({"case_id": case, "requested_rewrite": {
            "prompt": format!("{before} The capital of {{}} is"), "relation_id": "P36",
            "target_true": {"str": capital}, "target_new": {"str": "Rome"}, "subject": country},
            "inverse": {"prompt": inverse, "target_true": {"str": country}, "subject": capital,
            "answers": [country]}})
    };
    let facts = [case(1, "France", "Paris"), case(2, "Peru", "Lima")];
    let facts = window.file("long.json", &serde_json::json!(facts).to_string());
    window.drop(facts);
    window.wait("the model and the fact", |app| {
        app.state.info().is_some() && app.state.facts.dataset.is_some()
    });
    window.wait_for_predictions();
    assert!(window.app().state.prompt().unwrap().n_pos() >= 300);
    let state = &mut window.harness.state_mut().state;
    state.preferences.measures_recall = false;
    state.settings.trace.n_samples = 1;
    state.selection = Selection { layer: Some(n_layers - 2), position: Some(2), head: Some(0) };
    window.harness.run_steps(2);
    window.does(Command::Trace);
    window.trace_ends();
    // A layer's attention is asked for once its view is shown.
    window.wait("all answers", |app| app.state.jobs.iter().next().is_none());
    (window, model)
}

#[test]
fn a_prompt_of_300_tokens_can_be_scrolled_through() {
    let (mut window, _model) = with_a_long_prompt(4, 12);
    let shown =
        [Pane::Trace, Pane::Prediction, Pane::Attention, Pane::Attribution, Pane::LogitLens];
    assert!(shown.iter().all(|pane| window.app().state.result(*pane).is_some()));
    window.everything_fits(&SIZES, &shown, Window::alone);
}

/// All that can be asked of it as well. Few layers, so that this takes seconds.
#[test]
fn every_view_of_a_prompt_of_300_tokens_can_be_scrolled_through() {
    let (mut window, _model) = with_a_long_prompt(2, 2);
    let state = &mut window.harness.state_mut().state;
    let key = state.key().unwrap();
    state.painted.change(key, Paint::Add(Edge { query: 200, key: 100 }));
    window.harness.run_steps(2);
    for pane in Pane::ALL.into_iter().filter(|pane| pane.is_study()) {
        window.ask(pane);
        assert_eq!(window.app().state.error, None, "{pane:?}");
        assert!(window.app().state.result(pane).is_some(), "{pane:?}");
    }
    window.wait("the jobs", |app| app.state.jobs.iter().next().is_none());
    window.everything_fits(&SIZES, &Pane::ALL, Window::alone);
}

#[test]
fn thirty_jobs_can_be_scrolled_through() {
    let mut window = Window::open();
    window.harness.state_mut().state.preferences.measures_recall = false;
    for seed in 0..30 {
        let trace = &mut window.harness.state_mut().state.settings.trace;
        (trace.seed, trace.n_samples) = (seed, 1);
        window.does(Command::Trace);
        window.trace_ends();
    }
    window.wait("the jobs", |app| app.state.jobs.iter().next().is_none());
    assert!(window.app().state.jobs.ended().len() >= 30);
    window.everything_fits(&SIZES, &[Pane::Jobs], Window::alone);
    window.everything_fits(&SIZES, &[Pane::Jobs], Window::docked);
}

/// A window with a model of so many layers and heads, and short facts, that shows its attention.
fn with_attention(n_layers: usize, n_heads: usize) -> (Window, TempDir) {
    let model = tempfile::tempdir().unwrap();
    write_model(n_layers, n_heads, model.path());
    let options = Options { model: Some(model.path().to_owned()), ..Options::default() };
    let mut window = Window::new(options, None);
    let facts = window.file("facts.json", FACTS);
    window.drop(facts);
    window.wait("the model and the facts", |app| {
        app.state.info().is_some() && app.state.facts.dataset.is_some()
    });
    window.wait_for_predictions();
    window.set_window(vec2(1280.0, 700.0), 1.0);
    window.show(Pane::Attention);
    window.wait("the heads", |app| app.state.result(Pane::Attention).is_some());
    (window, model)
}

/// A map of a few rows is not made higher than its columns have room for.
#[test]
fn all_heads_of_many_layers_are_in_sight_where_each_layer_has_few() {
    let (window, _model) = with_attention(18, 4);
    let place = window.place_of(Pane::Attention).expand(TOLERANCE);
    let nodes = window.region(Pane::Attention).children_recursive();
    let maps = nodes.filter(|it| it.accesskit_node().role() == Role::Canvas);
    let ends: Vec<f32> = maps.map(|it| it.rect().right()).collect();
    assert!(ends.len() == 2 && ends.iter().all(|it| *it <= place.right()), "{ends:?} in {place:?}");
}

#[test]
fn the_button_to_the_next_layer_stays_where_it_is() {
    let (mut window, _model) = with_attention(18, 4);
    let mut places = Vec::new();
    for layer in [0, 9, 10, 16] {
        window.harness.state_mut().state.selection.layer = Some(layer);
        window.harness.run_steps(3);
        places.push(window.harness.get_by_label("Next layer").rect());
    }
    assert!(places.iter().all(|it| *it == places[0]), "{places:?}");
}
