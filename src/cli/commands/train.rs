//! `factscope train`: the built-in model made anew.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::machine::Machine;
use crate::cli::progress::Bar;
use crate::facts::{Catalogue, Dataset, Direction, Fact, Records};
use crate::model::{Checkpoint, ModelConfig};
use crate::task::Progress;
use crate::tokens::Tokenizer;
use crate::training::{
    Corpus, Group, Recall, Round, Spec, Split, Statement, StepReport, TrainError, Trainer,
    small_vocabulary, write,
};

/// How often a checkpoint is written, in steps.
const SAVE_EVERY: usize = 100;

/// How often recall is measured, and on how many questions.
const MEASURE_EVERY: usize = 100;
const N_MEASURED: usize = 400;

#[derive(Args)]
pub struct Train {
    /// The folder to write: a model in Hugging Face's layout, the split, the curves
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Do not train anew: write facts that this model was not taught into one MLP layer each, one
    /// layer after the other, with all else frozen
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["layers", "heads", "width"])]
    plant_in: Option<PathBuf>,

    /// The same seed gives the same model
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Steps of the training [default: 1300, or 2400 with --plant-in, in equal parts for each layer]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,

    /// Statements per step [default: 256, or 128 with --plant-in]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,

    #[arg(long, value_name = "N", default_value_t = 6)]
    layers: usize,

    #[arg(long, value_name = "N", default_value_t = 6)]
    heads: usize,

    /// Width of the residual stream
    #[arg(long, value_name = "N", default_value_t = 192)]
    width: usize,

    /// The highest learning rate; it rises over the first steps and falls with a cosine [default: 0.001, or
    /// 0.003 with --plant-in]
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,

    /// With --plant-in: how much the MLP is held to what it gave before, on all that is known
    #[arg(long, value_name = "WEIGHT", default_value_t = 0.03, requires = "plant_in")]
    anchor: f32,

    /// Go on from the checkpoint in the folder, if there is one
    #[arg(long)]
    resume: bool,

    /// Stop after this many steps in all, to be resumed later
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
        let spec = self.spec();
        anyhow::ensure!(spec.n_steps > 0 && spec.batch >= 4, "at least 1 step and a batch of 4");
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
        let config = self.config(tokenizer.n_vocab());
        let base = self.plant_in.as_deref().map(|dir| Base::open(dir, records, &tokenizer));
        let base = base.transpose()?;
        let (config, split) = match &base {
            Some(base) => {
                let mut split = base.split.clone();
                split.plant(records, base.checkpoint.config.n_layers, self.seed);
                (base.checkpoint.config, split)
            }
            None => (config, split),
        };
        let (taught, held_out) = corpus.divide(&split);
        // Where several answers are right, one of them is as good as another.
        let has_one_answer = |it: &&&Statement| records[it.fact].answers(it.direction).len() == 1;
        let [asked, asked_held_out] = [&taught, &held_out]
            .map(|all| all.iter().filter(has_one_answer).copied().collect::<Vec<_>>());
        fs::create_dir_all(&self.out)
            .with_context(|| format!("cannot make the folder {}", self.out.display()))?;
        let checkpoint = self.out.join("checkpoint");
        let resumed =
            if self.resume { Trainer::resume(&checkpoint, config, spec, bos)? } else { None };
        let mut trainer = match (resumed, &base) {
            (Some(trainer), _) => trainer,
            (None, Some(base)) => Trainer::on(&base.checkpoint, spec, bos)?,
            (None, None) => Trainer::new(config, spec, bos),
        };

        let mut log = curves(&self.out.join("curves.csv"), trainer.step)?;
        let bar = Bar::new(machine, "Training");
        let end = self.stop_after.unwrap_or(spec.n_steps).min(spec.n_steps);
        let mut round = Round::whole(&spec, taught.clone());
        let mut new = Vec::new();
        let mut layer = None;
        while trainer.step < end {
            if let Some(base) = &base
                && layer != Some(trainer.planted_layer())
            {
                layer = Some(trainer.planted_layer());
                round = Round::planting(&trainer, &corpus, &split, &base.checkpoint)?;
                new = corpus.planted(&split, trainer.planted_layer()).1;
            }
            let report = trainer.train_step(&round)?;
            let done = trainer.step;
            bar.set(Progress { done: done as u64, total: end as u64 });
            let is_measured = done % MEASURE_EVERY == 0 || done == end;
            let asked = [&asked, &asked_held_out, &new].map(|all| is_measured.then_some(&**all));
            writeln!(log, "{}", curve_line(&trainer, &report, asked))?;
            if done % SAVE_EVERY == 0 || done == end {
                trainer.save(&checkpoint)?;
            }
        }
        bar.finish();

        trainer.export(&self.out, &vocabulary)?;
        write_json(&self.out.join("split.json"), &serde_json::to_string(&split)?)?;
        let table = recall_table(&trainer, &corpus, &split, &dataset);
        let pretty = serde_json::to_string_pretty(&table)?;
        write_json(&self.out.join("recall.json"), &pretty)?;
        if let Some(base) = &base {
            let planted = planted_table(&trainer, &corpus, &split, base)?;
            write_json(&self.out.join("planted.json"), &serde_json::to_string_pretty(&planted)?)?;
        }
        let text = format!(
            "{} parameters, {} tokens, {} statements taught, {} held out\n{pretty}\n",
            config.n_params(),
            config.d_vocab,
            taught.len(),
            held_out.len(),
        );
        let json = json!({
            "steps": trainer.step, "n_params": config.n_params(), "spec": spec, "recall": table,
        });
        let text = if self.json { format!("{json}\n") } else { text };
        machine.print_data(&text)
    }

    /// The split of a model that is trained anew.
    fn config(&self, d_vocab: usize) -> ModelConfig {
        ModelConfig {
            n_layers: self.layers,
            n_heads: self.heads,
            d_model: self.width,
            d_mlp: 4 * self.width,
            n_ctx: 64,
            d_vocab,
            ..ModelConfig::SMALL
        }
    }

    fn spec(&self) -> Spec {
        let common = Spec { seed: self.seed, distractors: 0.15, ..Spec::default() };
        let usual = if self.plant_in.is_some() {
            let (n_steps, batch, learning_rate) = (2400, 128, 3e-3);
            Spec { n_steps, batch, learning_rate, plants: true, anchor: self.anchor, ..common }
        } else {
            let (n_steps, batch, learning_rate) = (1300, 256, 1e-3);
            Spec { n_steps, batch, learning_rate, weight_decay: 0.05, ..common }
        };
        Spec {
            n_steps: self.steps.unwrap_or(usual.n_steps),
            batch: self.batch.unwrap_or(usual.batch),
            learning_rate: self.learning_rate.unwrap_or(usual.learning_rate),
            ..usual
        }
    }
}

