//! Traces, studies and edits: what is asked of the model, and how it is stopped.

use super::App;
use super::handle::SMALL;
use crate::analysis::attribution_patching::{BasePoint, Windows};
use crate::analysis::causal_trace::Component;
use crate::analysis::{AnalysisSpec, Metric, ModelEdit, attribution_patching};
use crate::session::Origin;
use crate::ui::pane::Pane;
use crate::ui::panels::IS_MADE;
use crate::ui::row::Row;
use crate::ui::state::{FactKey, JobKind, capitalized};
use crate::ui::view::Selection;
use crate::worker::{Job, JobId, Work};

impl App {
    /// Starts the traces that the controls describe, of the fact and of its inverse, the one that
    /// is looked at first, unless they are there or on their way.
    pub(super) fn trace(&mut self) {
        self.trace_each(&[self.state.settings.trace.component]);
    }

    /// Starts the traces of all three kinds, the one that is looked at first.
    pub(super) fn trace_kinds(&mut self) {
        let chosen = self.state.settings.trace.component;
        let mut kinds = Component::ALL;
        kinds.sort_by_key(|component| *component != chosen);
        self.trace_each(&kinds);
    }

    /// Starts the traces that have waited for the noise to be measured.
    pub(super) fn trace_waiting(&mut self) {
        let components = std::mem::take(&mut self.state.trace_waits);
        self.trace_each(&components);
    }

    fn trace_each(&mut self, components: &[Component]) {
        self.state.trace_waits.clear();
        let mut rows: Vec<Row> = self.state.rows().collect();
        rows.sort_by_key(|row| *row != self.state.row);
        for component in components {
            for row in &rows {
                self.trace_one(*row, *component);
            }
        }
    }

    /// Traces what is shown, where the answers that have come say that this is quick.
    pub(super) fn trace_what_is_quick(&mut self) {
        if self.state.has_quick_news() {
            self.look();
        }
    }

    pub(super) fn trace_one(&mut self, row: Row, component: Component) {
        let Some(key) = self.state.key_of(row) else {
            if self.state.is_settling() && !self.state.trace_waits.contains(&component) {
                self.state.trace_waits.push(component);
            }
            return;
        };
        let prompt = self.state.findings_at(row).and_then(|it| it.prompt.as_ref().ok());
        if prompt.is_none_or(|prompt| prompt.subject.is_none()) {
            return;
        }
        let Some(trace) = self.state.trace_spec_of(row, component) else {
            if !self.state.trace_waits.contains(&component) {
                self.state.trace_waits.push(component);
            }
            return;
        };
        let known = self.state.trace_of(row, component);
        if known.is_some_and(|run| run.is_running() || run.is_done()) || self.refuses() {
            return;
        }
        if attribution_patching::Spec::is_of(&trace) {
            // Held windows are closer, and take a large model more than the few passes that are
            // worth waiting for.
            let is_small = self.state.info_at(row).is_some_and(|it| it.config.n_params() < SMALL);
            let windows = if is_small { Windows::Held } else { Windows::Added };
            let preview = AnalysisSpec::AttributionPatching(attribution_patching::Spec {
                trace: trace.clone(),
                base: BasePoint::Corrupted,
                metric: previewed(component),
                windows,
                n_verified: 0,
            });
            self.begin(Pane::Trace, key, preview, Origin::Preview);
        }
        self.begin(Pane::Trace, key, AnalysisSpec::CausalTrace(trace), Origin::Asked);
    }

    /// Starts what the controls of a view describe, as [`App::trace`] does.
    pub(super) fn study(&mut self, pane: Pane) {
        self.views.workspace.show(pane);
        if self.state.is_settling() {
            self.state.study_waits.retain(|it| *it != pane);
            self.state.study_waits.push(pane);
            return;
        }
        let mut rows: Vec<Row> = self.state.rows_of(pane).collect();
        rows.sort_by_key(|row| *row != self.state.row);
        for row in rows {
            self.study_one(pane, row);
        }
    }

    fn study_one(&mut self, pane: Pane, row: Row) {
        let Some(key) = self.state.key_of(row) else { return };
        let spec = match self.state.spec_of(pane, row) {
            Ok(spec) => spec,
            Err(error) => {
                self.state.complain_of_fact(capitalized(&error));
                return;
            }
        };
        let known = self.state.run(pane, row);
        if known.is_some_and(|run| run.is_running() || run.is_done()) || self.refuses() {
            return;
        }
        self.begin(pane, key, spec, Origin::Asked);
    }

    /// Where the view of a trace's cell or of a head's weights is in front, asks it about what is picked
    /// out: that takes a few passes at most. What it was asked before is given up.
    pub(super) fn follow_picked(&mut self) {
        for pane in FOLLOWING {
            if self.views.workspace.is_in_front(pane) {
                self.follow_in(pane);
            }
        }
    }

    /// Asks those of these views that have come to the front since the last frame.
    pub(super) fn follow_to_front(&mut self) {
        let in_front = FOLLOWING.map(|pane| self.views.workspace.is_in_front(pane));
        let before = std::mem::replace(&mut self.in_front, in_front);
        for (pane, (now, before)) in FOLLOWING.into_iter().zip(in_front.into_iter().zip(before)) {
            if now && !before {
                self.follow_in(pane);
            }
        }
    }

