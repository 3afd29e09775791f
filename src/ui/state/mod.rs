//! What is open, chosen and found: all that the panels draw.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

mod answers;
mod asking;
mod attention;
mod changes;
mod figure_preferences;
mod findings;
mod history;
mod conventions;
mod jobs;
mod look;
mod many;
mod memory;
mod models;
mod pace;
mod unsure;
mod painted;
mod preferences;
mod pair;
mod queue;
mod reading;
mod recalls;
mod session;
mod settings;
mod spec_text;
mod step;
mod swept;
mod taught;
mod together;

pub use super::facts::{
    FactId, FactKey, FactList, Filter, Known, Lesson, Order, Others, Plan, Recall, Recalled,
    Taught, TypedFact,
};
pub use crate::figure::words::capitalized;
pub use answers::{Answers, Places};
pub use asking::{UNASKED, attention_spec};
pub use attention::{AttentionSettings, Drawing};
use changes::Aside;
pub use changes::Doubt;
pub use conventions::{Convention, Difference};
pub use figure_preferences::{Exported, FigurePreferences};
pub use findings::{Findings, Run, RunState};
pub use history::{Choices, History};
pub use jobs::{FactAnswer, JobKind, Jobs, ManyJob, OpenJob};
pub use look::{Look, StoredAnswer, StoredEdges};
pub use many::{
    Amount, AmountBy, Asking, Estimated, LONG, Many, ManyOptions, OpenSweep, ReadSweep, SweepView,
};
pub use memory::Memory;
pub use models::{ModelBeside, ModelState, is_of_main};
pub use pace::Pace;
pub use painted::{Paint, Painted};
pub use pair::Beside;
pub use preferences::{Preferences, TracePair};
pub use queue::{Asked, Ended, Outcome, Question, Queue};
pub use reading::{LensChoice, Reading};
pub use recalls::Recalls;
pub use session::{Mark, OpenSession, Snapshot, Stored};
pub use settings::{NOISE_FACTOR, NoiseSetting, Setting, Settings, TraceSettings};
pub use spec_text::{AskedExperiment, Fault, SpecText};
pub use swept::Swept;
pub use unsure::{MuchMemory, Unsure, Unsures};

use super::dialogs::Purpose;
use super::pane::Pane;
use super::row::Row;
use super::view::{Hovered, Selection};
use crate::analysis::causal_trace::Component;
use crate::analysis::logit_attribution::Parts;
use crate::analysis::{AnalysisResult, ModelEdit};
use crate::facts::Fact;
use crate::session::{DatasetIdentity, Unsaved};
use crate::tokens::TokenizedPrompt;
use crate::worker::{Adapter, DeviceChoice, JobId, Which};

/// For how many facts the results that are shown unasked are kept.
const N_KEPT: usize = 32;

#[derive(Debug)]
pub struct State {
    pub settings: Settings,
    pub preferences: Preferences,
    pub model: ModelState,

    /// The model that the second row is asked of.
    pub model_beside: ModelBeside,
    pub device: DeviceChoice,

    /// The machine's graphics adapters.
    pub adapters: Vec<Adapter>,
    pub facts: FactList,

    /// Which dataset the facts of the list are from.
    pub dataset: Option<DatasetIdentity>,

    /// The dataset being read.
    pub reading: Option<PathBuf>,

    pub selected: Option<FactId>,

    /// Another fact in the place of the chosen one's inverse.
    pub beside: Option<Beside>,

    /// The right answers that facts are asked for.
    pub answers: Answers,

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

    /// An edit that is known not to do what it was made for, and is about to be made all the same.
    pub doubted: Option<ModelEdit>,

    /// How attributions are split.
    pub parts: Parts,

    findings: BTreeMap<FactKey, Findings>,

    /// What was found in the main model as it was changed otherwise.
    aside: Vec<Aside>,
    pub recalls: Recalls,

    /// Facts with results that are shown unasked, latest last.
    visited: VecDeque<FactKey>,
    pub jobs: Jobs,

    /// The tokens of all the dataset's subjects, which noise is measured on. `None` without a
    /// dataset or a model, or while they are being made.
    pub subjects: Option<Arc<[u32]>>,

    /// What ablations take their means and samples from.
    pub others: Others,

    /// The session file that is open, and the one being read.
    pub session: Option<OpenSession>,
    pub reading_session: Option<PathBuf>,

    /// Set while results of a session file are shown without the model they are of.
    pub stored: Option<Stored>,

    /// What windows have left that ended without being closed, latest first.
    pub left_over: Vec<Unsaved>,

    /// Whether a person is asked if the first of them is to be lost.
    pub is_discarding: bool,

    pub memory: Memory,

    /// The questions that would take much of it.
    pub unsure: Unsures,

    /// How fast the open models are.
    pub pace: Pace,

    /// Whether all facts of the dataset are asked or none but those that are seen, if a person has said so.
    pub recall_goes_on: Option<bool>,

    /// How many results have come since the start.
    pub n_found: u64,

    /// How many of them a person has asked for.
    pub n_asked: u64,

    /// What was asked to be traced, and waits for `subjects` or for the answer that is asked for.
    pub trace_waits: Vec<Component>,

    /// What else was asked, and waits for the answer that is asked for.
    pub study_waits: Vec<Pane>,

    /// What the system's dialog was asked for, and when.
    pub dialog: Option<(Purpose, Instant)>,

