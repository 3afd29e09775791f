//! Gives jobs to the worker in their turn, and shows or repeats those that have ended.

use super::App;
use crate::analysis::AnalysisSpec;
use crate::figure::words::counted;
use crate::session::Origin;
use crate::tokens::{Bos, TokenizedPrompt};
use crate::ui::command::{Command, MemoryAnswer};
use crate::ui::pane::Pane;
use crate::ui::state::{FactKey, JobKind, Question, Unsure};
use crate::ui::view::Selection;
use crate::worker::{Job, JobId, Work};

/// See [`Asked::about`](crate::ui::state::Asked::about).
fn about(spec: &AnalysisSpec, prompt: &TokenizedPrompt) -> String {
    match spec {
        AnalysisSpec::TraceAverage(it) => format!(" over {}", counted(it.facts.len(), "fact")),
        _ if spec.needs_prompt() => format!(" “{}”", prompt.text),
        _ => String::new(),
    }
}

impl App {
    /// Asks a model about a prompt, unless it has answered already or is about to. All that is found
    /// in the window is asked for here. What would take much memory is asked about first.
    pub(super) fn begin(&mut self, pane: Pane, key: FactKey, spec: AnalysisSpec, origin: Origin) {
        let Some(findings) = self.state.findings_of(key) else { return };
        let Ok(prompt) = findings.prompt.clone() else { return };
        if findings.knows(&spec, origin) {
            return;
        }
        match self.state.much_memory(key, &prompt, &spec) {
            None => self.begin_surely(pane, key, spec, origin),
            Some(memory) => {
                self.state.ask_about_memory(Unsure { pane, key, spec, origin, memory });
            }
        }
    }

    /// Begins or leaves the questions that would take much memory, such as those of both rows.
    pub(super) fn answer_memory(&mut self, answer: MemoryAnswer) {
        match answer {
            MemoryAnswer::Cancel => self.state.leave_unsure(),
            MemoryAnswer::GoOn => {
                for Unsure { pane, key, spec, origin, .. } in self.state.take_unsure() {
                    self.begin_surely(pane, key, spec, origin);
                }
            }
        }
    }

    fn begin_surely(&mut self, pane: Pane, key: FactKey, spec: AnalysisSpec, origin: Origin) {
        let Some(findings) = self.state.findings_of(key) else { return };
        let Ok(prompt) = findings.prompt.clone() else { return };
        // What nobody has asked for makes room at once.
        self.pause_recall();
        let is_asked = origin == Origin::Asked;
        let is_held = is_asked && self.state.jobs.is_busy();
        let about = about(&spec, &prompt);
        let asked = is_asked.then(|| self.state.asked(pane, key, about)).flatten();
        let (id, cancel) = self.state.jobs.add(JobKind::Run { key, pane, origin });
        if let Some(job) = self.state.jobs.get_mut(id) {
            job.asked = asked.map(Box::new);
        }
        let question = Question { id, cancel, which: key.which, prompt, spec: spec.clone() };
        if is_held {
            self.state.jobs.hold(question);
        } else {
            self.submit(question);
        }
        if let Some(findings) = self.state.findings_of(key) {
            findings.begin(spec, origin, id);
        }
    }

    /// Gives the worker the jobs whose turn has come.
    pub(super) fn release_jobs(&mut self) {
        for question in self.state.jobs.release() {
            self.submit(question);
        }
    }

    /// Gives a question to the worker, with the traces that its model has found by now.
    pub(super) fn submit(&self, question: Question) {
        let Question { id, cancel, which, prompt, spec } = question;
        let earlier = self.state.traces_of(which);
        let work = Work::Analyse { which, prompt, spec, earlier };
        self.worker.submit(Job { id, work, cancel });
    }

    pub(super) fn job_command(&mut self, command: &Command) {
        match *command {
            Command::RaiseJob(id) => self.state.jobs.raise(id),
            Command::LowerJob(id) => self.state.jobs.lower(id),
            Command::CancelJob(id) => self.cancel_job(id),
            Command::CancelAllJobs => {
                self.edits_next = None;
                self.state.jobs.cancel(|kind| !matches!(kind, JobKind::Recall(..)));
                self.state.stop_waiting();
            }
            Command::ShowEnded(id) => {
                self.go_back_to(id);
            }
            Command::AskAgain(id) => match self.go_back_to(id) {
                Some(Pane::Trace) => self.trace(),
                Some(pane) => self.study(pane),
                None => {}
            },
            Command::ForgetEnded => self.state.jobs.forget_ended(),
            _ => {}
        }
    }

    /// Shows the view of a job that is over, as it was asked. `None` if its fact is gone.
    fn go_back_to(&mut self, id: JobId) -> Option<Pane> {
        let asked = self.state.jobs.ended_at(id)?.asked.clone()?;
        let bos = self.state.settings.bos;
        if let Err(error) = self.state.go_back_to(&asked) {
            self.state.error = Some(error);
            return None;
        }
        self.recall_of(bos);
        self.views.workspace.show(asked.pane);
        self.views.facts.reveal();
        self.look();
        Some(asked.pane)
    }

    /// To be called after settings were put back: what was measured of the facts was of other
    /// prompts, if BOS was another before.
    pub(super) fn recall_of(&mut self, before: Bos) {
        if self.state.settings.bos != before {
            let recall = self.state.swap_recall_of_bos(before);
            self.show_recall(recall);
        }
    }

    /// As [`App::recall_of`], and lets go of picked positions, which belong to the prompts before.
    pub(super) fn bos_may_have_changed(&mut self, before: Bos) {
        self.recall_of(before);
        if self.state.settings.bos != before {
            self.state.selection = Selection::default();
        }
    }
}
