//! A figure as PDF.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, TextRenderingMode, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use subsetter::GlyphRemapper;

use super::color::Rgb;
use super::font::{Face, REPLACEMENT};
use super::scene::{AREA_OPACITY, Anchor, BASELINE, Scene, Shape, Text};
use super::{Figure, Page};

/// A figure as PDF: one page as large as it is, lines and text that can be searched, and of the fonts
/// the glyphs that are used.
///
/// Characters that the fonts lack, such as ideographs, show as `□`, and a note says which.
pub fn to_pdf(figure: &Figure, page: Page) -> Vec<u8> {
    written(figure, &with_note_of_missing(figure, page))
}

/// A figure for a file that brings its fonts.
pub(super) fn with_note_of_missing(figure: &Figure, page: Page) -> Scene {
    let scene = Scene::of(figure, page);
    let Some(note) = note_of_missing(&scene) else { return scene };
    let mut figure = figure.clone();
    figure.notes.push(note);
    Scene::of(&figure, page)
}

fn note_of_missing(scene: &Scene) -> Option<String> {
    let texts = scene.shapes.iter().filter_map(|shape| match shape {
        Shape::Text(text) => Some(text.text.chars()),
        _ => None,
    });
    let missing: BTreeSet<char> =
        texts.flatten().filter(|&c| Face::Sans.glyph(c).is_none()).collect();
    if missing.is_empty() {
        return None;
    }
    let codes = missing.iter().take(12).map(|&c| format!("U+{:04X}", u32::from(c)));
    let more = if missing.len() > 12 { ", …" } else { "" };
    let codes = codes.collect::<Vec<_>>().join(", ");
    Some(format!(
        "{REPLACEMENT} stands for characters that the fonts of this file lack ({codes}{more}); the \
         SVG has them"
    ))
}

/// A font, and the part of it that is used.
struct Used {
    face: Face,
    glyphs: GlyphRemapper,

    /// The characters, by the number of their glyph in the part.
    chars: BTreeMap<u16, char>,

    /// How wide glyphs are, in thousandths of the font size, by their number in the part.
    widths: BTreeMap<u16, f32>,
}

fn written(figure: &Figure, scene: &Scene) -> Vec<u8> {
    let mut used = Face::ALL.map(|face| Used {
        face,
        glyphs: GlyphRemapper::new(),
        chars: BTreeMap::new(),
        widths: BTreeMap::new(),
    });
    let mut page = Drawn { content: Content::new(), height: scene.height, used: &mut used };
    for shape in &scene.shapes {
        page.draw(shape);
    }
    let content = page.content.finish();

    let mut next = Ref::new(1);
    let mut id = || next.bump();
    let (catalog, pages, page, stream, info) = (id(), id(), id(), id(), id());
    let fonts: Vec<(&Used, Ref)> =
        used.iter().filter(|it| !it.chars.is_empty()).map(|it| (it, id())).collect();
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page]).count(1);
    let mut written = pdf.page(page);
    written.media_box(Rect::new(0.0, 0.0, scene.width, scene.height));
    written.parent(pages).contents(stream);
    let mut resources = written.resources();
    let mut named = resources.fonts();
    for (it, font) in &fonts {
        named.pair(name_in_page(it.face), *font);
    }
    named.finish();
    let has_areas = scene.shapes.iter().any(|it| matches!(it, Shape::Area { .. }));
    let pale = has_areas.then(&mut id);
    if let Some(pale) = pale {
        resources.ext_g_states().pair(PALE, pale);
    }
    resources.finish();
    written.finish();
    if let Some(pale) = pale {
        pdf.ext_graphics(pale).non_stroking_alpha(AREA_OPACITY);
    }
    let content = deflated(&content);
    pdf.stream(stream, &content).filter(Filter::FlateDecode);
    for (it, font) in fonts {
        it.write(&mut pdf, font, [id(), id(), id(), id()]);
    }
    // No date: the same figure gives the same file.
    pdf.document_info(info)
        .title(TextStr(&figure.title))
        .creator(TextStr(concat!("factscope ", env!("CARGO_PKG_VERSION"))));
    pdf.finish()
}

