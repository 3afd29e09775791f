//! How calm the window is: how much there is to press, and that nothing moves under the pointer.

use std::collections::BTreeMap;
use std::path::Path;

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Rect, Vec2};
use egui_kittest::Node;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;

use super::support::Window;

/// Where each control is, by role and name; in order where several are called the same.
type Places = BTreeMap<String, Vec<Rect>>;

/// Where each control is, whatever it is called now.
type Controls = BTreeMap<u128, (String, Rect)>;

impl Window {
    fn places(&self) -> Places {
        let mut places = Places::new();
        for node in self.controls() {
            let (at, node) = (node.rect(), node.accesskit_node());
            let name = format!("{:?} {}", node.role(), node.label().unwrap_or_default());
            places.entry(name).or_default().push(at);
        }
        places
    }

    fn by_id(&self) -> Controls {
        let controls = self.controls().map(|it| {
            let name = it.accesskit_node().label().unwrap_or_default();
            (u128::from(it.accesskit_node().id()), (name, it.rect()))
        });
        controls.collect()
    }
}

/// What is not where it was.
fn moved_under_the_pointer(before: &Controls, after: &Controls) -> Vec<String> {
    let moved = before.iter().filter(|(id, (_, at))| after.get(id).map(|it| it.1) != Some(*at));
    moved.map(|(id, it)| format!("{it:?}, now {:?}", after.get(id))).collect()
}

/// What is in another place than before; what is not there any more is in none.
fn moved(before: &Places, after: &Places) -> Vec<String> {
    let moved = before.iter().filter_map(|(name, places)| {
        let now = after.get(name)?;
        // A map that is marked has another name.
        (places.len() == now.len() && places != now)
            .then(|| format!("{name}: {places:?}, now {now:?}"))
    });
    moved.collect()
}

fn with_all_results() -> Window {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/views.factscope");
    let mut window = Window::new(Options { session: Some(path), ..Options::default() }, None);
    window.wait("the session", |app| app.state.session.is_some() && app.state.info().is_some());
    window.wait_for_predictions();
    window.harness.state_mut().state.preferences.measures_recall = false;
    window.wait("all jobs", |app| app.state.jobs.iter().next().is_none());
    window
}

#[test]
fn nothing_moves_while_the_pointer_is_over_maps() {
    let mut window = with_all_results();
    for size in [Vec2::new(1280.0, 720.0), Vec2::new(1600.0, 1000.0)] {
        window.harness.set_size(size);
        for pane in Pane::ALL.into_iter().filter(|pane| pane.has_results()) {
            window.show(pane);
            let away = eframe::egui::pos2(2.0, 2.0);
            window.harness.hover_at(away);
            window.harness.run_steps(3);
            let before = window.by_id();
            let maps: Vec<Rect> =
                window.harness.query_all_by_role(Role::Canvas).map(|it| it.rect()).collect();
            for map in maps {
                for (x, y) in [(0.1, 0.1), (0.5, 0.5), (0.9, 0.9)] {
                    window.harness.hover_at(map.min + map.size() * Vec2::new(x, y));
                    window.harness.run_steps(3);
                    let moved = moved_under_the_pointer(&before, &window.by_id());
                    assert_eq!(moved, Vec::<String>::new(), "{pane:?} at {size:?}, over {map:?}");
                }
            }
        }
    }
}

#[test]
fn nothing_moves_when_a_run_begins_and_ends() {
    let mut window = super::studies::open();
    window.harness.set_size(Vec2::new(1600.0, 1000.0));
    window.does(Command::ShowMoreOfTrace(false));
    window.show(Pane::Trace);
    let before = window.places();
    window.harness.state_mut().command(Command::Trace);
    window.harness.run_steps(3);
    assert_eq!(moved(&before, &window.places()), Vec::<String>::new(), "while it is traced");
    window.trace_ends();
    assert_eq!(moved(&before, &window.places()), Vec::<String>::new(), "when it is traced");
    for pane in Pane::ALL.into_iter().filter(|pane| pane.is_study()) {
        window.show(pane);
        let state = &window.app().state;
        if state.rows_of(pane).any(|row| state.spec_of(pane, row).is_err()) {
            // It lacks something, which it says instead.
            continue;
        }
        let before = window.places();
        window.harness.state_mut().command(Command::Study(pane));
        window.harness.run_steps(3);
        let while_running = moved(&before, &window.places());
        assert_eq!(while_running, Vec::<String>::new(), "{pane:?} while it runs");
        window.wait("the study", |app| app.state.jobs.asked().next().is_none());
        let afterwards = moved(&before, &window.places());
        assert_eq!(afterwards, Vec::<String>::new(), "{pane:?} when it is done");
    }
}

