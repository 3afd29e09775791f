//! What each view asks about the prompt of a row, and what it has found.

use std::ops::Range;
use std::sync::Arc;

use super::{FactId, FactKey, ModelState, NoiseSetting, Recalled, Run, State, TraceSettings};
use crate::analysis::attention::{self, Weighting};
use crate::analysis::attribution_patching::AttributionPatching;
use crate::analysis::causal_trace::{Component, Spec as TraceSpec};
use crate::analysis::trace_average::Sample;
use crate::analysis::{AnalysisResult, AnalysisSpec, logit_attribution, logit_lens, prediction};
use crate::experiment::{Experiment, subject_tokens};
use crate::facts::Direction;
use crate::hub;
use crate::session::Origin;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::studies::{About, Asks, UNMEASURED};
use crate::worker::{JobId, ModelConfig, Which};

/// The views that show an answer to each chosen fact unasked, in the order they are asked for it:
/// about one forward pass each.
pub const UNASKED: [Pane; 4] =
    [Pane::Prediction, Pane::LogitLens, Pane::Attribution, Pane::Attention];

/// The most attention weights asked for at once, 20 MB: all of GPT-2 XL over 64 tokens.
const MAX_WEIGHTS: usize = 48 * 25 * 64 * 64;

impl State {
    /// The rows that a view asks.
    pub fn rows_of(&self, pane: Pane) -> impl Iterator<Item = Row> + use<> {
        let asks = self.settings.studies.get(pane).map_or(Asks::ThisRow, |it| it.asks());
        let rows: Vec<Row> = self.rows().collect();
        let looked_at = self.row;
        rows.into_iter().filter(move |row| match asks {
            Asks::BothRows => true,
            Asks::ThisRow => *row == looked_at,
            Asks::FirstRow => *row == Row::First,
        })
    }

    /// What a view asks about the prompt of a row, as its controls are set. The error says to the
    /// user what is missing.
    pub fn spec_of(&self, pane: Pane, row: Row) -> Result<AnalysisSpec, String> {
        if let Some(spec) = self.swept_spec(pane, row).filter(|_| pane != Pane::Trace) {
            return Ok(spec.clone());
        }
        if let Some(study) = self.settings.studies.get(pane) {
            return self.about(row, |about| study.spec(about)).ok_or_else(|| self.missing(row))?;
        }
        match pane {
            Pane::Trace => Ok(AnalysisSpec::CausalTrace(self.trace_spec(row).ok_or(UNMEASURED)?)),
            Pane::Prediction => Ok(AnalysisSpec::Prediction(prediction::Spec { n_top: 10 })),
            Pane::LogitLens => Ok(AnalysisSpec::LogitLens(logit_lens::Spec::default())),
            Pane::Attribution => {
                let spec = logit_attribution::Spec { by: self.parts };
                Ok(AnalysisSpec::LogitAttribution(spec))
            }
            Pane::Attention => {
                let spec = self.about(row, |about| {
                    let layer = about.selection.layer.unwrap_or(0);
                    let weighting = self.settings.attention.weighting;
                    attention_spec(&about.info.config, about.prompt.n_pos(), layer, weighting)
                });
                Ok(AnalysisSpec::Attention(spec.ok_or_else(|| self.missing(row))?))
            }
            _ => Err("This view asks nothing".to_owned()),
        }
    }

    /// Why nothing can be asked about the prompt of a row, for the user.
    fn missing(&self, row: Row) -> String {
        let is_opening = matches!(self.model_of(self.which(row)), ModelState::Loading { .. });
        if is_opening {
            "The model is still being opened".to_owned()
        } else if self.info_at(row).is_none() {
            "Open a model first".to_owned()
        } else if self.fact_at(row).is_some() && self.key_of(row).is_none() {
            "The model is asked first which of the right answers it finds likeliest".to_owned()
        } else if let Some(Err(error)) = self.findings_at(row).map(|it| &it.prompt) {
            error.clone()
        } else {
            "Choose a fact first".to_owned()
        }
    }

