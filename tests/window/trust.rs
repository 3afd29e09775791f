//! What the numbers rest on is said, and can be set as other programs have it.

use eframe::egui::{Key, Modifiers};
use factscope::tokens::Bos;
use factscope::ui::pane::Pane;

use super::support::Window;

#[test]
fn a_preset_sets_every_convention_and_can_be_undone() {
    let mut window = Window::open();
    window.show(Pane::Trust);
    window.sees("The settings are your own");
    window.sees("Not ROME: Window");
    let before = window.app().state.settings.clone();

    window.click("Matches TransformerLens");
    window.sees("The settings match TransformerLens");
    assert_eq!(window.app().state.settings.bos, Bos::On);
    window.wait_for_predictions();
    // BOS is a token of the strip.
    window.sees("<|endoftext|>");

    window.click("Matches ROME");
    window.sees("The settings match ROME");
    let settings = &window.app().state.settings;
    assert_eq!((settings.bos, settings.trace.own_window), (Bos::Off, Some(10)));

    for _ in 0..2 {
        window.harness.key_press_modifiers(Modifiers::COMMAND, Key::Z);
        window.harness.run_steps(3);
    }
    assert_eq!(window.app().state.settings, before);
    window.sees("The settings are your own");
}

#[test]
fn sum_device_and_weights_are_vouched_for() {
    let mut window = Window::open();
    window.show(Pane::Trust);
    window.sees("parts add up to");
    window.sees("all weights are finite");
    window.sees("not needed on the CPU");
    window.sees("F32 on disk");
}