/// Words that come or go, or change in length, push no control away.
#[test]
fn nothing_moves_when_a_setting_of_the_trace_is_changed() {
    let mut window = super::studies::open();
    window.does(Command::ShowMoreOfTrace(true));
    for size in [Vec2::new(900.0, 600.0), Vec2::new(1280.0, 720.0), Vec2::new(1600.0, 1000.0)] {
        window.harness.set_size(size);
        window.show(Pane::Trace);
        let usual = window.app().state.settings.trace.clone();
        let before = window.places();
        let change = |window: &mut Window, n_samples, seed| {
            let trace = &mut window.harness.state_mut().state.settings.trace;
            (trace.n_samples, trace.seed) = (n_samples, seed);
            window.harness.run_steps(3);
        };
        change(&mut window, 9, 2);
        assert_eq!(moved(&before, &window.places()), Vec::<String>::new(), "at {size:?}");
        window.harness.state_mut().state.settings.trace = usual;
        window.harness.run_steps(3);
    }
}

/// A box with a list is as wide whichever choice it shows.
#[test]
fn nothing_moves_when_another_choice_is_taken() {
    let mut window = super::studies::open();
    window.harness.set_size(Vec2::new(1600.0, 1000.0));
    window.show(Pane::Variants);
    let before = window.places();
    let kind = "Subject becomes";
    window.harness.get_by_role_and_label(Role::ComboBox, kind).focus();
    window.harness.run_steps(2);
    for _ in 0..12 {
        window.harness.key_press(Key::ArrowUp);
        window.harness.run_steps(3);
        let now = window.harness.get_by_role_and_label(Role::ComboBox, kind).rect();
        assert_eq!([now], before[&format!("ComboBox {kind}")][..]);
    }
}

#[test]
fn what_is_wrong_with_a_typed_fact_stands_below_its_button() {
    let mut window = Window::open();
    window.click("Type a fact");
    // It opens slowly.
    window.harness.run_steps(30);
    let button = |window: &Window| window.harness.get_by_label("Analyse").rect();
    let before = button(&window);
    window.click("Analyse");
    window.sees("Type a prompt first");
    assert_eq!(button(&window), before);
}

/// Whether it is in the menu bar, one of the facts at the left, or a part of what a view shows.
fn is_shown(node: &Node<'_>) -> bool {
    let name = node.accesskit_node().label().unwrap_or_default();
    let role = node.accesskit_node().role();
    let is_of_list = node.rect().left() < 290.0 && node.rect().top() > 70.0;
    let is_menu = node.rect().top() < 30.0;
    is_menu
        || is_of_list
        || name.starts_with("Token ")
        || matches!(role, Role::Canvas | Role::Splitter)
}

#[test]
fn there_is_little_to_press_at_first() {
    let options = Options {
        model: Some("builtin".into()),
        facts: Some("builtin".into()),
        ..Options::default()
    };
    let mut window = Window::new(options, None);
    window.wait("the model", |app| app.state.info().is_some() && !app.state.facts.is_empty());
    window.wait_for_predictions();
    for size in [Vec2::new(1360.0, 850.0), Vec2::new(1280.0, 720.0)] {
        window.harness.set_size(size);
        window.harness.run_steps(4);
        let controls: Vec<String> = window
            .controls()
            .filter(|it| !is_shown(it))
            .map(|it| super::accessible::described(&it))
            .collect();
        assert!(controls.len() <= 25, "{} at {size}: {controls:#?}", controls.len());
    }
}

