//! The largest values of two maps, and how many layers they are apart.

use serde::{Deserialize, Serialize};

use super::Role;
use crate::analysis::largest::largest_by_size;
use crate::analysis::{Correlation, Grid};

/// The largest absolute value of each map, along one row of a trace or among all components.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peaks {
    /// The values among which the peak is the largest.
    pub of: PeakOf,

    /// The peak of the fact's map and of the inverse's.
    pub at: [Peak; 2],

    /// The inverse's layer minus the fact's.
    pub layers: i64,

    /// The distance as a share of that from the first layer to the last.
    pub depth: f64,

    /// How alike the two profiles over layers are.
    pub likeness: Correlation,
}

/// The values among which a peak is the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PeakOf {
    /// The row of a trace with this role.
    Role(Role),

    /// All components.
    Part,

    /// The sums of absolute values over the components of each layer.
    Layer,
}

/// A peak of a map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peak {
    pub layer: usize,
    pub head: Option<usize>,
    pub value: f64,
}

/// The largest absolute value of a map that counts as flat, because it may come from rounding.
const FLAT: f64 = 1e-7;

/// The peaks of each role that both maps have and that is not flat.
pub(super) fn peaks_by_role(roles: &[Role], maps: &[Grid<Option<f32>>; 2]) -> Vec<Peaks> {
    let rows = roles.iter().zip(maps[0].rows().zip(maps[1].rows()));
    rows.filter(|(role, _)| role.follows_subject())
        .filter_map(|(role, (a, b))| {
            let profile = |row: &[Option<f32>]| -> Option<Vec<f64>> {
                row.iter().map(|it| it.map(f64::from)).collect()
            };
            let profiles = [profile(a)?, profile(b)?];
            peaks_of(PeakOf::Role(*role), profiles.each_ref().map(|it| peak(it)), &profiles)
        })
        .collect()
}

pub(super) fn peaks_of_parts(a: &[f64], b: &[f64], n_layers: usize) -> Vec<Peaks> {
    let n_columns = a.len() / n_layers;
    let largest_part = |values: &[f64]| {
        let at = largest_by_size(values, 1)[0];
        let head = (n_columns > 1).then_some(at % n_columns);
        Peak { layer: at / n_columns, head, value: values[at] }
    };
    let profile = |values: &[f64], fold: fn(f64, f64) -> f64| -> Vec<f64> {
        let sizes = |layer: &[f64]| layer.iter().map(|it| it.abs()).fold(0.0, fold);
        values.chunks(n_columns).map(sizes).collect()
    };
    let mut found = Vec::new();
    let profiles = [profile(a, f64::max), profile(b, f64::max)];
    found.extend(peaks_of(PeakOf::Part, [largest_part(a), largest_part(b)], &profiles));
    if n_columns > 1 {
        let profiles = [a, b].map(|it| profile(it, |sum, it| sum + it));
        found.extend(peaks_of(PeakOf::Layer, profiles.each_ref().map(|it| peak(it)), &profiles));
    }
    found
}

/// The peak of a profile over layers.
fn peak(profile: &[f64]) -> Peak {
    let layer = largest_by_size(profile, 1)[0];
    Peak { layer, head: None, value: profile[layer] }
}

/// The two peaks. `None` if one of the maps is flat.
fn peaks_of(of: PeakOf, peaks: [Peak; 2], profiles: &[Vec<f64>; 2]) -> Option<Peaks> {
    if peaks.iter().any(|it| it.value.abs() <= FLAT) {
        return None;
    }
    let layers = peaks[1].layer as i64 - peaks[0].layer as i64;
    let n_steps = profiles[0].len().saturating_sub(1).max(1);
    let likeness = Correlation::of(&profiles[0], &profiles[1]);
    Some(Peaks { of, at: peaks, layers, depth: layers as f64 / n_steps as f64, likeness })
}
