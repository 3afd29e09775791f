//! A chart of quantities over layers, with intervals.

use serde::Serialize;

/// Quantities over layers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lines {
    pub name: String,
    pub quantity: String,

    /// The title of the axis of layers.
    pub layer_title: String,
    pub series: Vec<Series>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    pub name: String,

    /// A number for each layer; NaN where there is none.
    pub values: Vec<f32>,

    /// The interval of each number, from low to high; NaN where there is none. As many as values, or
    /// no intervals.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub band: Vec<(f32, f32)>,
}

impl Lines {
    pub fn new(
        name: impl Into<String>,
        quantity: impl Into<String>,
        layer_title: impl Into<String>,
        series: impl IntoIterator<Item = Series>,
    ) -> Self {
        let series = series.into_iter().collect();
        Self {
            name: name.into(),
            quantity: quantity.into(),
            layer_title: layer_title.into(),
            series,
        }
    }

    pub(super) fn has_bands(&self) -> bool {
        self.series.iter().any(|it| !it.band.is_empty())
    }
}

impl Series {
    /// A series without intervals. `values`: by layer.
    pub fn new(name: impl Into<String>, values: impl IntoIterator<Item = f32>) -> Self {
        Self { name: name.into(), values: values.into_iter().collect(), band: Vec::new() }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.band.is_empty() || self.band.len() == self.values.len()
    }

    /// The ends of a layer's interval, NaN where there is none.
    pub(super) fn ends(&self, layer: usize) -> (f32, f32) {
        self.band.get(layer).copied().unwrap_or((f32::NAN, f32::NAN))
    }
}

/// The pieces of a [`Series::band`] that hang together, each as the layers and their ends.
pub fn band_pieces(band: &[(f32, f32)]) -> Vec<Vec<(usize, f32, f32)>> {
    let ends = band.iter().enumerate().map(|(layer, &(low, high))| (layer, low, high));
    let ends: Vec<_> = ends.collect();
    let pieces = ends.split(|(_, low, high)| !(low.is_finite() && high.is_finite()));
    pieces.filter(|it| it.len() > 1).map(<[_]>::to_vec).collect()
}
