//! Facts of the dataset that are drawn to be averaged over.

use std::sync::Arc;

use super::{FactKey, FactList};
use crate::analysis::trace_average::{AskedFact, LeftOut, Lengths, Sample, StandIns};
use crate::tokens::{Bos, Tokenizer};
use crate::worker::Which;

/// As they are asked; and those that cannot be.
#[derive(Clone, Debug)]
pub struct DrawnFacts {
    pub facts: Arc<[AskedFact]>,
    pub left_out: Arc<[LeftOut]>,
}

/// The last ones, for drawing and tokenizing thousands in every frame would be felt.
#[derive(Debug, Default)]
pub struct Draws(Vec<Draw>);

#[derive(Debug)]
struct Draw {
    sample: Sample,
    stand_ins: Option<StandIns>,
    which: Which,
    bos: Bos,
    drawn: DrawnFacts,
}

/// Both directions of two settings.
const N_KEPT: usize = 4;

impl Draws {
    pub fn get(
        &mut self,
        sample: &Sample,
        stand_ins: Option<StandIns>,
        key: FactKey,
        facts: &FactList,
        tokenizer: &Tokenizer,
    ) -> Result<DrawnFacts, String> {
        let bos = if key.has_bos { Bos::On } else { Bos::Off };
        let is_it = |it: &&Draw| {
            it.sample == *sample
                && it.stand_ins == stand_ins
                && it.which == key.which
                && it.bos == bos
        };
        if let Some(known) = self.0.iter().find(is_it) {
            return Ok(known.drawn.clone());
        }
        let dataset = facts
            .dataset
            .as_ref()
            .ok_or("Averages are taken over the facts of a dataset: open one")?;
        let (mut asked, mut left_out) = (Vec::new(), Vec::new());
        let (direction, records) = (sample.direction, &dataset.records);
        let lengths = Lengths::new(tokenizer);
        for (nth, record) in sample.draw_questions(records).into_iter().enumerate() {
            let Some(fact) = record.fact(direction) else { continue };
            let ask = match &stand_ins {
                Some(it) => it.ask(&lengths, (record, fact), nth, bos, records),
                None => AskedFact::new(tokenizer, fact, record.answers(direction), bos),
            };
            match ask {
                Ok(fact) => asked.push(fact),
                Err(reason) => left_out.push(reason),
            }
        }
        if asked.is_empty() && left_out.is_empty() {
            return Err("The dataset asks no fact of this relation this way".to_owned());
        }
        let drawn = DrawnFacts { facts: asked.into(), left_out: left_out.into() };
        self.0.truncate(N_KEPT - 1);
        let (sample, which) = (sample.clone(), key.which);
        self.0.insert(0, Draw { sample, stand_ins, which, bos, drawn: drawn.clone() });
        Ok(drawn)
    }
}
