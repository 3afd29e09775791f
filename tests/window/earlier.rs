//! A changed setting costs what it changes: what is known of a trace is not asked again.

use std::sync::Arc;

use eframe::egui::accesskit::Role;
use eframe::egui::{Event, Key};
use egui_kittest::kittest::Queryable as _;
use factscope::analysis::causal_trace::Severed;
use factscope::analysis::{AnalysisResult, AnalysisSpec, Measurement};
use factscope::ui::command::{ClosingAnswer, Command};
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::RunState;
use factscope::worker::Which;

use super::studies::open;
use super::support::{Window, tiny};

/// No model says so.
const MARK: u32 = 123_456_789;

impl Window {
    fn set_samples(&mut self, n_samples: usize) {
        self.harness.state_mut().state.settings.trace.n_samples = n_samples;
        self.harness.run_steps(2);
    }

    /// Changes the cells of all traces of the fact, and says how they ended.
    fn change(&mut self, state: &RunState, change: impl Fn(usize, &mut Vec<Measurement>)) {
        let app = self.harness.state_mut();
        let key = app.state.key().unwrap();
        for run in &mut app.state.findings_of(key).unwrap().runs {
            let Some(AnalysisResult::CausalTrace(trace)) = run.result.as_deref() else { continue };
            let mut trace = trace.clone();
            let mut nth = 0;
            trace.restored = trace.restored.map(|cell| {
                let mut cell = cell.clone();
                change(nth, &mut cell);
                nth += 1;
                cell
            });
            run.result = Some(Arc::new(AnalysisResult::CausalTrace(trace)));
            run.state = state.clone();
        }
    }

    /// Writes into the first cell, in every sample.
    fn mark(&mut self) {
        self.change(&RunState::Done, |nth, cell| {
            if nth == 0 {
                for it in cell {
                    it.rank = MARK;
                }
            }
        });
    }

    fn n_filled(&self) -> usize {
        let trace = self.trace().expect("it stays");
        trace.restored.values().iter().filter(|cell| !cell.is_empty()).count()
    }

    fn sever_mlps(&mut self) {
        self.harness.get_by_role_and_label(Role::ComboBox, "Sever").click();
        self.harness.run_steps(3);
        // The last is the one in the list, which opens over the rest.
        self.harness.query_all_by_label("MLPs").last().unwrap().click();
        self.harness.run_steps(3);
    }

    /// By the keyboard, the slider that was shown last.
    fn turn_up(&mut self, slider: &str) {
        let all = self.harness.get_all_by_role_and_label(Role::Slider, slider);
        all.last().unwrap().focus();
        self.harness.run_steps(2);
        self.harness.key_press(Key::ArrowRight);
        self.harness.run_steps(2);
    }

    /// By the keyboard, the number that was shown last.
    fn set_number(&mut self, name: &str, number: &str) {
        self.harness.get_all_by_role_and_label(Role::SpinButton, name).last().unwrap().focus();
        self.harness.run_steps(2);
        self.harness.event(Event::Text(number.to_owned()));
        self.harness.run_steps(2);
        self.harness.key_press(Key::Enter);
        self.harness.run_steps(2);
    }

    /// Samples of the first cell that are marked, of how many.
    fn marked(&self) -> (usize, usize) {
        let cell = &self.trace().unwrap().restored.values()[0];
        (cell.iter().filter(|it| it.rank == MARK).count(), cell.len())
    }
}

#[test]
fn more_samples_go_on_from_fewer_until_the_model_changes() {
    let mut window = Window::open();
    window.set_samples(3);
    window.click("Trace");
    window.trace_ends();
    window.mark();
    window.set_samples(5);
    assert!(window.trace().is_none());
    window.click("Trace");
    window.trace_ends();
    assert_eq!(window.trace_state(), Some(RunState::Done));
    assert_eq!(window.marked(), (3, 5));
    // Of the noise of another seed nothing is known.
    window.harness.state_mut().state.settings.trace.seed = 2;
    window.harness.run_steps(2);
    window.click("Trace");
    window.trace_ends();
    assert_eq!(window.marked(), (0, 5));
    window.harness.state_mut().state.settings.trace.seed = 1;
    // Nor of another model.
    window.does(Command::OpenModelAt(tiny()));
    // The model is read first.
    window.wait_for_label("Open another model?");
    window.does(Command::AnswerClosing(ClosingAnswer::Discard));
    window.wait("the model", |app| {
        app.state.trace(Row::First).is_none() && app.state.jobs.iter().next().is_none()
    });
    window.wait_for_predictions();
    window.set_samples(4);
    window.click("Trace");
    window.trace_ends();
    assert_eq!(window.marked(), (0, 4));
}

