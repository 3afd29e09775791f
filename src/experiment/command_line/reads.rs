//! Commands that read a run or the weights as they are.

use super::{Asked, Foil};
use crate::analysis::attention::Weighting;
use crate::analysis::{AnalysisSpec, attention, contribution_graph, generation};
use crate::experiment::line::{Line, joined, key_of, layers_as_typed};

impl Asked<'_> {
    pub(super) fn of_reading(&self) -> Option<Line> {
        match &self.experiment.spec {
            AnalysisSpec::Prediction(it) => {
                Some(self.command("predict", Foil::NoFlag)?.flag("--top", it.n_top))
            }
            AnalysisSpec::Generation(it) => self.generation(it),
            AnalysisSpec::LogitLens(it) => {
                let line = self.command("lens", Foil::NoFlag)?.case("--scale", it.scale)?;
                Some(line.flag("--top", it.n_top))
            }
            AnalysisSpec::Attention(it) => self.attention(it),
            AnalysisSpec::HeadScores(it) => {
                let line =
                    self.command("heads", Foil::NoFlag)?.flag("--random-tokens", it.n_random);
                Some(line.flag("--sequences", it.n_sequences).flag("--seed", it.seed))
            }
            AnalysisSpec::ResidualNorms(_) => self.command("norms", Foil::NoFlag),
            AnalysisSpec::ContributionGraph(it) => self.contributions(it),
            AnalysisSpec::Circuit(it) => {
                let head = format!("{}.{}", it.layer, it.head);
                let line = self.of_weights("circuit")?.flag("--process", &it.processing);
                let line = line.flag("--head", head).case("--circuit", it.circuit)?;
                Some(line.flag("--vectors", it.n_vectors).flag("--tokens", it.n_tokens))
            }
            AnalysisSpec::Composition(it) => {
                let modes: Option<Vec<String>> = it.modes.iter().map(key_of).collect();
                let line = self.of_weights("compose")?.flag("--process", &it.processing);
                Some(line.flag("--modes", joined(&modes?)).flag("--top", it.n_top))
            }
            _ => None,
        }
    }

    /// A command that reads the model's weights alone, which are the same for any fact.
    fn of_weights(&self, name: &str) -> Option<Line> {
        self.experiment.edits.is_empty().then(|| self.model(name))?
    }

    fn generation(&self, spec: &generation::Spec) -> Option<Line> {
        let line = self.command("generate", Foil::NoFlag)?.flag("--tokens", spec.n_tokens);
        let line = match spec.choice {
            generation::Choice::Greedy => line,
            generation::Choice::Sample { temperature, top_k, top_p, seed } => {
                let line = line.flag("--temperature", temperature).option("--top-k", top_k);
                line.option("--top-p", top_p).flag("--seed", seed)
            }
        };
        match spec.end {
            None => Some(line.switch("--ignore-end", true)),
            end => (end == self.library.tokenizer.eos()).then_some(line),
        }
    }

    fn attention(&self, spec: &attention::Spec) -> Option<Line> {
        let line = self.command("attention", Foil::NoFlag)?;
        let line = if spec.layers.len() == 1 {
            line.flag("--layer", spec.layers.start)
        } else {
            line.flag("--layers", layers_as_typed(&spec.layers))
        };
        match (spec.weighting, spec.head) {
            (Weighting::Rollout, None) => Some(line.switch("--rollout", true)),
            (Weighting::Rollout, Some(_)) => None,
            (weighting, head) => {
                let key = match weighting {
                    Weighting::ValueWeighted => "value",
                    Weighting::NormBased => "norm",
                    Weighting::Pattern | Weighting::Rollout => "pattern",
                };
                Some(line.option("--head", head).flag("--weighting", key))
            }
        }
    }

    fn contributions(&self, spec: &contribution_graph::Spec) -> Option<Line> {
        let contribution_graph::Spec { threshold, edges, weights, pos } = spec;
        let line = self.command("contributions", Foil::NoFlag)?.flag("--threshold", threshold);
        let is_summed = *edges == contribution_graph::AttentionEdges::PerToken;
        let is_renormalized = *weights == contribution_graph::Weights::Renormalized;
        let line = line.switch("--sum-heads", is_summed);
        Some(line.switch("--renormalize", is_renormalized).option("--pos", *pos))
    }
}
