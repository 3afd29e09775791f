//! `factscope average`: causal traces of many facts, averaged by token role.

use std::sync::Arc;

use anyhow::ensure;
use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::causal_trace::{Component, Map};
use crate::analysis::corruption::Corruption;
use crate::analysis::trace_average::{AskedFact, FactDraws, Kept, LeftOut, Sample, Spec};
use crate::cli::flags::choice;
use crate::cli::flags::corruption::CorruptionArgs;
use crate::cli::flags::dataset::DatasetArgs;
use crate::cli::flags::model::ModelArgs;
use crate::cli::flags::trace::{WayArgs, WindowArgs};
use crate::cli::inquiry::{Asks, Inquiry};
use crate::experiment::Question;
use crate::facts::{Direction, Record};

#[derive(Args)]
pub struct Average {
    #[command(flatten)]
    dataset: DatasetArgs,

    /// How many facts are drawn from it
    #[arg(long, value_name = "N", default_value_t = 100)]
    n: usize,

    /// Ask the facts from their answers
    #[arg(long)]
    inverse: bool,

    /// Average also facts whose answer is not the model's first guess
    #[arg(long)]
    keep_unknown: bool,

    /// What is restored, with a map for each: the residual stream after a layer, or what MLPs or attention
    /// add to it
    #[arg(
        long,
        value_name = "KIND,…",
        value_delimiter = ',',
        default_value = "hidden,mlp,attn",
        value_parser = choice::<Component>()
    )]
    kind: Vec<Component>,

    /// Give all facts the same draws of the corruption, as ROME does; the intervals leave out how much
    /// the means would change with other draws
    #[arg(long)]
    shared_draws: bool,

    #[command(flatten)]
    corruption: CorruptionArgs,

    #[command(flatten)]
    window: WindowArgs,

    #[command(flatten)]
    way: WayArgs,
}

impl Asks for Average {
    type About = ModelArgs;

    fn spec(&self, _: &ModelArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let dataset = inquiry.machine.datasets.get(&self.dataset.facts, None)?;
        let sample = self.sample();
        let records: Vec<Record> =
            sample.draw_questions(&dataset.records).into_iter().cloned().collect();
        ensure!(!records.is_empty(), "no such fact in {}", self.dataset.facts.display());
        inquiry.question.dataset = Some(Arc::clone(&dataset));
        let subjects_of = self.corruption.dataset(&inquiry.machine)?.unwrap_or(dataset);
        let tokenizer = &inquiry.engine.info.tokenizer;
        let mut question = Question {
            subjects: subjects_of.subjects().map(str::to_owned).collect(),
            direction: sample.direction,
            dataset: Some(subjects_of),
            ..inquiry.question.clone()
        };
        let noise_tokens = self.corruption.noise_tokens(&question, tokenizer)?;
        let bos = inquiry.bos;

        let (mut facts, mut left_out) = (Vec::new(), Vec::new());
        let mut draws = None;
        for record in &records {
            let Some(fact) = record.fact(sample.direction) else { continue };
            question.fact = fact.clone();
            question.expected.clone_from(&fact.answer);
            question.right = record.answers(sample.direction).to_vec();
            question.relation.clone_from(&record.relation);
            let mut own = None;
            if draws.is_none() || self.corruption.is_of_subject() {
                match self.corruption.draws_of(&mut question, tokenizer, bos, &noise_tokens) {
                    Ok(found) => {
                        own = self.corruption.is_of_subject().then(|| found.corruption.clone());
                        draws = draws.or(Some(found));
                    }
                    Err(error) if self.corruption.is_of_subject() => {
                        left_out.push(LeftOut::not_traced(fact, &format!("{error:#}")));
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            let answers = record.answers(sample.direction);
            match AskedFact::new(tokenizer, &question.fact, answers, bos) {
                Ok(asked) => facts.push(AskedFact { corruption: own, ..asked }),
                Err(reason) => left_out.push(reason),
            }
        }
        let reason = || left_out.first().map(|it| it.reason.clone()).unwrap_or_default();
        let Some(mut draws) = draws else {
            anyhow::bail!("no fact can be corrupted so: {}", reason());
        };
        if self.corruption.is_of_subject() {
            draws.corruption = Corruption::default();
        }
        let window = self.window.of(&inquiry.engine);
        let spec = Spec {
            trace: self.way.trace(self.kind[0], window, draws, Map::Tokens),
            components: self.kind.clone(),
            facts: facts.into(),
            kept: if self.keep_unknown { Kept::All } else { Kept::Known },
            draws: if self.shared_draws { FactDraws::Shared } else { FactDraws::Anew },
            left_out: left_out.into(),
            sample: Some(sample),
        };
        Ok(spec.into())
    }
}

impl Average {
    fn sample(&self) -> Sample {
        Sample {
            relation: self.dataset.relation(),
            direction: if self.inverse { Direction::Inverse } else { Direction::Forward },
            n_facts: self.n,
            seed: self.dataset.facts_seed,
        }
    }
}
