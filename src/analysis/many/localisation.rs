//! Scores methods by whether they find the layer that a fact was planted in.
//!
//! Methods that show where a fact is *recalled* are often read as showing where it is *stored*.
//! Hase et al. 2023, "Does Localization Inform Editing?", found that the layers that causal tracing
//! names are not those where an edit succeeds. Facts that were written into a known layer let that
//! reading be scored: each method scores the layers, and is right if the true layer has the highest
//! score.

use serde::{Deserialize, Serialize};

use crate::analysis::ablation::{self, Part, Replacement};
use crate::analysis::attribution_patching::{self, BasePoint, Windows};
use crate::analysis::causal_trace::{self, CausalTrace, NoiseLevel};
use crate::analysis::corruption::{Corruption, Draws};
use crate::analysis::logit_attribution::{self, Component, LogitAttribution, Parts};
use crate::analysis::logit_lens::{self, LogitLens};
use crate::analysis::{AnalysisResult, AnalysisSpec, Measurement, Metric, Positions};
use crate::intervention::NoiseRng;

/// A way to score layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scorer {
    /// The indirect effect of restoring a component (Meng et al. 2022).
    Trace {
        component: causal_trace::Component,

        /// How many layers are restored together.
        window: usize,
        at: At,
    },

    /// The indirect effect of restoring the MLP's output, estimated from the gradient at the
    /// corrupted run (Nanda 2023).
    Estimate { at: At },

    /// How much more probable the answer is with the MLP's output than with zeros, at the subject's
    /// tokens or at all tokens.
    MlpAblation { at_subject_only: bool },

    /// The MLP's part of the answer's logit.
    MlpAttribution,

    /// Attention's part of the answer's logit.
    AttnAttribution,

    /// How much more probable the answer is in the logit lens after the layer than before it.
    LensGain,
}

/// The token whose restored states count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum At {
    /// The subject's last token.
    LastSubject,

    /// The last token of the prompt.
    Last,

    /// The token with the largest effect, for each layer.
    Best,
}

const fn trace(component: causal_trace::Component, window: usize, at: At) -> Scorer {
    Scorer::Trace { component, window, at }
}

impl Scorer {
    pub const ALL: [Self; 15] = {
        use causal_trace::Component::{Attn, Hidden, Mlp};
        [
            trace(Hidden, 1, At::LastSubject),
            trace(Mlp, 1, At::LastSubject),
            trace(Mlp, 3, At::LastSubject),
            trace(Mlp, 1, At::Last),
            trace(Mlp, 1, At::Best),
            trace(Mlp, 3, At::Best),
            trace(Attn, 1, At::LastSubject),
            trace(Attn, 1, At::Last),
            Self::Estimate { at: At::LastSubject },
            Self::Estimate { at: At::Last },
            Self::MlpAblation { at_subject_only: true },
            Self::MlpAblation { at_subject_only: false },
            Self::MlpAttribution,
            Self::AttnAttribution,
            Self::LensGain,
        ]
    };

    /// The analyses that all scorers of [`Self::ALL`] need.
    pub fn specs(noise: &NoiseLevel, n_samples: usize, seed: u32) -> Vec<AnalysisSpec> {
        let trace = |component: causal_trace::Component, window: usize| {
            let (corruption, noise, rng) = (Corruption::default(), noise.clone(), NoiseRng::Numpy);
            let draws = Draws { corruption, noise, rng, seed, n_samples };
            causal_trace::Spec::new(component, window, draws)
        };
        let mut specs = Vec::new();
        for method in Self::ALL {
            let Self::Trace { component, window, .. } = method else { continue };
            let spec = AnalysisSpec::CausalTrace(trace(component, window));
            if !specs.contains(&spec) {
                specs.push(spec);
            }
        }
        specs.push(AnalysisSpec::AttributionPatching(attribution_patching::Spec {
            trace: trace(causal_trace::Component::Mlp, 1),
            base: BasePoint::Corrupted,
            metric: Metric::Prob,
            windows: Windows::Held,
            n_verified: 0,
        }));
        for positions in [Positions::Subject, Positions::All] {
            specs.push(AnalysisSpec::Ablation(ablation::Spec {
                part: Part::Mlp,
                positions,
                replacement: Replacement::Zero,
                together: None,
            }));
        }
        let by = Parts::Layers;
        specs.push(AnalysisSpec::LogitAttribution(logit_attribution::Spec { by }));
        specs.push(AnalysisSpec::LogitLens(logit_lens::Spec::default()));
        specs
    }

