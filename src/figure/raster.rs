//! A figure as pixels.

use std::io::Cursor;

use image::{ImageFormat, RgbImage};
use skrifa::outline::OutlinePen;
use vello_cpu::color::AlphaColor;
use vello_cpu::kurbo::{Affine, BezPath, Circle, Point, Rect, Shape as _, Stroke};
use vello_cpu::{Pixmap, RenderContext, Resources};

use super::color::Rgb;
use super::font::Face;
use super::scene::{AREA_OPACITY, Anchor, BASELINE, Scene, Shape, Text};
use super::{Figure, Page};

/// How many times larger than on a screen a picture is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale(u8);

impl Scale {
    /// The scales that are offered.
    pub const ALL: [Self; 4] = [Self(1), Self(2), Self(3), Self(4)];

    /// `None` outside 1 to 4.
    pub fn new(times: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.0 == times)
    }

    pub fn times(self) -> u8 {
        self.0
    }

    pub fn text(self) -> &'static str {
        ["1×", "2×", "3×", "4×"][usize::from(self.0) - 1]
    }

    /// How many pixels a point has: as browsers draw an SVG, at 96 pixels an inch.
    fn pixels(self) -> f64 {
        f64::from(self.0) * 96.0 / 72.0
    }
}

/// Twice, which is sharp in print at the width of a column.
impl Default for Scale {
    fn default() -> Self {
        Self(2)
    }
}

/// A figure as a PNG.
///
/// # Panics
///
/// Never: memory can be written to.
pub fn to_png(figure: &Figure, page: Page, scale: Scale) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    to_image(figure, page, scale)
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("an image of a size above zero can be written to memory");
    bytes.into_inner()
}

/// A figure on white paper.
///
/// # Panics
///
/// Never: there are as many pixels as the sides say.
pub fn to_image(figure: &Figure, page: Page, scale: Scale) -> RgbImage {
    let scene = Scene::of(figure, page);
    let largest = f64::from(u16::MAX) / f64::from(scene.width.max(scene.height));
    let pixels = scale.pixels().min(largest);
    let side = |points: f32| (f64::from(points) * pixels).floor().max(1.0) as u16;
    let (width, height) = (side(scene.width), side(scene.height));
    let mut page = Drawn { ctx: RenderContext::new(width, height), pixels };
    page.ctx.set_paint(color(Rgb([255; 3])));
    page.ctx.fill_rect(&Rect::new(0.0, 0.0, f64::from(width), f64::from(height)));
    for shape in &scene.shapes {
        page.draw(shape);
    }
    page.ctx.flush();
    let mut pixmap = Pixmap::new(width, height);
    page.ctx.render(&mut pixmap, &mut Resources::new());
    let data = pixmap.data().iter().flat_map(|it| [it.r, it.g, it.b]).collect();
    RgbImage::from_raw(u32::from(width), u32::from(height), data)
        .expect("there are as many pixels as the sides say")
}

/// A line of text in pixels.
pub struct Inked {
    /// Columns and rows.
    pub size: [u16; 2],

    /// How much of each pixel is ink, from 0 to 255, row by row from the top.
    pub cover: Vec<u8>,

    /// How many rows lie above the baseline.
    pub rise: u16,

    /// How far the next letter begins from the first, in pixels.
    pub advance: f32,
}

/// Writes a line of text with letters of `size` pixels. `None` where there is nothing to draw, or more
/// than fits in a picture.
pub fn inked(text: &str, is_mono: bool, size: f32) -> Option<Inked> {
    let face = Face::of(is_mono);
    let pen = Glyphs::of(text, face, size);
    let metrics = face.metrics();
    let pixels = |units: f32| (units / f32::from(metrics.units_per_em) * size).ceil();
    let (rise, drop) = (pixels(metrics.ascent), pixels(-metrics.descent));
    let side = |length: f32| (1.0..f32::from(u16::MAX)).contains(&length).then_some(length as u16);
    let (width, height) = (side(pen.left.ceil())?, side(rise + drop)?);
    let mut ctx = RenderContext::new(width, height);
    ctx.set_paint(color(Rgb([0; 3])));
    ctx.fill_path(&(Affine::translate((0.0, f64::from(rise))) * pen.path));
    ctx.flush();
    let mut pixmap = Pixmap::new(width, height);
    ctx.render(&mut pixmap, &mut Resources::new());
    let cover = pixmap.data().iter().map(|it| it.a).collect();
    Some(Inked { size: [width, height], cover, rise: rise as u16, advance: pen.left })
}

struct Drawn {
    ctx: RenderContext,

