//! The command that splits a logit up.

use super::{Asked, Foil};
use crate::analysis::logit_attribution::Parts;
use crate::analysis::{AnalysisSpec, attribution_difference, neuron_attribution};
use crate::experiment::line::{Line, key_of};

impl Asked<'_> {
    pub(super) fn of_parts(&self) -> Option<Line> {
        match &self.experiment.spec {
            AnalysisSpec::LogitAttribution(it) => self.attribute(it.by),
            AnalysisSpec::NeuronAttribution(it) => {
                let line = self.command("attribute", Foil::Flag)?.flag("--by", "neurons");
                let is_per_layer = it.listing == neuron_attribution::Listing::PerLayer;
                Some(line.flag("--top", it.n_top).switch("--per-layer", is_per_layer))
            }
            AnalysisSpec::SourceAttribution(_) => {
                Some(self.command("attribute", Foil::Flag)?.flag("--by", "sources"))
            }
            AnalysisSpec::AccumulatedResid(it) => {
                let line = self.command("attribute", Foil::Flag)?.flag("--by", "accumulated");
                line.case("--scale", it.scale)
            }
            AnalysisSpec::ThroughHead(it) => {
                let head = format!("{}.{}", it.layer, it.head);
                Some(self.attribute(it.by)?.flag("--through", head))
            }
            AnalysisSpec::AttributionDifference(it) => self.difference(it),
            _ => None,
        }
    }

    fn attribute(&self, by: Parts) -> Option<Line> {
        self.command("attribute", Foil::Flag)?.case("--by", by)
    }

    fn difference(&self, spec: &attribution_difference::Spec) -> Option<Line> {
        let line = match spec.n_top {
            None => self.attribute(spec.by)?,
            // The flag for neurons splits the rest by layers.
            Some(_) if spec.by == Parts::Heads => return None,
            Some(n_top) => {
                let line = self.command("attribute", Foil::Flag)?.flag("--by", "neurons");
                line.flag("--top", n_top)
            }
        };
        let line = line.case("--scale-of", spec.scale_of)?;
        match &spec.second {
            attribution_difference::SecondRun::Prompt { ids } => {
                Some(line.flag("--minus-prompt", self.prompt_of(ids)?))
            }
            attribution_difference::SecondRun::Noise { level, rng, seed, n_samples } => {
                let line = self.noise(line, "--minus-noise", level)?;
                let line = line.flag("--samples", n_samples).flag("--seed", seed);
                (key_of(rng)? == "numpy").then_some(line)
            }
            attribution_difference::SecondRun::Subject(draws) => {
                self.corrupted_by("--minus-corruption", line, draws)
            }
        }
    }
}