#[test]
fn a_trace_that_was_stopped_goes_on() {
    let mut window = Window::open();
    window.set_samples(3);
    window.click("Trace");
    window.trace_ends();
    window.mark();
    // As if it had been stopped in the second half.
    let n_cells = window.trace().unwrap().restored.values().len();
    window.change(&RunState::Cancelled, |nth, cell| {
        if nth >= n_cells / 2 {
            cell.clear();
        }
    });
    window.harness.run_steps(2);
    window.sees("Cancelled; partial");
    window.click("Go on");
    // What is there stays in sight.
    assert!(window.n_filled() >= n_cells / 2);
    window.trace_ends();
    assert_eq!(window.trace_state(), Some(RunState::Done));
    assert_eq!((window.marked(), window.n_filled()), ((3, 3), n_cells));
}

#[test]
fn a_bench_with_another_window_keeps_what_it_has() {
    let mut window = open();
    window.show(Pane::Bench);
    window.ask(Pane::Bench);
    let traces = window.app().state.traces_of(Which::Main).len();
    assert!(traces > 0);
    let singles = |window: &Window| match window.app().state.result(Pane::Bench).map(|it| &**it) {
        Some(AnalysisResult::CorruptionBench(bench)) => {
            let maps = bench.maps.iter().filter(|it| it.window == 1);
            maps.map(|it| (it.name.clone(), it.trace.clone())).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    let before = singles(&window);
    window.set_number("Window", "3");
    assert!(window.app().state.result(Pane::Bench).is_none());
    window.ask(Pane::Bench);
    let after = singles(&window);
    assert_eq!(after.len(), before.len());
    // Not computed again, to the last bit.
    assert!(after == before);
}

#[test]
fn severing_is_chosen_and_turned_up_to_all_layers() {
    let mut window = open();
    let severed = |window: &Window| {
        window.app().state.trace_spec(Row::First).map(|it| (it.sever, it.sever_layers))
    };
    assert_eq!(severed(&window), Some((None, None)));
    // Without severing no number of layers is asked for.
    assert!(window.harness.query_by_label("in layers").is_none());
    window.sever_mlps();
    assert_eq!(severed(&window), Some((Some(Severed::Mlp), None)));
    window.harness.state_mut().state.settings.trace.sever_layers = Some(1);
    window.harness.run_steps(3);
    let n_layers = window.app().state.info().unwrap().config.n_layers;
    for _ in 1..n_layers {
        window.turn_up("in layers");
    }
    assert_eq!(severed(&window), Some((Some(Severed::Mlp), None)));
    window.click("Trace");
    window.trace_ends();
    assert_eq!(window.trace_state(), Some(RunState::Done));
    window.sees("MLPs severed");
    // The bench has settings of its own.
    window.show(Pane::Bench);
    let of_bench = |window: &Window| match window.app().state.spec_of(Pane::Bench, Row::First) {
        Ok(AnalysisSpec::CorruptionBench(spec)) => (spec.trace.sever, spec.trace.sever_layers),
        other => panic!("{other:?}"),
    };
    assert_eq!(of_bench(&window), (None, None));
    window.sever_mlps();
    assert_eq!(of_bench(&window), (Some(Severed::Mlp), None));
    window.ask(Pane::Bench);
}

#[test]
fn a_typed_number_holds_once_it_is_whole() {
    let mut window = Window::open();
    let n_samples = |window: &Window| window.app().state.settings.trace.n_samples;
    let before = n_samples(&window);
    let field = window.harness.get_by_role_and_label(Role::SpinButton, "Samples");
    field.focus();
    window.harness.run_steps(2);
    for digit in ["2", "7"] {
        window.harness.event(Event::Text(digit.to_owned()));
        window.harness.run_steps(2);
        assert_eq!(n_samples(&window), before, "nothing is traced with {digit}");
    }
    window.harness.key_press(Key::Enter);
    window.harness.run_steps(2);
    assert_eq!(n_samples(&window), 27);
    window.does(Command::Undo);
    assert_eq!(n_samples(&window), before, "one step goes back");
}
