//! Edge attribution patching: estimates the effect of every edge between two components at once.
//!
//! The residual stream is a sum, so each component that reads it has an edge from each component
//! that wrote to it before. To first order, corrupting an edge adds to the metric the change of
//! what the writer `u` writes, times the gradient at the input of the reader `v`:
//! `Σ_pos (u_corrupted − u_clean) · dM/d(input of v)`.
//!
//! - EAP takes the gradient at the clean run (Syed, Rager & Conmy 2023).
//! - EAP-IG takes the mean gradient over `m` runs between the corrupted and the clean embeddings
//!   (Hanna, Pezzelle & Belinkov 2024). As in `attribute.py` of
//!   <https://github.com/hannamw/EAP-IG>, these runs are `z' + (k/m)(z − z')` for k = 0 … m − 1,
//!   from the corrupted run on; the paper's sum goes from 1 to m.
//!
//! The components are those of these papers too: the token embeddings, heads and MLPs write; the
//! queries, keys and values of each head, MLPs and the logits read. The score of a component is the
//! sum over all edges that leave it, which is its own attribution.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::contrast::{Contrast, ContrastedRuns, CorruptedRuns};
use crate::analysis::error::{at_least_one, countable};
use crate::analysis::memory::floats;
use crate::analysis::objective::{CleanRun, Passes, Way, objective, slope};
use crate::analysis::sweep::{Asked, row};
use crate::analysis::{
    About, AnalysisError, AnalysisResult, Correlation, Grid, HeadInput, Lab, Measurement, Method,
    Metric, PromptOf, Receiver, Sender, Sizes, sources,
};
use crate::intervention::{Condition, Donor, Edit, Intervention, Site, SiteSet, Span};
use crate::model::{
    ActivationCache, Backward, BatchRow, Between, DirectPaths, Donors, ModelConfig, Run,
    Transformer, Wiring,
};
use crate::task::Cancelled;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The corrupted runs.
    pub contrast: Contrast,

    /// The metric that is estimated.
    pub metric: Metric,

    /// The runs at which the gradient is taken.
    pub base: EdgeBase,

    /// How many edges are kept, those with the largest scores.
    pub n_edges: usize,

    /// How many of these are then corrupted and measured.
    pub n_verified: usize,
}

/// The runs at which the gradient is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum EdgeBase {
    /// The clean run: EAP.
    Clean,

    /// As many runs, from the corrupted embeddings towards the clean ones: EAP-IG. hannamw uses 30.
    Between { n_steps: usize },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeAttribution {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    #[serde(flatten)]
    pub runs: ContrastedRuns,

    /// How many edges the model has.
    pub n_edges: usize,

    /// What corrupting the token embeddings is estimated to add to the metric.
    pub embed: f32,

    /// What corrupting each head's output is estimated to add to the metric. `[layer, head]`
    pub heads: Grid<f32>,

    /// What corrupting each MLP's output is estimated to add to the metric. `[layer]`
    pub mlps: Vec<f32>,

    /// The edges with the largest absolute scores, largest first.
    pub edges: Vec<Edge>,

    /// What corrupting each of the first edges alone added to the metric, as a mean over the
    /// corrupted runs.
    pub verified: Vec<f32>,

    /// How well the scores of these edges agree with the measurements.
    pub agreement: Option<Correlation>,
}

/// An edge between two components.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    pub from: Sender,
    pub to: Receiver,

    /// What corrupting the edge is estimated to add to the metric, as a mean over the corrupted
    /// runs.
    pub score: f32,
}

/// How many edges a model has.
pub fn n_edges(config: &ModelConfig) -> usize {
    Scores::new(config).blocks.iter().map(|it| it.values.len()).sum()
}

impl Method for Spec {
    type Found = EdgeAttribution;
    const NAME: &'static str = "edge attribution";
    const ABOUT: About = About {
        text: "What corrupting each edge between two parts of the model adds to the reading, \
               estimated from gradients.",
        sources: &[sources::SYED_2023, sources::HANNA_2024],
    };
    const VERB: &'static str = "Estimating";
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<EdgeAttribution, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        self.check()?;
        let n_steps = match self.base {
            EdgeBase::Clean => 1,
            EdgeBase::Between { n_steps } => n_steps,
        };
        let asked = Asked::new(model, prompt)?;
        let objective = objective(prompt, self.metric)?;
        let contrast = self.contrast.corrupt(lab, &asked)?;
        let (n_layers, n_runs) = (model.config.n_layers, contrast.n_runs());

