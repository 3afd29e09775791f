//! What earlier traces of a prompt tell of a new one, so that a changed setting costs what it changes
//! and no more.
//!
//! A measurement is taken over where the same is done to the same draw of the corruption: more
//! samples go on from those that are there, other windows keep the cells in which both are clipped
//! alike, and a trace that was stopped goes on where it stopped. Which cells are the same is read off
//! their plans, so it holds for whatever a setting may change. Only the order in which products were
//! summed may differ.

use crate::analysis::causal_trace::{CausalTrace, Spec, plan};
use crate::analysis::corruption::Draws;
use crate::analysis::{AnalysisCtx, AnalysisResult, Measurement, Reuse};
use crate::intervention::{Condition, Edit, Intervention, Site, Span};
use crate::tokens::TokenizedPrompt;

/// What is known of each condition of the plan, in its order.
pub(in crate::analysis) fn known(
    prompt: &TokenizedPrompt,
    spec: &Spec,
    [n_layers, n_heads]: [usize; 2],
    ctx: &AnalysisCtx<'_>,
) -> Vec<Option<Measurement>> {
    // Samples differ in nothing but the draw, so one stands for all of them.
    let draw = Intervention::at(Site::Embed, Span::All, Edit::Zero);
    let cells = |spec: &Spec| -> Vec<Condition> {
        let draws = std::slice::from_ref(&draw);
        plan(prompt, spec, draws, n_layers, n_heads).unwrap_or_default()
    };
    let wanted = cells(spec);
    let mut known = vec![None; wanted.len() * spec.n_samples];
    if ctx.reuse == Reuse::Nothing {
        return known;
    }
    let earlier = ctx.earlier.iter().flat_map(|it| begun(it));
    for trace in earlier.filter(|it| it.prompt == *prompt && draws_alike(&it.spec, spec)) {
        let found = std::iter::once(&trace.corrupted).chain(trace.restored.values());
        for (cell, found) in cells(&trace.spec).iter().zip(found) {
            let slots = known.chunks_exact_mut(spec.n_samples).zip(&wanted);
            for (slots, _) in slots.filter(|(_, it)| *it == cell) {
                for (slot, measured) in slots.iter_mut().zip(found) {
                    *slot = Some(*measured);
                }
            }
        }
    }
    known
}

impl AnalysisResult {
    /// Whether a later trace may go on from it.
    pub fn has_traces(&self) -> bool {
        !begun(self).is_empty()
    }
}

/// The traces of a result that have a cell: what stands in for a trace before its first one has its
/// corrupted runs from an estimate.
fn begun(result: &AnalysisResult) -> Vec<&CausalTrace> {
    let has_cell = |it: &&CausalTrace| it.restored.values().iter().any(|cell| !cell.is_empty());
    result.traces().into_iter().filter(has_cell).collect()
}

/// Whether each sample of one is that of the other, as far as both go, and the same run is changed.
fn draws_alike(a: &Spec, b: &Spec) -> bool {
    let draws = |spec: &Spec| Draws { n_samples: 0, ..spec.draws() };
    a.direction == b.direction && draws(a) == draws(b)
}
