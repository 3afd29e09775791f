//! A figure as PDF.

use std::collections::BTreeMap;
use std::io::Write as _;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, TextRenderingMode, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use skrifa::Tag;
use skrifa::raw::FontRef;
use subsetter::GlyphRemapper;

use super::color::Rgb;
use super::font::Face;
use super::record::PDF_NAME;
use super::scene::{AREA_OPACITY, Anchor, BASELINE, Scene, Shape, Text};
use super::{Figure, Page, Record};

/// A figure as PDF: one page as large as it is, lines and text that can be searched, and of the fonts
/// the glyphs that are used.
///
/// Letters stand one beside the other, as they do alone: those of Arabic and of the scripts of India are
/// not joined. The SVG leaves them to its reader, who joins them.
pub fn to_pdf(figure: &Figure, page: Page) -> Vec<u8> {
    pdf_with(figure, page, None)
}

/// A figure as PDF with a record attached to it, as a file that readers of PDF can save.
pub(super) fn pdf_with(figure: &Figure, page: Page, record: Option<&Record>) -> Vec<u8> {
    written(figure, &Scene::of(figure, page), record)
}

/// A font, and the part of it that is used.
struct Used {
    face: Face,

    /// The font's name in the page.
    name: String,
    glyphs: GlyphRemapper,

    /// The characters, by the number of their glyph in the part.
    chars: BTreeMap<u16, char>,

    /// How wide glyphs are, in thousandths of the font size, by their number in the part.
    widths: BTreeMap<u16, f32>,
}

fn written(figure: &Figure, scene: &Scene, record: Option<&Record>) -> Vec<u8> {
    let mut used = Vec::new();
    let mut page = Drawn { content: Content::new(), height: scene.height, used: &mut used };
    for shape in &scene.shapes {
        page.draw(shape);
    }
    let content = page.content.finish();

    let mut next = Ref::new(1);
    let mut id = || next.bump();
    let (catalog, pages, page, stream, info) = (id(), id(), id(), id(), id());
    let fonts: Vec<(&Used, Ref)> = used.iter().map(|it| (it, id())).collect();
    let mut pdf = Pdf::new();
    let mut root = pdf.catalog(catalog);
    root.pages(pages);
    let attached = record.map(|record| (record, [id(), id()]));
    if let Some((_, [spec, _])) = attached {
        root.names().embedded_files().names().insert(Str(PDF_NAME.as_bytes()), spec);
    }
    root.finish();
    pdf.pages(pages).kids([page]).count(1);
    let mut written = pdf.page(page);
    written.media_box(Rect::new(0.0, 0.0, scene.width, scene.height));
    written.parent(pages).contents(stream);
    let mut resources = written.resources();
    let mut named = resources.fonts();
    for (it, font) in &fonts {
        named.pair(Name(it.name.as_bytes()), *font);
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
    if let Some((record, [spec, file])) = attached {
        let name = Str(PDF_NAME.as_bytes());
        let about = TextStr("What this figure was made of, for `factscope verify`");
        pdf.file_spec(spec).path(name).description(about).embedded_file(file);
        // The last object, so that all before it is the drawing.
        let json = deflated(record.beside(pdf.as_bytes()).as_bytes());
        pdf.embedded_file(file, &json).filter(Filter::FlateDecode);
    }
    pdf.finish()
}

/// The name of the graphics state that makes areas pale.
const PALE: Name<'static> = Name(b"Pale");

/// The table of `PostScript`'s outlines of a font, if it has one.
fn outlines(font: &[u8]) -> Option<&[u8]> {
    let table = FontRef::new(font).ok()?.table_data(Tag::new(b"CFF "))?;
    Some(table.as_bytes())
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
    used: &'a mut Vec<Used>,
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
            Shape::Spot { .. } => {}
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
        // Pieces of one font each, which is given by its number.
        let mut pieces: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut width = 0.0;
        for glyph in Face::of(text.is_mono).glyphs(&text.text) {
            let advance = glyph.face.advance(glyph.id);
            width += advance;
            let font = self.font(glyph.face);
            let used = &mut self.used[font];
            let number = used.glyphs.remap(glyph.id.to_u32() as u16);
            used.chars.entry(number).or_insert(glyph.c);
            used.widths.insert(number, advance * 1000.0);
            if pieces.last().is_none_or(|piece| piece.0 != font) {
                pieces.push((font, Vec::new()));
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
        for (font, bytes) in pieces {
            let name = Name(self.used[font].name.as_bytes());
            self.content.set_font(name, text.size).show(Str(&bytes));
        }
        self.content.end_text();
    }

    /// The number of a font among those used.
    fn font(&mut self, face: Face) -> usize {
        let used = &mut *self.used;
        used.iter().position(|it| it.face == face).unwrap_or_else(|| {
            used.push(Used {
                face,
                name: format!("F{}", used.len()),
                glyphs: GlyphRemapper::new(),
                chars: BTreeMap::new(),
                widths: BTreeMap::new(),
            });
            used.len() - 1
        })
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
        let part = subsetter::subset(self.face.data(), self.face.index(), &self.glyphs)
            .expect("what was drawn can be read");
        // Of a font of PostScript's kind, PDFs carry the outlines alone.
        let part = match outlines(&part) {
            Some(outlines) => outlines.to_vec(),
            None => part,
        };
        written.base_font(name).system_info(info);
        written.font_descriptor(descriptor).default_width(0.0);
        if self.face.is_postscript() {
            written.subtype(CidFontType::Type0);
        } else {
            written.subtype(CidFontType::Type2).cid_to_gid_map_predefined(Name(b"Identity"));
        }
        let mut widths = written.widths();
        for (&number, &width) in &self.widths {
            widths.consecutive(number, [width]);
        }
        widths.finish();
        written.finish();

        let metrics = self.face.metrics();
        let units = |it: f32| it * 1000.0 / f32::from(metrics.units_per_em);
        let bounds = metrics.bounds.unwrap_or_default();
        let mono = if self.face.is_mono() { FontFlags::FIXED_PITCH } else { FontFlags::empty() };
        let mut written = pdf.font_descriptor(descriptor);
        written
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
            .stem_v(80.0);
        if self.face.is_postscript() {
            written.font_file3(file);
        } else {
            written.font_file2(file);
        }
        written.finish();
        let compressed = deflated(&part);
        let mut stream = pdf.stream(file, &compressed);
        stream.filter(Filter::FlateDecode);
        if self.face.is_postscript() {
            stream.pair(Name(b"Subtype"), Name(b"CIDFontType0C"));
        } else {
            stream.pair(Name(b"Length1"), part.len() as i32);
        }
        stream.finish();

        let mut chars = UnicodeCmap::<u16>::new(Name(b"Custom"), info);
        for (&number, &c) in &self.chars {
            chars.pair(number, c);
        }
        pdf.cmap(cmap, &chars.finish());
    }
}
