//! Quantities over layers, and pairs of numbers.

use super::text::{shortened, text_width};
use super::{
    Anchor, FAINT, GREEN, INK, MARGIN, MARKED, NEGATIVE, POSITIVE, RULE, SMALL, Scene, Shape,
    Style, WEAK, WIDTH, paler, step_of, widest,
};
use crate::figure::color::{Rgb, SERIES};
use crate::figure::number::Ticks;
use crate::figure::{Bars, DepthPart, DepthPlace, Lines, Point, Scatter, band_pieces, extent};

/// Where values lie in a plot.
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

    /// Where the lower one has ticks, and what they say.
    x_ticks: Vec<(f32, String)>,
    x_title: &'a str,
    y_title: &'a str,
}

impl Scene {
    pub(super) fn lines(&mut self, lines: &Lines) {
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
        let size = [WIDTH - 46.0, 170.0];
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
        let mut x = plot.corner[0];
        for (nth, series) in lines.series.iter().enumerate() {
            let (color, dash) = (SERIES[nth % SERIES.len()], DASHES[nth % DASHES.len()]);
            let numbered = series.values.iter().enumerate();
            let at: Vec<(usize, f32)> = numbered.map(|(layer, value)| (layer, *value)).collect();
            for piece in at.split(|(_, value)| !value.is_finite()) {
                let points: Vec<[f32; 2]> =
                    piece.iter().map(|&(layer, value)| plot.at(layer as f32, value)).collect();
                for &at in &points {
                    self.shapes.push(Shape::Dot { at, radius: 1.4, color });
                }
                if points.len() > 1 {
                    self.shapes.push(Shape::Path { points, color, dash });
                }
            }
            // The legend, beside what is there or below it.
            let style = Style::label(false);
            let name = shortened(&series.name, WIDTH - 60.0, style);
            let width = 22.0 + text_width(&name, style);
            if x > plot.corner[0] && x + width > WIDTH + MARGIN {
                x = plot.corner[0];
                self.height += SMALL * 1.5;
            }
            let y = self.height + SMALL * 0.7;
            self.shapes.push(Shape::Line {
                from: [x, y],
                to: [x + 18.0, y],
                color,
                width: 1.2,
                dash,
            });
            self.text([x + 22.0, y], name, Anchor::Start, style);
            x += width + 16.0;
        }
        self.height += SMALL * 1.5;
    }

    /// Bars over layers, up for what speaks for the answer.
    pub(super) fn depth_bars(&mut self, bars: &Bars, starts: &[f32]) {
        let (places, shown) = (bars.depth_places(), bars.depth_bars(starts));
        let ends = || shown.iter().flat_map(|it| it.ends).filter(|it| it.is_finite());
        let (low, high) = (ends().fold(0.0, f32::min), ends().fold(1e-6, f32::max));
        let margin = 0.04 * (high - low);
        let n_widths = places.last().map_or(1.0, |it| it.at + 1.0);
        let size = [(n_widths * 30.0).min(WIDTH - 46.0), 170.0];
        let labels: Vec<String> = places.iter().map(|it| it.label.clone()).collect();
        let apart = widest(&labels, Style::label(false)) + 5.0;
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
        for bar in shown.iter().filter(|it| it.ends[1].is_finite()) {
            let ([left, right], [start, end]) = (bar.edges, bar.ends);
            let (from, to) = (plot.at(left, start.max(end)), plot.at(right, start.min(end)));
            self.swatch(from, [to[0] - from[0], to[1] - from[1]], ink(bar.part), bar.takes_away);
        }
        // From the end of each bar to the next, which starts there.
        for pair in shown.windows(2).filter(|_| !starts.is_empty()) {
            let y = pair[0].ends[1];
            self.line(plot.at(pair[0].edges[0], y), plot.at(pair[1].edges[1], y), WEAK);
        }
        let parts = DepthPart::ALL.into_iter().filter(|it| shown.iter().any(|bar| bar.part == *it));
        let hollow = shown.iter().any(|it| it.takes_away).then_some(("takes away", INK, true));
        let entries = parts.map(|it| (it.name(), ink(it), false)).chain(hollow);
        let mut x = plot.corner[0];
        for (name, color, is_hollow) in entries {
            self.swatch([x, self.height], [SMALL, SMALL], color, is_hollow);
            let style = Style::label(false);
            self.text([x + 12.0, self.height + SMALL / 2.0], name, Anchor::Start, style);
            x += 26.0 + text_width(name, style);
        }
        self.height += SMALL * 1.5;
    }

    /// A box of a colour, or hollow.
    fn swatch(&mut self, at: [f32; 2], size: [f32; 2], color: Rgb, is_hollow: bool) {
        let fill = if is_hollow { paler(color, 0.25) } else { color };
        let line = is_hollow.then_some(color);
        self.shapes.push(Shape::Box { at, size, fill: Some(fill), line });
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
        let size = if scatter.has_diagonal { [230.0; 2] } else { [WIDTH - 46.0, 200.0] };
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
        }
    }

    /// Axes with ticks, grid and titles.
    fn axes(&mut self, axes: &Axes<'_>) -> PlotArea {
        let style = Style::label(false);
        let size = axes.size;
        let ticks = Ticks::new(axes.y.0, axes.y.1, 6);
        let labels: Vec<String> = ticks.values.iter().map(|&it| ticks.label(it)).collect();
        let left = MARGIN + SMALL + 6.0 + widest(&labels, style) + 5.0;
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
        let at = [corner[0] + size[0] / 2.0, below + 20.0];
        self.text(at, axes.x_title, Anchor::Middle, Style::weak());
        let title = shortened(axes.y_title, size[1] + 10.0, Style::weak());
        let at = [MARGIN + SMALL / 2.0, corner[1] + size[1] / 2.0];
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
