//! The three kinds of a trace, asked for and seen together.

use eframe::egui::{Button, Ui};

use super::Views;
use super::pane::asked_by;
use super::trace_panel::trace_figure;
use crate::analysis::causal_trace::Component;
use crate::figure::Chart;
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::{Run, State};
use crate::ui::view::ViewCtx;
use crate::ui::views::{Heights, SmallMap, small_maps_ui};

pub(super) fn kinds_button_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let is_complete = |row, component| state.trace_of(row, component).is_some_and(Run::is_done);
    let has_all = state
        .rows()
        .all(|row| Component::ALL.into_iter().all(|component| is_complete(row, component)));
    let command = Command::TraceKinds;
    let response = ui.add_enabled(!has_all, Button::new(command.text()));
    let response = response.on_hover_text(command.tooltip());
    if response.on_disabled_hover_text("All three are complete").clicked() {
        commands.push(command);
    }
}

/// Whether a row has a trace of another kind than the one that is large.
fn has_other_kinds(state: &State, row: Row) -> bool {
    let chosen = state.settings.trace.component;
    let others = Component::ALL.into_iter().filter(|it| *it != chosen);
    let mut runs = others.filter_map(|component| state.trace_of(row, component));
    runs.any(|run| run.trace().is_some())
}

/// Draws all kinds small, on one scale, if there is another one than the one that is large.
pub(super) fn kinds_ui(
    ui: &mut Ui,
    state: &State,
    row: Row,
    views: &mut Views,
    ctx: &ViewCtx<'_>,
    commands: &mut Vec<Command>,
) {
    // Of the kinds a sweep has asked one, and the others have other settings.
    if state.is_swept(Pane::Trace, row) || !has_other_kinds(state, row) {
        return;
    }
    let chosen = state.settings.trace.component;
    let figures = Component::ALL.map(|component| trace_figure(state, row, component, views));
    let mut kinds = Vec::new();
    for (component, figure) in Component::ALL.into_iter().zip(&figures) {
        let map = figure.as_ref().and_then(|it| match it.charts.first() {
            Some(Chart::Map(map)) => Some(map),
            _ => None,
        });
        let is_chosen = component == chosen;
        kinds.push(SmallMap { name: name(component), map, is_chosen });
    }
    let asked = small_maps_ui(ui, &kinds, Heights::LOW, ctx);
    let component = asked.clicked.map(|nth| Component::ALL[nth]);
    commands.extend(component.filter(|it| *it != chosen).map(Command::ShowKind));
    commands.extend(asked.action.into_iter().flat_map(|it| asked_by(it, Pane::Trace, row)));
}

fn name(component: Component) -> &'static str {
    match component {
        Component::Hidden => "Hidden states",
        Component::Mlp => "MLPs",
        Component::Attn => "Attention",
    }
}
