//! The fonts that text is measured with, and that PDFs carry. No SVG carries them, but a reader
//! without Helvetica or `DejaVu` Sans Mono mostly has one that is not wider.

use std::sync::LazyLock;

use skrifa::charmap::Charmap;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::{GlyphMetrics, Metrics};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::{FontRef, GlyphId, MetadataProvider as _};

/// The font of text. Its licence is beside it in `assets/fonts/`.
pub static DEJAVU_SANS: &[u8] = include_bytes!("../../assets/fonts/DejaVuSans.ttf");

/// The character that stands for one that no font at hand can write.
pub(super) const REPLACEMENT: char = '□';

/// Text, and tokens, whose letters are equally wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    Sans,
    Mono,
}

struct Parsed {
    data: &'static [u8],
    font: FontRef<'static>,
    charmap: Charmap<'static>,
    glyphs: GlyphMetrics<'static>,
    metrics: Metrics,
}

static PARSED: LazyLock<[Parsed; 2]> = LazyLock::new(|| {
    [DEJAVU_SANS, epaint_default_fonts::HACK_REGULAR].map(|data| {
        let font = FontRef::new(data).expect("the program's own fonts can be read");
        let (size, location) = (Size::unscaled(), LocationRef::default());
        Parsed {
            data,
            charmap: font.charmap(),
            glyphs: font.glyph_metrics(size, location),
            metrics: font.metrics(size, location),
            font,
        }
    })
});

impl Face {
    pub const ALL: [Self; 2] = [Self::Sans, Self::Mono];

    /// The font's PostScript name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sans => "DejaVuSans",
            Self::Mono => "Hack-Regular",
        }
    }

    fn parsed(self) -> &'static Parsed {
        &PARSED[self as usize]
    }

    pub fn data(self) -> &'static [u8] {
        self.parsed().data
    }

    /// The font's metrics, in its own units.
    pub fn metrics(self) -> &'static Metrics {
        &self.parsed().metrics
    }

    /// How wide a glyph is, as a multiple of the font size.
    pub fn advance(self, glyph: GlyphId) -> f32 {
        let it = self.parsed();
        it.glyphs.advance_width(glyph).unwrap_or(0.0) / f32::from(it.metrics.units_per_em)
    }

    /// What a character is written with: this font, or the other where it has no such character.
    pub fn glyph(self, c: char) -> Option<(Self, GlyphId)> {
        let others = Self::ALL.into_iter().filter(|&it| it != self);
        let mut faces = [self].into_iter().chain(others);
        faces.find_map(|face| Some((face, face.parsed().charmap.map(c)?)))
    }

    /// What a character is written with, or a box where no font has it.
    pub fn glyph_or_box(self, c: char) -> (Self, GlyphId) {
        let found = self.glyph(c).or_else(|| self.glyph(REPLACEMENT));
        found.expect("the program's own fonts have a box")
    }

    /// The outline of a glyph, upwards from the baseline.
    pub fn draw(self, glyph: GlyphId, size: f32, pen: &mut impl OutlinePen) {
        let settings = DrawSettings::unhinted(Size::new(size), LocationRef::default());
        if let Some(outline) = self.parsed().font.outline_glyphs().get(glyph) {
            // A glyph that cannot be drawn leaves a gap.
            _ = outline.draw(settings, pen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_of_a_figure_has_a_glyph_and_mono_is_mono() {
        for c in "aZ09−–—·±×→↩✓≠Σσ…“”�□*é".chars() {
            for face in Face::ALL {
                assert!(face.glyph(c).is_some(), "{c}");
            }
        }
        let width = |c: char| {
            let (face, glyph) = Face::Mono.glyph(c).unwrap();
            face.advance(glyph)
        };
        assert_eq!(width('i'), width('W'));
        assert!((width('i') - 0.602).abs() < 0.001, "{}", width('i'));
        assert_eq!(Face::Mono.glyph('東'), None);
    }
}
