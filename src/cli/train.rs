use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::Machine;
use super::progress::Bar;
use crate::facts::{Catalogue, Dataset, Direction, Fact};
use crate::model::{Gpt2Config, Unembedding};
use crate::task::Progress;
use crate::tokens::Tokenizer;
use crate::training::{
    Corpus, Group, Recall, Spec, Split, Statement, Trainer, small_vocabulary, write,
};

/// How often a checkpoint is written, in steps.
const SAVE_EVERY: usize = 100;

/// How often recall is measured, and on how many questions.
const MEASURE_EVERY: usize = 100;
const N_MEASURED: usize = 400;

#[derive(Args)]
pub(super) struct Train {
    /// The folder to write: a model in Hugging Face's layout, the split, the curves
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// The same seed gives the same model
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    #[arg(long, value_name = "N", default_value_t = 1500)]
    steps: usize,

    /// Statements per step
    #[arg(long, value_name = "N", default_value_t = 256)]
    batch: usize,

    #[arg(long, value_name = "N", default_value_t = 6)]
    layers: usize,

    #[arg(long, value_name = "N", default_value_t = 6)]
    heads: usize,

    /// Width of the residual stream
    #[arg(long, value_name = "N", default_value_t = 192)]
    width: usize,

    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    learning_rate: f64,

    /// Go on from the checkpoint in the folder, if there is one
    #[arg(long)]
    resume: bool,

    /// Stop after this many steps of the whole, to be resumed later
    #[arg(long, value_name = "N")]
    stop_after: Option<usize>,

    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

impl Train {
    pub fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.heads > 0 && self.width > 0 && self.width.is_multiple_of(self.heads),
            "the width ({}) must be a multiple of the heads ({})",
            self.width,
            self.heads
        );
        anyhow::ensure!(self.steps > 0 && self.batch > 0, "steps and batch must be at least 1");
        let dataset = Dataset::bundled();
        let records = &dataset.records;
        let vocabulary = small_vocabulary(&texts(&dataset))?;
        let tokenizer = Tokenizer::from_vocabulary(vocabulary.entries.clone(), &vocabulary.merges)
            .map_err(anyhow::Error::msg)?;
        let bos = tokenizer.bos().context("the vocabulary lacks `<|endoftext|>`")?;
        let corpus = Corpus::new(records, &tokenizer)?;
        let catalogue = Catalogue::bundled();
        let split = Split::new(records, self.seed, |record| {
            let relation = record.relation.as_deref().and_then(|id| catalogue.get(id));
            relation.map_or([0, 0], |it| [it.forward.len(), it.inverse.len()])
        });
        let (taught, held_out) = corpus.divide(&split);
        let config = Gpt2Config {
            n_layers: self.layers,
            n_heads: self.heads,
            d_model: self.width,
            d_mlp: 4 * self.width,
            n_ctx: 64,
            d_vocab: tokenizer.n_vocab(),
            layer_norm_epsilon: 1e-5,
            unembedding: Unembedding::Tied,
        };
        let spec = Spec {
            seed: self.seed,
            n_steps: self.steps,
            batch: self.batch,
            learning_rate: self.learning_rate,
            weight_decay: 0.05,
            distractors: 0.15,
        };
        fs::create_dir_all(&self.out)
            .with_context(|| format!("cannot make the folder {}", self.out.display()))?;
        let checkpoint = self.out.join("checkpoint");
        let resumed =
            if self.resume { Trainer::resume(&checkpoint, config, spec, bos)? } else { None };
        let mut trainer = resumed.unwrap_or_else(|| Trainer::new(config, spec, bos));

        let curves = self.out.join("curves.csv");
        // Of what was written after the checkpoint, nothing stays: those steps come again.
        let before = if trainer.step > 0 { fs::read_to_string(&curves) } else { Ok(String::new()) };
        let before = before.with_context(|| format!("cannot read {}", curves.display()))?;
        let step_of = |line: &str| line.split(',').next()?.parse::<usize>().ok();
        let mut log = fs::File::create(&curves)
            .with_context(|| format!("cannot write {}", curves.display()))?;
        writeln!(log, "step,loss,learning_rate,recall_taught,recall_held_out")?;
        for line in before.lines().filter(|line| step_of(line).is_some_and(|it| it <= trainer.step))
        {
            writeln!(log, "{line}")?;
        }
        let bar = Bar::new(machine, "Training");
        let end = self.stop_after.unwrap_or(self.steps).min(self.steps);
        while trainer.step < end {
            let report = trainer.train_step(&taught)?;
            let done = trainer.step;
            bar.set(Progress { done: done as u64, total: end as u64 });
            let recall = (done % MEASURE_EVERY == 0 || done == end)
                .then(|| [&taught, &held_out].map(|all| share(&trainer.answers(&sample(all)))));
            let [on_taught, on_held_out] =
                recall.map_or([const { String::new() }; 2], |it| it.map(|it| format!("{it:.4}")));
            writeln!(
                log,
                "{done},{:.5},{:.3e},{on_taught},{on_held_out}",
                report.loss, report.learning_rate
            )?;
            if done % SAVE_EVERY == 0 || done == end {
                trainer.save(&checkpoint)?;
            }
        }
        bar.finish();

