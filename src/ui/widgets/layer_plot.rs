//! The frame of plots. Over layers: hover for the values of a layer, click or use the arrow keys to
//! pick one.

use eframe::egui::text::{LayoutJob, TextFormat};
use eframe::egui::{
    Align, Color32, Label, PopupAnchor, Rect, Response, RichText, Role, Sense, TextStyle, Tooltip,
    Ui, Vec2, WidgetInfo, pos2, vec2,
};
use egui_plot::{AxisHints, GridInput, GridMark, HLine, Plot, PlotUi, Span};

use super::arrows::{arrow_steps, moved};
use super::number::Ticks;
use crate::ui::theme::{Palette, axis_font, palette};

pub struct LayerPlot<'a> {
    /// The name of the plot, as screen readers say it. Unique within its parent.
    pub name: &'a str,

    /// The name of the upward axis, with its unit.
    pub quantity: &'a str,

    /// The title below the labels of layers.
    pub title: &'a str,

    /// The places along the axis, from left to right.
    pub places: &'a [Place],

    /// Gives the names and values at a place.
    pub told: &'a dyn Fn(usize) -> Vec<(String, String)>,
    pub legend: &'a [Legend],

    /// The least and the largest value; zero is always in sight.
    pub values: (f32, f32),

    /// The place that is picked out.
    pub selected: Option<usize>,

    /// The size in points, legend and title included.
    pub size: Vec2,
}

/// One place along the axis: a layer, or what comes before or after all layers.
#[derive(Clone, Debug)]
pub struct Place {
    /// The distance along the axis, in widths of a layer.
    pub at: f64,
    pub label: String,
    pub layer: Option<usize>,
}

#[derive(Clone, Debug)]
pub struct Legend {
    pub sign: &'static str,
    pub name: String,
    pub color: Color32,
}

/// About the width in points of the numbers at the left of a plot.
const AXIS_WIDTH: f32 = 50.0;

/// The title to write beside a plot of `height`. One that is longer is written above, and none is
/// left.
pub fn upward_title_ui<'t>(ui: &mut Ui, title: &'t str, height: f32) -> &'t str {
    let text = title.to_owned();
    let galley = ui.painter().layout_no_wrap(text, axis_font(), palette(ui).text);
    // The numbers and the title of the other axis take the rest.
    if galley.size().x <= height - 50.0 {
        return title;
    }
    ui.label(galley);
    ""
}

/// Says the titles of both axes, across and up, to those who hear them. `whole`: the plot with its axes.
pub fn tell_axes(ui: &Ui, name: &str, whole: Rect, [across, up]: [&str; 2]) {
    let axes = ui.interact(whole, ui.make_persistent_id(("axes", name)), Sense::hover());
    let text = || format!("Axes: {up} up, {across} across");
    axes.widget_info(|| WidgetInfo::labeled(Role::Figure, true, text()));
}

/// A plot that is looked at, and neither dragged nor zoomed.
pub fn still_plot<'a>(name: &str, size: Vec2, colors: &Palette) -> Plot<'a> {
    Plot::new(name)
        .height(size.y)
        .width(size.x)
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
}

/// About `n` round numbers over all values.
pub fn ticks(values: impl Iterator<Item = f32>, n: f32) -> Ticks {
    let ends = values.map(|it| (it, it)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
    let (low, high) = ends.unwrap_or((0.0, 1.0));
    Ticks::new(low, high, n.clamp(3.0, 8.0) as usize)
}

/// The grid lines of an axis.
pub fn grid_marks(ticks: &Ticks) -> impl Fn(GridInput) -> Vec<GridMark> + use<> {
    let values = ticks.values.clone();
    move |_| {
        let step_size = match values.as_slice() {
            [a, b, ..] => f64::from(b - a),
            _ => 1.0,
        };
        let marks = values.iter();
        marks.map(|&value| GridMark { value: f64::from(value), step_size }).collect()
    }
}

/// An axis of numbers.
pub fn numbers_axis<'a>(
    axis: AxisHints<'a>,
    title: &str,
    ticks: Ticks,
    colors: &Palette,
) -> AxisHints<'a> {
    axis.label(RichText::new(title).font(axis_font()))
        .tick_label_font(axis_font())
        .tick_label_color(colors.text)
        .label_spacing(4.0..=8.0)
        .formatter(move |mark, _| ticks.label(mark.value as f32))
}

