//! Runs one prompt under many conditions.
//!
//! Conditions that begin alike share work: the runs that they begin with (the *bases*, such as the
//! ten corrupted runs of a causal trace) are done once, and each condition continues from the layer
//! and position where it first differs. This is exact, since nothing before that place depends on
//! the change; only the order in which products are summed differs. Conditions that stay alike for
//! some more layers, such as restored windows that are clipped at the first layer, are one run
//! until they part. Where a condition first differs follows from its plain data, so no method needs
//! to know.
//!
//! Maps arrive from coarse to fine: at every position first the conditions that begin in every
//! eighth layer, then those halfway between, and so on, the last positions first in each round. A
//! round has enough tokens that reading the weights pays. A device that works through a queue is
//! read once, so there all conditions of a position run together.

use std::collections::VecDeque;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::analysis::{AnalysisCtx, AnalysisError, AnalysisResult, Lab, Measurement};
use crate::intervention::{Condition, SiteSet};
use crate::model::{
    ActivationCache, BatchRow, DeviceFailed, Donors, ModelConfig, Reading, Readout, Reference,
    Request, Resume, Run, Transformer,
};
use crate::task::{Cancelled, Progress};
use crate::tokens::TokenizedPrompt;

pub(in crate::analysis) use asked::{Asked, check_ids, row};
use branch::{Batch, Branch, branches};
use order::{Order, sort};

mod asked;
mod branch;
mod order;

/// Whether conditions share computations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reuse {
    /// Each condition starts where it first differs from a run that is already there.
    #[default]
    Exact,

    /// Every condition is computed from the first token and layer on, which is slower and serves to
    /// check `Exact`.
    Off,
}

/// The most bytes that a pass may take for its widest activations.
const BATCH_BYTES: usize = 256 << 20;

/// The most multiplications per layer, so that cancelling takes effect within a second on two
/// cores.
const LAYER_PRODUCTS: usize = 60_000_000_000;

/// How many rows may wait on a device before their readings are copied back. A map of GPT-2-large
/// has fewer rows, so it is copied back at once.
const ROWS_WAITING: usize = 8192;

/// Measures the answer under each condition, in order, and compares it with the clean run.
/// `on_batch` is called with all measurements so far.
///
/// # Panics
///
/// If a condition reaches outside the activations.
pub fn sweep(
    lab: &Lab<'_>,
    conditions: &[Condition],
    donors: &Donors,
    on_batch: &mut dyn FnMut(&[Option<Measurement>]),
) -> Result<Vec<Measurement>, AnalysisError> {
    sweep_beside(Known::default(), lab, conditions, donors, on_batch)
}

/// Runs the clean run and the cells of a map. `result` makes a method's result of the clean
/// measurement and of the cells so far, and `partial` reports it after each batch.
pub(in crate::analysis) fn sweep_map<T>(
    lab: &Lab<'_>,
    conditions: &[Condition],
    donors: &Donors,
    result: impl Fn(Measurement, &[Option<Measurement>]) -> T,
    partial: fn(T) -> AnalysisResult,
) -> Result<T, AnalysisError> {
    let found = sweep(lab, conditions, donors, &mut |so_far| {
        if let [Some(clean), cells @ ..] = so_far {
            (lab.ctx.partial)(partial(result(*clean, cells)));
        }
    })?;
    let cells: Vec<_> = found[1..].iter().copied().map(Some).collect();
    Ok(result(found[0], &cells))
}

/// Results that need not be computed again.
#[derive(Default)]
pub(in crate::analysis) struct Known {
    /// The clean run's distribution, if the clean run is done.
    pub clean: Option<Reference>,

    /// A measurement for each condition that has one, or an empty list.
    pub found: Vec<Option<Measurement>>,
}

/// As [`sweep`], without computing what is known already.
pub(in crate::analysis) fn sweep_beside(
    known: Known,
    &Lab { model, prompt, ctx }: &Lab<'_>,
    conditions: &[Condition],
    donors: &Donors,
    on_batch: &mut dyn FnMut(&[Option<Measurement>]),
) -> Result<Vec<Measurement>, AnalysisError> {
    let asked = Asked::new(model, prompt)?;
    let Known { clean, mut found } = known;
    found.resize(conditions.len(), None);
    let mut sweep = Sweep {
        model,
        prompt,
        asked,
        clean,
        donors,
        ctx,
        found,
        queued: Vec::new(),
        progress: Progress { done: 0, total: 0 },
        on_batch,
    };
    if sweep.found.iter().any(Option::is_some) {
        (sweep.on_batch)(&sweep.found);
    }
    let done = match ctx.reuse {
        Reuse::Off => sweep.run_whole(conditions),
        Reuse::Exact => sweep.run_branches(conditions),
    };
    // Measurements finished before a cancel are still shown.
    sweep.read_back();
    done?;
    Ok(sweep.found.into_iter().map(|it| it.expect("every condition was run")).collect())
}

