//! The reading of an answer that a flag names.

use clap::builder::TypedValueParser;

use super::choice::choice_but;
use crate::analysis::Metric;

/// The metrics that have a gradient, so that effects on them can be estimated.
pub fn estimated_metric() -> impl TypedValueParser<Value = Metric> {
    choice_but(&["rank", "kl"])
}
