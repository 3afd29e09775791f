//! What was asked about a prompt and what was found, kept so that coming back to it costs nothing.

use std::sync::Arc;

use crate::analysis::attribution_patching::AttributionPatching;
use crate::analysis::causal_trace::CausalTrace;
use crate::analysis::{AnalysisResult, AnalysisSpec};
use crate::session::Origin;
use crate::tokens::TokenizedPrompt;
use crate::worker::JobId;

/// All that one of the open models was asked about one prompt.
#[derive(Debug)]
pub struct Findings {
    /// The prompt as tokens, or why it cannot be asked.
    pub prompt: Result<Arc<TokenizedPrompt>, String>,

    /// What makes the prompt's numbers say less than they seem to. `None` until it is looked at.
    pub doubts: Option<Vec<String>>,

    /// One per spec, the latest last.
    pub runs: Vec<Run>,
}

/// A method that is asked about a prompt, from the question to its answer.
#[derive(Debug)]
pub struct Run {
    pub spec: AnalysisSpec,
    pub origin: Origin,
    pub state: RunState,

    /// The result of the spec's method, with empty cells where `state` is not `Done`.
    pub result: Option<Arc<AnalysisResult>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// The worker has it, or it waits for its turn.
    Running(JobId),
    Done,
    Cancelled,

    /// The message is for the user.
    Failed(String),
}

impl Run {
    /// A run as a session file has it.
    pub fn kept(
        spec: AnalysisSpec,
        origin: Origin,
        is_complete: bool,
        result: Arc<AnalysisResult>,
    ) -> Self {
        let state = if is_complete { RunState::Done } else { RunState::Cancelled };
        Self { spec, origin, state, result: Some(result) }
    }

    /// Its job, while it has one.
    pub fn job(&self) -> Option<JobId> {
        match self.state {
            RunState::Running(id) => Some(id),
            RunState::Done | RunState::Cancelled | RunState::Failed(_) => None,
        }
    }

    pub fn is_running(&self) -> bool {
        self.job().is_some()
    }

    pub fn is_done(&self) -> bool {
        self.state == RunState::Done
    }

    /// What was found, if the method is a causal trace.
    pub fn trace(&self) -> Option<&CausalTrace> {
        match self.result.as_deref()? {
            AnalysisResult::CausalTrace(trace) => Some(trace),
            _ => None,
        }
    }

    /// What was found, if the run is the preview of a trace.
    fn preview(&self) -> Option<&AttributionPatching> {
        match self.result.as_deref()? {
            AnalysisResult::AttributionPatching(it) if self.origin == Origin::Preview => Some(it),
            _ => None,
        }
    }

    /// Whether asking the same again would find nothing more. A person may try again what failed.
    fn is_answered(&self, origin: Origin) -> bool {
        match self.state {
            RunState::Running(_) | RunState::Done => true,
            RunState::Failed(_) => origin != Origin::Asked,
            RunState::Cancelled => false,
        }
    }
}

impl Findings {
    pub fn new(prompt: Result<Arc<TokenizedPrompt>, String>) -> Self {
        Self { prompt, doubts: None, runs: Vec::new() }
    }

    pub fn run(&self, spec: &AnalysisSpec) -> Option<&Run> {
        self.runs.iter().find(|run| run.spec == *spec)
    }

    /// The run that a job carries out.
    pub fn run_of(&mut self, job: JobId) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.job() == Some(job))
    }

    /// Whether a question need not be asked: it is answered, or is about to be.
    pub fn knows(&self, spec: &AnalysisSpec, origin: Origin) -> bool {
        self.run(spec).is_some_and(|run| run.is_answered(origin))
    }

    /// A job carries out what is asked. What an earlier one had found before it was stopped stays
    /// where it can be gone on from.
    pub fn begin(&mut self, spec: AnalysisSpec, origin: Origin, job: JobId) {
        let stopped = self.runs.extract_if(.., |run| run.spec == spec).next();
        let result = stopped.and_then(|run| run.result).filter(|it| it.has_traces());
        self.runs.push(Run { spec, origin, state: RunState::Running(job), result });
        self.foresee();
    }

    /// Whether something was found that a person has asked for.
    pub fn has_asked(&self) -> bool {
        self.runs.iter().any(|run| run.origin == Origin::Asked && run.result.is_some())
    }

    /// What runs is not gone on with: what it had found stays.
    pub fn stop(&mut self) {
        self.runs.retain(|run| !run.is_running() || run.result.is_some());
        for run in self.runs.iter_mut().filter(|run| run.is_running()) {
            run.state = RunState::Cancelled;
        }
    }

    /// Puts a run in the place of what was known of the same question.
    pub fn adopt(&mut self, run: Run) {
        self.runs.retain(|it| it.spec != run.spec);
        self.runs.push(run);
        self.foresee();
    }

    /// What the cells of a trace will be, about.
    pub fn preview_of(&self, trace: &Run) -> Option<&AttributionPatching> {
        self.preview_run_of(trace)?.preview()
    }

    /// The run that estimates a trace's cells.
    pub fn preview_run_of(&self, trace: &Run) -> Option<&Run> {
        let AnalysisSpec::CausalTrace(spec) = &trace.spec else { return None };
        self.runs.iter().find(|run| run.preview().is_some_and(|it| it.spec.trace == *spec))
    }

    /// Traces that have no cell yet are shown as their previews foresee them.
    pub fn foresee(&mut self) {
        let is_empty = |run: &Run| run.result.is_none();
        let previews = self.runs.iter().map(|run| {
            let preview = self.preview_of(run).filter(|_| is_empty(run))?;
            Some(Arc::new(AnalysisResult::CausalTrace(preview.unfilled_trace())))
        });
        let previews: Vec<Option<Arc<AnalysisResult>>> = previews.collect();
        for (run, preview) in self.runs.iter_mut().zip(previews) {
            run.result = run.result.take().or(preview);
        }
    }

    /// Forgets what is found again within a second, and keeps traces and what took long.
    pub fn forget_unasked(&mut self) {
        let is_kept = |run: &Run| run.origin != Origin::Unasked || run.trace().is_some();
        self.runs.retain(|run| is_kept(run) || run.is_running());
    }
}
