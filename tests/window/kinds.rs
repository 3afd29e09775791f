//! The three kinds of a trace at once: small, and one of them large.

use eframe::egui::accesskit::Role;
use eframe::egui::{Rect, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::analysis::causal_trace::Component;
use factscope::ui::command::Command;
use factscope::ui::row::Row;
use factscope::ui::state::{NoiseSetting, RunState};
use factscope::worker::Which;

use super::support::Window;

impl Window {
    fn kinds_end(&mut self) {
        self.wait("all three traces", |app| {
            app.state.rows().all(|row| {
                Component::ALL.into_iter().all(|component| {
                    let run = app.state.trace_of(row, component);
                    run.is_some_and(|it| it.state == RunState::Done)
                })
            })
        });
        self.harness.run_steps(3);
    }

    /// Where a kind is drawn small, of the fact.
    fn small(&self, name: &str) -> Option<Rect> {
        let is_it = |label: &str| label == name || label.starts_with(&format!("{name}: "));
        let mut maps = self.harness.query_all_by_role(Role::Canvas);
        maps.find(|map| map.accesskit_node().label().is_some_and(|it| is_it(&it)))
            .map(|map| map.rect())
    }
}

#[test]
fn three_kinds_are_traced_at_once_and_one_of_them_is_large() {
    let mut window = Window::open();
    window.harness.state_mut().state.settings.trace.n_samples = 2;
    window.harness.run_steps(2);
    // One kind alone needs no choice.
    window.click("Trace");
    window.trace_ends();
    assert_eq!(window.small("MLPs"), None);
    window.click("All kinds");
    window.kinds_end();

    // Whichever is clicked is large, with the cell that was clicked.
    assert_eq!(window.app().state.settings.trace.component, Component::Hidden);
    let trace = window.trace().unwrap();
    let (n_layers, n_pos) = (trace.restored.n_rows() as f32, trace.prompt.n_pos() as f32);
    let map = window.small("MLPs").unwrap();
    let cell = map.size() / vec2(n_layers, n_pos);
    window.click_at(map.min + vec2(2.5, 1.5) * cell);
    let state = &window.app().state;
    assert_eq!(state.settings.trace.component, Component::Mlp);
    assert_eq!((state.selection.layer, state.selection.position), (Some(2), Some(1)));
    assert_eq!(window.trace().unwrap().spec.component, Component::Mlp);

    // With other settings there is nothing to be seen.
    window.harness.state_mut().state.settings.trace.seed = 7;
    window.harness.run_steps(2);
    assert!(window.app().state.trace_of(Row::First, Component::Attn).is_none());
    window.does(Command::ShowKind(Component::Attn));
    window.click("Trace");
    window.trace_ends();
    window.does(Command::ShowKind(Component::Hidden));
    window.sees("MLPs: not traced");
    window.harness.get_all_by_label("MLPs: not traced").next().unwrap().click();
    window.harness.run_steps(3);
    assert_eq!(window.app().state.settings.trace.component, Component::Mlp);
}

#[test]
fn all_that_is_asked_before_the_noise_is_known_waits_for_it() {
    let mut window = Window::open();
    window.harness.state_mut().state.set_subjects(Which::Main, None);
    window.does(Command::TraceKinds);
    let state = &window.app().state;
    assert_eq!(state.trace_waits, Component::ALL);
    assert_eq!((state.jobs.asked().count(), &state.error), (0, &None));
    window.sees("Measuring the noise");
    // Noise of a given strength needs no subjects; what waited is not traced behind one's back.
    window.harness.state_mut().state.settings.trace.noise = NoiseSetting::Fixed;
    window.does(Command::Trace);
    assert!(window.app().state.trace_waits.is_empty());
    window.trace_ends();
}
