//! A table of text and numbers, as narrow as its place asks.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use eframe::egui::text_selection::LabelSelectionState;
use eframe::egui::{
    Align, Align2, Button, Color32, CornerRadius, FontId, Galley, Id, Layout, Rect, Response, Role,
    Sense, Stroke, TextStyle, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

use super::bars_view::{is_picked, tells_apart};
use crate::figure::number::{brief, percent};
use crate::figure::{Cell, Pick, Row, Table};
use crate::ui::theme::{axis_font, palette, token_font};
use crate::ui::widgets::{fitted, made_once};

/// The gap between the columns of a table, if there is room, and if not.
const WIDE_GAP: f32 = 16.0;
const NARROW_GAP: f32 = 10.0;

/// The length of the bar of a share, its least length and its most where there is room to spare, and the
/// room for the number beside it.
const SHARE_BAR: f32 = 130.0;
const LEAST_SHARE_BAR: f32 = 30.0;
const MOST_SHARE_BAR: f32 = 360.0;
const SHARE_NUMBER: f32 = 64.0;

/// The least width of a column of texts: what is longer takes more lines, or loses its middle.
const LEAST_TEXT: f32 = 68.0;

/// The least width of what stands below a row, where there is room.
const BELOW: f32 = 320.0;

/// The space above and below the text of a row, and the height of the lowest row; and both where the whole
/// table has room only then.
const ROW: [f32; 2] = [3.0, 24.0];
const TIGHT_ROW: [f32; 2] = [1.0, 20.0];

/// Draws a table. `picks_rows`: whether rows can be picked that are about no place in the model. `height`:
/// the room for it, if that is known. Returns the row that was picked.
pub(super) fn table_ui(
    ui: &mut Ui,
    table: &Table,
    before: Pick,
    picks_rows: bool,
    height: Option<f32>,
) -> Option<usize> {
    let marks_some = tells_apart(table.rows.iter().map(|it| it.pick), before);
    let mut form = Form::fitting(ui, table, ui.available_width());
    // The head is about as high as a row.
    let whole = |[_, row]: [f32; 2]| (table.rows.len() + 1) as f32 * row;
    if height.is_some_and(|it| whole(ROW) > it && whole(TIGHT_ROW) <= it) {
        [form.row_space, form.least_height] = TIGHT_ROW;
    }
    let interact = std::mem::replace(&mut ui.spacing_mut().interact_size.y, form.least_height);
    let colors = palette(ui);
    let fills = [Color32::TRANSPARENT, ui.visuals().faint_bg_color];
    let mut picked = None;
    // Rows that follow each other have no gap between their stripes.
    let gap = std::mem::replace(&mut ui.spacing_mut().item_spacing, Vec2::ZERO);
    let heads: Vec<_> = (0..form.columns.len()).map(|nth| form.head(ui, table, nth)).collect();
    form.row_ui(ui, &heads, fills[0], |ui, place| {
        place.text_ui(ui, Arc::clone(&heads[place.nth]));
    });
    for (nth_row, row) in table.rows.iter().enumerate() {
        let cells = row.cells.iter().zip(&form.columns);
        let cells = cells.map(|(cell, column)| galley(ui, cell, column.width - column.around));
        let mut galleys: Vec<_> = cells.collect();
        if let Some(&first) = form.below.first() {
            let cell = together(table, row, &form.below);
            galleys[first] = galley(ui, &cell, form.columns[first].width);
        }
        let is_of_answer = is_of_answer(row);
        let fill = if is_of_answer {
            colors.accent_fill.gamma_multiply(0.6)
        } else {
            fills[(nth_row + 1) % 2]
        };
        form.row_ui(ui, &galleys, fill, |ui, place| {
            let nth = place.nth;
            let (Some(cell), Some(text)) = (row.cells.get(nth), galleys.get(nth)) else { return };
            let text = Arc::clone(text);
            let can_be_picked = picks_rows || row.pick != Pick::default();
            let response = match *cell {
                Cell::Share(value) => place.share_ui(ui, value, form.share_bar, is_of_answer),
                // The keyboard has one stop a row.
                _ if nth == 0 && can_be_picked => {
                    let is_picked = marks_some && is_picked(row.pick, before);
                    place.button_ui(ui, is_picked, text)
                }
                _ => place.text_ui(ui, text),
            };
            if can_be_picked && response.clicked() {
                picked = Some(nth_row);
            }
            // The whole text, if it is written shorter.
            if response.hovered() && !galleys[nth].text().contains(&cell_text(cell)) {
                response.on_hover_text(cell_text(cell));
            }
        });
    }
    ui.spacing_mut().item_spacing = gap;
    ui.spacing_mut().interact_size.y = interact;
    picked
}

/// The width that a table has where there is room.
pub(super) fn table_width(ui: &Ui, table: &Table) -> f32 {
    Form::fitting(ui, table, f32::INFINITY).width
}

/// How a table is made to fit its place. What is given up first stands first.
struct Form {
    /// How long the bars of shares are.
    share_bar: f32,
    gap: f32,

    /// Whether heads take more than one line.
    wraps_heads: bool,

    /// The widest that a column of texts may be.
    texts: f32,

    /// The columns that stand together below their row: the longest texts, and the last numbers where the
    /// others have no room else. The first of them is given the place.
    below: Vec<usize>,
    columns: Vec<Column>,

    /// The space above and below the text of a row, and the height of the lowest row.
    row_space: f32,
    least_height: f32,

    /// The width of all columns beside each other.
    width: f32,
}

#[derive(Clone, Copy)]
struct Column {
    /// What its cells need in one line, and of that what is around their text.
    cells: f32,
    around: f32,

    /// What its head needs in one line, and in several.
    heads: [f32; 2],
    kind: Kind,

    /// The width that the column is given, in points.
    width: f32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Numbers,
    Shares,
    Texts,
}

/// Where a cell is drawn. It has no `Ui` of its own, since a table has hundreds of cells.
struct Place {
    /// The column.
    nth: usize,
    rect: Rect,
    id: Id,

    /// Where in the rect the cell's text stands.
    align: Align2,
}

impl Form {
    fn fitting(ui: &Ui, table: &Table, room: f32) -> Self {
        let columns = Column::all_of(ui, table);
        let mut form = Self {
            share_bar: SHARE_BAR,
            gap: WIDE_GAP,
            wraps_heads: false,
            texts: f32::INFINITY,
            below: Vec::new(),
            columns,
            row_space: ROW[0],
            least_height: ROW[1],
            width: 0.0,
        };
        if form.columns.iter().any(|it| it.kind == Kind::Shares) {
            let to_spare = if room.is_finite() { room - form.total() } else { 0.0 };
            form.share_bar = (SHARE_BAR + to_spare).clamp(LEAST_SHARE_BAR, MOST_SHARE_BAR);
        }
        if form.total() > room {
            (form.gap, form.wraps_heads) = (NARROW_GAP, true);
        }
        form.narrow_texts(room);
        if form.total() > room {
            form.texts = f32::INFINITY;
            form.below.extend(form.longest_texts());
            form.narrow_texts(room);
            let is_long = |nth: &usize| form.columns[*nth].cells > 2.0 * LEAST_TEXT;
            if form.total() > room && !form.below.iter().any(is_long) {
                form.below.clear();
                form.narrow_texts(room);
            }
            while form.total() > room
                && let Some(nth) = form.last_number()
            {
                form.below.push(nth);
            }
            form.below.sort_unstable();
        }
        for nth in 0..form.columns.len() {
            form.columns[nth].width = form.width_of(nth).ceil();
        }
        form.width = form.total();
        if let Some(&nth) = form.below.first() {
            form.columns[nth].width = room.min(form.width.max(BELOW));
        }
        form
    }

    /// Narrows the widest columns of texts until all columns fit in a room, or no text can be narrower.
    fn narrow_texts(&mut self, room: f32) {
        let texts = self.beside().filter(|&nth| self.columns[nth].kind == Kind::Texts);
        let mut most = texts.map(|nth| self.columns[nth].cells).fold(0.0, f32::max);
        while self.total() > room && most > LEAST_TEXT {
            most = (most - 4.0).max(LEAST_TEXT);
            self.texts = most;
        }
    }

    /// The column of texts that takes the most room; the first names its rows.
    fn longest_texts(&self) -> Option<usize> {
        let of_texts = |nth: &usize| self.columns[*nth].kind == Kind::Texts;
        let width = |nth: &usize| self.columns[*nth].cells;
        let longest = (1..self.columns.len()).filter(of_texts);
        longest.max_by(|a, b| width(a).total_cmp(&width(b)))
    }

    /// The last of the columns of numbers that stand beside each other, but for the first of all columns,
    /// which names its rows.
    fn last_number(&self) -> Option<usize> {
        let is_of_numbers = |nth: &usize| self.columns[*nth].kind == Kind::Numbers;
        self.beside().skip(1).filter(is_of_numbers).last()
    }

    /// The columns that stand beside each other.
    fn beside(&self) -> impl Iterator<Item = usize> {
        (0..self.columns.len()).filter(|nth| !self.below.contains(nth))
    }

    fn width_of(&self, nth: usize) -> f32 {
        let column = &self.columns[nth];
        let head = column.heads[usize::from(self.wraps_heads)];
        let cells = match column.kind {
            Kind::Numbers => column.cells,
            Kind::Shares => self.share_bar + SHARE_NUMBER,
            Kind::Texts => column.cells.min(self.texts),
        };
        head.max(cells)
    }

    fn total(&self) -> f32 {
        let widths = self.beside().map(|nth| self.width_of(nth).ceil() + self.gap);
        (widths.sum::<f32>() - self.gap).max(0.0)
    }

    /// What stands above a column. What stands below each row has its name there.
    fn head(&self, ui: &Ui, table: &Table, nth: usize) -> Arc<Galley> {
        let is_below = self.below.contains(&nth);
        let text = if is_below { String::new() } else { without_lone_signs(&table.columns[nth]) };
        ui.painter().layout(text, axis_font(), palette(ui).weak_text, self.columns[nth].width)
    }

    /// Draws a row: `galleys` say how high it is, and `cell_ui` draws each of its cells.
    fn row_ui(
        &self,
        ui: &mut Ui,
        galleys: &[Arc<Galley>],
        fill: Color32,
        mut cell_ui: impl FnMut(&mut Ui, Place),
    ) {
        let height = |nth: usize| galleys.get(nth).map_or(0.0, |it| it.size().y);
        let line = self.beside().map(height).fold(0.0, f32::max) + 2.0 * self.row_space;
        let line = line.max(self.least_height);
        let has_below = |nth: &usize| galleys.get(*nth).is_some_and(|it| !it.is_empty());
        let place = self.below.first().copied();
        let below = place.filter(has_below).map_or(0.0, |nth| height(nth) + self.row_space);
        let below_width = place.map_or(0.0, |nth| self.columns[nth].width);
        let size = vec2(self.width.max(below_width), line + below);
        let (rect, Response { id, .. }) = ui.allocate_exact_size(size, Sense::hover());
        ui.painter().rect_filled(rect, CornerRadius::same(2), fill);
        let mut left = rect.left();
        for nth in self.beside() {
            let Column { width, kind, .. } = self.columns[nth];
            let cell = Rect::from_min_size(pos2(left, rect.top()), vec2(width, line));
            let align = match kind {
                Kind::Numbers => Align2::RIGHT_CENTER,
                Kind::Shares | Kind::Texts => Align2::LEFT_CENTER,
            };
            cell_ui(ui, Place { nth, rect: cell, id: id.with(nth), align });
            left += width + self.gap;
        }
        if let Some(nth) = place {
            let at = pos2(rect.left(), rect.top() + line - self.row_space);
            let cell = Rect::from_min_size(at, vec2(below_width, below));
            cell_ui(ui, Place { nth, rect: cell, id: id.with(nth), align: Align2::LEFT_TOP });
        }
    }
}

impl Place {
    /// A text that can be selected with the pointer, as a label is.
    fn text_ui(&self, ui: &Ui, text: Arc<Galley>) -> Response {
        let rect = self.align.align_size_within_rect(text.size(), self.rect);
        let response = ui.interact(rect, self.id, Sense::click_and_drag() - Sense::FOCUSABLE);
        response.widget_info(|| WidgetInfo::labeled(Role::Label, ui.is_enabled(), text.text()));
        if ui.is_rect_visible(rect) {
            let ink = ui.visuals().text_color();
            let underline = Stroke::NONE;
            LabelSelectionState::label_text_selection(
                ui, &response, rect.min, text, ink, underline,
            );
        }
        response
    }

    fn button_ui(&self, ui: &mut Ui, is_picked: bool, text: Arc<Galley>) -> Response {
        let row = match self.align.x() {
            Align::Max => Layout::right_to_left(self.align.y()),
            _ => Layout::left_to_right(self.align.y()),
        };
        let mut cell = ui.new_child(UiBuilder::new().max_rect(self.rect).layout(row));
        cell.add(Button::selectable(is_picked, text))
    }

    /// A bar on a track of some length, and the share in percent.
    fn share_ui(&self, ui: &Ui, share: f32, length: f32, is_of_answer: bool) -> Response {
        let colors = palette(ui);
        let text = percent(share);
        let size = vec2(length + SHARE_NUMBER, ui.spacing().interact_size.y);
        let rect = self.align.align_size_within_rect(size, self.rect);
        let response = ui.interact(rect, self.id, Sense::click() - Sense::FOCUSABLE);
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
        response
    }
}

impl Column {
    /// What the columns of a table need, measured once for all frames.
    fn all_of(ui: &Ui, table: &Table) -> Vec<Self> {
        let mut content = DefaultHasher::new();
        table.columns.hash(&mut content);
        for row in &table.rows {
            (row.pick == Pick::default()).hash(&mut content);
            for cell in &row.cells {
                std::mem::discriminant(cell).hash(&mut content);
                match cell {
                    Cell::Text(text) | Cell::Token(text) | Cell::Answer(text) => {
                        text.hash(&mut content);
                    }
                    Cell::Number(it) | Cell::Share(it) => it.to_bits().hash(&mut content),
                }
            }
        }
        let content = content.finish();
        let id = Id::unique(("columns of a table", content));
        let measured = made_once(ui, id, ui.pixels_per_point().to_bits(), || {
            (0..table.columns.len()).map(|nth| Self::of(ui, table, nth)).collect()
        });
        Vec::clone(&measured)
    }

    fn of(ui: &Ui, table: &Table, nth: usize) -> Self {
        let cells = || table.rows.iter().filter_map(|row| row.cells.get(nth));
        let is_all = |is_it: fn(&Cell) -> bool| cells().next().is_some() && cells().all(is_it);
        let kind = if is_all(|it| matches!(it, Cell::Number(_))) {
            Kind::Numbers
        } else if is_all(|it| matches!(it, Cell::Share(_))) {
            Kind::Shares
        } else {
            Kind::Texts
        };
        let can_be_picked = nth == 0 && table.rows.iter().any(|row| row.pick != Pick::default());
        let around = if can_be_picked { 2.0 * ui.spacing().button_padding.x } else { 0.0 };
        let width = |cell| galley(ui, cell, f32::INFINITY).size().x;
        let head = |text: &str| {
            let ink = Color32::PLACEHOLDER;
            ui.painter().layout_no_wrap(text.to_owned(), axis_font(), ink).size().x
        };
        let text = without_lone_signs(&table.columns[nth]);
        Self {
            cells: cells().map(width).fold(0.0, f32::max) + around,
            around,
            heads: [head(&text), text.split(' ').map(head).fold(0.0, f32::max)],
            kind,
            width: 0.0,
        }
    }
}

/// A head in which no sign can begin a line.
fn without_lone_signs(head: &str) -> String {
    head.replace(" +", "\u{a0}+").replace(" −", "\u{a0}−")
}

/// The cells that stand below a row, one after the other.
fn together(table: &Table, row: &Row, below: &[usize]) -> Cell {
    let cells = below.iter().filter_map(|&nth| Some(named(table, nth, row.cells.get(nth)?)));
    let mut cells: Vec<Cell> = cells.filter(|it| !cell_text(it).is_empty()).collect();
    if cells.len() == 1 {
        return cells.remove(0);
    }
    Cell::Text(cells.iter().map(cell_text).collect::<Vec<_>>().join(" · "))
}

/// A cell that stands below its row, after the name of its column.
fn named(table: &Table, nth: usize, cell: &Cell) -> Cell {
    let name = table.columns.get(nth).map_or("", String::as_str);
    if name.is_empty() {
        return cell.clone();
    }
    let text = format!("{name}: {}", cell_text(cell));
    match cell {
        Cell::Token(_) => Cell::Token(text),
        Cell::Answer(_) => Cell::Answer(text),
        Cell::Text(_) | Cell::Number(_) | Cell::Share(_) => Cell::Text(text),
    }
}

/// A cell as it is written in a column of some width: a sentence in several lines, a token without its
/// middle.
fn galley(ui: &Ui, cell: &Cell, width: f32) -> Arc<Galley> {
    let (font, painter, ink) = (cell_font(ui, cell), ui.painter(), Color32::PLACEHOLDER);
    let text = cell_text(cell);
    match cell {
        Cell::Text(_) => painter.layout(text, font, ink, width),
        Cell::Token(_) | Cell::Answer(_) => fitted(painter, &text, &font, ink, width),
        Cell::Number(_) | Cell::Share(_) => painter.layout_no_wrap(text, font, ink),
    }
}

fn is_of_answer(row: &Row) -> bool {
    row.cells.iter().any(|cell| matches!(cell, Cell::Answer(_)))
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
