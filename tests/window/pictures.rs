//! What each view looks like over results that are always the same: those of a session file.
//!
//! `tests/fixtures/views.factscope` is of the built-in model, made by the test that is ignored here;
//! to be made again when the model or a result's form changes.

use std::path::{Path, PathBuf};

use eframe::egui::{ThemePreference, Vec2, vec2};
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{SnapshotOptions, try_image_snapshot_options};
use factscope::analysis::edge_cut::Edge;
use factscope::facts::Direction;
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::{Pane, View};
use factscope::ui::state::{FactId, Paint};
use factscope::ui::view::Selection;

use super::support::Window;

/// As large as a view is on a screen of 1600 × 1000 beside the list of facts and another view.
const SIZE: Vec2 = vec2(1180.0, 1000.0);

pub fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/views.factscope")
}

impl Window {
    /// One view alone, as large as the window allows.
    pub fn alone(&mut self, pane: Pane) {
        for other in View::ALL.into_iter().filter(|it| *it != pane.view()) {
            self.harness.state_mut().command(Command::CloseView(other));
        }
        self.show(pane);
        self.harness.run_steps(4);
    }

    /// What is seen of the view, without the rest of the window.
    fn picture(&mut self, pane: Pane) -> image::RgbaImage {
        let tab = self.harness.query_all_by_label(pane.view().text()).map(|it| it.rect());
        // Its tab is the one that stands highest beside the facts.
        let tab = tab
            .filter(|it| it.left() > 200.0 && it.top() > 40.0)
            .min_by(|a, b| a.top().total_cmp(&b.top()))
            .unwrap();
        let whole = self.harness.render().unwrap();
        let (left, top) = (tab.left() as u32 - 6, tab.bottom() as u32 + 4);
        // What the machine is differs from machine to machine.
        let machine = self.harness.query_by_label("Model and machine").map(|it| it.rect().top());
        let bottom = machine.map_or_else(|| whole.height() - 36, |top| top as u32);
        let view = image::imageops::crop_imm(&whole, left, top, whole.width() - left, bottom - top);
        view.to_image()
    }
}

#[test]
fn each_view_looks_as_it_did() {
    let options = Options { session: Some(fixture()), ..Options::default() };
    let mut window = Window::new(options, None);
    window.harness.set_size(SIZE);
    window.harness.state_mut().command(Command::SetTheme(ThemePreference::Light));
    window.wait("the session", |app| app.state.session.is_some() && app.state.info().is_some());
    // They are told beside the fact.
    window.wait("what to beware of", |app| {
        let state = &app.state;
        state.key().is_some_and(|key| state.facts.flags(key.fact, key.direction).is_some())
    });
    assert_eq!(window.app().state.error, None);
    assert!(window.app().state.stored.is_none(), "the built-in model is another; make it anew");
    window.harness.state_mut().state.preferences.measures_recall = false;
    let mut wrong = Vec::new();
    let mut compare = |picture: &image::RgbaImage, name: String| {
        let options = SnapshotOptions::new().max_failed_pixels(20);
        if let Err(error) = try_image_snapshot_options(picture, name, &options) {
            wrong.push(error.to_string());
        }
    };
    for pane in Pane::ALL {
        // How long anything took is another time each time.
        window.harness.state_mut().command(Command::ForgetEnded);
        window.alone(pane);
        let is_known = !pane.has_results() || window.app().state.result(pane).is_some();
        assert!(is_known, "{pane:?}: the session lacks its result; make it anew");
        if pane == Pane::Spec {
            // The file has only its text.
            window.harness.state_mut().command(Command::RunSpec);
            window.harness.run_steps(2);
            window.wait("the experiment", |app| app.state.jobs.asked().next().is_none());
        }
        compare(&window.picture(pane), format!("view_{}", pane.key()));
    }
    // And as it is while it is typed.
    window.alone(Pane::Spec);
    let text = window.app().state.spec.text().replacen("\"prompt\"", "\"promt\"", 1);
    window.does(Command::SetSpecText(text));
    compare(&window.picture(Pane::Spec), "view_spec_wrong".to_owned());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
#[ignore = "writes the fixture of the test above"]
fn make_the_session_of_the_views() {
    let options = Options {
        model: Some("builtin".into()),
        facts: Some("builtin".into()),
        ..Options::default()
    };
    let mut window = Window::new(options, None);
    window.wait("the model", |app| app.state.info().is_some() && !app.state.facts.is_empty());
    window.harness.state_mut().state.preferences.measures_recall = false;
    let chosen = (0..100)
        .map(FactId::Record)
        .find(|id| {
            let fact = |direction| window.app().state.facts.get(*id)?.fact(direction);
            fact(Direction::Forward).is_some() && fact(Direction::Inverse).is_some()
        })
        .unwrap();
    window.harness.state_mut().command(Command::Select(chosen));
    window.harness.run_steps(2);
    window.wait_for_predictions();
    let last = window.app().state.prompt().unwrap().n_pos() - 1;
    for key in [1, 2] {
        let edge = Edge { query: last, key };
        window.harness.state_mut().command(Command::Paint(Paint::Add(edge)));
    }
    window.harness.state_mut().state.selection =
        Selection { layer: Some(3), position: Some(2), head: Some(1) };
    window.harness.run_steps(3);
    window.harness.state_mut().command(Command::Trace);
    window.harness.run_steps(3);
    window.trace_ends();
    for pane in Pane::ALL.into_iter().filter(|pane| pane.is_study()) {
        window.ask(pane);
    }
    window.harness.state_mut().command(Command::FillSpec(Pane::Knockout));
    window.harness.run_steps(3);
    window.wait("the jobs", |app| app.state.jobs.iter().next().is_none());
    window.harness.state_mut().command(Command::SaveSessionTo(fixture()));
    window.wait("the file", |app| app.state.is_unsaved() == Some(false));
}
