use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};

use super::fact::FactArgs;
use super::output::AnalysisOutput;
use super::{Machine, ModelArgs};
use crate::analysis::AnalysisSpec;
use crate::analysis::head_scores::{HeadScores, HeadSummary, Spec};

#[derive(Args)]
pub(super) struct Heads {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    /// How many random tokens are repeated [default: 50, or what the model's context takes twice]
    #[arg(long, value_name = "N")]
    random_tokens: Option<usize>,

    /// How many such sequences are averaged
    #[arg(long, value_name = "N", default_value_t = 4)]
    sequences: usize,

    /// Seed of the random tokens
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,

    #[command(flatten)]
    output: AnalysisOutput,
}

/// A score's name, and how to read it.
type Score = (&'static str, fn(&HeadScores) -> Option<f32>);

const SCORES: [Score; 9] = [
    ("previous_token", |it| it.previous_token),
    ("duplicate_token", |it| it.duplicate_token),
    ("induction", |it| it.induction),
    ("subject", |it| it.subject),
    ("first_token", |it| it.first_token),
    ("entropy", |it| Some(it.entropy)),
    ("random_previous_token", |it| Some(it.random_previous_token)),
    ("random_duplicate_token", |it| Some(it.random_duplicate_token)),
    ("random_induction", |it| Some(it.random_induction)),
];

const USUAL_RANDOM: usize = 50;

impl Heads {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let session = self.model.ask(self.fact.source(), machine)?;
        // Twice, behind a BOS.
        let most = session.engine.info.config.n_ctx.saturating_sub(1) / 2;
        let spec = AnalysisSpec::HeadScores(Spec {
            n_random: self.random_tokens.unwrap_or_else(|| most.min(USUAL_RANDOM)),
            n_sequences: self.sequences,
            seed: self.seed,
        });
        session.finish(spec, &self.output, machine)
    }
}

pub(super) fn to_json(it: &HeadSummary) -> Value {
    let mut json = json!({ "spec": it.spec, "random_ids": it.random_ids });
    for (name, score) in SCORES {
        // Layer × head.
        json[name] = it.heads.rows().map(|row| row.iter().map(score).collect::<Value>()).collect();
    }
    json
}

pub(super) fn to_text(it: &HeadSummary) -> String {
    let mut text = String::from("the heads with the highest scores\n\n");
    let n_heads = it.heads.n_columns();
    for (name, score) in SCORES {
        let all = it.heads.values().iter().enumerate();
        let mut found: Vec<_> = all.filter_map(|(nth, it)| Some((nth, score(it)?))).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        _ = write!(text, "{name:<23}");
        if found.is_empty() {
            text.push_str(" not defined on this prompt");
        }
        for (nth, score) in found.into_iter().take(5) {
            _ = write!(text, "  L{}H{} {score:.3}", nth / n_heads, nth % n_heads);
        }
        text.push('\n');
    }
    text
}
