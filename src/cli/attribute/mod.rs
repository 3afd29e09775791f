use std::fmt::Write as _;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::corruption::NoiseArg;
use super::fact::FactArgs;
use super::head::HeadArg;
use super::lens::ScaleArg;
use super::output::{AnalysisOutput, minus, with_tail};
use super::run::Session;
use super::{Machine, ModelArgs};
use crate::analysis::attribution_difference::{self, ScaleOf, SecondRun};
use crate::analysis::logit_attribution::{Contribution, LogitAttribution, Parts, Spec};
use crate::analysis::neuron_attribution::{self, Listing};
use crate::analysis::{AnalysisSpec, accumulated_resid, source_attribution, through_head};
use crate::facts::Fact;
use crate::intervention::NoiseRng;
use crate::tokens::TokenizedPrompt;
use crate::worker::Engine;

pub(super) mod accumulated;
pub(super) mod difference;
pub(super) mod neurons;
pub(super) mod sources;
pub(super) mod through;

#[derive(Args)]
pub(super) struct Attribute {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    /// A wrong answer, whose logit is taken off [default: the dataset's, if it has one, else the mean
    /// over the vocabulary]
    #[arg(long, value_name = "TEXT")]
    foil: Option<String>,

    /// What the logit is split into: layer components; heads and MLPs; the neurons that matter most;
    /// what each head brings from each token; or how it builds up along the residual stream
    #[arg(long, value_enum, default_value = "layers")]
    by: By,

    /// How many neurons are listed
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,

    /// So many of each layer
    #[arg(long)]
    per_layer: bool,

    /// With `--by accumulated`: what each state is divided by, its own standard deviation or that of
    /// the last
    #[arg(long, value_enum, default_value = "final")]
    scale: ScaleArg,

    /// Only what reaches the answer through this head, such as `9.1`: what earlier layers or heads
    /// give it to write, at each token it looks at
    #[arg(long, value_name = "LAYER.HEAD", conflicts_with_all = ["minus_prompt", "minus_noise"])]
    through: Option<HeadArg>,

    /// Take off what the same parts write on another prompt
    #[arg(long, value_name = "TEXT", conflicts_with = "minus_noise")]
    minus_prompt: Option<String>,

    /// Take off what the same parts write when the subject's embeddings have noise, as in `trace`
    #[arg(long, value_name = "NOISE")]
    minus_noise: Option<NoiseArg>,

    /// Noise draws averaged
    #[arg(long, value_name = "N", default_value_t = 10, requires = "minus_noise")]
    samples: usize,

    /// Seed of the noise
    #[arg(long, value_name = "N", default_value_t = 1, requires = "minus_noise")]
    seed: u32,

    /// With a second run: whose final layer norm scale is used for both
    #[arg(long, value_enum, default_value = "clean")]
    scale_of: ScaleOfArg,

    #[command(flatten)]
    output: AnalysisOutput,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Layers,
    Heads,
    Neurons,
    Sources,
    Accumulated,
}

#[derive(Clone, Copy, ValueEnum)]
enum ScaleOfArg {
    Clean,
    Corrupted,
}

impl By {
    fn parts(self) -> Option<Parts> {
        match self {
            Self::Layers => Some(Parts::Layers),
            Self::Heads => Some(Parts::Heads),
            Self::Neurons | Self::Sources | Self::Accumulated => None,
        }
    }
}

