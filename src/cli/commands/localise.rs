//! `factscope localise`: methods scored by whether they name the layer that a fact was planted in.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use crate::analysis::causal_trace::NoiseLevel;
use crate::analysis::localisation::{Scorer, rank};
use crate::analysis::{AnalysisResult, Estimate};
use crate::builtin;
use crate::cli::flags::corruption::noise_tokens;
use crate::cli::json::provenance;
use crate::cli::machine::Machine;
use crate::cli::output::Output;
use crate::cli::progress::Bar;
use crate::facts::{Dataset, Direction, Fact};
use crate::figure::program;
use crate::task::{Progress, TaskCtx};
use crate::tokens::{Bos, TokenizedPrompt, Tokenizer};
use crate::training::Split;

/// How many times the spread of the subjects' embeddings the noise is, as in ROME.
const NOISE_FACTOR: f64 = 3.0;

#[derive(Args)]
pub struct Localise {
    /// A model whose facts were planted by `factscope train --plant-in`
    #[arg(long, value_name = "DIR", default_value = builtin::PLANTED.name)]
    model: PathBuf,

    /// Noise draws averaged per cell of a trace
    #[arg(long, value_name = "N", default_value_t = 10)]
    samples: usize,

    /// Seed of the noise
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,

    /// Ask no more than this many facts per layer and direction [default: all]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,

    #[command(flatten)]
    output: Output,
}

/// A fact that was planted, in one direction, in a known layer.
struct Planted {
    direction: Direction,
    layer: usize,
    fact: Fact,
}

/// Ranks of the true layer. The key: method, direction, and the layer or nothing for all of them.
type Ranks = BTreeMap<(Scorer, Direction, Option<usize>), Vec<f64>>;

impl Localise {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        self.output.check()?;
        let dataset = Dataset::bundled();
        let planted = self.planted(&dataset)?;
        let engine = machine.opened(&self.model, &[])?;
        let tokenizer = &engine.info.tokenizer;
        let noise = noise(tokenizer, &dataset)?;
        let specs = Scorer::specs(&noise, self.samples, self.seed);

        let bar = Bar::new(machine, "Scoring methods");
        let ctx = machine.ctx(TaskCtx { cancel: machine.cancel(), ..TaskCtx::unwatched() });
        let mut ranks = Ranks::new();
        let mut n_asked: BTreeMap<(Direction, usize), [usize; 2]> = BTreeMap::new();
        let total = planted.len() as u64;
        for (done, it) in planted.iter().enumerate() {
            bar.set(Progress { done: done as u64, total });
            let prompt = TokenizedPrompt::new(tokenizer, &it.fact, Bos::Off)?;
            let [n_facts, n_recalled] = n_asked.entry((it.direction, it.layer)).or_default();
            *n_facts += 1;
            let mut found = Vec::new();
            for spec in &specs {
                found.push(engine.run(&prompt, spec, &ctx)?);
                // A fact that is not recalled is recalled in no layer.
                if matches!(&found[0], AnalysisResult::CausalTrace(it) if !it.is_top_answer()) {
                    break;
                }
            }
            if found.len() < specs.len() {
                continue;
            }
            *n_recalled += 1;
            for method in Scorer::ALL {
                let scores = method.scores(&found).context("every method was run")?;
                let rank = rank(&scores, it.layer);
                for layer in [None, Some(it.layer)] {
                    ranks.entry((method, it.direction, layer)).or_default().push(rank);
                }
            }
        }
        bar.finish();

