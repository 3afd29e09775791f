//! Sentences that state facts, as tokens.

use crate::facts::{Catalogue, Direction, Fact, Record, Records};
use crate::tokens::{Bos, TokenizeError, TokenizedPrompt, Tokenizer};

use super::split::Split;

/// A sentence that states a fact: `The capital of France is Paris.`
#[derive(Clone, Debug)]
pub struct Statement {
    /// The fact's index in the dataset.
    pub fact: usize,

    /// Which way the fact is stated.
    pub direction: Direction,

    /// The index of its template in the relation.
    pub template: usize,

    /// The tokens of prompt, answer and full stop.
    pub ids: Vec<u32>,

    /// The position at which the answer starts. It ends before the full stop.
    pub answer_start: usize,
}

/// Every fact stated with every template, both ways.
#[derive(Debug)]
pub struct Corpus {
    pub statements: Vec<Statement>,
}

fn templates(record: &Record, direction: Direction) -> &'static [String] {
    let relation = record.relation.as_deref().and_then(|id| Catalogue::bundled().get(id));
    relation.map_or(&[], |relation| match direction {
        Direction::Forward => &relation.forward,
        Direction::Inverse => &relation.inverse,
    })
}

impl Corpus {
    pub fn new(records: &Records, tokenizer: &Tokenizer) -> Result<Self, TokenizeError> {
        let stop = tokenizer.encode(".")?;
        let mut statements = Vec::new();
        for (nth, record) in records.iter().enumerate() {
            for direction in Direction::ALL {
                let Some(fact) = record.fact(direction) else { continue };
                let (Some(subject), Some(answer)) = (fact.subject_text(), &fact.answer) else {
                    continue;
                };
                for (template, text) in templates(record, direction).iter().enumerate() {
                    let Some(asked) = Fact::from_template(text, subject) else { continue };
                    let asked = Fact { answer: Some(answer.clone()), ..asked };
                    let prompt = TokenizedPrompt::new(tokenizer, &asked, Bos::Off)?;
                    let answer_start = prompt.ids.len();
                    let mut ids = prompt.ids;
                    ids.extend(prompt.answer.into_iter().flat_map(|answer| answer.ids));
                    ids.extend(stop.iter().map(|token| token.id));
                    statements.push(Statement {
                        fact: nth,
                        direction,
                        template,
                        ids,
                        answer_start,
                    });
                }
            }
        }
        Ok(Self { statements })
    }

    /// The statements that are taught, and the held-out statements of taught facts.
    pub fn divide<'a>(&'a self, split: &Split) -> (Vec<&'a Statement>, Vec<&'a Statement>) {
        let taught =
            self.statements.iter().filter(|it| split.facts[it.fact].group.teaches(it.direction));
        taught.partition(|it| split.facts[it.fact].held_out[it.direction as usize] != it.template)
    }

    /// The statements of the facts that are planted in a layer: those that are taught, and those
    /// held out.
    pub fn planted<'a>(
        &'a self,
        split: &Split,
        layer: usize,
    ) -> (Vec<&'a Statement>, Vec<&'a Statement>) {
        let plan = |it: &Statement| &split.facts[it.fact];
        let planted = self
            .statements
            .iter()
            .filter(|it| plan(it).planted[it.direction as usize] == Some(layer));
        planted.partition(|it| plan(it).held_out[it.direction as usize] != it.template)
    }
}
