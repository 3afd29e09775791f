//! What is remembered from one start to the next.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eframe::egui::ThemePreference;
use serde::{Deserialize, Serialize};

use super::AttentionSettings;
use crate::analysis::causal_trace::{
    Component, Corruption, Direction, Map, NoiseLevel, Severed, Spec,
};
use crate::analysis::{Metric, NoiseFile};
use crate::builtin;
use crate::facts::Dataset;
use crate::figure::words::severed;
use crate::figure::{AttributionForm, Ranges, Scale};
use crate::intervention::NoiseRng;
use crate::tokens::Bos;
use crate::ui::studies::Studies;

/// How many folders and files the menus list.
const N_RECENT: usize = 8;

/// ROME's noise: this many standard deviations of the subjects' embeddings.
pub const NOISE_FACTOR: f64 = 3.0;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub theme: ThemePreference,

    /// 1 is the system's own size.
    pub zoom: f32,
    pub bos: Bos,
    pub trace: TraceSettings,
    pub studies: Studies,
    pub attention: AttentionSettings,

    /// How a logit that is split up is drawn.
    pub attribution: AttributionForm,

    /// Latest first.
    pub recent_models: Vec<PathBuf>,
    pub recent_datasets: Vec<PathBuf>,
    pub recent_sessions: Vec<PathBuf>,

    /// An experiment as it is typed.
    pub spec_text: String,

    /// Where the last file of noise came from.
    pub noise_dir: Option<PathBuf>,

    /// Where the last screenshot went.
    pub screenshot_dir: Option<PathBuf>,

    /// What maps of studies show, and what those of traces show.
    pub metric: Metric,
    pub trace_metric: Metric,

    /// The ends of colours that are held.
    pub ranges: Ranges,

    /// Beyond it the oldest results are given up.
    pub results_limit_mb: u32,

    /// How large pictures of figures are, in times their size on a screen: 1 to 4.
    pub figure_scale: u8,

    /// How large pictures of the window are, in times the window.
    pub screenshot_scale: u8,

    /// Whether the rarer settings of a trace are shown; as the window's height allows, if not given.
    pub shows_more_of_trace: Option<bool>,

    /// How the traces of a fact and its inverse stand beside each other.
    pub trace_pair: TracePair,

    /// Whether the dataset's facts are asked in the background.
    pub measures_recall: bool,

    /// The hint for the first launch is not shown again.
    pub knows_hint: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TracePair {
    /// Whether a third map shows the difference.
    pub shows_difference: bool,

    /// Whether the colours of both maps stand for the same values.
    pub has_same_scale: bool,
}

/// The controls of a causal trace, as they stand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TraceSettings {
    pub component: Component,

    /// Nothing until it is set: as wide as the model's depth asks for, see `usual_window`.
    pub own_window: Option<usize>,
    pub noise: NoiseSetting,

    /// Used by [`NoiseSetting::Fixed`]; in units of embedding values.
    pub noise_std: f64,
    pub rng: NoiseRng,
    pub seed: u32,
    pub n_samples: usize,
    pub direction: Direction,
    pub sever: Option<Severed>,

    /// Nothing: all there are.
    pub sever_layers: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoiseSetting {
    /// [`NOISE_FACTOR`] × the standard deviation of the subjects' embeddings.
    Subjects,
    Fixed,

    /// As it is: no generator or seed has a part in it.
    File(NoiseFile),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemePreference::System,
            zoom: 1.0,
            bos: Bos::default(),
            trace: TraceSettings::default(),
            studies: Studies::default(),
            attention: AttentionSettings::default(),
            attribution: AttributionForm::default(),
            recent_models: Vec::new(),
            recent_datasets: Vec::new(),
            recent_sessions: Vec::new(),
            spec_text: String::new(),
            noise_dir: None,
            screenshot_dir: None,
            metric: Metric::default(),
            trace_metric: Metric::default(),
            ranges: Ranges::default(),
            results_limit_mb: 1024,
            figure_scale: Scale::default().times(),
            screenshot_scale: 1,
            shows_more_of_trace: None,
            trace_pair: TracePair::default(),
            measures_recall: true,
            knows_hint: false,
        }
    }
}

/// ROME's window is 10 of the 48 layers of GPT-2 XL, and is kept for models half as deep; ten of the
/// layers of a small one would leave nothing to tell apart.
pub fn usual_window(n_layers: usize) -> usize {
    if n_layers >= 24 { 10 } else { (n_layers * 10).div_ceil(48) }
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

    pub fn window(&self, n_layers: usize) -> usize {
        self.own_window.unwrap_or_else(|| usual_window(n_layers))
    }

    /// The rarer ones in a few words.
    pub fn summary(&self) -> String {
        let direction = match self.direction {
            Direction::Denoise => "denoise",
            Direction::Noise => "noise",
        };
        let sever = severed(self.sever, self.sever_layers);
        let sever = sever.map_or_else(String::new, |it| format!(" · {it}"));
        let noise = match &self.noise {
            NoiseSetting::Subjects => format!("{NOISE_FACTOR} × σ"),
            NoiseSetting::Fixed => format!("σ {}", self.noise_std),
            NoiseSetting::File(file) => {
                return format!("{direction}{sever} · noise of {}", file.short_name());
            }
        };
        let rng = match self.rng {
            NoiseRng::Numpy => "numpy",
            NoiseRng::Chacha => "ChaCha8",
        };
        format!("{direction}{sever} · {noise} · {rng} · seed {}", self.seed)
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
    /// The built-in model has a place of its own in the menu.
    pub fn remember_model(&mut self, dir: &Path) {
        if builtin::find(dir).is_some() {
            return;
        }
        remember(&mut self.recent_models, dir);
    }

    pub fn remember_dataset(&mut self, path: &Path) {
        if path == Path::new(Dataset::BUNDLED) {
            return;
        }
        remember(&mut self.recent_datasets, path);
    }

    pub fn remember_session(&mut self, path: &Path) {
        remember(&mut self.recent_sessions, path);
    }
}

fn remember(recent: &mut Vec<PathBuf>, path: &Path) {
    recent.retain(|it| it != path);
    recent.insert(0, path.to_owned());
    recent.truncate(N_RECENT);
}
