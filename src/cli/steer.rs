use std::fmt::Write as _;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use super::fact::FactArgs;
use super::output::{AnalysisOutput, with_tail};
use super::run::Session;
use super::{Machine, ModelArgs};
use crate::analysis::prediction::Prediction;
use crate::analysis::steering::{Direction, Spec, Steering};
use crate::analysis::{AnalysisSpec, Positions};
use crate::facts::Fact;
use crate::tokens::{TokenizedPrompt, Tokenizer, visible};
use crate::worker::Engine;

#[derive(Args)]
pub(super) struct Steer {
    #[command(flatten)]
    model: ModelArgs,

    #[command(flatten)]
    fact: FactArgs,

    /// The direction: the layer's residual stream at the last token of this prompt, less that of
    /// --minus
    #[arg(long, value_name = "TEXT", requires = "minus", conflicts_with = "plus_token")]
    plus: Option<String>,

    /// See --plus
    #[arg(long, value_name = "TEXT", requires = "plus")]
    minus: Option<String>,

    /// The direction: this token's column of the unembedding, by the first token of the text; its
    /// leading space is added
    #[arg(long, value_name = "TEXT", required_unless_present = "plus")]
    plus_token: Option<String>,

    /// Less the column of this one [default: the mean of all]
    #[arg(long, value_name = "TEXT", requires = "plus_token")]
    minus_token: Option<String>,

    /// After which layer it is added, from 0
    #[arg(long, value_name = "L")]
    layer: usize,

    /// At which tokens: `all` (those that follow the prompt, too), `subject`, `non-subject`, `last`,
    /// a position such as `3`, or a range such as `3..6` without its end
    #[arg(long, value_name = "WHERE", default_value = "all")]
    positions: Positions,

    /// How much of it
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, allow_negative_numbers = true)]
    scale: f64,

    /// How many of the likeliest tokens to list
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,

    #[command(flatten)]
    output: AnalysisOutput,
}

impl Steer {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let session = self.model.ask(self.fact.source(), machine)?;
        let spec = Spec {
            direction: self.direction(&session)?,
            layer: self.layer,
            positions: self.positions.clone(),
            scale: self.scale,
            n_top: self.top,
        };
        session.finish(AnalysisSpec::Steering(spec), &self.output, machine)
    }

    fn direction(&self, session: &Session) -> anyhow::Result<Direction> {
        let tokenizer = &session.engine.info.tokenizer;
        let token = |text: &String| -> anyhow::Result<u32> {
            Ok(TokenizedPrompt::answer(tokenizer, text)?.first())
        };
        let ids = |text: &str| -> anyhow::Result<Vec<u32>> {
            let fact = Fact::from_text(text, None)?;
            Ok(TokenizedPrompt::new(tokenizer, &fact, self.model.bos())?.ids)
        };
        Ok(match (&self.plus, &self.minus, &self.plus_token) {
            (Some(plus), Some(minus), _) => {
                Direction::Prompts { plus: ids(plus)?, minus: ids(minus)? }
            }
            (_, _, Some(plus)) => Direction::Tokens {
                plus: token(plus)?,
                minus: self.minus_token.as_ref().map(token).transpose()?,
            },
            _ => bail!("name a direction with --plus and --minus, or with --plus-token"),
        })
    }
}

pub(super) fn to_json(it: &Steering, engine: &Engine, machine: &Machine) -> anyhow::Result<Value> {
    let tokenizer = &engine.info.tokenizer;
    let said = |it: &Prediction| {
        let top = it.top.iter().map(|it| {
            json!({ "id": it.id, "token": tokenizer.piece(it.id), "prob": it.prob, "logit": it.logit })
        });
        json!({ "top": top.collect::<Vec<_>>(), "answer": it.answer })
    };
    let body = json!({
        "spec": it.spec,
        "added_norm": it.added_norm,
        "resid_norm": it.resid_norm,
        "before": said(&it.before),
        "after": said(&it.after),
    });
    with_tail(body, &it.prompt, engine, machine)
}

pub(super) fn to_text(it: &Steering, engine: &Engine) -> String {
    let tokenizer: &Tokenizer = &engine.info.tokenizer;
    let mut text = format!(
        "added after layer {}, at tokens: {}; its length is {:.3}, that of the residual stream there \
         {:.3}\n\n",
        it.spec.layer, it.spec.positions, it.added_norm, it.resid_norm
    );
    if let (Some(answer), Some(before), Some(after)) =
        (&it.prompt.answer, &it.before.answer, &it.after.answer)
    {
        let first = visible(&answer.pieces[0]);
        _ = writeln!(text, "p({first}) {:.5} before, {:.5} after\n", before.prob, after.prob);
    }
    text.push_str("before                     after\n");
    for (before, after) in it.before.top.iter().zip(&it.after.top) {
        let token = |id| visible(&tokenizer.piece(id));
        _ = writeln!(
            text,
            "{:.5} {:<18}  {:.5} {}",
            before.prob,
            token(before.id),
            after.prob,
            token(after.id)
        );
    }
    text
}
