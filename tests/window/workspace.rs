//! Views that are opened, closed, brought to the front and put back.

use std::collections::BTreeSet;

use eframe::egui::accesskit::Role;
use eframe::egui::{self, Key, Vec2};
use egui_kittest::Node;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::ui::command::Command;
use factscope::ui::pane::{Pane, View};
use factscope::ui::workspace::Workspace;
use serde_json::json;

use super::support::Window;

impl Window {
    fn workspace(&self) -> &Workspace {
        self.app().workspace()
    }

    fn click_tab(&mut self, view: View) {
        let tabs = self.harness.get_all_by_role_and_label(Role::Button, view.text());
        // Settings may be called the same; tabs lie above them.
        let top = tabs.min_by(|a, b| a.rect().top().total_cmp(&b.rect().top()));
        top.unwrap().click();
        self.harness.run_steps(3);
    }
}

#[test]
fn every_mode_comes_to_the_front_when_asked_for() {
    let mut window = Window::open();
    for (nth, view) in View::ALL.into_iter().enumerate() {
        assert_eq!(window.workspace().is_open(view), nth < View::N_USUAL, "{view:?}");
    }
    for pane in Pane::ALL {
        window.does(Command::ShowPane(pane));
        assert!(window.workspace().is_in_front(pane), "{pane:?}");
        // Its view has one tab, and it is named there for those who hear it.
        let is_tab = |it: &Node<'_>| it.rect().height() < 30.0 && it.rect().left() > 200.0;
        let tabs = window.harness.get_all_by_role_and_label(Role::Button, pane.view().text());
        assert!(tabs.filter(is_tab).count() >= 1, "{pane:?}");
        let others = pane.view().modes().filter(|it| *it != pane);
        assert!(others.into_iter().all(|it| !window.workspace().is_in_front(it)), "{pane:?}");
    }
    window.harness.state_mut().workspace_mut().reset();
    window.harness.run_steps(3);
    window.click_tab(View::Lens);
    assert!(window.workspace().is_in_front(Pane::LogitLens));
    assert!(!window.workspace().is_in_front(Pane::Prediction));
}

#[test]
fn each_mode_belongs_to_one_view_and_each_view_has_some() {
    for view in View::ALL {
        let modes: Vec<Pane> = view.modes().collect();
        assert_eq!(modes.first(), Some(&view.first_mode()));
        let names: BTreeSet<&str> = modes.iter().map(|pane| pane.mode()).collect();
        assert_eq!(names.len(), modes.len(), "{view:?}: two modes share a name");
    }
    let keys: BTreeSet<&str> = Pane::ALL.iter().map(|pane| pane.key()).collect();
    assert_eq!(keys.len(), Pane::ALL.len());
}

#[test]
fn the_modes_of_a_view_stand_at_its_top() {
    let mut window = Window::open();
    window.show(Pane::Attention);
    let place = |window: &Window| {
        let modes = View::Attention.modes().map(|pane| pane.mode());
        modes.map(|mode| window.harness.get_by_label(mode).rect()).collect::<Vec<_>>()
    };
    let before = place(&window);
    window.click(Pane::Knockout.mode());
    assert!(window.workspace().is_in_front(Pane::Knockout));
    assert_eq!(place(&window), before, "they stay where they are");
    window.harness.get_by_label(Pane::Attention.mode()).focus();
    window.harness.run_steps(2);
    window.harness.key_press(Key::Space);
    window.harness.run_steps(3);
    assert!(window.workspace().is_in_front(Pane::Attention));

    // A view that is closed forgets its mode; one that is hidden keeps it.
    window.show(Pane::Paths);
    window.click_tab(View::Attention);
    window.click_tab(View::Patching);
    assert!(window.workspace().is_in_front(Pane::Paths));
}

#[test]
fn a_cell_of_the_trace_is_looked_into_beside_the_map() {
    let mut window = Window::open();
    window.click("Trace");
    window.trace_ends();
    window.click(Pane::Cell.mode());
    assert!(window.workspace().is_in_front(Pane::Cell));
    // The map and its settings are still there.
    window.sees("Causal trace");
    window.harness.get_by_label("Settings");
    window.sees("Click a cell of the trace");
}

