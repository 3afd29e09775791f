//! How many facts a sweep asks, and how often it draws, chosen for a time or for an interval.

use anyhow::ensure;
use serde::{Deserialize, Serialize};

use super::Sweep;
use crate::analysis::trace_average::FactDraws;
use crate::cli::machine::Machine;
use crate::experiment::{Binding, Library, Written};
use crate::population::{Choices, Goal, Manifest, N_TIMED, Pilot, Plan, Sweep as Asking};
use crate::worker::Engine;

/// What was planned and why, as the folder notes it.
#[derive(Serialize, Deserialize)]
pub(super) struct PlanNote {
    pub goal: String,
    pub n_samples: Option<usize>,
    pub n_facts: usize,
    pub told: Vec<String>,
}

/// A time in seconds, from `90s`, `20m` or `2h`.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let units = [('s', 1.0), ('m', 60.0), ('h', 3600.0)];
    let found = units.iter().find_map(|(unit, secs)| Some((text.strip_suffix(*unit)?, secs)));
    let number = found.and_then(|(number, secs)| Some(number.trim().parse::<f64>().ok()? * secs));
    number
        .filter(|it| it.is_finite() && *it > 0.0)
        .ok_or_else(|| "a time is a number above 0 with its unit: `90s`, `20m` or `2h`".to_owned())
}

impl Sweep {
    /// The plan that the folder was begun with, which a second start keeps.
    pub(super) fn planned_before(&self, goal: Goal) -> anyhow::Result<Option<PlanNote>> {
        let Some(out) = self.out.as_deref().filter(|it| it.join(Manifest::FILE).exists()) else {
            return Ok(None);
        };
        let plan = Manifest::load(out)?.settings.get("plan").cloned();
        let plan: Option<PlanNote> = plan.map(serde_json::from_value).transpose()?;
        Ok(plan.filter(|it| it.goal == goal.to_string()))
    }

    /// Asks a few facts, and chooses how many are drawn, and how often.
    pub(super) fn plan(
        &self,
        goal: Goal,
        plan: &Plan,
        engine: &Engine,
        machine: &Machine,
    ) -> anyhow::Result<PlanNote> {
        let Plan { written, selection, settings, .. } = plan;
        let tokenizer = &engine.info.tokenizer;
        let dataset = &machine.datasets.get(&plan.facts, None)?;
        let library = &Library::new(tokenizer).sharing(&machine.datasets);
        let choices = &Choices::new(dataset);
        let draws = if settings.shared_draws { FactDraws::Shared } else { FactDraws::Anew };
        let n_usual = written.with_numbers("n_samples", &|it| it, &self.spec)?.1;
        let of = |n_samples: u64, more: u64| -> anyhow::Result<Written> {
            let (spec, _) = written.with_numbers("n_samples", &|_| n_samples, &self.spec)?;
            Ok(spec.with_numbers("seed", &|seed| seed.wrapping_add(more), &self.spec)?.0)
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
        let mut tasks = selection.tasks(dataset);
        tasks.retain(|it| it.direction == directions[0]);
        ensure!(!tasks.is_empty(), "no fact is asked");
        let found = machine.watched("Planning", |ctx| {
            let ctx = machine.ctx(ctx);
            let quiet = ctx.reporting(&|_| ());
            Pilot::of(&tasks, n_usual > 0, &|task, n_samples, more| {
                let nth = if n_samples > 1 { 2 } else { more as usize };
                let sweep = Asking {
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
            })
        })?;
        let mut pilot = found.map_err(anyhow::Error::msg)?;
        pilot.fixed *= directions.len() as f64;
        pilot.each *= directions.len() as f64;
        let n_usual = (n_usual > 0).then_some(n_usual);
        let choice = pilot.choose(goal, tasks.len(), n_usual);
        Ok(PlanNote {
            goal: goal.to_string(),
            n_samples: choice.n_samples,
            n_facts: choice.n_facts,
            told: pilot.told(&choice),
        })
    }
}
