//! Bars and tables: a line for each thing.

use super::text::{shortened, text_width, wrapped};
use super::{Anchor, NEGATIVE, POSITIVE, RULE, SMALL, Scene, Style, WEAK, widest};
use crate::figure::number::brief;
use crate::figure::{Bars, Cell, Table};

/// The widest label of a bar, as a share of the page, and the widest texts in a table, of which the first
/// is taken that fits the page.
const LABEL: f32 = 0.36;
const TEXTS: [f32; 6] = [270.0, 180.0, 120.0, 90.0, 60.0, 40.0];

/// The number of bars above which they are thin, so that all layers of a deep model fit a page.
const MANY: usize = 30;

impl Scene {
    /// `starts`: where bars start; empty if all start at zero.
    pub(super) fn bars(&mut self, bars: &Bars, starts: &[f32]) {
        if !bars.parts.is_empty() {
            self.depth_bars(bars, starts);
            return;
        }
        let is_dense = bars.bars.len() > MANY;
        let (pitch, thick, size) = if is_dense { (8.6, 5.6, 7.0) } else { (11.0, 7.0, SMALL) };
        let style = Style { size, ..Style::label(false) };
        let labels: Vec<String> =
            bars.bars.iter().map(|it| shortened(&it.label, LABEL * self.room, style)).collect();
        let numbers: Vec<String> = bars.bars.iter().map(|it| brief(it.value)).collect();
        let left = self.margin + widest(&labels, style) + 6.0;
        let room = self.right() - left - widest(&numbers, style) - 8.0;
        let start = |nth: usize| starts.get(nth).copied().unwrap_or(0.0);
        let ends = || {
            let bars = bars.bars.iter().enumerate();
            bars.map(|(nth, it)| start(nth) + it.value).filter(|it| it.is_finite())
        };
        let low = ends().fold(0.0, f32::min);
        let high = ends().fold(0.0, f32::max);
        let span = (high - low).max(f32::MIN_POSITIVE);
        let x_of = |value: f32| left + room * (value - low) / span;
        let top = self.height;
        for (nth, bar) in bars.bars.iter().enumerate() {
            let middle = top + (nth as f32 + 0.5) * pitch;
            self.text([left - 5.0, middle], &*labels[nth], Anchor::End, style);
            if bar.value.is_finite() {
                let (from, end) = (x_of(start(nth)), x_of(start(nth) + bar.value));
                let is_sum = !starts.is_empty() && start(nth) == 0.0;
                let color = match bar.value < 0.0 {
                    _ if is_sum => WEAK,
                    true => NEGATIVE,
                    false => POSITIVE,
                };
                let at = [from.min(end), middle - thick / 2.0];
                self.fill(at, [(end - from).abs(), thick], color);
                if nth + 1 < starts.len() {
                    self.line([end, middle], [end, middle + pitch], RULE);
                }
            }
            self.text([self.right(), middle], &*numbers[nth], Anchor::End, style);
            let at = [self.margin, middle - pitch / 2.0];
            self.tell(at, [self.room, pitch], || bars.told(starts, nth));
        }
        let bottom = top + bars.bars.len() as f32 * pitch;
        self.line([x_of(0.0), top], [x_of(0.0), bottom], RULE);
        let at = [left + room / 2.0, bottom + SMALL];
        self.text(at, &*bars.quantity, Anchor::Middle, Style::weak());
        self.height = bottom + SMALL * 2.0;
    }

    pub(super) fn table(&mut self, table: &Table) {
        const ROW: f32 = 11.5;
        const HEAD_LINE: f32 = 9.0;
        let style = |cell: &Cell| Style::label(matches!(cell, Cell::Token(_) | Cell::Answer(_)));
        let text_of = |cell: &Cell, most: f32| match cell.text() {
            Some(text) => shortened(&text, most, style(cell)),
            None => cell.number().map(brief).unwrap_or_default(),
        };
        let head = Style::weak();
        let head_width = |name: &String, wraps: bool| {
            let words = if wraps { name.split(' ').collect() } else { vec![name.as_str()] };
            words.into_iter().map(|it| text_width(it, head)).fold(0.0, f32::max)
        };
        let widths_of = |(wraps, most): (bool, f32)| {
            let mut widths: Vec<f32> =
                table.columns.iter().map(|it| head_width(it, wraps)).collect();
            for row in &table.rows {
                for (width, cell) in widths.iter_mut().zip(&row.cells) {
                    *width = width.max(text_width(&text_of(cell, most), style(cell)));
                }
            }
            widths
        };
        let apart = |wraps: bool| if wraps { 7.0 } else { 14.0 };
        let fits = |&(wraps, most): &(bool, f32)| {
            let widths = widths_of((wraps, most));
            widths.iter().sum::<f32>() + apart(wraps) * (widths.len() as f32 - 1.0) <= self.room
        };
        // A page that is as wide as its charts takes a wide table as it is. Elsewhere names of columns take
        // several lines before a text is cut.
        let forms = [(false, TEXTS[0]), (true, TEXTS[0])].into_iter();
        let forms = forms.chain(TEXTS.into_iter().skip(1).map(|most| (true, most)));
        let narrow = forms.filter(|_| self.fills).find(fits);
        let form = narrow.unwrap_or(if self.fills { (true, TEXTS[4]) } else { (false, TEXTS[0]) });
        let (apart, text_of) = (apart(form.0), |cell: &Cell| text_of(cell, form.1));
        let widths = widths_of(form);
        let mut left = self.margin;
        let mut places = Vec::with_capacity(widths.len());
        for (column, width) in widths.iter().enumerate() {
            let mut cells = table.rows.iter().filter_map(|row| row.cells.get(column));
            let is_number = cells.any(|cell| cell.number().is_some());
            places.push(if is_number {
                (left + width, Anchor::End)
            } else {
                (left, Anchor::Start)
            });
            left += width + apart;
        }
        let heads: Vec<Vec<String>> = (table.columns.iter().zip(&widths))
            .map(
                |(name, width)| {
                    if form.0 { wrapped(name, head, *width) } else { vec![name.clone()] }
                },
            )
            .collect();
        // They stand on one line at their bottom.
        let n_lines = heads.iter().map(Vec::len).max().unwrap_or(1);
        let bottom = self.height + ROW + HEAD_LINE * (n_lines - 1) as f32;
        for (lines, &(x, anchor)) in heads.into_iter().zip(&places) {
            for (nth, line) in lines.into_iter().rev().enumerate() {
                let middle = bottom - ROW / 2.0 - HEAD_LINE * nth as f32;
                self.text([x, middle], line, anchor, head);
            }
        }
        self.height = bottom;
        self.line([self.margin, self.height], [left - apart, self.height], RULE);
        for row in &table.rows {
            let middle = self.height + ROW / 2.0;
            for (cell, &(x, anchor)) in row.cells.iter().zip(&places) {
                self.text([x, middle], text_of(cell), anchor, style(cell));
            }
            self.height += ROW;
        }
    }
}
