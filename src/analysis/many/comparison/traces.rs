//! Compares two traces that are already computed.
//!
//! If their models have different numbers of layers, hidden states are compared by depth: the state
//! after a layer is that after a share of all layers. Windows of layers cannot be compared in this
//! way: ten of 12 layers are a larger part of a model than ten of 24, and one of 24 does less than
//! one of 12.

use serde::Serialize;

use super::{PromptMap, Role, overlay};
use crate::analysis::causal_trace::{CausalTrace, Component, Map};
use crate::analysis::{AnalysisError, Correlation, Grid, Measurement, Metric};
use crate::tokens::TokenizedPrompt;

/// The difference of two traces, by token role and layer. The first of each pair belongs to the
/// fact, the second to the inverse.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceDifference {
    pub metric: Metric,
    pub prompts: [TokenizedPrompt; 2],

    /// The measurement of each clean run.
    pub clean: [Measurement; 2],

    /// The total effect of each corruption.
    pub total_effects: [f32; 2],

    /// How many layers each model has. If the numbers differ, the maps have the layers of the
    /// shallower model, and the deeper model's effects are interpolated linearly at the same
    /// depths.
    pub n_layers: [usize; 2],

    /// The rows of the maps.
    pub roles: Vec<Role>,

    /// What restoring each cell brings back, or corrupting it changes, as a mean over the tokens of
    /// its role. `None` if the prompt has no such token, or none is computed yet. `[role, layer]`
    pub maps: [Grid<Option<f32>>; 2],

    /// The first map minus the second. `None` where one of them is.
    pub difference: Grid<Option<f32>>,

    /// How alike the maps are over the cells that both have, from the subject on.
    pub likeness: Correlation,
}

/// Compares two traces in a metric.
///
/// # Errors
///
/// If they are not traces of single tokens with the same settings, or if one of them lacks the
/// metric.
pub fn trace_difference(
    traces: [&CausalTrace; 2],
    metric: Metric,
) -> Result<TraceDifference, AnalysisError> {
    let [a, b] = traces.map(|it| &it.spec);
    let n_layers = traces.map(|it| it.restored.n_rows());
    let is_by_depth = n_layers[0] != n_layers[1];
    if traces.iter().any(|it| it.spec.map != Map::Tokens) {
        return Err(AnalysisError::NotOfTokens { done: "compared" });
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
    let mut found =
        [PromptMap::of_trace(traces[0], metric)?, PromptMap::of_trace(traces[1], metric)?];
    let n_columns = n_layers[0].min(n_layers[1]);
    for found in &mut found {
        found.map = by_depth(&found.map, n_columns);
    }
    let over = overlay(&found);
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
    /// Whether the columns of the deeper model are depths instead of layers.
    pub fn is_by_depth(&self) -> bool {
        self.n_layers[0] != self.n_layers[1]
    }

    /// The place of a column in one of the models: the layer, and the share of the way to the next
    /// layer.
    ///
    /// # Panics
    ///
    /// If there is no such column.
    pub fn place(&self, nth: usize, column: usize) -> (usize, f32) {
        place(column, self.difference.n_columns(), self.n_layers[nth])
    }
}

/// The place of a column in a model with `n_layers`: the layer after which the same share of all
/// layers has passed, and the share of the way to the next layer that must be added.
fn place(column: usize, n_columns: usize, n_layers: usize) -> (usize, f32) {
    let passed = (column + 1) * n_layers;
    (passed / n_columns - 1, (passed % n_columns) as f32 / n_columns as f32)
}

/// A map with its layers reduced to `n_columns` depths. `[layer, token]` to `[depth, token]`
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
