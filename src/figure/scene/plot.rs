//! Quantities over layers, and pairs of numbers.

use super::text::{shortened, text_width};
use super::{
    Anchor, FAINT, GREEN, INK, LegendKey, MARKED, NEGATIVE, POSITIVE, RULE, SMALL, Scene, Shape,
    Style, WEAK, step_of, widest,
};
use crate::figure::color::{Rgb, SERIES};
use crate::figure::number::Ticks;
use crate::figure::{
    Bars, DepthPart, DepthPlace, Lines, Point, Scatter, Series, band_pieces, extent,
};

/// The height of lines and bars over layers, in points.
const PLOT_HEIGHT: f32 = 170.0;

/// Where a plot lies on the page, and the values at its edges.
struct PlotArea {
    corner: [f32; 2],
    size: [f32; 2],
    x: (f32, f32),
    y: (f32, f32),
}

/// The axes of a plot.
struct Axes<'a> {
    size: [f32; 2],
    x: (f32, f32),
    y: (f32, f32),

    /// The ticks of the lower axis, with their labels.
    x_ticks: Vec<(f32, String)>,
    x_title: &'a str,
    y_title: &'a str,
}

impl Scene {
    pub(super) fn lines<'a>(&mut self, lines: &'a Lines) {
        const DASHES: [Option<f32>; 3] = [None, Some(4.0), Some(1.5)];
        let n_layers = lines.series.iter().map(|it| it.values.len()).max().unwrap_or(0).max(1);
        let values = || {
            let ends =
                lines.series.iter().flat_map(|it| it.band.iter().flat_map(|it| [it.0, it.1]));
            let values = lines.series.iter().flat_map(|it| it.values.iter().copied());
            values.chain(ends).filter(|it| it.is_finite())
        };
        let low = values().fold(0.0, f32::min);
        let high = values().fold(0.0, f32::max);
        let high = if high > low { high } else { low + 1.0 };
        let margin = 0.04 * (high - low);
        // No empty room below a zero that nothing passes.
        let y = (
            if low < 0.0 { low - margin } else { 0.0 },
            if high > 0.0 { high + margin } else { 0.0 },
        );
        let size = [self.plot_width(), PLOT_HEIGHT];
        let labels: Vec<String> = (0..n_layers).map(|layer| layer.to_string()).collect();
        let apart = widest(&labels, Style::label(false)) + 5.0;
        let step = step_of(n_layers, size[0] / n_layers as f32, apart);
        let plot = self.axes(&Axes {
            size,
            x: (-0.5, n_layers as f32 - 0.5),
            y,
            x_ticks: (0..n_layers)
                .step_by(step)
                .map(|it| (it as f32, labels[it].clone()))
                .collect(),
            x_title: &lines.layer_title,
            y_title: &lines.quantity,
        });
        for (nth, series) in lines.series.iter().enumerate() {
            let color = SERIES[nth % SERIES.len()];
            for band in band_pieces(&series.band) {
                let there = band.iter().map(|&(layer, low, _)| plot.at(layer as f32, low));
                let back = band.iter().rev().map(|&(layer, _, high)| plot.at(layer as f32, high));
                self.shapes.push(Shape::Area { points: there.chain(back).collect(), color });
            }
        }
        let style = |nth: usize| (SERIES[nth % SERIES.len()], DASHES[nth % DASHES.len()]);
        for (nth, series) in lines.series.iter().enumerate() {
            let (color, dash) = style(nth);
            let numbered = series.values.iter().enumerate();
            let at: Vec<(usize, f32)> = numbered.map(|(layer, value)| (layer, *value)).collect();
            for piece in at.split(|(_, value)| !value.is_finite()) {
                let points: Vec<[f32; 2]> =
                    piece.iter().map(|&(layer, value)| plot.at(layer as f32, value)).collect();
                for (&at, &(layer, _)) in points.iter().zip(piece) {
                    self.shapes.push(Shape::Dot { at, radius: 1.4, color });
                    self.tell_around(at, || lines.told(series, layer));
                }
                if points.len() > 1 {
                    self.shapes.push(Shape::Path { points, color, dash });
                }
            }
        }
        let entry = |(nth, series): (usize, &'a Series)| {
            let (color, dash) = style(nth);
            (LegendKey::Line { color, width: 1.2, dash }, &*series.name)
        };
        let entries: Vec<_> = lines.series.iter().enumerate().map(entry).collect();
        self.legend(plot.corner[0], &entries);
    }

    /// Draws bars over layers, upwards for what speaks for the answer.
    pub(super) fn depth_bars(&mut self, bars: &Bars, starts: &[f32]) {
        let (places, shown) = (bars.depth_places(), bars.depth_bars(starts));
        let ends = || shown.iter().flat_map(|it| it.ends).filter(|it| it.is_finite());
        let (low, high) = (ends().fold(0.0, f32::min), ends().fold(1e-6, f32::max));
        let margin = 0.04 * (high - low);
        let n_widths = places.last().map_or(1.0, |it| it.at + 1.0);
        let width = self.plot_width();
        let size = [if self.fills { width } else { width.min(n_widths * 30.0) }, PLOT_HEIGHT];
        // What is of no layer stands apart, where its label has room.
        let layers = places.iter().filter(|it| it.layer.is_some());
        let apart = widest(layers.map(|it| &it.label), Style::label(false)) + 5.0;
        let step = step_of(places.len(), size[0] / n_widths, apart);
        let is_shown = |it: &&DepthPlace| it.layer.is_none_or(|layer| layer.is_multiple_of(step));
        let plot = self.axes(&Axes {
            size,
            x: (-0.5, n_widths - 0.5),
            y: (if low < 0.0 { low - margin } else { 0.0 }, high + margin),
            x_ticks: places.iter().filter(is_shown).map(|it| (it.at, it.label.clone())).collect(),
            x_title: "Layer",
            y_title: &bars.quantity,
        });
        let drawn = shown.iter().enumerate().filter(|(_, it)| it.ends[1].is_finite());
        for (nth, bar) in drawn {
            let ([left, right], [start, end]) = (bar.edges, bar.ends);
            let (from, to) = (plot.at(left, start.max(end)), plot.at(right, start.min(end)));
            self.swatch(from, [to[0] - from[0], to[1] - from[1]], ink(bar.part), bar.takes_away);
            // Bars may be too low for a pointer.
            let at = [from[0], plot.corner[1]];
            self.tell(at, [to[0] - from[0], plot.size[1]], || bars.told(starts, nth));
        }
        // From the end of each bar to the next, which starts there.
        for pair in shown.windows(2).filter(|_| !starts.is_empty()) {
            let y = pair[0].ends[1];
            self.line(plot.at(pair[0].edges[0], y), plot.at(pair[1].edges[1], y), WEAK);
        }
        let parts = DepthPart::ALL.into_iter().filter(|it| shown.iter().any(|bar| bar.part == *it));
        let takes_away = LegendKey::Swatch { color: INK, is_hollow: true };
        let hollow = shown.iter().any(|it| it.takes_away).then_some((takes_away, "takes away"));
        let key = |color, is_hollow| LegendKey::Swatch { color, is_hollow };
        let entries = parts.map(|it| (key(ink(it), false), it.name()));
        let entries: Vec<_> = entries.chain(hollow).collect();
        self.legend(plot.corner[0], &entries);
    }

    pub(super) fn scatter(&mut self, scatter: &Scatter) {
        let range = |of: &dyn Fn(&Point) -> f32| {
            let values: Vec<f32> = scatter.points.iter().map(of).collect();
            extent(&values)
        };
        let (mut x, mut y) = (range(&|it| it.x), range(&|it| it.y));
        if scatter.has_diagonal {
            x = (x.0.min(y.0), x.1.max(y.1));
            y = x;
        }
        let wider = |(low, high): (f32, f32)| {
            let margin = 0.04 * (high - low);
            (low - margin, high + margin)
        };
        let (x, y) = (wider(x), wider(y));
        // Equal steps are equally long where both are the same quantity.
        let width = self.plot_width();
        let square = if self.fills { width.min(300.0) } else { 230.0 };
        let size = if scatter.has_diagonal { [square; 2] } else { [width, 200.0] };
        let ticks = Ticks::new(x.0, x.1, if scatter.has_diagonal { 5 } else { 8 });
        let plot = self.axes(&Axes {
            size,
            x,
            y,
            x_ticks: ticks.values.iter().map(|&it| (it, ticks.label(it))).collect(),
            x_title: &scatter.x_title,
            y_title: &scatter.y_title,
        });
        if scatter.has_diagonal {
            let (from, to) = (plot.at(x.0, x.0), plot.at(x.1, x.1));
            self.shapes.push(Shape::Line { from, to, color: RULE, width: 0.7, dash: Some(3.0) });
        }
        for point in scatter.points.iter().filter(|it| it.x.is_finite() && it.y.is_finite()) {
            let at = plot.at(point.x, point.y);
            self.shapes.push(Shape::Dot { at, radius: 1.8, color: POSITIVE });
            self.tell_around(at, || scatter.told(point));
        }
    }

    /// The widest that a plot can be beside its axis.
    fn plot_width(&self) -> f32 {
        self.room - 46.0
    }

    /// Draws axes with ticks, grid and titles.
    fn axes(&mut self, axes: &Axes<'_>) -> PlotArea {
        let style = Style::label(false);
        let ticks = Ticks::new(axes.y.0, axes.y.1, 6);
        let labels: Vec<String> = ticks.values.iter().map(|&it| ticks.label(it)).collect();
        let left = self.margin + SMALL + 6.0 + widest(&labels, style) + 5.0;
        // A page is filled to its edge, whatever the numbers beside the axis take.
        let is_widest = self.fills && axes.size[0] >= self.plot_width();
        let width = if is_widest { self.right() - left - 4.0 } else { axes.size[0] };
        let size = [width, axes.size[1]];
        let corner = [left, self.height + SMALL / 2.0];
        let area = PlotArea { corner, size, x: axes.x, y: axes.y };
        for (x, label) in &axes.x_ticks {
            let at = area.at(*x, axes.y.0);
            self.line(at, [at[0], at[1] + 3.0], RULE);
            self.text([at[0], at[1] + 9.0], &**label, Anchor::Middle, style);
        }
        for (&value, label) in ticks.values.iter().zip(labels) {
            let at = area.at(axes.x.0, value);
            let color = if value == 0.0 { WEAK } else { FAINT };
            self.line(at, [at[0] + size[0], at[1]], color);
            self.text([at[0] - 5.0, at[1]], label, Anchor::End, style);
        }
        self.frame(corner, size);
        let below = corner[1] + size[1];
        let title = shortened(axes.x_title, self.room, Style::weak());
        let half = text_width(&title, Style::weak()) / 2.0;
        let middle = (corner[0] + size[0] / 2.0).min(self.right() - half).max(self.margin + half);
        self.text([middle, below + 20.0], title, Anchor::Middle, Style::weak());
        let title = shortened(axes.y_title, size[1] + 10.0, Style::weak());
        let at = [self.margin + SMALL / 2.0, corner[1] + size[1] / 2.0];
        self.text(at, title, Anchor::Middle, Style::weak().turned(-90.0));
        self.height = below + 28.0;
        area
    }
}

fn ink(part: DepthPart) -> Rgb {
    match part {
        DepthPart::Attention => NEGATIVE,
        DepthPart::Mlp => GREEN,
        DepthPart::Embedding => RULE,
        DepthPart::FinalNorm => MARKED,
        DepthPart::Sum => WEAK,
    }
}

impl PlotArea {
    fn at(&self, x: f32, y: f32) -> [f32; 2] {
        let share = |value: f32, (low, high): (f32, f32)| (value - low) / (high - low);
        [
            self.corner[0] + share(x, self.x) * self.size[0],
            self.corner[1] + (1.0 - share(y, self.y)) * self.size[1],
        ]
    }
}
