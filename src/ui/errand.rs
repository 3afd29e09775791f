//! What the command line asked the window to do: show a fact, trace it, run a view, save a picture and
//! close.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::Options;
use super::command::Command;
use super::pane::Pane;
use super::state::{ModelState, OpenSweep, Run, State, UNASKED};
use crate::analysis::causal_trace::Component;
use crate::figure::words::capitalized;
use crate::worker::Which;

/// Frames until the layout has come to rest.
const N_SETTLING: u32 = 4;

/// How the errand went, for whoever opened the window to read.
pub type ErrandOutcome = Arc<Mutex<Option<Result<(), String>>>>;

#[derive(Debug)]
pub struct Errand {
    case: Option<String>,
    beside: Option<String>,
    trace: Option<Component>,
    pane: Option<Pane>,
    screenshot: Option<PathBuf>,
    phase: Phase,
    pub outcome: ErrandOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
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
        let (phase, outcome) = (Phase::Opening, ErrandOutcome::default());
        Some(Self { case, beside, trace, pane, screenshot, phase, outcome })
    }

    pub fn is_under_way(&self) -> bool {
        self.phase != Phase::Done
    }

    /// Puts the facts and the view where they were asked for.
    fn places(&self, state: &State) -> Result<Vec<Command>, String> {
        let find = |case: &String| {
            state.facts.find(case).ok_or_else(|| {
                let why = state.facts.dataset.as_ref().and_then(|it| it.case(case).err());
                why.map_or_else(|| "There is no dataset".to_owned(), |it| capitalized(&it))
            })
        };
        let select = self.case.as_ref().map(|case| find(case).map(Command::Select));
        let beside = self.beside.as_ref().map(|case| find(case).map(Command::ShowBeside));
        // A session has its own arrangement.
        let show = self.pane.map(|pane| Ok(Command::ShowPane(pane)));
        select.into_iter().chain(beside).chain(show).collect()
    }

    /// The commands of the next step, or none while something is waited for.
    pub fn advance(&mut self, state: &State) -> Vec<Command> {
        if self.phase == Phase::Done {
            return Vec::new();
        }
        if let Some(error) = state.error.clone() {
            return self.end(Err(error));
        }
        match self.phase {
            Phase::Opening if is_opening(state) => Vec::new(),
            Phase::Opening => {
                self.phase = Phase::Looking;
                match self.places(state) {
                    Ok(commands) => commands,
                    Err(error) => self.end(Err(error)),
                }
            }
            Phase::Looking if is_looking(state) => Vec::new(),
            Phase::Looking if self.pane.is_some_and(Pane::is_study) && is_measuring(state) => {
                Vec::new()
            }
            Phase::Looking if state.prompt().is_some() && self.traces(state) => {
                self.phase = Phase::Tracing;
                let kind = self.trace.map(Command::ShowKind);
                kind.into_iter().chain([Command::Trace]).collect()
            }
            Phase::Tracing if !state.trace_waits.is_empty() => Vec::new(),
            Phase::Tracing if is_tracing(state) => Vec::new(),
            Phase::Looking | Phase::Tracing => self.study(state),
            Phase::Studying if !state.study_waits.is_empty() => Vec::new(),
            Phase::Studying if state.jobs.asked().next().is_some() => Vec::new(),
            Phase::Studying => self.shown(),
            // What is traced by itself is in the picture as a whole.
            Phase::Settling(_) if !state.trace_waits.is_empty() || is_tracing(state) => Vec::new(),
            Phase::Settling(0) => {
                self.phase = Phase::Saving;
                self.screenshot.clone().map(Command::SaveScreenshotTo).into_iter().collect()
            }
            Phase::Settling(n) => {
                self.phase = Phase::Settling(n - 1);
                Vec::new()
            }
            Phase::Saved => self.end(Ok(())),
            Phase::Saving | Phase::Done => Vec::new(),
        }
    }

    /// The picture was written, or it could not be; the error is in the state then.
    pub fn saved(&mut self) {
        if self.phase == Phase::Saving {
            self.phase = Phase::Saved;
        }
    }

    /// Whether a trace was asked for: by its kind, or by the view that shows it.
    fn traces(&self, state: &State) -> bool {
        let is_shown = self.pane == Some(Pane::Trace) && state.stored.is_none();
        let has_subject = state.prompt().is_some_and(|it| it.subject.is_some());
        self.trace.is_some() || (is_shown && has_subject)
    }

    fn study(&mut self, state: &State) -> Vec<Command> {
        match self.pane.filter(|pane| pane.is_study()) {
            Some(pane) if state.prompt().is_some() => {
                self.phase = Phase::Studying;
                vec![Command::Study(pane)]
            }
            _ => self.shown(),
        }
    }

    fn shown(&mut self) -> Vec<Command> {
        if self.screenshot.is_some() {
            self.phase = Phase::Settling(N_SETTLING);
            Vec::new()
        } else {
            self.phase = Phase::Done;
            Vec::new()
        }
    }

    fn end(&mut self, outcome: Result<(), String>) -> Vec<Command> {
        self.phase = Phase::Done;
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        if self.screenshot.is_some() { vec![Command::Quit] } else { Vec::new() }
    }
}

fn is_opening(state: &State) -> bool {
    let is_read = |it: &OpenSweep| it.read.is_some() || it.error.is_some();
    state.many.open.as_ref().is_some_and(|it| !is_read(it))
        || state.reading.is_some()
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

fn is_tracing(state: &State) -> bool {
    state.rows().any(|row| state.trace(row).is_some_and(Run::is_running))
}

fn is_looking(state: &State) -> bool {
    state.is_settling()
        || UNASKED.into_iter().any(|pane| state.run(pane, state.row).is_some_and(Run::is_running))
}
