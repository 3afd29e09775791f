//! The queue: what waits can be put in another order, what is over can be shown again.

use factscope::analysis::causal_trace::Component;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::state::{FactId, Outcome};
use factscope::worker::JobId;

use super::support::Window;

impl Window {
    /// All at once, before the worker can answer.
    fn do_at_once(&mut self, commands: impl IntoIterator<Item = Command>) {
        for command in commands {
            self.harness.state_mut().command(command);
        }
        self.harness.step();
    }

    fn waiting(&self) -> Vec<JobId> {
        self.app().state.jobs.held().map(|(id, _)| id).collect()
    }

    fn idles(&mut self) {
        self.wait("the jobs", |app| app.state.jobs.iter().next().is_none());
    }
}

#[test]
fn waiting_jobs_are_reordered_cancelled_and_come_to_an_end() {
    let mut window = Window::open();
    window.idles();
    window.show(Pane::Jobs);
    window.sees("No job is running");
    // Each asks the fact and its inverse, if it has one.
    window.do_at_once([
        Command::Trace,
        Command::Study(Pane::Ablation),
        Command::Study(Pane::Knockout),
    ]);
    let waiting = window.waiting();
    assert!(waiting.len() >= 2, "{waiting:?}");
    let last = waiting[waiting.len() - 1];
    window.do_at_once([Command::RaiseJob(last)]);
    let raised = window.waiting();
    if let Some(place) = raised.iter().position(|id| *id == last) {
        assert!(place < raised.len() - 1 || raised.len() == 1);
    }
    window.do_at_once([Command::CancelJob(last)]);
    window.idles();
    let outcome = |window: &Window, id: JobId| {
        window.app().state.jobs.ended_at(id).map(|it| it.outcome.clone())
    };
    let cancelled = outcome(&window, last).unwrap();
    assert!(matches!(cancelled, Outcome::Cancelled | Outcome::Done));
    assert_eq!(outcome(&window, waiting[0]), Some(Outcome::Done));
    assert!(window.waiting().is_empty());
}

#[test]
fn what_is_over_is_shown_as_it_was_asked() {
    let mut window = Window::open();
    window.idles();
    window.click("Trace");
    window.trace_ends();
    window.idles();
    let id = window.app().state.jobs.ended().next().unwrap().id;
    // Another fact, another setting.
    window.do_at_once([Command::Select(FactId::Record(1))]);
    window.harness.state_mut().state.settings.trace.component = Component::Attn;
    window.idles();
    window.show(Pane::Jobs);
    window.sees("done in");
    window.do_at_once([Command::ShowEnded(id)]);
    window.harness.run_steps(3);
    let state = &window.app().state;
    assert_eq!(state.selected, Some(FactId::Record(0)));
    assert_eq!(state.settings.trace.component, Component::Hidden);
    assert!(state.result(Pane::Trace).is_some());
    assert!(window.app().workspace().is_in_front(Pane::Trace));
    window.show(Pane::Jobs);
    window.click("Clear the list of done jobs");
    assert_eq!(window.app().state.jobs.ended().len(), 0);
}
