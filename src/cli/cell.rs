//! A cell of a trace: what the model says in each run behind it.

use std::fmt::Write as _;
use std::str::FromStr;

use serde_json::{Value, json};

use super::Machine;
use super::corruption;
use super::output::with_tail;
use crate::analysis::causal_trace::{Component, Corrupted, Direction};
use crate::analysis::trace_cell::{NextToken, TraceCell};
use crate::analysis::{Measurement, Metric};
use crate::tokens::visible;
use crate::worker::Engine;

/// `3,5`: a token, then a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct CellArg {
    pub pos: usize,
    pub layer: usize,
}

impl FromStr for CellArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let asked = || "a token and a layer, each counted from 0, such as 3,5".to_owned();
        let (pos, layer) = text.split_once(',').ok_or_else(asked)?;
        let number = |text: &str| text.trim().parse().map_err(|_error| asked());
        Ok(Self { pos: number(pos)?, layer: number(layer)? })
    }
}

pub(super) fn to_json(it: &TraceCell, engine: &Engine, machine: &Machine) -> anyhow::Result<Value> {
    let trace = &it.spec.trace;
    let listed = |tokens: &[NextToken]| -> Vec<Value> {
        let token = |next: &NextToken| {
            json!({
                "id": next.id,
                "token": engine.info.tokenizer.piece(next.id),
                "clean": next.clean,
                "corrupted": next.corrupted,
                "patched": next.patched,
                "change": it.change(next),
            })
        };
        tokens.iter().map(token).collect()
    };
    let means = |metric: Metric| {
        json!({
            "clean": it.clean.get(metric),
            "corrupted": Measurement::mean(&it.corrupted, metric),
            "patched": Measurement::mean(&it.patched, metric),
        })
    };
    let means: serde_json::Map<String, Value> =
        Metric::ALL.into_iter().map(|it| (it.key().to_owned(), means(it))).collect();
    let body = json!({
        "pos": it.spec.pos,
        "token": it.prompt.pieces[it.spec.pos],
        "layer": it.spec.layer,
        "layers": [it.layers.start, it.layers.end],
        // The map's cell, by each reading.
        "means": means,
        "top": {
            "clean": listed(&it.top.clean),
            "corrupted": listed(&it.top.corrupted),
            "patched": listed(&it.top.patched),
        },
        "clean": it.clean,
        // One of each sample.
        "samples": {
            "corrupted": it.corrupted,
            "patched": it.patched,
        },
        "corruption": corruption::name(&trace.corruption),
        "corrupted": it.corruptions,
        "noise_std": trace.corruption.has_noise().then_some(it.noise_std),
        "noise_rng": trace.rng,
        "seed": trace.seed,
        "spec": it.spec,
    });
    with_tail(body, &it.prompt, engine, machine)
}

pub(super) fn to_text(it: &TraceCell, engine: &Engine) -> String {
    let mean = |runs: &[Measurement]| Measurement::mean(runs, Metric::Prob).unwrap_or(f32::NAN);
    let (clean, corrupted, patched) = (it.clean.prob, mean(&it.corrupted), mean(&it.patched));
    let answer = it.prompt.answer.as_ref().map(|it| visible(&it.pieces[0])).unwrap_or_default();
    let does = match it.spec.trace.direction {
        Direction::Denoise => "restored",
        Direction::Noise => "corrupted",
    };
    let layers = if it.layers.len() > 1 {
        format!(" (layers {}–{})", it.layers.start, it.layers.end - 1)
    } else {
        String::new()
    };
    let mut text = format!(
        "{} {does} at token {} {}, layer {}{layers}\np({answer}) clean {clean:.5}, corrupted \
         {corrupted:.5}, {does} {patched:.5} ({})\n\n{:<16}  clean    corrupted  {does:<9}  change\n",
        component(it),
        it.spec.pos,
        visible(&it.prompt.pieces[it.spec.pos]),
        it.spec.layer,
        corruption::in_words(&it.spec.trace.draws(), it.noise_std),
        "next token",
    );
    for next in &it.top.patched {
        let token = visible(&engine.info.tokenizer.piece(next.id));
        _ = writeln!(
            text,
            "{token:<16}  {:.5}  {:.5}    {:.5}    {:+.5}",
            next.clean,
            next.corrupted,
            next.patched,
            it.change(next)
        );
    }
    let names = |tokens: &[NextToken]| {
        let piece = |it: &NextToken| visible(&engine.info.tokenizer.piece(it.id));
        tokens.iter().map(piece).collect::<Vec<_>>().join("  ")
    };
    _ = writeln!(text, "\nlikeliest clean      {}", names(&it.top.clean));
    _ = writeln!(text, "likeliest corrupted  {}", names(&it.top.corrupted));
    _ = writeln!(text, "\nsample  corrupted  {does:<9}  subject became");
    for (nth, (from, to)) in it.corrupted.iter().zip(&it.patched).enumerate() {
        let became = match it.corruptions.get(nth) {
            Some(Corrupted::Prompt { tokens, .. }) => corruption::spoken(tokens),
            Some(Corrupted::Vectors { distances, .. }) => {
                let moved: Vec<String> = distances.iter().map(|it| format!("{it:.3}")).collect();
                format!("moved by {}", moved.join(", "))
            }
            None => String::new(),
        };
        _ = writeln!(text, "{nth:>6}  {:.5}    {:.5}    {became}", from.prob, to.prob);
    }
    text
}

fn component(it: &TraceCell) -> &'static str {
    match it.spec.trace.component {
        Component::Hidden => "hidden state",
        Component::Mlp => "MLP outputs",
        Component::Attn => "attention outputs",
    }
}