        trainer.export(&self.out, &vocabulary)?;
        let path = self.out.join("split.json");
        write(&path, format!("{}\n", serde_json::to_string(&split)?).as_bytes())?;
        let table = recall_table(&trainer, &corpus, &split, &dataset);
        let path = self.out.join("recall.json");
        write(&path, format!("{}\n", serde_json::to_string_pretty(&table)?).as_bytes())?;
        let text = format!(
            "{} parameters, {} tokens, {} statements taught, {} held out\n{}\n",
            config.n_params(),
            config.d_vocab,
            taught.len(),
            held_out.len(),
            serde_json::to_string_pretty(&table)?,
        );
        let json = json!({
            "steps": trainer.step, "n_params": config.n_params(), "spec": spec, "recall": table,
        });
        let text = if self.json { format!("{json}\n") } else { text };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}

/// All that the model reads and is asked, for its vocabulary.
fn texts(dataset: &Dataset) -> Vec<String> {
    let mut texts = vec![".".to_owned()];
    for record in &dataset.records {
        let relation = record.relation.as_deref().and_then(|id| Catalogue::bundled().get(id));
        let Some(relation) = relation else { continue };
        for direction in [Direction::Forward, Direction::Inverse] {
            let Some(fact) = record.fact(direction) else { continue };
            let templates = match direction {
                Direction::Forward => &relation.forward,
                Direction::Inverse => &relation.inverse,
            };
            let asked = templates
                .iter()
                .filter_map(|it| Some(Fact::from_template(it, fact.subject_text()?)?.prompt));
            texts.extend(asked);
            texts.extend(fact.answer.iter().chain(&fact.foil).map(|it| format!(" {it}")));
            texts.extend(fact.subject_text().map(str::to_owned));
        }
    }
    texts
}

/// Evenly from the whole.
fn sample<'a>(statements: &[&'a Statement]) -> Vec<&'a Statement> {
    let step = (statements.len() / N_MEASURED).max(1);
    statements.iter().step_by(step).copied().collect()
}

fn share(right: &[bool]) -> f64 {
    right.iter().filter(|it| **it).count() as f64 / right.len().max(1) as f64
}

/// Recall of held-out combinations by cardinality, group and direction. Facts that are not taught
/// that way are asked in their held-out template too.
fn recall_table(trainer: &Trainer, corpus: &Corpus, split: &Split, dataset: &Dataset) -> Value {
    let asked: Vec<&Statement> = corpus
        .statements
        .iter()
        .filter(|it| split.facts[it.fact].held_out[it.direction as usize] == it.template)
        .collect();
    let question = |it: &Statement| it.ids[..it.answer_start].to_vec();
    let questions: std::collections::BTreeSet<Vec<u32>> =
        asked.iter().map(|it| question(it)).collect();
    let candidates: Vec<&Statement> =
        corpus.statements.iter().filter(|it| questions.contains(&question(it))).collect();
    let key = |it: &Statement| {
        let record = &dataset.records[it.fact];
        let cardinality = record.cardinality.map_or_else(String::new, |it| it.to_string());
        (cardinality, split.facts[it.fact].group, it.direction)
    };
    let recall: BTreeMap<(String, Group, Direction), Recall> =
        trainer.recall(&asked, key, question, &candidates);
    recall
        .into_iter()
        .map(|((cardinality, group, direction), recall)| {
            json!({
                "cardinality": cardinality,
                "group": group,
                "direction": format!("{direction:?}").to_lowercase(),
                "n_right": recall.n_right,
                "n_asked": recall.n_asked,
                "recall": (recall.share() * 1e4).round() / 1e4,
            })
        })
        .collect()
}
