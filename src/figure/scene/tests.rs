//! Holds that what is hard to lay out stays on the page, and that no text lies on another.

use super::*;
use crate::figure::{
    Bar, Bars, Cell, Graph, GraphEdge, GraphKind, GraphNode, Lines, Map, Pick, Point, Row, Scatter,
    Series, Side, Table, to_pdf, to_svg,
};

/// Everything that is hard to lay out, in the shape of GPT-2-large and in that of a toy.
#[expect(clippy::too_many_lines, reason = "a list")]
fn figures() -> Vec<Figure> {
    let long = "·antidisestablishmentarianism·and·more".to_owned();
    let odd = ["·", "東京", "�", "↩", "W", "i", &long].map(str::to_owned);
    let tokens = |n: usize| (0..n).map(|nth| odd[nth % odd.len()].clone()).collect::<Vec<_>>();
    let map = |n_rows: usize, n_layers: usize, scale: f32| {
        let value = |nth: usize| {
            if nth % 7 == 3 { f32::NAN } else { ((nth * 31) % 17) as f32 * scale - 3.0 * scale }
        };
        let values: Vec<f32> = (0..n_rows * n_layers).map(value).collect();
        let rows = Side::tokens("Token", tokens(n_rows), Some(1..n_rows.min(4)));
        let title = "Layer at the centre of the restored window";
        let layers = Side::layers(title, n_layers).marking(2..3);
        let quantity = "Recovery of logit(·antidisestablishmentarianism) − logit(·Paris)";
        let mut map = Map::new("Trace", rows, layers, values, quantity).diverging();
        map.texts = tokens(n_rows * n_layers);
        map.estimated = (0..n_rows * n_layers).map(|nth| nth % 5 == 0).collect();
        map
    };
    let pattern = |n: usize, is_small: bool| {
        let side = |title: &str| Side::tokens(title, tokens(n), Some(0..2));
        let values = (0..n * n).map(|nth| (nth % 3) as f32 / 2.0).collect();
        let name = format!("Head {n}");
        let map = Map::new(&name, side("From (query)"), side("To (key)"), values, "Weight");
        Map { is_small, ..map.in_range(0.0, 1.0).square() }
    };
    let bars = |n: usize| {
        Bars::new(
            "Bars",
            "Contribution (logits)",
            (0..n).map(|nth| Bar {
                label: odd[nth % odd.len()].repeat(1 + nth % 2),
                value: if nth == 2 { f32::NAN } else { nth as f32 - 3.5 },
                pick: Pick::layer(nth),
            }),
        )
    };
    let lines = |n_layers: usize| Lines {
        name: "Lines".to_owned(),
        quantity: "Change of p(·antidisestablishmentarianism) (%)".to_owned(),
        layer_title: "Layer".to_owned(),
        series: odd
            .iter()
            .map(|name| Series {
                name: name.repeat(2),
                values: (0..n_layers).map(|it| (it as f32 - 3.0) * 1e-8).collect(),
                band: (0..n_layers)
                    .map(|it| match it {
                        2 => (f32::NAN, f32::NAN),
                        it => ((it as f32 - 9.0) * 1e-8, it as f32 * 3e-8),
                    })
                    .collect(),
            })
            .collect(),
    };
    let points = |n: usize| Scatter {
        name: "Scatter".to_owned(),
        x_title: "Estimated".to_owned(),
        y_title: "Patched".to_owned(),
        points: (0..n)
            .map(|nth| Point {
                label: String::new(),
                x: nth as f32 * 1e-7,
                y: -(nth as f32),
                pick: Pick::default(),
            })
            .collect(),
        has_diagonal: n > 1,
        is_set: false,
    };
    let row = |nth: usize| Row {
        cells: vec![
            Cell::Number(nth as f32),
            Cell::Token(odd[nth % odd.len()].clone()),
            Cell::Text(long.repeat(3)),
            Cell::Number(f32::NAN),
        ],
        pick: Pick::default(),
    };
    let table = Table {
        name: "Table".to_owned(),
        columns: ["Layer", "Token", "Prompt", "A number"].map(str::to_owned).into(),
        rows: (0..5).map(row).collect(),
    };
    let graph = |n_rows: usize, n_layers: usize| Graph {
        name: "Routes".to_owned(),
        rows: Side::tokens("Token", tokens(n_rows), Some(1..n_rows.min(4))),
        columns: Side::layers("Layer", n_layers),
        quantity: "Share of what arrives (0 to 1)".to_owned(),
        nodes: (0..n_rows * n_layers)
            .map(|nth| GraphNode {
                label: String::new(),
                at: [(nth % n_layers) as f32, (nth / n_layers) as f32],
                kind: GraphKind::Stream,
                pick: Pick::default(),
            })
            .collect(),
        edges: (1..n_rows * n_layers)
            .map(|to| GraphEdge {
                from: to / 2,
                to,
                kind: GraphKind::ALL[to % 3],
                via: String::new(),
                weight: 1.0 / to as f32,
            })
            .collect(),
    };
    let figure = |charts: Vec<Chart>| Figure {
        title: format!("Restoring — {}", long.repeat(4)),
        charts,
        notes: vec!["A note with many words. ".repeat(20), "東京".repeat(60)],
        ..Figure::default()
    };
    // Labels on the slant that reach further left than the rows do.
    let slanted = Map::new(
        "Slanted",
        Side::heads(3),
        Side::tokens("At token", vec![long.clone(); 8], None),
        (0..24).map(|nth| nth as f32).collect(),
        "Weight",
    );
    let small = [12, 12, 12, 30, 5, 12, 12].map(|n| Chart::Map(pattern(n, true)));
    vec![
        figure(vec![Chart::Map(map(34, 36, 1e-8)), Chart::Lines(lines(36))]),
        figure(vec![Chart::Map(map(2, 4, 100.0)), Chart::Lines(lines(1))]),
        figure([Chart::Map(pattern(30, false))].into_iter().chain(small).collect()),
        figure(vec![Chart::Map(pattern(5, false)), Chart::Bars(bars(75))]),
        figure(vec![Chart::Map(slanted)]),
        figure(vec![Chart::Graph(graph(30, 37)), Chart::Graph(graph(2, 3))]),
        figure(vec![Chart::Map(pattern(32, false)), Chart::Map(pattern(60, false))]),
        figure(vec![Chart::Bars(bars(4)), Chart::Scatter(points(9)), Chart::Table(table)]),
        figure(vec![Chart::Scatter(points(1)), Chart::Bars(bars(0)), Chart::Map(map(0, 3, 1.0))]),
        Figure::default(),
    ]
}

