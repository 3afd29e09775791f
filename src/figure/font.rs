//! The fonts that text is measured with, and that PDFs carry: the program's own, then the system's.
//!
//! No SVG carries them, but a reader without Helvetica or `DejaVu` Sans Mono mostly has one that is not
//! wider.

use std::fmt;
use std::ptr;
use std::sync::LazyLock;

use skrifa::charmap::Charmap;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::{GlyphMetrics, Metrics};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::raw::TableProvider as _;
use skrifa::string::StringId;
use skrifa::{FontRef, GlyphId, MetadataProvider as _};

use super::system_font;

/// The font of text. Its licence is beside it in `assets/fonts/`.
pub use crate::packed::DEJAVU_SANS;

/// A font, which is kept as long as the program runs.
#[derive(Clone, Copy)]
pub struct Face(&'static Font);

struct Font {
    data: &'static [u8],
    index: u32,
    name: String,
    parsed: FontRef<'static>,
    charmap: Charmap<'static>,
    glyphs: GlyphMetrics<'static>,
    metrics: Metrics,
}

/// A character as it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glyph {
    pub face: Face,
    pub id: GlyphId,
    pub c: char,
}

/// The program's own fonts: that of text, and that of tokens, whose letters are equally wide.
static OWN: LazyLock<[Face; 2]> = LazyLock::new(|| {
    [&DEJAVU_SANS, epaint_default_fonts::HACK_REGULAR]
        .map(|data| Face::read(data, 0).expect("the program's own fonts can be read"))
});

impl Face {
    /// The font of tokens, or that of other text.
    pub(super) fn of(is_mono: bool) -> Self {
        OWN[usize::from(is_mono)]
    }

    /// The font number `index` of a file that may hold several. `None` if it is none, or one that no
    /// PDF can carry.
    pub(super) fn read(data: &'static [u8], index: u32) -> Option<Self> {
        let font = FontRef::from_index(data, index).ok()?;
        if font.cff2().is_ok() {
            return None;
        }
        let (size, location) = (Size::unscaled(), LocationRef::default());
        let name = font.localized_strings(StringId::POSTSCRIPT_NAME).english_or_first();
        // As names in PDFs must be written.
        let name = name.into_iter().flat_map(|it| it.to_string().into_bytes());
        let name = name.filter(u8::is_ascii_graphic).map(char::from).collect();
        let font = Font {
            data,
            index,
            name,
            charmap: font.charmap(),
            glyphs: font.glyph_metrics(size, location),
            metrics: font.metrics(size, location),
            parsed: font,
        };
        Some(Self(Box::leak(Box::new(font))))
    }

    /// The font's PostScript name.
    pub fn name(self) -> &'static str {
        &self.0.name
    }

    /// The file's content.
    pub fn data(self) -> &'static [u8] {
        self.0.data
    }

    /// The number of the font in a file that holds several.
    pub fn index(self) -> u32 {
        self.0.index
    }

    /// Whether outlines are as `PostScript` has them, and not as `TrueType` has them.
    pub(super) fn is_postscript(self) -> bool {
        self.0.parsed.cff().is_ok()
    }

    /// The font's metrics, in its own units.
    pub(super) fn metrics(self) -> &'static Metrics {
        &self.0.metrics
    }

    /// How wide a glyph is, as a multiple of the font size.
    pub(super) fn advance(self, glyph: GlyphId) -> f32 {
        self.0.glyphs.advance_width(glyph).unwrap_or(0.0) / f32::from(self.0.metrics.units_per_em)
    }

    /// The glyph of a character, if the font has one.
    pub(super) fn glyph(self, c: char) -> Option<GlyphId> {
        self.0.charmap.map(c)
    }

    /// Whether the font has a character, and as an outline: emoji may be pictures.
    pub(super) fn can_draw(self, c: char) -> bool {
        let mut outline = Outline { is_empty: true };
        if let Some(glyph) = self.glyph(c) {
            self.draw(glyph, 1.0, &mut outline);
        }
        !outline.is_empty
    }

    /// Whether letters are equally wide.
    pub(super) fn is_mono(self) -> bool {
        self.0.metrics.is_monospace
    }

    /// The outline of a glyph, upwards from the baseline.
    pub(super) fn draw(self, glyph: GlyphId, size: f32, pen: &mut impl OutlinePen) {
        let settings = DrawSettings::unhinted(Size::new(size), LocationRef::default());
        if let Some(outline) = self.0.parsed.outline_glyphs().get(glyph) {
            // A glyph that cannot be drawn leaves a gap.
            _ = outline.draw(settings, pen);
        }
    }

    /// What a text is written with: each character in this font, or else in another of the program's, or
    /// else in one of the system's. A character that none has is written as its code point, `<U+6771>`.
    pub(super) fn glyphs(self, text: &str) -> Vec<Glyph> {
        let mut glyphs = Vec::with_capacity(text.len());
        for c in text.chars() {
            if let Some(glyph) = self.written(c) {
                glyphs.push(glyph);
            } else {
                glyphs.extend(code_point(c).chars().filter_map(|c| self.written(c)));
            }
        }
        glyphs
    }

    fn written(self, c: char) -> Option<Glyph> {
        let of = |face: Self| Some(Glyph { face, id: face.glyph(c)?, c });
        let own = || OWN.iter().copied().find_map(of);
        of(self).or_else(own).or_else(|| of(system_font::with(c)?))
    }
}

impl PartialEq for Face {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.0, other.0)
    }
}

impl fmt::Debug for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a character is written that no font has.
pub fn code_point(c: char) -> String {
    format!("<U+{:04X}>", u32::from(c))
}

/// Whether there is anything to draw.
struct Outline {
    is_empty: bool,
}

impl OutlinePen for Outline {
    fn move_to(&mut self, _: f32, _: f32) {}

    fn line_to(&mut self, _: f32, _: f32) {
        self.is_empty = false;
    }

    fn quad_to(&mut self, _: f32, _: f32, _: f32, _: f32) {
        self.is_empty = false;
    }

    fn curve_to(&mut self, _: f32, _: f32, _: f32, _: f32, _: f32, _: f32) {
        self.is_empty = false;
    }

    fn close(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_of_a_figure_has_a_glyph_and_mono_is_mono() {
        let [sans, mono] = *OWN;
        for c in "aZ09−–—·±×→↩✓≠Σσ…“”�□*é".chars() {
            for face in [sans, mono] {
                let glyph = face.written(c).unwrap();
                assert!(OWN.contains(&glyph.face), "{c}");
            }
        }
        let width = |c: char| mono.advance(mono.glyph(c).unwrap());
        assert_eq!(width('i'), width('W'));
        assert!((width('i') - 0.602).abs() < 0.001, "{}", width('i'));
        assert!(mono.is_mono() && !sans.is_mono());
        assert_eq!(mono.name(), "Hack-Regular");
        assert_eq!(mono.glyph('東'), None);
    }

    #[test]
    fn a_character_that_no_font_has_is_written_as_its_code_point() {
        // Of those that Unicode leaves to everyone's own use.
        let glyphs = Face::of(true).glyphs("a\u{10abcd}b");
        assert_eq!(glyphs.iter().map(|it| it.c).collect::<String>(), "a<U+10ABCD>b");
    }
}
