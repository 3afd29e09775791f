//! `factscope eap`: which part tells which, from gradients.

use clap::Args;
use clap::builder::TypedValueParser;

use crate::analysis::AnalysisSpec;
use crate::analysis::edge_attribution::{EdgeBase, Spec};
use crate::cli::flags::choice::choices_with;
use crate::cli::flags::estimate::EstimateArgs;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::experiment::Estimator;

#[derive(Args)]
pub struct Eap {
    #[command(flatten)]
    estimate: EstimateArgs,

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
    type About = AskedArgs;

    fn spec(&self, about: &AskedArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let contrast = self.estimate.contrast(&about.fact, inquiry)?;
        let (metric, n_verified) = (self.estimate.metric, self.estimate.verify);
        let base = match self.method {
            Estimator::EapIg => EdgeBase::Between { n_steps: self.steps },
            Estimator::Eap | Estimator::AtpStar => EdgeBase::Clean,
        };
        Ok(Spec { contrast, metric, base, n_edges: self.edges, n_verified }.into())
    }
}