#[test]
fn a_view_is_closed_and_opened_again_from_the_menu() {
    let mut window = Window::open();
    for view in [View::Attribution, View::Trace] {
        window.click("View");
        window.harness.get_by_role_and_label(Role::CheckBox, view.text()).click();
        window.harness.run_steps(3);
        assert!(!window.workspace().is_open(view), "{view:?}");
        window.harness.key_press(Key::Escape);
        window.harness.run_steps(3);
    }
    // The rest goes on.
    assert!(window.workspace().is_open(View::Prediction));

    window.click("View");
    window.harness.get_by_role_and_label(Role::CheckBox, View::Trace.text()).click();
    window.harness.run_steps(3);
    assert!(window.workspace().is_in_front(Pane::Trace));
    window.harness.key_press(Key::Escape);
    window.harness.run_steps(3);

    window.click("View");
    window.click("Usual arrangement");
    let is_open = |view: &View| window.workspace().is_open(*view);
    assert!(View::ALL[..View::N_USUAL].iter().all(is_open));
}

#[test]
fn when_all_views_are_closed_the_way_back_is_shown() {
    let mut window = Window::open();
    for view in View::ALL {
        window.harness.state_mut().workspace_mut().close(view);
    }
    window.harness.run_steps(3);
    window.sees("All views are closed");
    window.click("Usual arrangement");
    assert!(window.workspace().is_in_front(Pane::Trace));
}

#[test]
fn an_arrangement_is_kept_as_it_was() {
    let mut window = Window::open();
    window.harness.state_mut().workspace_mut().close(View::Lens);
    window.show(Pane::Knockout);
    let kept = serde_json::to_string(window.workspace()).unwrap();
    let mut again: Workspace = serde_json::from_str(&kept).unwrap();
    assert!(!again.is_open(View::Lens) && again.is_in_front(Pane::Knockout));

    // A closed view comes back where the others are, and a second time changes nothing.
    again.show(Pane::LogitLens);
    let once = again.clone();
    again.show(Pane::LogitLens);
    assert_eq!(again, once);
    assert!(again.is_in_front(Pane::LogitLens));
}

/// An arrangement as it is kept: places from the left, or with `Vertical` from the top, each a stack of
/// tabs of which one is in front.
pub fn arranged(dir: &str, places: &[(&[&str], usize)]) -> String {
    let mut tiles = serde_json::Map::new();
    let mut id = 0;
    let mut add = |tile: serde_json::Value| {
        id += 1;
        tiles.insert(id.to_string(), tile);
        id
    };
    let mut stacks = Vec::new();
    for (panes, in_front) in places {
        let panes: Vec<u64> = panes.iter().map(|pane| add(json!({ "Pane": pane }))).collect();
        let tabs = json!({ "children": panes, "active": panes[*in_front] });
        stacks.push(add(json!({ "Container": { "Tabs": tabs } })));
    }
    let linear = json!({ "children": stacks, "dir": dir, "shares": { "shares": {} } });
    let root = add(json!({ "Container": { "Linear": linear } }));
    let tiles = json!({ "next_tile_id": id + 1, "tiles": tiles, "invisible": [] });
    let tree = json!({ "id": 1, "root": root, "tiles": tiles, "height": null, "width": null });
    json!({ "tree": tree, "wanted": null }).to_string()
}

/// As an earlier version kept it, in which each mode was a view of its own.
fn earlier(places: &[(&[&str], usize)]) -> String {
    arranged("Horizontal", places)
}

#[test]
fn views_of_an_earlier_version_fall_together() {
    let places: [(&[&str], usize); 3] = [
        (&["Trace"], 0),
        (&["Prediction", "Attention", "Ablation", "Knockout", "Estimates"], 3),
        (&["Cell", "Trust", "Jobs", "Weights"], 0),
    ];
    let mut workspace: Workspace = serde_json::from_str(&earlier(&places)).unwrap();
    let open = View::ALL.into_iter().filter(|view| workspace.is_open(*view));
    let expected = [
        View::Trace,
        View::Prediction,
        View::Attention,
        View::Ablation,
        View::Routes,
        View::Record,
    ];
    assert_eq!(open.collect::<Vec<_>>(), expected);
    // What was in front still is; of two that were, the first of the list.
    assert!(workspace.is_in_front(Pane::Trace) && workspace.is_in_front(Pane::Knockout));
    assert!(!workspace.is_in_front(Pane::Cell));
    workspace.show(Pane::Cell);
    assert!(workspace.is_in_front(Pane::Cell) && !workspace.is_in_front(Pane::Trace));
}

