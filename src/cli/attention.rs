use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use clap::Args;
use serde_json::json;

use super::output::{Output, with_tail_but};
use super::{Machine, ModelArgs};
use crate::analysis::attention::Spec;
use crate::analysis::{AnalysisResult, AnalysisSpec};
use crate::facts::Fact;
use crate::tokens::{TokenizedPrompt, visible};

#[derive(Args)]
pub(super) struct Attention {
    #[command(flatten)]
    model: ModelArgs,

    /// The text to look at
    #[arg(long, value_name = "TEXT")]
    prompt: String,

    /// From 0
    #[arg(long, value_name = "L")]
    layer: usize,

    /// From 0
    #[arg(long, value_name = "H")]
    head: usize,

    #[command(flatten)]
    output: Output,
}

impl Attention {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let engine = self.model.load(machine)?;
        let n_heads = engine.info.config.n_heads;
        let head = self.head;
        ensure!(head < n_heads, "there is no head {head}; the model has {n_heads}, counted from 0");
        let fact = Fact::from_text(&self.prompt, None)?;
        let prompt = TokenizedPrompt::new(&engine.info.tokenizer, &fact, self.model.bos())?;
        let spec = AnalysisSpec::Attention(Spec { layers: self.layer..self.layer + 1 });
        let AnalysisResult::Attention(attention) =
            machine.run(&engine, &prompt, &spec, "Reading attention")?
        else {
            unreachable!("attention was asked for");
        };
        let pattern = attention.pattern(self.layer, head).context("the layer was asked for")?;
        let rows: Vec<_> = pattern.chunks(prompt.n_pos()).collect();

        let mut text = String::from("query                 looks at\n");
        for (query, row) in rows.iter().enumerate() {
            let mut keys: Vec<_> = row.iter().enumerate().collect();
            keys.sort_by(|a, b| b.1.total_cmp(a.1));
            _ = write!(text, "{query:>4} {:<16}", visible(&prompt.pieces[query]));
            for (key, weight) in keys.into_iter().take(3).filter(|(_, weight)| **weight > 0.0) {
                _ = write!(text, "  {weight:.3} {}", visible(&prompt.pieces[key]));
            }
            text.push('\n');
        }
        let left_out = ["answer", "foil", "subject_range", "model"];
        let body = json!({ "layer": self.layer, "head": head, "pattern": rows });
        let json = with_tail_but(&left_out, body, &prompt, &engine, machine)?;
        self.output.write(&json, &text)
    }
}
