//! Cutting painted attention edges: settings, and what is asked with them.

use std::collections::BTreeSet;

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::{About, Asks, Study, number_ui};
use crate::analysis::AnalysisSpec;
use crate::analysis::edge_cut::{self, Spec};
use crate::ui::widgets::number_field;

/// Where painted edges are cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The first layer and the last. `None` stands for the model's own.
    first: Option<usize>,
    last: Option<usize>,

    /// Whether edges are cut only in the head that is picked out across the views.
    is_of_head: bool,
}

/// How many of the likeliest tokens are listed.
const N_TOP: usize = 5;

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        // Kept from a time when the prompt was longer.
        let is_there = |edge: &&edge_cut::Edge| edge.query < about.prompt.n_pos();
        let edges: BTreeSet<_> = about.painted.iter().filter(is_there).copied().collect();
        if edges.is_empty() {
            return Err("Drag over the map of the mode Pattern to paint what is cut".to_owned());
        }
        let (first, last) = self.layers(about.n_layers());
        let head = about.selection.head.unwrap_or(0).min(about.n_heads() - 1);
        let heads = self.is_of_head.then(|| BTreeSet::from([head]));
        let spec = Spec { edges, layers: first..last + 1, heads, n_top: N_TOP };
        edge_cut::plan(about.prompt, &spec, &about.info.config)
            .map_err(|error| error.to_string())?;
        Ok(AnalysisSpec::EdgeCut(spec))
    }

    fn shows(&self, _: &AnalysisSpec) -> bool {
        // The edges are painted in the pattern.
        false
    }

    /// Edges are painted in the prompt that is looked at.
    fn asks(&self) -> Asks {
        Asks::ThisRow
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| self.where_ui(ui, about.n_layers()));
    }
}

impl Settings {
    /// The first and the last layer.
    fn layers(&self, n_layers: usize) -> (usize, usize) {
        let first = self.first.unwrap_or(0).min(n_layers - 1);
        (first, self.last.unwrap_or(n_layers - 1).clamp(first, n_layers - 1))
    }

    /// The layers and heads.
    pub fn where_ui(&mut self, ui: &mut Ui, n_layers: usize) {
        let (mut first, mut last) = self.layers(n_layers);
        let from = number_field(&mut first).range(0..=n_layers - 1);
        let about = "The first layer in which the painted edges are cut";
        if number_ui(ui, "Cut in layers", about, from).changed() {
            self.first = (first > 0).then_some(first);
            if first > last {
                self.last = (first < n_layers - 1).then_some(first);
            }
        }
        let to = number_field(&mut last).range(first..=n_layers - 1);
        let about = "The last layer in which the painted edges are cut";
        if number_ui(ui, "to", about, to).changed() {
            self.last = (last < n_layers - 1).then_some(last);
        }
        ui.checkbox(&mut self.is_of_head, "This head only")
            .on_hover_text("Not in all heads, but in the one that is picked out, in each layer");
    }
}
