//! What is asked, and how: all settings that can be taken back.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AttentionSettings, LensChoice};
use crate::analysis::causal_trace::{
    Component, Corruption, Direction, Map, NoiseLevel, Severed, Spec, usual_window,
};
use crate::analysis::{Metric, NoiseFile};
use crate::figure::words::{counted, severed};
use crate::figure::{AttributionForm, Ranges};
use crate::intervention::NoiseRng;
use crate::tokens::Bos;
use crate::ui::pane::{Pane, View};
use crate::ui::studies::{Studies, StudySettings};

/// ROME's noise: this many standard deviations of the subjects' embeddings.
pub const NOISE_FACTOR: f64 = 3.0;

/// What numbers and figures depend on, as a person has set it. Kept from one start to the next and
/// with a session; undoing takes it back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub bos: Bos,
    pub trace: TraceSettings,
    pub studies: Studies,
    pub attention: AttentionSettings,

    /// How a logit that is split up is drawn.
    pub attribution: AttributionForm,

    /// What a logit lens shows.
    pub lens: LensChoice,

    /// What maps show: those of traces, of views that have a metric of their own, and of all others.
    pub trace_metric: Metric,
    pub own_metrics: BTreeMap<View, Metric>,
    pub metric: Metric,

    /// The ends of colours that are held.
    pub ranges: Ranges,
}

/// One of the settings, as a person has edited it.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    Trace(TraceSettings),
    Study(StudySettings),
    Attention(AttentionSettings),
    Attribution(AttributionForm),
    Lens(LensChoice),

    /// The metric of the view that holds the mode.
    Metric(Pane, Metric),
}

impl Setting {
    /// The view that asks something else with it. `None` for what is only drawn in another way.
    pub fn pane(&self) -> Option<Pane> {
        match self {
            Self::Trace(_) => Some(Pane::Trace),
            Self::Study(study) => Some(study.pane()),
            // Its weighting has a command of its own.
            Self::Attention(_) | Self::Attribution(_) | Self::Lens(_) | Self::Metric(..) => None,
        }
    }

    /// The mode whose results are read otherwise with it. `None` for what is asked otherwise.
    pub fn reads(&self) -> Option<Pane> {
        match self {
            Self::Attribution(_) => Some(Pane::Attribution),
            Self::Lens(_) => Some(Pane::LogitLens),
            Self::Metric(pane, _) => Some(*pane),
            Self::Trace(_) | Self::Study(_) | Self::Attention(_) => None,
        }
    }
}

/// The controls of a causal trace, as they stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceSettings {
    pub component: Component,

    /// `None` until it is set: as wide as the model's depth asks for, see [`usual_window`].
    pub own_window: Option<usize>,
    pub noise: NoiseSetting,

    /// Used by [`NoiseSetting::Fixed`]; in units of embedding values.
    pub noise_std: f64,
    pub rng: NoiseRng,
    pub seed: u32,
    pub n_samples: usize,
    pub direction: Direction,
    pub sever: Option<Severed>,

    /// `None` severs all layers.
    pub sever_layers: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoiseSetting {
    /// [`NOISE_FACTOR`] × the standard deviation of the subjects' embeddings.
    Subjects,
    Fixed,

    /// Noise from a file, added as it is: no generator or seed has a part in it.
    File(NoiseFile),
}

/// ROME's, but for the window in models that are less deep.
impl Default for TraceSettings {
    fn default() -> Self {
        Self {
            component: Component::Hidden,
            own_window: None,
            noise: NoiseSetting::Subjects,
            noise_std: 0.1,
            rng: NoiseRng::Numpy,
            seed: 1,
            n_samples: 10,
            direction: Direction::Denoise,
            sever: None,
            sever_layers: None,
        }
    }
}

impl TraceSettings {
    /// All of them as ROME has them.
    pub fn rome(component: Component) -> Self {
        Self { component, own_window: Some(10), ..Self::default() }
    }

