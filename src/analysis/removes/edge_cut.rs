//! Cuts attention between chosen tokens in a range of layers, all at once.
//!
//! While the knockout of Geva et al. 2023 slides a window of layers over one set of edges, this
//! method cuts any edges in one range of layers, in all heads or in some: the scores are set to −∞
//! before the softmax, so that the query's other weights still sum to 1. With all layers and the
//! edges from the subject to the last token it is their knockout with a window over all layers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::analysis::error::{at_least_one, index_below};
use crate::analysis::measurement::Measurement;
use crate::analysis::prediction::{Candidate, likeliest_next};
use crate::analysis::sweep::{Asked, row, step_when_done};
use crate::analysis::{About, AnalysisError, Lab, Method, PromptOf, Reuse, Sizes, sources};
use crate::intervention::{Condition, Edit, Intervention, Site, SiteSet, Span};
use crate::model::{Donors, ModelConfig, Reference, Request, Resume, Start, StartPoint};
use crate::task::Progress;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The edges that are cut, all at once. Without any, nothing changes.
    pub edges: BTreeSet<Edge>,

    /// The layers in which they are cut.
    pub layers: Range<usize>,

    /// The heads of these layers in which they are cut. `None` stands for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<BTreeSet<usize>>,

    /// How many of the likeliest next tokens are listed.
    pub n_top: usize,
}

/// The attention of one token to another, by their positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// The token that attends.
    pub query: usize,

    /// The token that is attended to: the query itself, or an earlier token.
    pub key: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeCut {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// What the model says in the clean run.
    pub clean: Said,

    /// What the model says with the edges cut.
    pub cut: Said,
}

/// What the model says to a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    pub answer: Measurement,

    /// The likeliest next tokens, likeliest first.
    pub top: Vec<Candidate>,
}

impl Method for Spec {
    type Found = EdgeCut;
    const NAME: &'static str = "edge cut";
    const ABOUT: About = About {
        text: "Chosen ways by which one token looks at another are cut all at once in a range \
               of layers, and the answer is measured without them.",
        sources: &[sources::GEVA_2023],
    };
    const VERB: &'static str = "Cutting";
    const IS_SHORT: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<EdgeCut, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let asked = Asked::new(model, prompt)?;
        let (n_layers, n_pos) = (model.config.n_layers, asked.ids.len());
        let condition = plan(prompt, self, &model.config)?;
        let first_pos = self.edges.first().map_or(0, |edge| edge.query);
        let place = StartPoint::of(&condition, n_layers);
        let resumed = place.filter(|_| ctx.reuse == Reuse::Exact);

        let n_cut = match (place, resumed) {
            (None, _) => 0,
            (Some(_), None) => n_pos * n_layers,
            (_, Some(place)) => (n_pos - first_pos) * (n_layers - place.layer),
        };
        let mut progress = Progress { done: 0, total: (n_pos * n_layers + n_cut) as u64 };
        ctx.task.checkpoint(progress)?;
        let donors = Donors::new();
        let mut run = |condition: &Condition, capture: &SiteSet| {
            let rows = [row(&asked, condition)];
            let n_read = asked.n_read;
            let request = Request { rows: &rows, donors: &donors, capture, past: None, n_read };
            model.run(&request, &mut |_| step_when_done(lab, &mut progress, n_pos as u64))
        };
        let capture = match resumed {
            Some(place) => Resume::sites(&model.config, [place].into_iter()),
            None => SiteSet::new(),
        };
        let clean = run(&Condition::new(), &capture)?;
        let changed = match (place, resumed) {
            (None, _) => clean.logits.clone(),
            (Some(_), None) => run(&condition, &SiteSet::new())?.logits,
            (_, Some(place)) => {
                let request = Resume {
                    rows: &[row(&asked, &condition)],
                    starts: &[Start { place, base_row: 0, parts_from: None }],
                    base: &clean.cache,
                    first_pos,
                    donors: &donors,
                    n_read: asked.n_read,
                };
                let cost = (n_pos - first_pos) as u64;
                model.resume(&request, &mut |_, n_rows| {
                    step_when_done(lab, &mut progress, cost * n_rows as u64)
                })?
            }
        };
        let reference = Reference::of(&clean.logits);
        let said = |logits| -> Result<Said, AnalysisError> {
            let answer = Measurement::read(model, logits, prompt, Some(&reference))?[0];
            Ok(Said { answer, top: likeliest_next(logits, self.n_top) })
        };
        Ok(EdgeCut {
            spec: self.clone(),
            prompt: prompt.clone(),
            clean: said(&clean.logits)?,
            cut: said(&changed)?,
        })
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let start = StartPoint::entering(self.layers.start);
        let kept = Resume::sites(sizes.config, [start].into_iter());
        sizes.pass_by_steps(&kept).saturating_add(sizes.pattern())
    }
}