        let n_passes = match self.base {
            // Every run goes forward once, and the clean run also back.
            EdgeBase::Clean => 2 + n_runs,
            EdgeBase::Between { .. } => 1 + n_runs + 2 * n_runs * n_steps,
        };
        let (first_pos, n_verified) = (contrast.first_pos, self.n_verified);
        let n_steps_of_all = n_passes * n_layers;
        let mut passes = Passes::new(lab, &asked, objective, first_pos, n_steps_of_all, n_verified);
        let way = match self.base {
            EdgeBase::Clean => Way::ForthAndBack,
            EdgeBase::Between { .. } => Way::Forth,
        };
        let clean = passes.clean(&DirectPaths::sites(n_layers), way)?;

        let mut written: SiteSet =
            (0..n_layers).flat_map(|it| [Site::Z(it), Site::MlpOut(it)]).collect();
        written.insert(Site::Embed);
        let mut corrupted = Vec::new();
        let mut caches = Vec::new();
        for nth in 0..n_runs {
            let rows = contrast.rows(nth..nth + 1);
            let run = passes.forward(&rows, &Donors::new(), &written, Way::Forth)?;
            corrupted.extend(clean.read(&run)?);
            caches.push(run.cache);
        }

        let mut scores = Scores::new(&model.config);
        match self.base {
            EdgeBase::Clean => {
                let slopes = [slope(&clean.measured, self.metric)];
                let of_all = |at: Range<usize>| {
                    let of = |it| changes(model, &clean.run.cache, it, at.clone());
                    caches.iter().map(of).reduce(|sum, it| sum + it)
                };
                scores.add(&mut passes, &clean.run, &of_all, &slopes)?;
            }
            EdgeBase::Between { n_steps } => {
                let n_rows = passes.n_rows();
                for cache in &caches {
                    let of = |at| Some(changes(model, &clean.run.cache, cache, at));
                    for start in (0..n_steps).step_by(n_rows) {
                        let steps = start..(start + n_rows).min(n_steps);
                        let ends = [cache, &clean.run.cache];
                        let run = between(&mut passes, ends, steps, n_steps)?;
                        let measured = clean.read(&run)?;
                        let slopes: Vec<f32> =
                            measured.iter().map(|it| slope(it, self.metric)).collect();
                        scores.add(&mut passes, &run, &of, &slopes)?;
                    }
                }
            }
        }
        let scale = 1.0 / (n_runs * n_steps) as f64;
        let (embed, heads, mlps) = scores.of_parts(&model.config, scale);
        let mut result = EdgeAttribution {
            spec: self.clone(),
            prompt: prompt.clone(),
            runs: contrast.measured(clean.measured, corrupted),
            n_edges: n_edges(&model.config),
            embed,
            heads,
            mlps,
            edges: scores.largest(self.n_edges, &model.config, scale),
            verified: Vec::new(),
            agreement: None,
        };
        if self.n_verified > 0 {
            (ctx.partial)(AnalysisResult::EdgeAttribution(result.clone()));
            result.verified = verify(&passes, &result, &contrast, clean, &caches)?;
            let pairs =
                result.edges.iter().zip(&result.verified).map(|(it, &real)| (it.score, real));
            result.agreement = Some(Correlation::of_pairs(pairs));
        }
        Ok(result)
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let Sizes { config, .. } = *sizes;
        let n_layers = config.n_layers;
        let mut written: SiteSet =
            (0..n_layers).flat_map(|it| [Site::Z(it), Site::MlpOut(it)]).collect();
        written.insert(Site::Embed);
        let in_layer = |it| [Site::Q(it), Site::K(it), Site::V(it), Site::Ln2Normalized(it)];
        let wanted = (0..n_layers).flat_map(in_layer).collect();
        let n_senders = 1 + n_layers * (config.n_heads + 1);
        let n_at_once = n_positions_at_once(config).min(sizes.n_pos);
        // Of one run as they are put together, and the sum over runs.
        let changes = floats(2 * n_senders * n_at_once * config.d_model);
        sizes.kept(&written, self.contrast.n_runs())
            + changes
            + self.contrast.memory(sizes)
            + sizes.there_and_back(&DirectPaths::sites(n_layers), &Backward::sites(config), &wanted)
    }

    fn check(&self) -> Result<(), AnalysisError> {
        at_least_one("the number of edges", self.n_edges)?;
        if let EdgeBase::Between { n_steps } = self.base {
            countable("the number of steps", n_steps)?;
        }
        self.contrast.check()
    }

    fn has_other_prompts(&self) -> bool {
        self.contrast.is_prompt()
    }

    fn is_short(&self) -> bool {
        self.base == EdgeBase::Clean && self.n_verified == 0 && self.contrast.n_runs() <= 16
    }
}

