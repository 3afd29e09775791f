//! Facts of the dataset that are drawn to be averaged over.

use std::sync::Arc;

use super::FactList;
use crate::analysis::trace_average::{AskedFact, LeftOut, Sample};
use crate::tokens::{Bos, Tokenizer};

/// As they are asked; and those that cannot be.
#[derive(Clone, Debug)]
pub struct DrawnFacts {
    pub facts: Arc<[AskedFact]>,
    pub left_out: Arc<[LeftOut]>,
}

/// The last ones, for drawing and tokenizing thousands in every frame would be felt.
#[derive(Debug, Default)]
pub struct Draws(Vec<(Sample, Bos, DrawnFacts)>);

/// Both directions of two settings.
const N_KEPT: usize = 4;

impl Draws {
    pub fn get(
        &mut self,
        sample: &Sample,
        bos: Bos,
        facts: &FactList,
        tokenizer: &Tokenizer,
    ) -> Result<DrawnFacts, String> {
        let known = self.0.iter().find(|(of, with, _)| of == sample && *with == bos);
        if let Some((.., drawn)) = known {
            return Ok(drawn.clone());
        }
        let dataset = facts
            .dataset
            .as_ref()
            .ok_or("Averages are taken over the facts of a dataset: open one")?;
        let (mut asked, mut left_out) = (Vec::new(), Vec::new());
        for record in sample.draw(&dataset.records) {
            let Some(fact) = record.fact(sample.direction) else { continue };
            match AskedFact::new(tokenizer, fact, record.answers(sample.direction), bos) {
                Ok(fact) => asked.push(fact),
                Err(reason) => left_out.push(reason),
            }
        }
        if asked.is_empty() && left_out.is_empty() {
            return Err("The dataset asks no fact of this relation this way".to_owned());
        }
        let drawn = DrawnFacts { facts: asked.into(), left_out: left_out.into() };
        self.0.truncate(N_KEPT - 1);
        self.0.insert(0, (sample.clone(), bos, drawn.clone()));
        Ok(drawn)
    }
}
