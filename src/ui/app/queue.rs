//! The queue of jobs, and what was done.

use super::App;
use crate::tokens::{Bos, TokenizedPrompt};
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::state::{Asked, JobKind};
use crate::ui::view::Selection;
use crate::worker::{Job, JobId, Work};

impl App {
    /// What was chosen and set, for those jobs that are asked for.
    pub(super) fn asked(&self, kind: &JobKind, prompt: &TokenizedPrompt) -> Option<Asked> {
        let (key, pane) = match kind {
            JobKind::Trace(key) => (*key, Pane::Trace),
            // Whoever asks for a study names its view.
            JobKind::Study(key) => (*key, Pane::Ablation),
            _ => return None,
        };
        Some(Asked {
            key,
            pane,
            text: prompt.text.clone(),
            rows: self.state.standing(key)?,
            settings: self.state.settings.clone(),
            selection: self.state.selection,
            parts: self.state.parts,
        })
    }

    /// Gives the worker what it is time for.
    pub(super) fn release_jobs(&mut self) {
        for job in self.state.jobs.release() {
            self.submit(job);
        }
    }

    /// Gives it to the worker, with what its model has found by now.
    pub(super) fn submit(&self, mut job: Job) {
        if let Work::Analyse { which, earlier, .. } = &mut job.work {
            *earlier = self.state.traces_of(*which);
        }
        self.worker.submit(job);
    }

    pub(super) fn job_command(&mut self, command: &Command) {
        match *command {
            Command::RaiseJob(id) => self.state.jobs.raise(id),
            Command::LowerJob(id) => self.state.jobs.lower(id),
            Command::CancelJob(id) => {
                if let Some(job) = self.state.jobs.get(id) {
                    job.cancel.cancel();
                }
            }
            Command::CancelAllJobs => {
                self.state.jobs.cancel(|kind| !matches!(kind, JobKind::Recall(..)));
                self.state.trace_waits.clear();
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

    /// Shows the view of a job that is over, as it was asked. Nothing if its fact is gone.
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
            self.forget_recall();
        }
    }

    /// The same, where positions are not put back with the settings.
    pub(super) fn bos_may_have_changed(&mut self, before: Bos) {
        self.recall_of(before);
        if self.state.settings.bos != before {
            self.state.selection = Selection::default();
        }
    }
}
