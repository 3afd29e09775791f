//! What the keyboard does: everything by name, and a way back.

use eframe::egui::{Key, Modifiers};
use factscope::analysis::causal_trace::Component;
use factscope::ui::pane::Pane;
use factscope::ui::state::FactId;

use super::support::Window;

impl Window {
    fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.run_steps(3);
    }
}

const COMMAND_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

#[test]
fn a_command_is_found_by_its_name() {
    let mut window = Window::open();
    window.press(Modifiers::COMMAND, Key::K);
    window.sees("What do you want to do?");
    window.type_into("What do you want to do?", "close knock");
    window.press(Modifiers::NONE, Key::Enter);
    assert!(!window.app().workspace().is_open(Pane::Knockout));

    window.press(Modifiers::COMMAND, Key::P);
    window.type_into("What do you want to do?", "no such thing");
    window.sees("Nothing is called so");
    window.press(Modifiers::NONE, Key::Escape);
    assert!(
        window.harness.state().workspace().is_open(Pane::Trace),
        "a palette that is left does nothing"
    );

    // Down to the second that is called so, and up again.
    window.press(Modifiers::COMMAND, Key::K);
    window.type_into("What do you want to do?", "show");
    window.press(Modifiers::NONE, Key::ArrowDown);
    window.press(Modifiers::NONE, Key::Enter);
    assert!(window.app().workspace().is_in_front(Pane::ALL[1]));
}

#[test]
fn choices_and_settings_are_taken_back_and_done_again() {
    let mut window = Window::open();
    let start = window.app().state.selected;
    window.press(Modifiers::COMMAND, Key::ArrowDown);
    let second = window.app().state.selected;
    assert_eq!((start, second), (Some(FactId::Record(0)), Some(FactId::Record(1))));
    window.click("MLP");
    assert_eq!(window.app().state.settings.trace.component, Component::Mlp);

    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.app().state.settings.trace.component, Component::Hidden);
    assert_eq!(window.app().state.selected, second);
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.app().state.selected, start);
    assert!(window.app().state.can_redo());
    window.press(COMMAND_SHIFT, Key::Z);
    window.press(COMMAND_SHIFT, Key::Z);
    assert_eq!(window.app().state.selected, second);
    assert_eq!(window.app().state.settings.trace.component, Component::Mlp);

    // What is done after going back takes the place of what was taken back.
    window.press(Modifiers::COMMAND, Key::Z);
    window.click("Hidden state");
    window.press(Modifiers::COMMAND, Key::ArrowUp);
    assert!(!window.app().state.can_redo());
    assert_eq!(window.app().state.selected, start);
}
