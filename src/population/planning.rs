//! How many facts a plan asks, and how often it draws, chosen for a time or for an interval.

use std::cell::Cell;
use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::asked_before::question;
use super::estimate::duration;
use super::plan::{Plan, PlanError, SweepSettings};
use super::planner::{Goal, N_PILOT, N_TIMED, Pilot};
use super::recall::Choices;
use super::selection::{Selection, Task};
use super::sweep::Sweep;
use crate::analysis::AnalysisCtx;
use crate::analysis::trace_average::FactDraws;
use crate::experiment::{Binding, Datasets, Library, Written};
use crate::facts::Dataset;
use crate::task::Progress;
use crate::worker::Engine;

/// What was chosen and why, as the folder notes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// The goal, in words.
    pub goal: String,

    /// Draws of each fact. `None` where the method draws nothing.
    pub n_samples: Option<usize>,
    pub n_facts: usize,

    /// About how long all take, in seconds. 0 in folders of before it was noted.
    #[serde(default)]
    pub secs: f64,

    /// Sentences for the user.
    pub told: Vec<String>,
}

impl Plan {
    /// Asks a few facts, and chooses how many are drawn, and how often. Errors name `path`, the spec's file.
    pub fn choose(
        &self,
        goal: Goal,
        engine: &Engine,
        datasets: &Datasets,
        path: &Path,
        ctx: &AnalysisCtx<'_>,
    ) -> Result<Chosen, PlanError> {
        let Self { written, selection, settings, .. } = self;
        let dataset = &datasets.get(&self.facts, None)?;
        let library = &Library::new(&engine.info.tokenizer).sharing(datasets);
        let choices = &Choices::new(dataset);
        let draws = if settings.shared_draws { FactDraws::Shared } else { FactDraws::Anew };
        let n_usual = written.with_numbers("n_samples", &|it| it, path)?.1;
        let of = |n_samples: u64, more: u64| -> Result<Written, PlanError> {
            let (spec, _) = written.with_numbers("n_samples", &|_| n_samples, path)?;
            Ok(spec.with_numbers("seed", &|seed| seed.wrapping_add(more), path)?.0)
        };
        let specs = [of(1, 0)?, of(1, 1)?, of(N_TIMED as u64, 0)?];
        let [first, second, several] = &specs;
        let bindings = [
            Binding::new(first, library, draws)?,
            Binding::new(second, library, draws)?,
            Binding::new(several, library, draws)?,
        ];
        // Both ways of a fact are asked together, and one tells the spread.
        let directions = selection.ways.directions();
        let mut tasks = selection.check(dataset, &self.facts)?;
        tasks.retain(|it| it.direction == directions[0]);
        // A question that several facts ask is computed once, and counts once in the interval.
        let questions = first_askers(dataset, &tasks);
        let quiet = ctx.reporting(&|_| ());
        let start = Instant::now();
        // As many runs as a pilot makes in which no fact is left out.
        let total = (N_PILOT as u64 + 1) * if n_usual > 0 { 3 } else { 1 };
        let n_done = Cell::new(0);
        let found = Pilot::of(&questions, n_usual > 0, &|task, n_samples, more| {
            let done = n_done.replace(n_done.get() + 1).min(total - 1);
            ctx.task.checkpoint(Progress { done, total })?;
            let nth = if n_samples > 1 { 2 } else { more as usize };
            let sweep = Sweep {
                engine,
                binding: &bindings[nth],
                dataset,
                choices,
                selection,
                answer: settings.answer,
                layers: &settings.layers,
                look: &|spec, tokenizer| settings.figure.look(spec, tokenizer),
            };
            sweep.try_out(task, &quiet)
        })?;
        let mut pilot = found.map_err(PlanError::Pilot)?;
        pilot.fixed *= directions.len() as f64;
        pilot.each *= directions.len() as f64;
        pilot.passed *= directions.len() as f64;
        let n_usual = (n_usual > 0).then_some(n_usual);
        let spent = start.elapsed().as_secs_f64();
        let choice = pilot.choose(goal.after(spent), questions.len(), n_usual);
        // In the order in which facts are drawn.
        let mut drawn = Selection { n: Some(tasks.len()), ..selection.clone() }.tasks(dataset);
        drawn.retain(|it| it.direction == directions[0]);
        let n_facts = first_askers(dataset, &drawn)
            .get(choice.n_questions)
            .and_then(|beyond| drawn.iter().position(|it| it == beyond))
            .unwrap_or(drawn.len());
        Ok(Chosen {
            goal: goal.to_string(),
            n_samples: choice.n_samples,
            n_facts,
            secs: choice.secs,
            told: pilot.told(&choice, n_facts).into_iter().chain(spent_of(goal, spent)).collect(),
        })
    }

    /// The plan with what was chosen. Errors name `path`.
    pub fn chosen(self, chosen: &Chosen, path: &Path) -> Result<Self, PlanError> {
        let written = match chosen.n_samples {
            Some(n) => self.written.with_numbers("n_samples", &|_| n as u64, path)?.0,
            None => self.written,
        };
        let selection = Selection { n: Some(chosen.n_facts), ..self.selection };
        let noted = serde_json::to_value(chosen).map_err(crate::experiment::BindingError::from)?;
        let settings = SweepSettings { plan: Some(noted), ..self.settings };
        Self::new(written, self.facts, selection, settings)
    }
}

/// What the pilot has taken of a budget.
fn spent_of(goal: Goal, spent: f64) -> Option<String> {
    let Goal::Budget(all) = goal else { return None };
    let [spent_text, all_text] = [spent, all].map(duration);
    Some(if spent < all {
        format!("the pilot has taken {spent_text} of the {all_text}")
    } else {
        format!("the pilot has taken {spent_text}, more than the {all_text} of the budget")
    })
}

/// The first of the tasks that ask the same question, for each question.
fn first_askers(dataset: &Dataset, tasks: &[Task]) -> Vec<Task> {
    let mut seen = HashSet::new();
    let is_first = |it: &&Task| question(dataset, **it).is_none_or(|words| seen.insert(words));
    tasks.iter().filter(is_first).copied().collect()
}
