//! Arrow keys that move through a grid.

use eframe::egui::{EventFilter, Id, Key, Ui};

/// How many cells down and to the right the arrow keys ask a focused grid to go. Meanwhile they do
/// not move the focus.
pub fn arrow_steps(ui: &Ui, id: Id) -> (isize, isize) {
    let arrows =
        EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, arrows));
    let pressed = |key: Key| ui.input(|input| input.key_pressed(key));
    let step = |forward: Key, back: Key| isize::from(pressed(forward)) - isize::from(pressed(back));
    (step(Key::ArrowDown, Key::ArrowUp), step(Key::ArrowRight, Key::ArrowLeft))
}

/// The place `by` steps on among `n`; the first if none was picked before.
pub fn moved(from: Option<usize>, by: isize, n: usize) -> usize {
    from.map_or(0, |from| from.saturating_add_signed(by)).min(n - 1)
}
