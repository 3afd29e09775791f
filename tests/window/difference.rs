//! The third map of a trace, and the scale that both others share.

use eframe::egui::accesskit::Role;
use eframe::egui::{Vec2, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::state::{RunState, TracePair};

use super::studies::open;
use super::support::Window;

impl Window {
    fn trace_pair(&self) -> TracePair {
        self.app().state.preferences.trace_pair
    }

    /// Whether a map is drawn, by the beginning of what is heard of it.
    fn has_map(&self, name: &str) -> bool {
        let mut maps = self.harness.query_all_by_role(Role::Canvas);
        maps.any(|it| it.accesskit_node().label().unwrap_or_default().starts_with(name))
    }
}

#[test]
fn the_difference_of_both_traces_is_shown_when_it_is_asked_for() {
    let mut window = open();
    assert_eq!(window.trace_pair(), TracePair::default());
    window.click("Difference");
    assert!(window.trace_pair().shows_difference);
    window.sees("once both rows are traced");
    assert!(!window.has_map("Fact − inverse"));

    window.click("Trace");
    window.trace_ends();
    assert_eq!(window.trace_state(), Some(RunState::Done));
    assert!(window.has_map("Fact − inverse"));
    window.sees("Spearman");
    window.sees("recalled");

    window.harness.state_mut().command(Command::ShowDifference(false));
    window.harness.run_steps(3);
    assert!(!window.has_map("Fact − inverse") && window.has_map("Causal trace"));
    // It is no choice that undoing takes back.
    window.harness.state_mut().command(Command::ShowDifference(true));
    window.harness.state_mut().command(Command::Flip);
    window.harness.run_steps(3);
    window.harness.state_mut().command(Command::Undo);
    window.harness.run_steps(3);
    assert!(window.trace_pair().shows_difference);
}

#[test]
fn both_maps_can_share_their_scale() {
    let mut window = open();
    window.click("Trace");
    window.trace_ends();
    window.click("Same scale");
    assert!(window.trace_pair().has_same_scale);
    assert!(window.has_map("Causal trace"));
    window.click("Same scale");
    assert!(!window.trace_pair().has_same_scale);
}

/// The third map is as large as the other two, so that all are compared by eye.
#[test]
fn the_difference_is_as_large_as_both_traces() {
    let mut window = super::fit::with_all_results();
    window.does(Command::ResetLayout);
    window.does(Command::ShowDifference(true));
    for size in
        [vec2(900.0, 600.0), vec2(1280.0, 720.0), vec2(1600.0, 1000.0), vec2(2560.0, 1440.0)]
    {
        window.harness.set_size(size);
        window.harness.run_steps(4);
        window.show(Pane::Trace);
        window.harness.run_steps(4);
        let nodes = window.region(Pane::Trace).children_recursive();
        let maps = nodes.filter(|it| it.accesskit_node().role() == Role::Canvas);
        let sizes: Vec<Vec2> = maps.map(|it| it.rect().size()).collect();
        let [first, rest @ ..] = sizes.as_slice() else { panic!("no map at {size}") };
        let is_alike = |it: &Vec2| (*it - *first).abs().max_elem() <= TOLERANCE;
        assert!(rest.len() == 2 && rest.iter().all(is_alike), "{sizes:?} at {size}");
    }
}

/// Points that whole pixels may take from a side.
const TOLERANCE: f32 = 1.0;