    /// How many pixels a point has.
    pixels: f64,
}

fn color(Rgb([r, g, b]): Rgb) -> AlphaColor<vello_cpu::color::Srgb> {
    AlphaColor::from_rgb8(r, g, b)
}

impl Drawn {
    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Box { at, size, fill, line } => {
                let [x, y] = *at;
                let points =
                    Rect::new(x.into(), y.into(), (x + size[0]).into(), (y + size[1]).into());
                let scaled = points.scale_from_origin(self.pixels);
                // To whole pixels, or a seam shows between two cells.
                let rect = Rect::new(
                    scaled.x0.round(),
                    scaled.y0.round(),
                    scaled.x1.round(),
                    scaled.y1.round(),
                );
                if let Some(fill) = fill {
                    self.ctx.set_paint(color(*fill));
                    self.ctx.fill_rect(&rect);
                }
                if let Some(line) = line {
                    self.pen(*line, 0.5, None);
                    self.ctx.stroke_path(&rect.to_path(0.1));
                }
            }
            Shape::Line { from, to, color, width, dash } => {
                self.pen(*color, *width, *dash);
                self.polyline(&[*from, *to]);
            }
            Shape::Path { points, color, dash } => {
                self.pen(*color, 1.2, *dash);
                self.polyline(points);
            }
            Shape::Area { points, color: paint } => {
                self.ctx.set_paint(color(*paint).multiply_alpha(AREA_OPACITY));
                self.ctx.fill_path(&self.path(points));
            }
            Shape::Dot { at, radius, color: paint } => {
                self.ctx.set_paint(color(*paint));
                let radius = f64::from(*radius) * self.pixels;
                self.ctx.fill_path(&Circle::new(self.point(*at), radius).to_path(0.05));
            }
            Shape::Text(text) => self.text(text),
            Shape::Spot { .. } => {}
        }
    }

    fn point(&self, [x, y]: [f32; 2]) -> Point {
        Point::new(f64::from(x) * self.pixels, f64::from(y) * self.pixels)
    }

    fn pen(&mut self, paint: Rgb, width: f32, dash: Option<f32>) {
        let mut stroke = Stroke::new(f64::from(width) * self.pixels);
        if let Some(dash) = dash {
            stroke = stroke.with_dashes(0.0, [f64::from(dash) * self.pixels; 2]);
        }
        self.ctx.set_paint(color(paint));
        self.ctx.set_stroke(stroke);
    }

    fn polyline(&mut self, points: &[[f32; 2]]) {
        self.ctx.stroke_path(&self.path(points));
    }

    fn path(&self, points: &[[f32; 2]]) -> BezPath {
        let mut path = BezPath::new();
        for (nth, point) in points.iter().enumerate() {
            if nth == 0 {
                path.move_to(self.point(*point));
            } else {
                path.line_to(self.point(*point));
            }
        }
        path
    }

    fn text(&mut self, text: &Text) {
        let size = text.size * self.pixels as f32;
        let pen = Glyphs::of(&text.text, Face::of(text.is_mono), size);
        let left = match text.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -pen.left / 2.0,
            Anchor::End => -pen.left,
        };
        let down = size * BASELINE;
        let place = Affine::translate(self.point(text.at).to_vec2())
            * Affine::rotate(f64::from(text.turn).to_radians())
            * Affine::translate((f64::from(left), f64::from(down)));
        let path = place * pen.path;
        self.ctx.set_paint(color(text.color));
        self.ctx.fill_path(&path);
        if text.is_bold {
            // No bold font at hand: a heavier outline.
            self.pen(text.color, text.size * 0.035, None);
            self.ctx.stroke_path(&path);
        }
    }
}

/// The outlines of a line of text. Fonts count upwards, pixels down.
#[derive(Default)]
struct Glyphs {
    path: BezPath,
    left: f32,
}

impl Glyphs {
    fn of(text: &str, face: Face, size: f32) -> Self {
        let mut pen = Self::default();
        for glyph in face.glyphs(text) {
            glyph.face.draw(glyph.id, size, &mut pen);
            pen.left += glyph.face.advance(glyph.id) * size;
        }
        pen
    }

    fn at(&self, x: f32, y: f32) -> Point {
        Point::new(f64::from(self.left + x), f64::from(-y))
    }
}

impl OutlinePen for Glyphs {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.at(x, y));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.at(x, y));
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.path.quad_to(self.at(cx, cy), self.at(x, y));
    }

    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        self.path.curve_to(self.at(ax, ay), self.at(bx, by), self.at(x, y));
    }

    fn close(&mut self) {
        self.path.close_path();
    }
}
