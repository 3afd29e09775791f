//! The fields of numbers: what is typed and not taken is said beside the field.

use eframe::egui::accesskit::Role;
use eframe::egui::{Event, Key};
use egui_kittest::kittest::Queryable as _;
use factscope::ui::pane::Pane;
use factscope::ui::state::NoiseSetting;

use super::support::Window;

impl Window {
    fn types_number(&mut self, field: &str, text: &str) {
        self.harness.get_by_role_and_label(Role::SpinButton, field).focus();
        self.types_into_number(text);
    }

    /// Into the field that has been given the focus.
    pub fn types_into_number(&mut self, text: &str) {
        self.harness.run_steps(2);
        self.harness.event(Event::Text(text.to_owned()));
        self.harness.run_steps(2);
        self.harness.key_press(Key::Enter);
        self.harness.run_steps(3);
    }
}

#[test]
fn what_a_field_does_not_take_is_said_beside_it() {
    let mut window = Window::open();
    let n_samples = |window: &Window| window.app().state.settings.trace.n_samples;
    let place =
        |window: &Window| window.harness.get_by_role_and_label(Role::SpinButton, "Samples").rect();
    let before = place(&window);
    window.types_number("Samples", "5000");
    assert_eq!(n_samples(&window), 1000);
    window.sees("Only 1 to 1000: 1000 was taken");
    assert_eq!(place(&window).min, before.min, "the field stays where it is");
    window.types_number("Samples", "many");
    assert_eq!(n_samples(&window), 1000);
    window.sees("“many” is no number");
    window.types_number("Samples", "12");
    assert_eq!(n_samples(&window), 12);
    for gone in ["no number", "was taken"] {
        assert!(window.harness.query_by_label_contains(gone).is_none(), "{gone}");
    }
    // In every other view, too.
    window.show(Pane::Generation);
    window.types_number("Tokens", "0");
    window.sees("Only 1 to 1000: 1 was taken");
}

#[test]
fn a_number_that_is_only_visited_keeps_all_its_digits() {
    let mut window = Window::open();
    let trace = |window: &mut Window| window.harness.state_mut().state.settings.trace.clone();
    let settings = &mut window.harness.state_mut().state.settings.trace;
    (settings.noise, settings.noise_std) = (NoiseSetting::Fixed, 0.045_678_9);
    window.harness.run_steps(3);
    let before = trace(&mut window);
    window.harness.get_by_role_and_label(Role::SpinButton, "Noise").focus();
    window.harness.run_steps(2);
    window.harness.key_press(Key::Enter);
    window.harness.run_steps(3);
    assert_eq!(trace(&mut window), before);
}
