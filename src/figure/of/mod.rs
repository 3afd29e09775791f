//! The figure of each result: one file per analysis.

use serde::{Deserialize, Serialize};

use super::export::file_name;
use super::words::{self, checksum};
use super::{
    AskedModel, Bar, Bars, Cell, Chart, Figure, Key, Map, Pick, Point, Row, Scatter, Side, Table,
};
use crate::analysis::attribution_patching::AttributionPatching;
use crate::analysis::{AnalysisResult, AnalysisSpec, Grid, Metric, for_each_method};
use crate::tokens::{TokenizedPrompt, Tokenizer, visible};

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
mod reach;
mod residual_norms;
mod running_sum;
mod source_attribution;
mod steering;
mod through_head;
mod trace_average;
mod trace_difference;
mod trace_cell;

pub use attention::{
    HeadPicture, Shade, about_attention_end, attention_end, attention_map, head_picture,
    head_picture_side,
};
pub use logit_lens::LensForm;
pub use running_sum::AttributionForm;
use running_sum::{running_sums, waterfall};

/// How a result is looked at. Nothing here changes what was found.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The metric that is shown; where a result lacks it, the probability of the answer's first token.
    pub metric: Metric,

    /// Which effect on the metric a map of patched runs shows.
    pub effect: Effect,

    /// The form in which a logit that is split up is drawn.
    pub attribution: AttributionForm,

    /// Whose probability a logit lens shows.
    pub lens: LensForm,

    /// The place that is looked at, where a result has more than one figure can show.
    pub pick: Pick,

    /// The most rows of a list.
    pub n_listed: usize,

    /// The layer whose MLP was taught the fact, if that is known.
    pub planted: Option<usize>,

    /// Estimates that stand in for the cells of their trace that are not computed yet.
    pub estimate: Option<&'a AttributionPatching>,

    /// The model that the result is of, for the figures that name it.
    pub model: Option<AskedModel<'a>>,

    /// The tokenizer that turns token ids of results into text.
    pub tokenizer: &'a Tokenizer,
}

/// A [`Look`] that can be kept: how a result that is whole is looked at, without what the look borrows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    metric: Metric,
    effect: Effect,
    attribution: AttributionForm,
    lens: LensForm,
    pick: Pick,
    n_listed: usize,
    planted: Option<usize>,
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

/// The length of the longest list that a spec asks for. 0 if it asks for none.
fn n_asked(spec: &AnalysisSpec) -> usize {
    let spec = serde_json::to_value(spec).unwrap_or_default();
    let spec = spec.as_object().and_then(|it| it.values().next());
    let n = |key: &str| spec.and_then(|it| it.get(key)?.as_u64()).unwrap_or(0) as usize;
    ["n_top", "n_tokens", "n_verified"].map(n).into_iter().max().unwrap_or(0)
}

impl<'a> Look<'a> {
    /// A look at the result of a spec, whose lists are as long as the spec asks for, or longer.
    pub fn listing(spec: &AnalysisSpec, tokenizer: &'a Tokenizer) -> Self {
        let usual = Self::new(tokenizer);
        Self { n_listed: n_asked(spec).max(usual.n_listed), ..usual }
    }

    /// A look at the metric that the papers show, without a pick.
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
            model: None,
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

    /// Whether heads share keys and values. `None` where the model is not known.
    fn shares_keys(&self, n_heads: usize) -> Option<bool> {
        self.model.map(|model| model.n_kv_heads < n_heads)
    }

    /// How heads share keys and values, where they do.
    fn about_key_heads(&self, n_heads: usize) -> Option<String> {
        let n = self.model?.n_kv_heads;
        (n < n_heads).then(|| {
            let group = n_heads / n;
            format!(
                "Keys and values are those of {n} key heads in each layer: key head 0 serves heads 0 to \
                 {}, and so on",
                group - 1
            )
        })
    }

    /// The token that is picked, if the prompt has it; else the last.
    fn position(&self, prompt: &TokenizedPrompt) -> usize {
        self.pick.position.filter(|&pos| pos < prompt.n_pos()).unwrap_or_else(|| prompt.last())
    }

    /// A part of a prompt, in quotes; what is very long is cut, with a checksum of all tokens.
    fn text(&self, ids: &[u32]) -> String {
        const LONGEST: usize = 80;
        let text = self.tokenizer.readable_text(ids).trim().replace('\n', "↩");
        match text.char_indices().nth(LONGEST) {
            None => format!("“{text}”"),
            Some((end, _)) => format!("“{}…” {}", &text[..end], checksum(ids)),
        }
    }

    /// A token's text.
    fn token(&self, id: u32) -> String {
        self.tokenizer.shown(id)
    }
}

impl Looked {
    /// This look, at a model with a tokenizer.
    pub fn look(self, tokenizer: &Tokenizer) -> Look<'_> {
        let Self { metric, effect, attribution, lens, pick, n_listed, planted } = self;
        let usual = Look::new(tokenizer);
        Look { metric, effect, attribution, lens, pick, n_listed, planted, ..usual }
    }
}