    /// The controls as they stand for a trace that was asked elsewhere. Multiples of the noise other than
    /// ROME's have no control.
    pub fn of(trace: &Spec) -> Self {
        let usual = Self::default();
        let (noise, noise_std) = match (&trace.corruption, &trace.noise) {
            (Corruption::NoiseFile(file), _) => (NoiseSetting::File(file.clone()), usual.noise_std),
            (_, NoiseLevel::Std(std)) => (NoiseSetting::Fixed, *std),
            (_, NoiseLevel::Multiple { .. }) => (NoiseSetting::Subjects, usual.noise_std),
        };
        Self {
            component: trace.component,
            own_window: (trace.component != Component::Hidden).then_some(trace.window),
            noise,
            noise_std,
            rng: trace.rng,
            seed: trace.seed,
            n_samples: trace.n_samples,
            direction: trace.direction,
            sever: trace.sever,
            sever_layers: trace.sever_layers,
        }
    }

    pub fn window(&self, n_layers: usize) -> usize {
        self.own_window.unwrap_or_else(|| usual_window(n_layers))
    }

    /// The rarer settings, but for the window, in a few words.
    pub fn summary(&self) -> String {
        let direction = match self.direction {
            Direction::Denoise => "restoring",
            Direction::Noise => "corrupting",
        };
        let sever = severed(self.sever, self.sever_layers);
        let sever = sever.map_or_else(String::new, |it| format!(" · {it}"));
        format!("{direction}{sever} · {}", self.draws())
    }

    /// How the noise is drawn, in a few words.
    pub fn draws(&self) -> String {
        let n_samples = counted(self.n_samples, "sample");
        let noise = match &self.noise {
            NoiseSetting::Subjects => format!("{NOISE_FACTOR} × σ"),
            NoiseSetting::Fixed => format!("σ {}", self.noise_std),
            NoiseSetting::File(file) => {
                return format!("{n_samples} of the noise of {}", file.short_name());
            }
        };
        let rng = match self.rng {
            NoiseRng::Numpy => "numpy",
            NoiseRng::Chacha => "ChaCha8",
        };
        format!("{n_samples} · {noise} · {rng} · seed {}", self.seed)
    }

    /// `subjects`: the tokens that noise is measured on.
    pub fn spec(&self, n_layers: usize, subjects: Arc<[u32]>) -> Spec {
        let usual = Self::default();
        // What has no part in it must not make another trace.
        let (rng, seed) = match &self.noise {
            NoiseSetting::File(_) => (usual.rng, usual.seed),
            NoiseSetting::Subjects | NoiseSetting::Fixed => (self.rng, self.seed),
        };
        let (sever, sever_layers) = Severed::in_layers(self.sever, self.sever_layers, n_layers);
        Spec {
            component: self.component,
            // A single state has no window: changing it must not make another trace.
            window: if self.component == Component::Hidden { 1 } else { self.window(n_layers) },
            noise: match self.noise {
                NoiseSetting::Subjects | NoiseSetting::File(_) => {
                    NoiseLevel::Multiple { factor: NOISE_FACTOR, tokens: subjects }
                }
                NoiseSetting::Fixed => NoiseLevel::Std(self.noise_std),
            },
            rng,
            seed,
            n_samples: self.n_samples,
            direction: self.direction,
            sever,
            sever_layers,
            corruption: match &self.noise {
                NoiseSetting::File(file) => Corruption::NoiseFile(file.clone()),
                NoiseSetting::Subjects | NoiseSetting::Fixed => Corruption::default(),
            },
            map: Map::default(),
        }
    }
}

impl Settings {
    pub fn set(&mut self, setting: Setting) {
        match setting {
            Setting::Trace(trace) => self.trace = trace,
            Setting::Study(study) => self.studies.set(study),
            Setting::Attention(attention) => self.attention = attention,
            Setting::Attribution(form) => self.attribution = form,
            Setting::Lens(lens) => self.lens = lens,
            Setting::Metric(pane, metric) => self.set_metric_of(pane.view(), metric),
        }
    }
}
