//! What has been found about a prompt, kept so that coming back to it costs nothing.

use std::ops::Range;
use std::sync::Arc;

use super::FactId;
use crate::analysis::attention::Weighting;
use crate::analysis::causal_trace::Spec as TraceSpec;
use crate::analysis::{
    AnalysisResult, AnalysisSpec, attention, logit_attribution, logit_lens, prediction,
};
use crate::facts::Direction;
use crate::tokens::{Bos, TokenizedPrompt};
use crate::worker::{Gpt2Config, JobId, Which};

/// A fact, asked of one model in one direction, with or without BOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactKey {
    pub which: Which,
    pub fact: FactId,
    pub direction: Direction,
    pub has_bos: bool,
}

/// All results about one prompt under one of the open models.
#[derive(Debug)]
pub struct Findings {
    /// Or why the prompt cannot be asked.
    pub prompt: Result<Arc<TokenizedPrompt>, String>,
    quick: [Slot; Quick::ALL.len()],

    /// One per spec.
    pub traces: Vec<TraceRun>,

    /// One per spec.
    pub studies: Vec<Study>,
}

/// The methods that are run unasked as soon as a fact is chosen: about one forward pass each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quick {
    Prediction,
    LogitLens,
    AttributionByLayer,
    AttributionByHead,
    Attention,
}

/// A place for one result.
#[derive(Clone, Debug, Default)]
pub enum Slot {
    #[default]
    Missing,
    Waiting(JobId),
    Found(Arc<AnalysisResult>),
    Failed(String),
}

/// A causal trace that was asked for.
#[derive(Debug)]
pub struct TraceRun {
    pub spec: TraceSpec,
    pub state: TraceState,

    /// Always a causal trace; with empty cells where `state` is not `Complete`.
    pub result: Option<Arc<AnalysisResult>>,

    /// Always attribution patching: what the cells will be, about. Comes first.
    pub preview: Option<Arc<AnalysisResult>>,
}

/// A method beside the trace that takes a while, and was asked for.
#[derive(Debug)]
pub struct Study {
    pub spec: AnalysisSpec,
    pub state: TraceState,

    /// Of the spec's method; with empty cells where `state` is not `Complete`.
    pub result: Option<Arc<AnalysisResult>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceState {
    Running(JobId),
    Complete,
    Cancelled,
    Failed(String),
}

impl FactKey {
    pub fn new(which: Which, fact: FactId, direction: Direction, bos: Bos) -> Self {
        Self { which, fact, direction, has_bos: bos == Bos::On }
    }
}

/// The most attention weights asked for at once, 20 MB: all of GPT-2 XL over 64 tokens.
const MAX_WEIGHTS: usize = 48 * 25 * 64 * 64;

impl Quick {
    pub const ALL: [Self; 5] = [
        Self::Prediction,
        Self::LogitLens,
        Self::AttributionByLayer,
        Self::AttributionByHead,
        Self::Attention,
    ];

    /// `layer`: the one whose attention is looked at.
    pub fn spec(
        self,
        config: &Gpt2Config,
        n_pos: usize,
        layer: usize,
        weighting: Weighting,
    ) -> AnalysisSpec {
        match self {
            Self::Prediction => AnalysisSpec::Prediction(prediction::Spec { n_top: 10 }),
            Self::LogitLens => AnalysisSpec::LogitLens(logit_lens::Spec::default()),
            Self::AttributionByLayer => attribution(logit_attribution::Parts::Layers),
            Self::AttributionByHead => attribution(logit_attribution::Parts::Heads),
            Self::Attention => {
                let layers = attention_layers(config, n_pos, layer);
                let spec = attention::Spec::all_heads(layers);
                AnalysisSpec::Attention(attention::Spec { weighting, ..spec })
            }
        }
    }
}

fn attribution(by: logit_attribution::Parts) -> AnalysisSpec {
    AnalysisSpec::LogitAttribution(logit_attribution::Spec { by })
}

fn attention_layers(config: &Gpt2Config, n_pos: usize, layer: usize) -> Range<usize> {
    if config.n_layers * config.n_heads * n_pos.pow(2) <= MAX_WEIGHTS {
        0..config.n_layers
    } else {
        layer..layer + 1
    }
}

impl Findings {
    pub fn new(prompt: Result<Arc<TokenizedPrompt>, String>) -> Self {
        Self { prompt, quick: Default::default(), traces: Vec::new(), studies: Vec::new() }
    }

    pub fn quick(&self, quick: Quick) -> &Slot {
        &self.quick[quick as usize]
    }

    pub fn quick_mut(&mut self, quick: Quick) -> &mut Slot {
        &mut self.quick[quick as usize]
    }

    pub fn trace(&self, spec: &TraceSpec) -> Option<&TraceRun> {
        self.traces.iter().find(|run| run.spec == *spec)
    }

    /// Keeps an estimate with the trace that it is of.
    pub fn foresee(&mut self, preview: Arc<AnalysisResult>) {
        let AnalysisResult::AttributionPatching(it) = &*preview else { return };
        let Some(run) = self.traces.iter_mut().find(|run| run.spec == it.spec.trace) else {
            return;
        };
        if run.result.is_none() {
            run.result = Some(Arc::new(AnalysisResult::CausalTrace(it.unfilled_trace())));
        }
        run.preview = Some(preview);
    }

    pub fn trace_mut(&mut self, job: JobId) -> Option<&mut TraceRun> {
        self.traces.iter_mut().find(|run| run.state == TraceState::Running(job))
    }

    pub fn study(&self, spec: &AnalysisSpec) -> Option<&Study> {
        self.studies.iter().find(|study| study.spec == *spec)
    }

    pub fn study_mut(&mut self, job: JobId) -> Option<&mut Study> {
        self.studies.iter_mut().find(|study| study.state == TraceState::Running(job))
    }

    /// Forgets what is found again within a second, and keeps what took long.
    pub fn forget_quick(&mut self) {
        self.quick = Default::default();
    }
}

impl TraceRun {
    pub fn is_running(&self) -> bool {
        matches!(self.state, TraceState::Running(_))
    }
}
