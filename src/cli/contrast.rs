//! What a prompt is compared with, as flags.

use std::path::PathBuf;

use clap::Args;

use super::ModelArgs;
use super::fact::FactArgs;
use super::run::Session;
use super::trace::{NoiseArg, noise_subjects, noise_tokens};
use crate::analysis::{Contrast, Measurement, Metric};
use crate::experiment::{FactSource, RecordFact};
use crate::facts::Fact;
use crate::intervention::NoiseRng;
use crate::tokens::TokenizedPrompt;

/// Another prompt, or noise.
#[derive(Args)]
pub(super) struct ContrastArgs {
    /// Corrupt by another prompt of as many tokens [default: noise on the subject's embeddings]
    #[arg(long, value_name = "TEXT", conflicts_with = "other_case")]
    other: Option<String>,

    /// The same, by its `case_id` or `known_id` in the dataset
    #[arg(long, value_name = "ID", requires = "facts")]
    other_case: Option<String>,

    /// Standard deviation of the noise: a number, or as in `3s` a multiple of that of the subjects'
    /// token embeddings
    #[arg(long, value_name = "NOISE", default_value = "3s")]
    noise: NoiseArg,

    /// A text file with one subject a line, on which `3s` is measured [default: the subjects of
    /// --facts, else the prompt's own]
    #[arg(long, value_name = "FILE")]
    noise_subjects: Option<PathBuf>,

    /// Noise draws averaged
    #[arg(long, value_name = "N", default_value_t = 10)]
    samples: usize,

    /// Seed of the noise, drawn as numpy draws it
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,
}

impl ContrastArgs {
    pub fn contrast(
        &self,
        model: &ModelArgs,
        fact: &FactArgs,
        session: &Session,
    ) -> anyhow::Result<Contrast> {
        let other = match (&self.other, &self.other_case, &fact.facts) {
            (Some(text), _, _) => Some(Fact::from_text(text, None)?),
            (None, Some(case), Some(facts)) => {
                let source = FactSource::Record(RecordFact {
                    facts: facts.clone(),
                    case: case.clone(),
                    direction: fact.direction(),
                    answer: None,
                    foil: None,
                });
                Some(source.question()?.fact)
            }
            _ => None,
        };
        let tokenizer = &session.engine.info.tokenizer;
        if let Some(other) = other {
            let ids = TokenizedPrompt::new(tokenizer, &other, model.bos())?.ids;
            return Ok(Contrast::Prompt { ids: ids.into() });
        }
        let subjects = noise_subjects(self.noise_subjects.as_deref(), &session.question)?;
        Ok(Contrast::Noise {
            noise: self.noise.level(&noise_tokens(tokenizer, &subjects)?),
            rng: NoiseRng::Numpy,
            seed: self.seed,
            n_samples: self.samples,
        })
    }
}

/// The clean and the corrupted reading, in words.
pub(super) fn readings(
    clean: &Measurement,
    corrupted: &[Measurement],
    metric: Metric,
    noise_std: Option<f64>,
) -> String {
    let low = Measurement::mean(corrupted, metric).unwrap_or(f32::NAN);
    let high = clean.get(metric).unwrap_or(f32::NAN);
    let how = noise_std.map_or_else(
        || "by the other prompt".to_owned(),
        |std| format!("noise {std:.5}, {} samples", corrupted.len()),
    );
    format!("clean {high:.5}, corrupted {low:.5} ({how})")
}
