//! Causal traces that others made of a model, and comparing them with ours.

use factscope::analysis::causal_trace::{self, Component, NoiseLevel};
use factscope::analysis::{Lab, Measurement, Method as _, Metric};
use factscope::intervention::NoiseRng;
use serde::Deserialize;

use super::support::{assert_close, trace_spec};

/// How traces were made, by ROME's procedure.
#[derive(Deserialize)]
pub struct HowTraced {
    noise_std: f64,
    n_samples: usize,
    seed: u32,

    /// In how many layers MLPs and attention are restored.
    #[serde(alias = "trace_window")]
    window: usize,
}

/// The traces of a fact.
#[derive(Deserialize)]
pub struct Traced {
    /// The answer's probability in the clean run.
    high_score: f32,

    /// The answer's probability in corrupted runs.
    low_score: f32,
    traces: Maps,
}

/// The answer's probability with what was restored. `[position][layer]`
#[derive(Deserialize)]
struct Maps {
    hidden: Vec<Vec<f32>>,
    mlp: Vec<Vec<f32>>,
    attn: Vec<Vec<f32>>,
}

impl Traced {
    /// Checks that our traces are these, and gives the answer's measurement in the clean run.
    /// `positions`: those of the maps' rows.
    pub fn check(
        &self,
        lab: &Lab<'_>,
        how: &HowTraced,
        positions: &(impl Iterator<Item = usize> + Clone),
        tolerance: f32,
        what: &str,
    ) -> Measurement {
        let mut clean = None;
        for (component, window, expected) in [
            (Component::Hidden, 1, &self.traces.hidden),
            (Component::Mlp, how.window, &self.traces.mlp),
            (Component::Attn, how.window, &self.traces.attn),
        ] {
            let spec = causal_trace::Spec {
                noise: NoiseLevel::Std(how.noise_std),
                rng: NoiseRng::Numpy,
                seed: how.seed,
                ..trace_spec(component, window, how.n_samples)
            };
            let trace = spec.run(lab).unwrap();
            let score = |runs: &[Measurement]| Measurement::mean(runs, Metric::Prob).unwrap();
            assert_close(&[trace.clean.prob], &[self.high_score], tolerance, what);
            assert_close(&[score(&trace.corrupted)], &[self.low_score], tolerance, what);
            assert_eq!(positions.clone().count(), expected.len(), "{what}");
            for (pos, expected) in positions.clone().zip(expected) {
                let cell = |layer| score(trace.restored.get(layer, pos).unwrap());
                let found: Vec<f32> = (0..expected.len()).map(cell).collect();
                let what = format!("{what}, {component:?} at {pos}");
                assert_close(&found, expected, tolerance, &what);
            }
            clean = Some(trace.clean);
        }
        clean.unwrap()
    }
}
