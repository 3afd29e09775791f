//! A figure as SVG.

use std::fmt::Write as _;

use super::color::Rgb;
use super::scene::{AREA_OPACITY, Anchor, BASELINE, Scene, Shape, Text};
use super::{Figure, Page};

/// A figure as SVG, in points: real axes and real text, which can be searched and restyled. Fonts are
/// named, not embedded: Helvetica or what stands for it, and a monospaced one for tokens.
pub fn to_svg(figure: &Figure, page: Page) -> String {
    let title = format!("<title>{}</title>\n", escaped(&figure.title));
    drawn(&Scene::of(figure, page), "", &title)
}

/// A figure as a part of a page of HTML, where each place of its charts says its numbers under the
/// pointer. `name`: what a screen reader says in the place of the picture.
pub fn to_told_svg(figure: &Figure, page: Page, name: &str) -> String {
    let name = format!(" aria-label=\"{}\"", escaped(name));
    drawn(&Scene::telling(figure, page), &name, "")
}

/// A scene as SVG. `attributes`: more of the picture itself, and `title`: its title, as SVG has them.
fn drawn(scene: &Scene, attributes: &str, title: &str) -> String {
    let (width, height) = (scene.width, scene.height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.1}pt\" height=\"{height:.1}pt\" \
         viewBox=\"0 0 {width:.1} {height:.1}\" role=\"img\"{attributes}>\n{title}\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
    );
    let mut is_in_boxes = false;
    let is_spot = |shape: &&Shape| matches!(shape, Shape::Spot { .. });
    for shape in scene.shapes.iter().filter(|it| !is_spot(it)) {
        let is_box = matches!(shape, Shape::Box { .. });
        if is_box != is_in_boxes {
            // Cells are drawn without smoothing, or a seam shows between two.
            svg.push_str(if is_box { "<g shape-rendering=\"crispEdges\">\n" } else { "</g>\n" });
            is_in_boxes = is_box;
        }
        write(&mut svg, shape);
    }
    if is_in_boxes {
        svg.push_str("</g>\n");
    }
    // Over all that is drawn, or text would be in the pointer's way.
    if scene.shapes.iter().any(|it| is_spot(&it)) {
        svg.push_str("<g class=\"told\" fill=\"none\" pointer-events=\"all\">\n");
        scene.shapes.iter().filter(is_spot).for_each(|shape| write(&mut svg, shape));
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn write(svg: &mut String, shape: &Shape) {
    _ = match shape {
        Shape::Box { at: [x, y], size: [width, height], fill, line } => {
            let fill = fill.map_or_else(|| "none".to_owned(), hex);
            let line = line.map_or_else(String::new, |color| {
                format!(" stroke=\"{}\" stroke-width=\"0.5\"", hex(color))
            });
            writeln!(
                svg,
                "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" \
                 fill=\"{fill}\"{line}/>"
            )
        }
        Shape::Line { from: [x1, y1], to: [x2, y2], color, width, dash } => writeln!(
            svg,
            "<line x1=\"{x1:.2}\" y1=\"{y1:.2}\" x2=\"{x2:.2}\" y2=\"{y2:.2}\" stroke=\"{}\" \
             stroke-width=\"{width}\"{}/>",
            hex(*color),
            dashes(*dash)
        ),
        Shape::Path { points, color, dash } => {
            writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.2\"{}/>",
                listed(points),
                hex(*color),
                dashes(*dash)
            )
        }
        Shape::Area { points, color } => writeln!(
            svg,
            "<polygon points=\"{}\" fill=\"{}\" fill-opacity=\"{AREA_OPACITY}\"/>",
            listed(points),
            hex(*color)
        ),
        Shape::Dot { at: [x, y], radius, color } => {
            writeln!(
                svg,
                "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius}\" fill=\"{}\"/>",
                hex(*color)
            )
        }
        Shape::Text(text) => writeln!(svg, "{}", written(text)),
        Shape::Spot { at: [x, y], size: [width, height], about } => {
            let about: Vec<String> = about.lines().map(escaped).collect();
            writeln!(
                svg,
                "<path d=\"M{x:.1} {y:.1}h{width:.1}v{height:.1}h-{width:.1}z\"><title>{}</title></path>",
                about.join("\n")
            )
        }
    };
}

fn listed(points: &[[f32; 2]]) -> String {
    points.iter().map(|[x, y]| format!("{x:.2},{y:.2}")).collect::<Vec<_>>().join(" ")
}

fn written(text: &Text) -> String {
    let [x, y] = text.at;
    let anchor = match text.anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let family = if text.is_mono {
        "DejaVu Sans Mono, Menlo, Consolas, monospace"
    } else {
        "Helvetica, Arial, sans-serif"
    };
    let weight = if text.is_bold { " font-weight=\"bold\"" } else { "" };
    let turn = if text.turn == 0.0 {
        String::new()
    } else {
        format!(" transform=\"rotate({} {x:.2} {y:.2})\"", text.turn)
    };
    // Not every program knows `dominant-baseline`: the baseline is set by hand.
    let size = text.size;
    format!(
        "<text x=\"{x:.2}\" y=\"{y:.2}\" dy=\"{:.2}\" font-family=\"{family}\" font-size=\"{size}\" \
         text-anchor=\"{anchor}\" fill=\"{}\" xml:space=\"preserve\"{weight}{turn}>{}</text>",
        size * BASELINE,
        hex(text.color),
        escaped(&text.text)
    )
}

fn dashes(dash: Option<f32>) -> String {
    dash.map_or_else(String::new, |dash| format!(" stroke-dasharray=\"{dash} {dash}\""))
}

fn hex(Rgb([r, g, b]): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Text as XML holds it; characters that XML cannot hold are replaced.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
