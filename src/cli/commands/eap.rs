//! `factscope eap`: which part tells which, from gradients.

use clap::Args;
use clap::builder::TypedValueParser;

use crate::analysis::AnalysisSpec;
use crate::analysis::edge_attribution::{EdgeBase, Spec};
use crate::cli::flags::choice::choices_with;
use crate::cli::flags::estimate::EstimateArgs;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::Estimator;

#[derive(Args)]
pub struct Eap {
    #[command(flatten)]
    asked: EstimateArgs,

    /// How edges are estimated
    #[arg(long, default_value = "eap-ig", value_parser = of_edges())]
    method: Estimator,

    /// With `eap-ig`: how many runs the mean of gradients is over
    #[arg(long, value_name = "M", default_value_t = 30)]
    steps: usize,

    /// How many edges to keep
    #[arg(long, value_name = "N", default_value_t = 100)]
    edges: usize,
}

/// The estimators of edges; that of parts is a command of its own.
fn of_edges() -> impl TypedValueParser<Value = Estimator> {
    choices_with([Estimator::Eap, Estimator::EapIg], [])
}

impl Asks for Eap {
    fn ask(&self, machine: &Machine) -> anyhow::Result<(Inquiry, AnalysisSpec)> {
        let (inquiry, contrast, metric) = self.asked.ask(machine)?;
        let spec = AnalysisSpec::EdgeAttribution(Spec {
            contrast,
            metric,
            base: match self.method {
                Estimator::EapIg => EdgeBase::Between { n_steps: self.steps },
                Estimator::Eap | Estimator::AtpStar => EdgeBase::Clean,
            },
            n_edges: self.edges,
            n_verified: self.asked.verify,
        });
        Ok((inquiry, spec))
    }
}
