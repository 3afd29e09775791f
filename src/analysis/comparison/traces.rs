//! Two traces that are there already, laid over each other.

use serde::Serialize;

use super::{Found, Likeness, Role, laid_over};
use crate::analysis::causal_trace::{CausalTrace, Map};
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
    let [a, b] = traces.map(|it| (&it.spec, it.restored.n_rows()));
    let is_alike = a.0.component == b.0.component
        && a.0.direction == b.0.direction
        && a.0.window == b.0.window
        && a.0.sever == b.0.sever
        && a.0.sever_layers == b.0.sever_layers
        && a.1 == b.1;
    if traces.iter().any(|it| it.spec.map != Map::Tokens) {
        return Err(AnalysisError::NotCompared);
    }
    if !is_alike {
        return Err(AnalysisError::OtherTrace);
    }
    let found = [Found::of_trace(traces[0], metric)?, Found::of_trace(traces[1], metric)?];
    let over = laid_over(&found);
    Ok(TraceDifference {
        metric,
        prompts: traces.map(|it| it.prompt.clone()),
        clean: traces.map(|it| it.clean),
        total_effects: over.total_effects.unwrap_or([0.0; 2]),
        roles: over.roles.unwrap_or_default(),
        maps: over.maps,
        difference: over.difference,
        likeness: over.likeness,
    })
}
