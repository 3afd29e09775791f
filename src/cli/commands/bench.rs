//! `factscope bench`: the same trace under several corruptions.

use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::causal_trace::{Component, Map, usual_window};
use crate::analysis::corruption::{Corruption, Draws};
use crate::analysis::corruption_bench::{Entry, LeftOut, Spec};
use crate::cli::flags::choice;
use crate::cli::flags::corruption::{DrawArgs, corruption_kind};
use crate::cli::flags::fact::MeasuredArgs;
use crate::cli::flags::trace::WayArgs;
use crate::cli::inquiry::{About as _, Asks, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::{Choices as _, CorruptionKind, FactSource};

#[derive(Args)]
pub struct Bench {
    /// What is restored: the residual stream after a layer, or what MLPs or attention add to it
    #[arg(long, default_value = "mlp", value_parser = choice::<Component>())]
    kind: Component,

    /// What the subject becomes, one map each
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        value_parser = corruption_kind(),
        default_value = "gaussian,str,resample,random-tokens,mean,zero"
    )]
    corruptions: Vec<CorruptionKind>,

    #[command(flatten)]
    draws: DrawArgs,

    /// Layers restored together, for `mlp` and `attn`; single layers always stand beside [default: 10
    /// as ROME, in models of fewer than 24 layers as large a part as 10 of 48]
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    window: Vec<usize>,

    #[command(flatten)]
    way: WayArgs,
}

impl Asks for Bench {
    type About = MeasuredArgs;

    fn source(&self, about: &MeasuredArgs, _: &Machine) -> anyhow::Result<FactSource> {
        // A missing file is an error, not a corruption that the prompt has no room for.
        self.draws.check()?;
        Ok(about.asked.source())
    }

    fn spec(&self, about: &MeasuredArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let usual = self.draws.of(CorruptionKind::Gaussian, inquiry)?;
        let own_foil = inquiry.question.fact.foil.clone();
        let (mut corruptions, mut left_out) = (Vec::new(), Vec::new());
        for kind in &self.corruptions {
            let name = kind.words().key.to_owned();
            match self.draws.of(*kind, inquiry) {
                Ok(Draws { corruption, n_samples: own, .. }) => {
                    let n_samples = match &corruption {
                        Corruption::NoiseFile(_) => own,
                        Corruption::OtherSubjects { ids, .. } => usual.n_samples.min(ids.len()),
                        it if it.is_drawn() => usual.n_samples,
                        _ => 1,
                    };
                    corruptions.push(Entry { name, corruption, n_samples });
                }
                Err(error) => left_out.push(LeftOut { name, reason: format!("{error:#}") }),
            }
        }
        if own_foil.is_some() {
            // All maps must be of one question, so the fact's own foil goes before that of `str`.
            inquiry.question.fact.foil = own_foil;
        }
        inquiry.set_foil(about.foil.as_deref())?;
        let component = self.kind;
        let windows = if component == Component::Hidden {
            vec![1]
        } else {
            let usual = [usual_window(inquiry.engine.info.config.n_layers)];
            let asked = if self.window.is_empty() { &usual[..] } else { &self.window };
            [1].into_iter().chain(asked.iter().copied().filter(|it| *it != 1)).collect()
        };
        let window = windows[windows.len() - 1];
        let trace = self.way.trace(component, window, usual, Map::Tokens);
        Ok(Spec { trace, corruptions, windows, left_out }.into())
    }
}