#[test]
fn an_arrangement_that_holds_itself_is_not_taken_over() {
    let kept = earlier(&[(&["Trace"], 0), (&["Attention"], 0)]);
    // The stack of the trace holds the root.
    let kept = kept.replacen("\"children\":[1]", "\"children\":[5]", 1);
    let workspace: Workspace = serde_json::from_str(&kept).unwrap();
    assert_eq!(workspace, Workspace::default());
}

#[test]
fn views_that_nobody_has_moved_follow_the_size_of_the_window() {
    let mut window = Window::open();
    let at = |window: &Window, view: View| {
        let tabs = window.harness.get_all_by_role_and_label(Role::Button, view.text());
        let mut tabs =
            tabs.map(|it| it.rect()).filter(|it| it.left() > 200.0 && it.height() < 30.0);
        tabs.next().unwrap().left_top()
    };
    let sized = |window: &mut Window, width: f32, height: f32| {
        window.harness.set_size(Vec2::new(width, height));
        window.harness.run_steps(4);
        [View::Trace, View::Prediction, View::Lens].map(|view| at(window, view))
    };
    // All in one row.
    let [trace, prediction, lens] = sized(&mut window, 900.0, 600.0);
    assert!(trace.y == prediction.y && prediction.y == lens.y);
    assert!(window.workspace().is_in_front(Pane::Trace));
    // The trace beside the others.
    let [trace, prediction, lens] = sized(&mut window, 1280.0, 720.0);
    assert!(window.workspace().is_in_front(Pane::Trace));
    assert!(window.workspace().is_in_front(Pane::Prediction));
    assert!(trace.y == prediction.y && prediction.y == lens.y);
    // What was asked for meanwhile stays open and in front.
    window.show(Pane::Knockout);
    window.show(Pane::Jobs);
    // The prediction above the others.
    let [trace, prediction, lens] = sized(&mut window, 1600.0, 1000.0);
    assert!(trace.y == prediction.y && prediction.y < lens.y);
    assert!(window.workspace().is_in_front(Pane::Jobs));
    // Attention beside both.
    let [trace, prediction, _] = sized(&mut window, 2560.0, 1440.0);
    assert!(trace.x < prediction.x);
    assert!(window.workspace().is_in_front(Pane::Knockout));
    assert!(window.workspace().is_in_front(Pane::Jobs));

    // One that was moved stays where it is, with its share of the window, in a session too.
    let edge = egui::pos2(prediction.x - 1.0, 700.0);
    let to = edge - egui::vec2(150.0, 0.0);
    window.drags(edge, to);
    let moved = at(&window, View::Prediction);
    assert!(moved.x < prediction.x - 100.0, "{moved:?}");
    let share = (moved.x - trace.x) / (2560.0 - trace.x);
    let kept = serde_json::to_string(window.workspace()).unwrap();
    *window.harness.state_mut().workspace_mut() = serde_json::from_str(&kept).unwrap();
    let [trace, prediction, lens] = sized(&mut window, 900.0, 600.0);
    assert!(trace.y == prediction.y && prediction.y == lens.y, "there is room for one column");
    let [trace, prediction, _] = sized(&mut window, 2000.0, 1000.0);
    let now = (prediction.x - trace.x) / (2000.0 - trace.x);
    assert!((now - share).abs() < 0.02, "{share} before, now {now}");
    assert!(!window.workspace().is_in_front(Pane::LogitLens));
    assert!(window.workspace().is_in_front(Pane::Knockout), "it still has its own place");
}

/// Who has picked a tab looks for it where it was, while its column has room.
#[test]
fn views_that_somebody_has_touched_stay_where_they_are() {
    let mut window = Window::open();
    window.harness.set_size(Vec2::new(1600.0, 1000.0));
    window.harness.run_steps(4);
    window.click_tab(View::Attribution);
    let in_front = |window: &Window| {
        let panes = Pane::ALL.into_iter().filter(|pane| window.workspace().is_in_front(*pane));
        panes.collect::<Vec<_>>()
    };
    let before = in_front(&window);
    assert!(before.contains(&Pane::Attribution) && before.contains(&Pane::Prediction));
    let sizes = [[1280.0, 720.0], [900.0, 600.0], [1280.0, 720.0], [2560.0, 1440.0]];
    for size in sizes.map(Vec2::from) {
        window.harness.set_size(size);
        window.harness.run_steps(4);
        if size.x < 1000.0 {
            assert_eq!(in_front(&window), [Pane::Attribution], "what was picked last");
        } else {
            assert_eq!(in_front(&window), before, "at {size}");
        }
    }
}

