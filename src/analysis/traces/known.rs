//! Takes over what earlier traces of a prompt have measured, so that a new trace computes only what
//! is new.
//!
//! A measurement is taken over if the same condition holds for the same draw of the corruption: a
//! trace with more samples keeps those that are there, one with another window keeps the cells in
//! which both windows are clipped to the same layers, and one that was stopped continues. Which
//! cells are the same follows from their plans, for any setting that changes. Only the order in
//! which products were summed may differ.

use crate::analysis::causal_trace::{CausalTrace, Spec, plan};
use crate::analysis::corruption::Draws;
use crate::analysis::{AnalysisResult, Lab, Measurement, Reuse};
use crate::intervention::{Condition, Edit, Intervention, Site, Span};

/// The measurements that are known, one for each condition of the plan, in order.
pub(in crate::analysis) fn known(lab: &Lab<'_>, spec: &Spec) -> Vec<Option<Measurement>> {
    let &Lab { model, prompt, ctx } = lab;
    let (n_layers, n_heads) = (model.config.n_layers, model.config.n_heads);
    // Samples differ only in the draw, so one plan stands for all of them.
    let draw = Intervention::at(Site::Embed, Span::All, Edit::Zero);
    let cells = |spec: &Spec| -> Vec<Condition> {
        let draws = std::slice::from_ref(&draw);
        plan(prompt, spec, draws, n_layers, n_heads).unwrap_or_default()
    };
    let wanted = cells(spec);
    let mut known = vec![None; wanted.len() * spec.n_samples];
    if ctx.reuse == Reuse::Off {
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
    /// Whether a later trace can take over measurements from it.
    pub fn has_traces(&self) -> bool {
        !begun(self).is_empty()
    }
}

/// The traces of a result that have a computed cell. A trace without one may only hold estimates.
fn begun(result: &AnalysisResult) -> Vec<&CausalTrace> {
    let has_cell = |it: &&CausalTrace| it.restored.values().iter().any(|cell| !cell.is_empty());
    result.traces().into_iter().filter(has_cell).collect()
}

/// Whether two specs change the same run, and draw the same samples as far as both have them.
fn draws_alike(a: &Spec, b: &Spec) -> bool {
    let draws = |spec: &Spec| Draws { n_samples: 0, ..spec.draws() };
    a.direction == b.direction && draws(a) == draws(b)
}
