//! What was found in the main model as it was changed otherwise. It waits until the model is so again.

use std::collections::BTreeMap;

use super::{AskedExperiment, FactId, FactKey, Findings, JobKind, Recall, Run, State, is_of_main};
use crate::analysis::{AnalysisResult, AnalysisSpec, ModelEdit};
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::worker::JobId;

/// Why a change of the model may not do what it is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    NotTried,
    DoesNotWork,
}

/// All that is known of the main model with some changes, while it has others.
#[derive(Debug, Default)]
pub struct Aside {
    pub(super) edits: Vec<ModelEdit>,
    pub(super) findings: BTreeMap<FactKey, Findings>,

    /// The experiment that was asked last.
    asked: Option<AskedExperiment>,
}

impl State {
    /// From now on the main model has these changes. What was found in it as it was is set aside, and
    /// what was found in it as it will be is taken up again. Returns what is known of its recall.
    pub fn change_model(&mut self, edits: Vec<ModelEdit>) -> Option<Recall> {
        self.jobs.abandon(|kind| kind.key().is_some_and(is_of_main));
        let mut findings: BTreeMap<FactKey, Findings> =
            self.findings.extract_if(.., |key, _| is_of_main(*key)).collect();
        findings.values_mut().for_each(Findings::stop);
        findings.retain(|_, findings| !findings.runs.is_empty());
        let before = Aside {
            edits: std::mem::replace(&mut self.edits, edits),
            findings,
            asked: self.spec.asked.take_if(|it| is_of_main(it.key)),
        };
        let recall = self.swap_recall(before.edits.clone(), self.settings.bos);
        self.visited.retain(|key| !is_of_main(*key));
        let now = self.aside.extract_if(.., |it| it.edits == self.edits).next();
        self.aside.push(before);
        let Aside { findings, asked, .. } = now.unwrap_or_default();
        self.visited.extend(findings.keys().filter(|key| key.fact != FactId::Experiment));
        self.findings.extend(findings);
        self.spec.asked = self.spec.asked.take().or(asked);
        recall
    }

    /// Whether the model is being changed: it is not yet as the views say.
    pub fn is_changing(&self) -> bool {
        self.changing().is_some()
    }

    /// The job that changes the model.
    pub fn changing(&self) -> Option<JobId> {
        self.jobs.iter().find(|(_, job)| job.kind == JobKind::Edit).map(|(id, _)| id)
    }

    /// Why a person is asked before the model is changed as a view says; `None` where nobody is.
    pub fn doubt_of(&self, pane: Pane, row: Row) -> Option<Doubt> {
        let tried = self.run(pane, row).filter(|run| run.is_done());
        match tried.and_then(|run| run.result.as_deref()) {
            Some(AnalysisResult::RankOneEdit(it)) if it.works() == Some(false) => {
                Some(Doubt::DoesNotWork)
            }
            Some(_) => None,
            // A direction is added for no certain end.
            None => (pane == Pane::Editing).then_some(Doubt::NotTried),
        }
    }

    /// The trace of a row in the main model as it was before its last change.
    pub fn trace_before(&self, row: Row) -> Option<&Run> {
        let (_, before) = self.edits.split_last()?;
        let key = self.key_of(row).filter(|key| is_of_main(*key))?;
        let spec = AnalysisSpec::CausalTrace(self.trace_spec(row)?);
        self.aside.iter().find(|it| it.edits == before)?.findings.get(&key)?.run(&spec)
    }

    /// What the last change of the model was found to do when a view tried it out, before it was made.
    pub fn change_tried(&self, pane: Pane) -> Option<&Run> {
        let (last, before) = self.edits.split_last()?;
        let is_of_pane = match last {
            ModelEdit::RankOne(_) => pane == Pane::Editing,
            ModelEdit::Steering(_) => pane == Pane::Steering,
            ModelEdit::Processing(_) => false,
        };
        let aside = self.aside.iter().find(|it| is_of_pane && it.edits == before)?;
        let mut runs = aside.findings.values().flat_map(|it| &it.runs);
        runs.find(|run| run.is_done() && run.spec.edit().as_ref() == Some(last))
    }

    /// The place for what was found in the main model with these changes.
    pub(super) fn findings_with(
        &mut self,
        edits: &[ModelEdit],
    ) -> &mut BTreeMap<FactKey, Findings> {
        if self.edits == edits {
            return &mut self.findings;
        }
        let nth = self.aside.iter().position(|it| it.edits == edits).unwrap_or_else(|| {
            self.aside.push(Aside { edits: edits.to_vec(), ..Aside::default() });
            self.aside.len() - 1
        });
        &mut self.aside[nth].findings
    }

    /// All that was found, also in the model as it was changed otherwise.
    pub(super) fn all_findings(&self) -> impl Iterator<Item = (&FactKey, &Findings)> {
        self.findings.iter().chain(self.aside.iter().flat_map(|it| &it.findings))
    }

    /// Forgets some of what was set aside.
    pub(super) fn forget_aside(&mut self, is_meant: impl Fn(FactKey) -> bool) {
        for aside in &mut self.aside {
            aside.findings.retain(|key, _| !is_meant(*key));
            aside.asked.take_if(|asked| is_meant(asked.key));
        }
        self.aside.retain(|it| !it.findings.is_empty());
    }
}
