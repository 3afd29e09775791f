//! `AtP*`: estimates which activations matter, with two corrections to attribution patching.
//!
//! Plain attribution patching multiplies the change of an activation by the gradient at it. Kramár
//! et al. 2024, "`AtP*`: An efficient and scalable method for localizing LLM behaviour to
//! components", correct two of its errors:
//!
//! - Attention weights near 0 or 1 have almost no gradient. For queries and keys the softmax is
//!   therefore recomputed, and only what follows it is taken to first order (section 3.1.1). A key
//!   is replaced alone, for all later queries.
//! - Effects along several paths may cancel. Therefore the gradient through each layer's
//!   contribution to the residual stream is dropped in turn, and the absolute values of these
//!   estimates are averaged (`GradDrop`, section 3.1.2, with its factor 1 / (L − 1)).
//!
//! Gradients are taken at the clean run, and effects are what *corrupting* an activation adds to
//! the metric. That is the paper's sign, the opposite of
//! [`attribution_patching`](crate::analysis::attribution_patching).

use std::borrow::Cow;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::contrast::{Contrast, ContrastedRuns, CorruptedRuns};
use crate::analysis::attribution_patching::BasePoint;
use crate::analysis::memory::in_all_layers;
use crate::analysis::objective::{Passes, Way, objective, slope};
use crate::analysis::sweep::Asked;
use crate::analysis::{
    About, AnalysisError, AnalysisResult, Correlation, Grid, Lab, Measurement, Method, Metric,
    PromptOf, Sizes, sources,
};
use crate::intervention::{Condition, Donor, Edit, Intervention, Site, SiteSet, Span};
use crate::model::{
    ActivationCache, Backward, Donors, Dropped, ModelConfig, Reference, Run, Transformer,
};
use crate::tokens::TokenizedPrompt;

use of_layer::{AtLayer, Extent, Rows};

mod of_layer;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The corrupted runs.
    pub contrast: Contrast,

    /// The metric that is estimated.
    pub metric: Metric,

    /// How many activations, those with the largest [`Effect::size`], are then corrupted and
    /// measured.
    pub n_verified: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AtpStar {
    pub spec: Spec,

    /// The run at which gradients are taken, always the clean run.
    pub base: BasePoint,
    pub prompt: TokenizedPrompt,

    #[serde(flatten)]
    pub runs: ContrastedRuns,

    /// The effects in the order of [`Node::ALL`]: a grid `[layer, head]` for each position, and for
    /// MLPs a single grid `[layer, position]`.
    pub effects: Vec<Vec<Grid<Effect>>>,

    /// The activations that were corrupted, the largest estimate first.
    pub verified: Vec<Verified>,

    /// How well their estimates agree with the measurements: those with the softmax recomputed, and
    /// the plain ones.
    pub agreement: Option<[Correlation; 2]>,
}

/// A kind of activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Node {
    Query,
    Key,
    Value,

    /// A head's output before `W_O`.
    Z,

    /// An MLP's output.
    Mlp,
}

/// The estimates of what corrupting one activation adds to the metric, as means over the corrupted
/// runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The first-order estimate, `AtP`.
    pub plain: f32,

    /// The estimate with the softmax recomputed for queries and keys.
    pub fixed: f32,

    /// The mean absolute value of `fixed` over layers dropped in turn: the `c` of `AtP*`, which
    /// ranks activations.
    pub size: f32,
}

/// An activation that was corrupted and measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verified {
    pub node: Node,
    pub layer: usize,
    pub pos: usize,

    /// The head, `None` for MLPs.
    pub head: Option<usize>,
    pub estimate: Effect,

    /// What corrupting the activation added to the metric, as a mean over the corrupted runs.
    pub patched: f32,
}

impl Node {
    pub const ALL: [Self; 5] = [Self::Query, Self::Key, Self::Value, Self::Z, Self::Mlp];

    fn site(self, layer: usize, config: &ModelConfig) -> Site {
        let [query, key] = config.sites_of_one_head(layer);
        match self {
            Self::Query => query,
            Self::Key => key,
            Self::Value => Site::V(layer),
            Self::Z => Site::Z(layer),
            Self::Mlp => Site::MlpOut(layer),
        }
    }

    /// How many of them a layer has at a position. Queries of a group share keys and values.
    fn n_heads(self, config: &ModelConfig) -> usize {
        match self {
            Self::Query | Self::Z => config.n_heads,
            Self::Key | Self::Value => config.n_kv_heads(),
            Self::Mlp => 1,
        }
    }

    fn sites(config: &ModelConfig) -> SiteSet {
        let in_layer = |layer| Self::ALL.map(|it| it.site(layer, config));
        (0..config.n_layers).flat_map(in_layer).collect()
    }
}

