//! Traces one of many facts, and pools its tokens by their roles.

use std::collections::BTreeMap;

use super::{AskedFact, Cause, Kept, Readings, RoleTokens, Spec, TracedFact};
use crate::analysis::causal_trace::CausalTrace;
use crate::analysis::effects::Effects;
use crate::analysis::prediction::{self, Candidate};
use crate::analysis::{AnalysisCtx, AnalysisError, Grid, Lab, Method as _, Metric, Role};
use crate::task::Progress;
use crate::tokens::{Answer, TokenizedPrompt, visible};

/// Why a fact is not traced.
pub(super) enum Stop {
    /// Only this fact is left out.
    LeftOut(Cause, String),

    /// The whole analysis fails.
    Failed(AnalysisError),
}

/// Traces a fact. `report` is called with the share that is done.
pub(super) fn traced(
    lab: &Lab<'_>,
    spec: &Spec,
    nth: usize,
    report: &dyn Fn(f32),
) -> Result<TracedFact, Stop> {
    let fact = &spec.facts[nth];
    let (answer, is_known) = measured(lab, fact, spec.kept)?;
    let prompt = TokenizedPrompt { answer: Some(answer.clone()), ..fact.prompt.clone() };
    let mut traces = Vec::with_capacity(spec.components.len());
    for &component in &spec.components {
        let n_traces = spec.components.len() as f32;
        let report = |it: Progress| report((traces.len() as f32 + it.fraction()) / n_traces);
        let own = Lab { prompt: &prompt, ctx: &lab.ctx.quiet(&report), ..*lab };
        let trace = spec.trace_of(fact, component).run(&own)?;
        traces.push(trace);
    }
    let positions = by_role(&prompt);
    Ok(TracedFact {
        nth,
        answer,
        is_known,
        noise_std: traces.first().map_or(0.0, |trace| trace.noise_std),
        tokens: positions
            .iter()
            .map(|(role, positions)| RoleTokens { role: *role, n_tokens: positions.len() })
            .collect(),
        readings: Metric::ALL
            .into_iter()
            .filter_map(|metric| readings(&traces, metric, &positions))
            .collect(),
    })
}

/// The answer that is measured, and whether the model gives it.
fn measured(lab: &Lab<'_>, fact: &AskedFact, kept: Kept) -> Result<(Answer, bool), Stop> {
    let ctx = lab.ctx;
    let own = Lab { prompt: &fact.prompt, ctx: &ctx.quiet(&|_| ()), ..*lab };
    let said = prediction::Spec { n_top: 1 }.run(&own)?;
    let top = said.top[0];
    let Some(own) = &fact.prompt.answer else { return Ok((guess(top, ctx), true)) };
    if own.first() == top.id {
        return Ok((own.clone(), true));
    }
    if fact.right.contains(&top.id) {
        return Ok((guess(top, ctx), true));
    }
    match kept {
        Kept::All => Ok((own.clone(), false)),
        Kept::Known => {
            let [says, right] = [&guess(top, ctx), own].map(|it| visible(&it.text));
            let reason = format!("the model says {says} (p {:.3}), not {right}", top.prob);
            Err(Stop::LeftOut(Cause::NotKnown, reason))
        }
    }
}

/// The model's first guess as an answer.
fn guess(top: Candidate, ctx: &AnalysisCtx<'_>) -> Answer {
    let text = ctx.tokenizer.map_or_else(|| format!("<{}>", top.id), |it| it.readable(top.id));
    Answer { pieces: vec![text.clone()], text, ids: vec![top.id] }
}

/// The positions of each role from the subject on.
fn by_role(prompt: &TokenizedPrompt) -> BTreeMap<Role, Vec<usize>> {
    let mut positions: BTreeMap<Role, Vec<usize>> = BTreeMap::new();
    for pos in 0..prompt.n_pos() {
        let role = Role::of(prompt, pos);
        if role.follows_subject() {
            positions.entry(role).or_default().push(pos);
        }
    }
    positions
}

/// A fact's readings in a metric. `None` if the fact lacks the metric.
fn readings(
    traces: &[CausalTrace],
    metric: Metric,
    positions: &BTreeMap<Role, Vec<usize>>,
) -> Option<Readings> {
    let effects: Option<Vec<Effects>> =
        traces.iter().map(|trace| Effects::of(trace, metric)).collect();
    let effects = effects?;
    let first = effects.first()?;
    let pooled = |it: &Effects| -> Option<Grid<f32>> {
        let n_layers = it.patched.n_rows();
        let mut values = Vec::with_capacity(positions.len() * n_layers);
        for positions in positions.values() {
            for layer in 0..n_layers {
                let score = |pos: &usize| it.patched.get(layer, *pos).copied().flatten();
                let sum: Option<f64> = positions.iter().map(|pos| score(pos).map(f64::from)).sum();
                values.push((sum? / positions.len() as f64) as f32);
            }
        }
        Some(Grid::new(n_layers, values))
    };
    Some(Readings {
        metric,
        clean: first.clean,
        corrupted: first.corrupted,
        patched: effects.iter().map(pooled).collect::<Option<_>>()?,
    })
}

impl From<AnalysisError> for Stop {
    fn from(error: AnalysisError) -> Self {
        if error.is_of_one_fact() {
            Self::LeftOut(Cause::NotTraced, error.to_string())
        } else {
            Self::Failed(error)
        }
    }
}
