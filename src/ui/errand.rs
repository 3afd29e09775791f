//! What the window was opened for: to show a case, to trace it, to ablate it, to take a picture and
//! go.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::Options;
use super::command::Command;
use super::pane::Pane;
use super::state::{ModelState, Run, State, UNASKED};
use crate::analysis::causal_trace::Component;
use crate::worker::Which;

/// Frames until the layout has come to rest.
const N_SETTLING: u32 = 4;

/// How it went, where whoever opened the window can read it.
pub type Outcome = Arc<Mutex<Option<Result<(), String>>>>;

#[derive(Debug)]
pub struct Errand {
    case: Option<String>,
    beside: Option<String>,
    trace: Option<Component>,
    pane: Option<Pane>,
    screenshot: Option<PathBuf>,
    step: Step,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Opening,
    Looking,
    Tracing,
    Studying,
    Settling(u32),
    Saving,
    Saved,
    Done,
}

impl Errand {
    pub fn new(options: &Options) -> Option<Self> {
        let Options { case, beside, trace, pane, screenshot, .. } = options.clone();
        let is_asked = case.is_some() || beside.is_some() || trace.is_some() || pane.is_some();
        if !is_asked && screenshot.is_none() {
            return None;
        }
        let (step, outcome) = (Step::Opening, Outcome::default());
        Some(Self { case, beside, trace, pane, screenshot, step, outcome })
    }

    pub fn is_under_way(&self) -> bool {
        self.step != Step::Done
    }

    /// Puts the facts and the view where they were asked for.
    fn places(&self, state: &State) -> Result<Vec<Command>, String> {
        let find = |case: &String| {
            let found = state.facts.find(case);
            found.ok_or_else(|| format!("There is no case {case} in the dataset"))
        };
        let select = self.case.as_ref().map(|case| find(case).map(Command::Select));
        let beside = self.beside.as_ref().map(|case| find(case).map(Command::ShowBeside));
        // A session has its own arrangement.
        let show = self.pane.map(|pane| Ok(Command::ShowPane(pane)));
        select.into_iter().chain(beside).chain(show).collect()
    }

    /// As far as it can go now.
    pub fn advance(&mut self, state: &State) -> Vec<Command> {
        if self.step == Step::Done {
            return Vec::new();
        }
        if let Some(error) = state.error.clone() {
            return self.end(Err(error));
        }
        match self.step {
            Step::Opening if is_opening(state) => Vec::new(),
            Step::Opening => {
                self.step = Step::Looking;
                match self.places(state) {
                    Ok(commands) => commands,
                    Err(error) => self.end(Err(error)),
                }
            }
            Step::Looking if is_looking(state) => Vec::new(),
            Step::Looking if self.pane.is_some_and(Pane::is_study) && is_measuring(state) => {
                Vec::new()
            }
            Step::Looking => match self.trace {
                Some(component) if state.prompt().is_some() => {
                    self.step = Step::Tracing;
                    vec![Command::ShowKind(component), Command::Trace]
                }
                _ => self.study(state),
            },
            Step::Tracing if !state.trace_waits.is_empty() => Vec::new(),
            Step::Tracing if state.running_trace().is_some() => Vec::new(),
            Step::Tracing => self.study(state),
            Step::Studying if state.jobs.asked().next().is_some() => Vec::new(),
            Step::Studying => self.shown(),
            Step::Settling(0) => {
                self.step = Step::Saving;
                self.screenshot.clone().map(Command::SaveScreenshotTo).into_iter().collect()
            }
            Step::Settling(n) => {
                self.step = Step::Settling(n - 1);
                Vec::new()
            }
            Step::Saved => self.end(Ok(())),
            Step::Saving | Step::Done => Vec::new(),
        }
    }

    /// The picture was written, or it could not be; the error is in the state then.
    pub fn saved(&mut self) {
        if self.step == Step::Saving {
            self.step = Step::Saved;
        }
    }

    fn study(&mut self, state: &State) -> Vec<Command> {
        match self.pane.filter(|pane| pane.is_study()) {
            Some(pane) if state.prompt().is_some() => {
                self.step = Step::Studying;
                vec![Command::Study(pane)]
            }
            _ => self.shown(),
        }
    }

    fn shown(&mut self) -> Vec<Command> {
        if self.screenshot.is_some() {
            self.step = Step::Settling(N_SETTLING);
            Vec::new()
        } else {
            self.step = Step::Done;
            Vec::new()
        }
    }

    fn end(&mut self, outcome: Result<(), String>) -> Vec<Command> {
        self.step = Step::Done;
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        if self.screenshot.is_some() { vec![Command::Quit] } else { Vec::new() }
    }
}

fn is_opening(state: &State) -> bool {
    state.reading.is_some()
        || state.reading_session.is_some()
        || [&state.model, &state.model_beside.model]
            .iter()
            .any(|it| matches!(it, ModelState::Loading { .. }))
}

/// Whether the dataset's subjects, which noise is measured on, are still to come.
fn is_measuring(state: &State) -> bool {
    state.stored.is_none()
        && state.facts.dataset.is_some()
        && state.subjects_of(Which::Main).is_none()
}

fn is_looking(state: &State) -> bool {
    UNASKED.into_iter().any(|pane| state.run(pane, state.row).is_some_and(Run::is_running))
}
