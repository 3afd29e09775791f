//! How much memory results take, and what is given up when it is too much.

use factscope::ui::command::{Command, MemoryAnswer};
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::FactId;

use factscope::worker::SystemMemory;

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

/// A machine of so many bytes, all of them free.
fn machine(total: u64) -> SystemMemory {
    let available = total;
    let (process, process_own, process_peak, is_in_container) = (0, 0, 0, false);
    SystemMemory { process, process_own, process_peak, total, available, is_in_container }
}

#[test]
fn what_takes_half_of_the_machine_is_asked_about_in_every_view() {
    let mut window = Window::open();
    // What the program itself takes is more than half of it.
    window.harness.state_mut().state.memory.pretended = Some(machine(96 << 20));
    let mut n_asked = 0;
    for pane in Pane::ALL {
        let app = window.app();
        let is_known = app.state.run(pane, Row::First).is_some();
        if app.state.spec_of(pane, Row::First).is_err() || is_known {
            continue;
        }
        window.do_now(Command::Study(pane));
        let waiting = &window.app().state.unsure.waiting;
        assert!(waiting.iter().any(|it| it.pane == pane), "{pane:?} is not asked about");
        window.sees("This takes much memory");
        window.do_now(Command::AnswerMemory(MemoryAnswer::Cancel));
        let app = window.app();
        assert!(app.state.unsure.waiting.is_empty());
        assert!(app.state.run(pane, Row::First).is_none(), "{pane:?} begins all the same");
        n_asked += 1;
    }
    assert!(n_asked > 15, "{n_asked}");
}

#[test]
fn what_is_gone_on_with_is_asked_and_what_takes_little_needs_no_word() {
    let mut window = Window::open();
    window.harness.state_mut().state.memory.pretended = Some(machine(96 << 20));
    window.click("Trace");
    window.sees("This machine has 101 MB");
    window.click("Go on");
    window.trace_ends();
    assert!(window.trace().is_some());
    window.harness.state_mut().state.memory.pretended = Some(machine(16 << 30));
    window.do_now(Command::Study(Pane::Ablation));
    assert!(window.app().state.unsure.waiting.is_empty());
    window.wait("the ablation", |app| app.state.result(Pane::Ablation).is_some());
}