/// The name of the graphics state that makes areas pale.
const PALE: Name<'static> = Name(b"Pale");

fn name_in_page(face: Face) -> Name<'static> {
    match face {
        Face::Sans => Name(b"Sans"),
        Face::Mono => Name(b"Mono"),
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("memory can be written to")
}

/// A page that is being drawn. PDF counts from the bottom.
struct Drawn<'a> {
    content: Content,
    height: f32,
    used: &'a mut [Used; 2],
}

impl Drawn<'_> {
    fn draw(&mut self, shape: &Shape) {
        match shape {
            Shape::Box { at: [x, y], size: [width, height], fill, line } => {
                let bottom = self.height - y - height;
                if let Some(color) = fill {
                    self.fill_color(*color);
                    self.content.rect(*x, bottom, *width, *height).fill_nonzero();
                }
                if let Some(color) = line {
                    self.pen(*color, 0.5, None);
                    self.content.rect(*x, bottom, *width, *height).stroke();
                }
            }
            Shape::Line { from, to, color, width, dash } => {
                self.pen(*color, *width, *dash);
                self.content.move_to(from[0], self.height - from[1]);
                self.content.line_to(to[0], self.height - to[1]).stroke();
            }
            Shape::Path { points, color, dash } => {
                self.pen(*color, 1.2, *dash);
                self.along(points);
                self.content.stroke();
            }
            Shape::Area { points, color } => {
                self.content.save_state().set_parameters(PALE);
                self.fill_color(*color);
                self.along(points);
                self.content.close_path().fill_nonzero().restore_state();
            }
            Shape::Dot { at, radius, color } => self.dot(*at, *radius, *color),
            Shape::Text(text) => self.text(text),
        }
    }

    fn along(&mut self, points: &[[f32; 2]]) {
        for (nth, [x, y]) in points.iter().enumerate() {
            if nth == 0 {
                self.content.move_to(*x, self.height - y);
            } else {
                self.content.line_to(*x, self.height - y);
            }
        }
    }

    fn fill_color(&mut self, color: Rgb) {
        let [r, g, b] = color.0.map(|it| f32::from(it) / 255.0);
        self.content.set_fill_rgb(r, g, b);
    }

    fn pen(&mut self, color: Rgb, width: f32, dash: Option<f32>) {
        let [r, g, b] = color.0.map(|it| f32::from(it) / 255.0);
        self.content.set_stroke_rgb(r, g, b).set_line_width(width);
        let dashes: Vec<f32> = dash.map_or_else(Vec::new, |dash| vec![dash, dash]);
        self.content.set_dash_pattern(dashes, 0.0);
    }

    /// Four Bézier curves.
    fn dot(&mut self, [x, y]: [f32; 2], r: f32, color: Rgb) {
        // How far control points are for a quarter of a circle.
        let k = 0.5523 * r;
        let y = self.height - y;
        self.fill_color(color);
        self.content.move_to(x + r, y);
        self.content.cubic_to(x + r, y + k, x + k, y + r, x, y + r);
        self.content.cubic_to(x - k, y + r, x - r, y + k, x - r, y);
        self.content.cubic_to(x - r, y - k, x - k, y - r, x, y - r);
        self.content.cubic_to(x + k, y - r, x + r, y - k, x + r, y);
        self.content.fill_nonzero();
    }

    fn text(&mut self, text: &Text) {
        let wanted = if text.is_mono { Face::Mono } else { Face::Sans };
        // Pieces of one font each.
        let mut pieces: Vec<(Face, Vec<u8>)> = Vec::new();
        let mut width = 0.0;
        for c in text.text.chars() {
            let c = if wanted.glyph(c).is_some() { c } else { REPLACEMENT };
            let (face, glyph) = wanted.glyph_or_box(c);
            let advance = face.advance(glyph);
            width += advance;
            let used = &mut self.used[face as usize];
            let number = used.glyphs.remap(glyph.to_u32() as u16);
            used.chars.entry(number).or_insert(c);
            used.widths.insert(number, advance * 1000.0);
            if pieces.last().is_none_or(|piece| piece.0 != face) {
                pieces.push((face, Vec::new()));
            }
            if let Some(piece) = pieces.last_mut() {
                piece.1.extend(number.to_be_bytes());
            }
        }
        let left = match text.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -width * text.size / 2.0,
            Anchor::End => -width * text.size,
        };
        let down = -text.size * BASELINE;
        let (sin, cos) = text.turn.to_radians().sin_cos();
        let (x, y) = (text.at[0], self.height - text.at[1]);
        let at = [x + left * cos + down * sin, y - left * sin + down * cos];
        self.fill_color(text.color);
        if text.is_bold {
            // No bold font at hand: a heavier outline.
            self.pen(text.color, text.size * 0.035, None);
        }
        self.content.begin_text();
        let mode =
            if text.is_bold { TextRenderingMode::FillStroke } else { TextRenderingMode::Fill };
        self.content.set_text_rendering_mode(mode);
        self.content.set_text_matrix([cos, -sin, sin, cos, at[0], at[1]]);
        for (face, bytes) in pieces {
            self.content.set_font(name_in_page(face), text.size).show(Str(&bytes));
        }
        self.content.end_text();
    }
}

