use std::fmt::Write as _;
use std::str::FromStr;

use clap::Args;
use serde_json::{Value, json};

use super::fact::FactArgs;
use super::output::{AnalysisOutput, with_tail_but};
use super::{Machine, ModelArgs};
use crate::analysis::attention_knockout::{AttentionKnockout, Edges, Spec, default_window};
use crate::analysis::{AnalysisSpec, Metric, Positions};
use crate::tokens::visible;
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Knockout {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    /// What is cut, such as `subject:last`: the tokens looked at, a colon, the tokens that look, each
    /// `all`, `subject`, `non-subject`, `last`, a position or a range such as `3..6`; may be given
    /// again [default: the paper's `subject:last`, `non-subject:last` and `last:last`]
    #[arg(long, value_name = "FROM:TO")]
    edges: Vec<EdgesArg>,

    /// In how many layers around the one reported [default: 9 from 36 layers on, fewer below]
    #[arg(long, value_name = "N")]
    window: Option<usize>,

    #[command(flatten)]
    output: AnalysisOutput,
}

/// `subject:last`
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

impl Knockout {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let session = self.model.ask(self.fact.source(), machine)?;
        let edges: Vec<Edges> = self.edges.iter().map(|it| it.0.clone()).collect();
        let n_layers = session.engine.info.config.n_layers;
        let spec = Spec {
            edges: if edges.is_empty() { Edges::to_last() } else { edges },
            window: self.window.unwrap_or_else(|| default_window(n_layers)),
        };
        session.finish(AnalysisSpec::AttentionKnockout(spec), &self.output, machine)
    }
}

pub(super) fn to_json(
    it: &AttentionKnockout,
    engine: &Engine,
    machine: &Machine,
) -> anyhow::Result<Value> {
    let n_layers = it.cut.n_columns();
    let sets = it.spec.edges.iter().zip(it.cut.rows()).enumerate().map(|(nth, (edges, row))| {
        let change = |metric| -> Vec<_> {
            (0..n_layers).map(|layer| it.relative_change(nth, layer, metric)).collect()
        };
        json!({
            "from": edges.from.to_string(),
            "to": edges.to.to_string(),
            // By layer.
            "scores": row.iter().map(|it| it.as_ref().map(|it| it.prob)).collect::<Vec<_>>(),
            "relative_change": change(Metric::Prob),
            "relative_change_of_whole_answer": change(Metric::AnswerProb),
            "measured": row,
        })
    });
    let body = json!({
        "spec": it.spec,
        "base_score": it.clean.prob,
        "clean": it.clean,
        "edges": sets.collect::<Vec<_>>(),
        "window": it.spec.window,
    });
    with_tail_but(&["foil"], body, &it.prompt, engine, machine)
}

pub(super) fn to_text(it: &AttentionKnockout) -> String {
    let answer = it.prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    let cut = match it.spec.window {
        1 => "one layer at a time".to_owned(),
        n => format!("{n} layers around each"),
    };
    let mut text = format!(
        "p({answer}) {:.5}; its change in % with attention cut in {cut}\n\nlayer",
        it.clean.prob
    );
    let names: Vec<String> =
        it.spec.edges.iter().map(|edges| format!("{} → {}", edges.from, edges.to)).collect();
    for name in &names {
        _ = write!(text, "  {name:>12}");
    }
    text.push('\n');
    for layer in 0..it.cut.n_columns() {
        _ = write!(text, "{layer:>5}");
        for (nth, name) in names.iter().enumerate() {
            let change = it.relative_change(nth, layer, Metric::Prob).unwrap_or(f32::NAN);
            let width = name.chars().count().max(12);
            _ = write!(text, "  {:>+width$.1}", change * 100.0);
        }
        text.push('\n');
    }
    text
}
