//! The command that lays a fact and its inverse side by side.

use super::{Asked, Foil};
use crate::analysis::AnalysisSpec;
use crate::analysis::causal_trace::Map;
use crate::analysis::comparison::{MapSpec, Second, Spec};
use crate::experiment::choices::{Choices as _, Compared, CorruptionKind};
use crate::experiment::line::{Line, joined};
use crate::experiment::{FactSource, RecordFact, TextFact, first_tokens};
use crate::facts::Direction;
use crate::tokens::TokenizedPrompt;

impl Asked<'_> {
    pub(super) fn of_comparison(&self) -> Option<Line> {
        let AnalysisSpec::Comparison(spec) = &self.experiment.spec else { return None };
        let own = &self.experiment.fact;
        let line = self.command("compare", Foil::NoFlag)?;
        let (second, line) = self.second(own, spec, line)?;
        let line = line.option("--second-answer", answer_of(&second));
        let line = line.case("--mapped", spec.mapped)?;
        let line = self.mapped(self.judged(line, spec, [own, &second])?, &spec.map)?;
        let line = line.flag("--top", spec.n_top).flag("--permutations", spec.n_permutations);
        Some(line.flag("--permutation-seed", spec.seed))
    }

    /// The second prompt, with the flags that name it.
    fn second(&self, own: &FactSource, spec: &Spec, line: Line) -> Option<(FactSource, Line)> {
        if let FactSource::Record(it) = own {
            // The command asks a fact of a dataset forward, for its own answer.
            (it.direction == Direction::Forward && it.answer.is_some()).then_some(())?;
            let answer = spec.inverse.answer.as_ref().map(|it| it.text.trim().to_owned());
            let direction = Direction::Inverse;
            let inverse = FactSource::Record(RecordFact { direction, answer, ..it.clone() });
            if spec.second == Second::Inverse && self.is_asked(&inverse, spec) {
                return Some((inverse, line));
            }
        }
        let second = self.library.source_of(&spec.inverse, self.experiment.bos)?;
        let line = match (&second, own) {
            (FactSource::Text(typed), _) => {
                let TextFact { prompt, subject, subject_start: None, answer: _, foil: None } =
                    typed
                else {
                    return None;
                };
                let name = match spec.second {
                    Second::Inverse => "inverse",
                    Second::Fact => "other",
                };
                let line = line.flag(&format!("--{name}-prompt"), prompt);
                line.option(&format!("--{name}-subject"), subject.as_ref())
            }
            (FactSource::Record(other), FactSource::Record(own)) => {
                let is_said = spec.second == Second::Fact
                    && other.direction == Direction::Forward
                    && other.facts == own.facts
                    && other.foil.is_none();
                is_said.then(|| line.flag("--other-case", &other.case))?
            }
            _ => return None,
        };
        Some((second, line))
    }

    /// Whether this is the second prompt.
    fn is_asked(&self, source: &FactSource, spec: &Spec) -> bool {
        let (tokenizer, bos) = (self.library.tokenizer, self.experiment.bos);
        let fact = self.library.question(source).ok().map(|it| it.fact);
        fact.and_then(|it| TokenizedPrompt::new(tokenizer, &it, bos).ok()).as_ref()
            == Some(&spec.inverse)
    }

    /// By which answers recall is judged.
    fn judged(&self, line: Line, spec: &Spec, prompts: [&FactSource; 2]) -> Option<Line> {
        let mut by_one = Vec::new();
        for ((right, prompt), name) in spec.right.iter().zip(prompts).zip(["fact", "second"]) {
            let mut all = self.library.question(prompt).ok()?.right;
            if all.is_empty() {
                all.extend(answer_of(prompt).cloned());
            }
            if right.is_empty() {
                by_one.extend((!all.is_empty()).then_some(name));
            } else if *right != first_tokens(self.library.tokenizer, &all).ok()? {
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

/// The answer that a source names.
fn answer_of(source: &FactSource) -> Option<&String> {
    match source {
        FactSource::Text(it) => it.answer.as_ref(),
        FactSource::Record(it) => it.answer.as_ref(),
        FactSource::NoFact => None,
    }
}