    /// The run that answers what a view asks about the prompt of a row.
    pub fn run(&self, pane: Pane, row: Row) -> Option<&Run> {
        let spec = self.spec_of(pane, row).ok()?;
        let findings = self.findings_at(row)?;
        let own = findings.run(&spec);
        if own.is_some() {
            return own;
        }
        let which = self.which(row);
        let of_model = || self.findings.iter().filter(|(key, _)| key.which == which);
        if !spec.needs_prompt() {
            // It is about the weights, so that it holds for whichever fact is looked at.
            let found = of_model().find_map(|(_, it)| it.run(&spec));
            if found.is_some() {
                return found;
            }
        }
        self.stored.as_ref()?;
        // What a file does not hold cannot be asked for, so that what comes nearest is shown.
        match spec {
            // Without its dataset a file has other facts to draw from.
            AnalysisSpec::TraceAverage(_) => {
                let mut all = of_model().flat_map(|(_, it)| &it.runs);
                all.find(|run| matches!(run.spec, AnalysisSpec::TraceAverage(_)))
            }
            AnalysisSpec::Attention(_) => {
                findings.runs.iter().find(|run| matches!(run.spec, AnalysisSpec::Attention(_)))
            }
            _ => None,
        }
    }

    /// How well the main model knows a fact, as far as that was asked: facts of the dataset are asked
    /// in the background, and both they and typed ones when they are looked at. Of several right answers the
    /// latter asks for one, which may not be the likeliest.
    pub fn recalled(&self, fact: FactId, direction: Direction) -> Option<Recalled> {
        if let FactId::Record(nth) = fact {
            let asked = self.facts.recall().get(nth, direction);
            let is_one = self.facts.get(fact)?.answers(direction).len() < 2;
            if asked.is_some() || !is_one {
                return asked;
            }
        }
        let key = FactKey::new(Which::Main, fact, direction, self.settings.bos);
        let runs = &self.findings.get(&key)?.runs;
        runs.iter().find_map(|run| Recalled::of(run.result.as_deref()?))
    }

    /// The row that a view shows: the one that is looked at, unless the view asks another.
    pub fn shown_row(&self, pane: Pane) -> Option<Row> {
        let mut rows = self.rows_of(pane);
        let first = rows.next()?;
        Some([first].into_iter().chain(rows).find(|row| *row == self.row).unwrap_or(first))
    }

    /// The rows that a view can show, whichever is looked at.
    pub fn all_rows_of(&self, pane: Pane) -> Vec<Row> {
        match self.settings.studies.get(pane).map(|it| it.asks()) {
            Some(Asks::FirstRow) => self.rows_of(pane).collect(),
            _ => self.rows().collect(),
        }
    }

    /// What a view shows of the fact as it is looked at.
    pub fn result(&self, pane: Pane) -> Option<&Arc<AnalysisResult>> {
        self.run(pane, self.shown_row(pane)?)?.result.as_ref()
    }

    /// What a view asks, as an experiment. The text of the Spec view is no view's question.
    pub fn experiment(&self, pane: Pane) -> Option<Experiment> {
        self.experiment_at(pane, self.shown_row(pane)?)
    }

    /// What a view asks about the prompt of a row, as an experiment.
    pub fn experiment_at(&self, pane: Pane, row: Row) -> Option<Experiment> {
        let which = self.which(row);
        self.findings_at(row)?.prompt.as_ref().ok()?;
        Some(Experiment {
            model: hub::called(&self.info_of(which)?.dir),
            bos: self.settings.bos,
            fact: self.source_of(row)?,
            edits: self.edits_of(which).to_vec(),
            spec: self.spec_of(pane, row).ok()?,
        })
    }

    /// The trace that the controls describe, of the prompt of a row. `None` while the tokens that
    /// noise is measured on are not known.
    pub fn trace_spec(&self, row: Row) -> Option<TraceSpec> {
        self.trace_spec_of(row, self.settings.trace.component)
    }

    /// The trace with something else restored.
    pub fn trace_spec_of(&self, row: Row, component: Component) -> Option<TraceSpec> {
        match self.swept_spec(Pane::Trace, row) {
            Some(AnalysisSpec::CausalTrace(it)) if it.component == component => Some(it.clone()),
            _ => self.trace_as_set(row, component),
        }
    }

