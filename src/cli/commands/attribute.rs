//! `factscope attribute`: the answer's logit, split up.

use anyhow::ensure;
use clap::{Args, ValueEnum};

use crate::analysis::accumulated_resid::LensScale;
use crate::analysis::attribution_difference::{self, ScaleOf, SecondRun};
use crate::analysis::corruption::Draws;
use crate::analysis::logit_attribution::{Parts, Spec};
use crate::analysis::neuron_attribution::{self, Listing};
use crate::analysis::{AnalysisSpec, accumulated_resid, source_attribution, through_head};
use crate::cli::flags::choice;
use crate::cli::flags::corruption::{DrawArgs, NoiseArg, corruption_kind};
use crate::cli::flags::fact::AskedArgs;
use crate::cli::flags::head::HeadArg;
use crate::cli::inquiry::{About as _, Asks, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::{CorruptionKind, FactSource};

#[derive(Args)]
pub struct Attribute {
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

    /// List the top N of each layer instead of the top N overall
    #[arg(long)]
    per_layer: bool,

    /// With `--by accumulated`: what each state is divided by, its own standard deviation or that of
    /// the last
    #[arg(long, default_value = "final", value_parser = choice::<LensScale>())]
    scale: LensScale,

    /// Show only what reaches the answer through this head, such as `9.1`: what earlier layers or heads
    /// give it to write, at each token it looks at
    #[arg(
        long,
        value_name = "LAYER.HEAD",
        conflicts_with_all = ["minus_prompt", "minus_noise", "minus_corruption"]
    )]
    through: Option<HeadArg>,

    /// Take off what the same parts write on another prompt
    #[arg(long, value_name = "TEXT", conflicts_with = "minus_noise")]
    minus_prompt: Option<String>,

    /// Take off what the same parts write when the subject's embeddings have noise, as in `trace`
    #[arg(long, value_name = "NOISE")]
    minus_noise: Option<NoiseArg>,

    /// Take off what the same parts write when the subject is corrupted in any way that `trace` knows,
    /// as a mean over the draws: `resample` puts other subjects of the relation in its place
    #[arg(
        long,
        value_name = "KIND",
        value_parser = corruption_kind(),
        conflicts_with_all = ["minus_prompt", "minus_noise"]
    )]
    minus_corruption: Option<CorruptionKind>,

    #[command(flatten)]
    draws: DrawArgs,

    /// With --minus-prompt, --minus-noise or --minus-corruption: whose final layer norm scale is used
    /// for both, that of the `clean` run or in each draw that of its own `corrupted` run
    #[arg(long, default_value = "clean", value_parser = choice::<ScaleOf>())]
    scale_of: ScaleOf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Layers,
    Heads,
    Neurons,
    Sources,
    Accumulated,
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

impl Asks for Attribute {
    type About = AskedArgs;

    fn source(&self, about: &AskedArgs, _: &Machine) -> anyhow::Result<FactSource> {
        let is_drawn = self.minus_noise.is_some() || self.minus_corruption.is_some();
        let has_second = self.minus_prompt.is_some() || is_drawn;
        ensure!(
            is_drawn || !self.draws.is_given(),
            "draws go with --minus-noise or --minus-corruption"
        );
        ensure!(
            self.by.parts().is_some() || self.through.is_none(),
            "--through goes with --by layers or --by heads"
        );
        ensure!(
            !(has_second && matches!(self.by, By::Sources | By::Accumulated)),
            "--minus-prompt, --minus-noise and --minus-corruption go with --by layers, heads or neurons"
        );
        ensure!(
            !(has_second && self.per_layer),
            "--per-layer is of one run; neurons of a difference are listed overall"
        );
        Ok(about.source().with_foil(self.foil.as_deref()))
    }

    fn spec(&self, _: &AskedArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let by = self.by.parts().unwrap_or(Parts::Layers);
        let scale_of = self.scale_of;
        Ok(match (self.through, self.second_run(inquiry)?) {
            (Some(HeadArg { layer, head }), _) => through_head::Spec { layer, head, by }.into(),
            (None, Some(second)) => {
                let n_top = (self.by == By::Neurons).then_some(self.top);
                attribution_difference::Spec { by, second, scale_of, n_top }.into()
            }
            (None, None) => self.single(),
        })
    }
}

impl Attribute {
    /// The attribution of one run.
    fn single(&self) -> AnalysisSpec {
        match self.by {
            By::Layers => Spec { by: Parts::Layers }.into(),
            By::Heads => Spec { by: Parts::Heads }.into(),
            By::Neurons => {
                let listing = if self.per_layer { Listing::PerLayer } else { Listing::Overall };
                neuron_attribution::Spec { n_top: self.top, listing }.into()
            }
            By::Sources => source_attribution::Spec.into(),
            By::Accumulated => accumulated_resid::Spec { scale: self.scale }.into(),
        }
    }

    /// The run whose parts are taken off, if there is one. The foil may change: that of `str` is the
    /// answer of the other subject.
    fn second_run(&self, inquiry: &mut Inquiry) -> anyhow::Result<Option<SecondRun>> {
        if let Some(text) = &self.minus_prompt {
            return Ok(Some(SecondRun::Prompt { ids: inquiry.ids(text)?.into() }));
        }
        if let Some(kind) = self.minus_corruption {
            let draws = self.draws.of(kind, inquiry)?;
            inquiry.set_foil(self.foil.as_deref())?;
            return Ok(Some(SecondRun::Subject(draws)));
        }
        let Some(noise) = self.minus_noise else { return Ok(None) };
        let draws = self.draws.of_noise(noise, inquiry)?;
        let Draws { noise: level, rng, seed, n_samples, .. } = draws;
        Ok(Some(SecondRun::Noise { level, rng, seed, n_samples }))
    }
}