/// What takes room only for a while gives it back.
#[test]
fn the_list_is_as_wide_as_before_after_a_narrow_window() {
    let mut window = Window::open();
    let width = |window: &Window| window.harness.get_by_label("Search facts").rect().width();
    let big = Vec2::new(1280.0, 720.0);
    window.set_window(big, 1.0);
    let before = width(&window);
    for (size, zoom) in [(big, 2.0), (Vec2::new(560.0, 600.0), 1.0)] {
        window.set_window(size, zoom);
        assert!(width(&window) < before - 10.0, "at {size} × {zoom}");
        window.set_window(big, 1.0);
        assert!((width(&window) - before).abs() < 1.0, "{} after {size} × {zoom}", width(&window));
    }
    // One that is dragged stays so.
    let edge = window.harness.get_by_label("Search facts").rect().right() + 10.0;
    let (from, to) = (eframe::egui::pos2(edge, 500.0), eframe::egui::pos2(edge + 60.0, 500.0));
    window.drags(from, to);
    let dragged = width(&window);
    assert!(dragged > before + 40.0, "{before} before, then {dragged}");
    window.set_window(Vec2::new(640.0, 600.0), 1.0);
    window.set_window(big, 1.0);
    assert!((width(&window) - dragged).abs() < 1.0, "{}", width(&window));
}

/// Where the controls of a view are, whichever of them can be pressed now.
fn of_view(window: &Window, pane: Pane) -> Places {
    let place = window.region(pane).rect();
    let mut places = window.places();
    places.retain(|_, rects| {
        rects.retain(|it| place.contains_rect(*it));
        !rects.is_empty()
    });
    places
}

/// Its button is another, and how far it is comes and goes.
#[test]
fn nothing_moves_when_a_sweep_ends() {
    let (mut window, _home) = Window::with_sweeps();
    window.list_few("capital ia");
    window.show(Pane::Ablation);
    window.asks_over(Pane::Ablation);
    window.does(Command::StartSweep);
    window.wait("the first facts", |app| {
        let read = app.state.many.open.as_ref().and_then(|it| it.read.as_ref());
        read.is_some_and(|it| !it.population.facts.is_empty())
    });
    let sweep = window.app().state.jobs.iter().find(|(_, it)| it.kind.is_sweep());
    let (id, job) = sweep.expect("it is too fast to be stopped");
    // How far it is is said in the same words at both places.
    let percent = job.percent();
    assert!(percent.ends_with(" %") && percent.contains('.'), "{percent}");
    let before = of_view(&window, Pane::Sweep);
    assert!(before.contains_key("ComboBox Groups") && before.contains_key("Button Open sweep…"));
    window.does(Command::CancelJob(id));
    window.sweep_ends();
    let after = of_view(&window, Pane::Sweep);
    for name in ["ComboBox Groups", "ComboBox Chart", "Button Open sweep…"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    let stop = &before["Button Stop"];
    assert_eq!(after["Button Go on"], *stop, "one button in the place of the other");
}

/// What stands before them is as long in both.
#[test]
fn nothing_moves_when_the_other_row_is_looked_at() {
    let mut window = with_all_results();
    for size in [Vec2::new(1280.0, 720.0), Vec2::new(1600.0, 1000.0)] {
        window.harness.set_size(size);
        for pane in [Pane::Trace, Pane::Prediction, Pane::LogitLens, Pane::Attribution] {
            window.show(pane);
            let places = |window: &mut Window, row| {
                window.does(Command::LookAt(row));
                window.wait("the answer", |app| app.state.result(pane).is_some());
                let mut places = of_view(window, pane);
                places.retain(|name, _| {
                    ["Export…", "Metric", "Fold"].iter().any(|it| name.contains(it))
                });
                assert!(!places.is_empty(), "{pane:?}");
                places
            };
            let before = places(&mut window, Row::First);
            let after = places(&mut window, Row::Second);
            assert_eq!(after, before, "{pane:?} at {size}");
        }
    }
}
