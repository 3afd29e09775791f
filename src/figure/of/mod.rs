//! The figure of each result: one file per analysis.

use serde::{Deserialize, Serialize};

use super::words;
use super::{Bar, Bars, Figure, Map, Pick, Side};
use crate::analysis::attribution_patching::AttributionPatching;
use crate::analysis::{AnalysisResult, Metric, for_each_method};
use crate::tokens::{Tokenizer, visible};

mod ablation;
mod accumulated_resid;
mod activation_patching;
mod atp_star;
mod attention;
mod attention_knockout;
mod attribution_difference;
mod attribution_patching;
mod causal_trace;
mod circuit;
mod comparison;
mod composition;
mod contribution_graph;
mod corruption;
mod corruption_bench;
mod edge_attribution;
mod edge_cut;
mod generation;
mod head_scores;
mod logit_attribution;
mod logit_lens;
mod neuron_ablation;
mod neuron_attribution;
mod parts;
mod path_patching;
mod prediction;
mod rank_one_edit;
mod residual_norms;
mod running_sum;
mod source_attribution;
mod steering;
mod through_head;
mod trace_average;
mod trace_difference;
mod trace_cell;

pub use attention::attention_map;
pub use logit_lens::LensForm;
pub use running_sum::AttributionForm;
use running_sum::{running_sums, waterfall};

/// How a result is looked at. Nothing here changes what was found.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// Where a result lacks it, the probability of the answer's first token is shown.
    pub metric: Metric,

    /// What of it a map of patched runs shows.
    pub effect: Effect,

    /// How a logit that is split up is drawn.
    pub attribution: AttributionForm,

    /// Whose probability a logit lens shows.
    pub lens: LensForm,

    /// What is looked at where a result has more than one figure can show.
    pub pick: Pick,

    /// How long lists may be.
    pub n_listed: usize,

    /// The layer whose MLP was taught the fact, if that is known.
    pub planted: Option<usize>,

    /// Stands in for the cells of its trace that are not computed yet.
    pub estimate: Option<&'a AttributionPatching>,

    /// For the text of token ids in results.
    pub tokenizer: &'a Tokenizer,
}

/// What a map of patched runs shows of a metric, see [`crate::analysis::effects`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The metric itself, in each patched run.
    #[default]
    Score,
    Indirect,
    Direct,
    Recovery,
}

impl<'a> Look<'a> {
    /// Nothing picked, and the metric that the papers show.
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self {
            metric: Metric::default(),
            effect: Effect::default(),
            attribution: AttributionForm::default(),
            lens: LensForm::default(),
            pick: Pick::default(),
            n_listed: 20,
            planted: None,
            estimate: None,
            tokenizer,
        }
    }

    /// Layers along an axis, the one that holds the fact set apart.
    fn layers(&self, title: &str, n_layers: usize) -> Side {
        // Some maps end before that layer.
        let planted = self.planted.filter(|layer| *layer < n_layers);
        let marked = planted.map_or(0..0, |layer| layer..layer + 1);
        Side::layers(title, n_layers).marking(marked)
    }

    /// Below a figure that sets it apart.
    fn explain_planted(&self, notes: &mut Vec<String>) {
        notes.extend(self.planted.map(words::planted));
    }

    /// With its bytes where it is a part of a character, which says nothing as text.
    fn token(&self, id: u32) -> String {
        let text = visible(&self.tokenizer.piece(id));
        if !text.contains('\u{fffd}') {
            return text;
        }
        let bytes = self.tokenizer.bytes(id);
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        format!("{text} ({})", bytes.join(" "))
    }
}

/// Draws the result of each method of a list by the function `figure` in the module of its name.
macro_rules! draw_methods {
    ($($method:ident: $module:ident,)*) => {
        fn draw(result: &AnalysisResult, look: &$crate::figure::Look<'_>) -> $crate::figure::Figure {
            match result { $(AnalysisResult::$method(found) => $module::figure(found, look),)* }
        }
    };
}
#[cfg(test)]
pub(crate) use draw_methods;

for_each_method!(draw_methods);

impl Figure {
    /// The one picture of a result: what the window draws, the terminal prints and files hold.
    pub fn of(result: &AnalysisResult, look: &Look<'_>) -> Self {
        let mut figure = draw(result, look);
        figure.notes.extend(result.prompt().map(words::prompt));
        figure
    }
}

/// A number for each head, from red to blue.
struct HeadMap<'a> {
    name: &'a str,
    quantity: &'a str,
    n_layers: usize,
    n_heads: usize,

    /// By layer and head; NaN where there is none.
    value: &'a dyn Fn(usize, usize) -> f32,
}

impl HeadMap<'_> {
    fn map(&self, look: &Look<'_>) -> Map {
        let layers = look.layers("Layer", self.n_layers);
        let values = by_row(self.n_heads, self.n_layers, |head, layer| (self.value)(layer, head));
        Map::new(self.name, Side::heads(self.n_heads), layers, values, self.quantity).diverging()
    }

    /// Those that matter most, whichever way.
    fn largest(&self, look: &Look<'_>) -> Bars {
        let heads =
            (0..self.n_layers).flat_map(|layer| (0..self.n_heads).map(move |it| (layer, it)));
        let mut bars: Vec<Bar> = heads
            .map(|(layer, head)| {
                Bar::new(format!("L{layer} H{head}"), (self.value)(layer, head))
                    .about(Pick::head(layer, head))
            })
            .filter(|bar| bar.value.is_finite())
            .collect();
        bars.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
        bars.truncate(look.n_listed);
        let name = "Largest heads".to_owned();
        Bars::new(name, self.quantity.to_owned(), bars)
    }
}

/// Values of a map, one row after the other.
fn by_row<T>(n_rows: usize, n_columns: usize, mut value: impl FnMut(usize, usize) -> T) -> Vec<T> {
    let mut values = Vec::with_capacity(n_rows * n_columns);
    for row in 0..n_rows {
        values.extend((0..n_columns).map(|column| value(row, column)));
    }
    values
}
