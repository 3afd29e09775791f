//! The width that somebody has given a panel, while a narrower window has no room for it.

use eframe::egui::{PanelState, Ui};

/// What is remembered of a panel at the left.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WantedWidth {
    /// As somebody has set it, or as it was at first.
    wanted: Option<f32>,

    /// When it was last drawn: the width of all that the panel is a part of, and its own, in points.
    last: Option<[f32; 2]>,
}

impl WantedWidth {
    /// To be called before the panel is drawn: in another window it is as wide as was wanted, if that has
    /// room. `all`: the width of all that the panel is a part of.
    pub(super) fn restore(self, ui: &Ui, panel: &str, all: f32) {
        let is_other = self.last.is_some_and(|last| !is_same(last[0], all));
        let Some(wanted) = self.wanted.filter(|_| is_other) else { return };
        let id = ui.scope_id().with(panel);
        if let Some(mut state) = PanelState::load(ui, id) {
            state.outer_rect.set_width(wanted);
            ui.data_mut(|data| data.insert_persisted(id, state));
        }
    }

    /// To be called when the panel is drawn. One that has another width in the same window was dragged.
    pub(super) fn remember(&mut self, all: f32, own: f32) {
        let is_dragged =
            self.last.is_some_and(|last| is_same(last[0], all) && !is_same(last[1], own));
        if is_dragged || self.wanted.is_none() {
            self.wanted = Some(own);
        }
        self.last = Some([all, own]);
    }
}

/// Whether two widths differ by no more than rounding.
fn is_same(a: f32, b: f32) -> bool {
    (a - b).abs() < 0.5
}
