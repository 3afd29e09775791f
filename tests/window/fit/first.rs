//! Windows that nobody has arranged: what is in sight of the first views, and the rows of tabs.

use eframe::egui::accesskit::Role;
use eframe::egui::{
    Event, Modifiers, MouseWheelSource, MouseWheelUnit, Rect, Shape, TouchPhase, vec2,
};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::analysis::causal_trace::Component;
use factscope::facts::Dataset;
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::{Pane, View};
use factscope::ui::row::Row;
use factscope::ui::state::{FactId, Run};

use super::super::support::{Window, tiny};
use super::{LEAST_MAP, TOLERANCE, with_all_results};

/// As the program begins: with its own model and facts.
fn at_first_launch() -> Window {
    let options = Options {
        model: Some("builtin".into()),
        facts: Some("builtin".into()),
        ..Options::default()
    };
    let mut window = Window::new(options, None);
    window.harness.state_mut().state.preferences.measures_recall = false;
    window.wait("the model", |app| app.state.info().is_some() && !app.state.facts.is_empty());
    window
}

/// With the first fact traced, and the hint.
#[test]
fn the_first_view_on_a_small_screen_needs_no_scroll_bar() {
    let mut window = at_first_launch();
    window.set_window(vec2(1280.0, 720.0), 1.0);
    window.wait_for_predictions();
    window.does(Command::Trace);
    window.trace_ends();
    window.wait("the rest", |app| app.state.jobs.iter().next().is_none());
    window.sees("Got it");
    assert_eq!(window.scroll_bars(Pane::Trace), [false; 2]);
    let heights = window.map_heights(Pane::Trace);
    assert!(heights.len() == 2 && heights.iter().all(|it| *it >= LEAST_MAP), "{heights:?}");
    // The settings of the corruption stand there to their end.
    let place = window.place_of(Pane::Trace).expand(TOLERANCE);
    let texts = window.texts(Pane::Trace);
    let settings: Vec<_> = texts.iter().filter(|it| it.0.starts_with("Clean ")).collect();
    let are_seen = settings.iter().all(|it| place.contains_rect(it.1));
    assert!(settings.len() >= 2 && are_seen, "{settings:?} in {place:?}");
    assert!(!window.harness.output().shapes.iter().any(|it| is_cut(&it.shape, place)));
}

/// Whether a text in a place ends in an ellipsis for want of room.
fn is_cut(shape: &Shape, place: Rect) -> bool {
    match shape {
        Shape::Vec(shapes) => shapes.iter().any(|it| is_cut(it, place)),
        Shape::Text(text) => text.galley.elided && place.contains(text.pos),
        _ => false,
    }
}

/// The views whose titles are in sight.
///
/// # Panics
///
/// If a part of a title is.
#[track_caller]
fn titles(window: &Window) -> Vec<View> {
    let mut whole = Vec::new();
    for shape in &window.harness.output().shapes {
        let Shape::Text(text) = &shape.shape else { continue };
        let title = View::ALL.into_iter().find(|it| it.text() == text.galley.text());
        let (at, Some(title)) = (text.visual_bounding_rect(), title) else { continue };
        let seen = at.intersect(shape.clip_rect);
        if seen.is_positive() {
            let (seen, width) = (seen.width(), at.width());
            assert!(seen >= width - 1.0, "{title:?}: {seen} of {width}");
            whole.push(title);
        }
    }
    whole
}

/// A row of tabs that is scrolled shows each title whole or not at all, and the one in front whole.
#[test]
fn no_tab_shows_a_part_of_its_title() {
    let mut window = with_all_results();
    window.does(Command::ResetLayout);
    window.set_window(vec2(1280.0, 720.0), 1.0);
    for view in View::ALL {
        window.show(view.first_mode());
        window.harness.run_steps(12);
        let whole = titles(&window);
        assert!(whole.contains(&view), "{view:?} is not among {whole:?}");
    }
}

/// In an arrangement that was kept.
#[test]
fn the_tab_in_front_is_in_sight_without_being_asked_for() {
    let mut window = with_all_results();
    window.set_window(vec2(1920.0, 1080.0), 1.0);
    for view in View::ALL {
        window.show(view.first_mode());
    }
    let last = View::ALL[View::ALL.len() - 1];
    let kept = serde_json::to_string(window.harness.state_mut().workspace_mut()).unwrap();

    let mut window = with_all_results();
    window.set_window(vec2(1280.0, 720.0), 1.0);
    *window.harness.state_mut().workspace_mut() = serde_json::from_str(&kept).unwrap();
    window.harness.run_steps(12);
    let whole = titles(&window);
    assert!(whole.contains(&last) && whole.len() < View::ALL.len(), "{whole:?}");
}

/// A new list is not where the one before it was left.
#[test]
fn a_list_of_facts_begins_where_the_chosen_one_is_in_sight() {
    let mut window = at_first_launch();
    let is_seen = |window: &Window, nth: usize| {
        let prompt = &window.app().state.facts.get(FactId::Record(nth)).unwrap().fact.prompt;
        let start = format!("{prompt} → ");
        let mut facts = window.harness.query_all_by_role(Role::ListBoxOption);
        facts.any(|it| it.accesskit_node().label().unwrap_or_default().starts_with(&start))
    };
    assert!(is_seen(&window, 0));
    window.does(Command::Select(FactId::Record(869)));
    window.does(Command::NextFact);
    window.harness.run_steps(3);
    assert!(is_seen(&window, 870) && !is_seen(&window, 0));
    window.does(Command::Select(FactId::Record(0)));
    assert!(!is_seen(&window, 0));
    window.does(Command::SearchFacts(String::new()));
    window.harness.run_steps(3);
    assert!(is_seen(&window, 0));
}

