//! How the window looks and works, and what was opened lately. Kept from one start to the next; no
//! number depends on it, and undoing does not change it.

use std::path::{Path, PathBuf};

use eframe::egui::ThemePreference;
use serde::{Deserialize, Serialize};

use super::figure_preferences::FigurePreferences;
use crate::builtin;
use crate::facts::Dataset;

/// How many folders and files the menus list.
const N_RECENT: usize = 8;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    pub theme: ThemePreference,

    /// 1 is the system's own size.
    pub zoom: f32,

    /// Latest first.
    pub recent_models: Vec<PathBuf>,
    pub recent_datasets: Vec<PathBuf>,
    pub recent_sessions: Vec<PathBuf>,
    pub recent_sweeps: Vec<PathBuf>,

    /// Where the last file of noise came from.
    pub noise_dir: Option<PathBuf>,

    /// Where the last screenshot went.
    pub screenshot_dir: Option<PathBuf>,

    /// Beyond it the oldest results are given up.
    pub results_limit_mb: u32,

    /// How figures leave the window.
    pub export: FigurePreferences,

    /// How large pictures of the window are, in times the window.
    pub screenshot_scale: u8,

    /// Whether the rarer settings of a trace are shown; as the window's height allows, if not given.
    pub shows_more_of_trace: Option<bool>,

    /// How the traces of both rows stand beside each other.
    pub trace_pair: TracePair,

    /// Whether the dataset's facts are asked in the background.
    pub measures_recall: bool,

    /// Whether what is quick is traced of every fact that is chosen and with every setting.
    pub traces_at_once: bool,

    /// The hint for the first launch is not shown again.
    pub knows_hint: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TracePair {
    /// Whether a third map shows the difference.
    pub shows_difference: bool,

    /// Whether the colours of both maps stand for the same values.
    pub has_same_scale: bool,

    /// Whether the trace before the model was changed stands beside the one after.
    pub shows_before: bool,
}

impl Default for TracePair {
    fn default() -> Self {
        Self { shows_difference: false, has_same_scale: false, shows_before: true }
    }
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            theme: ThemePreference::System,
            zoom: 1.0,
            recent_models: Vec::new(),
            recent_datasets: Vec::new(),
            recent_sessions: Vec::new(),
            recent_sweeps: Vec::new(),
            noise_dir: None,
            screenshot_dir: None,
            results_limit_mb: 1024,
            export: FigurePreferences::default(),
            screenshot_scale: 1,
            shows_more_of_trace: None,
            trace_pair: TracePair::default(),
            measures_recall: true,
            traces_at_once: true,
            knows_hint: false,
        }
    }
}

impl Preferences {
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

    pub fn remember_sweep(&mut self, dir: &Path) {
        remember(&mut self.recent_sweeps, dir);
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