    /// The trace of a component as the settings of the trace view describe it, whatever that view shows.
    fn trace_as_set(&self, row: Row, component: Component) -> Option<TraceSpec> {
        let settings = &TraceSettings { component, ..self.settings.trace.clone() };
        let which = self.which(row);
        let info = self.info_of(which)?;
        let n_layers = info.config.n_layers;
        if settings.noise == NoiseSetting::Fixed {
            return Some(settings.spec(n_layers, Arc::from([])));
        }
        if self.facts.dataset.is_some() {
            return Some(settings.spec(n_layers, Arc::clone(self.subjects_of(which)?)));
        }
        let subject = self.fact_at(row)?.subject_text()?;
        let subjects = subject_tokens(&info.tokenizer, [subject].into_iter());
        Some(settings.spec(n_layers, subjects.ids.into()))
    }

    /// The trace of a row, as the controls describe it.
    pub fn trace(&self, row: Row) -> Option<&Run> {
        self.trace_of(row, self.settings.trace.component)
    }

    /// The trace with something else restored.
    pub fn trace_of(&self, row: Row, component: Component) -> Option<&Run> {
        let spec = AnalysisSpec::CausalTrace(self.trace_spec_of(row, component)?);
        self.findings_at(row)?.run(&spec)
    }

    /// What the cells of a row's trace will be, about.
    pub fn preview_of(&self, row: Row, component: Component) -> Option<&AttributionPatching> {
        self.findings_at(row)?.preview_of(self.trace_of(row, component)?)
    }

    /// The result that holds the estimate of a row's trace.
    pub fn preview_result_of(
        &self,
        row: Row,
        component: Component,
    ) -> Option<&Arc<AnalysisResult>> {
        let run = self.findings_at(row)?.preview_run_of(self.trace_of(row, component)?)?;
        run.result.as_ref()
    }

    /// The job of the trace on screen, if one is running that a person has asked for.
    pub fn running_trace(&self) -> Option<JobId> {
        let asked = |run: &&Run| run.origin != Origin::Unasked;
        self.rows().find_map(|row| self.trace(row).filter(asked)?.job())
    }

    /// Tells `ask` what a study may know of the prompt of a row. `None` while no model is open or no
    /// fact is chosen.
    pub fn about<T>(&self, row: Row, ask: impl FnOnce(&About<'_>) -> T) -> Option<T> {
        let prompt_of = |row: Row| self.findings_at(row).and_then(|it| it.prompt.as_deref().ok());
        // Runs of two models do not mix.
        let other = self.rows().find(|it| *it != row && self.which(*it) == self.which(row));
        let which = self.which(row);
        let (info, key) = (self.info_of(which)?, self.key_of(row)?);
        let record = self.facts.get(key.fact)?;
        let none = Arc::from([]);
        let substitutes =
            |of| self.others.substitutes(key, of, record, &self.facts, &info.tokenizer);
        let prompt = prompt_of(row)?;
        let many = || self.others.many(key, &self.facts, &info.tokenizer);
        let drawn = |sample: &Sample, stand_ins| {
            self.others.drawn(sample, stand_ins, key, &self.facts, &info.tokenizer)
        };
        let alike = || self.others.alike(key, prompt.n_pos(), &self.facts, &info.tokenizer);
        Some(ask(&About {
            info,
            prompt,
            other: other.and_then(prompt_of),
            has_other_model: self.has_model_beside(),
            row,
            beside: self.second(),
            asked: key.direction,
            fact: record.fact(key.direction),
            record: Some(record),
            answers: Row::BOTH.map(|it| self.answers_at(it)),
            is_chosen: Row::BOTH.map(|it| self.has_chosen_answer(it)),
            facts: &self.facts,
            selection: self.selection_at(row),
            painted: self.painted.of(Some(key)),
            trace_settings: &self.settings.trace,
            traces: &|component| self.trace_as_set(row, component),
            shown_trace: &|| self.trace_spec(row),
            subjects: self.subjects_of(which).unwrap_or(&none),
            substitutes: &substitutes,
            many: &many,
            drawn: &drawn,
            alike: &alike,
        }))
    }
}

/// All heads of all layers, or of one layer where all were too much at once.
pub fn attention_spec(
    config: &ModelConfig,
    n_pos: usize,
    layer: usize,
    weighting: Weighting,
) -> attention::Spec {
    let is_little = config.n_layers * config.n_heads * n_pos.pow(2) <= MAX_WEIGHTS;
    let layers: Range<usize> = if is_little { 0..config.n_layers } else { layer..layer + 1 };
    attention::Spec { weighting, ..attention::Spec::all_heads(layers) }
}