/// The list of the likeliest tokens has room for all its rows, and takes the width of its place.
#[test]
fn the_prediction_is_in_sight_where_the_window_is_large() {
    let mut window = at_first_launch();
    window.wait_for_predictions();
    for size in [vec2(1600.0, 1000.0), vec2(1920.0, 1080.0), vec2(2560.0, 1440.0)] {
        window.set_window(size, 1.0);
        assert_eq!(window.scroll_bars(Pane::Prediction), [false; 2], "at {size}");
        let (place, texts) = (window.place_of(Pane::Prediction), window.texts(Pane::Prediction));
        let right = texts.iter().map(|it| it.1.right()).fold(0.0, f32::max);
        assert!(place.right() - right < 90.0, "to {right} in {place:?} at {size}");
    }
}

#[test]
fn what_is_unfolded_above_the_list_leaves_it_its_room() {
    let mut window = at_first_launch();
    for unfolded in ["Filter and sort", "Type a fact"] {
        window.set_window(vec2(1600.0, 1000.0), 1.0);
        window.click(unfolded);
        for (size, zoom) in [
            (vec2(1280.0, 720.0), 1.0),
            (vec2(900.0, 600.0), 1.0),
            (vec2(1280.0, 720.0), 1.5),
            (vec2(900.0, 600.0), 1.5),
        ] {
            window.set_window(size, zoom);
            window.harness.run_steps(8);
            let bottom = size.y / zoom;
            let rows = window.harness.query_all_by_role(Role::ListBoxOption).map(|it| it.rect());
            let in_sight = rows.filter(|it| it.is_positive() && it.bottom() < bottom).count();
            assert!(in_sight >= 2, "{in_sight} rows below {unfolded} at {size} and {zoom}");
        }
    }
    // What has no room above the list is scrolled to.
    let pos = window.harness.get_by_role_and_label(Role::TextInput, "Search facts").rect().center();
    let pos = pos + vec2(0.0, 40.0);
    window.harness.event(Event::PointerMoved(pos));
    for _ in 0..8 {
        window.harness.event(Event::MouseWheel {
            unit: MouseWheelUnit::Point,
            delta: vec2(0.0, -400.0),
            modifiers: Modifiers::NONE,
            phase: TouchPhase::Move,
            source: MouseWheelSource::Wheel,
        });
        window.harness.run_steps(8);
    }
    let place = window.harness.get_by_label("Analyse").rect();
    let list = window.harness.query_all_by_role(Role::ListBoxOption).map(|it| it.rect().top());
    let top = list.fold(f32::INFINITY, f32::min);
    assert!(place.bottom() <= top, "{place} above {top}");
}

/// However long the model's name and whatever stands beside it.
#[test]
fn the_way_back_from_a_changed_model_and_the_dataset_are_in_sight() {
    let home = tempfile::tempdir().unwrap();
    let model = home.path().join("SmolLM2-135M-Instruct-with-a-long-name.Q4_1");
    std::fs::create_dir(&model).unwrap();
    for file in std::fs::read_dir(tiny()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), model.join(file.file_name())).unwrap();
    }
    let options =
        Options { model: Some(model), facts: Some(Dataset::BUNDLED.into()), ..Options::default() };
    let mut window = Window::new(options, None);
    window.wait("the model", |app| app.state.info().is_some() && !app.state.facts.is_empty());
    window.wait_for_predictions();
    let in_sight = |window: &Window, text: &str| {
        let place = window.harness.get_by_label(text).rect();
        let all = window.harness.ctx.content_rect();
        assert!(all.contains_rect(place), "{text} at {place}, {all}");
    };
    let sizes = [(900.0, 1.0), (860.0, 1.0), (950.0, 1.0), (1100.0, 1.0), (1280.0, 1.5)];
    let facts = format!("{} facts", grouped(window.app().state.facts.len()));
    for is_changed in [false, true] {
        for (width, zoom) in sizes {
            window.set_window(vec2(width, 720.0), zoom);
            in_sight(&window, &facts);
            if is_changed {
                in_sight(&window, "changed model");
                in_sight(&window, "Back");
            }
        }
        window.does(Command::Study(Pane::Steering));
        window.wait("the jobs", |app| app.state.jobs.asked().next().is_none());
        window.does(Command::ApplyEdit(Pane::Steering));
        window.wait("the change", |app| !app.state.edits.is_empty() && !app.state.is_changing());
    }
}

fn grouped(n: usize) -> String {
    if n < 1000 { n.to_string() } else { format!("{},{:03}", n / 1000, n % 1000) }
}

/// Twelve views beside each other leave a map little room.
#[test]
fn the_title_of_an_axis_is_shortened_where_it_does_not_fit() {
    let mut window = at_first_launch();
    window.wait_for_predictions();
    window.wait("the noise", |app| app.state.trace_spec(Row::First).is_some());
    window.does(Command::ShowKind(Component::Mlp));
    window.does(Command::Trace);
    window.wait("the traces", |app| app.state.trace(Row::First).is_some_and(Run::is_done));
    window.does(Command::SpreadViews);
    // High enough that the map is not below the fold.
    window.set_window(vec2(1600.0, 1600.0), 1.5);
    window.harness.run_steps(4);
    let titles = window.texts_painted(Pane::Trace, "Layer at");
    let titles: Vec<_> = titles.iter().filter(|it| it.0.contains('…')).collect();
    assert!(!titles.is_empty() && titles.iter().all(|it| !it.1), "{titles:?}");
}
