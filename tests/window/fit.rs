//! All that a view shows lies inside the window, or inside something that scrolls to it; texts do not
//! touch, maps are high enough to be read, and tables are as narrow as their place.

use std::collections::BTreeSet;
use std::fs;

use eframe::egui::accesskit::Role;
use eframe::egui::{Rect, Vec2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::figure::{Chart, Key};
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::{Pane, View};
use factscope::ui::state::Paint;

use super::accessible::described;
use super::pictures::fixture;
use super::support::Window;
use super::workspace::arranged;

mod doubts;
mod first;
mod long;
mod seen;

pub use seen::id_of;
use seen::matters;

/// The window's size in points, and its zoom.
const SIZES: [(Vec2, f32); 4] = [
    (vec2(900.0, 600.0), 1.0),
    (vec2(1280.0, 720.0), 1.0),
    (vec2(1600.0, 1000.0), 1.0),
    (vec2(1600.0, 1000.0), 1.5),
];

/// Windows that are usual on today's screens, and their zoom.
const USUAL: [(Vec2, f32); 8] = [
    (vec2(1360.0, 850.0), 1.0),
    (vec2(1280.0, 720.0), 1.0),
    (vec2(1366.0, 768.0), 1.0),
    (vec2(1440.0, 900.0), 1.0),
    (vec2(1920.0, 1080.0), 1.0),
    (vec2(2560.0, 1440.0), 1.0),
    (vec2(1920.0, 1080.0), 1.25),
    (vec2(1920.0, 1080.0), 1.5),
];

/// Points that rounding may take.
const TOLERANCE: f32 = 2.0;

/// The least height in points of a line of a title.
const LEAST_TITLE: f32 = 14.0;

/// The least height in points of a map, of which whole pixels may take some.
const LEAST_MAP: f32 = 90.0;

/// The window with a session of all views.
pub fn with_all_results() -> Window {
    let options = Options { session: Some(fixture()), ..Options::default() };
    let mut window = Window::new(options, None);
    window.wait("the session", |app| app.state.session.is_some() && app.state.info().is_some());
    window.harness.state_mut().state.preferences.measures_recall = false;
    window
}

/// Views whose tables and maps are as narrow as a third of a small screen; the others have more columns
/// than that can hold.
#[test]
fn on_a_small_screen_no_view_is_wider_than_its_place() {
    let mut window = with_all_results();
    window.does(Command::ResetLayout);
    window.set_window(vec2(1280.0, 720.0), 1.0);
    let mut wrong = Vec::new();
    for pane in Pane::ALL {
        window.show(pane);
        window.harness.run_steps(4);
        let place = window.place_of(pane).expand(TOLERANCE);
        let texts = window.texts(pane);
        let outside = texts.iter().filter(|it| it.1.right() > place.right());
        wrong.extend(
            outside.map(|it| format!("{pane:?}: {} to {} in {place:?}", it.0, it.1.right())),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn maps_are_high_enough_to_be_read_on_a_small_screen() {
    let mut window = with_all_results();
    window.does(Command::ResetLayout);
    window.set_window(vec2(1280.0, 720.0), 1.0);
    for pane in [Pane::Trace, Pane::Patching, Pane::Comparison, Pane::Heads, Pane::LogitLens] {
        window.show(pane);
        window.harness.run_steps(4);
        let heights = window.map_heights(pane);
        let is_high = |height: &f32| *height >= LEAST_MAP;
        assert!(!heights.is_empty() && heights.iter().all(is_high), "{pane:?}: {heights:?}");
    }
}

/// In a pane of a small screen each has more than a third of the width, with the small print beside them.
#[test]
fn attention_fills_its_room_on_a_small_screen() {
    let mut window = with_all_results();
    window.does(Command::Paint(Paint::Clear));
    window.does(Command::ResetLayout);
    window.set_window(vec2(1280.0, 720.0), 1.0);
    window.show(Pane::Attention);
    window.harness.run_steps(4);
    let place = window.place_of(Pane::Attention);
    let nodes = window.region(Pane::Attention).children_recursive();
    let maps: Vec<Rect> =
        nodes.filter(|it| it.accesskit_node().role() == Role::Canvas).map(|it| it.rect()).collect();
    assert!(maps.len() == 2 && maps.iter().all(|it| it.height() > 0.3 * place.width()), "{maps:?}");
    let lowest = maps.iter().map(|it| it.bottom()).fold(0.0, f32::max);
    assert!(lowest > place.bottom() - 0.25 * place.height(), "{maps:?} in {place:?}");
    assert_eq!(window.scroll_bars(Pane::Attention), [false; 2]);
}

/// A title stands behind its buttons, or where it is longer than the rest of their line, below them.
#[test]
fn every_figure_is_exported_from_its_view() {
    let mut window = with_all_results();
    window.does(Command::ResetLayout);
    let mut n_below = 0;
    for (size, zoom) in SIZES {
        window.set_window(size, zoom);
        for pane in Pane::ALL {
            let Some(figure) = window.app().figure(pane) else { continue };
            // Its menu exports it: beside its title stand the fields of the head.
            if pane == Pane::Attention {
                continue;
            }
            window.show(pane);
            window.harness.run_steps(4);
            let at = format!("{pane:?} at {size} and {zoom}");
            let texts = window.texts(pane);
            let buttons: Vec<Rect> =
                texts.iter().filter(|it| it.0 == "Export…").map(|it| it.1).collect();
            assert!(!buttons.is_empty(), "{at}: {texts:?}");
            for (_, title) in texts.iter().filter(|it| it.0 == figure.title) {
                let beside = |it: &Rect| title.y_range().intersects(it.y_range());
                let is_one_line = title.height() < 2.0 * LEAST_TITLE;
                assert!(is_one_line || !buttons.iter().any(beside), "{at}: {texts:?}");
                n_below += usize::from(!is_one_line);
            }
        }
    }
    assert!(n_below > 0, "no title is longer than a line");
}

/// In whichever view, and however much of it its settings take.
#[test]
fn maps_of_heads_have_rows_of_one_height() {
    let mut window = with_all_results();
    window.does(Command::ResetLayout);
    window.set_window(vec2(1280.0, 720.0), 1.0);
    let mut heights = Vec::new();
    for pane in [Pane::Ablation, Pane::Paths, Pane::Heads, Pane::Parts] {
        window.show(pane);
        window.harness.run_steps(4);
        let figure = window.app().figure(pane).unwrap_or_else(|| panic!("{pane:?}"));
        let n_rows = figure.charts.iter().find_map(|chart| match chart {
            Chart::Map(map) if matches!(map.rows.keys.first(), Some(Key::Head(_))) => {
                Some(map.n_rows())
            }
            _ => None,
        });
        let Some(n_rows) = n_rows else { continue };
        heights.push((pane, window.map_heights(pane)[0] / n_rows as f32));
    }
    assert!(heights.len() >= 3, "{heights:?}");
    let all = heights.iter().map(|it| it.1);
    let (low, high) = (all.clone().fold(f32::INFINITY, f32::min), all.fold(0.0, f32::max));
    assert!(low > 0.8 * high, "{heights:?}");
}

/// A name that says between what a quantity lies is that of colours from one to the other.
#[test]
fn colour_bars_end_where_their_names_say() {
    let window = with_all_results();
    let mut n_maps = 0;
    for pane in Pane::ALL {
        let Some(figure) = window.app().figure(pane) else { continue };
        for chart in &figure.charts {
            let Chart::Map(map) = chart else { continue };
            n_maps += 1;
            let says = map.quantity.contains("0 to 1");
            assert!(!says || map.range == (0.0, 1.0), "{pane:?}: {} {:?}", map.name, map.range);
        }
    }
    assert!(n_maps > 20, "{n_maps}");
}

/// A view whose content is too high gives the points from its maps before it scrolls, and none is too
/// wide.
#[test]
fn maps_give_room_before_a_view_scrolls() {
    let mut window = with_all_results();
    window.does(Command::ResetLayout);
    let mut wrong = Vec::new();
    for (size, zoom) in USUAL {
        window.set_window(size, zoom);
        for pane in Pane::ALL {
            window.show(pane);
            window.harness.run_steps(4);
            let [across, down] = window.scroll_bars(pane);
            if across {
                let place = window.place_of(pane);
                let nodes = window.region(pane).children_recursive();
                let outside: Vec<String> = nodes
                    .filter(|it| it.accesskit_node().data().bounds().is_some())
                    .filter(|it| it.rect().right() > place.right() - 10.0)
                    .map(|it| {
                        format!(
                            "{:?} {} at {:?}",
                            it.accesskit_node().role(),
                            described(&it),
                            it.rect()
                        )
                    })
                    .collect();
                wrong.push(format!("{pane:?} at {size} × {zoom} scrolls across: {outside:?}"));
            }
            let heights = window.map_heights(pane);
            if pane == Pane::Trace && down && heights.iter().any(|it| *it > LEAST_MAP) {
                wrong.push(format!("{pane:?} at {size} × {zoom} scrolls down: {heights:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The runs behind a cell are in sight beside or below the map that the cell is picked in.
#[test]
fn why_this_cell_is_in_sight_with_its_map() {
    let mut window = with_all_results();
    window.does(Command::ResetLayout);
    for size in [vec2(1280.0, 720.0), vec2(2560.0, 1440.0)] {
        window.set_window(size, 1.0);
        window.show(Pane::Cell);
        window.harness.run_steps(4);
        let place = window.place_of(Pane::Cell).expand(TOLERANCE);
        let texts = window.texts(Pane::Cell);
        let is_seen = |wanted: &str| {
            texts.iter().any(|it| it.0.contains(wanted) && place.contains_rect(it.1))
        };
        for wanted in ["Causal trace: ", "Why this cell? Hidden states restored", "0.02470"] {
            assert!(is_seen(wanted), "{wanted} at {size}: {texts:#?}");
        }
    }
}

/// The bars of the window and what stands above the list of facts. The list scrolls, and so do rows of tabs.
#[test]
fn what_stands_beside_the_views_is_in_sight() {
    let mut window = with_all_results();
    let mut wrong = Vec::new();
    for (size, zoom) in SIZES {
        window.set_window(size, zoom);
        let whole = window.harness.ctx.content_rect().expand(TOLERANCE);
        let views = window.harness.query_all_by_role(Role::TabPanel);
        let of_views: BTreeSet<_> = views
            .flat_map(|it| it.children_recursive().map(|it| id_of(&it)).collect::<Vec<_>>())
            .collect();
        let nodes = window.harness.root().children_recursive().filter(matters);
        let nodes: Vec<_> = nodes
            .filter(|it| !of_views.contains(&id_of(it)))
            .filter(|it| it.accesskit_node().role() != Role::ListBoxOption)
            .filter(|it| {
                let name = it.accesskit_node().label().unwrap_or_default();
                View::ALL.into_iter().all(|view| view.text() != name)
            })
            .collect();
        assert!(nodes.len() > 20, "{}", nodes.len());
        let outside = nodes.iter().filter(|it| !whole.contains_rect(it.rect()));
        wrong.extend(outside.map(|it| format!("{} at {size} × {zoom}", described(it))));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn everything_of_every_view_is_in_sight_or_can_be_scrolled_to() {
    with_all_results().everything_fits(&SIZES, &Pane::ALL, Window::alone);
}

#[test]
fn everything_fits_above_another_view_and_below_a_banner() {
    let unsaved = tempfile::tempdir().unwrap();
    fs::copy(fixture(), unsaved.path().join("1-0.factscope")).unwrap();
    let options = Options {
        session: Some(fixture()),
        unsaved: Some(unsaved.path().to_owned()),
        ..Options::default()
    };
    let mut window = Window::new(options, None);
    window.wait("the session", |app| app.state.session.is_some() && app.state.info().is_some());
    window.harness.state_mut().state.preferences.measures_recall = false;
    window.sees("ended without being closed. What it had found is kept, last written just now");
    window.everything_fits(&SIZES[..2], &Pane::ALL, Window::docked);
}

/// One head and all heads share a wide pane, and what grows with it are both.
#[test]
fn one_head_stands_beside_all_heads_where_the_pane_is_wide() {
    let mut window = with_all_results();
    window.does(Command::Paint(Paint::Clear));
    window.alone(Pane::Attention);
    let mut sides = Vec::new();
    for size in [vec2(1100.0, 640.0), vec2(1280.0, 720.0), vec2(1600.0, 1000.0)] {
        window.set_window(size, 1.0);
        let nodes = window.region(Pane::Attention).children_recursive();
        let maps: Vec<Rect> = nodes
            .filter(|it| it.accesskit_node().role() == Role::Canvas)
            .map(|it| it.rect())
            .collect();
        let &[one, all] = maps.as_slice() else { panic!("{maps:?}") };
        assert!(one.right() < all.left() && one.top() == all.top(), "{one:?} {all:?} at {size}");
        assert_eq!(window.scroll_bars(Pane::Attention), [false; 2], "at {size}");
        sides.push([one.width(), all.width()]);
    }
    let [first, _, last] = sides[..] else { panic!("{sides:?}") };
    assert!(last[0] > first[0] && last[1] > first[1], "both grow: {sides:?}");

    // In the usual arrangement neither has less than half of the lower right place.
    window.does(Command::ResetLayout);
    window.show(Pane::Attention);
    let (place, heights) = (window.place_of(Pane::Attention), window.map_heights(Pane::Attention));
    assert!(heights.iter().all(|it| *it > 0.25 * place.width()), "{heights:?} in {place:?}");
}

/// Its tables have more numbers than stand beside each other, and the facts behind one of them are listed.
#[test]
fn a_sweep_fits_its_place() {
    let (mut window, _home) = Window::swept(Pane::Trace, |_| ());
    window.does(Command::ResetLayout);
    window.show(Pane::Sweep);
    let read = window.app().state.many.open.as_ref().unwrap().read.clone().unwrap();
    let places = read.figure.charts.iter().zip(&read.behind);
    let mut places = places.map(|(chart, it)| (chart.name(), it.iter().position(Option::is_some)));
    let (chart, place) = places.find_map(|(name, nth)| Some((name, nth?))).unwrap();
    window.does(Command::ShowBehind(chart.into(), place));
    window.sees("Click a fact to see it by itself");
    for (size, zoom) in SIZES.into_iter().chain(USUAL) {
        window.set_window(size, zoom);
        window.show(Pane::Sweep);
        window.harness.run_steps(4);
        let [across, _] = window.scroll_bars(Pane::Sweep);
        assert!(!across, "at {size} × {zoom}");
    }
}

/// Beside two others on a small screen: its charts stand one below the other, and each fills the width.
#[test]
fn a_sweep_fits_a_narrow_column() {
    let (mut window, _home) = Window::swept(Pane::Trace, |_| ());
    window.set_window(vec2(1280.0, 720.0), 1.0);
    let places: [(&[&str], usize); 3] = [(&["Trace"], 0), (&["Prediction"], 0), (&["Sweep"], 0)];
    *window.harness.state_mut().workspace_mut() =
        serde_json::from_str(&arranged("Horizontal", &places)).unwrap();
    window.harness.run_steps(6);
    let place = window.place_of(Pane::Sweep);
    assert!((250.0..360.0).contains(&place.width()), "{place:?}");
    let nodes = window.region(Pane::Sweep).children_recursive();
    let maps: Vec<Rect> =
        nodes.filter(|it| it.accesskit_node().role() == Role::Canvas).map(|it| it.rect()).collect();
    assert!(maps.len() >= 2 && maps.iter().all(|it| it.width() > 0.3 * place.width()), "{maps:?}");
    assert!(maps.windows(2).all(|it| it[0].bottom() < it[1].top()), "{maps:?}");
    assert!(!window.scroll_bars(Pane::Sweep)[0]);
}

/// Its buttons, its folder and how far it is do not lie over each other.
#[test]
fn a_sweep_that_runs_fits_its_place() {
    let (mut window, _home) = Window::with_sweeps();
    window.does(Command::ResetLayout);
    window.asks_over(Pane::Trace);
    window.does(Command::StartSweep);
    if window.app().state.many.asking.is_some() {
        // It takes long, which is asked about.
        window.does(Command::StartSweep);
    }
    for (size, zoom) in SIZES.into_iter().chain(USUAL) {
        window.set_window(size, zoom);
        window.show(Pane::Sweep);
        window.harness.run_steps(4);
        assert!(window.app().state.jobs.iter().any(|(_, job)| job.kind.is_sweep()));
        assert_eq!(window.touching(Pane::Sweep), Vec::<String>::new(), "at {size} × {zoom}");
        assert!(!window.scroll_bars(Pane::Sweep)[0], "at {size} × {zoom}");
    }
}

/// In the usual arrangement, where the trace has the pane of a small window.
#[test]
fn the_settings_of_the_trace_fit_a_small_window() {
    let mut window = with_all_results();
    window.does(Command::ResetLayout);
    window.does(Command::ShowMoreOfTrace(true));
    window.everything_fits(&SIZES[..2], &[Pane::Trace], |window, pane| {
        window.show(pane);
        window.harness.run_steps(4);
    });
}
