//! The three kinds of a trace, asked for and seen together.

use eframe::egui::{Button, Ui};

use super::Views;
use super::pane::asked_by;
use super::trace_panel::trace_figure;
use crate::analysis::causal_trace::Component;
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::{Run, State};
use crate::ui::view::ViewCtx;
use crate::ui::views::{KindsAsked, TraceKind, trace_kinds_ui};

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

/// Whether there is anything of a kind beside that which is large.
pub(super) fn has_other_kinds(state: &State, row: Row) -> bool {
    let chosen = state.settings.trace.component;
    let others = Component::ALL.into_iter().filter(|it| *it != chosen);
    let mut runs = others.filter_map(|component| state.trace_of(row, component));
    runs.any(|run| run.trace().is_some())
}

/// All of them, small, if there is another one than that which is large.
pub(super) fn kinds_ui(
    ui: &mut Ui,
    state: &State,
    (row, is_brief): (Row, bool),
    views: &mut Views,
    ctx: &ViewCtx<'_>,
    commands: &mut Vec<Command>,
) {
    if !has_other_kinds(state, row) {
        return;
    }
    let chosen = state.settings.trace.component;
    let kinds = Component::ALL.map(|component| TraceKind {
        component,
        name: name(component),
        is_chosen: component == chosen,
        figure: trace_figure(state, row, component, views),
    });
    let KindsAsked { component, action } = trace_kinds_ui(ui, &kinds, is_brief, ctx);
    commands.extend(component.filter(|it| *it != chosen).map(Command::ShowKind));
    commands.extend(action.into_iter().flat_map(|it| asked_by(it, Pane::Trace, row)));
}

fn name(component: Component) -> &'static str {
    match component {
        Component::Hidden => "Hidden states",
        Component::Mlp => "MLPs",
        Component::Attn => "Attention",
    }
}
