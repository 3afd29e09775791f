//! The command that lays a fact and its inverse side by side.

use super::{Asked, Foil};
use crate::analysis::AnalysisSpec;
use crate::analysis::causal_trace::Map;
use crate::analysis::comparison::{MapSpec, Second, Spec};
use crate::experiment::choices::{Choices as _, Compared, CorruptionKind};
use crate::experiment::line::{Line, joined};
use crate::experiment::{FactSource, RecordFact, first_tokens};
use crate::facts::Direction;

impl Asked<'_> {
    pub(super) fn of_comparison(&self) -> Option<Line> {
        let AnalysisSpec::Comparison(spec) = &self.experiment.spec else { return None };
        let FactSource::Record(own) = &self.experiment.fact else { return None };
        let source = self.library.source_of(&spec.inverse, self.experiment.bos)?;
        let FactSource::Record(second) = source else { return None };
        let is_said = own.direction == Direction::Forward
            && own.answer.is_some()
            && second.facts == own.facts
            && second.foil.is_none();
        let line = is_said.then(|| self.command("compare", Foil::NoFlag))??;
        let line = match (spec.second, second.direction) {
            (Second::Inverse, Direction::Inverse) => (second.case == own.case).then_some(line)?,
            (Second::Fact, Direction::Forward) => line.flag("--other-case", &second.case),
            _ => return None,
        };
        let line = line.option("--second-answer", second.answer.as_ref());
        let line = line.case("--mapped", spec.mapped)?;
        let line = self.mapped(self.judged(line, spec, [own, &second])?, &spec.map)?;
        let line = line.flag("--top", spec.n_top).flag("--permutations", spec.n_permutations);
        Some(line.flag("--permutation-seed", spec.seed))
    }

    /// By which answers recall is judged.
    fn judged(&self, line: Line, spec: &Spec, prompts: [&RecordFact; 2]) -> Option<Line> {
        let dataset = self.question.dataset.as_ref()?;
        let mut by_one = Vec::new();
        for ((right, prompt), name) in spec.right.iter().zip(prompts).zip(["fact", "second"]) {
            let all = dataset.find(&prompt.case)?.answers(prompt.direction);
            if right.is_empty() {
                by_one.push(name);
            } else if *right != first_tokens(self.library.tokenizer, all).ok()? {
                return None;
            }
        }
        Some(line.option("--one-answer", (!by_one.is_empty()).then(|| joined(&by_one))))
    }

    /// What is compared.
    fn mapped(&self, line: Line, map: &MapSpec) -> Option<Line> {
        let (compared, metric) = match map {
            MapSpec::Trace { spec, metric } => (Compared::Trace(spec.component), *metric),
            MapSpec::Ablation { metric, .. } => (Compared::Ablation, *metric),
            MapSpec::Attribution => {
                return Some(line.flag("--map", Compared::Attribution.words().key));
            }
        };
        let line = line.flag("--map", compared.words().key).case("--metric", metric)?;
        match map {
            MapSpec::Trace { spec, .. } => {
                // What stands in for one subject stands in for no other.
                let kind = CorruptionKind::of(&spec.corruption);
                let is_said = spec.map == Map::Tokens && kind.stand_in().is_none();
                is_said.then(|| self.drawn(line, spec))?
            }
            // The command has no other ablation than the usual one.
            other => (compared.map(metric, |_| Err(())).as_ref() == Ok(other)).then_some(line),
        }
    }
}