/// In a narrow window, or one whose points are large; and they come apart again as they were arranged.
#[test]
fn columns_without_room_fall_together_and_come_back() {
    let places: [(&[&str], usize); 3] =
        [(&["Trace"], 0), (&["Prediction", "LogitLens"], 1), (&["Attention"], 0)];
    for (size, zoom) in [([900.0, 600.0], 1.0), ([1280.0, 720.0], 1.5)] {
        let mut window = Window::open();
        window.set_window(Vec2::new(1600.0, 1000.0), 1.0);
        *window.harness.state_mut().workspace_mut() =
            serde_json::from_str(&arranged("Horizontal", &places)).unwrap();
        window.harness.run_steps(4);
        let lefts = |window: &Window| {
            let shown = [Pane::Trace, Pane::LogitLens, Pane::Attention];
            shown.map(|pane| window.place_of(pane).left())
        };
        let before = lefts(&window);
        assert!(before[0] < before[1] && before[1] < before[2], "{before:?}");
        window.click_tab(View::Lens);
        window.set_window(Vec2::from(size), zoom);
        // All in one place, with what was picked last in front, and all of the width is its.
        let panes = window.harness.query_all_by_role(Role::TabPanel).count();
        assert_eq!(panes, 1, "at {size:?} × {zoom}");
        let place = window.place_of(Pane::LogitLens);
        assert!(place.width() > 0.6 * size[0] / zoom, "{place:?}");
        // What is opened, closed and shown otherwise there is so when they come apart.
        window.show(Pane::Knockout);
        window.show(Pane::Jobs);
        window.does(Command::CloseView(View::Prediction));
        let kept = serde_json::to_string(window.workspace()).unwrap();
        *window.harness.state_mut().workspace_mut() = serde_json::from_str(&kept).unwrap();
        window.harness.run_steps(4);
        assert_eq!(window.harness.query_all_by_role(Role::TabPanel).count(), 1);
        window.set_window(Vec2::new(1600.0, 1000.0), 1.0);
        assert!(!window.workspace().is_open(View::Prediction));
        assert!(window.workspace().is_in_front(Pane::Jobs));
        let lefts = [Pane::Trace, Pane::Knockout].map(|pane| window.place_of(pane).left());
        assert!((lefts[0] - before[0]).abs() < 2.0 && (lefts[1] - before[2]).abs() < 2.0);
    }
}

/// What is arranged in a narrow window stays there, and the next time too.
#[test]
fn columns_that_are_made_in_a_narrow_window_stay() {
    let places: [(&[&str], usize); 2] = [(&["Trace"], 0), (&["Prediction"], 0)];
    let mut window = Window::open();
    window.set_window(Vec2::new(900.0, 600.0), 1.0);
    window.does(Command::SpreadViews);
    assert!(window.workspace().is_in_front(Pane::Trace));
    assert!(window.workspace().is_in_front(Pane::LogitLens));
    *window.harness.state_mut().workspace_mut() =
        serde_json::from_str(&arranged("Vertical", &places)).unwrap();
    let both = |window: &Window| {
        [Pane::Trace, Pane::Prediction].map(|pane| window.workspace().is_in_front(pane))
    };
    for size in [[900.0, 600.0], [1600.0, 1000.0], [900.0, 600.0]] {
        window.set_window(Vec2::from(size), 1.0);
        assert_eq!(both(&window), [true; 2], "one above the other has room at {size:?}");
    }
}

/// Also where places fall together, and in a session that is opened in a smaller window.
#[test]
fn the_view_that_was_asked_for_last_stays_in_front() {
    let mut window = Window::open();
    window.harness.set_size(Vec2::new(1600.0, 1000.0));
    window.harness.run_steps(4);
    window.show(Pane::Attribution);
    assert!(window.workspace().is_in_front(Pane::Prediction));
    let kept = serde_json::to_string(window.workspace()).unwrap();
    window.harness.set_size(Vec2::new(1280.0, 720.0));
    window.harness.run_steps(4);
    assert!(window.workspace().is_in_front(Pane::Attribution));
    *window.harness.state_mut().workspace_mut() = serde_json::from_str(&kept).unwrap();
    window.harness.run_steps(4);
    assert!(window.workspace().is_in_front(Pane::Attribution));
}

