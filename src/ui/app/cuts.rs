//! What comes of painted edges, asked for as they are painted.

use super::App;
use crate::analysis::AnalysisSpec;
use crate::ui::pane::Pane;
use crate::ui::state::{JobKind, Study, TraceState};

impl App {
    /// Asks for what the painted edges, as they are now, change. What was asked before is given up,
    /// unless it is known already.
    pub(super) fn follow_cut(&mut self) {
        let Some(key) = self.state.key() else { return };
        let wanted = if self.state.painted.of(Some(key)).is_empty() {
            None
        } else {
            self.state.study_spec(Pane::Cut, self.state.row).ok()
        };
        let Some(findings) = self.state.findings_of(key) else { return };
        let Ok(prompt) = findings.prompt.clone() else { return };
        let mut left = Vec::new();
        findings.studies.retain(|study| match (&study.spec, &study.state) {
            (AnalysisSpec::EdgeCut(_), TraceState::Running(id))
                if Some(&study.spec) != wanted.as_ref() =>
            {
                left.push(*id);
                false
            }
            _ => true,
        });
        let is_known = wanted.as_ref().is_none_or(|spec| findings.study(spec).is_some());
        for id in left {
            if let Some(job) = self.state.jobs.remove(id) {
                job.cancel.cancel();
            }
        }
        // Results of a session file are shown without their model.
        if self.state.stored.is_some() {
            return;
        }
        let Some(spec) = wanted.filter(|_| !is_known) else { return };
        let id = self.analyse(JobKind::Study(key), prompt, spec.clone());
        if let Some(asked) = self.state.jobs.get_mut(id).and_then(|job| job.asked.as_mut()) {
            asked.pane = Pane::Cut;
        }
        if let Some(findings) = self.state.findings_of(key) {
            findings.studies.push(Study { spec, state: TraceState::Running(id), result: None });
        }
    }
}
