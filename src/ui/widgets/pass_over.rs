//! Stops of Tab at which the keyboard has nothing to do.

use eframe::egui::{FocusDirection, Id, Key, Response, Ui};

/// Sends the focus on, the way it came, from a control that is passed over. To be called before the controls
/// are drawn.
pub fn pass_over(ui: &Ui, is_passed: impl FnOnce(&Response) -> bool) {
    let ctx = ui.ctx();
    let came = Id::unique("the way the focus came");
    let (is_tab, is_back) = ui.input(|it| (it.key_pressed(Key::Tab), it.modifiers.shift));
    if is_tab {
        ctx.data_mut(|data| data.insert_temp(came, is_back));
    }
    let focused = ctx.memory(|memory| memory.focused());
    let Some(response) = focused.and_then(|id| ctx.read_response(id)) else { return };
    if is_passed(&response) {
        let is_back = ctx.data(|data| data.get_temp(came)).unwrap_or(false);
        let way = if is_back { FocusDirection::Previous } else { FocusDirection::Next };
        ctx.memory_mut(|memory| memory.move_focus(way));
        ctx.request_repaint();
    }
}
