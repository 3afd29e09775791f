//! One prompt under many conditions. The only loop over forward passes in the program.
//!
//! Conditions that begin alike share work: the runs they begin with (the *bases*, such as the ten
//! corrupted runs of a causal trace) are done once, and each condition goes on from the layer and
//! position where it first differs. This is exact, since nothing before that place depends on the
//! change; only the order in which products are summed differs. Where a condition begins is
//! computed from its plain data, so no analysis needs to know.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{AnalysisCtx, AnalysisError, Measurement};
use crate::intervention::{Condition, Donor, Edit, Intervention, Site, SiteSet, Span};
use crate::model::{Donors, Gpt2, Request, Resume, Row, Start};
use crate::task::{Cancelled, Progress};
use crate::tokens::TokenizedPrompt;

/// Whether conditions share what they have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reuse {
    /// Begin each condition where it first differs from a run that is there.
    #[default]
    Exact,

    /// Compute every condition from the first token and layer on: slower, to check the other by.
    Nothing,
}

/// Tokens per forward pass. Enough for the matrix products to run at full speed (they level off
/// near 500 rows), few enough that GPT-2-large's activations stay below 200 MB and that a cancel
/// is heard within a second on two cores.
const TOKENS_PER_BATCH: usize = 1024;

/// Measures the answer under each condition, in order. `on_batch` sees what has been found so far.
///
/// # Panics
///
/// If a condition reaches outside the activations.
pub fn sweep(
    model: &Gpt2,
    prompt: &TokenizedPrompt,
    conditions: &[Condition],
    donors: &Donors,
    ctx: &AnalysisCtx<'_>,
    on_batch: &mut dyn FnMut(&[Option<Measurement>]),
) -> Result<Vec<Measurement>, AnalysisError> {
    let asked = Asked::new(model, prompt)?;
    let mut sweep = Sweep {
        model,
        prompt,
        asked,
        donors,
        ctx,
        found: vec![None; conditions.len()],
        progress: Progress { done: 0, total: 0 },
        on_batch,
    };
    match ctx.reuse {
        Reuse::Nothing => sweep.run_whole(conditions)?,
        Reuse::Exact => sweep.run_branches(conditions)?,
    }
    Ok(sweep.found.into_iter().map(|it| it.expect("every condition was run")).collect())
}

struct Sweep<'a> {
    model: &'a Gpt2,
    prompt: &'a TokenizedPrompt,
    asked: Asked,
    donors: &'a Donors,
    ctx: &'a AnalysisCtx<'a>,

    /// One for each condition.
    found: Vec<Option<Measurement>>,

    /// In tokens times layers.
    progress: Progress,
    on_batch: &'a mut dyn FnMut(&[Option<Measurement>]),
}

/// A condition as a run it begins with, and what it does after.
struct Branch {
    /// Its place in the list.
    index: usize,

    /// Which of the bases.
    base: usize,

    /// Interventions on blocks. Empty: the base itself.
    rest: Condition,

    /// The first layer that `rest` changes.
    layer: usize,

    /// The first position that `rest` changes.
    pos: usize,
}

