//! The routes to a prediction, drawn as a graph.

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, vec2};
use egui_kittest::kittest::Queryable as _;
use factscope::figure::{Chart, Figure, Graph, Look, Pick};
use factscope::ui::pane::Pane;
use factscope::ui::view::Selection;

use super::studies::open;
use super::support::Window;

impl Window {
    fn graph(&self) -> Graph {
        let state = &self.app().state;
        let look = Look::new(&state.info().unwrap().tokenizer);
        match Figure::of(state.result(Pane::Graph).unwrap(), &look).charts.swap_remove(0) {
            Chart::Graph(graph) => graph,
            other => panic!("{}", other.name()),
        }
    }
}

#[test]
fn a_node_is_picked_by_click_and_by_arrow_keys() {
    let mut window = open();
    window.show(Pane::Graph);
    window.ask(Pane::Graph);
    window.harness.state_mut().state.selection = Selection::default();
    window.harness.run_steps(2);

    // Where the graph ends: the last token's stream behind the last layer.
    let graph = window.graph();
    let (n_rows, n_columns) = (graph.rows.labels.len(), graph.columns.labels.len());
    let end = Pick { layer: Some(n_columns - 2), position: Some(n_rows - 1), head: None };
    let [x, y] = graph.nodes.iter().rfind(|it| it.pick == end).unwrap().at;
    // The fact's; that of its inverse stands below.
    let mut drawn = window.harness.get_all_by_role_and_label(Role::Canvas, "Routes");
    let rect = drawn.next().unwrap().rect();
    drop(drawn);
    let cell = rect.size() / vec2(n_columns as f32, n_rows as f32);
    window.click_at(rect.min + vec2(x + 0.5, y + 0.5) * cell);
    assert_eq!(window.app().state.selection, end);
    // Who does not see it hears what arrives there.
    window.sees("resid_post, token");

    for key in [Key::ArrowLeft, Key::ArrowUp] {
        window.harness.key_press(key);
        window.harness.run_steps(2);
    }
    let before = Pick { layer: Some(n_columns - 3), position: Some(n_rows - 2), head: None };
    assert_eq!(window.app().state.selection, before);
}