/// The change of what each sender writes, in the order of [`Sender::all`], at some positions.
/// `[sender, pos * d_model]`
fn changes(
    model: &Transformer,
    clean: &ActivationCache,
    corrupted: &ActivationCache,
    positions: Range<usize>,
) -> Tensor<2> {
    let (first_pos, n_pos) = (positions.start, positions.len());
    let change = |site: Site| {
        let change = corrupted.get(site).clone() - clean.get(site).clone();
        let [_, _, n_heads, width] = change.dims();
        change.narrow(1, first_pos, n_pos).reshape([n_pos, n_heads, width])
    };
    let flat = |x: Tensor<3>| {
        let [n_rows, n_pos, width] = x.dims();
        x.reshape([n_rows, n_pos * width])
    };
    let one = |site: Site| flat(change(site).swap_dims(0, 1));
    let mut rows = vec![one(Site::Embed)];
    for layer in 0..model.config.n_layers {
        let results = model.head_results(layer, change(Site::Z(layer)));
        rows.push(flat(model.change_after_attention(layer, clean, first_pos, results)));
        rows.push(one(Site::MlpOut(layer)));
    }
    Tensor::cat(rows, 0)
}

/// Runs whose embeddings lie between those of two runs, these steps of `n_steps` from the first.
fn between(
    passes: &mut Passes<'_>,
    [from, to]: [&ActivationCache; 2],
    steps: Range<usize>,
    n_steps: usize,
) -> Result<Run, AnalysisError> {
    let (start, end) = (from.get(Site::Embed).clone(), to.get(Site::Embed).clone());
    let donors: Donors = steps
        .clone()
        .map(|step| {
            let share = step as f64 / n_steps as f64;
            let embed = start.clone() + (end.clone() - start.clone()) * share;
            (Donor::Run(step), [(Site::Embed, embed)].into_iter().collect())
        })
        .collect();
    let conditions: Vec<Condition> = steps
        .map(|step| {
            let positions = Span::Only(passes.first_pos..passes.asked.n_editable);
            let copy = Edit::CopyFrom { donor: Donor::Run(step), positions: positions.clone() };
            vec![Intervention::at(Site::Embed, positions, copy)]
        })
        .collect();
    let rows: Vec<BatchRow<'_>> = conditions.iter().map(|it| row(passes.asked, it)).collect();
    // What readers are gone back through to.
    let config = &passes.lab.model.config;
    let capture = (0..config.n_layers).map(|layer| config.mlp_reads(layer)).collect();
    passes.forward(&rows, &donors, &capture, Way::ForthAndBack)
}

/// At how many positions the changes of all senders are there at once: they take far more than what they
/// are computed from.
fn n_positions_at_once(config: &ModelConfig) -> usize {
    const BYTES: usize = 256 << 20;
    let n_senders = Sender::all(config.n_layers, config.n_heads).count();
    (BYTES / (n_senders * config.d_model * size_of::<f32>())).max(1)
}

/// The scores of all edges, summed over runs: about as many numbers as one layer's weights.
struct Scores {
    n_heads: usize,
    n_kv_heads: usize,

    /// Two blocks for each layer, of the edges to its heads' inputs and to its MLP, and one of the
    /// edges to the logits.
    blocks: Vec<Block>,
}