    /// The last error, until it is dismissed.
    pub error: Option<String>,

    /// That error, while it is about the chosen fact.
    error_of_fact: Option<String>,

    /// The last thing that went well, for some seconds.
    pub notice: Option<String>,

    /// What a thread of the window reads or writes now.
    pub under_way: Option<String>,

    /// How the window is drawn, if that is worth knowing.
    pub renderer: Option<String>,

    /// The experiment that is typed.
    pub spec: SpecText,

    /// What is asked of many facts.
    pub many: Many,

    /// The fact of a sweep that is shown by itself.
    pub swept: Option<Swept>,
    history: History,
}

impl State {
    pub fn new(settings: Settings, preferences: Preferences) -> Self {
        Self {
            settings,
            preferences,
            model: ModelState::None,
            model_beside: ModelBeside::default(),
            device: DeviceChoice::Auto,
            adapters: Vec::new(),
            facts: FactList::default(),
            dataset: None,
            reading: None,
            selected: None,
            beside: None,
            answers: Answers::default(),
            row: Row::First,
            selection: Selection::default(),
            painted: Painted::default(),
            hovered: None,
            edits: Vec::new(),
            doubted: None,
            parts: Parts::Layers,
            findings: BTreeMap::new(),
            aside: Vec::new(),
            recalls: Recalls::default(),
            visited: VecDeque::new(),
            jobs: Jobs::default(),
            subjects: None,
            others: Others::default(),
            session: None,
            reading_session: None,
            stored: None,
            left_over: Vec::new(),
            is_discarding: false,
            memory: Memory::default(),
            unsure: Unsures::default(),
            pace: Pace::default(),
            recall_goes_on: None,
            n_found: 0,
            n_asked: 0,
            trace_waits: Vec::new(),
            study_waits: Vec::new(),
            dialog: None,
            error: None,
            error_of_fact: None,
            notice: None,
            under_way: None,
            renderer: None,
            spec: SpecText::default(),
            many: Many::default(),
            swept: None,
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

    /// Something could not be asked of the chosen fact.
    pub fn complain_of_fact(&mut self, error: String) {
        self.error_of_fact = Some(error.clone());
        self.error = Some(error);
    }

    /// Another fact is chosen, which that was not about.
    pub fn forget_complaint(&mut self) {
        if let Some(error) = self.error_of_fact.take() {
            self.error.take_if(|it| *it == error);
        }
    }

    /// Makes a place for what will be found about the chosen fact.
    pub fn visit(&mut self, row: Row) -> Option<FactKey> {
        let key = self.key_of(row)?;
        let tokenizer = Arc::clone(&self.info_at(row)?.tokenizer);
        let fact = self.asked_fact(row)?;
        let bos = self.settings.bos;
        let findings = self.findings.entry(key).or_insert_with(|| {
            let prompt = TokenizedPrompt::new(&tokenizer, &fact, bos);
            Findings::new(prompt.map(Arc::new).map_err(|error| capitalized(&error)))
        });
        let doubts = |prompt: &Arc<TokenizedPrompt>| prompt.doubts(&tokenizer);
        findings
            .doubts
            .get_or_insert_with(|| findings.prompt.as_ref().map(doubts).unwrap_or_default());
        self.visited.retain(|it| *it != key);
        self.visited.push_back(key);
        if self.visited.len() > N_KEPT
            && let Some(oldest) = self.visited.pop_front()
            && let Some(findings) = self.findings.get_mut(&oldest)
        {
            findings.forget_unasked();
        }
        Some(key)
    }

    /// Forgets all results about some prompts, and the jobs that would add to them.
    pub fn forget(&mut self, is_meant: impl Fn(FactKey) -> bool) {
        self.forget_runs(is_meant);
        self.others = Others::default();
    }

    fn forget_runs(&mut self, is_meant: impl Fn(FactKey) -> bool) {
        self.jobs.abandon(|kind| kind.key().is_some_and(&is_meant));
        self.findings.retain(|key, _| !is_meant(*key));
        self.visited.retain(|key| !is_meant(*key));
        self.spec.asked.take_if(|asked| is_meant(asked.key));
        self.forget_aside(is_meant);
    }

    /// Stops runs that nobody waits for any more, and forgets them.
    pub fn give_up(&mut self, is_meant: impl Fn(FactKey, &Run) -> bool) {
        let mut left = Vec::new();
        for (key, findings) in &mut self.findings {
            let given_up =
                findings.runs.extract_if(.., |run| run.is_running() && is_meant(*key, run));
            left.extend(given_up.filter_map(|run| run.job()));
        }
        for job in left.into_iter().filter_map(|id| self.jobs.remove(id)) {
            job.cancel.cancel();
        }
    }

    /// The run that a job carries out.
    pub fn run_of(&mut self, job: JobId) -> Option<&mut Run> {
        let key = self.jobs.get(job)?.kind.key()?;
        self.findings.get_mut(&key)?.run_of(job)
    }

    /// All that one model has found by tracing, also in part, as it is now.
    pub fn traces_of(&self, which: Which) -> Vec<Arc<AnalysisResult>> {
        let findings = self.findings.iter().filter(|(key, _)| key.which == which);
        let results =
            findings.flat_map(|(_, it)| it.runs.iter().filter_map(|run| run.result.as_ref()));
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
}