impl Sweep<'_> {
    fn run_whole(&mut self, conditions: &[Condition]) -> Result<(), AnalysisError> {
        let rows: Vec<Row<'_>> = conditions.iter().map(|it| row(&self.asked, it)).collect();
        let rows = rows.as_slice();
        let Self { model, donors, ctx, ref asked, .. } = *self;
        let n_layers = model.config.n_layers;
        self.progress.total = (conditions.len() * asked.ids.len() * n_layers) as u64;
        for indices in batches(conditions.len(), asked.ids.len()) {
            let cost = (indices.len() * asked.ids.len()) as u64;
            let request = Request {
                rows: &rows[indices.clone()],
                donors,
                capture: &SiteSet::new(),
                past: None,
                n_read: asked.n_read,
            };
            let progress = &mut self.progress;
            let run = model.run(&request, &mut |_| step(model, ctx, progress, cost))?;
            let measurements = Measurement::read(&run.logits, self.prompt);
            for (index, measurement) in indices.zip(measurements) {
                self.found[index] = Some(measurement);
            }
            (self.on_batch)(&self.found);
        }
        Ok(())
    }

    fn run_branches(&mut self, conditions: &[Condition]) -> Result<(), AnalysisError> {
        let n_layers = self.model.config.n_layers;
        let (bases, mut branches) = branches(conditions, n_layers);
        let n_pos = self.asked.ids.len();
        let costs = branches.iter().filter(|it| !it.rest.is_empty());
        let cost: usize = costs.map(|it| (n_layers - it.layer) * (n_pos - it.pos)).sum();
        self.progress.total = (cost + bases.len() * n_layers * n_pos) as u64;

        // Last positions first: they cost least, and show something soonest.
        branches.sort_by_key(|it| (std::cmp::Reverse(it.pos), it.layer, it.index));
        for group in batches(bases.len(), n_pos) {
            let base = self.run_bases(&bases[group.clone()], &group, &branches)?;
            let here: Vec<&Branch> = branches
                .iter()
                .filter(|it| group.contains(&it.base) && !it.rest.is_empty())
                .collect();
            for alike in here.chunk_by(|a, b| a.pos == b.pos) {
                for batch in batches(alike.len(), n_pos - alike[0].pos) {
                    self.resume(&alike[batch], group.start, &base)?;
                }
            }
        }
        Ok(())
    }

    /// Runs bases whole, and keeps what others go on from.
    fn run_bases(
        &mut self,
        bases: &[Condition],
        group: &Range<usize>,
        branches: &[Branch],
    ) -> Result<crate::model::ActivationCache, AnalysisError> {
        let Self { model, donors, ctx, ref asked, .. } = *self;
        let rows: Vec<Row<'_>> = bases.iter().map(|it| row(asked, it)).collect();
        let request = Request {
            rows: &rows,
            donors,
            capture: &Resume::sites(model.config.n_layers),
            past: None,
            n_read: asked.n_read,
        };
        let cost = (rows.len() * asked.ids.len()) as u64;
        let progress = &mut self.progress;
        let run = model.run(&request, &mut |_| step(model, ctx, progress, cost))?;
        let measurements = Measurement::read(&run.logits, self.prompt);
        let themselves = branches.iter().filter(|it| group.contains(&it.base));
        for branch in themselves.filter(|it| it.rest.is_empty()) {
            self.found[branch.index] = Some(measurements[branch.base - group.start]);
        }
        (self.on_batch)(&self.found);
        Ok(run.cache)
    }

    /// Runs branches that begin at one position.
    fn resume(
        &mut self,
        branches: &[&Branch],
        first_base: usize,
        base: &crate::model::ActivationCache,
    ) -> Result<(), AnalysisError> {
        let Self { model, donors, ctx, ref asked, .. } = *self;
        let first_pos = branches[0].pos;
        let rows: Vec<Row<'_>> = branches.iter().map(|it| row(asked, &it.rest)).collect();
        let starts: Vec<Start> = branches
            .iter()
            .map(|it| Start { base_row: it.base - first_base, layer: it.layer })
            .collect();
        let request =
            Resume { rows: &rows, starts: &starts, base, first_pos, donors, n_read: asked.n_read };
        let n_pos = asked.ids.len() - first_pos;
        let progress = &mut self.progress;
        let logits = model.resume(&request, &mut |_, n_rows| {
            step(model, ctx, progress, (n_rows * n_pos) as u64)
        })?;
        for (branch, measurement) in branches.iter().zip(Measurement::read(&logits, self.prompt)) {
            self.found[branch.index] = Some(measurement);
        }
        (self.on_batch)(&self.found);
        Ok(())
    }
}

/// After a layer: tells how far it is, and stops if that was asked for.
pub(super) fn step(
    model: &Gpt2,
    ctx: &AnalysisCtx<'_>,
    progress: &mut Progress,
    cost: u64,
) -> Result<(), Cancelled> {
    // A queue that runs ahead could not be stopped.
    model.wait();
    progress.done += cost;
    ctx.task.checkpoint(*progress)
}

