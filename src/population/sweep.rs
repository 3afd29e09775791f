//! Asks one experiment of each fact of a dataset, and writes what comes out to a folder.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::asked_before::AskedBefore;
use super::folder::{Folder, FolderError};
use super::part::{Asked, FactNote};
use super::recall::{Choices, Recall, Recalled};
use super::selection::{Selection, Task};
use crate::analysis::{AnalysisCtx, AnalysisError, AnalysisSpec};
use crate::experiment::{Binding, Experiment};
use crate::facts::{Dataset, Fact, Record};
use crate::figure::{Figure, Look, Number, Place};
use crate::task::Progress;
use crate::tokens::{TokenizedPrompt, Tokenizer};
use crate::worker::Engine;

/// A part is written once so many numbers wait, so that memory is bounded.
const NUMBERS_WAITING: usize = 500_000;

/// A part is written once it has taken this share of the time so far, so that little is lost where the
/// process is killed and parts are not too many.
const SHARE_WAITING: u32 = 50;

/// The least and the most time between two parts.
const TIME_WAITING: [Duration; 2] = [Duration::from_secs(2), Duration::from_mins(1)];

/// How many steps of progress each fact has.
const STEPS: u64 = 1000;

/// What is asked of what.
pub struct Sweep<'a> {
    pub engine: &'a Engine,
    pub binding: &'a Binding<'a>,
    pub dataset: &'a Arc<Dataset>,
    pub choices: &'a Choices<'a>,
    pub selection: &'a Selection,
    pub answer: AnswerOf,

    /// The layers at which each fact is asked, one after the other, where the spec names one, as for an
    /// edit. Empty asks at the spec's own.
    pub layers: &'a [usize],

    /// How a result is looked at, by what was asked.
    pub look: &'a dyn for<'b> Fn(&AnalysisSpec, &'b Tokenizer) -> Look<'b>,
}

/// The answer that is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerOf {
    /// The right answer; of several, that which the model finds likeliest.
    #[default]
    Right,

    /// The model's own first guess, as in ROME.
    Guess,
}

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All facts are asked.
    Whole,

    /// It was told to stop; what is done is written.
    Stopped,
}

/// Why a sweep ended early.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Folder(#[from] FolderError),

    #[error(transparent)]
    Analysis(#[from] AnalysisError),
}

