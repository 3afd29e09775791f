//! The cells of a trace's map, and the activations that are exchanged together in each.

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
    /// A column for each token, as in ROME.
    #[default]
    Tokens,

    /// A column for each width of window, with some tokens exchanged together. Here hidden states
    /// have windows too, and the spec's own window is not used.
    Together { at: Positions, widths: Vec<usize> },

    /// A column for each head, whose output `z` is exchanged at some tokens together. In a window
    /// of several layers the heads of the same number are exchanged together.
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
    /// The layers that are exchanged for the cell of `layer`, in a map of single tokens or heads:
    /// from `layer - window / 2` up to `layer + ceil(window / 2)`, clipped, as in ROME.
    pub fn layers(&self, layer: usize, n_layers: usize) -> Range<usize> {
        let width = if self.component == Component::Hidden { 1 } else { self.window };
        window(layer, width, n_layers)
    }

    /// The site whose activations are exchanged.
    pub(in crate::analysis) fn site(&self, layer: usize) -> Site {
        match self.map {
            Map::Heads { .. } => Site::Z(layer),
            Map::Tokens | Map::Together { .. } => self.component.site(layer),
        }
    }

    /// The condition that restores the clean activations of one token.
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

/// The conditions of a trace: first the corrupted runs, then every cell, layer by layer, each once
/// for every sample. `corruptions` change the subject, one for each sample.
///
/// # Errors
///
/// If the prompt has no subject, or lacks the positions that the map names.
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
    // Positions before the subject are a part of their own, because they are equal in all runs and
    // need not be copied.
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
    /// Puts in activations of the `giver`. Severed outputs keep their values of the run that is
    /// `changed`.
    fn exchange(&self, spec: &Spec, n_layers: usize, giver: Donor, changed: Donor) -> Condition {
        let mut condition = Condition::new();
        for layer in self.layers.clone() {
            let copies = self.at.iter().map(|at| copy(spec.site(layer), at, giver));
            condition.extend(copies.map(|it| it.of_heads(self.heads.clone())));
        }
        let Some(severed) = spec.sever else { return condition };
        // An activation that is exchanged cannot be held.
        let exchanged: Vec<Site> =
            self.layers.clone().map(|layer| spec.component.site(layer)).collect();
        let reacting = self.reacting(spec.component, n_layers).map(|layer| severed.site(layer));
        let held = reacting.filter(|site| !exchanged.contains(site));
        for site in held.take(spec.sever_layers.unwrap_or(n_layers)) {
            condition.extend(self.at.iter().map(|at| copy(site, at, changed)));
        }
        condition
    }

    /// The layers that the change can reach: those that ROME freezes, except where they keep their
    /// values anyway.
    fn reacting(&self, component: Component, n_layers: usize) -> Range<usize> {
        match component {
            // The residual stream after these layers is overwritten, whatever they compute.
            Component::Hidden => self.layers.end..n_layers,
            // A layer's attention comes before its MLP.
            Component::Mlp => self.layers.start + 1..n_layers,
            Component::Attn => self.layers.start..n_layers,
        }
    }
}

fn copy(site: Site, at: &Range<usize>, donor: Donor) -> Intervention {
    let positions = Span::Only(at.clone());
    Intervention::at(site, positions.clone(), Edit::CopyFrom { donor, positions })
}

/// The layers from `layer - width / 2` up to `layer + ceil(width / 2)`, clipped.
pub fn window(layer: usize, width: usize, n_layers: usize) -> Range<usize> {
    layer.saturating_sub(width / 2)..layer.saturating_add(width.div_ceil(2)).min(n_layers)
}