/// The state of a sweep.
struct Sweep<'a> {
    model: &'a Transformer,
    prompt: &'a TokenizedPrompt,
    asked: Asked,

    /// The clean run's distribution, which runs are compared with. `None` before the clean run is
    /// done.
    clean: Option<Reference>,
    donors: &'a Donors,
    ctx: &'a AnalysisCtx<'a>,

    /// The measurement of each condition, once it is there.
    found: Vec<Option<Measurement>>,

    /// The readings that passes have left on the device, and the conditions that each row stands
    /// for.
    queued: Vec<(Vec<Vec<usize>>, Readout)>,

    /// Counts tokens times layers.
    progress: Progress,
    on_batch: &'a mut dyn FnMut(&[Option<Measurement>]),
}

impl Sweep<'_> {
    /// Does the clean run, unless it is done already. `cost` is that of all other runs.
    fn start(&mut self, cost: usize) -> Result<(), AnalysisError> {
        let n_clean = usize::from(self.clean.is_none());
        let clean_cost = n_clean * self.asked.ids.len() * self.model.config.n_layers;
        self.progress.total = (cost + clean_cost) as u64;
        if self.clean.is_none() {
            let run = self.run_rows(&[Condition::new()], &SiteSet::new())?;
            self.clean = Some(Reference::of(&run.logits));
        }
        Ok(())
    }

    /// Runs conditions from the first token and layer on.
    fn run_rows(
        &mut self,
        conditions: &[Condition],
        capture: &SiteSet,
    ) -> Result<Run, AnalysisError> {
        let Self { model, donors, ctx, ref asked, .. } = *self;
        let rows: Vec<BatchRow<'_>> = conditions.iter().map(|it| row(asked, it)).collect();
        let cost = (rows.len() * asked.ids.len()) as u64;
        let request = Request { rows: &rows, donors, capture, past: None, n_read: asked.n_read };
        let progress = &mut self.progress;
        Ok(model.run(&request, &mut |_| step(ctx, progress, cost))?)
    }

    /// The indices of the conditions that have no measurement yet.
    fn missing(&self) -> Vec<usize> {
        (0..self.found.len()).filter(|&index| self.found[index].is_none()).collect()
    }

    /// Runs every condition from the first token and layer on.
    fn run_whole(&mut self, conditions: &[Condition]) -> Result<(), AnalysisError> {
        let config = &self.model.config;
        let n_pos = self.asked.ids.len();
        self.start(conditions.len() * n_pos * config.n_layers)?;
        let mut waiting: VecDeque<Range<usize>> =
            batches(conditions.len(), n_pos, self.model).collect();
        while !waiting.is_empty() {
            let mut started = Vec::new();
            while let Some(indices) = waiting.pop_front() {
                let run = self.run_rows(&conditions[indices.clone()], &SiteSet::new())?;
                let readout = Measurement::ask(&run.logits, self.prompt, self.clean.as_ref());
                self.queue(indices.clone().map(|index| vec![index]).collect(), readout)?;
                started.push(indices);
                if self.is_read_now() {
                    break;
                }
            }
            for (nth, failed) in self.read_back() {
                let indices = started[nth].clone();
                if indices.len() == 1 {
                    return Err(failed.into());
                }
                waiting.extend(halves(indices));
            }
        }
        Ok(())
    }

    /// Runs bases, and conditions from where they differ from their base.
    fn run_branches(&mut self, conditions: &[Condition]) -> Result<(), AnalysisError> {
        let config = &self.model.config;
        let n_pos = self.asked.ids.len();
        let (bases, mut branches) =
            branches(conditions, &self.missing(), config.n_layers, n_pos - self.asked.n_read);
        let order = if self.model.is_queued() { Order::ByPosition } else { Order::CoarseToFine };
        sort(&mut branches, order, n_pos);

        let kept = Resume::sites(config, branches.iter().filter_map(|it| it.place));
        // All bases that run together keep what their conditions go on from.
        let most = (self.model.kept_bytes / config.bytes_at(&kept, n_pos).max(1)).max(1);
        let groups: Vec<_> = batches(bases.len(), n_pos, self.model)
            .flat_map(|it| {
                it.clone().step_by(most).map(move |start| start..(start + most).min(it.end))
            })
            .collect();
        let passes = groups.iter().flat_map(|group| self.passes(&branches, group));
        let cost: usize = passes.map(|pass| pass.cost(config.n_layers, n_pos)).sum();
        self.start(cost + bases.len() * config.n_layers * n_pos)?;

        let mut waiting = VecDeque::from(groups);
        while let Some(group) = waiting.pop_front() {
            match self.run_group(&bases, &branches, &group) {
                Err(AnalysisError::Device(_)) if group.len() > 1 => waiting.extend(halves(group)),
                done => done?,
            }
        }
        Ok(())
    }

    /// Runs some bases, and all conditions that begin with them. Fails if the device cannot take
    /// the bases together, or a single row.
    fn run_group(
        &mut self,
        bases: &[Condition],
        branches: &[Branch],
        group: &Range<usize>,
    ) -> Result<(), AnalysisError> {
        let mut waiting = VecDeque::from(self.passes(branches, group));
        let base = self.run_bases(&bases[group.clone()], group, branches, &waiting)?;
        // The bases' pass is the first in the queue.
        let mut started: Vec<Option<Batch<'_>>> = vec![None];
        loop {
            while let Some(pass) = waiting.pop_front() {
                self.resume(&pass, &base)?;
                started.push(Some(pass));
                if self.is_read_now() {
                    break;
                }
            }
            for (nth, failed) in self.read_back() {
                match &started[nth] {
                    Some(pass) if pass.branches.len() > 1 => waiting.extend(pass.halves()),
                    _ => return Err(failed.into()),
                }
            }
            started.clear();
            if waiting.is_empty() {
                return Ok(());
            }
        }
    }

    /// The passes that run all conditions of some bases.
    fn passes<'b>(&self, branches: &'b [Branch], group: &Range<usize>) -> Vec<Batch<'b>> {
        let n_pos = self.asked.ids.len();
        let here: Vec<&Branch> =
            branches.iter().filter(|it| group.contains(&it.base) && it.place.is_some()).collect();
        let mut passes = Vec::new();
        for alike in here.chunk_by(|a, b| (a.round, a.pos) == (b.round, b.pos)) {
            let n_computed = n_pos - alike[0].pos;
            for batch in batches(alike.len(), n_computed, self.model) {
                passes.push(Batch::new(&alike[batch], group.start));
            }
        }
        passes
    }

    /// Runs bases whole, and keeps the activations that their conditions continue from.
    fn run_bases(
        &mut self,
        bases: &[Condition],
        group: &Range<usize>,
        branches: &[Branch],
        passes: &VecDeque<Batch<'_>>,
    ) -> Result<ActivationCache, AnalysisError> {
        let starts = passes.iter().flat_map(|pass| &pass.starts);
        let from_base = starts.filter(|it| it.parts_from.is_none()).map(|it| it.place);
        let capture = Resume::sites(&self.model.config, from_base);
        let run = self.run_rows(bases, &capture)?;
        // The conditions that equal each base.
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); group.len()];
        for branch in branches.iter().filter(|it| it.place.is_none() && group.contains(&it.base)) {
            rows[branch.base - group.start].push(branch.index);
        }
        let readout = Measurement::ask(&run.logits, self.prompt, self.clean.as_ref());
        self.queue(rows, readout)?;
        Ok(run.cache)
    }

    fn resume(&mut self, batch: &Batch<'_>, base: &ActivationCache) -> Result<(), AnalysisError> {
        let Self { model, donors, ctx, ref asked, .. } = *self;
        let first_pos = batch.pos;
        let rows: Vec<BatchRow<'_>> =
            batch.branches.iter().map(|it| row(asked, &it.rest)).collect();
        let starts = &batch.starts;
        let request = Resume { rows: &rows, starts, base, first_pos, donors, n_read: asked.n_read };
        let n_pos = asked.ids.len() - first_pos;
        let progress = &mut self.progress;
        let logits = model
            .resume(&request, &mut |_, n_rows| step(ctx, progress, (n_rows * n_pos) as u64))?;
        let readout = Measurement::ask(&logits, self.prompt, self.clean.as_ref());
        self.queue(batch.branches.iter().map(|it| vec![it.index]).collect(), readout)
    }

    /// Queues the readings of a pass. `rows` are the conditions that each row stands for.
    fn queue(&mut self, rows: Vec<Vec<usize>>, readout: Readout) -> Result<(), AnalysisError> {
        // A device that works far ahead through its queue could not be stopped.
        self.model.try_wait()?;
        self.queued.push((rows, readout));
        Ok(())
    }

    /// Whether queued readings should be copied back before more are queued. On the CPU they always
    /// are, so that they are shown soon.
    fn is_read_now(&self) -> bool {
        let n_rows: usize = self.queued.iter().map(|(rows, _)| rows.len()).sum();
        !self.model.is_queued() || n_rows >= ROWS_WAITING
    }

    /// Copies back all queued readings. Only now does a device report whether it could take a pass;
    /// returns the passes that failed, by their place in the queue.
    fn read_back(&mut self) -> Vec<(usize, DeviceFailed)> {
        if self.queued.is_empty() {
            return Vec::new();
        }
        let (rows, readouts): (Vec<_>, Vec<_>) = self.queued.drain(..).unzip();
        let read: Vec<Result<Vec<Reading>, DeviceFailed>> =
            match self.model.read_back(readouts.clone()) {
                Ok(all) => all.into_iter().map(Ok).collect(),
                Err(_) => readouts
                    .into_iter()
                    .map(|one| Ok(self.model.read_back(vec![one])?.remove(0)))
                    .collect(),
            };
        let mut failures = Vec::new();
        for (nth, (rows, read)) in rows.into_iter().zip(read).enumerate() {
            match read {
                Ok(readings) => {
                    for (indices, reading) in rows.into_iter().zip(&readings) {
                        for index in indices {
                            self.found[index] = Some(Measurement::from(reading));
                        }
                    }
                }
                Err(failed) => failures.push((nth, failed)),
            }
        }
        (self.on_batch)(&self.found);
        failures
    }
}

