//! How much memory results take, and what is given up when it is too much.

use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::FactId;

use super::support::Window;

impl Window {
    fn do_now(&mut self, command: Command) {
        self.harness.state_mut().command(command);
        self.harness.run_steps(3);
    }

    /// Every result that came has been counted.
    fn weighed(&mut self) {
        self.wait("the count", |app| {
            let n = app.state.memory.n_results() as u64;
            app.state.jobs.iter().next().is_none() && n > 0 && n >= app.state.n_found
        });
    }
}

#[test]
fn old_results_are_given_up_and_those_on_screen_stay() {
    let mut window = Window::open();
    window.click("Trace");
    window.trace_ends();
    window.weighed();
    let first = window.app().state.memory.results();
    assert!(first > 1000, "{first}");
    window.do_now(Command::Select(FactId::Record(1)));
    window.wait_for_predictions();
    window.click("Trace");
    window.trace_ends();
    window.weighed();
    assert!(window.app().state.memory.results() > first);
    assert_eq!(window.harness.state_mut().state.evict(), 0, "a gigabyte is enough");

    // Nothing fits: what is on screen stays all the same.
    window.do_now(Command::SetResultsLimit(0));
    window.sees("oldest results");
    let left = window.app().state.memory.results();
    assert!(left > 0 && left < first * 2);
    assert!(window.app().state.result(Pane::Trace).is_some());
    window.do_now(Command::SetResultsLimit(1024));
    window.do_now(Command::Select(FactId::Record(0)));
    window.wait_for_predictions();
    assert!(window.app().state.trace(Row::First).is_none(), "it can be asked again");
    window.click("Trace");
    window.trace_ends();
}

#[test]
fn results_are_forgotten_when_that_is_wanted() {
    let mut window = Window::open();
    window.click("Trace");
    window.trace_ends();
    window.weighed();
    window.click("Memory");
    window.sees("This process");
    window.click("Forget all results");
    assert!(window.app().state.trace(Row::First).is_none());
    // What is shown unasked comes again.
    window.wait_for_predictions();
}
