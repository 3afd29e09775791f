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
use crate::model::{ActivationCache, Donors, Dropped, ModelConfig, Reference, Transformer};
use crate::tokens::TokenizedPrompt;

use of_layer::{Extent, estimates};

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

/// How many arrays of the size of a layer's gradients at attention weights are there at once while their
/// effects are computed.
const GRADIENT_TERMS: usize = 5;

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
        let asked = Asked::new(model, prompt)?;
        let objective = objective(prompt, self.metric)?;
        let contrast = self.contrast.corrupt(lab, &asked)?;
        let (n_layers, n_runs) = (model.config.n_layers, contrast.n_runs());
        let mut sites = Node::sites(&model.config);
        sites.extend((0..n_layers).flat_map(|layer| model.config.product_sites(layer)));

        let n_steps = (2 + n_runs) * n_layers;
        let (first_pos, n_verified) = (contrast.first_pos, self.n_verified);
        let mut passes = Passes::new(lab, &asked, objective, first_pos, n_steps, n_verified);
        let patterns: SiteSet = (0..n_layers).map(Site::Pattern).collect();
        let clean = passes.clean(&(&sites | &patterns), Way::ForthAndBack)?;
        let wanted = &Node::sites(&model.config) | &patterns;
        let gradients = passes.back(&clean.run, &wanted, Dropped::EachLayer)?;

        let extent = Extent { first_pos: contrast.first_pos, n_pos: prompt.n_pos(), n_layers };
        let mut sums = Sums::new(model, &extent);
        let mut corrupted = Vec::new();
        let mut runs = Vec::new();
        let n_rows = passes.n_rows();
        for start in (0..n_runs).step_by(n_rows) {
            let rows = contrast.rows(start..(start + n_rows).min(n_runs));
            let run = passes.forward(&rows, &Donors::new(), &sites, Way::Forth)?;
            corrupted.extend(clean.read(&run)?);
            for layer in 0..n_layers {
                let caches = [&clean.run.cache, &run.cache, &gradients];
                let found = estimates(&model.config, layer, &extent, caches);
                sums.add(layer, &found);
            }
            if self.n_verified > 0 {
                runs.push(run.cache);
            }
        }

        let scale = slope(&clean.measured, self.metric) / n_runs as f32;
        let mut result = AtpStar {
            spec: self.clone(),
            base: BasePoint::Clean,
            prompt: prompt.clone(),
            runs: contrast.measured(clean.measured, corrupted),
            effects: sums.effects(&extent, scale, &model.config),
            verified: Vec::new(),
            agreement: None,
        };
        if self.n_verified > 0 {
            (ctx.partial)(AnalysisResult::AtpStar(result.clone()));
            let donors = donors_of(runs, &sites);
            result.verified = verify(&passes, &result, &contrast, clean.reference, &donors)?;
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
        let n_layers = config.n_layers;
        let nodes = Node::sites(config);
        let mut sites = nodes.clone();
        sites.extend((0..n_layers).flat_map(|layer| config.product_sites(layer)));
        let patterns = in_all_layers(config, Site::Pattern);
        // A row of gradients for each later layer that is dropped, and one for none.
        let n_dropped = n_layers * (n_layers + 1) / 2;
        let of_layer = sizes.kept(&(&nodes | &patterns), 1) / n_layers as u64;
        let n_runs = if self.n_verified > 0 { self.contrast.n_runs() } else { 1 };
        sizes.kept(&(&sites | &patterns), 1)
            + of_layer.saturating_mul(n_dropped as u64)
            + sizes.kept(&sites, n_runs)
            + sizes.pattern().saturating_mul((GRADIENT_TERMS * n_layers) as u64)
            + sizes.pass_by_steps(&SiteSet::new())
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

/// Every row of every run as a donor, numbered in order.
fn donors_of(runs: Vec<ActivationCache>, sites: &SiteSet) -> Donors {
    let mut donors = Donors::new();
    for run in runs {
        let n_rows = sites.first().map_or(0, |site| run.get(*site).dims()[0]);
        for nth in 0..n_rows {
            let row = sites.iter().map(|&site| (site, run.get(site).clone().narrow(0, nth, 1)));
            donors.insert(Donor::Run(donors.len()), row.collect());
        }
    }
    donors
}

/// Corrupts and measures the activations with the largest sizes.
fn verify(
    passes: &Passes<'_>,
    estimated: &AtpStar,
    contrast: &CorruptedRuns,
    clean: Reference,
    donors: &Donors,
) -> Result<Vec<Verified>, AnalysisError> {
    let mut parts = estimated.ranked();
    parts.truncate(estimated.spec.n_verified);
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