/// The condition that cuts all edges. Neighbouring queries that lose the same keys share an
/// intervention.
///
/// # Errors
///
/// If the prompt or the model lacks something that is named, or a token would have no token left to
/// attend to.
pub fn plan(
    prompt: &TokenizedPrompt,
    spec: &Spec,
    config: &ModelConfig,
) -> Result<Condition, AnalysisError> {
    at_least_one("the number of layers to cut in", spec.layers.len())?;
    index_below("layer", spec.layers.end - 1, config.n_layers)?;
    for &head in spec.heads.iter().flatten() {
        index_below("head", head, config.n_heads)?;
    }
    let n_pos = prompt.n_pos();
    let mut keys_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &Edge { query, key } in &spec.edges {
        if let Some(pos) = [query, key].into_iter().find(|pos| *pos >= n_pos) {
            return Err(AnalysisError::NoPosition { pos, n_pos });
        }
        if key > query {
            return Err(AnalysisError::LaterKey { query, key });
        }
        keys_of.entry(query).or_default().push(key);
    }
    for layer in spec.layers.clone() {
        for (&query, keys) in &keys_of {
            check_key_left(config, layer, query, |key| keys.contains(&key))?;
        }
    }
    let queries: Vec<(usize, Vec<usize>)> = keys_of.into_iter().collect();
    let alike = queries.chunk_by(|a, b| a.0 + 1 == b.0 && a.1 == b.1);
    let mut blocks = Vec::new();
    for group in alike {
        let (first, keys) = &group[0];
        for run in keys.chunk_by(|a, b| a + 1 == *b) {
            blocks.push((*first..first + group.len(), run[0]..run[0] + run.len()));
        }
    }
    let heads: Vec<Span> = match &spec.heads {
        None => vec![Span::All],
        Some(heads) => heads.iter().map(|head| Span::one(*head)).collect(),
    };
    let mut condition = Condition::new();
    for layer in spec.layers.clone() {
        for heads in &heads {
            condition.extend(blocks.iter().map(|(queries, keys)| {
                let queries = Span::Only(queries.clone());
                Intervention::at(Site::AttnScores(layer), queries, Edit::Block)
                    .of_heads(heads.clone())
                    .of_units(Span::Only(keys.clone()))
            }));
        }
    }
    Ok(condition)
}

/// Fails if a query has no key left in a layer, by its window and by what is cut. A softmax over no
/// key is no number: `TransformerLens` takes weights of 0 there, `transformers` spreads them over all
/// tokens, later ones too.
pub(in crate::analysis) fn check_key_left(
    config: &ModelConfig,
    layer: usize,
    query: usize,
    is_cut: impl Fn(usize) -> bool,
) -> Result<(), AnalysisError> {
    let first_key = config.first_key(layer, query);
    if (first_key..=query).all(is_cut) {
        return Err(AnalysisError::NoKeyLeft { pos: query, layer, first_key });
    }
    Ok(())
}

impl Spec {
    /// A spec that cuts some edges in all heads of some layers.
    pub fn of(edges: impl IntoIterator<Item = Edge>, layers: Range<usize>) -> Self {
        Self { edges: edges.into_iter().collect(), layers, heads: None, n_top: 5 }
    }
}
