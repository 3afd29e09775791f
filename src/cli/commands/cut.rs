//! `factscope cut`: what the answer loses without some ways for tokens to look at others.

use std::collections::BTreeSet;
use std::str::FromStr;

use clap::Args;

use crate::analysis::edge_cut::{Edge, Spec};
use crate::analysis::{AnalysisError, AnalysisSpec, Positions};
use crate::cli::flags::fact::MeasuredArgs;
use crate::cli::flags::layers::LayersArg;
use crate::cli::inquiry::{Asks, Inquiry};
use crate::tokens::TokenizedPrompt;

#[derive(Args)]
pub struct Cut {
    /// What is cut, such as `4:1`: the token that looks, a colon, the token that is looked at, by
    /// their positions from 0; also `subject`, `last` and the like, or ranges such as `3..6`; may be
    /// given again
    #[arg(long, value_name = "QUERY:KEY")]
    edge: Vec<EdgesArg>,

    /// Cut in these layers, such as `2..5` (without its end) or `3` [default: all]
    #[arg(long, value_name = "LAYERS")]
    layers: Option<LayersArg>,

    /// Cut in this head of each of the layers, from 0; may be given again [default: all]
    #[arg(long, value_name = "H")]
    head: Vec<usize>,

    /// How many of the likeliest tokens to list
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
}

/// Cut edges as they are typed: `last:subject`.
#[derive(Clone)]
struct EdgesArg {
    queries: Positions,
    keys: Positions,
}

impl FromStr for EdgesArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (queries, keys) = text.split_once(':').ok_or("two tokens, as `4:1`")?;
        let place = |text: &str| text.parse::<Positions>().map_err(|error| error.to_string());
        Ok(Self { queries: place(queries)?, keys: place(keys)? })
    }
}

impl EdgesArg {
    /// The edges between the tokens that are named. Pairs in which a token cannot look at the other are
    /// left out, and refused if there are no others.
    fn edges(&self, prompt: &TokenizedPrompt) -> Result<Vec<Edge>, AnalysisError> {
        let queries = self.queries.ranges(prompt)?.into_iter().flatten();
        let keys: Vec<usize> = self.keys.ranges(prompt)?.into_iter().flatten().collect();
        let all: Vec<Edge> =
            queries.flat_map(|query| keys.iter().map(move |&key| Edge { query, key })).collect();
        let possible: Vec<Edge> = all.iter().copied().filter(|it| it.key <= it.query).collect();
        match all.first() {
            Some(&Edge { query, key }) if possible.is_empty() => {
                Err(AnalysisError::LaterKey { query, key })
            }
            _ => Ok(possible),
        }
    }
}

impl Asks for Cut {
    type About = MeasuredArgs;

    fn spec(&self, _: &MeasuredArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let mut edges = BTreeSet::new();
        for arg in &self.edge {
            edges.extend(arg.edges(&inquiry.prompt)?);
        }
        let n_layers = inquiry.engine.info.config.n_layers;
        let layers = self.layers.as_ref().map_or(0..n_layers, |it| it.0.clone());
        let heads = (!self.head.is_empty()).then(|| self.head.iter().copied().collect());
        Ok(Spec { edges, layers, heads, n_top: self.top }.into())
    }
}
