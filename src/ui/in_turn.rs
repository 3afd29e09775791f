//! Keys in turn: on a busy machine several come in one frame, and what is typed after one that moves the
//! focus is for whatever has it then.
//!
//! egui hears all keys of a frame in the widget that has the focus as the frame is drawn, in whichever
//! order they came.

use std::collections::VecDeque;

use eframe::egui::{Context, Event, Key, Plugin, RawInput, Ui};

/// Passes until what a key opens has the focus: one in which the key is heard, one in which what is new is
/// measured, and one in which its field is drawn and asks for the focus.
const N_PASSES: u8 = 3;

/// The events that wait for their turn.
#[derive(Debug, Default)]
pub struct InTurn {
    waiting: VecDeque<Event>,

    /// In how many passes they wait for the focus.
    n_passes: u8,
}

impl InTurn {
    /// Leaves those events of a pass that have their turn, first those that waited.
    fn sort(&mut self, events: &mut Vec<Event>) {
        self.waiting.extend(events.drain(..));
        self.n_passes = self.n_passes.saturating_sub(1);
        while let Some(event) = self.waiting.pop_front() {
            let has_to_wait = if self.n_passes > 0 {
                is_typed(&event)
            } else {
                // What was typed before it is for what has the focus now.
                (moves_focus(&event) || is_press(&event)) && events.iter().any(is_typed)
            };
            if has_to_wait {
                self.waiting.push_front(event);
                return;
            }
            // What is typed next may come in a later pass, and is for what has the focus by then.
            if moves_focus(&event) {
                self.n_passes = N_PASSES;
            }
            events.push(event);
        }
    }
}

impl Plugin for InTurn {
    fn debug_name(&self) -> &'static str {
        "keys in turn"
    }

    fn input_hook(&mut self, _ctx: &Context, input: &mut RawInput) {
        self.sort(&mut input.events);
    }

    fn on_begin_pass(&mut self, ui: &mut Ui) {
        if !self.waiting.is_empty() {
            ui.request_repaint();
        }
    }
}

/// Whether an event is heard by what has the focus.
fn is_typed(event: &Event) -> bool {
    matches!(
        event,
        Event::Key { pressed: true, .. } | Event::Text(_) | Event::Paste(_) | Event::Ime(_)
    )
}

/// Whether something else may have the focus after a key: it goes on, opens or closes something, or is a
/// command's.
fn moves_focus(event: &Event) -> bool {
    let Event::Key { key, pressed: true, modifiers, .. } = event else { return false };
    let is_of_command = modifiers.command || *key >= Key::F1;
    is_of_command || matches!(key, Key::Tab | Key::Enter | Key::Escape)
}

/// Whether a button of the pointer is pressed, which takes the focus away as the pass begins.
fn is_press(event: &Event) -> bool {
    matches!(event, Event::PointerButton { pressed: true, .. })
}

#[cfg(test)]
mod tests {
    use eframe::egui::{Modifiers, PointerButton, Pos2};

    use super::*;

    fn key(key: Key, modifiers: Modifiers) -> Event {
        Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers }
    }

    /// The events of each pass, when all came in the first.
    fn passes(events: &[Event]) -> Vec<Vec<Event>> {
        let mut in_turn = InTurn::default();
        let mut passes = Vec::new();
        let mut new = events.to_vec();
        loop {
            in_turn.sort(&mut new);
            passes.push(std::mem::take(&mut new));
            if in_turn.waiting.is_empty() {
                return passes;
            }
        }
    }

    #[test]
    fn what_is_typed_after_a_key_that_moves_the_focus_waits_for_it() {
        let text = |text: &str| Event::Text(text.to_owned());
        let (tab, palette) = (key(Key::Tab, Modifiers::NONE), key(Key::K, Modifiers::COMMAND));
        let none = || Vec::new();
        assert_eq!(
            passes(&[text("a"), tab.clone(), text("b"), palette.clone(), text("c"), text("d")]),
            [
                vec![text("a")],
                vec![tab],
                none(),
                none(),
                vec![text("b")],
                vec![palette],
                none(),
                none(),
                vec![text("c"), text("d")],
            ]
        );
    }

    /// A click elsewhere in the same pass would take the focus from a field before it heard its text.
    #[test]
    fn a_click_waits_for_what_was_typed_before_it() {
        let text = |text: &str| Event::Text(text.to_owned());
        let [press, release] = [true, false].map(|pressed| Event::PointerButton {
            pos: Pos2::ZERO,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        });
        let click = [press.clone(), release.clone()];
        assert_eq!(passes(&click), [click.to_vec()]);
        let events = [text("a"), text("b"), press.clone(), release.clone()];
        assert_eq!(passes(&events), [vec![text("a"), text("b")], vec![press, release]]);
    }

    /// On a slow machine each key comes in a pass of its own.
    #[test]
    fn what_comes_in_the_next_pass_waits_too() {
        let palette = key(Key::K, Modifiers::COMMAND);
        let mut in_turn = InTurn::default();
        let mut sorted = |mut events: Vec<Event>| {
            in_turn.sort(&mut events);
            events
        };
        let text = |text: &str| Event::Text(text.to_owned());
        assert_eq!(sorted(vec![palette.clone()]), [palette]);
        assert_eq!(sorted(vec![text("a")]), []);
        assert_eq!(sorted(vec![text("b")]), []);
        assert_eq!(sorted(vec![text("c")]), ["a", "b", "c"].map(text));
        assert_eq!(sorted(vec![text("d")]), [text("d")]);
    }

    #[test]
    fn what_does_not_depend_on_the_focus_comes_at_once() {
        let tab = key(Key::Tab, Modifiers::NONE);
        let moved = Event::PointerMoved([1.0, 2.0].into());
        let events = [moved.clone(), tab, moved];
        assert_eq!(passes(&events), [events.to_vec()]);
    }
}
