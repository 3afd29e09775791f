//! `factscope trace`: the causal trace of a fact.

use clap::{ArgGroup, Args};

use crate::analysis::{AnalysisSpec, trace_cell};
use crate::cli::flags::cell::CellArg;
use crate::cli::flags::fact::MeasuredArgs;
use crate::cli::flags::trace::TraceArgs;
use crate::cli::inquiry::{About as _, Asks, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::FactSource;

#[derive(Args)]
// What is corrupted is the subject.
#[command(group(ArgGroup::new("typed").arg("prompt").requires("subject")))]
pub struct Trace {
    #[command(flatten)]
    what: TraceArgs,

    /// One cell instead of the map, a token and a layer, both counted from 0: what the model says in
    /// each run behind it
    #[arg(long, value_name = "TOKEN,LAYER")]
    cell: Option<CellArg>,

    /// With --cell: how many of the likeliest next tokens are listed
    #[arg(long, value_name = "N", default_value_t = 10, requires = "cell")]
    top: usize,
}

impl Asks for Trace {
    type About = MeasuredArgs;

    fn source(&self, about: &MeasuredArgs, _: &Machine) -> anyhow::Result<FactSource> {
        Ok(about.asked.source())
    }

    fn spec(&self, about: &MeasuredArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let trace = self.what.spec(about.foil.as_deref(), inquiry)?;
        Ok(match self.cell {
            None => trace.into(),
            Some(CellArg { pos, layer }) => {
                trace_cell::Spec { trace, pos, layer, n_top: self.top }.into()
            }
        })
    }
}
