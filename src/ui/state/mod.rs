//! What is open, chosen and found: all that the panels draw.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

mod attention;
mod drawn;
mod fact_list;
mod findings;
mod history;
mod conventions;
mod jobs;
mod memory;
mod models;
mod others;
mod painted;
mod pair;
mod queue;
mod recall;
mod session;
mod settings;
mod spec_text;
mod taught;

pub use crate::figure::words::capitalized;
pub use attention::{AttentionSettings, Drawing};
pub use conventions::{Convention, Difference};
pub use drawn::DrawnFacts;
pub use fact_list::{FactId, FactList, Filter, Known, Order};
pub use findings::{FactKey, Findings, Quick, Slot, Study, TraceRun, TraceState};
pub use history::History;
pub use jobs::{JobKind, Jobs, OpenJob};
pub use memory::{Memory, SystemMemory};
pub use models::{ModelBeside, ModelState, is_of_main};
pub use others::Others;
pub use painted::{Paint, Painted};
pub use pair::{Beside, Standing};
pub use queue::{Asked, Ended, Outcome, Queue};
pub use recall::{Recall, Recalled};
pub use session::{Look, Mark, OpenSession, Snapshot, Stored};
pub use settings::{NOISE_FACTOR, NoiseSetting, Settings, TracePair, TraceSettings};
pub use spec_text::{Fault, SpecRun, SpecText};

pub use taught::{Lesson, Plan, Taught};

use super::pane::Pane;
use super::row::Row;
use super::studies::{About, Asks};
use super::view::{Hovered, Selection};
use crate::analysis::causal_trace::{Component, Spec as TraceSpec};
use crate::analysis::logit_attribution::Parts;
use crate::analysis::trace_average::Sample;
use crate::analysis::{AnalysisResult, AnalysisSpec, ModelEdit};
use crate::experiment::{Experiment, FactSource};
use crate::facts::Fact;
use crate::tokens::{TokenizedPrompt, Tokenizer};
use crate::worker::{Adapter, DeviceChoice, JobId, Which};

/// Of how many facts the quick results are kept.
const N_KEPT: usize = 32;

#[derive(Debug)]
pub struct State {
    pub settings: Settings,
    pub model: ModelState,

    /// Asked in the second row.
    pub model_beside: ModelBeside,
    pub device: DeviceChoice,

    /// The machine's graphics adapters.
    pub adapters: Vec<Adapter>,
    pub facts: FactList,

    /// The dataset being read.
    pub reading: Option<PathBuf>,

    pub selected: Option<FactId>,

    /// Another fact in the place of the chosen one's inverse.
    pub beside: Option<Beside>,

    /// The row that is looked at; the first where it is the only one.
    pub row: Row,

    /// Layer, position and head picked out across the views.
    pub selection: Selection,

    /// Attention edges that are painted.
    pub painted: Painted,

    /// What the pointer is on.
    pub hovered: Option<Hovered>,

    /// What is changed in the open model; all results are of the model as these leave it.
    pub edits: Vec<ModelEdit>,

    /// How attributions are split.
    pub parts: Parts,

    findings: BTreeMap<FactKey, Findings>,

    /// Facts with quick results, latest last.
    visited: VecDeque<FactKey>,
    pub jobs: Jobs,

    /// The tokens of all the dataset's subjects, which noise is measured on. Nothing without a
    /// dataset or a model, or while they are being made.
    pub subjects: Option<Arc<[u32]>>,

    /// What ablations take their means and samples from.
    pub others: Others,

    /// The session file that is open, and the one being read.
    pub session: Option<OpenSession>,
    pub reading_session: Option<PathBuf>,

    /// Set while results of a session file are shown without the model they are of.
    pub stored: Option<Stored>,

    pub memory: Memory,

    /// How many results have come since the start.
    pub n_found: u64,

    /// What was asked to be traced, and waits for `subjects`.
    pub trace_waits: Vec<Component>,

    /// The last error, until it is dismissed.
    pub error: Option<String>,

    /// The last thing that went well.
    pub notice: Option<String>,