/// The scores of all edges to some readers.
struct Block {
    n_senders: usize,
    n_readers: usize,

    /// `[sender, reader]`, senders in the order of [`Sender::all`]
    values: Vec<f64>,
}

impl Scores {
    fn new(config: &ModelConfig) -> Self {
        let (n_heads, n_kv_heads) = (config.n_heads, config.n_kv_heads());
        let block = |n_senders: usize, n_readers: usize| {
            let values = vec![0.0; n_senders * n_readers];
            Block { n_senders, n_readers, values }
        };
        let n_before = |layer: usize| 1 + layer * (n_heads + 1);
        let of_layer = |layer: usize| {
            let n_inputs = n_heads + 2 * n_kv_heads;
            let n_beside = if config.wiring == Wiring::Parallel { 0 } else { n_heads };
            [block(n_before(layer), n_inputs), block(n_before(layer) + n_beside, 1)]
        };
        let mut blocks: Vec<Block> = (0..config.n_layers).flat_map(of_layer).collect();
        blocks.push(block(n_before(config.n_layers), 1));
        Self { n_heads, n_kv_heads, blocks }
    }

    /// Adds the scores from a run's gradients, whose rows are weighted by their slopes. `changes` gives
    /// those of the senders at some positions, `[sender, pos * d_model]`.
    fn add(
        &mut self,
        passes: &mut Passes<'_>,
        run: &Run,
        changes: &dyn Fn(Range<usize>) -> Option<Tensor<2>>,
        slopes: &[f32],
    ) -> Result<(), AnalysisError> {
        let (Lab { model, ctx, .. }, first_pos) = (passes.lab, passes.first_pos);
        let n_layers = model.config.n_layers;
        let in_layer = |it| [Site::Q(it), Site::K(it), Site::V(it), Site::Ln2Normalized(it)];
        let mut wanted: SiteSet = (0..n_layers).flat_map(in_layer).collect();
        wanted.insert(Site::ResidPost(n_layers - 1));
        let gradients = passes.back(run, &wanted)?;

        let slopes = Tensor::<1>::from_floats(slopes, &model.device()).reshape([1, -1, 1, 1]);
        let all = first_pos..passes.asked.ids.len();
        let n_at_once = n_positions_at_once(&model.config);
        for start in all.clone().step_by(n_at_once) {
            let here = start..(start + n_at_once).min(all.end);
            let Some(changes) = changes(here.clone()) else { break };
            let gradients = gradients.at_positions(start - first_pos..here.end - first_pos);
            // `[reader, batch, pos, d_model]`
            let mut add = |nth: usize, gradient: Tensor<4>| -> Result<(), Cancelled> {
                let [n_readers, _, n_pos, d_model] = gradient.dims();
                let gradient = (gradient * slopes.clone()).sum_dim(1);
                let gradient = gradient.reshape([n_readers, n_pos * d_model]);
                let block = &mut self.blocks[nth];
                let changes = changes.clone().narrow(0, 0, block.n_senders);
                let found = changes.matmul(gradient.transpose()).into_data();
                for (sum, value) in block.values.iter_mut().zip(found.iter::<f32>()) {
                    *sum += f64::from(value);
                }
                if ctx.task.cancel.is_cancelled() { Err(Cancelled) } else { Ok(()) }
            };
            for layer in 0..n_layers {
                let of_heads = model.head_input_gradients(layer, &run.cache, &gradients, start);
                add(2 * layer, of_heads)?;
                let of_mlp = model.mlp_input_gradient(layer, &run.cache, &gradients, start);
                add(2 * layer + 1, of_mlp)?;
            }
            let end = gradients.get(Site::ResidPost(n_layers - 1)).clone();
            let [batch, n_pos, _, d_model] = end.dims();
            add(2 * n_layers, end.reshape([1, batch, n_pos, d_model]))?;
        }
        Ok(())
    }

