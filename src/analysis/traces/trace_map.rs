//! Which cells a trace's map has, and what is exchanged together in each.

use std::ops::Range;
use std::slice::from_ref;

use serde::{Deserialize, Serialize};

use crate::analysis::causal_trace::{Component, Direction, Spec};
use crate::analysis::{AnalysisError, Positions};
use crate::intervention::{Condition, Donor, Edit, Intervention, Site, Span};
use crate::tokens::TokenizedPrompt;

/// The columns of a map; its rows are layers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Map {
    /// Every token by itself. ROME.
    #[default]
    Tokens,

    /// Some tokens together, in windows of several widths: a column for each width. Here the
    /// residual stream has windows too, and the spec's own is not used.
    Together { at: Positions, widths: Vec<usize> },

    /// The output `z` of every head by itself, at some tokens together; of the heads of that number
    /// in every layer of the window.
    Heads { at: Positions },
}

impl Map {
    pub fn n_columns(&self, n_pos: usize, n_heads: usize) -> usize {
        match self {
            Self::Tokens => n_pos,
            Self::Together { widths, .. } => widths.len(),
            Self::Heads { .. } => n_heads,
        }
    }
}

impl Spec {
    /// The layers exchanged for the cell of `layer`, in a map of single tokens or heads. ROME: from
    /// `layer - window / 2` up to `layer + ceil(window / 2)`, clipped.
    pub fn layers(&self, layer: usize, n_layers: usize) -> Range<usize> {
        let width = if self.component == Component::Hidden { 1 } else { self.window };
        window(layer, width, n_layers)
    }

    /// The same in a window of a map's own width.
    pub fn window_of(layer: usize, width: usize, n_layers: usize) -> Range<usize> {
        window(layer, width, n_layers)
    }

    /// Where activations are exchanged.
    pub(in crate::analysis) fn site(&self, layer: usize) -> Site {
        match self.map {
            Map::Heads { .. } => Site::Z(layer),
            Map::Tokens | Map::Together { .. } => self.component.site(layer),
        }
    }

    /// What puts the clean activations of one token back.
    pub(in crate::analysis) fn restore(
        &self,
        layer: usize,
        pos: usize,
        n_layers: usize,
    ) -> Condition {
        let at = pos..pos + 1;
        let layers = self.layers(layer, n_layers);
        layers.map(|it| copy(self.site(it), &at, Donor::Clean)).collect()
    }
}

/// First the corrupted runs, then every cell, layer by layer, each once for every sample.
/// `corruptions`: what is done to the subject, one for each sample.
///
/// # Errors
///
/// If the prompt has no subject, or lacks the tokens that are named.
pub fn plan(
    prompt: &TokenizedPrompt,
    spec: &Spec,
    corruptions: &[Intervention],
    n_layers: usize,
    n_heads: usize,
) -> Result<Vec<Condition>, AnalysisError> {
    let subject = prompt.subject.clone().ok_or(AnalysisError::NoSubject)?;
    let together = match &spec.map {
        Map::Tokens => Vec::new(),
        Map::Together { at, .. } | Map::Heads { at } => at.ranges(prompt)?,
    };
    // What comes before the subject is the same in all runs, and need not be copied.
    let together: Vec<Range<usize>> = together
        .into_iter()
        .flat_map(|it| {
            let middle = subject.start.clamp(it.start, it.end);
            [it.start..middle, middle..it.end]
        })
        .filter(|it| !it.is_empty())
        .collect();

    let mut conditions: Vec<Condition> = corruptions.iter().map(|it| vec![it.clone()]).collect();
    for layer in 0..n_layers {
        for column in 0..spec.map.n_columns(prompt.n_pos(), n_heads) {
            let (layers, heads) = match &spec.map {
                Map::Tokens => (spec.layers(layer, n_layers), Span::All),
                Map::Together { widths, .. } => {
                    (window(layer, widths[column], n_layers), Span::All)
                }
                Map::Heads { .. } => (spec.layers(layer, n_layers), Span::one(column)),
            };
            let token = column..column + 1;
            let cell = Cell {
                layers,
                heads,
                at: if spec.map == Map::Tokens { from_ref(&token) } else { &together },
            };
            for (sample, corrupt) in corruptions.iter().enumerate() {
                let corrupted = Donor::Corrupted { first: subject.start, sample };
                conditions.push(match spec.direction {
                    Direction::Denoise => {
                        let exchanged = cell.exchange(spec, n_layers, Donor::Clean, corrupted);
                        [corrupt.clone()].into_iter().chain(exchanged).collect()
                    }
                    Direction::Noise => cell.exchange(spec, n_layers, corrupted, Donor::Clean),
                });
            }
        }
    }
    Ok(conditions)
}

/// One cell of a map.
struct Cell<'a> {
    layers: Range<usize>,
    heads: Span,
    at: &'a [Range<usize>],
}

impl Cell<'_> {
    /// Puts activations of the `giver` in. What is severed keeps those of the run that is `changed`.
    fn exchange(&self, spec: &Spec, n_layers: usize, giver: Donor, changed: Donor) -> Condition {
        let mut condition = Condition::new();
        for layer in self.layers.clone() {
            let copies = self.at.iter().map(|at| copy(spec.site(layer), at, giver));
            condition.extend(copies.map(|it| it.of_heads(self.heads.clone())));
        }
        let Some(severed) = spec.sever else { return condition };
        // What is exchanged is not held.
        let exchanged: Vec<Site> =
            self.layers.clone().map(|layer| spec.component.site(layer)).collect();
        let reacting = self.reacting(spec.component, n_layers).map(|layer| severed.site(layer));
        let held = reacting.filter(|site| !exchanged.contains(site));
        for site in held.take(spec.sever_layers.unwrap_or(n_layers)) {
            condition.extend(self.at.iter().map(|at| copy(site, at, changed)));
        }
        condition
    }

    /// The layers that the change may reach: all that ROME freezes, less those that have their
    /// values already.
    fn reacting(&self, component: Component, n_layers: usize) -> Range<usize> {
        match component {
            // The residual stream after a layer is overwritten whatever the layer did.
            Component::Hidden => self.layers.end..n_layers,
            // Attention comes before the MLP of its layer.
            Component::Mlp => self.layers.start + 1..n_layers,
            Component::Attn => self.layers.start..n_layers,
        }
    }
}

fn copy(site: Site, at: &Range<usize>, donor: Donor) -> Intervention {
    let positions = Span::Only(at.clone());
    Intervention::at(site, positions.clone(), Edit::CopyFrom { donor, positions })
}

/// From `layer - width / 2` up to `layer + ceil(width / 2)`, clipped.
pub(in crate::analysis) fn window(layer: usize, width: usize, n_layers: usize) -> Range<usize> {
    layer.saturating_sub(width / 2)..(layer + width.div_ceil(2)).min(n_layers)
}