#[test]
fn nothing_leaves_the_page() {
    for figure in figures() {
        let scene = Scene::of(&figure, Page::default());
        assert!(scene.width < 1000.0 && scene.height < 2000.0, "{}", scene.height);
        for shape in &scene.shapes {
            let ([left, top], [right, bottom]) = shape.bounds();
            let is_inside = left >= 0.0 && top >= 0.0;
            let is_inside = is_inside && right <= scene.width && bottom <= scene.height;
            assert!(is_inside, "{shape:?} is at {left}, {top}, {right}, {bottom}");
        }
    }
}

#[test]
fn no_text_lies_on_another() {
    for figure in figures() {
        let scene = Scene::of(&figure, Page::default());
        let texts: Vec<(&Text, [[f32; 2]; 4])> = scene
            .shapes
            .iter()
            .filter_map(|shape| match shape {
                Shape::Text(text) => Some((text, shrunk(text.corners()))),
                _ => None,
            })
            .collect();
        for (nth, one) in texts.iter().enumerate() {
            for other in &texts[nth + 1..] {
                assert!(are_apart(one.1, other.1), "{:?} lies on {:?}", one.0, other.0);
            }
        }
    }
}

/// Without the room that lines leave above and below letters.
fn shrunk(corners: [[f32; 2]; 4]) -> [[f32; 2]; 4] {
    let [from, _, _, down] = corners;
    let by = |nth: usize| (down[nth] - from[nth]) * 0.12;
    [0, 1, 2, 3].map(|corner| {
        let sign = if corner < 2 { 1.0 } else { -1.0 };
        [corners[corner][0] + sign * by(0), corners[corner][1] + sign * by(1)]
    })
}

/// Whether a line along a side of one of two boxes parts them.
fn are_apart(one: [[f32; 2]; 4], other: [[f32; 2]; 4]) -> bool {
    let separates = |of: [[f32; 2]; 4]| {
        [(0, 1), (1, 2)].into_iter().any(|(a, b): (usize, usize)| {
            let axis = [of[a][1] - of[b][1], of[b][0] - of[a][0]];
            let range = |corners: [[f32; 2]; 4]| {
                let at = corners.map(|[x, y]| x * axis[0] + y * axis[1]);
                (
                    at.into_iter().fold(f32::INFINITY, f32::min),
                    at.into_iter().fold(f32::NEG_INFINITY, f32::max),
                )
            };
            let ((low, high), (from, to)) = (range(one), range(other));
            high <= from || to <= low
        })
    };
    separates(one) || separates(other)
}

#[test]
fn what_is_hard_to_lay_out_is_written_in_every_format() {
    for figure in figures() {
        assert!(to_svg(&figure, Page::default()).ends_with("</svg>\n"));
        assert!(to_pdf(&figure, Page::default()).ends_with(b"%%EOF"));
    }
}
