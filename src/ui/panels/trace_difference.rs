//! The third map of a trace: the fact's minus the inverse's.

use std::sync::Arc;

use eframe::egui::{ScrollArea, Ui};

use super::pane::asked_by;
use crate::analysis::comparison::trace_difference;
use crate::analysis::{AnalysisResult, Metric};
use crate::figure::{Figure, Look, Ranges};
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::{State, capitalized};
use crate::ui::view::ViewCtx;
use crate::ui::views::figure_ui;

/// Made once, not every frame.
#[derive(Debug, Default)]
pub struct Difference {
    made: Option<Made>,
}

#[derive(Debug)]
struct Made {
    of: [Arc<AnalysisResult>; 2],
    metric: Metric,
    planted: Option<usize>,
    names: [&'static str; 2],
    ranges: Ranges,

    /// The error says why there is none.
    figure: Result<Arc<Figure>, String>,
}

/// Both maps, if they are there.
fn results(state: &State) -> Option<[&Arc<AnalysisResult>; 2]> {
    let of = |row| state.trace(row)?.result.as_ref();
    Some([of(Row::First)?, of(Row::Second)?])
}

impl Difference {
    /// `None` while one of the two is not traced.
    pub fn figure(&mut self, state: &State, metric: Metric) -> Option<Result<Arc<Figure>, String>> {
        let of = results(state)?;
        let planted = state.planted(Row::First);
        let planted = planted.filter(|_| planted == state.planted(Row::Second));
        let names = state.names();
        let is_made = |it: &Made| {
            it.metric == metric
                && it.names == names
                && it.ranges == state.settings.ranges
                && it.planted == planted
                && it.of.iter().zip(of).all(|(made, now)| Arc::ptr_eq(made, now))
        };
        if !self.made.as_ref().is_some_and(is_made) {
            let figure = figure(state, of, names, metric, planted)?;
            let ranges = state.settings.ranges.clone();
            let of = of.map(Arc::clone);
            self.made = Some(Made { of, metric, planted, names, ranges, figure });
        }
        Some(self.made.as_ref()?.figure.clone())
    }
}

fn figure(
    state: &State,
    of: [&Arc<AnalysisResult>; 2],
    names: [&'static str; 2],
    metric: Metric,
    planted: Option<usize>,
) -> Option<Result<Arc<Figure>, String>> {
    let (AnalysisResult::CausalTrace(fact), AnalysisResult::CausalTrace(inverse)) =
        (&**of[0], &**of[1])
    else {
        return None;
    };
    let look = Look { metric, planted, ..Look::new(&state.info()?.tokenizer) };
    let found = trace_difference([fact, inverse], metric);
    Some(match found {
        Ok(it) => {
            let mut figure = Figure::of_difference(&it, names, fact, &look);
            state.settings.ranges.apply(&mut figure);
            Ok(Arc::new(figure))
        }
        Err(error) => Err(capitalized(&error)),
    })
}

pub fn difference_ui(
    ui: &mut Ui,
    state: &State,
    difference: &mut Difference,
    metric: Metric,
    commands: &mut Vec<Command>,
) {
    let Some(info) = state.info() else { return };
    match difference.figure(state, metric) {
        None => {
            ui.weak("The difference is shown once both rows are traced");
        }
        Some(Err(error)) => {
            ui.weak(error);
        }
        Some(Ok(figure)) => {
            let planted = state.planted(Row::First);
            let row = state.row;
            let selection = state.seen(Pane::Trace, row);
            let ctx = ViewCtx {
                selection,
                tokenizer: &info.tokenizer,
                ranges: &state.settings.ranges,
                planted,
            };
            ScrollArea::vertical().id_salt("difference").show(ui, |ui| {
                let action = figure_ui(ui, &figure, &ctx, commands);
                commands.extend(action.into_iter().flat_map(|it| asked_by(it, Pane::Trace, row)));
            });
        }
    }
}
