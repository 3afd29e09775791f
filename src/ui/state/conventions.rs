//! The conventions that numbers depend on, and those of the programs they are compared with.

use super::settings::{NoiseSetting, Settings, TraceSettings};
use crate::analysis::Metric;
use crate::analysis::causal_trace::{Component, Direction};
use crate::intervention::NoiseRng;
use crate::tokens::Bos;
use crate::ui::words::metric_name;

/// Whose numbers the settings reproduce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// `experiments/causal_trace.py` of kmeng01/rome.
    Rome,

    /// The patching functions and demos of TransformerLens 2 to 4.
    TransformerLens,
}

/// One setting, as it is and as a convention wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub what: &'static str,
    pub is: String,
    pub wanted: String,
}

impl Convention {
    pub const ALL: [Self; 2] = [Self::Rome, Self::TransformerLens];

    pub fn name(self) -> &'static str {
        match self {
            Self::Rome => "ROME",
            Self::TransformerLens => "TransformerLens",
        }
    }

    fn bos(self) -> Bos {
        match self {
            Self::Rome => Bos::Off,
            Self::TransformerLens => Bos::On,
        }
    }

    /// Layers restored together. TransformerLens patches one activation at a time.
    fn window(self) -> usize {
        match self {
            Self::Rome => 10,
            Self::TransformerLens => 1,
        }
    }

    /// What is read from the logits, of a prompt that has a foil.
    fn metric(self) -> Metric {
        match self {
            Self::Rome => Metric::Prob,
            Self::TransformerLens => Metric::LogitDiff,
        }
    }

    /// Every setting that numbers depend on, as the other program has it. TransformerLens brings no
    /// noise of its own; there it is ROME's.
    pub fn apply(self, settings: &mut Settings) {
        settings.bos = self.bos();
        settings.trace = TraceSettings {
            own_window: Some(self.window()),
            ..TraceSettings::rome(settings.trace.component)
        };
        settings.studies.set_windows(self.window());
        settings.set_all_metrics(self.metric());
    }

    /// The settings that differ from the convention's, of those that have a meaning for the trace that is
    /// set. `has_foil`: else no logits are compared, and the metric of
    /// TransformerLens' demos cannot be had.
    pub fn differences(
        self,
        settings: &Settings,
        n_layers: usize,
        has_foil: bool,
    ) -> Vec<Difference> {
        let trace = &settings.trace;
        let rome = TraceSettings::rome(trace.component);
        let noise = |it: &TraceSettings| match &it.noise {
            NoiseSetting::Subjects => "3 × σ of the subjects' embeddings".to_owned(),
            NoiseSetting::Fixed => format!("standard deviation {}", it.noise_std),
            NoiseSetting::File(file) => format!("that of {}", file.short_name()),
        };
        let rng = |it: NoiseRng| match it {
            NoiseRng::Numpy => "numpy's",
            NoiseRng::Chacha => "ChaCha8",
        };
        let bos = |it: Bos| match it {
            Bos::Off => "no BOS",
            Bos::On => "BOS",
        };
        let direction = |it: Direction| match it {
            Direction::Denoise => "restoring in a corrupted run",
            Direction::Noise => "corrupting a clean run",
        };
        let sever =
            |it: &TraceSettings| if it.sever.is_some() { "severed" } else { "none severed" };
        let n_wanted = self.window().to_string();
        // Single hidden states have no window, and noise of a file is not drawn.
        let has_window = trace.component != Component::Hidden;
        let is_drawn = !matches!(trace.noise, NoiseSetting::File(_));
        let rows = [
            Some(("BOS", bos(settings.bos).to_owned(), bos(self.bos()).to_owned())),
            has_window.then(|| ("Window", trace.window(n_layers).to_string(), n_wanted)),
            Some(("Noise", noise(trace), noise(&rome))),
            is_drawn
                .then(|| ("Random numbers", rng(trace.rng).to_owned(), rng(rome.rng).to_owned())),
            is_drawn.then(|| ("Seed", trace.seed.to_string(), rome.seed.to_string())),
            Some(("Samples", trace.n_samples.to_string(), rome.n_samples.to_string())),
            Some((
                "Direction",
                direction(trace.direction).to_owned(),
                direction(rome.direction).to_owned(),
            )),
            Some(("Paths", sever(trace).to_owned(), sever(&rome).to_owned())),
        ];
        let mut differences: Vec<Difference> = rows
            .into_iter()
            .flatten()
            .filter(|(_, is, wanted)| is != wanted)
            .map(|(what, is, wanted)| Difference { what, is, wanted })
            .collect();
        let metrics = settings.metrics();
        let is_measured_so = metrics.iter().all(|it| *it == self.metric())
            || self == Self::TransformerLens && !has_foil;
        if !is_measured_so {
            let names: Vec<&str> = metrics.into_iter().map(metric_name).collect();
            let is = names.join(" and ");
            let wanted = metric_name(self.metric()).to_owned();
            differences.push(Difference { what: "Metric", is, wanted });
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_meaning_for_the_trace_is_compared() {
        let window_of = |component| {
            let mut settings = Settings::default();
            Convention::Rome.apply(&mut settings);
            settings.trace.component = component;
            settings.trace.own_window = Some(2);
            Convention::Rome.differences(&settings, 12, true)
        };
        assert_eq!(window_of(Component::Hidden), [], "a single state has no window");
        assert_eq!(window_of(Component::Mlp)[0].what, "Window");
    }

    #[test]
    fn settings_match_the_convention_that_was_applied_and_no_other() {
        for n_layers in [4, 36] {
            for convention in Convention::ALL {
                let mut settings = Settings::default();
                settings.trace.seed = 7;
                assert!(!convention.differences(&settings, n_layers, true).is_empty());
                convention.apply(&mut settings);
                for other in Convention::ALL {
                    let differences = other.differences(&settings, n_layers, true);
                    assert_eq!(differences.is_empty(), other == convention, "{differences:?}");
                }
                settings.trace.n_samples = 3;
                let differences = convention.differences(&settings, n_layers, true);
                assert_eq!(differences.len(), 1);
                assert_eq!((differences[0].what, &*differences[0].is), ("Samples", "3"));
            }
        }
    }
}
