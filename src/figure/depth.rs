//! Bars in order of depth: what each is of, and which of them share a place over the layers.

use std::ops::Range;

use serde::Serialize;

use super::Bars;

/// What a bar over depth is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DepthPart {
    /// What is there before the first layer.
    Embedding,
    Attention,
    Mlp,

    /// What the final layer norm adds.
    FinalNorm,

    /// The sum of all.
    Sum,
}

/// Bars that share a place along the axis: those of a layer, or those of the embeddings.
#[derive(Clone, Debug, PartialEq)]
pub struct DepthPlace {
    /// Its middle, in widths of a layer.
    pub at: f32,

    /// `None` for what comes before or after all layers.
    pub layer: Option<usize>,

    /// What stands below it.
    pub label: String,

    /// Which of the bars stand there.
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

/// What the bars of a place take of its width.
const FILLED: f32 = 0.72;

/// What is of no layer stands apart by so much more, in widths of a layer.
const APART: f32 = 0.6;

impl DepthPart {
    /// In the order of the legend.
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

    /// What stands below a bar that is of no layer.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::{Bar, Pick};

    #[test]
    fn what_is_of_one_layer_shares_a_place_and_the_rest_stands_apart() {
        use DepthPart::{Attention, Embedding, Mlp, Sum};

        let bar = |pick: Pick| Bar { label: String::new(), value: -1.0, pick };
        let layer = |nth: usize| bar(Pick::layer(nth));
        let none = || bar(Pick::default());
        let mut bars = Bars::new(
            "Parts",
            "Logits",
            vec![none(), none(), layer(0), layer(0), layer(1), none()],
        );
        bars.parts = vec![Embedding, Embedding, Attention, Mlp, Attention, Sum];
        let places = bars.depth_places();
        let labels: Vec<&str> = places.iter().map(|it| &*it.label).collect();
        assert_eq!(labels, ["emb", "0", "1", "sum"]);
        let steps: Vec<f32> = places.windows(2).map(|it| it[1].at - it[0].at).collect();
        assert!(steps[1] < steps[0] && steps[1] < steps[2], "{steps:?}");

        let starts = [0.0, -1.0, -2.0, -3.0, -4.0, 0.0];
        let shown = bars.depth_bars(&starts);
        assert_eq!(shown.len(), bars.bars.len());
        assert!(shown.windows(2).all(|it| it[0].edges[1] <= it[1].edges[0] + 1e-6));
        assert_eq!(shown[4].ends, [-4.0, -5.0]);
        assert!(shown[4].takes_away && !shown[5].takes_away, "a sum stands on zero");
        assert!(bars.depth_bars(&[]).iter().all(|it| !it.takes_away));
    }
}