/// The sites at which a corrupted run is read: those of all nodes, and of queries and keys as scores take them.
fn sites_of_runs(config: &ModelConfig) -> SiteSet {
    let mut sites = Node::sites(config);
    sites.extend((0..config.n_layers).flat_map(|layer| config.product_sites(layer)));
    sites
}

impl AtpStar {
    /// The effect of one activation. `head` is ignored for MLPs. `None` outside of the model.
    pub fn effect(&self, node: Node, layer: usize, pos: usize, head: usize) -> Option<Effect> {
        let grids = &self.effects[Node::ALL.iter().position(|it| *it == node)?];
        let found = match node {
            Node::Mlp => grids[0].get(layer, pos),
            Node::Query | Node::Key | Node::Value | Node::Z => grids.get(pos)?.get(layer, head),
        };
        found.copied()
    }

    /// All activations, the largest [`Effect::size`] first.
    pub fn ranked(&self) -> Vec<Verified> {
        let mut all = Vec::new();
        for (node, grids) in Node::ALL.into_iter().zip(&self.effects) {
            for (nth, grid) in grids.iter().enumerate() {
                for (layer, row) in grid.rows().enumerate() {
                    for (column, &estimate) in row.iter().enumerate() {
                        let (pos, head) = match node {
                            Node::Mlp => (column, None),
                            Node::Query | Node::Key | Node::Value | Node::Z => (nth, Some(column)),
                        };
                        let patched = f32::NAN;
                        all.push(Verified { node, layer, pos, head, estimate, patched });
                    }
                }
            }
        }
        all.sort_by(|a, b| b.estimate.size.total_cmp(&a.estimate.size));
        all
    }
}

/// How many arrays of the size of a row of gradients at a layer's attention weights are there at once while
/// these are computed and their effects read.
const GRADIENT_TERMS: usize = 4;

/// How many arrays of the size of a layer's attention weights a corrupted run takes meanwhile.
const RUN_TERMS: usize = 6;

/// How many rows of gradients go back together, so that they take about `kept_bytes`: the whole one, and
/// those that drop a layer.
fn n_rows_back(config: &ModelConfig, n_pos: usize, kept_bytes: usize) -> usize {
    let of_row = GRADIENT_TERMS * config.bytes_at(&SiteSet::from([Site::Pattern(0)]), n_pos);
    (kept_bytes / of_row.max(1)).clamp(2, config.n_layers.max(2))
}

/// The layers that are dropped in one way back after the other.
fn ways_back(n_layers: usize, n_rows: usize) -> Vec<Dropped> {
    let n_dropped = n_rows - 1;
    let starts = (1..n_layers.max(2)).step_by(n_dropped);
    starts.map(|first| Dropped::EachOf { first, end: (first + n_dropped).min(n_layers) }).collect()
}

/// The corrupted runs, as far as they are kept.
struct Corrupted<'a> {
    model: &'a Transformer,
    runs: Vec<Run>,

    /// Whether runs are kept whole, and not only what enters their layers.
    are_whole: bool,
}

impl Corrupted<'_> {
    /// The activations of a run at some sites of a layer.
    fn of_layer<'a>(
        &self,
        run: &'a Run,
        layer: usize,
        sites: &SiteSet,
    ) -> Cow<'a, ActivationCache> {
        if self.are_whole {
            return Cow::Borrowed(&run.cache);
        }
        Cow::Owned(self.model.layer_again(&run.cache, &run.lengths, layer, sites))
    }

    /// Every row of every run as a donor, numbered in order, with what it has at some sites.
    fn donors(&self, sites: &SiteSet) -> Donors {
        let mut donors = Donors::new();
        for run in &self.runs {
            let [n_rows, _, _] = run.logits.dims();
            let mut rows: Vec<Vec<(Site, Tensor<4>)>> = vec![Vec::new(); n_rows];
            for layer in 0..self.model.config.n_layers {
                let here = of(sites, layer);
                if here.is_empty() {
                    continue;
                }
                let cache = self.of_layer(run, layer, &here);
                for (nth, row) in rows.iter_mut().enumerate() {
                    row.extend(
                        here.iter().map(|&it| (it, cache.get(it).clone().narrow(0, nth, 1))),
                    );
                }
            }
            for row in rows {
                donors.insert(Donor::Run(donors.len()), row.into_iter().collect());
            }
        }
        donors
    }
}

/// The sites of a set that lie in one layer.
fn of(sites: &SiteSet, layer: usize) -> SiteSet {
    sites.iter().copied().filter(|it| it.layer() == Some(layer)).collect()
}

