//! Every colour and font.
//!
//! Colour maps follow the figures they are compared with: Meng et al. 2022 (purple, green and red
//! for hidden states, MLP and attention) and TransformerLens (red to blue for contributions). They
//! are the same on both themes, so that a figure does not change with the window around it.

use std::sync::Arc;
use std::thread;

use eframe::egui::epaint::text::{
    FallbackRequest, FontInsert, FontPriority, GlyphBitmap, GlyphRasterizer,
    GlyphRasterizerRequest, InsertFontFamily, RasterizedGlyph,
};
use eframe::egui::style::{WidgetVisuals, Widgets};
use eframe::egui::{
    Color32, ColorImage, Context, CornerRadius, FontData, FontFamily, FontId, Margin, Rect, Stroke,
    StrokeKind, Style, TextStyle, Theme, Ui, Visuals, vec2,
};

pub use crate::figure::ColorMap;
use crate::figure::Rgb;
use crate::figure::color::SERIES;
use crate::figure::font::{DEJAVU_SANS, code_point};
use crate::figure::{inked, system_font};

/// Sets fonts, text sizes, spacing and colours of both themes. Call it once.
pub fn install(ctx: &Context) {
    // egui's own fonts come first; this one has the signs they lack, such as `↩` and `→`.
    let last = |family| InsertFontFamily { family, priority: FontPriority::Lowest };
    ctx.add_font(FontInsert::new(
        "DejaVu Sans",
        FontData::from_static(&DEJAVU_SANS),
        vec![last(FontFamily::Proportional), last(FontFamily::Monospace)],
    ));
    // Then the system's, as in figures. They are listed while the window opens, or, where there is no
    // room for a thread, when one is needed.
    drop(thread::Builder::new().spawn(system_font::prepare));
    ctx.add_font_provider(Arc::new(|request: &FallbackRequest<'_>| {
        let face = system_font::with(request.cluster.chars().next()?)?;
        let data = FontData { index: face.index(), ..FontData::from_static(face.data()) };
        Some(FontInsert::new(face.name(), data, Vec::new()))
    }));
    ctx.add_glyph_rasterizer(GlyphRasterizer::new("factscope: code points", code_points));
    ctx.style_mut_of(Theme::Light, |style| restyle(style, &LIGHT));
    ctx.style_mut_of(Theme::Dark, |style| restyle(style, &DARK));
}

/// A character that no font has, written as its code point, as in figures.
fn code_points(request: &GlyphRasterizerRequest<'_>) -> Option<RasterizedGlyph> {
    let is_space = request.cluster.chars().all(char::is_whitespace);
    if is_space {
        // Which the fonts leave room for.
        return None;
    }
    let text: String = request.cluster.chars().map(code_point).collect();
    let is_mono = *request.family == FontFamily::Monospace;
    let inked = inked(&text, is_mono, request.font_size_px)?;
    let pixels = inked.cover.into_iter().map(Color32::from_white_alpha).collect();
    let bitmap = GlyphBitmap {
        image: ColorImage::new(inked.size.map(usize::from), pixels),
        offset_px: vec2(0.0, -f32::from(inked.rise)),
        is_color: false,
    };
    Some(RasterizedGlyph { bitmap, advance_px: inked.advance })
}

/// What is drawn in which colour, beside the colour maps. Text colours reach a contrast of 4.5 to
/// 1 on `background` (WCAG AA).
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    pub background: Color32,
    pub text: Color32,

    /// Captions, axes.
    pub weak_text: Color32,

    /// Headings, and what the pointer is on.
    pub strong_text: Color32,

    /// Separators, frames of plots.
    pub line: Color32,

    /// Grid lines behind bars.
    pub faint_line: Color32,

    /// What is selected.
    pub accent: Color32,

    /// Behind selected text and rows.
    pub accent_fill: Color32,

    /// Tokens of the subject.
    pub subject: Color32,
    pub subject_fill: Color32,

    /// Attention's part of a sum.
    pub attn: Color32,

    /// The MLPs' part of a sum.
    pub mlp: Color32,

    /// What belongs to no layer.
    pub embed: Color32,

    pub good: Color32,
    pub warning: Color32,
    pub error: Color32,

    /// Under the hatching of cells that have no value.
    pub not_computed: Color32,
    pub hatching: Color32,

    widget: Color32,
    widget_hovered: Color32,
    widget_active: Color32,
    field: Color32,
}

