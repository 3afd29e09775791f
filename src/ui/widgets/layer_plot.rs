//! Quantities over layers, as lines or bars: hover for all values at a layer, click or use the arrow
//! keys to pick one.

use eframe::egui::text::{LayoutJob, TextFormat};
use eframe::egui::{
    Align, Color32, EventFilter, Key, Label, PopupAnchor, Response, RichText, Role, Sense,
    TextStyle, Tooltip, Ui, WidgetInfo,
};
use egui_plot::{
    AxisHints, Bar, BarChart, FilledArea, GridInput, GridMark, HLine, Line, LineStyle, MarkerShape,
    Plot, PlotPoints, Points, Span,
};

use super::number::{Ticks, brief, exact};
use crate::figure::band_pieces;
use crate::ui::theme::{axis_font, palette};

pub struct LayerPlot<'a> {
    /// Name of the figure, for people who hear it. Unique within its parent.
    pub name: &'a str,

    /// What is shown, with its unit, as it stands along the upward axis.
    pub quantity: &'a str,

    /// What stands below the layers' numbers.
    pub layer_title: &'a str,

    pub n_layers: usize,
    pub series: &'a [Series],
    pub marks: Marks,
    pub selected_layer: Option<usize>,

    /// Legend included.
    pub height: f32,
}

#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub color: Color32,
    pub style: Stroke,

    /// By layer; NaN where not computed.
    pub values: Vec<f32>,

    /// How sure each is, from low to high; NaN where nobody knows. As many as values, or none.
    pub band: Vec<(f32, f32)>,
}

/// So that lines can be told apart without colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stroke {
    Solid,
    Dashed,
    Dotted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    Lines,
    Bars,
}

