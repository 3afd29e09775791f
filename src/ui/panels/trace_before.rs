//! The trace of a row in the model as it was before its last change, which stands beside the trace
//! after it.

use std::sync::Arc;

use eframe::egui::{Id, Ui};

use super::Views;
use super::drawn::look_of;
use super::pane::asked_by;
use crate::figure::{AskedModel, Figure, Look};
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::State;
use crate::ui::view::ViewCtx;
use crate::ui::views::FigureView;

/// The figure. `None` where the row was not traced with these settings before the change.
pub(super) fn figure(state: &State, row: Row, views: &mut Views) -> Option<Arc<Figure>> {
    let result = state.trace_before(row)?.result.as_ref()?;
    let look = look_of(Pane::Trace, row, state)?;
    let (_, edits) = state.edits.split_last()?;
    let model = look.model.map(|it| AskedModel { edits, ..it });
    let look = Look { model, ..look };
    let place = Id::unique(("trace before", row));
    Some(views.figures.get(place, result, None, &look, &state.settings.ranges))
}

/// `range`: the ends of its colours, which are those of the trace after the change.
pub(super) fn before_ui(
    ui: &mut Ui,
    state: &State,
    row: Row,
    range: Option<(f32, f32)>,
    views: &mut Views,
    commands: &mut Vec<Command>,
) {
    let Some(figure) = figure(state, row, views) else { return };
    let Some(ctx) = ViewCtx::of(state, Pane::Trace, row) else { return };
    ui.strong(format!("{} before the change", state.name_of(row)));
    let view = FigureView { is_brief: true, range, figure: &figure };
    let action = view.show(ui, &ctx, commands, |_| ());
    commands.extend(action.into_iter().flat_map(|it| asked_by(it, Pane::Trace, row)));
}
