//! A fact of a sweep by itself: the view of the sweep's method asks it as the sweep did, and not as its own
//! settings say, until a person sets something or chooses another fact.

use super::{FactKey, Reading, State};
use crate::analysis::AnalysisSpec;
use crate::analysis::causal_trace::{self, Corruption, Map};
use crate::analysis::logit_attribution::Parts;
use crate::ui::pane::Pane;
use crate::ui::row::Row;

/// What a sweep has asked of a fact, and the view that shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Swept {
    pub pane: Pane,

    /// The name of the sweep's folder.
    pub sweep: String,

    /// What was asked of the fact, and of its inverse where the sweep asks both ways. Empty where the
    /// experiment is shown as text.
    pub asked: Vec<(FactKey, AnalysisSpec)>,

    /// Why the experiment is shown as text, if it is.
    pub why_text: String,

    /// How the figures of the sweep are read, or as a person has changed it here.
    pub reading: Reading,
}

impl State {
    /// What a view asks about the prompt of a row because a sweep has asked it so.
    pub fn swept_spec(&self, pane: Pane, row: Row) -> Option<&AnalysisSpec> {
        let swept = self.swept.as_ref().filter(|it| it.pane == pane)?;
        let key = self.key_of(row)?;
        swept.asked.iter().find(|(of, _)| *of == key).map(|(_, spec)| spec)
    }

    /// The trace of a row that a sweep has asked for, where the trace view shows it.
    pub fn swept_trace(&self, row: Row) -> Option<&causal_trace::Spec> {
        match self.swept_spec(Pane::Trace, row)? {
            AnalysisSpec::CausalTrace(it) if it.component == self.settings.trace.component => {
                Some(it)
            }
            _ => None,
        }
    }

    /// Whether a view shows a row as a sweep has asked it.
    pub fn is_swept(&self, pane: Pane, row: Row) -> bool {
        match pane {
            Pane::Trace => self.swept_trace(row).is_some(),
            _ => self.swept_spec(pane, row).is_some(),
        }
    }

    /// Whether a view shows any of its rows as a sweep has asked it, or the experiment of one.
    pub fn shows_swept(&self, pane: Pane) -> bool {
        let is_text = self.swept.as_ref().is_some_and(|it| it.pane == pane && it.asked.is_empty());
        is_text || self.rows().any(|row| self.is_swept(pane, row))
    }

    /// From now on a view asks as its own settings say.
    pub fn leave_swept(&mut self, pane: Pane) {
        self.swept.take_if(|it| it.pane == pane && !it.asked.is_empty());
    }

    /// Into what the attribution view splits the logit.
    pub fn parts_shown(&self) -> Parts {
        match self.swept_spec(Pane::Attribution, self.row) {
            Some(AnalysisSpec::LogitAttribution(it)) => it.by,
            _ => self.parts,
        }
    }

    /// The view that shows what is asked of a fact by itself. `None` where no view does.
    pub fn pane_showing(&self, spec: &AnalysisSpec) -> Option<Pane> {
        match spec {
            AnalysisSpec::Prediction(_) => Some(Pane::Prediction),
            AnalysisSpec::CausalTrace(it) if is_of_trace_view(it) => Some(Pane::Trace),
            AnalysisSpec::LogitLens(_) => Some(Pane::LogitLens),
            AnalysisSpec::LogitAttribution(_) => Some(Pane::Attribution),
            AnalysisSpec::Attention(_) => Some(Pane::Attention),
            _ => self.settings.studies.showing(spec),
        }
    }
}

/// Whether the trace view can be set so; the others are variants.
fn is_of_trace_view(trace: &causal_trace::Spec) -> bool {
    let is_noise = trace.corruption == Corruption::default()
        || matches!(trace.corruption, Corruption::NoiseFile(_));
    is_noise && trace.map == Map::Tokens
}
