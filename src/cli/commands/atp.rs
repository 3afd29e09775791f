//! `factscope atp`: a causal trace estimated from one gradient.

use clap::Args;

use crate::analysis::attribution_patching::{BasePoint, Spec, Windows};
use crate::analysis::{AnalysisSpec, Metric};
use crate::cli::flags::choice;
use crate::cli::flags::fact::MeasuredArgs;
use crate::cli::flags::metric::estimated_metric;
use crate::cli::flags::trace::TraceArgs;
use crate::cli::inquiry::{About as _, Asks, Inquiry};
use crate::cli::machine::Machine;
use crate::experiment::FactSource;

#[derive(Args)]
pub struct Atp {
    #[command(flatten)]
    trace: TraceArgs,

    /// The run at which the gradient is taken: Nanda 2023 takes the corrupted one, Kramár et al.
    /// 2024 the clean one
    #[arg(long, default_value = "corrupted", value_parser = choice::<BasePoint>())]
    base: BasePoint,

    /// What is estimated to first order
    #[arg(long, default_value = "prob", value_parser = estimated_metric())]
    metric: Metric,

    /// How the layers of a window are taken together: `held`, as outputs that do not react to each
    /// other at the restored token, or `added`, as the sum of their own estimates
    #[arg(long, default_value = "held", value_parser = choice::<Windows>())]
    windows: Windows,

    /// Patch the N cells with the largest estimated effects for real
    #[arg(long, value_name = "N", default_value_t = 0)]
    verify: usize,
}

impl Asks for Atp {
    type About = MeasuredArgs;

    fn source(&self, about: &MeasuredArgs, _: &Machine) -> anyhow::Result<FactSource> {
        Ok(about.asked.source())
    }

    fn spec(&self, about: &MeasuredArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let trace = self.trace.spec(about.foil.as_deref(), inquiry)?;
        let Self { base, metric, windows, verify: n_verified, .. } = *self;
        Ok(Spec { trace, base, metric, windows, n_verified }.into())
    }
}
