//! Quantities over layers, drawn as lines.

use eframe::egui::{Color32, Ui, vec2};
use egui_plot::{FilledArea, Line, LineStyle, MarkerShape, PlotPoints, PlotUi, Points};

use crate::figure::number::{brief, exact};
use crate::figure::{Lines, Pick, Series, band_pieces};
use crate::ui::theme::series as series_color;
use crate::ui::view::ViewCtx;
use crate::ui::widgets::layer_plot::{LayerPlot, Legend, Place};

/// The number of layers from which on values have no dots.
const MANY_LAYERS: usize = 61;

pub(super) fn lines_ui(ui: &mut Ui, lines: &Lines, ctx: &ViewCtx<'_>, height: f32) -> Option<Pick> {
    // Lines can be told apart without colours.
    let style = |nth: usize| match nth % 3 {
        0 => ("—", LineStyle::Solid),
        1 => ("– –", LineStyle::dashed_dense()),
        _ => ("· · ·", LineStyle::dotted_dense()),
    };
    let series = || lines.series.iter().enumerate();
    let colors: Vec<Color32> = series().map(|(nth, _)| series_color(ui, nth)).collect();
    let legend: Vec<Legend> = series()
        .map(|(nth, it)| Legend { sign: style(nth).0, name: it.name.clone(), color: colors[nth] })
        .collect();
    let n_layers = lines.series.iter().map(|it| it.values.len()).max().unwrap_or(0);
    let places: Vec<Place> = (0..n_layers)
        .map(|layer| Place {
            at: layer as f64,
            label: ctx.layer_label(layer),
            layer: Some(layer),
            values: series().map(|(_, it)| (it.name.clone(), value_text(it, layer))).collect(),
        })
        .collect();
    let values = || lines.series.iter().flat_map(|it| it.values.iter().copied());
    let ends = || lines.series.iter().flat_map(|it| it.band.iter().flat_map(|it| [it.0, it.1]));
    let finite = || values().chain(ends()).filter(|value| value.is_finite());
    let plot = LayerPlot {
        name: &lines.name,
        quantity: &lines.quantity,
        title: &lines.layer_title,
        places: &places,
        legend: &legend,
        values: (finite().fold(0.0, f32::min), finite().fold(0.0, f32::max)),
        selected: LayerPlot::place_of(&places, ctx.selection.layer),
        size: vec2(ui.available_width(), height),
    };
    let picked = plot.show(ui, |plot| {
        for (nth, series) in series() {
            band(plot, series, colors[nth]);
        }
        for (nth, series) in series() {
            line(plot, series, colors[nth], style(nth).1, n_layers < MANY_LAYERS);
        }
    });
    picked.map(Pick::layer)
}

fn line(plot: &mut PlotUi<'_>, series: &Series, color: Color32, style: LineStyle, has_dots: bool) {
    // Missing values cut a line into pieces.
    let numbered: Vec<_> = series.values.iter().copied().enumerate().collect();
    for piece in numbered.split(|(_, value)| !value.is_finite()) {
        let points: Vec<[f64; 2]> =
            piece.iter().map(|&(layer, value)| [layer as f64, f64::from(value)]).collect();
        let line = Line::new(series.name.clone(), PlotPoints::from(points.clone()));
        plot.line(line.color(color).width(1.8).style(style).allow_hover(false));
        if has_dots {
            let dots = Points::new(series.name.clone(), PlotPoints::from(points));
            let dots = dots.color(color).radius(2.2).shape(MarkerShape::Circle);
            plot.points(dots.filled(true).allow_hover(false));
        }
    }
}

fn band(plot: &mut PlotUi<'_>, series: &Series, color: Color32) {
    for piece in band_pieces(&series.band) {
        let layers: Vec<f64> = piece.iter().map(|it| it.0 as f64).collect();
        let low: Vec<f64> = piece.iter().map(|it| f64::from(it.1)).collect();
        let high: Vec<f64> = piece.iter().map(|it| f64::from(it.2)).collect();
        let area = FilledArea::new(series.name.clone(), &layers, &low, &high);
        plot.add(area.fill_color(color.gamma_multiply(0.18)).allow_hover(false));
    }
}

fn value_text(series: &Series, layer: usize) -> String {
    let value = series.values.get(layer).copied().unwrap_or(f32::NAN);
    if !value.is_finite() {
        return "not computed".to_owned();
    }
    match series.band.get(layer) {
        Some((low, high)) if low.is_finite() && high.is_finite() => {
            format!("{} [{}, {}]", exact(value), brief(*low), brief(*high))
        }
        _ => exact(value),
    }
}
