//! Two traces that are there already, laid over each other.
//!
//! Of models with other numbers of layers, hidden states are compared by depth: the state that a
//! layer leaves is that after a share of all layers. Windows of layers are not: ten of 12 are
//! another part of a model than ten of 24, and one of 24 does less than one of 12.

use serde::Serialize;

use super::{Found, Likeness, Role, laid_over};
use crate::analysis::causal_trace::{CausalTrace, Component, Map};
use crate::analysis::{AnalysisError, Grid, Measurement, Metric};
use crate::tokens::TokenizedPrompt;

/// What one trace's cells do more than another's, by token role and layer. The first of each pair is
/// the fact's, the second the inverse's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceDifference {
    pub metric: Metric,
    pub prompts: [TokenizedPrompt; 2],

    /// Each prompt without a corruption: whether its answer is the first guess.
    pub clean: [Measurement; 2],

    /// By how much the corruption lowers the reading.
    pub total_effects: [f32; 2],

    /// Where they are not as many, the maps have the layers of the shallower model; the deeper one's
    /// effects are those at the same depth, in a straight line between its layers.
    pub n_layers: [usize; 2],

    /// The rows of the maps.
    pub roles: Vec<Role>,

    /// What restoring a cell brings back, or corrupting it changes. Nothing where a prompt has no
    /// token of that role or none that was computed yet; else the mean over those it has. (role, layer)
    pub maps: [Grid<Option<f32>>; 2],

    /// The first minus the second, where both are.
    pub difference: Grid<Option<f32>>,

    /// Over the cells that both have, of the subject and what follows it.
    pub likeness: Likeness,
}

/// # Errors
///
/// If they are not traces of single tokens with the same done to them, or if they lack the metric.
pub fn trace_difference(
    traces: [&CausalTrace; 2],
    metric: Metric,
) -> Result<TraceDifference, AnalysisError> {
    let [a, b] = traces.map(|it| &it.spec);
    let n_layers = traces.map(|it| it.restored.n_rows());
    let is_by_depth = n_layers[0] != n_layers[1];
    if traces.iter().any(|it| it.spec.map != Map::Tokens) {
        return Err(AnalysisError::NotCompared);
    }
    if a.component != b.component || a.direction != b.direction || a.sever != b.sever {
        return Err(AnalysisError::OtherTrace);
    }
    let has_window =
        a.component != Component::Hidden || a.sever_layers.or(b.sever_layers).is_some();
    if is_by_depth && has_window {
        return Err(AnalysisError::OtherDepth { n_layers });
    }
    if !is_by_depth && (a.window, a.sever_layers) != (b.window, b.sever_layers) {
        return Err(AnalysisError::OtherTrace);
    }
    let mut found = [Found::of_trace(traces[0], metric)?, Found::of_trace(traces[1], metric)?];
    let n_columns = n_layers[0].min(n_layers[1]);
    for found in &mut found {
        found.map = by_depth(&found.map, n_columns);
    }
    let over = laid_over(&found);
    Ok(TraceDifference {
        metric,
        prompts: traces.map(|it| it.prompt.clone()),
        clean: traces.map(|it| it.clean),
        n_layers,
        total_effects: over.total_effects.unwrap_or([0.0; 2]),
        roles: over.roles.unwrap_or_default(),
        maps: over.maps,
        difference: over.difference,
        likeness: over.likeness,
    })
}

impl TraceDifference {
    /// Whether the columns are depths, not layers.
    pub fn is_by_depth(&self) -> bool {
        self.n_layers[0] != self.n_layers[1]
    }

    /// Where a column is in one of the models: the layer, and which share of the way to the next one.
    ///
    /// # Panics
    ///
    /// If there is no such column.
    pub fn place(&self, nth: usize, column: usize) -> (usize, f32) {
        place(column, self.difference.n_columns(), self.n_layers[nth])
    }
}

/// The layer of a model with `n_layers` after which as large a share of all layers is passed as after
/// this one of fewer, and which share of the way to the next one is to be added.
fn place(column: usize, n_columns: usize, n_layers: usize) -> (usize, f32) {
    let passed = (column + 1) * n_layers;
    (passed / n_columns - 1, (passed % n_columns) as f32 / n_columns as f32)
}

/// (layer, token), with fewer layers
fn by_depth(map: &Grid<f32>, n_columns: usize) -> Grid<f32> {
    let mut values = Vec::with_capacity(n_columns * map.n_columns());
    for column in 0..n_columns {
        let (layer, share) = place(column, n_columns, map.n_rows());
        for pos in 0..map.n_columns() {
            let value = |layer: usize| map.get(layer, pos).copied().unwrap_or(f32::NAN);
            let (here, next) = (value(layer), layer + 1);
            values.push(if share == 0.0 { here } else { here + share * (value(next) - here) });
        }
    }
    Grid::new(map.n_columns(), values)
}
