//! The command that writes another answer into a fact.

use super::{Asked, Foil};
use crate::analysis::AnalysisSpec;
use crate::analysis::rank_one_edit::{self, Context, Covariance, Descent, PromptKind, Spec};
use crate::experiment::line::Line;
use crate::experiment::{FactSource, TextFact};
use crate::facts::Fact;
use crate::tokens::TokenizedPrompt;

impl Asked<'_> {
    /// For a record of a dataset, the command asks other prompts too: other wordings, neighbours, the
    /// inverse. So the line gives the fact as its text; an edit that asks other prompts has no line.
    pub(super) fn of_edit(&self) -> Option<Line> {
        let AnalysisSpec::RankOneEdit(spec) = &self.experiment.spec else { return None };
        let text = TextFact { foil: None, ..TextFact::from(&self.question.fact) };
        let line = self.command_of(&FactSource::Text(text), "edit", Foil::NoFlag)?;
        let Spec { layer, target, descent, covariance, .. } = spec;
        let Descent { n_steps, learning_rate, weight_decay, clamp, kl_factor, enough } = *descent;
        let line = line.flag("--target", target.text.trim_start()).flag("--layer", layer);
        let line = line.flag("--steps", n_steps).flag("--learning-rate", learning_rate);
        let line = line.flag("--weight-decay", weight_decay).flag("--clamp", clamp);
        let line = line.flag("--kl", kl_factor);
        let line = match covariance {
            Covariance::Identity => line,
            Covariance::File(path) => line.flag("--second-moment", path.display()),
        };
        let is_said = enough == Descent::default().enough && self.is_of_its_prompt(spec)?;
        is_said.then_some(line)
    }

    /// Whether an edit is made over the prompt without texts before it, and only the prompt is asked.
    fn is_of_its_prompt(&self, spec: &Spec) -> Option<bool> {
        let (tokenizer, bos) = (self.library.tokenizer, self.experiment.bos);
        let (fact, subject) = (&self.question.fact, self.question.fact.subject_text()?);
        let context = |fact: &Fact| {
            let prompt = TokenizedPrompt::new(tokenizer, fact, bos).ok()?;
            let subject_last = prompt.subject.as_ref()?.end - 1;
            Some((Context { ids: prompt.ids.clone(), subject_last }, prompt))
        };
        let (own, prompt) = context(&Fact { answer: None, foil: None, ..fact.clone() })?;
        let essence = Fact::from_text(&format!("{subject} is a"), Some(subject)).ok()?;
        let (mut essence, _) = context(&essence)?;
        essence.ids.truncate(essence.subject_last + 1);
        let target = TokenizedPrompt::answer(tokenizer, spec.target.text.trim_start()).ok()?;
        let foil = fact.answer.as_deref().map(|it| TokenizedPrompt::answer(tokenizer, it));
        let foil = foil.transpose().ok()?;
        let asked = TokenizedPrompt { answer: Some(target.clone()), foil, ..prompt };
        let [rank_one_edit::Asked { kind: PromptKind::Prompt, prompt }] = &spec.asked[..] else {
            return Some(false);
        };
        // The subject's place in the prompt changes no answer.
        let is_asked =
            TokenizedPrompt { subject: asked.subject.clone(), ..prompt.clone() } == asked;
        Some(
            is_asked
                && spec.target == target
                && spec.contexts == [own]
                && spec.essence == Some(essence),
        )
    }
}