impl Method for Spec {
    type Found = AtpStar;
    const NAME: &'static str = "AtP*";
    const ABOUT: About = About {
        text: "What corrupting each query, key, value, head output or MLP output adds to the \
               reading, estimated from gradients with two corrections.",
        sources: &[sources::KRAMAR_2024],
    };
    const VERB: &'static str = "Estimating";
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<AtpStar, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        self.check()?;
        let asked = Asked::new(model, prompt)?;
        let objective = objective(prompt, self.metric)?;
        let contrast = self.contrast.corrupt(lab, &asked)?;
        let (n_layers, n_runs) = (model.config.n_layers, contrast.n_runs());
        let n_all = asked.ids.len();
        let sites = sites_of_runs(&model.config);
        let entering: SiteSet = (0..n_layers).map(Site::ResidPre).collect();
        let ways = ways_back(n_layers, n_rows_back(&model.config, n_all, model.kept_bytes));

        let n_steps = (1 + ways.len() + n_runs) * n_layers;
        let (first_pos, n_verified) = (contrast.first_pos, self.n_verified);
        let mut passes = Passes::new(lab, &asked, objective, first_pos, n_steps, n_verified);
        let clean = passes.clean(&SiteSet::new(), Way::ForthAndBack)?;
        let are_whole = n_runs * model.config.bytes_at(&sites, n_all) <= model.kept_bytes;
        let capture = if are_whole { &sites } else { &entering };
        let mut runs = Vec::new();
        let mut measured = Vec::new();
        let n_rows = passes.n_rows();
        for start in (0..n_runs).step_by(n_rows) {
            let rows = contrast.rows(start..(start + n_rows).min(n_runs));
            let run = passes.forward(&rows, &Donors::new(), capture, Way::Forth)?;
            measured.extend(clean.read(&run)?);
            runs.push(run);
        }
        let corrupted = Corrupted { model, runs, are_whole };

        let patterns: SiteSet = (0..n_layers).map(Site::Pattern).collect();
        let wanted = &Node::sites(&model.config) | &patterns;
        let extent = Extent { first_pos: contrast.first_pos, n_pos: prompt.n_pos(), n_layers };
        let mut sums = Sums::new(model, &extent);
        for (nth, &dropped) in ways.iter().enumerate() {
            let rows = if nth == 0 { Rows::All } else { Rows::Dropped };
            passes.back_by_layer(&clean.run, &wanted, dropped, &mut |layer, gradients| {
                let [n_gradients, _, _, _] = gradients.get(Site::Pattern(layer)).dims();
                if rows == Rows::Dropped && n_gradients == 1 {
                    return Ok(());
                }
                let here = of(&sites, layer);
                let with_pattern = &here | &SiteSet::from([Site::Pattern(layer)]);
                let of_clean = &clean.run;
                let of_clean =
                    model.layer_again(&of_clean.cache, &of_clean.lengths, layer, &with_pattern);
                let at = AtLayer::new(&model.config, layer, &extent, [&of_clean, gradients], rows);
                for run in &corrupted.runs {
                    ctx.check_cancelled(model)?;
                    sums.add(layer, &at.estimates(&corrupted.of_layer(run, layer, &here)));
                }
                Ok(())
            })?;
        }

        let scale = slope(&clean.measured, self.metric) / n_runs as f32;
        let mut result = AtpStar {
            spec: self.clone(),
            base: BasePoint::Clean,
            prompt: prompt.clone(),
            runs: contrast.measured(clean.measured, measured),
            effects: sums.effects(&extent, scale, &model.config),
            verified: Vec::new(),
            agreement: None,
        };
        if self.n_verified > 0 {
            (ctx.partial)(AnalysisResult::AtpStar(result.clone()));
            let mut parts = result.ranked();
            parts.truncate(self.n_verified);
            let needed = parts.iter().map(|it| it.node.site(it.layer, &model.config)).collect();
            let donors = corrupted.donors(&needed);
            result.verified = verify(&passes, &result, parts, &contrast, clean.reference, &donors)?;
            let against = |estimate: fn(&Effect) -> f32| {
                let pairs = result.verified.iter().map(|it| (estimate(&it.estimate), it.patched));
                Correlation::of_pairs(pairs)
            };
            result.agreement = Some([against(|it| it.fixed), against(|it| it.plain)]);
        }
        Ok(result)
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let Sizes { config, .. } = *sizes;
        let n_rows = n_rows_back(config, sizes.n_pos, Transformer::KEPT_BYTES);
        let n_runs = self.contrast.n_runs();
        let sites = sites_of_runs(config);
        let entering = in_all_layers(config, Site::ResidPre);
        let of_runs = sizes.kept(&sites, n_runs);
        let are_whole = of_runs <= Transformer::KEPT_BYTES as u64;
        let of_runs = if are_whole { of_runs } else { sizes.kept(&entering, n_runs) };
        // Two layers of a run: those of the clean one and of a corrupted one.
        let of_layer = sizes.kept(&of(&sites, 0), 2);
        let n_terms = GRADIENT_TERMS * n_rows + RUN_TERMS;
        sizes.there_and_back(&SiteSet::new(), &Backward::sites(config), &SiteSet::new())
            + sizes.passing(n_rows, sizes.n_pos)
            + of_runs
            + of_layer
            + sizes.pattern().saturating_mul(n_terms as u64)
            + self.contrast.memory(sizes)
    }

    fn check(&self) -> Result<(), AnalysisError> {
        self.contrast.check()
    }

    fn has_other_prompts(&self) -> bool {
        self.contrast.is_prompt()
    }

    fn is_short(&self) -> bool {
        self.n_verified == 0 && self.contrast.n_runs() <= 16
    }
}

