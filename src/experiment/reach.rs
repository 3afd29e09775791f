//! The prompts that show what a change of a fact reaches, as a dataset has them.

use crate::analysis::reach::{Asked, PromptKind};
use crate::facts::{Dataset, Direction, Fact, Record, Related};
use crate::tokens::{Answer, Bos, TokenizeError, TokenizedPrompt, Tokenizer};

/// The fact that is changed, with the dataset that it comes from.
pub struct Changed<'a> {
    pub dataset: &'a Dataset,
    pub record: &'a Record,
    pub direction: Direction,

    /// The new answer, without the space before it. `None` if the change has none.
    pub target: Option<&'a str>,
}

impl Changed<'_> {
    /// All prompts: the fact's own, those that CounterFact gives beside it, and its inverse asked from the
    /// old and from the new answer.
    pub fn asked(&self, tokenizer: &Tokenizer, bos: Bos) -> Result<Vec<Asked>, TokenizeError> {
        let Self { dataset, record, direction, target } = *self;
        let Some(fact) = record.fact(direction) else { return Ok(Vec::new()) };
        let answer = |text: Option<&str>| -> Result<Option<Answer>, TokenizeError> {
            text.map(|it| TokenizedPrompt::answer(tokenizer, it)).transpose()
        };
        let (new, old) = (answer(target)?, answer(fact.answer.as_deref())?);
        let ask = |kind: PromptKind, fact: &Fact, new: Option<Answer>, old: Option<Answer>| {
            let fact = Fact { answer: None, foil: None, ..fact.clone() };
            let plain = TokenizedPrompt::new(tokenizer, &fact, bos)?;
            let prompt = TokenizedPrompt { answer: new, foil: old, ..plain };
            Ok::<_, TokenizeError>(Asked { kind, prompt })
        };
        let mut asked = vec![ask(PromptKind::Prompt, fact, new.clone(), old.clone())?];
        if direction == Direction::Forward {
            let Related { paraphrases, neighbourhood } = dataset.related_to(&record.id);
            let of = |kind, texts: Vec<String>| texts.into_iter().map(move |it| (kind, it));
            let all = of(PromptKind::Paraphrase, paraphrases)
                .chain(of(PromptKind::Neighbourhood, neighbourhood));
            for (kind, prompt) in all {
                let fact = Fact { prompt, subject: None, answer: None, foil: None };
                asked.push(ask(kind, &fact, new.clone(), old.clone())?);
            }
        }
        let Some(inverse) = record.fact(direction.other()) else { return Ok(asked) };
        let subject = answer(inverse.answer.as_deref())?;
        asked.push(ask(PromptKind::InverseOfOld, inverse, None, subject.clone())?);
        if let Some((of_new, old)) = target.and_then(|it| self.inverse_of(inverse, it)) {
            asked.push(ask(PromptKind::InverseOfNew, &of_new, subject, answer(old.as_deref())?)?);
        }
        Ok(asked)
    }

    /// The inverse asked from another answer, and its right answer if the dataset has that.
    fn inverse_of(&self, inverse: &Fact, target: &str) -> Option<(Fact, Option<String>)> {
        let other = self.direction.other();
        let mut alike = self
            .dataset
            .records
            .iter()
            .filter(|it| it.relation == self.record.relation && it.id != self.record.id);
        let found = alike.find(|it| {
            it.fact(self.direction).is_some_and(|it| it.answer.as_deref() == Some(target))
        });
        let worded = Fact::from_template(&inverse.template()?, target)?;
        let old = found.and_then(|it| it.fact(other)?.answer.clone());
        Some((worded, old))
    }
}
