//! A fact of a sweep by itself: what the sweep asks of it is found again, and shown in the view of its
//! method with the sweep's settings and seed, so that both have the same numbers.

use eframe::egui;

use super::App;
use crate::analysis::{AnalysisCtx, AnalysisSpec};
use crate::experiment::{Datasets, Experiment, FactSource, Library};
use crate::facts::Direction;
use crate::population::{Plan, PlanError, SweepSettings, Task, at_layer};
use crate::session::Origin;
use crate::ui::command::Command;
use crate::ui::pane::Pane;
use crate::ui::panels::file_name;
use crate::ui::reply::{AskedOfFact, FactOfSweep, Reply};
use crate::ui::row::Row;
use crate::ui::state::{FactId, FactKey, ManyJob, Reading, Swept, capitalized};
use crate::worker::{Class, Engine, Which};

impl App {
    /// Finds what the sweep asks of one of its facts, to show it by itself.
    pub(super) fn ask_fact_of_sweep(&mut self, task: Task) {
        if self.refuses() {
            return;
        }
        let Some(open) = &self.state.many.open else { return };
        let Some(read) = open.read.clone() else { return };
        let plan = match Plan::again(&read.manifest, &open.dir) {
            Ok(plan) => plan,
            Err(error) => {
                self.state.error = Some(capitalized(&error));
                return;
            }
        };
        // Of a sweep over layers the number that was clicked is of one of them.
        let behind = open.behind.as_ref().map(|(it, _)| it);
        let cell = behind.and_then(|it| read.population.charts.get(it.numbers)?.cells.get(it.cell));
        let layer = cell.and_then(|it| it.layer).filter(|it| plan.settings.layers.contains(it));
        let Some(which) = self.state.model_asked(&plan.written.outline) else {
            let edits = &plan.written.outline.edits;
            self.state.error = Some(self.not_of_open_model(&read.manifest, edits));
            return;
        };
        let replies = self.replies.clone();
        self.call(which, ManyJob::Fact, Class::Usual, |_| {
            move |engine: &Engine, datasets: &Datasets, ctx: &AnalysisCtx<'_>| {
                let found = plan.open(engine, datasets, |ready| {
                    let now = ready.manifest(None, &ctx.task)?;
                    let case = ready.sweep.dataset.records.get(task.record).map(|it| it.id.clone());
                    let (Some(case), None) = (case, read.manifest.of_all().difference(&now)) else {
                        let error = "the model or the dataset is not the sweep's any more";
                        return Ok(Err(error.to_owned()));
                    };
                    let mut asked = Vec::new();
                    for direction in [task.direction, task.direction.other()] {
                        let is_first = direction == task.direction;
                        if !is_first && !plan.selection.ways.directions().contains(&direction) {
                            continue;
                        }
                        match ready.sweep.experiment(Task { direction, ..task }, ctx)? {
                            Ok((mut experiment, prompt)) => {
                                let spec = layer.and_then(|it| at_layer(&experiment.spec, it));
                                experiment.spec = spec.unwrap_or(experiment.spec);
                                asked.push(AskedOfFact { direction, experiment, prompt });
                            }
                            Err(error) if is_first => return Ok(Err(error)),
                            Err(_) => {}
                        }
                    }
                    let library = Library::new(&engine.info.tokenizer).sharing(datasets);
                    let text = asked[0].experiment.to_json_as_meant(&library);
                    let text = text.map_err(|error| error.to_string());
                    let found = text.map(|text| Box::new(FactOfSweep { case, asked, text }));
                    Ok::<_, PlanError>(found)
                })??;
                // The window has closed: nobody to tell.
                _ = replies.send(Reply::FactOfSweep { which, found });
                Ok(())
            }
        });
    }

    /// Chooses a fact of the sweep with the answer that the sweep measures, and shows in the view of the
    /// sweep's method what was asked of it. What that view cannot ask is shown as text.
    pub(super) fn show_fact_of_sweep(
        &mut self,
        which: Which,
        found: FactOfSweep,
        ctx: &egui::Context,
    ) {
        let Some(open) = &self.state.many.open else { return };
        let Some(read) = open.read.clone() else { return };
        let sweep = file_name(&open.dir);
        let settings: SweepSettings =
            serde_json::from_value(read.manifest.settings.clone()).unwrap_or_default();
        let FactOfSweep { case, asked, text } = found;
        let is_open = Some(read.manifest.facts.as_path()) == self.state.facts.dataset_path();
        let mut known = Vec::new();
        if let Some(id) = self.state.facts.find(&case).filter(|_| is_open) {
            self.choose_fact_of_sweep(id, &asked, ctx);
            known = self.asked_in_view(which, id, &asked);
        }
        let pane = asked.first().and_then(|it| self.state.pane_showing(&it.experiment.spec));
        let row = pane.and_then(|it| self.state.shown_row(it));
        let shown = pane.filter(|_| known.first().is_some_and(|it| Some(it.0) == row));
        let asked = known.iter().map(|(_, key, spec)| (*key, spec.clone()));
        let asked = shown.map(|_| asked.collect()).unwrap_or_default();
        let pane = shown.unwrap_or(Pane::Spec);
        let reading = Reading::of_sweep(settings.figure);
        let why_text = if is_open {
            "no view asks quite this".to_owned()
        } else {
            let dataset = file_name(&read.manifest.facts);
            format!("its dataset {dataset} is not open; open it to see the fact in its view")
        };
        let swept = Swept { pane, sweep, asked, why_text, reading };
        if pane == Pane::Spec {
            self.handle(Command::SetSpecText(text), ctx);
            self.state.swept = Some(swept);
            self.handle(Command::RunSpec, ctx);
            return;
        }
        self.state.swept = Some(swept);
        if let (Pane::Trace, AnalysisSpec::CausalTrace(it)) = (pane, &known[0].2) {
            self.state.settings.trace.component = it.component;
        }
        self.views.workspace.show(pane);
        for (row, key, spec) in known {
            match spec {
                AnalysisSpec::CausalTrace(it) if pane == Pane::Trace => {
                    self.trace_one(row, it.component);
                }
                spec => self.begin(pane, key, spec, Origin::Asked),
            }
        }
    }

    /// Chooses a fact and the answers that a sweep measures, and looks at the row that is asked first.
    fn choose_fact_of_sweep(&mut self, id: FactId, asked: &[AskedOfFact], ctx: &egui::Context) {
        for AskedOfFact { direction, experiment, .. } in asked {
            let answers = self.state.facts.get(id).map_or(&[][..], |it| it.answers(*direction));
            let answer = answer_of(experiment);
            let place = answers.iter().position(|it| Some(it) == answer);
            if let Some(place) = place.filter(|_| answers.len() > 1) {
                self.state.ask_for(id, *direction, place);
            }
        }
        self.handle(Command::Select(id), ctx);
        let Some(first) = asked.first() else { return };
        if self.state.has_model_beside() {
            self.handle(Command::AskBoth(first.direction), ctx);
        } else {
            let row = match first.direction {
                Direction::Forward => Row::First,
                Direction::Inverse => Row::Second,
            };
            self.handle(Command::LookAt(row), ctx);
        }
        self.views.facts.reveal();
    }

    /// What a sweep asks, where a row asks the model about the same tokens.
    fn asked_in_view(
        &self,
        which: Which,
        id: FactId,
        asked: &[AskedOfFact],
    ) -> Vec<(Row, FactKey, AnalysisSpec)> {
        let state = &self.state;
        let asked = asked.iter().filter_map(|it| {
            let is_meant =
                |key: &FactKey| (key.which, key.fact, key.direction) == (which, id, it.direction);
            let is_its = |row: &Row| {
                let prompt = state.findings_at(*row).and_then(|it| it.prompt.as_deref().ok());
                state.key_of(*row).as_ref().is_some_and(is_meant) && prompt == Some(&it.prompt)
            };
            let row = state.rows().find(is_its)?;
            Some((row, state.key_of(row)?, it.experiment.spec.clone()))
        });
        asked.collect()
    }
}

/// The answer that is measured, as the dataset has it. `None` for the model's first guess.
fn answer_of(experiment: &Experiment) -> Option<&String> {
    match &experiment.fact {
        FactSource::Record(record) => record.answer.as_ref(),
        FactSource::Text(_) | FactSource::NoFact => None,
    }
}
