//! The queue: what waits can be put in another order, what is over can be shown again.

use std::time::Instant;

use factscope::analysis::causal_trace::Component;
use factscope::facts::Direction;
use factscope::session::Origin;
use factscope::task::Progress;
use factscope::tokens::Bos;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::state::{FactId, FactKey, JobKind, Jobs, Outcome};
use factscope::worker::{JobId, Which};

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

/// What a view asks of both rows is one thing to who has asked it.
#[test]
fn how_far_a_thing_is_never_goes_back() {
    let (bos, direction) = (Bos::Off, Direction::Forward);
    let runs = |pane, origin| {
        let key = FactKey::new(Which::Main, FactId::Record(0), direction, bos);
        JobKind::Run { key, pane, origin }
    };
    for (origin, panes) in [
        (Origin::Unasked, [Pane::Prediction, Pane::LogitLens, Pane::Attention]),
        (Origin::Asked, [Pane::Ablation; 3]),
    ] {
        let mut jobs = Jobs::default();
        jobs.begin_command();
        let ids = panes.map(|pane| jobs.add(runs(pane, origin)).0);
        let mut told = Vec::new();
        for (nth, id) in ids.into_iter().enumerate() {
            for done in 0..=4 {
                jobs.advance(id, Progress { done, total: 4 }, Instant::now());
                told.extend(jobs.iter().next().map(|(_, job)| job.fraction()));
            }
            if nth == 0 {
                // What is looked at meanwhile.
                jobs.add(runs(panes[0], origin));
            }
            jobs.remove(id);
            told.extend(jobs.iter().next().map(|(_, job)| job.fraction()));
        }
        assert!(told.is_sorted(), "{told:?}");
        assert!(told[2] > 0.1 && told[2] < 0.2, "{told:?}");
        assert!(told[told.len() - 1] > 0.7, "{told:?}");
    }
    // The next command is another thing.
    let mut jobs = Jobs::default();
    let (first, _) = jobs.add(runs(Pane::Ablation, Origin::Asked));
    jobs.advance(first, Progress { done: 3, total: 4 }, Instant::now());
    jobs.begin_command();
    let (second, _) = jobs.add(runs(Pane::Ablation, Origin::Asked));
    let fraction = |id| jobs.get(id).unwrap().fraction();
    assert!(fraction(first) > 0.7 && fraction(second) < 0.1);
}
