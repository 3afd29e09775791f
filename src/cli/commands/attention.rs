//! `factscope attention`: where heads look.

use anyhow::Context as _;
use clap::Args;

use crate::analysis::AnalysisSpec;
use crate::analysis::attention::{Spec, Weighting};
use crate::cli::flags::choices;
use crate::cli::flags::fact::AskedArgs;
use crate::cli::flags::layers::LayersArg;
use crate::cli::inquiry::{Asks, Inquiry};

/// The weightings of single layers; a rollout has a flag of its own.
const WEIGHTINGS: [(&str, Weighting); 3] = [
    ("pattern", Weighting::Pattern),
    ("value", Weighting::ValueWeighted),
    ("norm", Weighting::NormBased),
];

#[derive(Args)]
pub struct Attention {
    /// The layer, from 0
    #[arg(long, value_name = "L", required_unless_present = "layers")]
    layer: Option<usize>,

    /// Several layers, such as `2..5` (without its end), instead of one
    #[arg(long, value_name = "LAYERS", conflicts_with = "layer")]
    layers: Option<LayersArg>,

    /// The head, from 0; a rollout has none [default: all]
    #[arg(long, value_name = "H")]
    head: Option<usize>,

    /// What is said of a query and a key: the attention weight, the weight times the norm of the
    /// value, or the norm of what is moved, the weighted value through `W_O` (Kobayashi et al. 2020)
    #[arg(long, default_value = "pattern", value_parser = choices(WEIGHTINGS))]
    weighting: Weighting,

    /// Show attention rollout: through this layer and all below, heads averaged (Abnar & Zuidema 2020)
    #[arg(long, conflicts_with_all = ["head", "weighting"])]
    rollout: bool,
}

impl Asks for Attention {
    type About = AskedArgs;

    fn spec(&self, _: &AskedArgs, _: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let weighting = if self.rollout { Weighting::Rollout } else { self.weighting };
        let layers = match (&self.layers, self.layer) {
            (Some(LayersArg(layers)), _) => layers.clone(),
            (None, layer) => {
                let layer = layer.context("name the layer with --layer")?;
                layer..layer.saturating_add(1)
            }
        };
        Ok(Spec { layers, head: self.head, weighting }.into())
    }
}
