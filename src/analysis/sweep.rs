//! One prompt under many conditions. The only loop over forward passes in the program.
//!
//! Conditions that begin alike share work: the runs they begin with (the *bases*, such as the ten
//! corrupted runs of a causal trace) are done once, and each condition goes on from the layer and
//! position where it first differs. This is exact, since nothing before that place depends on the
//! change; only the order in which products are summed differs. Conditions that go on alike for
//! some layers, such as restored windows that are clipped at the first layer, are one run until
//! they part. Where a condition begins is computed from its plain data, so no analysis needs to
//! know.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{AnalysisCtx, AnalysisError, Measurement};
use crate::intervention::{Condition, Donor, Edit, Intervention, Site, SiteSet, Span};
use crate::model::{ActivationCache, Donors, Gpt2, Gpt2Config, Place, Request, Resume, Row, Start};
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

/// The most bytes that a pass may take for its widest activations.
const BATCH_BYTES: usize = 256 << 20;

/// The most multiplications per layer, so that a cancel is heard within a second on two cores.
const LAYER_PRODUCTS: usize = 60_000_000_000;

/// The most rows: each has logits over the whole vocabulary.
const BATCH_ROWS: usize = 512;

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

    /// Where `rest` makes its first difference. Nothing for the base itself.
    place: Option<Place>,

    /// The first position that `rest` changes.
    pos: usize,
}

/// Branches that go through the model together, all from one position on.
struct Batch<'a> {
    pos: usize,

    /// In the order in which they join.
    branches: Vec<&'a Branch>,
    starts: Vec<Start>,
}

