//! Bars over depth: what embeddings and layers add, each from zero or from the end of the bar before.

use eframe::egui::{Color32, Stroke, Ui, vec2};
use egui_plot::{Bar, BarChart, Line, PlotPoints};

use crate::figure::{Bars, DepthBar, DepthPart, DepthPlace, Pick};
use crate::ui::theme::{Palette, palette};
use crate::ui::view::ViewCtx;
use crate::ui::widgets::layer_plot::{LayerPlot, Legend, Place};

/// The widest layer in points, so that a few layers are not huge.
const WIDEST: f32 = 56.0;

/// Points by which the label of the last place may hang out at the right.
const LAST_LABEL: f32 = 12.0;

/// Draws the bars. `starts`: where bars start; none if all start at zero.
pub(super) fn depth_bars_ui(
    ui: &mut Ui,
    bars: &Bars,
    starts: &[f32],
    ctx: &ViewCtx<'_>,
    height: f32,
) -> Option<Pick> {
    let colors = palette(ui);
    let shown = bars.depth_bars(starts);
    let mut bars_at = Vec::new();
    let place = |it: DepthPlace| {
        bars_at.push(it.bars);
        let label = it.layer.map_or(it.label, |layer| ctx.layer_label(layer));
        Place { at: f64::from(it.at), label, layer: it.layer }
    };
    let places: Vec<Place> = bars.depth_places().into_iter().map(place).collect();
    let told = |place: usize| -> Vec<(String, String)> {
        let told = |nth: usize| (bars.bars[nth].label.clone(), bars.value_text(starts, nth));
        bars_at[place].clone().map(told).collect()
    };
    let n_widths = places.last().map_or(0.0, |it| it.at as f32 + 1.0);
    let ends = || shown.iter().flat_map(|it| it.ends).filter(|it| it.is_finite());
    let plot = LayerPlot {
        name: &bars.name,
        quantity: &bars.quantity,
        title: "Layer",
        places: &places,
        told: &told,
        legend: &legend(&shown, colors),
        values: (ends().fold(0.0, f32::min), ends().fold(0.0, f32::max)),
        selected: LayerPlot::place_of(&places, ctx.selection.layer),
        size: vec2((n_widths * WIDEST + 80.0).min(ui.available_width() - LAST_LABEL), height),
    };
    let picked = plot.show(ui, |plot| {
        let bars = shown.iter().filter(|it| it.ends[1].is_finite()).map(|it| drawn(it, colors));
        plot.bar_chart(BarChart::new("", bars.collect()).allow_hover(false));
        // From the end of each bar to the next, which starts there.
        for pair in shown.windows(2).filter(|_| !starts.is_empty()) {
            let y = pair[0].ends[1];
            let ends = [pair[0].edges[0], pair[1].edges[1]].map(|x| [x, y].map(f64::from));
            let line = Line::new("", PlotPoints::from(ends.to_vec()));
            plot.line(line.color(colors.weak_text).width(1.0).allow_hover(false));
        }
    });
    places[picked?].layer.map(Pick::layer)
}

fn drawn(it: &DepthBar, colors: &Palette) -> Bar {
    let ([left, right], [start, end]) = (it.edges.map(f64::from), it.ends.map(f64::from));
    let color = ink(it.part, colors);
    let bar = Bar::new(f64::midpoint(left, right), end - start);
    let bar = bar.base_offset(start).width(right - left);
    if it.takes_away {
        bar.fill(color.gamma_multiply(0.25)).stroke(Stroke::new(1.0, color))
    } else {
        bar.fill(color).stroke(Stroke::NONE)
    }
}

fn legend(shown: &[DepthBar], colors: &Palette) -> Vec<Legend> {
    let parts = DepthPart::ALL.into_iter().filter(|part| shown.iter().any(|it| it.part == *part));
    let entry = |sign, name: &str, color| Legend { sign, name: name.to_owned(), color };
    let mut legend: Vec<Legend> =
        parts.map(|part| entry("■", part.name(), ink(part, colors))).collect();
    if shown.iter().any(|it| it.takes_away) {
        legend.push(entry("□", "takes away", colors.text));
    }
    legend
}

fn ink(part: DepthPart, colors: &Palette) -> Color32 {
    match part {
        DepthPart::Attention => colors.attn,
        DepthPart::Mlp => colors.mlp,
        DepthPart::Embedding => colors.embed,
        DepthPart::FinalNorm => colors.subject,
        DepthPart::Sum => colors.weak_text,
    }
}