impl Sweep<'_> {
    /// Asks those tasks that the folder lacks. `ctx` watches and may stop it.
    pub fn run(
        &self,
        tasks: &[Task],
        folder: &mut Folder,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<Outcome, SweepError> {
        let done: BTreeSet<Task> = folder.found.iter().map(FactNote::task).collect();
        let waiting: Vec<Task> = tasks.iter().filter(|it| !done.contains(it)).copied().collect();
        // A sweep that goes on is as far as it was.
        let (n_before, total) = (tasks.len() - waiting.len(), tasks.len() as u64 * STEPS);
        let start = Instant::now();
        let mut before = AskedBefore::new(self.dataset, &waiting);
        let (mut asked, mut n_numbers, mut since) = (Vec::new(), 0, start);
        let mut known: Option<(usize, Arc<Recalled>)> = None;
        for (nth, &task) in waiting.iter().enumerate() {
            let done = (n_before + nth) as u64 * STEPS;
            (ctx.task.report)(Progress { done, total });
            let report = |it: Progress| {
                let here = (it.fraction() * STEPS as f32) as u64;
                (ctx.task.report)(Progress { done: done + here.min(STEPS), total });
            };
            let own = ctx.reporting(&report);
            let recalled = known.take().filter(|it| it.0 == task.record).map(|it| it.1);
            let found = match recalled {
                Some(it) => Ok(it),
                None => self.recalled(task, ctx),
            };
            let found = found.and_then(|recalled| {
                known = Some((task.record, Arc::clone(&recalled)));
                self.ask(task, &recalled, &mut before, &own)
            });
            match found {
                Ok(fact) => {
                    n_numbers += fact.numbers.len();
                    asked.push(fact);
                }
                Err(AnalysisError::Cancelled(_)) => {
                    folder.write(&asked)?;
                    return Ok(Outcome::Stopped);
                }
                Err(error) => {
                    folder.write(&asked)?;
                    return Err(error.into());
                }
            }
            let [least, most] = TIME_WAITING;
            let wait = (start.elapsed() / SHARE_WAITING).clamp(least, most);
            if n_numbers >= NUMBERS_WAITING || since.elapsed() >= wait {
                folder.write(&asked)?;
                (asked, n_numbers, since) = (Vec::new(), 0, Instant::now());
            }
        }
        folder.write(&asked)?;
        (ctx.task.report)(Progress { done: total, total });
        Ok(Outcome::Whole)
    }

    fn record(&self, task: Task) -> &Record {
        &self.dataset.records[task.record]
    }

    fn recalled(&self, task: Task, ctx: &AnalysisCtx<'_>) -> Result<Arc<Recalled>, AnalysisError> {
        let bos = self.binding.bos();
        let quiet = ctx.reporting(&|_| ());
        let record = self.record(task);
        let of = Recalled::of(self.engine, self.choices, record, self.selection, bos, &quiet);
        Ok(of?.into())
    }

    /// Asks one fact, for an estimate; nothing is written.
    pub fn try_out(&self, task: Task, ctx: &AnalysisCtx<'_>) -> Result<Asked, AnalysisError> {
        let recalled = self.recalled(task, ctx)?;
        self.ask(task, &recalled, &mut AskedBefore::default(), ctx)
    }

    /// The experiment of a fact, as `factscope run` would carry it out, and its prompt. The inner error says
    /// why the fact cannot be asked.
    pub fn experiment(
        &self,
        task: Task,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<Result<(Experiment, TokenizedPrompt), String>, AnalysisError> {
        let recalled = self.recalled(task, ctx)?;
        Ok(self.question(task, &recalled))
    }

    fn question(
        &self,
        task: Task,
        recalled: &Recalled,
    ) -> Result<(Experiment, TokenizedPrompt), String> {
        let Selection { known, known_by, .. } = self.selection;
        if let Some(way) = known.filter(|it| !it.holds(recalled.known(*known_by))) {
            return Err(way.unknown_reason());
        }
        let recall = recalled.way(task.direction).clone()?;
        let answer = match self.answer {
            AnswerOf::Right => Some(recall.answer),
            AnswerOf::Guess => None,
        };
        let worded = recalled.worded(self.record(task));
        let converse = recalled.way(task.direction.other()).as_ref().ok();
        let converse = converse.map(|it| it.answer.clone());
        self.binding.to(self.dataset, &worded, task.direction, [answer, converse])
    }

    /// Asks a fact.
    fn ask(
        &self,
        task: Task,
        recalled: &Recalled,
        before: &mut AskedBefore<'_>,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<Asked, AnalysisError> {
        let record = recalled.worded(self.record(task));
        let mut numbers = Vec::new();
        let mut left_out = None;
        let (mut answer, mut foil) = (None, None);
        match self.question(task, recalled) {
            Err(reason) => left_out = Some(reason),
            Ok((experiment, prompt)) => {
                let guess = || Some(&recalled.way(task.direction).as_ref().ok()?.guess);
                let measured = prompt.answer.as_ref().map(|it| &it.text).or_else(guess);
                answer = measured.map(|it| without_space(it).into());
                foil = prompt.foil.as_ref().map(|it| without_space(&it.text).into());
                // What no fact can be asked is no reason to leave one out.
                experiment.spec.check()?;
                let numbers_of = || self.at_layers(&experiment.spec, &prompt, ctx);
                let question = (&experiment.spec, &prompt);
                match before.numbers(self.dataset, task, question, numbers_of) {
                    Ok(found) => numbers = found,
                    Err(error) if error.is_of_one_fact() => left_out = Some(error.to_string()),
                    Err(error) => return Err(error),
                }
            }
        }
        let recall = recalled.way(task.direction).as_ref().ok();
        let mut all = recall.map(recall_numbers).unwrap_or_default();
        all.extend(numbers);
        let fact = record.fact(task.direction);
        Ok(Asked {
            note: FactNote {
                record: task.record,
                case: record.id.clone(),
                direction: task.direction,
                left_out,
                n_numbers: all.len(),
            },
            relation: record.relation.as_deref().map(Into::into),
            known: recalled.known(self.selection.known_by).name().into(),
            prompt: fact.map_or("", |it| &*it.prompt).into(),
            template: fact.and_then(Fact::template).map(Into::into),
            answer,
            foil,
            numbers: all,
        })
    }

    /// The numbers at each layer that is asked for.
    fn at_layers(
        &self,
        spec: &AnalysisSpec,
        prompt: &TokenizedPrompt,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<Vec<Number>, AnalysisError> {
        if self.layers.is_empty() {
            return self.numbers(spec, prompt, ctx);
        }
        let mut all = Vec::new();
        for &layer in self.layers {
            let spec = at_layer(spec, layer).ok_or(AnalysisError::NoLayer)?;
            let mut numbers = self.numbers(&spec, prompt, ctx)?;
            for it in &mut numbers {
                it.at.layer.get_or_insert(layer);
            }
            all.extend(numbers);
        }
        Ok(all)
    }

    fn numbers(
        &self,
        spec: &AnalysisSpec,
        prompt: &TokenizedPrompt,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<Vec<Number>, AnalysisError> {
        let result = self.engine.run(prompt, spec, ctx)?;
        let look = (self.look)(spec, &self.engine.info.tokenizer);
        Ok(Figure::of(&result, &look).numbers(Some(result.prompt().unwrap_or(prompt))))
    }
}

/// A spec that names one layer, with another one. `None` for specs that name none.
pub fn at_layer(spec: &AnalysisSpec, layer: usize) -> Option<AnalysisSpec> {
    let mut value = serde_json::to_value(spec).ok()?;
    let named = value.as_object_mut()?.values_mut().next()?.get_mut("layer")?;
    if !named.is_u64() {
        return None;
    }
    *named = layer.into();
    serde_json::from_value(value).ok()
}

/// An answer as datasets have it, without the space that joins it to its prompt. A guess may be nothing
/// but a space, and stays.
fn without_space(answer: &str) -> &str {
    let text = answer.trim_start();
    if text.is_empty() { answer } else { text }
}

/// The name of the chart that the numbers of a fact's recall stand in.
pub const RECALL: &str = "Recall of the answer";

fn recall_numbers(recall: &Recall) -> Vec<Number> {
    let number = |(quantity, value): (&str, f32)| Number {
        chart: RECALL.into(),
        quantity: quantity.into(),
        measured: None,
        at: Place::default(),
        other: Place::default(),
        value,
    };
    let choice = recall.choice.map_or(f32::NAN, |it| it as f32 + 1.0);
    [
        ("rank", recall.rank as f32 + 1.0),
        ("probability", recall.prob),
        ("rank among the relation's answers", choice),
    ]
    .map(number)
    .into()
}
