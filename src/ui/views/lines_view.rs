//! Quantities over layers, drawn as lines.

use eframe::egui::{Color32, Ui, vec2};
use egui_plot::{FilledArea, Line, LineStyle, MarkerShape, PlotPoints, PlotUi, Points};

use crate::figure::{Lines, Pick, Series, band_pieces};
use crate::ui::theme::series as series_color;
use crate::ui::view::{ViewAction, ViewCtx};
use crate::ui::widgets::layer_plot::{LayerPlot, Legend, Place};

/// The number of layers from which on values have no dots.
const MANY_LAYERS: usize = 61;

pub(super) fn lines_ui(
    ui: &mut Ui,
    lines: &Lines,
    ctx: &ViewCtx<'_>,
    height: f32,
) -> Option<ViewAction> {
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
        .map(|layer| Place { at: layer as f64, label: ctx.layer_label(layer), layer: Some(layer) })
        .collect();
    let told = |layer: usize| -> Vec<(String, String)> {
        series().map(|(_, it)| (it.name.clone(), it.value_text(layer))).collect()
    };
    let values = || lines.series.iter().flat_map(|it| it.values.iter().copied());
    let ends = || lines.series.iter().flat_map(|it| it.band.iter().flat_map(|it| [it.0, it.1]));
    let finite = || values().chain(ends()).filter(|value| value.is_finite());
    let plot = LayerPlot {
        name: &lines.name,
        quantity: &lines.quantity,
        title: &lines.layer_title,
        places: &places,
        told: &told,
        legend: &legend,
        values: (finite().fold(0.0, f32::min), finite().fold(0.0, f32::max)),
        selected: LayerPlot::place_of(&places, ctx.selection.layer),
        size: vec2(ui.available_width(), height),
    };
    let (layer, value) = plot.show_with_value(ui, |plot| {
        for (nth, series) in series() {
            band(plot, series, colors[nth]);
        }
        for (nth, series) in series() {
            line(plot, series, colors[nth], style(nth).1, n_layers < MANY_LAYERS);
        }
    })?;
    if !ctx.picks_places {
        return Some(ViewAction::Select(Pick::layer(layer).over(ctx.selection)));
    }
    let line = nearest_line(lines, layer, value)?;
    Some(ViewAction::Place { chart: lines.name.as_str().into(), nth: line * n_layers + layer })
}

/// The line whose number at a layer is the nearest to a value, or without one the first that has a number
/// there. `None` if none has.
fn nearest_line(lines: &Lines, layer: usize, value: Option<f64>) -> Option<usize> {
    let numbers = lines.series.iter().map(|it| it.values.get(layer).copied().unwrap_or(f32::NAN));
    let there = numbers.enumerate().filter(|(_, number)| number.is_finite());
    let distance = |number: f32| value.map_or(0.0, |it| (f64::from(number) - it).abs());
    let nearest = there.min_by(|a, b| distance(a.1).total_cmp(&distance(b.1)));
    nearest.map(|(line, _)| line)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_means_the_nearest_line_that_has_a_number_there() {
        let line = |values: [f32; 2]| Series {
            name: String::new(),
            values: values.into(),
            band: Vec::new(),
        };
        let series = [line([0.0, f32::NAN]), line([1.0, 3.0]), line([2.0, f32::NAN])];
        let lines = Lines::new("a", "b", "Layer", series);
        for (layer, value, expected) in [
            (0, Some(1.4), Some(1)),
            (0, Some(9.0), Some(2)),
            (0, None, Some(0)),
            (1, Some(-5.0), Some(1)),
            (2, Some(0.0), None),
        ] {
            assert_eq!(nearest_line(&lines, layer, value), expected, "{layer} {value:?}");
        }
    }
}
