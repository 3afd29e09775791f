//! `factscope trace`: the causal trace of a fact.

use clap::{ArgGroup, Args};

use crate::analysis::{AnalysisSpec, trace_cell};
use crate::cli::flags::cell::CellArg;
use crate::cli::flags::trace::TraceArgs;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::cli::machine::Machine;

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
    fn ask(&self, machine: &Machine) -> anyhow::Result<(Inquiry, AnalysisSpec)> {
        let (inquiry, trace) = self.what.ask(machine)?;
        let spec = match self.cell {
            None => AnalysisSpec::CausalTrace(trace),
            Some(CellArg { pos, layer }) => {
                AnalysisSpec::TraceCell(trace_cell::Spec { trace, pos, layer, n_top: self.top })
            }
        };
        Ok((inquiry, spec))
    }
}
