use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::ops::Range;
use std::str::FromStr;

use clap::Args;
use serde_json::{Value, json};

use super::Machine;
use super::fact::MeasuredArgs;
use super::output::{AnalysisOutput, with_tail};
use crate::analysis::edge_cut::{Edge, EdgeCut, Said, Spec};
use crate::analysis::{AnalysisError, AnalysisSpec, Positions};
use crate::tokens::{TokenizedPrompt, visible};
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Cut {
    #[command(flatten)]
    asked: MeasuredArgs,

    /// What is cut, such as `4:1`: the token that looks, a colon, the token that is looked at, by
    /// their positions from 0; also `subject`, `last` and the like, or ranges such as `3..6`; may be
    /// given again
    #[arg(long, value_name = "QUERY:KEY")]
    edge: Vec<EdgesArg>,

    /// In these layers, such as `2..5` (without its end) or `3` [default: all]
    #[arg(long, value_name = "LAYERS")]
    layers: Option<LayersArg>,

    /// In this head of each of them, from 0; may be given again [default: all]
    #[arg(long, value_name = "H")]
    head: Vec<usize>,

    /// How many of the likeliest tokens to list
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,

    #[command(flatten)]
    output: AnalysisOutput,
}

/// `last:subject`
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
    /// All of them; of many tokens only the pairs in which one can look at the other.
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

/// `2..5`
#[derive(Clone)]
struct LayersArg(Range<usize>);

impl FromStr for LayersArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.trim().parse::<usize>().map_err(|_error| format!("`{text}` is no layer, from 0"))
        };
        if let Some((from, to)) = text.split_once("..") {
            return Ok(Self(number(from)?..number(to)?));
        }
        let layer = number(text)?;
        Ok(Self(layer..layer.saturating_add(1)))
    }
}

impl Cut {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let session = self.asked.ask(machine)?;
        let mut edges = BTreeSet::new();
        for arg in &self.edge {
            edges.extend(arg.edges(&session.prompt)?);
        }
        let n_layers = session.engine.info.config.n_layers;
        let spec = Spec {
            edges,
            layers: self.layers.as_ref().map_or(0..n_layers, |it| it.0.clone()),
            heads: (!self.head.is_empty()).then(|| self.head.iter().copied().collect()),
            n_top: self.top,
        };
        session.finish(AnalysisSpec::EdgeCut(spec), &self.output, machine)
    }
}

pub(super) fn to_json(it: &EdgeCut, engine: &Engine, machine: &Machine) -> anyhow::Result<Value> {
    let tokenizer = &engine.info.tokenizer;
    let said = |it: &Said| {
        let top = it.top.iter().map(|it| {
            json!({ "id": it.id, "token": tokenizer.piece(it.id), "prob": it.prob, "logit": it.logit })
        });
        json!({ "answer": it.answer, "top": top.collect::<Vec<_>>() })
    };
    let body = json!({ "spec": it.spec, "clean": said(&it.clean), "cut": said(&it.cut) });
    with_tail(body, &it.prompt, engine, machine)
}

pub(super) fn to_text(it: &EdgeCut, engine: &Engine) -> String {
    let piece = |pos: usize| visible(&it.prompt.pieces[pos]);
    let layers = &it.spec.layers;
    let heads = match &it.spec.heads {
        None => "all heads".to_owned(),
        Some(heads) => {
            let heads: Vec<String> = heads.iter().map(usize::to_string).collect();
            format!("heads {}", heads.join(", "))
        }
    };
    let mut text = format!("cut in layers {} to {}, {heads}\n", layers.start, layers.end - 1);
    for edge in &it.spec.edges {
        let (query, key) = (piece(edge.query), piece(edge.key));
        _ = writeln!(text, "  {} {query} looks at {} {key}", edge.query, edge.key);
    }
    let (clean, cut) = (&it.clean.answer, &it.cut.answer);
    let answer = it.prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    _ = writeln!(text, "\np({answer})  {:.5} clean, {:.5} cut", clean.prob, cut.prob);
    _ = writeln!(text, "rank  {} clean, {} cut, 0 is the top", clean.rank, cut.rank);
    if let (Some(clean), Some(cut)) = (clean.logit_diff, cut.logit_diff) {
        _ = writeln!(text, "logit difference  {clean:.4} clean, {cut:.4} cut");
    }
    text.push_str("\nclean                      cut\n");
    for (clean, cut) in it.clean.top.iter().zip(&it.cut.top) {
        let token = |id| visible(&engine.info.tokenizer.piece(id));
        let (before, after) = (token(clean.id), token(cut.id));
        _ = writeln!(text, "{:.5} {before:<18}  {:.5} {after}", clean.prob, cut.prob);
    }
    text
}