        let n_layers = engine.info.config.n_layers;
        let recalled: usize = n_asked.values().map(|it| it[1]).sum();
        let text = format!(
            "{recalled} of {} planted facts are recalled; the others are left out.\n\n{}",
            planted.len(),
            tables(&ranks, n_layers)
        );
        let json = || {
            Ok(json!({
                "rows": rows(&ranks),
                "asked": n_asked.iter().map(|((direction, layer), [n_facts, n_recalled])| json!({
                    "direction": name(*direction), "layer": layer,
                    "n_facts": n_facts, "n_recalled": n_recalled,
                })).collect::<Vec<_>>(),
                "n_layers": n_layers,
                "samples": self.samples,
                "seed": self.seed,
                "noise": format!("{NOISE_FACTOR} × the standard deviation of the subjects' embeddings"),
                "program": program(),
                "model": provenance(&engine.info, machine)?,
                "device": engine.info.device,
            }))
        };
        self.output.write(machine, json, || text)
    }

    fn planted(&self, dataset: &Dataset) -> anyhow::Result<Vec<Planted>> {
        let split = Split::of_model(&self.model)?;
        let cases = split.facts.iter().map(|plan| &plan.case);
        anyhow::ensure!(
            cases.eq(dataset.records.iter().map(|record| &record.id)),
            "the model was taught other facts than the program's (`split.json`): {}",
            self.model.display()
        );
        let mut counts: BTreeMap<(Direction, usize), usize> = BTreeMap::new();
        let mut planted = Vec::new();
        for (record, plan) in dataset.records.iter().zip(&split.facts) {
            for direction in [Direction::Forward, Direction::Inverse] {
                let Some(layer) = plan.planted[direction as usize] else { continue };
                let Some(fact) = record.fact(direction) else { continue };
                let count = counts.entry((direction, layer)).or_default();
                *count += 1;
                if self.limit.is_none_or(|limit| *count <= limit) {
                    planted.push(Planted { direction, layer, fact: fact.clone() });
                }
            }
        }
        anyhow::ensure!(
            !planted.is_empty(),
            "no facts were planted in known layers of this model; `{}` has some, and `factscope \
             train --plant-in` makes others: {}",
            builtin::PLANTED.name,
            self.model.display()
        );
        Ok(planted)
    }
}

fn noise(tokenizer: &Tokenizer, dataset: &Dataset) -> anyhow::Result<NoiseLevel> {
    let subjects: Vec<String> = dataset.subjects().map(str::to_owned).collect();
    let tokens = noise_tokens(tokenizer, &subjects)?;
    Ok(NoiseLevel::Multiple { factor: NOISE_FACTOR, tokens: tokens.into() })
}

fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::Forward => "forward",
        Direction::Inverse => "inverse",
    }
}

fn hits(ranks: &[f64]) -> Option<Estimate> {
    let hits: Vec<f64> = ranks.iter().map(|rank| f64::from(*rank <= 1.0)).collect();
    Estimate::of(&hits)
}

fn rows(ranks: &Ranks) -> Value {
    let row =
        |((method, direction, layer), ranks): (&(Scorer, Direction, Option<usize>), &Vec<f64>)| {
            json!({
                "method": method.to_string(),
                "direction": name(*direction),
                // `null` stands for all layers.
                "layer": layer,
                "hit_at_1": hits(ranks),
                "mean_rank": Estimate::of(ranks),
            })
        };
    ranks.iter().map(row).collect()
}

/// In Markdown, one per direction.
fn tables(ranks: &Ranks, n_layers: usize) -> String {
    let mut text = String::new();
    for direction in [Direction::Forward, Direction::Inverse] {
        _ = writeln!(
            text,
            "### Asked {}\n",
            match direction {
                Direction::Forward => "forward",
                Direction::Inverse => "inversely",
            }
        );
        _ = write!(text, "| method | mean rank | first |");
        for layer in 0..n_layers {
            _ = write!(text, " layer {layer} |");
        }
        _ = writeln!(text, "\n|{}", "---|".repeat(n_layers + 3));
        _ = write!(
            text,
            "| *chance* | {:.2} | {:.0} % |",
            (n_layers + 1) as f64 / 2.0,
            100.0 / n_layers as f64
        );
        _ = writeln!(text, "{}", format!(" {:.0} % |", 100.0 / n_layers as f64).repeat(n_layers));
        for method in Scorer::ALL {
            let of = |layer: Option<usize>| {
                ranks.get(&(method, direction, layer)).map_or(&[][..], Vec::as_slice)
            };
            let share = |layer| {
                hits(of(layer)).map_or_else(
                    || "–".to_owned(),
                    |it| {
                        let [mean, low, high] = [it.mean, it.low, it.high].map(|it| 100.0 * it);
                        format!("{mean:.0} % [{low:.0}, {high:.0}]")
                    },
                )
            };
            let mean = Estimate::of(of(None)).map_or_else(
                || "–".to_owned(),
                |it| format!("{:.2} [{:.2}, {:.2}]", it.mean, it.low, it.high),
            );
            _ = write!(text, "| {method} | {mean} | {} |", share(None));
            for layer in 0..n_layers {
                _ = write!(text, " {} |", share(Some(layer)));
            }
            _ = writeln!(text);
        }
        let n_of = |layer| ranks.get(&(Scorer::ALL[0], direction, layer)).map_or(0, Vec::len);
        _ = write!(text, "| *facts* | {} | |", n_of(None));
        for layer in 0..n_layers {
            _ = write!(text, " {} |", n_of(Some(layer)));
        }
        text.push_str("\n\n");
    }
    text
}