const LIGHT: Palette = Palette {
    background: Color32::from_rgb(252, 252, 253),
    text: Color32::from_rgb(38, 41, 46),
    weak_text: Color32::from_rgb(92, 97, 105),
    strong_text: Color32::from_rgb(10, 12, 15),
    line: Color32::from_rgb(205, 208, 213),
    faint_line: Color32::from_rgb(231, 233, 236),
    accent: Color32::from_rgb(14, 98, 208),
    accent_fill: Color32::from_rgb(207, 226, 252),
    subject: Color32::from_rgb(166, 74, 6),
    subject_fill: Color32::from_rgb(253, 234, 214),
    attn: Color32::from_rgb(200, 58, 52),
    mlp: Color32::from_rgb(31, 143, 108),
    embed: Color32::from_rgb(130, 136, 145),
    good: Color32::from_rgb(20, 116, 62),
    warning: Color32::from_rgb(158, 82, 0),
    error: Color32::from_rgb(186, 26, 26),
    not_computed: Color32::from_rgb(226, 228, 231),
    hatching: Color32::from_rgb(196, 199, 204),
    widget: Color32::from_rgb(236, 238, 241),
    widget_hovered: Color32::from_rgb(225, 228, 233),
    widget_active: Color32::from_rgb(210, 215, 222),
    field: Color32::WHITE,
};

const DARK: Palette = Palette {
    background: Color32::from_rgb(27, 29, 32),
    text: Color32::from_rgb(218, 221, 226),
    weak_text: Color32::from_rgb(156, 162, 171),
    strong_text: Color32::from_rgb(247, 248, 250),
    line: Color32::from_rgb(66, 70, 76),
    faint_line: Color32::from_rgb(44, 47, 52),
    accent: Color32::from_rgb(96, 165, 250),
    accent_fill: Color32::from_rgb(30, 66, 112),
    subject: Color32::from_rgb(245, 170, 74),
    subject_fill: Color32::from_rgb(70, 48, 22),
    attn: Color32::from_rgb(235, 102, 92),
    mlp: Color32::from_rgb(67, 190, 148),
    embed: Color32::from_rgb(140, 146, 156),
    good: Color32::from_rgb(99, 204, 139),
    warning: Color32::from_rgb(240, 172, 72),
    error: Color32::from_rgb(255, 126, 118),
    not_computed: Color32::from_rgb(50, 53, 58),
    hatching: Color32::from_rgb(84, 88, 95),
    widget: Color32::from_rgb(46, 49, 54),
    widget_hovered: Color32::from_rgb(58, 62, 68),
    widget_active: Color32::from_rgb(70, 75, 82),
    field: Color32::from_rgb(19, 20, 23),
};

/// The palette of the theme that `ui` is drawn in.
pub fn palette(ui: &Ui) -> &'static Palette {
    if ui.visuals().dark_mode { &DARK } else { &LIGHT }
}

impl ColorMap {
    /// `share` from 0 to 1, clipped. Transparent if there is no value, so that the hatching below
    /// shows.
    pub fn color(self, share: f32) -> Color32 {
        self.rgb(share).map_or(Color32::TRANSPARENT, color)
    }
}

/// The colour as egui's type.
pub fn color(Rgb([r, g, b]): Rgb) -> Color32 {
    Color32::from_rgb(r, g, b)
}

/// The colour of the `nth` line of a plot: as in files, but lighter where the background is dark.
pub fn series(ui: &Ui, nth: usize) -> Color32 {
    series_on(nth, ui.visuals().dark_mode)
}

fn series_on(nth: usize, is_dark: bool) -> Color32 {
    let color = color(SERIES[nth % SERIES.len()]);
    if is_dark { color.lerp_to_gamma(Color32::WHITE, 0.25) } else { color }
}

/// Black or white, whichever reads better on `background`: at least 4.5 to 1.
pub fn text_on(background: Color32) -> Color32 {
    // Where the contrast with black equals that with white.
    if luminance(background) > 0.179 { Color32::BLACK } else { Color32::WHITE }
}

