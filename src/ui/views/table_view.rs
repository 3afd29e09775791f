//! A table of text and numbers.

use std::sync::Arc;

use eframe::egui::{
    Align, Align2, CornerRadius, FontId, Galley, Grid, Layout, Rect, RichText, Role, Sense, Style,
    TextStyle, Ui, WidgetInfo, pos2, vec2,
};

use super::figure_view::{is_picked, tells_apart};
use crate::figure::number::{brief, percent};
use crate::figure::{Cell, Pick, Row, Table};
use crate::ui::theme::{axis_font, palette, token_font};
use crate::ui::widgets::legible;

/// The gap between the columns of a table, if there is room, and if not.
const WIDE_GAP: f32 = 16.0;
const NARROW_GAP: f32 = 10.0;

/// The length of the bar of a share where there is room, its least length, and the room for the
/// number beside it.
const SHARE_BAR: f32 = 130.0;
const LEAST_SHARE_BAR: f32 = 30.0;
const SHARE_NUMBER: f32 = 64.0;

pub(super) fn table_ui(ui: &mut Ui, table: &Table, before: Pick) -> Option<Pick> {
    let mut picked = None;
    let marks_some = tells_apart(table.rows.iter().map(|it| it.pick), before);
    let Heads { columns, gap, share_bar } = heads(ui, table);
    let answers: Vec<bool> = table.rows.iter().map(is_of_answer).collect();
    let answer_fill = palette(ui).accent_fill.gamma_multiply(0.6);
    // The first row is that of the heads.
    let fill = move |nth: usize, style: &Style| match answers.get(nth.wrapping_sub(1)) {
        Some(true) => Some(answer_fill),
        _ => (nth % 2 == 1).then_some(style.visuals.faint_bg_color),
    };
    let grid = Grid::new(&table.name).with_row_color(fill).spacing(vec2(gap, 3.0));
    grid.show(ui, |ui| {
        for column in &columns {
            let head = Arc::clone(&column.head);
            column.aligned_ui(ui, |ui| _ = ui.label(head));
        }
        ui.end_row();
        for row in &table.rows {
            let can_be_picked = row.pick != Pick::default();
            for (nth, (cell, column)) in row.cells.iter().zip(&columns).enumerate() {
                if let Cell::Share(value) = cell {
                    share_ui(ui, *value, share_bar, is_of_answer(row));
                    continue;
                }
                let font = cell_font(ui, cell);
                let text = legible(ui.painter(), &cell_text(cell), &font).into_owned();
                let text = RichText::new(text).font(font);
                if nth == 0 && can_be_picked {
                    let is_picked = marks_some && is_picked(row.pick, before);
                    if ui.selectable_label(is_picked, text).clicked() {
                        picked = Some(row.pick);
                    }
                } else {
                    column.aligned_ui(ui, |ui| _ = ui.label(text));
                }
            }
            ui.end_row();
        }
    });
    picked
}

/// The heads of all columns, the gap between columns, and how long the bars of shares are.
struct Heads {
    columns: Vec<Column>,
    gap: f32,
    share_bar: f32,
}

struct Column {
    head: Arc<Galley>,

    /// The width of the widest cell, or of the head.
    width: f32,

    /// Whether the cells are numbers, which stand at the right.
    is_of_numbers: bool,
}

impl Column {
    fn aligned_ui(&self, ui: &mut Ui, cell_ui: impl FnOnce(&mut Ui)) {
        if self.is_of_numbers {
            let size = vec2(self.width, ui.spacing().interact_size.y);
            let layout = Layout::right_to_left(Align::Center);
            ui.allocate_ui_with_layout(size, layout, cell_ui);
        } else {
            cell_ui(ui);
        }
    }
}

