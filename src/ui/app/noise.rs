//! Noise from a file, for the settings of the trace.

use std::path::{Path, PathBuf};

use super::App;
use crate::noise_file;
use crate::ui::state::{NoiseSetting, capitalized};

impl App {
    /// The traces to come are corrupted with this file's noise.
    pub(super) fn use_noise(&mut self, path: PathBuf) {
        let path = std::path::absolute(&path).unwrap_or(path);
        match noise_file::read(&path) {
            Ok((file, noise)) => {
                let [n_samples, n_tokens, d_model] = noise.shape;
                self.state.notice = Some(format!(
                    "Noise of {}: {n_samples} samples for a subject of {n_tokens} tokens, \
                     {d_model} wide",
                    file.short_name()
                ));
                self.state.preferences.noise_dir = path.parent().map(Path::to_owned);
                let settings = &mut self.state.settings;
                settings.trace.noise = NoiseSetting::File(file);
                settings.trace.n_samples = n_samples;
            }
            Err(error) => self.state.error = Some(capitalized(&error)),
        }
    }
}