impl From<&Look<'_>> for Looked {
    fn from(look: &Look<'_>) -> Self {
        let Look { metric, effect, attribution, lens, pick, n_listed, planted, .. } = *look;
        Self { metric, effect, attribution, lens, pick, n_listed, planted }
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
        Self::finished(draw(result, look), result, look)
    }

    /// With what figures of all methods say.
    fn finished(mut figure: Self, result: &AnalysisResult, look: &Look<'_>) -> Self {
        figure.file_name = file_name(result.prompt(), result.name());
        let planted = look.planted.filter(|_| figure.charts.iter().any(has_layers));
        figure.notes.extend(planted.map(words::planted));
        figure.notes.extend(result.prompt().map(words::prompt));
        figure.made_with.extend(look.model.map(|it| it.note()));
        figure
    }

    /// All pictures of a result, of which the one picture may show a part: the heads of one layer.
    pub fn all_of(result: &AnalysisResult, look: &Look<'_>) -> Vec<Self> {
        let others = match result {
            AnalysisResult::Attention(found) => attention::other_layers(found, look),
            _ => Vec::new(),
        };
        let others = others.into_iter().map(|it| Self::finished(it, result, look));
        [Self::of(result, look)].into_iter().chain(others).collect()
    }
}

/// Whether layers stand along a side of a chart.
fn has_layers(chart: &Chart) -> bool {
    match chart {
        Chart::Map(map) => {
            let is_layer = |key: &Key| matches!(key, Key::Layer(_));
            [&map.rows, &map.columns].iter().any(|side| side.keys.iter().any(is_layer))
        }
        Chart::Bars(bars) => !bars.parts.is_empty(),
        Chart::Waterfall(it) => !it.bars.parts.is_empty(),
        Chart::Lines(_) => true,
        Chart::Graph(_) | Chart::Scatter(_) | Chart::Table(_) => false,
    }
}

/// A number for each head, from red to blue. `size`: how many layers, and heads in each. `value`: by
/// layer and head; NaN where there is none.
fn head_map(
    name: &str,
    quantity: &str,
    [n_layers, n_heads]: [usize; 2],
    look: &Look<'_>,
    value: impl Fn(usize, usize) -> f32,
) -> Map {
    let layers = look.layers("Layer", n_layers);
    let values = by_row(n_heads, n_layers, |head, layer| value(layer, head));
    Map::new(name, Side::heads(n_heads), layers, values, quantity).diverging()
}

/// How many rows and columns a grid has.
fn size<T>(grid: &Grid<T>) -> [usize; 2] {
    [grid.n_rows(), grid.n_columns()]
}

/// The cell of a grid, or no number where it has none.
fn number(grid: &Grid<f32>, row: usize, column: usize) -> f32 {
    grid.get(row, column).copied().unwrap_or(f32::NAN)
}

/// The heads of a [`head_map`] that matter most, whichever way.
fn largest_heads(map: &Map, look: &Look<'_>) -> Chart {
    let bar = |(nth, &value): (usize, &f32)| {
        let (head, layer) = (nth / map.n_columns(), nth % map.n_columns());
        Bar::new(format!("L{layer} H{head}"), value).about(Pick::head(layer, head))
    };
    let bars = map.values.iter().enumerate().map(bar).collect();
    Chart::Bars(Bars::new("Largest heads", &*map.quantity, largest(bars, look.n_listed)))
}

/// The bars that matter most, whichever way.
fn largest(mut bars: Vec<Bar>, n: usize) -> Vec<Bar> {
    bars.retain(|it| it.value.is_finite());
    bars.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
    bars.truncate(n);
    bars
}

/// What was estimated of a metric against what was measured.
fn estimates_against(
    name: &str,
    measured: &str,
    change_of: &str,
    points: impl IntoIterator<Item = Point>,
) -> Chart {
    Chart::Scatter(Scatter {
        name: name.to_owned(),
        x_title: format!("Estimated {change_of}"),
        y_title: format!("{measured} {change_of}"),
        points: points.into_iter().collect(),
        has_diagonal: true,
        is_set: false,
    })
}

/// The likeliest next tokens of several runs beside each other: for each run its heading, and for each
/// token its id and probability.
fn next_tokens(runs: &[(&str, Vec<(u32, f32)>)], look: &Look<'_>) -> Table {
    let n = runs.iter().map(|it| it.1.len()).max().unwrap_or(0).min(look.n_listed);
    let row = |nth: usize| {
        let cells = runs.iter().flat_map(|(_, tokens)| match tokens.get(nth) {
            Some(&(id, prob)) => [Cell::Token(look.token(id)), Cell::Number(prob)],
            None => [Cell::Token(String::new()), Cell::Number(f32::NAN)],
        });
        Row::new([Cell::Number(nth as f32 + 1.0)].into_iter().chain(cells))
    };
    let columns = ["Rank"].into_iter().chain(runs.iter().flat_map(|it| [it.0, "Probability"]));
    Table::new("Next token", columns, (0..n).map(row))
}

/// How many of those that were asked for are listed; `None` if all are.
fn listed(n_listed: usize, n: usize, what: &str) -> Option<String> {
    (n_listed < n).then(|| format!("{n_listed} of {n} {what} listed"))
}

/// A number of each token of a prompt, as bars.
fn token_bars<'a>(
    prompt: &'a TokenizedPrompt,
    values: &'a [f32],
    pick: Pick,
) -> impl Iterator<Item = Bar> {
    prompt.pieces.iter().zip(values).enumerate().map(move |(pos, (piece, &value))| {
        Bar::new(format!("{pos} {}", visible(piece)), value)
            .about(Pick { position: Some(pos), ..pick })
    })
}

/// Values of a map, one row after the other.
fn by_row<T>(n_rows: usize, n_columns: usize, mut value: impl FnMut(usize, usize) -> T) -> Vec<T> {
    let mut values = Vec::with_capacity(n_rows * n_columns);
    for row in 0..n_rows {
        values.extend((0..n_columns).map(|column| value(row, column)));
    }
    values
}