impl LayerPlot<'_> {
    /// The layer that was picked in this frame. `details` says more about the one below the pointer,
    /// a line each.
    pub fn show(&self, ui: &mut Ui, details: impl FnOnce(usize) -> String) -> Option<usize> {
        let top = ui.cursor().top();
        self.legend_ui(ui);
        let height = (self.height - (ui.cursor().top() - top)).max(90.0);
        let (low, high) = self.range();
        let ticks = Ticks::new(low, high, (height / 40.0).clamp(3.0, 8.0) as usize);
        let colors = palette(ui);
        let step = if self.n_layers <= 14 { 1 } else { 5 };
        let n_layers = self.n_layers;
        let plot = Plot::new(self.name)
            .height(height)
            .width(ui.available_width())
            .sense(Sense::click())
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .allow_axis_zoom_drag(false)
            .allow_double_click_reset(false)
            .show_crosshair(false)
            .show_background(false)
            .grid_color(colors.line)
            .set_margin_fraction([0.0, 0.0].into())
            .x_grid_spacer(move |_: GridInput| {
                let marks = (0..n_layers).step_by(step);
                marks.map(|nth| GridMark { value: nth as f64, step_size: step as f64 }).collect()
            })
            .y_grid_spacer({
                let values = ticks.values.clone();
                move |_: GridInput| {
                    let step_size = match values.as_slice() {
                        [a, b, ..] => f64::from(b - a),
                        _ => 1.0,
                    };
                    let marks = values.iter();
                    marks.map(|&value| GridMark { value: f64::from(value), step_size }).collect()
                }
            })
            .custom_x_axes(vec![
                AxisHints::new_x()
                    .label(RichText::new(self.layer_title).font(axis_font()))
                    .tick_label_font(axis_font())
                    .tick_label_color(colors.text)
                    .label_spacing(4.0..=8.0)
                    .formatter(|mark, _| format!("{:.0}", mark.value)),
            ])
            .custom_y_axes(vec![
                AxisHints::new_y()
                    .label(RichText::new(self.quantity).font(axis_font()))
                    .tick_label_font(axis_font())
                    .tick_label_color(colors.text)
                    .label_spacing(4.0..=8.0)
                    .formatter(move |mark, _| ticks.label(mark.value as f32)),
            ]);
        let shown = plot.show(ui, |plot| {
            // Every time: the range grows while a result is coming in.
            plot.set_plot_bounds_x(-0.5..=n_layers as f64 - 0.5);
            plot.set_plot_bounds_y(f64::from(low)..=f64::from(high));
            if let Some(layer) = self.selected_layer {
                let at = layer as f64;
                let fill = colors.accent_fill.gamma_multiply(0.6);
                let span = Span::new("", at - 0.5..=at + 0.5).fill(fill).border_width(0.0);
                plot.span(span);
            }
            plot.hline(HLine::new("", 0.0).color(colors.weak_text).width(1.0).allow_hover(false));
            for series in self.series {
                band(plot, series);
            }
            for (nth, series) in self.series.iter().enumerate() {
                match self.marks {
                    Marks::Lines => self.line(plot, series),
                    Marks::Bars => plot.bar_chart(self.bars(nth, series)),
                }
            }
        });
        let response = shown.response;
        let layer_at = |pos: eframe::egui::Pos2| {
            let x = shown.transform.value_from_position(pos).x;
            (x.round().max(0.0) as usize).min(n_layers.saturating_sub(1))
        };
        let mut picked = None;
        if response.clicked() {
            response.request_focus();
            picked = response.interact_pointer_pos().map(layer_at);
        }
        if response.has_focus() {
            picked = picked.or_else(|| self.moved_by_keys(ui, &response));
        }
        response.widget_info(|| {
            let shown = picked.or(self.selected_layer).filter(|layer| *layer < n_layers);
            let label = match shown {
                Some(layer) => format!("{}: {}", self.name, self.spoken(layer)),
                None => self.name.to_owned(),
            };
            WidgetInfo::labeled(Role::Canvas, ui.is_enabled(), label)
        });
        if let Some(pos) = response.hover_pos() {
            let layer = layer_at(pos);
            self.tooltip(&response, layer, &details(layer));
        }
        picked
    }

    /// From the smallest value to the largest, with zero and some room.
    fn range(&self) -> (f32, f32) {
        let values = || self.series.iter().flat_map(|it| it.values.iter().copied());
        let ends = || self.series.iter().flat_map(|it| it.band.iter().flat_map(|it| [it.0, it.1]));
        let finite = || values().chain(ends()).filter(|value| value.is_finite());
        let low = finite().fold(0.0, f32::min);
        let high = finite().fold(0.0, f32::max);
        let margin = ((high - low) * 0.06).max(1e-6);
        (low - margin, high + margin)
    }

    fn legend_ui(&self, ui: &mut Ui) {
        if self.series.len() < 2 {
            return;
        }
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for series in self.series {
                let sign = match (self.marks, series.style) {
                    (Marks::Bars, _) => "■",
                    (Marks::Lines, Stroke::Solid) => "—",
                    (Marks::Lines, Stroke::Dashed) => "– –",
                    (Marks::Lines, Stroke::Dotted) => "· · ·",
                };
                // As one text, or a line might end between the two.
                let mut text = LayoutJob::default();
                let format = |font, color| TextFormat {
                    valign: Align::Center,
                    ..TextFormat::simple(font, color)
                };
                let body = TextStyle::Body.resolve(ui.style());
                text.append(sign, 0.0, format(body, series.color));
                text.append(&series.name, 4.0, format(axis_font(), ui.visuals().text_color()));
                ui.add(Label::new(text).extend());
                ui.add_space(8.0);
            }
        });
    }

    fn line<'a>(&self, plot: &mut egui_plot::PlotUi<'a>, series: &'a Series) {
        let style = match series.style {
            Stroke::Solid => LineStyle::Solid,
            Stroke::Dashed => LineStyle::dashed_dense(),
            Stroke::Dotted => LineStyle::dotted_dense(),
        };
        // In pieces, where values are missing.
        let numbered: Vec<_> = series.values.iter().copied().enumerate().collect();
        for piece in numbered.split(|(_, value)| !value.is_finite()) {
            let points: Vec<[f64; 2]> =
                piece.iter().map(|&(layer, value)| [layer as f64, f64::from(value)]).collect();
            let line = Line::new(&*series.name, PlotPoints::from(points.clone()));
            plot.line(line.color(series.color).width(1.8).style(style).allow_hover(false));
            if self.n_layers <= 60 {
                let dots = Points::new(&*series.name, PlotPoints::from(points));
                let dots = dots.color(series.color).radius(2.2).shape(MarkerShape::Circle);
                plot.points(dots.filled(true).allow_hover(false));
            }
        }
    }

    fn bars(&self, nth: usize, series: &Series) -> BarChart {
        let width = 0.8 / self.series.len() as f64;
        let shift = (nth as f64 + 0.5) * width - 0.4;
        let bars = series.values.iter().enumerate().filter(|(_, value)| value.is_finite());
        let bars = bars.map(|(layer, &value)| {
            Bar::new(layer as f64 + shift, f64::from(value)).width(width).fill(series.color)
        });
        BarChart::new(&*series.name, bars.collect()).color(series.color).allow_hover(false)
    }

    fn spoken(&self, layer: usize) -> String {
        let values = self.series.iter().map(|series| {
            let name = if self.series.len() < 2 { "" } else { &series.name };
            format!("{name} {}", value_text(series, layer)).trim().to_owned()
        });
        format!("layer {layer}: {}", values.collect::<Vec<_>>().join(", "))
    }

    fn tooltip(&self, response: &Response, layer: usize, details: &str) {
        let ctx = response.ctx.clone();
        let tooltip =
            Tooltip::always_open(ctx, response.layer_id, response.id, PopupAnchor::Pointer);
        tooltip.gap(14.0).show(|ui| {
            ui.label(RichText::new(format!("Layer {layer}")).weak());
            for series in self.series {
                let value = value_text(series, layer);
                ui.label(RichText::new(format!("{}  {value}", series.name)).strong());
            }
            if !details.is_empty() {
                ui.label(details);
            }
        });
    }

    fn moved_by_keys(&self, ui: &Ui, response: &Response) -> Option<usize> {
        let arrows = EventFilter { horizontal_arrows: true, ..Default::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, arrows));
        let pressed = |key: Key| ui.input(|input| input.key_pressed(key));
        let by = isize::from(pressed(Key::ArrowRight)) - isize::from(pressed(Key::ArrowLeft));
        if by == 0 {
            return None;
        }
        let to = self.selected_layer.map_or(0, |layer| layer.saturating_add_signed(by));
        Some(to.min(self.n_layers.saturating_sub(1)))
    }
}

fn band<'a>(plot: &mut egui_plot::PlotUi<'a>, series: &'a Series) {
    for piece in band_pieces(&series.band) {
        let layers: Vec<f64> = piece.iter().map(|it| it.0 as f64).collect();
        let low: Vec<f64> = piece.iter().map(|it| f64::from(it.1)).collect();
        let high: Vec<f64> = piece.iter().map(|it| f64::from(it.2)).collect();
        let area = FilledArea::new(&*series.name, &layers, &low, &high);
        plot.add(area.fill_color(series.color.gamma_multiply(0.18)).allow_hover(false));
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