/// Lays out the columns. Where the table is wider than its place, bars get shorter; if that is not
/// enough, heads take more than one line and columns stand nearer.
fn heads(ui: &Ui, table: &Table) -> Heads {
    let ink = palette(ui).weak_text;
    let painter = ui.painter();
    let width = |text: String, font| painter.layout_no_wrap(text, font, ink).size().x;
    let columns = table.columns.iter().enumerate().map(|(nth, head)| {
        let cells = table.rows.iter().filter_map(|row| row.cells.get(nth));
        let longest = cells.max_by_key(|cell| cell_text(cell).chars().count());
        let below = longest.map_or(0.0, |cell| {
            let font = cell_font(ui, cell);
            match cell {
                Cell::Share(_) => SHARE_BAR + SHARE_NUMBER,
                _ => width(legible(painter, &cell_text(cell), &font).into_owned(), font),
            }
        });
        (width(head.clone(), axis_font()), below)
    });
    let columns: Vec<(f32, f32)> = columns.collect();
    let has_shares =
        table.rows.iter().flat_map(|it| &it.cells).any(|it| matches!(it, Cell::Share(_)));
    // As wide as the grid makes a column at least.
    let least = if has_shares { ui.spacing().interact_size.x } else { 0.0 };
    let needed: f32 =
        columns.iter().map(|(head, below)| head.max(*below).max(least) + WIDE_GAP).sum();
    let too_wide = (needed - WIDE_GAP - ui.available_width()).max(0.0);
    let share_bar = (SHARE_BAR - too_wide).max(LEAST_SHARE_BAR);
    let is_wide = too_wide > if has_shares { SHARE_BAR - share_bar } else { 0.0 };
    let head = |head: &String, below: f32| {
        if !is_wide {
            return painter.layout_no_wrap(head.clone(), axis_font(), ink);
        }
        // A sign does not stand alone.
        let head = head.replace(" +", "\u{a0}+").replace(" −", "\u{a0}−");
        let words = head.split(' ').map(|word| width(word.to_owned(), axis_font()));
        let room = words.fold(below, f32::max).ceil() + 1.0;
        painter.layout(head, axis_font(), ink, room)
    };
    let column = |(nth, (text, (_, below))): (usize, (&String, &(f32, f32)))| {
        let head = head(text, *below);
        let mut cells = table.rows.iter().filter_map(|row| row.cells.get(nth));
        let is_of_numbers = nth > 0 && cells.all(|cell| matches!(cell, Cell::Number(_)));
        Column { width: below.max(head.size().x).ceil(), head, is_of_numbers }
    };
    let columns = table.columns.iter().zip(&columns).enumerate().map(column).collect();
    Heads { columns, gap: if is_wide { NARROW_GAP } else { WIDE_GAP }, share_bar }
}

fn is_of_answer(row: &Row) -> bool {
    row.cells.iter().any(|cell| matches!(cell, Cell::Answer(_)))
}

/// A bar on a track of some length, and the share in percent.
fn share_ui(ui: &mut Ui, share: f32, length: f32, is_of_answer: bool) {
    let colors = palette(ui);
    let text = percent(share);
    let size = vec2(length + SHARE_NUMBER, ui.spacing().interact_size.y);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &text));
    let painter = ui.painter();
    let middle = rect.center().y;
    let (left, right) = (rect.left(), rect.left() + length);
    let track = Rect::from_x_y_ranges(left..=right, middle - 5.0..=middle + 5.0);
    painter.rect_filled(track, CornerRadius::same(2), colors.faint_line);
    let width = (track.width() * share.clamp(0.0, 1.0)).max(1.0);
    let bar = Rect::from_min_size(track.min, vec2(width, track.height()));
    let color = if is_of_answer { colors.accent } else { colors.embed };
    painter.rect_filled(bar, CornerRadius::same(2), color);
    let font = TextStyle::Body.resolve(ui.style());
    painter.text(pos2(rect.right(), middle), Align2::RIGHT_CENTER, text, font, colors.text);
}

fn cell_text(cell: &Cell) -> String {
    match cell {
        Cell::Share(share) => percent(*share),
        _ => cell.text().or_else(|| cell.number().map(brief)).unwrap_or_default(),
    }
}

fn cell_font(ui: &Ui, cell: &Cell) -> FontId {
    match cell {
        Cell::Token(_) | Cell::Answer(_) => token_font(),
        Cell::Text(_) | Cell::Number(_) | Cell::Share(_) => TextStyle::Body.resolve(ui.style()),
    }
}
