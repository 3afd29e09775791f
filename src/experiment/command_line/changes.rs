//! Commands that measure an answer without something, or with something else in its place.

use super::{Asked, Foil};
use crate::analysis::ablation::Replacement;
use crate::analysis::{AnalysisSpec, Pair, activation_patching, steering};
use crate::experiment::line::{Line, joined, layers_as_typed};
use crate::experiment::{FactSource, TextFact, spaced_facts};
use crate::tokens::TokenizedPrompt;

impl Asked<'_> {
    pub(super) fn of_change(&self) -> Option<Line> {
        match &self.experiment.spec {
            AnalysisSpec::Ablation(it) => {
                let line = self.command("ablate", Foil::Flag)?.case("--part", it.part)?;
                self.replaced(line.flag("--positions", &it.positions), &it.replacement)
            }
            AnalysisSpec::NeuronAblation(it) => {
                let layers = (!it.layers.is_empty()).then(|| joined(&it.layers));
                let line = self.command("ablate", Foil::Flag)?.flag("--part", "neurons");
                let line = line.flag("--top", it.n_top).option("--layers", layers);
                let line = line.case("--metric", it.metric)?.flag("--positions", &it.positions);
                self.replaced(line, &it.replacement)
            }
            AnalysisSpec::AttentionKnockout(it) => {
                let line = self.command("knockout", Foil::NoFlag)?.flag("--window", it.window);
                let line = it.edges.iter().fold(line, |line, edges| {
                    line.flag("--edges", format!("{}:{}", edges.from, edges.to))
                });
                (!it.edges.is_empty()).then_some(line)
            }
            AnalysisSpec::EdgeCut(it) => {
                let line = self.command("cut", Foil::Flag)?.flag("--top", it.n_top);
                let line = line.flag("--layers", layers_as_typed(&it.layers));
                let line = it.edges.iter().fold(line, |line, edge| {
                    line.flag("--edge", format!("{}:{}", edge.query, edge.key))
                });
                let heads = it.heads.iter().flatten();
                let has_heads = it.heads.as_ref().is_none_or(|it| !it.is_empty());
                has_heads.then(|| heads.fold(line, |line, head| line.flag("--head", head)))
            }
            AnalysisSpec::Steering(it) => self.steering(it),
            AnalysisSpec::ActivationPatching(it) => {
                let line = self.paired("patch", Foil::NoFlag, &it.donor, &it.pairs)?;
                let is_together = it.places == activation_patching::Places::Together;
                let line = line.case("--kind", it.part)?.flag("--window", it.window);
                Some(line.switch("--together", is_together))
            }
            AnalysisSpec::PathPatching(it) => {
                let line = self.paired("path-patch", Foil::Flag, &it.donor, &it.pairs)?;
                let to = it.receivers.iter();
                let line = to.fold(line, |line, receiver| line.flag("--to", receiver));
                line.flag("--positions", &it.receiver_positions).case("--mlps", it.between)
            }
            _ => None,
        }
    }

    /// What stands in for what is ablated.
    fn replaced(&self, line: Line, replacement: &Replacement) -> Option<Line> {
        match replacement {
            Replacement::Zero => Some(line.flag("--with", "zero")),
            Replacement::Mean { prompts } => {
                let (dataset, n) = (self.question.dataset.as_ref()?, prompts.len());
                let meant = spaced_facts(dataset, self.question.direction, n);
                let meant = meant.map(|fact| {
                    let (tokenizer, bos) = (self.library.tokenizer, self.experiment.bos);
                    Some(TokenizedPrompt::new(tokenizer, fact, bos).ok()?.ids)
                });
                let line = line.flag("--with", "mean").flag("--mean-count", n);
                meant.eq(prompts.iter().cloned().map(Some)).then_some(line)
            }
            Replacement::Resample { ids } => {
                let line = line.flag("--with", "resample");
                Some(line.flag("--other", self.prompt_of(ids)?))
            }
        }
    }

    fn steering(&self, spec: &steering::Spec) -> Option<Line> {
        let line = self.command("steer", Foil::NoFlag)?.flag("--layer", spec.layer);
        let line = line.flag("--positions", &spec.positions).flag("--scale", spec.scale);
        let line = line.flag("--top", spec.n_top);
        let word = |id: u32| {
            let (text, _) = self.library.text_of(&[id])?;
            let answer = TokenizedPrompt::answer(self.library.tokenizer, &text).ok()?;
            (answer.first() == id).then_some(text)
        };
        match &spec.direction {
            steering::Direction::Prompts { plus, minus } => {
                let line = line.flag("--plus", self.prompt_of(plus)?);
                Some(line.flag("--minus", self.prompt_of(minus)?))
            }
            steering::Direction::Tokens { plus, minus } => {
                let line = line.flag("--plus-token", word(*plus)?);
                match minus {
                    None => Some(line),
                    Some(minus) => Some(line.flag("--minus-token", word(*minus)?)),
                }
            }
        }
    }

    /// A command that takes activations from another prompt.
    fn paired(
        &self,
        name: &str,
        has_foil: Foil,
        donor: &TokenizedPrompt,
        pairs: &[Pair],
    ) -> Option<Line> {
        let (question, bos) = (&self.question, self.experiment.bos);
        let recipient = TokenizedPrompt::new(self.library.tokenizer, &question.fact, bos).ok()?;
        let line = self.command(name, has_foil)?;
        let line = match self.library.source_of(donor, bos)? {
            FactSource::Text(TextFact {
                prompt,
                subject,
                subject_start: None,
                answer,
                foil: None,
            }) => {
                let line = line.flag("--from", prompt).option("--from-subject", subject);
                line.option("--from-answer", answer)
            }
            FactSource::Record(it) => {
                let FactSource::Record(own) = &self.experiment.fact else { return None };
                let is_said = own.facts == it.facts && it.foil.is_none();
                let line = if it.direction == own.direction {
                    line.flag("--from-case", it.case)
                } else {
                    (it.case == own.case).then(|| line.switch("--from-inverse", true))?
                };
                is_said.then(|| line.option("--from-answer", it.answer))?
            }
            _ => return None,
        };
        if pairs == Pair::by_role(donor, &recipient) {
            return Some(line);
        }
        let line = pairs.iter().fold(line, |line, pair| line.flag("--pair", pair));
        (!pairs.is_empty()).then_some(line)
    }
}