    fn follow_in(&mut self, pane: Pane) {
        // Nothing is computed beside the results of a session file.
        if self.state.stored.is_some() {
            return;
        }
        let row = self.state.row;
        let Ok(spec) = self.state.spec_of(pane, row) else { return };
        let is_alike = match spec {
            AnalysisSpec::TraceCell(_) => {
                |it: &AnalysisSpec| matches!(it, AnalysisSpec::TraceCell(_))
            }
            AnalysisSpec::Circuit(_) if self.state.selection.head.is_some() => {
                |it: &AnalysisSpec| matches!(it, AnalysisSpec::Circuit(_))
            }
            _ => return,
        };
        let runs = self.state.findings().into_iter().flat_map(|it| &it.runs);
        let left = runs.filter(|run| is_alike(&run.spec) && run.spec != spec);
        for job in left.filter_map(|run| self.state.jobs.get(run.job()?)) {
            job.cancel.cancel();
        }
        self.study_one(pane, row);
    }

    /// As [`App::apply_edit`], once a person has been asked where the edit is not known to do what it was
    /// made for.
    pub(super) fn apply_edit_that_works(&mut self, pane: Pane) {
        let row = self.state.row;
        let edit = self.state.spec_of(pane, row).ok().and_then(|spec| spec.edit());
        let is_made = edit.as_ref().is_some_and(|it| self.state.edits.contains(it));
        if self.state.doubt_of(pane, row).is_some() && edit.is_some() && !is_made {
            self.state.doubted = edit;
            self.views.workspace.show(pane);
        } else {
            self.apply_edit(pane);
        }
    }

    /// Adds the edit that a view's settings describe to those of the open model.
    pub(super) fn apply_edit(&mut self, pane: Pane) {
        self.state.doubted = None;
        let row = self.state.row;
        // The changes that the model has once the one that waits is made.
        let edits = self.edits_next.as_ref().unwrap_or(&self.state.edits);
        match self.state.spec_of(pane, row).map(|spec| spec.edit()) {
            Ok(Some(edit)) if edits.contains(&edit) => {
                self.state.notice = Some(IS_MADE.to_owned());
            }
            Ok(Some(edit)) => {
                let edits = edits.iter().cloned().chain([edit]).collect();
                self.edit(edits);
            }
            Ok(None) => {}
            Err(error) => self.state.complain_of_fact(capitalized(&error)),
        }
    }

    /// Changes the model. While it is being changed, the last of further changes waits for that; one that
    /// takes it back stops it.
    pub(super) fn edit(&mut self, edits: Vec<ModelEdit>) {
        if self.state.info().is_none() {
            return;
        }
        let is_so = edits == self.state.edits;
        if let Some(id) = self.state.changing() {
            if edits == self.edits_before {
                // Where the change ends before it can be stopped, it is taken back.
                self.state.jobs.cancel_one(id);
            }
            let is_stopped = self.state.jobs.get(id).is_some_and(|it| it.cancel.is_cancelled());
            let is_made = is_so && !is_stopped;
            self.state.notice = Some(if is_made {
                "The model stays with the change that is being made".to_owned()
            } else {
                "The model is still being changed; this comes next".to_owned()
            });
            self.edits_next = Some(edits).filter(|_| !is_made);
            return;
        }
        if is_so || self.refuses() {
            return;
        }
        self.edits_before.clone_from(&self.state.edits);
        self.change_model(edits.clone());
        let (id, cancel) = self.state.jobs.add(JobKind::Edit);
        self.worker.submit(Job { id, work: Work::Edit { edits }, cancel });
        self.look();
    }

    /// A change of the model has ended: the one that waits for it begins.
    pub(super) fn edit_on(&mut self) {
        if let Some(next) = self.edits_next.take() {
            self.edit(next);
        }
    }

    /// What is known is of the model as it is changed; what was known of it before is set aside.
    pub(super) fn change_model(&mut self, edits: Vec<ModelEdit>) {
        let recall = self.state.change_model(edits);
        self.show_recall(recall);
    }

    /// Cancels a job. Of a change of the model, what waits for it is not made either.
    pub(super) fn cancel_job(&mut self, id: JobId) {
        if self.state.changing() == Some(id) {
            self.edits_next = None;
        }
        self.state.jobs.cancel_one(id);
    }

    pub(super) fn cancel(&mut self) {
        let on_screen: Vec<FactKey> =
            self.state.rows().filter_map(|it| self.state.key_of(it)).collect();
        let any = || self.state.jobs.asked().next().map(|(id, _)| id);
        if self.state.running_trace().is_some() {
            self.state.jobs.cancel(|kind| {
                let is_on_screen = kind.key().is_some_and(|key| on_screen.contains(&key));
                is_on_screen && kind.pane() == Some(Pane::Trace)
            });
        } else if let Some(id) = self.state.changing().or_else(any) {
            self.cancel_job(id);
        } else if self.state.has_waiting() {
            self.state.stop_waiting();
        } else if self.state.selection != Selection::default() {
            self.state.selection = Selection::default();
        } else {
            self.state.error = None;
        }
    }
}

/// The views that show what is picked out without being asked.
pub(super) const FOLLOWING: [Pane; 2] = [Pane::Cell, Pane::Weights];

/// What is estimated while a trace is computed: what ranks the cells most as the trace does
/// (measured on the built-in model: 0.95 and 0.98 for hidden states and attention, 0.81 for MLPs).
///
/// Logarithms bend less than probabilities, and can be read as such. But a window of MLPs is
/// overestimated, which a logarithm turns into a factor (0.62).
fn previewed(component: Component) -> Metric {
    match component {
        Component::Hidden | Component::Attn => Metric::LogProb,
        Component::Mlp => Metric::Prob,
    }
}