    /// How the window is drawn, if that is worth knowing.
    pub renderer: Option<String>,
    pub form: FactForm,

    /// The experiment that is typed.
    pub spec: SpecText,
    history: History,
}

/// A fact being typed.
#[derive(Clone, Debug, Default)]
pub struct FactForm {
    pub prompt: String,
    pub subject: String,
    pub answer: String,
    pub foil: String,

    /// Why it cannot be used.
    pub error: Option<String>,
}

impl FactForm {
    pub fn fact(&self) -> Result<Fact, String> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        // The answer brings its own leading space.
        let prompt = self.prompt.trim_end();
        if prompt.is_empty() {
            return Err("Type a prompt first".to_owned());
        }
        let subject = given(&self.subject);
        let fact =
            Fact::from_text(prompt, subject.as_deref()).map_err(|error| capitalized(&error))?;
        Ok(Fact { answer: given(&self.answer), foil: given(&self.foil), ..fact })
    }
}

impl State {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            model: ModelState::None,
            model_beside: ModelBeside::default(),
            device: DeviceChoice::Auto,
            adapters: Vec::new(),
            facts: FactList::default(),
            reading: None,
            selected: None,
            beside: None,
            row: Row::First,
            selection: Selection::default(),
            painted: Painted::default(),
            hovered: None,
            edits: Vec::new(),
            parts: Parts::Layers,
            findings: BTreeMap::new(),
            visited: VecDeque::new(),
            jobs: Jobs::default(),
            subjects: None,
            others: Others::default(),
            session: None,
            reading_session: None,
            stored: None,
            memory: Memory::default(),
            n_found: 0,
            trace_waits: Vec::new(),
            error: None,
            notice: None,
            renderer: None,
            form: FactForm::default(),
            spec: SpecText::default(),
            history: History::default(),
        }
    }

    pub fn key(&self) -> Option<FactKey> {
        self.key_of(self.row)
    }

    pub fn fact(&self) -> Option<&Fact> {
        self.fact_at(self.row)
    }

    /// What is known of the chosen fact, in the row that is looked at.
    pub fn findings(&self) -> Option<&Findings> {
        self.findings.get(&self.key()?)
    }

    pub fn findings_at(&self, row: Row) -> Option<&Findings> {
        self.findings.get(&self.key_of(row)?)
    }

    pub fn findings_of(&mut self, key: FactKey) -> Option<&mut Findings> {
        self.findings.get_mut(&key)
    }

    pub fn prompt(&self) -> Option<&Arc<TokenizedPrompt>> {
        self.findings()?.prompt.as_ref().ok()
    }

    /// Makes a place for what will be found about the chosen fact.
    pub fn visit(&mut self, row: Row) -> Option<FactKey> {
        let key = self.key_of(row)?;
        let tokenizer = Arc::clone(&self.info_at(row)?.tokenizer);
        let fact = self.fact_at(row)?;
        if !self.findings.contains_key(&key) {
            let prompt = TokenizedPrompt::new(&tokenizer, fact, self.settings.bos);
            let prompt = prompt.map(Arc::new).map_err(|error| capitalized(&error));
            self.findings.insert(key, Findings::new(prompt));
        }
        self.visited.retain(|it| *it != key);
        self.visited.push_back(key);
        if self.visited.len() > N_KEPT
            && let Some(oldest) = self.visited.pop_front()
            && let Some(findings) = self.findings.get_mut(&oldest)
        {
            findings.forget_quick();
        }
        Some(key)
    }

    /// Forgets all results about some prompts, and the jobs that would add to them.
    pub fn forget(&mut self, is_meant: impl Fn(FactKey) -> bool) {
        let bos = self.settings.bos;
        self.jobs.abandon(|kind| match kind {
            JobKind::Recall(nth, direction) => {
                is_meant(FactKey::new(Which::Main, FactId::Record(*nth), *direction, bos))
            }
            _ => kind.key().is_some_and(&is_meant),
        });
        self.findings.retain(|key, _| !is_meant(*key));
        self.visited.retain(|key| !is_meant(*key));
        self.others = Others::default();
    }

    /// All that one model has found by tracing, also in part, as it is now.
    pub fn traces_of(&self, which: Which) -> Vec<Arc<AnalysisResult>> {
        let findings = self.findings.iter().filter(|(key, _)| key.which == which);
        let results = findings.flat_map(|(_, it)| {
            let traces = it.traces.iter().map(|run| &run.result);
            traces.chain(it.studies.iter().map(|study| &study.result)).flatten()
        });
        results.filter(|it| it.has_traces()).cloned().collect()
    }

    /// What a view shows as picked out: what the pointer is on elsewhere, and else what was picked.
    /// Positions are those of one prompt.
    pub fn seen(&self, pane: Pane, row: Row) -> Selection {
        let of = |selection: Selection, of: Row| self.here(selection, of, row);
        let picked = of(self.selection, self.row);
        let elsewhere = self.hovered.filter(|it| (it.pane, it.row) != (pane, row));
        elsewhere.map_or(picked, |it| of(it.selection, it.row).over(picked))
    }

    /// What of a selection there is in another row: a position is one of its own prompt, and another
    /// model may have fewer layers and heads.
    fn here(&self, selection: Selection, of: Row, row: Row) -> Selection {
        let config = self.info_at(row).map(|info| info.config);
        let has_layer = |layer: &usize| config.is_none_or(|it| *layer < it.n_layers);
        let has_head = |head: &usize| config.is_none_or(|it| *head < it.n_heads);
        Selection {
            position: selection.position.filter(|_| of == row),
            layer: selection.layer.filter(has_layer),
            head: selection.head.filter(has_head),
        }
    }

    /// What is picked out, as far as a row has it.
    pub fn selection_at(&self, row: Row) -> Selection {
        self.here(self.selection, self.row, row)
    }

    /// The trace that the controls describe, of the chosen fact. Nothing while the tokens that
    /// noise is measured on are not known.
    pub fn trace_spec(&self, row: Row) -> Option<TraceSpec> {
        self.trace_spec_of(row, self.settings.trace.component)
    }

    /// The same with something else restored.
    pub fn trace_spec_of(&self, row: Row, component: Component) -> Option<TraceSpec> {
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
        Some(settings.spec(n_layers, subjects))
    }

    /// Tells `ask` what a study may know of the chosen fact. Nothing while no model is open or no fact
    /// is chosen.
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
            facts: &self.facts,
            selection: self.selection_at(row),
            painted: self.painted.of(Some(key)),
            trace: self.trace_spec(row),
            trace_window: self.settings.trace.window(info.config.n_layers),
            subjects: self.subjects_of(which).unwrap_or(&none),
            substitutes: &substitutes,
            many: &many,
            drawn: &drawn,
            alike: &alike,
        }))
    }

    /// Which ways a study asks the fact.
    pub fn study_rows(&self, pane: Pane) -> impl Iterator<Item = Row> + use<> {
        let asks = self.settings.studies.get(pane).map_or(Asks::BothRows, |it| it.asks());
        let rows: Vec<Row> = self.rows().collect();
        let looked_at = self.row;
        rows.into_iter().filter(move |it| match asks {
            Asks::BothRows => true,
            Asks::ThisRow => *it == looked_at,
            Asks::FirstRow => *it == Row::First,
        })
    }

    /// The study that a view's controls describe, of the chosen fact. The error says what is missing.
    pub fn study_spec(&self, pane: Pane, row: Row) -> Result<AnalysisSpec, String> {
        let study = self.settings.studies.get(pane).ok_or("This view asks nothing")?;
        self.about(row, |about| study.spec(about)).ok_or("Choose a fact first")?
    }

    pub fn study(&self, pane: Pane, row: Row) -> Option<&Study> {
        let spec = self.study_spec(pane, row).ok()?;
        let own = self.findings_at(row)?.study(&spec);
        if spec.needs_prompt() {
            return own;
        }
        // It is of no fact, whichever was looked at when it was asked for.
        let which = self.which(row);
        let of_model = || self.findings.iter().filter(|(key, _)| key.which == which);
        let found = own.or_else(|| of_model().find_map(|(_, it)| it.study(&spec)));
        if found.is_some() || self.stored.is_none() {
            return found;
        }
        // Without its dataset a file has other facts to draw from.
        let mut all = of_model().flat_map(|(_, it)| &it.studies);
        let is_average = |spec: &AnalysisSpec| matches!(spec, AnalysisSpec::TraceAverage(_));
        all.find(|study| is_average(&spec) && is_average(&study.spec))
    }

    /// What a view shows of the fact as it is looked at.
    pub fn result(&self, pane: Pane) -> Option<&Arc<AnalysisResult>> {
        let quick = |quick: Quick| match self.findings()?.quick(quick) {
            Slot::Found(result) => Some(result),
            Slot::Missing | Slot::Waiting(_) | Slot::Failed(_) => None,
        };
        match pane {
            Pane::Trace => self.trace(self.row)?.result.as_ref(),
            Pane::Prediction => quick(Quick::Prediction),
            Pane::Attention => quick(Quick::Attention),
            Pane::LogitLens => quick(Quick::LogitLens),
            Pane::Attribution => quick(match self.parts {
                Parts::Layers => Quick::AttributionByLayer,
                Parts::Heads => Quick::AttributionByHead,
            }),
            _ => {
                let row = self.study_rows(pane).next()?;
                self.study(pane, row)?.result.as_ref()
            }
        }
    }

    /// What was asked for it, as a file tells it.
    pub fn experiment(&self, pane: Pane) -> Option<Experiment> {
        if pane == Pane::Spec {
            return self.spec.known(&self.settings.spec_text).cloned();
        }
        let row = if pane.is_study() { self.study_rows(pane).next()? } else { self.row };
        let which = self.which(row);
        let info = self.info_of(which)?;
        let n_pos = self.findings_at(row)?.prompt.as_ref().ok()?.n_pos();
        let layer = self.selection_at(row).layer.unwrap_or(0);
        let quick = |quick: Quick| {
            quick.spec(&info.config, n_pos, layer, self.settings.attention.weighting)
        };
        let spec = match pane {
            Pane::Trace => AnalysisSpec::CausalTrace(self.trace_spec(row)?),
            Pane::Prediction => quick(Quick::Prediction),
            Pane::Attention => quick(Quick::Attention),
            Pane::LogitLens => quick(Quick::LogitLens),
            Pane::Attribution => quick(match self.parts {
                Parts::Layers => Quick::AttributionByLayer,
                Parts::Heads => Quick::AttributionByHead,
            }),
            _ => self.study_spec(pane, row).ok()?,
        };
        let fact = self.fact_at(row)?;
        Some(Experiment {
            model: info.dir.clone(),
            bos: self.settings.bos,
            fact: FactSource::Text(fact.into()),
            edits: self.edits_of(which).to_vec(),
            spec,
        })
    }

    pub fn trace(&self, row: Row) -> Option<&TraceRun> {
        self.trace_of(row, self.settings.trace.component)
    }

    /// The same with something else restored.
    pub fn trace_of(&self, row: Row, component: Component) -> Option<&TraceRun> {
        self.findings_at(row)?.trace(&self.trace_spec_of(row, component)?)
    }

    /// The job of the trace on screen, if one is running.
    pub fn running_trace(&self) -> Option<JobId> {
        self.rows().find_map(|row| match self.trace(row)?.state {
            TraceState::Running(job) => Some(job),
            _ => None,
        })
    }
}

/// As ROME counts them: each subject by itself, without a leading space or BOS. A subject that
/// cannot be tokenized adds nothing.
pub fn subject_tokens<'a>(
    tokenizer: &Tokenizer,
    subjects: impl Iterator<Item = &'a str>,
) -> Arc<[u32]> {
    subjects
        .filter_map(|subject| tokenizer.encode(subject).ok())
        .flat_map(|tokens| tokens.into_iter().map(|token| token.id))
        .collect()
}
