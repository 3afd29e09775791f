//! The reading of an answer that a flag names.

use clap::builder::TypedValueParser;

use super::choice::choice_but;
use crate::analysis::Metric;

/// Those that have a slope, so that they can be estimated.
pub fn estimated_metric() -> impl TypedValueParser<Value = Metric> {
    choice_but(&["rank", "kl"])
}
