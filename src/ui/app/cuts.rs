//! Asks what painted edges change, as they are painted.

use super::App;
use crate::analysis::AnalysisSpec;
use crate::session::Origin;
use crate::ui::pane::Pane;

impl App {
    /// Asks for what the painted edges, as they are now, change. What was asked before is given up,
    /// unless it is known already.
    pub(super) fn follow_cut(&mut self) {
        let Some(key) = self.state.key() else { return };
        let wanted = if self.state.painted.of(Some(key)).is_empty() {
            None
        } else {
            self.state.spec_of(Pane::Cut, self.state.row).ok()
        };
        self.state.give_up(|of, run| {
            let is_cut = matches!(run.spec, AnalysisSpec::EdgeCut(_));
            of == key && is_cut && Some(&run.spec) != wanted.as_ref()
        });
        let is_new = |spec: &AnalysisSpec| {
            self.state.findings().is_some_and(|findings| findings.run(spec).is_none())
        };
        // Results of a session file are shown without their model.
        if self.state.stored.is_none()
            && let Some(spec) = wanted.filter(is_new)
        {
            self.begin(Pane::Cut, key, spec, Origin::Asked);
        }
    }
}