impl LayerPlot<'_> {
    /// Draws the plot. Returns the place that was picked in this frame. `draw` adds the lines or bars.
    pub fn show<'p>(
        &'p self,
        ui: &mut Ui,
        draw: impl FnOnce(&mut PlotUi<'p>) + 'p,
    ) -> Option<usize> {
        Some(self.show_with_value(ui, draw)?.0)
    }

    /// Draws the plot. Returns the place that was picked in this frame, and where it was clicked the value
    /// at the pointer.
    pub fn show_with_value<'p>(
        &'p self,
        ui: &mut Ui,
        draw: impl FnOnce(&mut PlotUi<'p>) + 'p,
    ) -> Option<(usize, Option<f64>)> {
        let (Some(first), Some(last)) = (self.places.first(), self.places.last()) else {
            ui.weak("Not computed");
            return None;
        };
        let ends = first.at - 0.5..=last.at + 0.5;
        let top = ui.cursor().top();
        self.legend_ui(ui);
        let room = self.size.y - (ui.cursor().top() - top);
        let upward = upward_title_ui(ui, self.quantity, room);
        let height = (self.size.y - (ui.cursor().top() - top)).max(90.0);
        let (low, high) = (self.values.0.min(0.0), self.values.1.max(0.0));
        let margin = ((high - low) * 0.06).max(1e-6);
        let (low, high) = (low - margin, high + margin);
        let ticks = Ticks::new(low, high, (height / 40.0).clamp(3.0, 8.0) as usize);
        let above = ui.cursor().top() - top;
        let whole =
            Rect::from_min_size(pos2(ui.cursor().left(), top), vec2(self.size.x, above + height));
        tell_axes(ui, self.name, whole, [self.title, self.quantity]);
        let colors = palette(ui);
        let step = self.label_step(ui);
        let is_named = move |it: &&Place| it.layer.is_none_or(|layer| layer.is_multiple_of(step));
        let plot = still_plot(self.name, vec2(self.size.x, height), colors)
            .set_margin_fraction([0.0, 0.0].into())
            .x_grid_spacer(move |_: GridInput| {
                let marks = self.places.iter().filter(is_named);
                marks.map(|it| GridMark { value: it.at, step_size: step as f64 }).collect()
            })
            .y_grid_spacer(grid_marks(&ticks))
            .custom_x_axes(vec![
                AxisHints::new_x()
                    .label(RichText::new(self.title).font(axis_font()))
                    .tick_label_font(axis_font())
                    .tick_label_color(colors.text)
                    .label_spacing(4.0..=8.0)
                    .formatter(|mark, _| self.places[self.nearest(mark.value)].label.clone()),
            ])
            .custom_y_axes(vec![numbers_axis(AxisHints::new_y(), upward, ticks, colors)]);
        let shown = plot.show(ui, move |plot| {
            // Every time: the range grows while a result is coming in.
            plot.set_plot_bounds_x(ends);
            plot.set_plot_bounds_y(f64::from(low)..=f64::from(high));
            if let Some(place) = self.selected.and_then(|nth| self.places.get(nth)) {
                let fill = colors.accent_fill.gamma_multiply(0.6);
                let span = Span::new("", place.at - 0.5..=place.at + 0.5);
                plot.span(span.fill(fill).border_width(0.0));
            }
            plot.hline(HLine::new("", 0.0).color(colors.weak_text).width(1.0).allow_hover(false));
            draw(plot);
        });
        let response = shown.response;
        let place_at = |pos| self.nearest(shown.transform.value_from_position(pos).x);
        let (mut picked, mut value) = (None, None);
        if response.clicked() {
            response.request_focus();
            let pos = response.interact_pointer_pos();
            picked = pos.map(place_at);
            value = pos.map(|pos| shown.transform.value_from_position(pos).y);
        }
        if response.has_focus() {
            picked = picked.or_else(|| self.moved_by_keys(ui, &response));
        }
        response.widget_info(|| {
            let label = match picked.or(self.selected) {
                Some(nth) => format!("{}: {}", self.name, self.spoken(nth)),
                None => self.name.to_owned(),
            };
            WidgetInfo::labeled(Role::Canvas, ui.is_enabled(), label)
        });
        if let Some(pos) = response.hover_pos() {
            self.tooltip(&response, place_at(pos));
        }
        Some((picked?, value))
    }

    /// The place of a layer.
    pub fn place_of(places: &[Place], layer: Option<usize>) -> Option<usize> {
        places.iter().position(|it| it.layer.is_some() && it.layer == layer)
    }

    /// Of how many layers one has a label, so that these do not touch.
    fn label_step(&self, ui: &Ui) -> usize {
        let color = Color32::PLACEHOLDER;
        let width =
            |text: &String| ui.painter().layout_no_wrap(text.clone(), axis_font(), color).size().x;
        let of_layers = self.places.iter().filter(|it| it.layer.is_some());
        let widest = of_layers.map(|it| width(&it.label)).fold(0.0, f32::max) + 6.0;
        let ends = self.places.first().zip(self.places.last());
        let n = ends.map_or(1.0, |(first, last)| last.at - first.at + 1.0);
        let layer = (self.size.x - AXIS_WIDTH) / n as f32;
        [1, 2, 5, 10].into_iter().find(|&step| step as f32 * layer >= widest).unwrap_or(20)
    }

    fn nearest(&self, x: f64) -> usize {
        let distance = |nth: &usize| (self.places[*nth].at - x).abs();
        let all = 0..self.places.len();
        all.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0)
    }

    fn legend_ui(&self, ui: &mut Ui) {
        if self.legend.len() < 2 {
            return;
        }
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for Legend { sign, name, color } in self.legend {
                // As one text, or a line might end between the two.
                let mut text = LayoutJob::default();
                let format = |font, color| TextFormat {
                    valign: Align::Center,
                    ..TextFormat::simple(font, color)
                };
                let body = TextStyle::Body.resolve(ui.style());
                text.append(sign, 0.0, format(body, *color));
                text.append(name, 4.0, format(axis_font(), ui.visuals().text_color()));
                ui.add(Label::new(text).extend());
                ui.add_space(8.0);
            }
        });
    }

    fn spoken(&self, nth: usize) -> String {
        let place = &self.places[nth];
        let values = (self.told)(nth).into_iter().map(|(name, value)| {
            // A name that all places share says nothing more.
            let name = if self.legend.len() < 2 { "" } else { &name };
            format!("{name} {value}").trim().to_owned()
        });
        let at = place.layer.map_or_else(String::new, |layer| format!("layer {layer}: "));
        at + &values.collect::<Vec<_>>().join(", ")
    }

    fn tooltip(&self, response: &Response, nth: usize) {
        let ctx = response.ctx.clone();
        let tooltip =
            Tooltip::always_open(ctx, response.layer_id, response.id, PopupAnchor::Pointer);
        tooltip.gap(14.0).show(|ui| {
            if let Some(layer) = self.places[nth].layer {
                ui.label(RichText::new(format!("Layer {layer}")).weak());
            }
            for (name, value) in (self.told)(nth) {
                ui.label(RichText::new(format!("{name}  {value}")).strong());
            }
        });
    }

    fn moved_by_keys(&self, ui: &Ui, response: &Response) -> Option<usize> {
        let (_, by) = arrow_steps(ui, response.id);
        (by != 0).then(|| moved(self.selected, by, self.places.len()))
    }
}