impl Sweep<'_> {
    fn run_whole(&mut self, conditions: &[Condition]) -> Result<(), AnalysisError> {
        let rows: Vec<Row<'_>> = conditions.iter().map(|it| row(&self.asked, it)).collect();
        let rows = rows.as_slice();
        let Self { model, donors, ctx, ref asked, .. } = *self;
        let n_layers = model.config.n_layers;
        self.progress.total = (conditions.len() * asked.ids.len() * n_layers) as u64;
        for indices in batches(conditions.len(), asked.ids.len(), &model.config) {
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
        let config = &self.model.config;
        let n_pos = self.asked.ids.len();
        let (bases, mut branches) =
            branches(conditions, config.n_layers, n_pos - self.asked.n_read);
        // Last positions first: they cost least, and show something soonest.
        branches.sort_by_key(|it| (std::cmp::Reverse(it.pos), it.place, it.index));

        let mut groups = Vec::new();
        for group in batches(bases.len(), n_pos, config) {
            let here: Vec<&Branch> = branches
                .iter()
                .filter(|it| group.contains(&it.base) && it.place.is_some())
                .collect();
            let mut passes = Vec::new();
            for alike in here.chunk_by(|a, b| a.pos == b.pos) {
                for batch in batches(alike.len(), n_pos - alike[0].pos, config) {
                    passes.push(Batch::new(&alike[batch], group.start));
                }
            }
            groups.push((group, passes));
        }
        let passes = || groups.iter().flat_map(|(_, passes)| passes);
        let cost: usize = passes().map(|pass| pass.cost(config.n_layers, n_pos)).sum();
        self.progress.total = (cost + bases.len() * config.n_layers * n_pos) as u64;

        for (group, passes) in &groups {
            let base = self.run_bases(&bases[group.clone()], group, &branches, passes)?;
            for pass in passes {
                self.resume(pass, &base)?;
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
        passes: &[Batch<'_>],
    ) -> Result<ActivationCache, AnalysisError> {
        let Self { model, donors, ctx, ref asked, .. } = *self;
        let rows: Vec<Row<'_>> = bases.iter().map(|it| row(asked, it)).collect();
        let starts = passes.iter().flat_map(|pass| &pass.starts);
        let from_base = starts.filter(|it| it.parts_from.is_none()).map(|it| it.place);
        let request = Request {
            rows: &rows,
            donors,
            capture: &Resume::sites(model.config.n_layers, from_base),
            past: None,
            n_read: asked.n_read,
        };
        let cost = (rows.len() * asked.ids.len()) as u64;
        let progress = &mut self.progress;
        let run = model.run(&request, &mut |_| step(model, ctx, progress, cost))?;
        let measurements = Measurement::read(&run.logits, self.prompt);
        let themselves = branches.iter().filter(|it| group.contains(&it.base));
        for branch in themselves.filter(|it| it.place.is_none()) {
            self.found[branch.index] = Some(measurements[branch.base - group.start]);
        }
        (self.on_batch)(&self.found);
        Ok(run.cache)
    }

    fn resume(&mut self, batch: &Batch<'_>, base: &ActivationCache) -> Result<(), AnalysisError> {
        let Self { model, donors, ctx, ref asked, .. } = *self;
        let first_pos = batch.pos;
        let rows: Vec<Row<'_>> = batch.branches.iter().map(|it| row(asked, &it.rest)).collect();
        let starts = &batch.starts;
        let request = Resume { rows: &rows, starts, base, first_pos, donors, n_read: asked.n_read };
        let n_pos = asked.ids.len() - first_pos;
        let progress = &mut self.progress;
        let logits = model.resume(&request, &mut |_, n_rows| {
            step(model, ctx, progress, (n_rows * n_pos) as u64)
        })?;
        let measurements = Measurement::read(&logits, self.prompt);
        for (branch, measurement) in batch.branches.iter().zip(measurements) {
            self.found[branch.index] = Some(measurement);
        }
        (self.on_batch)(&self.found);
        Ok(())
    }
}

impl<'a> Batch<'a> {
    /// `branches`: in the order of their places. `first_base`: the base that is row 0 of its run.
    fn new(branches: &[&'a Branch], first_base: usize) -> Self {
        let mut starts: Vec<Start> = Vec::with_capacity(branches.len());
        for (nth, branch) in branches.iter().enumerate() {
            let place = branch.place.expect("bases are not run again");
            let mut start = Start { place, base_row: branch.base - first_base, parts_from: None };
            // Only rows that begin alike can go on alike.
            for (other, earlier) in branches[..nth].iter().enumerate() {
                if earlier.base != branch.base || earlier.place != branch.place {
                    continue;
                }
                let Some(layer) = first_difference(&earlier.rest, &branch.rest) else { continue };
                let parting = Place::entering(layer);
                if parting > start.place && starts[other].place < parting {
                    start = Start { place: parting, parts_from: Some(other), ..start };
                }
            }
            starts.push(start);
        }

        let mut order: Vec<usize> = (0..branches.len()).collect();
        order.sort_by_key(|&nth| (starts[nth].place, nth));
        let mut new_places = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            new_places[old] = new;
        }
        let moved = |start: Start| Start {
            parts_from: start.parts_from.map(|other| new_places[other]),
            ..start
        };
        Self {
            pos: branches[0].pos,
            branches: order.iter().map(|&nth| branches[nth]).collect(),
            starts: order.iter().map(|&nth| moved(starts[nth])).collect(),
        }
    }

    /// In tokens times layers that are computed as a whole.
    fn cost(&self, n_layers: usize, n_pos: usize) -> usize {
        let layers = self.starts.iter().map(|start| n_layers - start.place.first_whole_layer());
        layers.sum::<usize>() * (n_pos - self.pos)
    }
}

/// The first layer in which two conditions differ. Nothing if they do not, or differ after the
/// blocks.
fn first_difference(one: &[Intervention], other: &[Intervention]) -> Option<usize> {
    let in_layer = |condition: &'_ [Intervention], layer: usize| -> Vec<Intervention> {
        condition.iter().filter(|it| it.site.layer() == Some(layer)).cloned().collect()
    };
    let mut layers: Vec<usize> = one.iter().chain(other).filter_map(|it| it.site.layer()).collect();
    layers.sort_unstable();
    layers.dedup();
    layers.into_iter().find(|&layer| in_layer(one, layer) != in_layer(other, layer))
}

/// After a layer: tells how far it is, and stops if that was asked for.
fn step(
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
pub(super) fn batches(
    n_rows: usize,
    n_pos: usize,
    config: &Gpt2Config,
) -> impl Iterator<Item = Range<usize>> + use<> {
    let (d_model, d_mlp) = (config.d_model, config.d_mlp);
    // Residual stream, its normal form, queries, keys, values, `z`, and the MLP's neurons.
    let token_bytes = (6 * d_model + d_mlp) * size_of::<f32>();
    let token_products = 4 * d_model * d_model + 2 * d_model * d_mlp;
    let n_tokens = (BATCH_BYTES / token_bytes).min(LAYER_PRODUCTS / token_products);
    let size = (n_tokens / n_pos).clamp(1, BATCH_ROWS);
    (0..n_rows).step_by(size).map(move |start| start..(start + size).min(n_rows))
}

/// Splits each condition into a base and what it does after. Bases are listed once. `first_read`:
/// the first position whose logits are wanted.
fn branches(
    conditions: &[Condition],
    n_layers: usize,
    first_read: usize,
) -> (Vec<Condition>, Vec<Branch>) {
    let mut bases: Vec<Condition> = Vec::new();
    let branches = conditions
        .iter()
        .enumerate()
        .map(|(index, condition)| {
            let is_input = |it: &Intervention| matches!(it.site, Site::Embed | Site::PosEmbed);
            let (input, rest): (Condition, Condition) =
                condition.iter().cloned().partition(is_input);
            let rest: Condition = rest
                .into_iter()
                .filter(|it| {
                    !changes_nothing(it, condition) && !comes_too_late(it, n_layers, first_read)
                })
                .collect();
            let base = bases.iter().position(|it| *it == input).unwrap_or_else(|| {
                bases.push(input);
                bases.len() - 1
            });
            let place = Place::of(&rest, n_layers);
            let pos = rest.iter().map(first_position).min().unwrap_or(0);
            Branch { index, base, rest, place, pos }
        })
        .collect();
    (bases, branches)
}

/// Whether it changes, in the last layer, only what no position that is read can see.
fn comes_too_late(intervention: &Intervention, n_layers: usize, first_read: usize) -> bool {
    let Span::Only(positions) = &intervention.positions else { return false };
    let is_seen_by_others = matches!(
        intervention.site,
        Site::ResidPre(_) | Site::Ln1Scale(_) | Site::Ln1Normalized(_) | Site::K(_) | Site::V(_)
    );
    intervention.site.layer().is_none_or(|layer| layer + 1 == n_layers)
        && !is_seen_by_others
        && positions.end <= first_read
}

fn first_position(intervention: &Intervention) -> usize {
    match &intervention.positions {
        Span::All => 0,
        Span::Only(range) => range.start,
    }
}

/// Whether it puts in what is there already: before the first position that the rest of its
/// condition changes, a run equals the clean one.
fn changes_nothing(intervention: &Intervention, condition: &Condition) -> bool {
    let Some(positions) = restored(intervention) else { return false };
    let changes = condition.iter().filter(|it| restored(it).is_none());
    changes.map(first_position).min().is_none_or(|first| positions.end <= first)
}

/// The positions at which it puts back what a clean run has there.
fn restored(intervention: &Intervention) -> Option<&Range<usize>> {
    match (&intervention.edit, &intervention.positions) {
        (Edit::CopyFrom { donor, positions: Span::Only(from) }, Span::Only(to)) if from == to => {
            let is_clean = match donor {
                Donor::Clean => true,
                Donor::Corrupted { first, .. } => to.end <= *first,
                Donor::Counterpart | Donor::Mean => false,
            };
            is_clean.then_some(to)
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
