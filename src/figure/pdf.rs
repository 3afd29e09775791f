//! A figure as PDF.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, TextRenderingMode, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use subsetter::GlyphRemapper;

use super::Figure;
use super::color::Rgb;
use super::font::{Face, REPLACEMENT};
use super::scene::{AREA_OPACITY, Anchor, BASELINE, Scene, Shape, Text};

/// A figure as PDF: one page as large as it is, lines and text that can be searched, and of the fonts
/// the glyphs that are used.
///
/// Characters that the fonts lack, such as ideographs, show as `□`, and a note says which.
pub fn to_pdf(figure: &Figure) -> Vec<u8> {
    written(figure, &with_note_of_missing(figure))
}

/// A figure for a file that brings its fonts.
pub(super) fn with_note_of_missing(figure: &Figure) -> Scene {
    let scene = Scene::of(figure);
    let Some(note) = note_of_missing(&scene) else { return scene };
    let mut figure = figure.clone();
    figure.notes.push(note);
    Scene::of(&figure)
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

    /// By their number in the part.
    chars: BTreeMap<u16, char>,

    /// In thousandths of a size, by their number in the part.
    widths: BTreeMap<u16, f32>,
}

fn written(figure: &Figure, scene: &Scene) -> Vec<u8> {
    let mut used = Face::ALL.map(|face| Used {
        face,
        glyphs: GlyphRemapper::new(),
        chars: BTreeMap::new(),
        widths: BTreeMap::new(),
    });
    let mut page = Page { content: Content::new(), height: scene.height, used: &mut used };
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

/// What areas are filled with.
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
struct Page<'a> {
    content: Content,
    height: f32,
    used: &'a mut [Used; 2],
}

impl Page<'_> {
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
    /// As a font of two bytes a character, addressed by glyph.
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::figure::{Chart, Map, Side};

    fn figure(tokens: [&str; 2]) -> Figure {
        let rows = Side::tokens("Token", tokens.map(str::to_owned).into(), Some(1..2));
        let map =
            Map::new("Map", rows, Side::layers("Layer", 2), vec![0.1, f32::NAN, 0.3, 0.4], "p");
        Figure {
            title: "Causal trace — p(·Paris)".to_owned(),
            charts: vec![Chart::Map(map)],
            notes: vec!["A note".to_owned()],
            ..Figure::default()
        }
    }

    /// Every piece of text on the page, by the fonts' own tables of characters.
    fn texts(pdf: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(pdf);
        // In the order of the fonts: their resources' names, and the tables.
        let mut tables = text.split("beginbfchar").skip(1).map(|it| {
            let pairs = it.split("endbfchar").next().unwrap().lines().filter_map(|line| {
                let mut parts = line.split(['<', '>']).filter(|it| !it.trim().is_empty());
                let number = |hex: &str| u32::from_str_radix(hex.trim(), 16).unwrap();
                let (glyph, char) = (number(parts.next()?), number(parts.next()?));
                Some((glyph, char::from_u32(char).unwrap()))
            });
            pairs.collect::<BTreeMap<u32, char>>()
        });
        let fonts: BTreeMap<&str, BTreeMap<u32, char>> = ["/Sans", "/Mono"]
            .into_iter()
            .filter(|name| text.contains(&format!("{name} ")))
            .map(|name| (name, tables.next().unwrap()))
            .collect();

        let start = pdf.windows(7).position(|it| it == b"stream\n").unwrap() + 7;
        let mut content = Vec::new();
        flate2::read::ZlibDecoder::new(&pdf[start..]).read_to_end(&mut content).unwrap();
        let mut font = "";
        let mut found = Vec::new();
        let mut at = 0;
        while at < content.len() {
            let end =
                content[at..].iter().position(|&it| it == b'\n').unwrap_or(content.len() - at);
            let line = &content[at..at + end];
            let shown = String::from_utf8_lossy(line).into_owned();
            at += end + 1;
            if shown.ends_with(" Tf") {
                font = if shown.starts_with("/Sans") { "/Sans" } else { "/Mono" };
            } else if shown.ends_with(" Tj") {
                let glyphs = string(&line[..line.len() - 3]);
                let chars = glyphs
                    .chunks(2)
                    .map(|it| fonts[font][&(256 * u32::from(it[0]) + u32::from(it[1]))]);
                found.push(chars.collect());
            }
        }
        found
    }

    /// In hexadecimal digits, or in brackets with escapes.
    fn string(written: &[u8]) -> Vec<u8> {
        let text = std::str::from_utf8(&written[1..written.len() - 1]).unwrap();
        if written[0] == b'<' {
            let byte = |nth: usize| u8::from_str_radix(&text[2 * nth..2 * nth + 2], 16).unwrap();
            return (0..text.len() / 2).map(byte).collect();
        }
        let mut bytes = Vec::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            let byte = match (c, rest.clone().next()) {
                ('\\', Some('0'..='7')) => {
                    let octal: String = rest.by_ref().take(3).collect();
                    u8::from_str_radix(&octal, 8).unwrap()
                }
                ('\\', Some(escaped)) => {
                    rest.next();
                    match escaped {
                        'n' => b'\n',
                        'r' => b'\r',
                        't' => b'\t',
                        'b' => 8,
                        'f' => 12,
                        other => other as u8,
                    }
                }
                (c, _) => c as u8,
            };
            bytes.push(byte);
        }
        bytes
    }

    #[test]
    fn a_pdf_has_one_page_and_its_text_can_be_searched() {
        let pdf = to_pdf(&figure(["The", "·Tower"]));
        let text = String::from_utf8_lossy(&pdf);
        assert_eq!(text.matches("/Type /Page\n").count(), 1);
        assert!(text.contains("/Count 1"));
        let found = texts(&pdf);
        for expected in ["Causal trace — p(·Paris)", "The", "·Tower*", "Layer", "A note"] {
            assert!(found.iter().any(|it| it == expected), "{expected}: {found:?}");
        }
        assert_eq!(to_pdf(&figure(["The", "·Tower"])), pdf);
        // Fonts of some hundred kilobytes each, less what is not used.
        assert!(pdf.len() < 40_000, "{}", pdf.len());
    }

    #[test]
    fn what_the_fonts_lack_is_said() {
        let found = texts(&to_pdf(&figure(["The", "東a京"])));
        assert!(found.iter().any(|it| it == "□a□*"), "{found:?}");
        let note = found.iter().find(|it| it.contains("stands for")).unwrap();
        assert!(note.contains("U+4EAC, U+6771"), "{note}");
    }
}
