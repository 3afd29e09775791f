//! A list of numbers as bars, each in a line of its own.

use eframe::egui::{
    Align2, CornerRadius, Key, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind, Ui,
    WidgetInfo, pos2, vec2,
};

use crate::figure::number::significant;
use crate::figure::{Bars, Pick};
use crate::ui::theme::{axis_font, palette};
use crate::ui::view::ViewAction;
use crate::ui::widgets::fitted;

/// The height of a bar's line in points.
pub(super) const BAR_ROW: f32 = 19.0;

/// Draws the bars. `starts`: where bars start; none if all start at zero.
pub(super) fn bars_ui(
    ui: &mut Ui,
    bars: &Bars,
    starts: &[f32],
    before: Pick,
) -> Option<ViewAction> {
    let colors = palette(ui);
    let font = axis_font();
    let width_of = |ui: &Ui, text: &str| {
        ui.painter().layout_no_wrap(text.to_owned(), font.clone(), colors.text).size().x
    };
    let widest = bars.bars.iter().map(|it| width_of(ui, &it.label)).fold(0.0, f32::max);
    let label_room = widest.min(ui.available_width() * 0.45) + 8.0;
    let number_room = 74.0;
    let room = (ui.available_width() - label_room - number_room).max(60.0);
    let start = |nth: usize| starts.get(nth).copied().unwrap_or(0.0);
    let ends = || {
        let bars = bars.bars.iter().enumerate();
        bars.map(|(nth, it)| start(nth) + it.value).filter(|it| it.is_finite())
    };
    let (low, high) = (ends().fold(0.0, f32::min), ends().fold(0.0, f32::max));
    let span = (high - low).max(f32::MIN_POSITIVE);
    ui.label(RichText::new(&bars.quantity).font(axis_font()).color(colors.weak_text));
    let mut action = None;
    let marks_some = tells_apart(bars.bars.iter().map(|it| it.pick), before);
    ui.spacing_mut().item_spacing.y = 0.0;
    for (nth, bar) in bars.bars.iter().enumerate() {
        let can_be_picked = bar.pick != Pick::default();
        let sense = if can_be_picked { Sense::click() } else { Sense::hover() };
        let size = vec2(ui.available_width(), BAR_ROW);
        let (rect, response) = ui.allocate_exact_size(size, sense);
        let painter = ui.painter();
        if marks_some && can_be_picked && is_picked(bar.pick, before) {
            painter.rect_filled(rect, CornerRadius::same(3), colors.accent_fill);
        }
        outline(ui, &response, rect);
        let label = fitted(painter, &bar.label, &font, colors.text, label_room - 8.0);
        let at = pos2(rect.left() + label_room - 6.0, rect.center().y);
        let place = Align2::RIGHT_CENTER.anchor_size(at, label.size());
        painter.galley(place.min, label, colors.text);
        let x_of = |value: f32| rect.left() + label_room + room * (value - low) / span;
        let zero = x_of(0.0);
        painter.vline(zero, rect.y_range(), Stroke::new(1.0, colors.line));
        if bar.value.is_finite() {
            let (from, end) = (x_of(start(nth)), x_of(start(nth) + bar.value));
            let place = Rect::from_min_max(
                pos2(from.min(end), rect.top() + 4.0),
                pos2(from.max(end), rect.bottom() - 4.0),
            );
            let is_sum = !starts.is_empty() && start(nth) == 0.0;
            let fill = match bar.value < 0.0 {
                _ if is_sum => colors.weak_text,
                true => colors.attn,
                false => colors.accent,
            };
            painter.rect_filled(place, CornerRadius::same(1), fill);
            if nth + 1 < starts.len() {
                let to_next = rect.bottom() - 4.0..=rect.bottom() + 4.0;
                painter.vline(end, to_next, Stroke::new(1.0, colors.weak_text));
            }
        }
        let at = pos2(rect.left() + label_room + room + 8.0, rect.center().y);
        let number = significant(bar.value, 4);
        painter.text(at, Align2::LEFT_CENTER, number, font.clone(), colors.text);
        let spoken = || bars.told(starts, nth);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, spoken()));
        if was_chosen(ui, &response) && can_be_picked {
            action = Some(ViewAction::Select(bar.pick.over(before)));
        } else if response.hovered() && can_be_picked && action.is_none() {
            action = Some(ViewAction::Hover(bar.pick.over(before)));
        }
        if response.hovered() {
            response.on_hover_text(spoken());
        }
    }
    action
}

pub(super) fn is_picked(pick: Pick, before: Pick) -> bool {
    let agrees = |one: Option<usize>, other: Option<usize>| one.is_none() || one == other;
    agrees(pick.layer, before.layer)
        && agrees(pick.head, before.head)
        && agrees(pick.position, before.position)
}

/// Whether some are picked and others are not: where all are of one head, a mark on each says nothing.
pub(super) fn tells_apart(mut picks: impl Iterator<Item = Pick>, before: Pick) -> bool {
    picks.any(|pick| !is_picked(pick, before))
}

/// Whether a bar was clicked, or pressed as a button is.
fn was_chosen(ui: &Ui, response: &Response) -> bool {
    let is_pressed = || ui.input(|it| it.key_pressed(Key::Enter) || it.key_pressed(Key::Space));
    response.clicked() || response.has_focus() && is_pressed()
}

fn outline(ui: &Ui, response: &Response, rect: Rect) {
    if response.has_focus() || response.hovered() && response.sense.senses_click() {
        let stroke = Stroke::new(1.0, palette(ui).weak_text);
        ui.painter().rect_stroke(rect, CornerRadius::same(3), stroke, StrokeKind::Inside);
    }
}
