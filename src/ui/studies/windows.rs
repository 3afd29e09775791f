//! The windows of layers of all studies: set together, and as a session's results were made.

use super::Studies;
use crate::analysis::AnalysisSpec;
use crate::analysis::activation_patching::Part;
use crate::analysis::causal_trace::{Component, Corruption, Map, Spec};
use crate::analysis::comparison::MapSpec;

impl Studies {
    /// Gives every study that has a window of layers the same.
    pub fn set_windows(&mut self, window: usize) {
        for study in self.all_mut() {
            if let Some(own) = study.window_mut() {
                *own = Some(window);
            }
        }
    }

    /// Keeps the window that a session's result was made with, where the settings name none: in earlier
    /// versions that was the trace's, or the paper's.
    pub fn keep_window(&mut self, made: &AnalysisSpec) {
        let has_window = |spec: &Spec| spec.component != Component::Hidden;
        let (own, window) = match made {
            AnalysisSpec::Comparison(made) => match &made.map {
                MapSpec::Trace { spec, .. } if has_window(spec) => {
                    (&mut self.comparison.window, spec.window)
                }
                _ => return,
            },
            AnalysisSpec::AttentionKnockout(made) => (&mut self.knockout.window, made.window),
            AnalysisSpec::ActivationPatching(made)
                if matches!(made.part, Part::Mlp | Part::Attn) =>
            {
                (&mut self.patching.window, made.window)
            }
            AnalysisSpec::CorruptionBench(made) if has_window(&made.trace) => {
                (&mut self.bench.window, made.trace.window)
            }
            AnalysisSpec::TraceAverage(made)
                if made.components.iter().any(|it| *it != Component::Hidden) =>
            {
                (&mut self.averages.window, made.trace.window)
            }
            // The other traces are those of the trace view.
            AnalysisSpec::CausalTrace(made)
                if has_window(made)
                    && made.map == Map::Tokens
                    && made.corruption != Corruption::default()
                    && !matches!(made.corruption, Corruption::NoiseFile(_)) =>
            {
                (&mut self.variants.window, made.window)
            }
            _ => return,
        };
        own.get_or_insert(window);
    }
}
