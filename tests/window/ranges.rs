//! Colours that stand for the same number in all maps.

use egui_kittest::kittest::Queryable as _;
use factscope::figure::Chart;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::state::FactId;

use super::support::Window;

impl Window {
    /// The ends of the colours of a view's first map.
    fn range(&self, pane: Pane) -> (f32, f32) {
        let figure = self.app().figure(pane).unwrap();
        let map = figure.charts.iter().find_map(|chart| match chart {
            Chart::Map(map) => Some(map.range),
            _ => None,
        });
        map.unwrap()
    }
}

#[test]
fn ends_that_are_held_are_those_of_every_fact_until_they_are_let_go() {
    let mut window = Window::open();
    window.does(Command::Select(FactId::Record(0)));
    window.click("Trace");
    window.trace_ends();
    let own = window.range(Pane::Trace);
    let bars: Vec<_> = window.harness.query_all_by_label_contains("Colour range of p(").collect();
    bars[0].click();
    drop(bars);
    window.harness.run_steps(3);
    window.click("The same in all maps of it");
    assert!(!window.app().state.settings.ranges.is_empty());

    window.does(Command::Select(FactId::Record(1)));
    window.wait_for_predictions();
    window.click("Trace");
    window.trace_ends();
    assert_eq!(window.range(Pane::Trace), own);
    // What is exported is what is seen.
    let figure = window.app().figure(Pane::Trace).unwrap();
    assert!(serde_json::to_string(&figure).unwrap().contains(&own.1.to_string()));

    window.does(Command::ReleaseRanges);
    let other = window.range(Pane::Trace);
    assert_ne!(other, own);
    window.does(Command::Undo);
    assert_eq!(window.range(Pane::Trace), own);
}
