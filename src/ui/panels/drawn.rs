//! How what is found is drawn, which follows from the state alone.

use std::sync::Arc;

use crate::figure::{Figure, Look, Looked};
use crate::population::FigureSettings;
use crate::ui::asked::Asked;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::state::{Reading, State};

/// The figure of what a view shows of the chosen row.
pub fn figure_of(pane: Pane, state: &State) -> Option<Arc<Figure>> {
    if pane == Pane::Sweep {
        let mut figure = (*state.many.open.as_ref()?.read.as_ref()?.figure).clone();
        state.settings.ranges.apply(&mut figure);
        return Some(Arc::new(figure));
    }
    figure_at(pane, state.shown_row(pane)?, state)
}

/// The figures of what a view shows or could show, of each row that has one.
pub fn figures_of(pane: Pane, state: &State) -> Vec<(Row, Arc<Figure>)> {
    if pane == Pane::Sweep {
        return figure_of(pane, state).map(|it| (state.row, it)).into_iter().collect();
    }
    let rows = state.all_rows_of(pane).into_iter();
    rows.filter_map(|row| Some((row, figure_at(pane, row, state)?))).collect()
}

fn figure_at(pane: Pane, row: Row, state: &State) -> Option<Arc<Figure>> {
    let result = state.run(pane, row)?.result.as_ref()?;
    let settings = &state.settings;
    let estimate = Some(settings.trace.component).filter(|_| pane == Pane::Trace);
    let estimate = estimate.and_then(|component| state.preview_of(row, component));
    let look = Look { estimate, ..look_of(pane, row, state)? };
    let mut figure = Figure::of(result, &look);
    settings.ranges.apply(&mut figure);
    Some(Arc::new(figure))
}

/// What the figure of a row in a view is of. `None` where no whole result of an open model is
/// behind it.
pub fn asked_of(pane: Pane, row: Row, state: &State) -> Option<Asked> {
    if state.stored.is_some() || !state.run(pane, row)?.is_done() {
        return None;
    }
    Some(Asked {
        info: Arc::clone(state.info_at(row)?),
        experiment: state.experiment_at(pane, row)?,
        dataset: state.facts.dataset.clone().map(Arc::new),
        look: Looked::from(&look_of(pane, row, state)?),
    })
}

/// What the figures of a sweep show, as a view shows it.
pub fn figure_settings(pane: Pane, row: Row, state: &State) -> FigureSettings {
    look_of(pane, row, state).map_or_else(FigureSettings::default, |it| FigureSettings {
        metric: it.metric,
        effect: it.effect,
        attribution: it.attribution,
    })
}

/// How the results of a row are drawn in a view, on screen and in what is exported.
pub(super) fn look_of(pane: Pane, row: Row, state: &State) -> Option<Look<'_>> {
    let Reading { metric, effect, attribution, lens } = state.reading(pane);
    Some(Look {
        metric,
        effect,
        attribution,
        lens,
        pick: state.selection_at(row),
        planted: state.planted(row),
        model: state.asked_model(state.which(row)),
        ..Look::new(&state.info_at(row)?.tokenizer)
    })
}