/// Relative luminance as WCAG defines it, 0 to 1.
fn luminance(color: Color32) -> f32 {
    let linear = |channel: u8| {
        let c = f32::from(channel) / 255.0;
        if c <= 0.03928 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
}

/// The font of axes: their numbers and names.
pub fn axis_font() -> FontId {
    FontId::new(11.5, FontFamily::Proportional)
}

/// The font of tokens on axes and in cells.
pub fn token_font() -> FontId {
    FontId::new(12.0, FontFamily::Monospace)
}

fn restyle(style: &mut Style, colors: &Palette) {
    use FontFamily::{Monospace, Proportional};
    style.text_styles = [
        (TextStyle::Small, FontId::new(12.0, Proportional)),
        (TextStyle::Body, FontId::new(13.5, Proportional)),
        (TextStyle::Button, FontId::new(13.5, Proportional)),
        (TextStyle::Heading, FontId::new(16.0, Proportional)),
        (TextStyle::Monospace, FontId::new(13.0, Monospace)),
    ]
    .into();

    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(8.0, 6.0);
    spacing.button_padding = vec2(9.0, 3.0);
    spacing.interact_size.y = 24.0;
    spacing.menu_margin = Margin::same(6);
    spacing.window_margin = Margin::same(12);
    spacing.tooltip_width = 420.0;
    // What scrolls shows so before the pointer is on it.
    spacing.scroll.dormant_handle_opacity = 0.45;
    spacing.scroll.floating_width = 4.0;
    style.interaction.tooltip_delay = 0.3;

    let visuals = &mut style.visuals;
    visuals.weak_text_color = Some(colors.weak_text);
    visuals.hyperlink_color = colors.accent;
    visuals.faint_bg_color = colors.faint_line.gamma_multiply(0.6);
    visuals.extreme_bg_color = colors.field;
    visuals.code_bg_color = colors.widget;
    visuals.warn_fg_color = colors.warning;
    visuals.error_fg_color = colors.error;
    visuals.window_corner_radius = CornerRadius::same(8);
    visuals.menu_corner_radius = CornerRadius::same(6);
    visuals.window_fill = colors.background;
    visuals.panel_fill = colors.background;
    visuals.window_stroke = Stroke::new(1.0, colors.line);
    visuals.selection.bg_fill = colors.accent_fill;
    visuals.selection.stroke = Stroke::new(1.0, selected_text(visuals, colors));
    visuals.slider_trailing_fill = true;
    visuals.widgets = widgets(colors);
}

fn selected_text(visuals: &Visuals, colors: &Palette) -> Color32 {
    if visuals.dark_mode { colors.strong_text } else { Color32::from_rgb(8, 58, 128) }
}

fn widgets(colors: &Palette) -> Widgets {
    let widget = |fill: Color32, line: Color32, text: Color32| WidgetVisuals {
        bg_fill: fill,
        weak_bg_fill: fill,
        bg_stroke: Stroke::new(1.0, line),
        corner_radius: CornerRadius::same(5),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    };
    Widgets {
        noninteractive: widget(colors.background, colors.line, colors.text),
        inactive: widget(colors.widget, Color32::TRANSPARENT, colors.text),
        hovered: widget(colors.widget_hovered, colors.line, colors.strong_text),
        active: widget(colors.widget_active, colors.accent, colors.strong_text),
        open: widget(colors.widget_hovered, colors.line, colors.strong_text),
    }
}

/// Shows that what the window draws by itself has the focus.
pub fn focus_ring(ui: &Ui, rect: Rect) {
    let stroke = Stroke::new(2.0, palette(ui).accent);
    ui.painter().rect_stroke(rect, CornerRadius::same(4), stroke, StrokeKind::Inside);
}

/// The background of text fields: white ones would not be seen on the light theme.
pub fn field_color(ui: &Ui) -> Color32 {
    ui.visuals().widgets.inactive.weak_bg_fill
}

#[cfg(test)]
mod tests {
    use eframe::egui::{MissingGlyphPolicy, RawInput};

    use super::*;

    fn contrast(a: Color32, b: Color32) -> f32 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_is_legible_on_both_themes() {
        for colors in [LIGHT, DARK] {
            let on_background = [
                colors.text,
                colors.weak_text,
                colors.accent,
                colors.subject,
                colors.good,
                colors.warning,
                colors.error,
            ];
            for color in on_background {
                let found = contrast(color, colors.background);
                assert!(found >= 4.5, "{color:?} on the background: {found}");
            }
            assert!(contrast(colors.subject, colors.subject_fill) >= 4.5);
            assert!(contrast(colors.text, colors.widget) >= 4.5);
            assert!(contrast(colors.text, colors.accent_fill) >= 4.5);
        }
    }

    #[test]
    fn lines_are_seen_in_the_dark() {
        for nth in 0..SERIES.len() {
            let line = series_on(nth, true);
            for behind in [DARK.background, DARK.accent_fill] {
                let found = contrast(line, behind);
                assert!(found >= 3.0, "{line:?} on {behind:?}: {found}");
            }
        }
    }

    #[test]
    fn text_over_any_cell_is_legible() {
        for map in [ColorMap::Purples, ColorMap::Blues, ColorMap::Oranges, ColorMap::RedBlue] {
            for step in 0..=100 {
                let cell = map.color(step as f32 / 100.0);
                let found = contrast(text_on(cell), cell);
                assert!(found >= 4.5, "{map:?} at {step} %: {found}");
            }
        }
    }

    /// The middle one is in no font, the others have a width of their own.
    #[test]
    fn a_character_that_no_font_has_is_drawn_as_its_code_point() {
        let ctx = Context::default();
        install(&ctx);
        ctx.set_missing_glyph_policy(MissingGlyphPolicy::Panic);
        let mut widths = Vec::new();
        drop(ctx.run_ui(RawInput::default(), |ui| {
            for font in [FontId::proportional(13.0), FontId::monospace(13.0)] {
                let width = |text: &str| {
                    let ink = Color32::PLACEHOLDER;
                    ui.painter().layout_no_wrap(text.to_owned(), font.clone(), ink).size().x
                };
                widths.push((width("a\u{378}b") - width("ab"), width("\u{2003}")));
            }
        }));
        for (unknown, space) in widths {
            assert!(unknown > 40.0, "{unknown}");
            assert!((4.0..20.0).contains(&space), "{space}");
        }
    }
}