    /// The score of each component, summed over the edges that leave it.
    fn of_parts(&self, config: &ModelConfig, scale: f64) -> (f32, Grid<f32>, Vec<f32>) {
        let mut sums = vec![0.0; Sender::all(config.n_layers, config.n_heads).count()];
        for block in &self.blocks {
            for (sum, readers) in sums.iter_mut().zip(block.values.chunks(block.n_readers)) {
                *sum += readers.iter().sum::<f64>();
            }
        }
        let sums: Vec<f32> = sums.into_iter().map(|it| (it * scale) as f32).collect();
        let layers = || sums[1..].chunks(config.n_heads + 1);
        let heads = layers().flat_map(|layer| &layer[..config.n_heads]).copied().collect();
        let mlps = layers().map(|layer| layer[config.n_heads]).collect();
        (sums[0], Grid::new(config.n_heads, heads), mlps)
    }

    /// The edges with the largest absolute scores, largest first, and equal ones in the order of
    /// writing.
    fn largest(&self, n: usize, config: &ModelConfig, scale: f64) -> Vec<Edge> {
        let senders: Vec<Sender> = Sender::all(config.n_layers, config.n_heads).collect();
        let n_all: usize = self.blocks.iter().map(|it| it.values.len()).sum();
        let mut kept = BinaryHeap::with_capacity(n.min(n_all) + 1);
        for (nth, block) in self.blocks.iter().enumerate() {
            for (place, value) in block.values.iter().enumerate() {
                // Absolute values are ordered like their bits.
                kept.push(Reverse((value.abs().to_bits(), Reverse((nth, place)))));
                if kept.len() > n {
                    kept.pop();
                }
            }
        }
        let edge = |Reverse((_, Reverse((nth, place))))| {
            let block: &Block = &self.blocks[nth];
            let from = senders[place / block.n_readers];
            let to = self.receiver(nth, place % block.n_readers);
            Edge { from, to, score: (block.values[place] * scale) as f32 }
        };
        kept.into_sorted_vec().into_iter().map(edge).collect()
    }

    fn receiver(&self, block: usize, reader: usize) -> Receiver {
        let layer = block / 2;
        if block + 1 == self.blocks.len() {
            return Receiver::Logits;
        }
        if block % 2 == 1 {
            return Receiver::Mlp { layer };
        }
        let (input, head) = match reader.checked_sub(self.n_heads) {
            None => (HeadInput::Query, reader),
            Some(nth) if nth < self.n_kv_heads => (HeadInput::Key, nth),
            Some(nth) => (HeadInput::Value, nth - self.n_kv_heads),
        };
        Receiver::Head { layer, head, input }
    }
}

/// Corrupts and measures the first edges, one at a time: only the reader is given what the writer
/// would write, and everything after it reacts.
fn verify(
    passes: &Passes<'_>,
    estimated: &EdgeAttribution,
    contrast: &CorruptedRuns,
    clean: CleanRun<'_>,
    corrupted: &[ActivationCache],
) -> Result<Vec<f32>, AnalysisError> {
    let spec = &estimated.spec;
    let Lab { model, prompt, ctx } = passes.lab;
    let n_layers = model.config.n_layers;
    let positions = contrast.first_pos..prompt.n_pos();
    let mut donors = Donors::new();
    let mut conditions: Vec<Condition> = Vec::new();
    for edge in estimated.edges.iter().take(spec.n_verified) {
        let site = edge.to.site(n_layers);
        for changed in corrupted {
            let request = DirectPaths {
                clean: &clean.run.cache,
                changed,
                senders: &[edge.from],
                between: Between::Frozen,
                receivers: &SiteSet::from([site]),
                positions: positions.clone(),
            };
            let read = model.direct_paths(&request, &mut |_| ctx.check_cancelled(model))?;
            let donor = Donor::Run(donors.len());
            donors.insert(donor, read);
            let copy = Edit::CopyFrom { donor, positions: Span::Only(0..positions.len()) };
            let heads = edge.to.head().map_or(Span::All, Span::one);
            let given = Intervention::at(site, Span::Only(positions.clone()), copy);
            conditions.push(vec![given.of_heads(heads)]);
        }
    }
    let found = passes.sweep_the_rest(&conditions, clean.reference, &donors, &mut |_| ())?;
    let base = estimated.runs.clean.get(spec.metric).unwrap_or(f32::NAN);
    let means = found.chunks(corrupted.len());
    Ok(means.map(|runs| Measurement::mean(runs, spec.metric).unwrap_or(f32::NAN) - base).collect())
}
