//! `factscope eap`: which part tells which, from gradients.

use clap::{Args, ValueEnum};

use crate::analysis::AnalysisSpec;
use crate::analysis::edge_attribution::{EdgeBase, Spec};
use crate::cli::flags::estimate::EstimateArgs;
use crate::cli::machine::Machine;
use crate::cli::output::AnalysisOutput;

#[derive(Args)]
pub struct Eap {
    #[command(flatten)]
    asked: EstimateArgs,

    /// `eap`: the gradient at the clean run (Syed et al. 2023); `eap-ig`: its mean between the
    /// corrupted and the clean embeddings (Hanna et al. 2024)
    #[arg(long, value_enum, default_value = "eap-ig")]
    method: Method,

    /// How many runs that mean is over
    #[arg(long, value_name = "M", default_value_t = 30)]
    steps: usize,

    /// How many edges to keep
    #[arg(long, value_name = "N", default_value_t = 100)]
    edges: usize,

    #[command(flatten)]
    output: AnalysisOutput,
}

#[derive(Clone, Copy, ValueEnum)]
enum Method {
    Eap,
    EapIg,
}

impl Eap {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let (inquiry, contrast, metric) = self.asked.ask(machine)?;
        let spec = AnalysisSpec::EdgeAttribution(Spec {
            contrast,
            metric,
            base: match self.method {
                Method::Eap => EdgeBase::Clean,
                Method::EapIg => EdgeBase::Between { n_steps: self.steps },
            },
            n_edges: self.edges,
            n_verified: self.asked.verify,
        });
        inquiry.finish(spec, &self.output, machine)
    }
}