/// The sums over corrupted runs for each kind of activation, by layer, head and position.
struct Sums(Vec<Vec<[f64; 3]>>);

impl Sums {
    fn new(model: &Transformer, extent: &Extent) -> Self {
        let of = |node: Node| {
            let n_heads = node.n_heads(&model.config);
            vec![[0.0; 3]; extent.n_layers * n_heads * extent.n_changed()]
        };
        Self(Node::ALL.map(of).into())
    }

    fn add(&mut self, layer: usize, found: &[Tensor<3>; 5]) {
        // All are copied back at once.
        let flat = found.iter().map(|it| it.clone().reshape([it.shape().num_elements()]));
        let values = Tensor::cat(flat.collect::<Vec<Tensor<1>>>(), 0).into_data();
        let mut values = values.iter::<f32>();
        for (sums, found) in self.0.iter_mut().zip(found) {
            let n = found.shape().num_elements() / 3;
            for sum in &mut sums[layer * n..(layer + 1) * n] {
                for sum in sum {
                    *sum +=
                        f64::from(values.next().expect("every tensor's numbers were copied back"));
                }
            }
        }
    }

    fn effects(&self, extent: &Extent, scale: f32, config: &ModelConfig) -> Vec<Vec<Grid<Effect>>> {
        let read = |node: usize, n_heads: usize, layer: usize, head: usize, pos: usize| {
            // Earlier positions equal the clean run, so their effect is 0.
            let Some(pos) = pos.checked_sub(extent.first_pos) else { return Effect::default() };
            let nth = (layer * n_heads + head) * extent.n_changed() + pos;
            let [plain, fixed, size] = self.0[node][nth].map(|sum| (sum * f64::from(scale)) as f32);
            Effect { plain, fixed, size }
        };
        let grids = |(nth, node): (usize, Node)| match node {
            Node::Mlp => {
                let cells = (0..extent.n_layers).flat_map(|layer| {
                    (0..extent.n_pos).map(move |pos| read(nth, 1, layer, 0, pos))
                });
                vec![Grid::new(extent.n_pos, cells.collect())]
            }
            Node::Query | Node::Key | Node::Value | Node::Z => {
                let n_heads = node.n_heads(config);
                let of_pos = |pos: usize| {
                    let cells = (0..extent.n_layers).flat_map(|layer| {
                        (0..n_heads).map(move |head| read(nth, n_heads, layer, head, pos))
                    });
                    Grid::new(n_heads, cells.collect())
                };
                (0..extent.n_pos).map(of_pos).collect()
            }
        };
        Node::ALL.into_iter().enumerate().map(grids).collect()
    }
}

/// Corrupts and measures the activations with the largest sizes.
fn verify(
    passes: &Passes<'_>,
    estimated: &AtpStar,
    mut parts: Vec<Verified>,
    contrast: &CorruptedRuns,
    clean: Reference,
    donors: &Donors,
) -> Result<Vec<Verified>, AnalysisError> {
    let n_runs = contrast.n_runs();
    let mut conditions: Vec<Condition> = Vec::new();
    for part in &parts {
        for nth in 0..n_runs {
            let (donor, positions) = (Donor::Run(nth), Span::one(part.pos));
            let copy = Edit::CopyFrom { donor, positions: positions.clone() };
            let heads = part.head.map_or(Span::All, Span::one);
            let site = part.node.site(part.layer, &passes.lab.model.config);
            conditions.push(vec![Intervention::at(site, positions, copy).of_heads(heads)]);
        }
    }
    let metric = estimated.spec.metric;
    let found = passes.sweep_the_rest(&conditions, clean, donors, &mut |_| ())?;
    let base = estimated.runs.clean.get(metric).unwrap_or(f32::NAN);
    for (part, runs) in parts.iter_mut().zip(found.chunks(n_runs)) {
        part.patched = Measurement::mean(runs, metric).unwrap_or(f32::NAN) - base;
    }
    Ok(parts)
}