impl Attribute {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let has_second = self.minus_prompt.is_some() || self.minus_noise.is_some();
        ensure!(
            self.by.parts().is_some() || !(has_second || self.through.is_some()),
            "--through, --minus-prompt and --minus-noise go with --by layers or --by heads"
        );
        let source = self.fact.source().with_foil(self.foil.as_deref());
        let session = self.model.ask(source, machine)?;
        let spec = match (self.through, self.second_run(&session)?) {
            (Some(HeadArg { layer, head }), _) => {
                let by = self.by.parts().unwrap_or(Parts::Layers);
                AnalysisSpec::ThroughHead(through_head::Spec { layer, head, by })
            }
            (None, Some(second)) => {
                AnalysisSpec::AttributionDifference(attribution_difference::Spec {
                    by: self.by.parts().unwrap_or(Parts::Layers),
                    second,
                    scale_of: match self.scale_of {
                        ScaleOfArg::Clean => ScaleOf::Clean,
                        ScaleOfArg::Corrupted => ScaleOf::Corrupted,
                    },
                })
            }
            (None, None) => self.single(),
        };
        session.finish(spec, &self.output, machine)
    }

    /// Of one run.
    fn single(&self) -> AnalysisSpec {
        match self.by {
            By::Layers => AnalysisSpec::LogitAttribution(Spec { by: Parts::Layers }),
            By::Heads => AnalysisSpec::LogitAttribution(Spec { by: Parts::Heads }),
            By::Neurons => AnalysisSpec::NeuronAttribution(neuron_attribution::Spec {
                n_top: self.top,
                listing: if self.per_layer { Listing::PerLayer } else { Listing::Overall },
            }),
            By::Sources => AnalysisSpec::SourceAttribution(source_attribution::Spec),
            By::Accumulated => {
                let scale = self.scale.into();
                AnalysisSpec::AccumulatedResid(accumulated_resid::Spec { scale })
            }
        }
    }

    /// What is taken off, if anything.
    fn second_run(&self, session: &Session) -> anyhow::Result<Option<SecondRun>> {
        let tokenizer = &session.engine.info.tokenizer;
        if let Some(text) = &self.minus_prompt {
            let other = Fact::from_text(text, None)?;
            let ids = TokenizedPrompt::new(tokenizer, &other, self.model.bos())?.ids.into();
            return Ok(Some(SecondRun::Prompt { ids }));
        }
        let Some(noise) = self.minus_noise else { return Ok(None) };
        // As for a trace: all subjects of the dataset, or the prompt's own.
        let question = &session.question;
        let own = question.fact.subject_text();
        let mut tokens = Vec::new();
        for subject in question
            .subjects
            .iter()
            .map(String::as_str)
            .chain(own.filter(|_| question.subjects.is_empty()))
        {
            tokens.extend(tokenizer.encode(subject)?.iter().map(|token| token.id));
        }
        Ok(Some(SecondRun::Noise {
            level: noise.level(&tokens),
            rng: NoiseRng::Numpy,
            seed: self.seed,
            n_samples: self.samples,
        }))
    }
}

pub(super) fn to_json(
    it: &LogitAttribution,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let labels: Vec<_> = it.contributions.iter().map(|part| part.component.to_string()).collect();
    let values: Vec<_> = it.contributions.iter().map(|part| part.logit).collect();
    let body = json!({
        "labels": labels,
        "values": values,
        // What the final layer norm's bias adds: no component's, but part of the sum.
        "bias": it.unembed_bias,
        "sum": it.sum(),
        "logit": it.logit,
        "raw_logit": it.raw_logit,
        "unit": "logit",
        "minus": minus(&it.prompt),
    });
    with_tail(body, &it.prompt, engine, machine)
}

pub(super) fn to_text(it: &LogitAttribution) -> String {
    let mut text = String::from("   logit  component (largest first)\n");
    list_foremost(&mut text, &it.contributions);
    _ = writeln!(text, "{:>+8.4}  bias of the final layer norm", it.unembed_bias);
    _ = writeln!(text, "\nsum {:.4}, logit {:.4}", it.sum(), it.logit);
    text
}

/// The twenty largest.
fn list_foremost(text: &mut String, contributions: &[Contribution]) {
    let mut parts: Vec<_> = contributions.iter().collect();
    parts.sort_by(|a, b| b.logit.abs().total_cmp(&a.logit.abs()));
    for part in parts.into_iter().take(20) {
        _ = writeln!(text, "{:>+8.4}  {}", part.logit, part.component);
    }
}