/// Reports progress after a layer, and fails if the run was cancelled.
pub(in crate::analysis) fn step(
    ctx: &AnalysisCtx<'_>,
    progress: &mut Progress,
    cost: u64,
) -> Result<(), Cancelled> {
    progress.done += cost;
    ctx.task.checkpoint(*progress)
}

/// Reports progress after a layer as [`step`] does, once the device has done all its work: a run whose
/// device works far behind its queue could not be stopped.
pub(in crate::analysis) fn step_when_done(
    lab: &Lab<'_>,
    progress: &mut Progress,
    cost: u64,
) -> Result<(), Cancelled> {
    lab.model.wait();
    step(lab.ctx, progress, cost)
}

/// The two halves of a range, for a pass that a device could not take.
fn halves(range: Range<usize>) -> [Range<usize>; 2] {
    let middle = range.start + range.len() / 2;
    [range.start..middle, middle..range.end]
}

/// Splits `0..n_rows` into ranges that one pass can take.
pub(in crate::analysis) fn batches(
    n_rows: usize,
    n_pos: usize,
    model: &Transformer,
) -> impl Iterator<Item = Range<usize>> + use<> {
    let size = rows_at_once(&model.config, n_pos).min(model.max_rows.max(1));
    (0..n_rows).step_by(size).map(move |start| start..(start + size).min(n_rows))
}

/// How many rows of so many positions one pass takes, as far as that follows from the model's sizes.
pub(in crate::analysis) fn rows_at_once(config: &ModelConfig, n_pos: usize) -> usize {
    let (d_model, d_mlp) = (config.d_model, config.d_mlp);
    let d_mlp = if config.is_gated { 3 * d_mlp / 2 } else { d_mlp };
    // The residual stream, its normalized form, queries, keys, values, `z`, and the MLP's neurons.
    let token_bytes = (6 * d_model + d_mlp) * size_of::<f32>();
    let token_products = 4 * d_model * d_model + 2 * d_model * d_mlp;
    let n_tokens = (BATCH_BYTES / token_bytes).min(LAYER_PRODUCTS / token_products);
    (n_tokens / n_pos.max(1)).max(1)
}
