//! What is quick is traced of every fact and with every setting, and the last map stays until then.

use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use factscope::analysis::causal_trace::Component;
use factscope::session::Origin;
use factscope::ui::command::Command;
use factscope::ui::row::Row;
use factscope::ui::state::{FactId, Setting};

use super::support::Window;

impl Window {
    #[track_caller]
    fn is_traced_unasked(&mut self) {
        self.wait("the traces", |app| {
            Row::BOTH.into_iter().all(|row| app.state.trace(row).is_some_and(|it| it.is_done()))
        });
        let origins = Row::BOTH.map(|row| self.app().state.trace(row).unwrap().origin);
        assert_eq!(origins, [Origin::Unasked; 2]);
    }
}

#[test]
fn every_fact_and_every_setting_is_traced_at_once_where_that_is_quick() {
    let mut window = Window::open();
    assert!(window.app().state.trace(Row::First).is_none());
    // However busy the machine is.
    window.harness.state_mut().state.pace.quick_secs = 1e9;
    window.does(Command::SetTracesAtOnce(true));
    window.is_traced_unasked();
    assert!(!window.app().state.has_unsaved(), "it is found again at once");
    window.does(Command::Select(FactId::Record(1)));
    window.is_traced_unasked();
    window.does(Command::ShowKind(Component::Mlp));
    window.is_traced_unasked();
    let mut trace = window.app().state.settings.trace.clone();
    trace.seed = 7;
    window.does(Command::Set(Box::new(Setting::Trace(trace.clone()))));
    window.is_traced_unasked();

    // What takes longer waits to be asked for.
    trace.n_samples = 11;
    window.harness.state_mut().state.pace.quick_secs = 0.0;
    window.does(Command::Set(Box::new(Setting::Trace(trace))));
    assert!(window.app().state.trace(Row::First).is_none());
    assert!(window.app().state.jobs.iter().all(|(_, job)| !job.kind.is_asked()));
    window.sees("Not traced yet: it takes about");
}

#[test]
fn the_last_map_stays_until_the_next_is_there() {
    let mut window = Window::open();
    window.sees("Not traced yet");
    window.click("Trace");
    window.trace_ends();
    window.does(Command::Select(FactId::Record(1)));
    window.wait_for_predictions();
    window.sees("Not traced yet. Below is the last map, of “Mac OS was created by”");
    assert_eq!(window.harness.query_all_by_role(Role::Canvas).count(), 2, "both maps");
    window.click("Trace");
    window.trace_ends();
    assert!(window.harness.query_by_label_contains("the last map").is_none());
}