impl Used {
    /// Writes the part as a font with two bytes for each character, addressed by glyph.
    fn write(&self, pdf: &mut Pdf, font: Ref, [cid, descriptor, file, cmap]: [Ref; 4]) {
        let info =
            SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
        // Six letters before the name say that it is a part of the font.
        let name = format!("FACTSC+{}", self.face.name());
        let name = Name(name.as_bytes());
        pdf.type0_font(font)
            .base_font(name)
            .encoding_predefined(Name(b"Identity-H"))
            .descendant_font(cid)
            .to_unicode(cmap);
        let mut written = pdf.cid_font(cid);
        written.subtype(CidFontType::Type2).base_font(name).system_info(info);
        written.font_descriptor(descriptor).default_width(0.0);
        written.cid_to_gid_map_predefined(Name(b"Identity"));
        let mut widths = written.widths();
        for (&number, &width) in &self.widths {
            widths.consecutive(number, [width]);
        }
        widths.finish();
        written.finish();

        let metrics = self.face.metrics();
        let units = |it: f32| it * 1000.0 / f32::from(metrics.units_per_em);
        let bounds = metrics.bounds.unwrap_or_default();
        let mono = match self.face {
            Face::Sans => FontFlags::empty(),
            Face::Mono => FontFlags::FIXED_PITCH,
        };
        pdf.font_descriptor(descriptor)
            .name(name)
            .flags(FontFlags::SYMBOLIC | mono)
            .bbox(Rect::new(
                units(bounds.x_min),
                units(bounds.y_min),
                units(bounds.x_max),
                units(bounds.y_max),
            ))
            .italic_angle(0.0)
            .ascent(units(metrics.ascent))
            .descent(units(metrics.descent))
            .cap_height(units(metrics.cap_height.unwrap_or(metrics.ascent)))
            .stem_v(80.0)
            .font_file2(file);
        let part = subsetter::subset(self.face.data(), 0, &self.glyphs)
            .expect("the program's own fonts can be read");
        let compressed = deflated(&part);
        let mut stream = pdf.stream(file, &compressed);
        stream.filter(Filter::FlateDecode).pair(Name(b"Length1"), part.len() as i32);
        stream.finish();

        let mut chars = UnicodeCmap::<u16>::new(Name(b"Custom"), info);
        for (&number, &c) in &self.chars {
            chars.pair(number, c);
        }
        pdf.cmap(cmap, &chars.finish());
    }
}
