//! Maps as they are drawn: marks over their cells, several beside each other, and the small print below.

use std::sync::{Arc, LazyLock};

use eframe::egui::accesskit::Role;
use eframe::egui::{Rect, Shape, Ui, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use factscope::figure::{Chart, Figure, Map, Page, Ranges, Side, to_svg};
use factscope::tokens::{GPT2_MERGES, Tokenizer, gpt2_vocabulary};
use factscope::ui::theme;
use factscope::ui::view::{Selection, ViewCtx};
use factscope::ui::views::{FigureView, figure_ui};

static RANGES: LazyLock<Ranges> = LazyLock::new(Ranges::default);
static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    Tokenizer::from_vocabulary(gpt2_vocabulary(&GPT2_MERGES).unwrap(), &GPT2_MERGES).unwrap()
});

fn ctx() -> ViewCtx<'static> {
    let selection = Selection::default();
    ViewCtx {
        selection,
        tokenizer: &TOKENIZER,
        ranges: &RANGES,
        planted: None,
        picks_places: false,
        is_compared: false,
    }
}

fn window<'a>(size: [f32; 2], view: impl FnMut(&mut Ui) + 'a) -> Harness<'a> {
    Harness::builder().with_size(size).with_context_setup(theme::install).build_ui(view)
}

/// A map of four rows and twelve layers.
fn map(name: &str) -> Map {
    let rows = (0..4).map(|nth| format!("row {nth}")).collect();
    let values = (0..48).map(|nth| nth as f32 / 48.0).collect();
    let (rows, layers) = (Side::named("Row", "row", rows), Side::layers("Layer", 12));
    Map::new(name, rows, layers, values, "Effect")
}

fn figure(maps: impl IntoIterator<Item = Map>) -> Arc<Figure> {
    let charts = maps.into_iter().map(Chart::Map).collect();
    let notes = vec!["Clean 0.8 (an aside)  ·  corrupted 0.1  ·  ".repeat(12), "A note".to_owned()];
    Arc::new(Figure { title: "Maps".to_owned(), charts, notes, ..Figure::default() })
}

/// The places of the maps' cells.
fn places(window: &Harness<'_>) -> Vec<Rect> {
    window.query_all_by_role(Role::Canvas).map(|it| it.rect()).collect()
}

/// The lines that go up from left to right inside a cell of a map.
fn n_lines_across(window: &Harness<'_>, map: Rect) -> usize {
    let is_across = |shape: &Shape| match shape {
        Shape::LineSegment { points: [a, b], .. } => {
            a.x < b.x && a.y > b.y && map.contains(*a) && map.contains(*b)
        }
        _ => false,
    };
    window.output().shapes.iter().filter(|it| is_across(&it.shape)).count()
}

#[test]
fn cells_that_are_set_back_are_crossed_in_the_window_and_in_files() {
    let mut crossed = map("Crossed");
    crossed.set_back = (0..48).map(|nth| nth % 3 == 0).collect();
    // Where there is no value there is nothing to set back.
    crossed.values[0] = f32::NAN;
    let plain = figure([Map { set_back: Vec::new(), ..crossed.clone() }]);
    let crossed = figure([crossed]);
    let n_lines = |figure: &Figure| to_svg(figure, Page::default()).matches("<line").count();
    assert_eq!(n_lines(&crossed) - n_lines(&plain), 15);

    let n_lines = |figure: &Arc<Figure>| {
        let mut window = window([600.0, 400.0], |ui| {
            figure_ui(ui, figure, &ctx(), &mut Vec::new());
        });
        window.run();
        n_lines_across(&window, places(&window)[0].expand(1.0))
    };
    assert_eq!(n_lines(&crossed) - n_lines(&plain), 15);
}

#[test]
fn three_maps_leave_no_part_of_a_line_empty() {
    let three = figure(["One", "Two", "Three"].map(map));
    for width in [760.0, 940.0, 1120.0, 1300.0] {
        let mut window = window([width, 900.0], |ui| {
            figure_ui(ui, &three, &ctx(), &mut Vec::new());
        });
        window.run();
        let places = places(&window);
        assert_eq!(places.len(), 3);
        for place in &places {
            let in_line = places.iter().filter(|it| it.top() == place.top());
            let right = in_line.map(|it| it.right()).fold(0.0, f32::max);
            // What stands beside a map is a bar with its numbers and its name.
            assert!(width - right < 140.0, "{place:?} in {width}: {places:?}");
        }
    }
}

#[test]
fn small_print_is_whole_where_room_is_short_and_has_one_tooltip() {
    let figure = figure([map("One")]);
    let mut window = window([500.0, 240.0], |ui| {
        let view = FigureView { is_brief: true, ..FigureView::new(&figure) };
        view.show(ui, &ctx(), &mut Vec::new(), |_| ());
    });
    window.run();
    let print = window.get_by_label_contains("Clean 0.8").rect();
    assert!(print.height() > 20.0, "in several lines: {print:?}");
    assert!(window.query_by_label_contains("an aside").is_none());
    window.hover_at(print.min + vec2(30.0, 5.0));
    window.run_steps(60);
    assert_eq!(
        window.query_all_by_label_contains("Clean 0.8").count(),
        2,
        "itself and one tooltip"
    );
}

/// Not that it is still to be computed.
#[test]
fn a_cell_without_a_number_says_why_it_has_none() {
    let mut lacking = map("Lacking");
    lacking.values[0] = f32::NAN;
    lacking.missing = "no fact was counted here";
    let figure = figure([lacking]);
    let mut window = window([600.0, 400.0], |ui| {
        figure_ui(ui, &figure, &ctx(), &mut Vec::new());
    });
    window.run();
    window.hover_at(places(&window)[0].min + vec2(3.0, 3.0));
    window.run_steps(30);
    window.get_by_label_contains("Effect  no fact was counted here");
    assert!(window.query_by_label_contains("not computed").is_none());
}
