//! Attention knockout: finds the layers in which a fact moves from one token to another.
//!
//! In a window of layers around each layer, no head may attend from some tokens (the *targets*, as
//! queries) to some others (the *sources*, as keys): these scores are set to −∞ before the softmax,
//! so that the remaining weights still sum to one. The loss of the answer's probability shows in
//! which layers the edges are needed.
//!
//! Geva et al. 2023, "Dissecting Recall of Factual Associations in Auto-Regressive Language
//! Models", section 5 and figure 2. The numbers are those of their
//! `factual_associations_dissection.ipynb`: the three edge sets, the window clipped at the first
//! and last layer, and the change relative to the clean run. They find three phases: the last token
//! reads the relation in early layers and the subject in late ones, and in between it needs
//! neither.
//!
//! They note that a subject at position 0 is an attention sink, so cutting it off cuts more than
//! the subject. BOS before the prompt avoids that.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::analysis::edge_cut::check_key_left;
use crate::analysis::error::at_least_one;
use crate::analysis::memory::{SweepSize, first_of, in_all_layers};
use crate::analysis::sweep::sweep_map;
use crate::analysis::trace_map::window;
use crate::analysis::{
    About, AnalysisError, AnalysisResult, Grid, Lab, Measurement, Method, Metric, Positions,
    PromptOf, Sizes, sources,
};
use crate::intervention::{Condition, Edit, Intervention, Site, Span};
use crate::model::{Donors, ModelConfig};
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The sets of edges that are cut, one set at a time.
    pub edges: Vec<Edges>,

    /// How many layers around each layer edges are cut in. The paper uses 9 of GPT-2 XL's 48.
    pub window: usize,
}

/// All edges of attention from some tokens to some others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edges {
    /// The tokens that are attended to, the keys.
    pub from: Positions,

    /// The tokens that attend, the queries.
    pub to: Positions,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttentionKnockout {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,
    /// The measurement of the clean run.
    pub clean: Measurement,

    /// The measurement with each set of edges cut around each layer. `None` where it is not
    /// computed yet. `[set of edges, layer]`
    pub cut: Grid<Option<Measurement>>,
}

impl Edges {
    /// The three sets of the paper: subject, non-subject and last token, each to the last.
    pub fn to_last() -> Vec<Self> {
        [Positions::Subject, Positions::NonSubject, Positions::Last]
            .map(|from| Self { from, to: Positions::Last })
            .into()
    }
}

impl AttentionKnockout {
    /// The change of a probability relative to the clean run: −1 if the answer is lost, 0 if
    /// nothing changes, above 0 if it gets likelier. `None` for metrics that are no probabilities.
    pub fn relative_change(&self, edges: usize, layer: usize, metric: Metric) -> Option<f32> {
        if !matches!(metric, Metric::Prob | Metric::AnswerProb) {
            return None;
        }
        let clean = self.clean.get(metric)?;
        Some((self.cut.get(edges, layer)?.as_ref()?.get(metric)? - clean) / clean)
    }

    /// The change of the natural logarithm of a probability: 0 if nothing changes, below 0 if the answer
    /// gets less likely. `None` for metrics that are no probabilities.
    pub fn log_change(&self, edges: usize, layer: usize, metric: Metric) -> Option<f32> {
        let log = |it: &Measurement| match metric {
            Metric::Prob => Some(it.log_prob),
            Metric::AnswerProb => Some(it.answer_log_prob),
            _ => None,
        };
        Some(log(self.cut.get(edges, layer)?.as_ref()?)? - log(&self.clean)?)
    }

    /// The layers in which edges are cut for `layer`.
    pub fn window(&self, layer: usize) -> Range<usize> {
        window(layer, self.spec.window, self.cut.n_columns())
    }
}

impl Method for Spec {
    type Found = AttentionKnockout;
    const NAME: &'static str = "attention knockout";
    const ABOUT: About = About {
        text: "In a window of layers around each layer the last token is kept from looking at \
               the subject, at the other tokens or at itself; what the answer loses shows in \
               which layers that is needed.",
        sources: &[sources::GEVA_2023],
    };
    const VERB: &'static str = "Cutting";
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<AttentionKnockout, AnalysisError> {
        let &Lab { model, prompt, .. } = lab;
        at_least_one("the window", self.window)?;
        at_least_one("the number of edge sets", self.edges.len())?;
        let n_layers = model.config.n_layers;
        let conditions = plan(prompt, self, &model.config)?;
        let result = |clean: Measurement, cut: &[Option<Measurement>]| AttentionKnockout {
            spec: self.clone(),
            prompt: prompt.clone(),
            clean,
            cut: Grid::new(n_layers, cut.to_vec()),
        };
        sweep_map(lab, &conditions, &Donors::new(), result, AnalysisResult::AttentionKnockout)
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let Sizes { config, prompt, .. } = *sizes;
        let n_abreast = self.edges.len() * config.n_layers;
        let to = self.edges.iter().filter_map(|it| it.to.ranges(prompt).ok()).flatten();
        sizes.sweep(&SweepSize {
            n_conditions: n_abreast as u64,
            n_interventions: self.window.min(sizes.config.n_layers),
            n_bases: 1,
            n_abreast,
            first_pos: first_of(&to.collect::<Vec<_>>()),
            begin_at: in_all_layers(config, Site::AttnScores),
        })
    }
}

/// The conditions: the clean run, then every set of edges, layer by layer.
///
/// # Errors
///
/// If the prompt lacks tokens that are named, or a token would have no token left to attend to.
pub fn plan(
    prompt: &TokenizedPrompt,
    spec: &Spec,
    config: &ModelConfig,
) -> Result<Vec<Condition>, AnalysisError> {
    let n_layers = config.n_layers;
    let mut conditions = vec![Vec::new()];
    for edges in &spec.edges {
        let (from, to) = (edges.from.ranges(prompt)?, edges.to.ranges(prompt)?);
        for query in to.iter().cloned().flatten() {
            let is_cut = |key: usize| from.iter().any(|range| range.contains(&key));
            for layer in 0..n_layers {
                check_key_left(config, layer, query, is_cut)?;
            }
        }
        for layer in 0..n_layers {
            let mut condition = Vec::new();
            for layer in window(layer, spec.window, n_layers) {
                for queries in &to {
                    condition.extend(from.iter().map(|keys| {
                        let queries = Span::Only(queries.clone());
                        let cut = Edit::Block;
                        Intervention::at(Site::AttnScores(layer), queries, cut)
                            .of_units(Span::Only(keys.clone()))
                    }));
                }
            }
            conditions.push(condition);
        }
    }
    Ok(conditions)
}
