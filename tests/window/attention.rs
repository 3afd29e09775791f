//! All heads at once, one as lines, and edges that are cut by painting them.

use eframe::egui::accesskit::Role;
use eframe::egui::{Event, Key, Modifiers, Pos2, Shape, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::analysis::attention::Weighting;
use factscope::analysis::edge_cut::EdgeCut;
use factscope::analysis::{AnalysisResult, AnalysisSpec};
use factscope::model::ModelConfig;
use factscope::ui::App;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::state::{Drawing, RunState, attention_spec};

use super::support::Window;

impl Window {
    pub fn click_at(&mut self, at: Pos2) {
        self.harness.hover_at(at);
        self.harness.run_steps(1);
        self.harness.drag_at(at);
        self.harness.drop_at(at);
        self.harness.run_steps(3);
    }

    fn picked(&self) -> (Option<usize>, Option<usize>) {
        let selection = self.app().state.selection;
        (selection.layer, selection.head)
    }
}

#[test]
fn a_click_or_an_arrow_key_among_all_heads_picks_one_for_all_views() {
    let mut window = Window::open();
    window.show(Pane::Attention);
    let config = window.app().state.info().unwrap().config;
    let grid = window.harness.get_by_label_contains("All heads: head 0, layer 0: ").rect();
    let cell = grid.size() / vec2(config.n_layers as f32, config.n_heads as f32);
    window.click_at(grid.min + vec2(1.4, 1.4) * cell);
    assert_eq!(window.picked(), (Some(1), Some(1)));
    window.sees("Attention pattern — L1 H1");
    window.harness.key_press(Key::ArrowUp);
    window.harness.run_steps(3);
    assert_eq!(window.picked(), (Some(1), Some(0)));
    window.harness.get_by_label_contains("All heads: head 0, layer 1: ");
    // At the edge it stays.
    window.harness.key_press(Key::ArrowUp);
    window.harness.run_steps(3);
    assert_eq!(window.picked(), (Some(1), Some(0)));
}

#[test]
fn lines_say_what_the_picked_token_looks_at() {
    let mut window = Window::open();
    window.show(Pane::Attention);
    window.click("Lines");
    assert_eq!(window.app().state.settings.attention.drawing, Drawing::Lines);
    let lines = window.harness.get_by_role_and_label(Role::Canvas, "Attention lines").rect();
    let n_pos = window.app().state.prompt().unwrap().n_pos() as f32;
    // The first query, in the column at the left.
    window.click_at(lines.left_top() + vec2(60.0, 0.5 * lines.height() / n_pos));
    assert_eq!(window.app().state.selection.position, Some(0));
    // Nothing but itself.
    let first = window.app().state.prompt().unwrap().pieces[0].clone();
    window.sees(&format!("Attention lines: from token 0 {first} to token 0 {first} 1"));
    window.harness.key_press(Key::ArrowDown);
    window.harness.run_steps(3);
    assert_eq!(window.app().state.selection.position, Some(1));
    window.sees("Attention lines: from token 1 ");
}

#[test]
fn all_layers_are_asked_for_up_to_64_tokens() {
    let layers =
        |config: &ModelConfig, n_pos| attention_spec(config, n_pos, 7, Weighting::Pattern).layers;
    let xl = ModelConfig { n_layers: 48, n_heads: 25, ..ModelConfig::LARGE };
    assert_eq!(layers(&xl, 64), 0..48);
    assert_eq!(layers(&xl, 65), 7..8);
    assert_eq!(layers(&ModelConfig::LARGE, 64), 0..36);
}

impl Window {
    /// From the middle of one cell of the large map to that of another, query by key.
    fn brush(&mut self, from: (usize, usize), to: (usize, usize), modifiers: Modifiers) {
        let map = self.harness.get_by_role_and_label(Role::Canvas, "Attention pattern").rect();
        let n_pos = self.app().state.prompt().unwrap().n_pos() as f32;
        let at = |(query, key): (usize, usize)| {
            map.min + vec2(key as f32 + 0.5, query as f32 + 0.5) * map.size() / n_pos
        };
        self.harness.event(Event::ModifiersChanged(modifiers));
        self.harness.hover_at(at(from));
        self.harness.run_steps(1);
        self.harness.drag_at(at(from));
        self.harness.run_steps(1);
        self.harness.hover_at(at(to));
        self.harness.run_steps(2);
        self.harness.drop_at(at(to));
        self.harness.event(Event::ModifiersChanged(Modifiers::NONE));
        self.harness.run_steps(3);
    }

    fn painted(&self) -> Vec<(usize, usize)> {
        let state = &self.app().state;
        state.painted.of(state.key()).iter().map(|it| (it.query, it.key)).collect()
    }

    /// Of the edges and layers as they are now.
    fn cut(&mut self) -> EdgeCut {
        let found = |app: &App| {
            let study = app.state.run(Pane::Cut, app.state.row)?;
            match (study.state == RunState::Done, study.result.as_deref()?) {
                (true, AnalysisResult::EdgeCut(found)) => Some(found.clone()),
                _ => None,
            }
        };
        self.wait("the cut", |app| found(app).is_some());
        found(self.app()).unwrap()
    }
}

#[test]
fn painted_edges_are_cut_as_they_are_painted() {
    let mut window = Window::open();
    window.show(Pane::Attention);
    let last = window.app().state.prompt().unwrap().last();
    window.brush((last, 0), (last, 2), Modifiers::NONE);
    assert_eq!(window.painted(), [(last, 0), (last, 1), (last, 2)]);
    let all = window.cut();
    assert_ne!(all.clean.answer.prob, all.cut.answer.prob);
    window.sees("Change");
    window.sees(&format!("Cut no more: token {last} to token 1"));
    // The same as asked by hand: nothing else was cut.
    let config = window.app().state.info().unwrap().config;
    assert_eq!(all.spec.layers, 0..config.n_layers);
    assert_eq!(all.spec.heads, None);

    window.brush((last, 1), (last, 2), Modifiers::SHIFT);
    assert_eq!(window.painted(), [(last, 0)]);
    let one = window.cut();
    assert_ne!(one.cut.answer.prob, all.cut.answer.prob);
    assert_eq!(window.app().state.jobs.asked().count(), 0);

    // A stroke is one step.
    window.harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    window.harness.run_steps(3);
    assert_eq!(window.painted(), [(last, 0), (last, 1), (last, 2)]);
    assert_eq!(window.cut().cut.answer, all.cut.answer);

    window.click(&format!("Cut no more: token {last} to token 1"));
    assert_eq!(window.painted(), [(last, 0), (last, 2)]);
    window.click("Clear painted edges");
    assert_eq!(window.painted(), []);
    assert!(window.harness.query_all_by_label("Change").next().is_none());
}

#[test]
fn space_paints_the_selected_cell_and_later_keys_cannot_be_painted() {
    let mut window = Window::open();
    window.show(Pane::Attention);
    let last = window.app().state.prompt().unwrap().last();
    // Above the diagonal there is no attention.
    window.brush((0, 1), (0, last), Modifiers::NONE);
    assert_eq!(window.painted(), []);
    window.brush((2, 1), (2, 1), Modifiers::NONE);
    assert_eq!(window.painted(), [], "a click only selects");
    assert_eq!(window.app().state.selection.position, Some(2));
    window.harness.key_press(Key::Space);
    window.harness.run_steps(2);
    assert_eq!(window.painted(), [(2, 1)]);
    window.harness.key_press(Key::ArrowLeft);
    window.harness.run_steps(3);
    window.harness.key_press(Key::Space);
    window.harness.run_steps(2);
    assert_eq!(window.painted(), [(2, 0), (2, 1)]);
    window.harness.key_press(Key::Space);
    window.harness.run_steps(2);
    assert_eq!(window.painted(), [(2, 1)]);
}

#[test]
fn a_token_that_would_see_nothing_is_not_cut_off() {
    let mut window = Window::open();
    window.show(Pane::Attention);
    window.brush((1, 0), (1, 1), Modifiers::NONE);
    assert_eq!(window.painted(), [(1, 0), (1, 1)]);
    window.sees("Token 1 would have no token left to attend to");
    assert_eq!(window.app().state.error, None);
    assert!(
        window.app().state.findings().unwrap().runs.iter().all(|it| {
            !matches!(&it.spec, AnalysisSpec::EdgeCut(spec) if spec.edges.len() == 2)
        })
    );
}

/// What was painted on one prompt says nothing of another, and is there on coming back.
#[test]
fn each_prompt_has_its_own_edges() {
    let mut window = Window::open();
    window.show(Pane::Attention);
    let last = window.app().state.prompt().unwrap().last();
    window.brush((last, 0), (last, 1), Modifiers::NONE);
    assert_eq!(window.painted().len(), 2);
    window.harness.state_mut().command(Command::NextFact);
    window.harness.run_steps(3);
    assert_eq!(window.painted(), []);
    window.harness.state_mut().command(Command::PreviousFact);
    window.harness.run_steps(3);
    assert_eq!(window.painted().len(), 2);
}

#[test]
fn cut_edges_are_drawn_among_the_lines() {
    let mut window = Window::open();
    window.show(Pane::Attention);
    let last = window.app().state.prompt().unwrap().last();
    let n_lines = |window: &Window| {
        let lines = window.harness.query_all_by_label_contains("Attention lines").next();
        let place = lines.unwrap().rect();
        let is_inside = |shape: &Shape| match shape {
            Shape::LineSegment { points, .. } => points.iter().all(|it| place.contains(*it)),
            _ => false,
        };
        window.harness.output().shapes.iter().filter(|it| is_inside(&it.shape)).count()
    };
    window.click("Lines");
    window.sees("Edges to cut are painted in the map");
    let before = n_lines(&window);
    window.click("Map");
    window.brush((last, 0), (last, 1), Modifiers::NONE);
    window.click("Lines");
    window.sees("Dashed: the 2 edges that are cut");
    // Two lines have become many short ones.
    assert!(n_lines(&window) > before + 10, "{} {before}", n_lines(&window));
}

#[test]
fn norms_are_shown_in_place_of_weights_when_they_are_asked_for() {
    let mut window = Window::open();
    window.show(Pane::Attention);
    let shown = |app: &App| match app.state.result(Pane::Attention).map(|it| &**it) {
        Some(AnalysisResult::Attention(it)) => Some(it.clone()),
        _ => None,
    };
    let weights = shown(window.app()).unwrap();
    for (button, weighting, title) in [
        ("× value", Weighting::ValueWeighted, "Value-weighted attention"),
        ("Norm", Weighting::NormBased, "Norm-based attention"),
    ] {
        window.click(button);
        window.wait("the norms", |app| shown(app).is_some_and(|it| it.spec.weighting == weighting));
        window.sees(&format!("{title} — L"));
        // As the command finds them, and as a file is told.
        let file = window.app().state.experiment(Pane::Attention).unwrap();
        let AnalysisSpec::Attention(spec) = file.spec else { panic!("{:?}", file.spec) };
        let found = shown(window.app()).unwrap();
        assert_eq!(spec, found.spec);
        assert_ne!(found.pattern(0, 0), weights.pattern(0, 0));
        let figure = window.app().figure(Pane::Attention).unwrap();
        assert!(figure.title.starts_with(title), "{}", figure.title);
    }
    window.harness.state_mut().command(Command::Undo);
    window.wait("the step back", |app| {
        shown(app).is_some_and(|it| it.spec.weighting == Weighting::ValueWeighted)
    });
}

/// The map does not vanish while the model computes what it is weighed by, or reads another prompt.
#[test]
fn until_the_model_has_answered_the_last_map_stays() {
    let mut window = Window::open();
    window.show(Pane::Attention);
    let map = |window: &Window| {
        let shown = window.harness.query_all_by_label_contains("Attention pattern");
        let mut shown = shown.filter(|it| it.accesskit_node().role() == Role::Canvas);
        shown.next().map(|it| (it.rect(), it.accesskit_node().is_disabled()))
    };
    let (mut place, is_disabled) = map(&window).unwrap();
    assert!(!is_disabled);
    // An answer may come before a frame is drawn, on a busy machine, but not each time.
    let mut n_waiting = 0;
    let weigh = Command::WeighAttention;
    for command in [
        weigh(Weighting::ValueWeighted),
        Command::NextFact,
        weigh(Weighting::NormBased),
        Command::NextFact,
        weigh(Weighting::Pattern),
        Command::NextFact,
    ] {
        window.harness.state_mut().command(command);
        window.harness.step();
        let start = std::time::Instant::now();
        loop {
            window.harness.step();
            let (rect, is_disabled) = map(&window).expect("there is a map in every frame");
            if !is_disabled {
                place = rect;
                break;
            }
            n_waiting += 1;
            assert_eq!(rect.min, place.min, "nothing shifts");
            window.sees("Running the model…");
            assert!(start.elapsed() < super::support::PATIENCE);
        }
    }
    assert!(n_waiting > 0, "each command was answered before a frame was drawn");
}

#[test]
fn where_edges_are_painted_is_a_click_away_from_cutting_them() {
    let mut window = Window::open();
    window.does(Command::ShowPane(Pane::Cut));
    window.sees("Drag over the map of the mode Pattern to paint what is cut");
    window.click("Open Pattern");
    window.sees("Drag over the map to cut attention there");
}

#[test]
fn both_ways_to_draw_a_head_stand_in_one_line() {
    let mut window = Window::open();
    window.does(Command::ResetLayout);
    window.show(Pane::Attention);
    for size in [vec2(1280.0, 720.0), vec2(1600.0, 1000.0)] {
        window.harness.set_size(size);
        window.harness.run_steps(4);
        let [map, lines] = ["Map", "Lines"].map(|it| window.harness.get_by_label(it).rect());
        assert_eq!(map.top(), lines.top(), "at {size}");
    }
}