/// On the screen of a laptop.
#[test]
fn menus_of_views_fit_a_small_window() {
    let mut window = Window::open();
    let size = Vec2::new(1280.0, 720.0);
    window.harness.set_size(size);
    window.harness.run_steps(3);
    window.click("View");
    for view in View::ALL {
        let items: Vec<_> = window.harness.get_all_by_label(view.text()).collect();
        assert!(items.iter().all(|it| it.rect().bottom() <= size.y), "{view:?}");
    }
    // The last of the menu.
    let last = window.harness.get_by_label_contains("Reset zoom").rect();
    assert!(last.bottom() <= size.y && last.right() <= size.x, "{last:?}");
}

#[test]
fn all_views_can_be_seen_at_once() {
    let mut window = Window::open();
    window.show(Pane::Knockout);
    window.click("View");
    window.click("All views side by side");
    for view in View::ALL {
        let is_seen = view.modes().any(|pane| window.workspace().is_in_front(pane));
        assert!(is_seen, "{view:?}");
    }
    assert!(window.workspace().is_in_front(Pane::Knockout), "a view keeps its mode");
    // The map of the fact is in sight.
    window.does(Command::ShowMoreOfTrace(false));
    window.does(Command::Trace);
    window.trace_ends();
    window.harness.set_size(Vec2::new(1600.0, 1000.0));
    window.harness.run_steps(4);
    let maps = window.harness.query_all_by_label_contains("Causal trace");
    let maps = maps.filter(|it| it.accesskit_node().role() == Role::Canvas);
    let maps: Vec<_> = maps.map(|it| it.rect()).collect();
    assert!(maps.first().is_some_and(|it| it.bottom() < 930.0), "{maps:?}");
    window.click("View");
    window.click("Usual arrangement");
    assert!(!window.workspace().is_open(View::Many));
}

/// With more views open than fit into a row of tabs.
fn crowded() -> Window {
    let mut window = Window::open();
    window.harness.set_size(Vec2::new(2560.0, 1440.0));
    window.harness.run_steps(4);
    for view in View::ALL {
        window.does(Command::ShowPane(view.first_mode()));
    }
    window
}

/// The places of what is written on tabs, of which a part may be cut off.
fn written(window: &Window, text: &str) -> Vec<(egui::Rect, egui::Rect)> {
    let mut found = Vec::new();
    for clipped in &window.harness.output().shapes {
        if let egui::Shape::Text(shape) = &clipped.shape
            && shape.galley.text() == text
        {
            found.push((shape.visual_bounding_rect(), clipped.clip_rect));
        }
    }
    found
}

#[test]
fn the_tab_in_front_is_in_sight_however_small_the_window_is_made() {
    let mut window = crowded();
    for view in [View::Record, View::Routes, View::Trace, View::Many] {
        window.harness.set_size(Vec2::new(2560.0, 1440.0));
        window.harness.run_steps(4);
        window.does(Command::ShowPane(view.first_mode()));
        for size in [Vec2::new(1280.0, 720.0), Vec2::new(900.0, 600.0)] {
            window.harness.set_size(size);
            window.harness.run_steps(14);
            let is_seen = |(at, clip): &(egui::Rect, egui::Rect)| {
                at.left() > 200.0 && clip.expand(1.0).contains_rect(*at)
            };
            let written = written(&window, view.text());
            assert!(written.iter().any(is_seen), "{view:?} at {size}: {written:?}");
        }
    }
}

#[test]
fn squeezed_tabs_show_letters_and_are_listed_in_their_menu() {
    let mut window = crowded();
    window.harness.set_size(Vec2::new(900.0, 600.0));
    window.harness.run_steps(14);
    // No tab is a bare sign; the only one is that of the menu.
    assert!(written(&window, "…").len() <= 1, "{:?}", written(&window, "…"));
    window.harness.get_by_label("Menu of these views").click();
    window.harness.run_steps(3);
    let is_named = |view: &View| {
        window.harness.query_all_by_role_and_label(Role::Button, view.text()).count() >= 2
    };
    let named: Vec<View> = View::ALL.into_iter().filter(is_named).collect();
    assert_eq!(named, View::ALL);
    let tab = window.harness.get_all_by_role_and_label(Role::Button, "Fact vs inverse");
    tab.max_by(|a, b| a.rect().top().total_cmp(&b.rect().top())).unwrap().click();
    window.harness.run_steps(3);
    assert!(window.workspace().is_in_front(Pane::Comparison));
}