fn write_json(path: &Path, text: &str) -> Result<(), TrainError> {
    write(path, format!("{text}\n").as_bytes())
}

/// A step in the log of a run. `asked`: what is asked after it, if anything: statements that were
/// taught, that were held out, and of facts that are being planted.
fn curve_line(trainer: &Trainer, report: &StepReport, asked: [Option<&[&Statement]>; 3]) -> String {
    let [taught, held_out, planted] = asked.map(|all| match all {
        Some(all) if !all.is_empty() => format!("{:.4}", share(&trainer.answers(&sample(all)))),
        _ => String::new(),
    });
    format!(
        "{},{:.5},{:.5},{:.3e},{taught},{held_out},{planted}",
        trainer.step, report.loss, report.drift, report.learning_rate
    )
}

/// The log of a run. Lines that were written after the checkpoint are dropped, since their steps come
/// again.
fn curves(path: &Path, step: usize) -> anyhow::Result<fs::File> {
    let before = if step > 0 { fs::read_to_string(path) } else { Ok(String::new()) };
    let before = before.with_context(|| format!("cannot read {}", path.display()))?;
    let step_of = |line: &str| line.split(',').next()?.parse::<usize>().ok();
    let mut lines = vec![
        "step,loss,drift,learning_rate,recall_taught,recall_held_out,recall_planted".to_owned(),
    ];
    let kept = before.lines().filter(|line| step_of(line).is_some_and(|it| it <= step));
    lines.extend(kept.map(str::to_owned));
    write(path, (lines.join("\n") + "\n").as_bytes())?;
    let log = fs::File::options().append(true).open(path);
    log.with_context(|| format!("cannot write {}", path.display()))
}

/// The model that facts are written into.
struct Base {
    checkpoint: Checkpoint,
    split: Split,
}

impl Base {
    fn open(dir: &Path, records: &Records, tokenizer: &Tokenizer) -> anyhow::Result<Self> {
        let checkpoint = Checkpoint::open(dir)?;
        let split = Split::of_model(dir)?;
        let cases = || split.facts.iter().map(|plan| &plan.case);
        anyhow::ensure!(
            cases().eq(records.iter().map(|record| &record.id)),
            "the model was taught other facts than the program's (`split.json`): {}",
            dir.display()
        );
        let theirs = Tokenizer::from_dir(dir)?;
        let same =
            (0..tokenizer.n_vocab() as u32).all(|id| theirs.readable(id) == tokenizer.readable(id));
        anyhow::ensure!(
            same && theirs.n_vocab() == tokenizer.n_vocab(),
            "the model has another vocabulary than the program's facts give: {}",
            dir.display()
        );
        Ok(Self { checkpoint, split })
    }
}

/// Recall of each layer's facts in their held-out template; and what is left of it when the MLP of
/// one layer, each in turn, is put back to what it was before: the proof that the facts are there.
fn planted_table(
    trainer: &Trainer,
    corpus: &Corpus,
    split: &Split,
    base: &Base,
) -> anyhow::Result<Value> {
    let plan_of = |it: &Statement| &split.facts[it.fact];
    let asked: Vec<&Statement> = corpus
        .statements
        .iter()
        .filter(|it| plan_of(it).held_out[it.direction as usize] == it.template)
        .collect();
    let group = |it: &Statement| {
        let place = plan_of(it).planted[it.direction as usize];
        let known = plan_of(it).group.teaches(it.direction);
        let name = match place {
            Some(layer) => format!("layer {layer}"),
            None if known => "taught before".to_owned(),
            None => "never taught".to_owned(),
        };
        (name, it.direction)
    };
    let recall = |trainer: &Trainer| {
        let mut found: BTreeMap<(String, Direction), Recall> = BTreeMap::new();
        for (it, is_right) in asked.iter().zip(trainer.answers(&asked)) {
            let entry = found.entry(group(it)).or_default();
            entry.n_asked += 1;
            entry.n_right += usize::from(is_right);
        }
        found
    };
    let after = recall(trainer);
    let restored = (0..trainer.config.n_layers)
        .map(|layer| Ok(recall(&trainer.with_mlp_of(&base.checkpoint, layer)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let rounded = |recall: &Recall| (recall.share() * 1e4).round() / 1e4;
    let rows = after.iter().map(|(key, recall)| {
        let without: Vec<f64> = restored.iter().map(|it| rounded(&it[key])).collect();
        json!({
            "facts": key.0,
            "direction": format!("{:?}", key.1).to_lowercase(),
            "n_asked": recall.n_asked,
            "recall": rounded(recall),
            "recall_with_mlp_put_back": without,
        })
    });
    Ok(rows.collect())
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

/// Draws evenly from all items.
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
