//! What an estimate is asked of, and against which corrupted runs, as flags.

use clap::Args;

use super::atp::MetricArg;
use super::corruption::{self, CorruptionArgs};
use super::fact::FactArgs;
use super::run::Session;
use super::{Machine, ModelArgs};
use crate::analysis::corruption::Corrupted;
use crate::analysis::{Contrast, Measurement, Metric};
use crate::experiment::{FactSource, RecordFact};
use crate::facts::Fact;
use crate::tokens::TokenizedPrompt;

/// For `atp-star`, which estimates parts, and for `eap`, which estimates edges.
#[derive(Args)]
pub(super) struct EstimateArgs {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    /// Corrupt by another prompt of as many tokens [default: as --corruption says]
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["other_case", "corruption", "noise_file"])]
    other: Option<String>,

    /// The same, by its `case_id` or `known_id` in the dataset
    #[arg(long, value_name = "ID", requires = "facts", conflicts_with_all = ["corruption", "noise_file"])]
    other_case: Option<String>,

    #[command(flatten)]
    corruption: CorruptionArgs,

    /// What is estimated
    #[arg(long, value_enum, default_value = "log-prob")]
    metric: MetricArg,

    /// A wrong answer, for the logit difference [default: the dataset's, if it has one]
    #[arg(long, value_name = "TEXT")]
    foil: Option<String>,

    /// Corrupt the N with the largest estimates for real
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub verify: usize,
}

impl EstimateArgs {
    pub fn ask(&self, machine: &Machine) -> anyhow::Result<(Session, Contrast, Metric)> {
        let mut session = self.model.ask(self.fact.source(), machine)?;
        let contrast = match self.other_fact()? {
            Some(other) => {
                let tokenizer = &session.engine.info.tokenizer;
                let ids = TokenizedPrompt::new(tokenizer, &other, self.model.bos())?.ids;
                Contrast::Prompt { ids: ids.into() }
            }
            None => Contrast::Subject(self.corruption.draws(&mut session)?),
        };
        session.set_foil(self.foil.as_deref())?;
        Ok((session, contrast, self.metric.into()))
    }

    fn other_fact(&self) -> anyhow::Result<Option<Fact>> {
        Ok(match (&self.other, &self.other_case, &self.fact.facts) {
            (Some(text), _, _) => Some(Fact::from_text(text, None)?),
            (None, Some(case), Some(facts)) => {
                let source = FactSource::Record(RecordFact {
                    facts: facts.clone(),
                    case: case.clone(),
                    direction: self.fact.direction(),
                    answer: None,
                    foil: None,
                });
                Some(source.question()?.fact)
            }
            _ => None,
        })
    }
}

/// The clean and the corrupted reading, in words, and the corrupted prompts.
pub(super) fn readings(
    clean: &Measurement,
    corrupted: &[Measurement],
    metric: Metric,
    contrast: &Contrast,
    noise_std: Option<f64>,
    corruptions: &[Corrupted],
) -> String {
    let low = Measurement::mean(corrupted, metric).unwrap_or(f32::NAN);
    let high = clean.get(metric).unwrap_or(f32::NAN);
    let how = match contrast {
        Contrast::Prompt { .. } => "by the other prompt".to_owned(),
        Contrast::Subject(draws) => corruption::in_words(draws, noise_std.unwrap_or(0.0)),
    };
    let mut text = format!("clean {high:.5}, corrupted {low:.5} ({how})\n");
    corruption::list_prompts(&mut text, corruptions);
    text
}

/// As it is asked for.
pub(super) fn name(contrast: &Contrast) -> &'static str {
    match contrast {
        Contrast::Prompt { .. } => "prompt",
        Contrast::Subject(draws) => corruption::name(&draws.corruption),
    }
}
