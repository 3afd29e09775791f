//! Bars in order of depth: what each is of, and which of them share a place over the layers.

use std::ops::Range;

use serde::Serialize;

use super::Bars;

/// What a bar over depth is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DepthPart {
    /// An embedding, before the first layer.
    Embedding,
    Attention,
    Mlp,

    /// The final layer norm, behind the last layer.
    FinalNorm,

    /// The sum of all.
    Sum,
}

/// Bars that share a place along the axis: those of a layer, or those of the embeddings.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthPlace {
    /// The middle of the place, in widths of a layer.
    pub at: f32,

    /// `None` for what comes before or after all layers.
    pub layer: Option<usize>,

    /// The label below the place.
    pub label: String,

    /// The bars that stand there, by their index.
    pub bars: Range<usize>,
}

/// A bar as it stands over the layers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DepthBar {
    pub part: DepthPart,

    /// Left and right, in widths of a layer.
    pub edges: [f32; 2],

    /// Where it starts and ends, upwards.
    pub ends: [f32; 2],

    /// Drawn hollow: bars that do not stand on zero go both ways.
    pub takes_away: bool,
}

/// The share of a place's width that its bars take.
const FILLED: f32 = 0.72;

/// How much further bars of no layer stand from the layers, in widths of a layer.
const APART: f32 = 0.6;

impl DepthPart {
    /// All parts, in the order of the legend.
    pub const ALL: [Self; 5] =
        [Self::Attention, Self::Mlp, Self::Embedding, Self::FinalNorm, Self::Sum];

    pub fn name(self) -> &'static str {
        match self {
            Self::Embedding => "Embeddings (emb)",
            Self::Attention => "Attention",
            Self::Mlp => "MLP",
            Self::FinalNorm => "Final layer norm (ln_f)",
            Self::Sum => "Sum",
        }
    }

    /// The label below a bar that is of no layer.
    pub fn short_name(self) -> &'static str {
        match self {
            Self::Embedding => "emb",
            Self::Attention => "attn",
            Self::Mlp => "mlp",
            Self::FinalNorm => "ln_f",
            Self::Sum => "sum",
        }
    }
}

impl Bars {
    /// Where the bars stand along the axis, from left to right; none unless they are in order of depth.
    pub fn depth_places(&self) -> Vec<DepthPlace> {
        let mut places: Vec<DepthPlace> = Vec::new();
        for (nth, (bar, part)) in self.bars.iter().zip(&self.parts).enumerate() {
            let layer = bar.pick.layer;
            let label = layer.map_or_else(|| part.short_name().to_owned(), |it| it.to_string());
            let at = match places.last_mut() {
                Some(last) if last.label == label => {
                    last.bars.end = nth + 1;
                    continue;
                }
                Some(last) if last.layer.is_some() && layer.is_some() => last.at + 1.0,
                Some(last) => last.at + 1.0 + APART,
                None => 0.0,
            };
            places.push(DepthPlace { at, layer, label, bars: nth..nth + 1 });
        }
        places
    }

    /// The bars where they stand. `starts`: where they start; none if all do at zero.
    pub fn depth_bars(&self, starts: &[f32]) -> Vec<DepthBar> {
        let places = self.depth_places();
        let bars = places.iter().flat_map(|place| place.bars.clone().map(move |nth| (place, nth)));
        bars.map(|(place, nth)| {
            let (part, value) = (self.parts[nth], self.bars[nth].value);
            let start = starts.get(nth).copied().unwrap_or(0.0);
            DepthBar {
                part,
                edges: place.edges(nth),
                ends: [start, start + value],
                takes_away: !starts.is_empty() && part != DepthPart::Sum && value < 0.0,
            }
        })
        .collect()
    }
}

impl DepthPlace {
    /// The left and the right edge of one of its bars, in widths of a layer.
    pub fn edges(&self, nth: usize) -> [f32; 2] {
        let width = FILLED / self.bars.len() as f32;
        let left = self.at - FILLED / 2.0 + width * (nth - self.bars.start) as f32;
        [left, left + width]
    }
}
