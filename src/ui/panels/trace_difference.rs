//! The third map of a trace, the fact's minus the inverse's, and how both are compared.

use std::sync::Arc;

use eframe::egui::{Id, Ui};

use super::Views;
use super::pane::asked_by;
use crate::analysis::AnalysisResult;
use crate::analysis::comparison::trace_difference;
use crate::figure::{Figure, Look};
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::{State, TracePair, capitalized};
use crate::ui::view::ViewCtx;
use crate::ui::views::{Figures, figure_ui};
use crate::ui::widgets::command_choice_ui;

pub fn difference_ui(ui: &mut Ui, state: &State, views: &mut Views, commands: &mut Vec<Command>) {
    match figure(state, &mut views.figures) {
        None => {
            ui.weak("The difference is shown once both rows are traced");
        }
        Some(Err(error)) => {
            ui.weak(error);
        }
        Some(Ok(figure)) => {
            let row = state.row;
            let Some(ctx) = ViewCtx::of(state, Pane::Trace, row) else { return };
            let ctx = ViewCtx { planted: state.planted(Row::First), ..ctx };
            let action = figure_ui(ui, &figure, &ctx, commands);
            commands.extend(action.into_iter().flat_map(|it| asked_by(it, Pane::Trace, row)));
        }
    }
}

/// What is done with both maps.
pub fn pair_ui(ui: &mut Ui, state: &State, commands: &mut Vec<Command>) {
    let TracePair { shows_difference, has_same_scale, .. } = state.preferences.trace_pair;
    let command = Command::ShowDifference(!shows_difference);
    command_choice_ui(ui, shows_difference, command, commands);
    let command = Command::SetSameScale(!has_same_scale);
    let mut is_on = has_same_scale;
    if ui.checkbox(&mut is_on, command.text()).on_hover_text(command.tooltip()).changed() {
        commands.push(command);
    }
}

/// The figure, or why there is none; `None` while one of the two rows is not traced.
fn figure(state: &State, figures: &mut Figures) -> Option<Result<Arc<Figure>, String>> {
    let result = |row| state.trace(row)?.result.as_ref();
    let [one, other] = [result(Row::First)?, result(Row::Second)?];
    let (AnalysisResult::CausalTrace(fact), AnalysisResult::CausalTrace(inverse)) =
        (&**one, &**other)
    else {
        return None;
    };
    let planted = state.planted(Row::First).filter(|it| state.planted(Row::Second) == Some(*it));
    let (names, metric) = (state.names(), state.reading(Pane::Trace).metric);
    let look = Look { metric, planted, ..Look::new(&state.info()?.tokenizer) };
    let place = Id::unique(("trace difference", names));
    Some(figures.kept(place, one, Some(other), &look, &state.settings.ranges, || {
        let found = trace_difference([fact, inverse], metric).map_err(|it| capitalized(&it))?;
        let mut figure = Figure::of_difference(&found, names, fact, &look);
        let models = state.rows().filter_map(|row| state.asked_model(state.which(row)));
        figure.made_with = models.map(|it| it.note()).collect();
        figure.made_with.dedup();
        Ok(figure)
    }))
}
