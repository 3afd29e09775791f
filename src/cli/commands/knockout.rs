//! `factscope knockout`: where attention must be cut for the answer to get lost.

use std::str::FromStr;

use clap::Args;

use crate::analysis::attention_knockout::{Edges, Spec};
use crate::analysis::causal_trace::usual_window;
use crate::analysis::{AnalysisSpec, Positions};
use crate::cli::flags::fact::AskedArgs;
use crate::cli::inquiry::{Asks, Inquiry};

#[derive(Args)]
pub struct Knockout {
    /// What is cut, such as `subject:last`: the tokens looked at, a colon, the tokens that look, each
    /// `all`, `subject`, `non-subject`, `last`, a position or a range such as `3..6`; may be given
    /// again [default: the paper's `subject:last`, `non-subject:last` and `last:last`]
    #[arg(long, value_name = "FROM:TO")]
    edges: Vec<EdgesArg>,

    /// How many layers are cut together around the one reported [default: as a trace's, 10 from
    /// 24 layers on and as large a part of fewer; the paper: 9 of 48]
    #[arg(long, value_name = "N")]
    window: Option<usize>,
}

/// Cut edges as they are typed: `subject:last`.
#[derive(Clone)]
struct EdgesArg(Edges);

impl FromStr for EdgesArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once(':').ok_or("two kinds of tokens, as `subject:last`")?;
        let place = |text: &str| text.parse::<Positions>().map_err(|error| error.to_string());
        Ok(Self(Edges { from: place(from)?, to: place(to)? }))
    }
}

impl Asks for Knockout {
    type About = AskedArgs;

    fn spec(&self, _: &AskedArgs, inquiry: &mut Inquiry) -> anyhow::Result<AnalysisSpec> {
        let edges: Vec<Edges> = self.edges.iter().map(|it| it.0.clone()).collect();
        let edges = if edges.is_empty() { Edges::to_last() } else { edges };
        let n_layers = inquiry.engine.info.config.n_layers;
        let window = self.window.unwrap_or_else(|| usual_window(n_layers));
        Ok(Spec { edges, window }.into())
    }
}