    /// The score of each layer, highest where the method locates the fact. `None` if the analysis
    /// that it needs is not among the results.
    pub fn scores(self, found: &[AnalysisResult]) -> Option<Vec<f64>> {
        found.iter().find_map(|result| match (self, result) {
            (Self::Trace { component, window, at }, AnalysisResult::CausalTrace(it)) => {
                let is_its = it.spec.component == component && it.spec.window == window;
                is_its.then(|| indirect_effects(it, at))?
            }
            (Self::Estimate { at }, AnalysisResult::AttributionPatching(it)) => {
                let scores = it.scores(Metric::Prob)?;
                let low = f64::from(Measurement::mean(&it.corrupted, Metric::Prob)?);
                let last_subject = it.prompt.subject.as_ref()?.end - 1;
                let layers = scores.rows().map(|layer| {
                    let effects = layer.iter().map(|&score| f64::from(score) - low);
                    best(effects.collect(), at, last_subject)
                });
                layers.collect()
            }
            (Self::MlpAblation { at_subject_only }, AnalysisResult::Ablation(it)) => {
                let is_its = at_subject_only == (it.spec.positions == Positions::Subject);
                let losses = (0..it.ablated.n_rows())
                    .map(|layer| Some(f64::from(-it.change(layer, 0, Metric::Prob)?)));
                is_its.then(|| losses.collect())?
            }
            (Self::MlpAttribution, AnalysisResult::LogitAttribution(it)) => {
                Some(contributions(it, |part| matches!(part, Component::MlpOut(_))))
            }
            (Self::AttnAttribution, AnalysisResult::LogitAttribution(it)) => {
                Some(contributions(it, |part| matches!(part, Component::AttnOut(_))))
            }
            (Self::LensGain, AnalysisResult::LogitLens(it)) => Some(gains(it)),
            _ => None,
        })
    }
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::LastSubject => "at the subject's last token",
            Self::Last => "at the last token",
            Self::Best => "at the best token",
        })
    }
}

impl std::fmt::Display for Scorer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trace { component, window, at } => {
                let component = match component {
                    causal_trace::Component::Hidden => "hidden states",
                    causal_trace::Component::Mlp => "MLP",
                    causal_trace::Component::Attn => "attention",
                };
                write!(f, "trace of {component}")?;
                if *window > 1 {
                    write!(f, ", window {window}")?;
                }
                write!(f, ", {at}")
            }
            Self::Estimate { at } => write!(f, "estimated trace of MLP, {at}"),
            Self::MlpAblation { at_subject_only: true } => {
                f.write_str("zero ablation of MLP at the subject")
            }
            Self::MlpAblation { at_subject_only: false } => f.write_str("zero ablation of MLP"),
            Self::MlpAttribution => f.write_str("logit attribution of MLPs"),
            Self::AttnAttribution => f.write_str("logit attribution of attention"),
            Self::LensGain => f.write_str("gain in the logit lens"),
        }
    }
}

fn indirect_effects(trace: &CausalTrace, at: At) -> Option<Vec<f64>> {
    let low = f64::from(Measurement::mean(&trace.corrupted, Metric::Prob)?);
    let last_subject = trace.prompt.subject.as_ref()?.end - 1;
    let layers = trace.restored.rows().map(|layer| {
        let effects: Vec<f64> = layer
            .iter()
            .map(|runs| Some(f64::from(Measurement::mean(runs, Metric::Prob)?) - low))
            .collect::<Option<_>>()?;
        best(effects, at, last_subject)
    });
    layers.collect()
}

/// The effect that counts for a layer, from the effects at each token.
fn best(effects: Vec<f64>, at: At, last_subject: usize) -> Option<f64> {
    match at {
        At::LastSubject => effects.get(last_subject).copied(),
        At::Last => effects.last().copied(),
        At::Best => effects.into_iter().reduce(f64::max),
    }
}

fn contributions(it: &LogitAttribution, is_meant: impl Fn(Component) -> bool) -> Vec<f64> {
    let meant = it.contributions.iter().filter(|part| is_meant(part.component));
    meant.map(|part| f64::from(part.logit)).collect()
}

fn gains(lens: &LogitLens) -> Vec<f64> {
    let mut before = 0.0;
    let mut gain = |layer: &[logit_lens::LensCell]| {
        let after = layer.last().map_or(0.0, |cell| f64::from(cell.answer_prob));
        after - std::mem::replace(&mut before, after)
    };
    lens.cells.rows().map(&mut gain).collect()
}

/// The rank of a layer by score, counted from 1, the highest. Equal scores share their mean rank,
/// so that a method that scores all layers alike ranks each in the middle.
///
/// # Panics
///
/// If there is no such layer.
pub fn rank(scores: &[f64], layer: usize) -> f64 {
    let own = scores[layer];
    let n_higher = scores.iter().filter(|it| **it > own).count() as f64;
    let n_equal = scores.iter().filter(|it| it.total_cmp(&own).is_eq()).count() as f64;
    n_higher + n_equal.midpoint(1.0)
}