pub(super) fn row<'a>(asked: &'a Asked, condition: &'a Condition) -> Row<'a> {
    Row { ids: &asked.ids, n_editable: asked.n_editable, condition }
}

/// `0..n_rows` in pieces that one pass can take.
fn batches(n_rows: usize, n_pos: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let size = (TOKENS_PER_BATCH / n_pos).max(1);
    (0..n_rows).step_by(size).map(move |start| start..(start + size).min(n_rows))
}

/// Splits each condition into a base and what it does after. Bases are listed once.
fn branches(conditions: &[Condition], n_layers: usize) -> (Vec<Condition>, Vec<Branch>) {
    let mut bases: Vec<Condition> = Vec::new();
    let branches = conditions
        .iter()
        .enumerate()
        .map(|(index, condition)| {
            let is_input = |it: &Intervention| matches!(it.site, Site::Embed | Site::PosEmbed);
            let (input, rest): (Condition, Condition) =
                condition.iter().cloned().partition(is_input);
            let rest: Condition =
                rest.into_iter().filter(|it| !changes_nothing(it, condition)).collect();
            let base = bases.iter().position(|it| *it == input).unwrap_or_else(|| {
                bases.push(input);
                bases.len() - 1
            });
            let last = n_layers - 1;
            let layer = rest.iter().map(|it| it.site.layer().map_or(last, |layer| layer.min(last)));
            let layer = layer.min().unwrap_or(0);
            let pos = rest.iter().map(first_position).min().unwrap_or(0);
            Branch { index, base, rest, layer, pos }
        })
        .collect();
    (bases, branches)
}

fn first_position(intervention: &Intervention) -> usize {
    match &intervention.positions {
        Span::All => 0,
        Span::Only(range) => range.start,
    }
}

/// Whether it restores what is clean already: before the first position that the rest of its
/// condition changes, a run equals the clean one.
fn changes_nothing(intervention: &Intervention, condition: &Condition) -> bool {
    let Some(positions) = restored(intervention) else { return false };
    let changes = condition.iter().filter(|it| restored(it).is_none());
    changes.map(first_position).min().is_none_or(|first| positions.end <= first)
}

/// The positions at which it puts back what a clean run has there.
fn restored(intervention: &Intervention) -> Option<&Range<usize>> {
    match (&intervention.edit, &intervention.positions) {
        (Edit::CopyFrom { donor: Donor::Clean, positions: Span::Only(from) }, Span::Only(to))
            if from == to =>
        {
            Some(to)
        }
        _ => None,
    }
}

/// A prompt with all but the last token of its answer, so that one pass scores them all.
pub(super) struct Asked {
    /// `[pos]`
    pub ids: Vec<u32>,

    /// How many of them are the prompt.
    pub n_editable: usize,

    /// At how many positions, counted from the end, a token of the answer is predicted.
    pub n_read: usize,
}

impl Asked {
    pub fn new(model: &Gpt2, prompt: &TokenizedPrompt) -> Result<Self, AnalysisError> {
        let answer = prompt.answer.as_ref().ok_or(AnalysisError::NoAnswer)?;
        let appended = &answer.ids[..answer.ids.len() - 1];
        let ids = [prompt.ids.as_slice(), appended].concat();
        let foil = prompt.foil.iter().flat_map(|foil| &foil.ids);
        check_ids(model, &ids, answer.ids.iter().chain(foil).copied())?;
        Ok(Self { ids, n_editable: prompt.n_pos(), n_read: answer.ids.len() })
    }
}

/// That the model can take a prompt, and knows these further tokens.
pub(super) fn check_ids(
    model: &Gpt2,
    ids: &[u32],
    others: impl Iterator<Item = u32>,
) -> Result<(), AnalysisError> {
    let (n_ctx, d_vocab) = (model.config.n_ctx, model.config.d_vocab);
    if ids.len() > n_ctx {
        return Err(AnalysisError::TooLong { n_pos: ids.len(), n_ctx });
    }
    let mut all = ids.iter().copied().chain(others);
    match all.find(|&id| id as usize >= d_vocab) {
        Some(id) => Err(AnalysisError::UnknownToken { id, d_vocab }),
        None => Ok(()),
    }
}
