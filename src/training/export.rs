//! Writes a trained model in Hugging Face's layout, and a training run's state so that it can
//! continue.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Bytes;
use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::trainer::{Spec, TrainError, Trainer};
use super::vocabulary::SmallVocabulary;
use crate::model::ModelConfig;
use crate::whole_file::{self, folder_of};

const WEIGHTS: &str = "weights.safetensors";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";
const STEP: &str = "step-";

/// How far a run has come, and with which settings.
#[derive(Serialize, Deserialize)]
struct State {
    step: usize,
    spec: Spec,
    config: ModelConfig,
}

impl Trainer {
    /// Writes `config.json`, `model.safetensors` in half precision, and the vocabulary.
    pub fn export(&self, dir: &Path, vocabulary: &SmallVocabulary) -> Result<(), TrainError> {
        let mut config: serde_json::Value =
            serde_json::from_str(&self.config.to_json()).map_err(wrong(dir))?;
        // Without these, Hugging Face assumes GPT-2's own ids.
        let end = vocabulary.entries.len() - 1;
        config["bos_token_id"] = json!(end);
        config["eos_token_id"] = json!(end);
        let text = serde_json::to_string_pretty(&config).map_err(wrong(dir))?;
        write(&dir.join("config.json"), format!("{text}\n").as_bytes())?;
        let mut entries: Vec<(&String, &u32)> = vocabulary.entries.iter().collect();
        entries.sort_by_key(|(_, id)| **id);
        let entries: serde_json::Map<String, serde_json::Value> =
            entries.into_iter().map(|(text, id)| (text.clone(), json!(id))).collect();
        let text = serde_json::to_string(&entries).map_err(wrong(dir))?;
        write(&dir.join("vocab.json"), text.as_bytes())?;
        write(&dir.join("merges.txt"), vocabulary.merges.as_bytes())?;
        let special = json!({"tokenizer_class": "GPT2Tokenizer", "model_max_length": self.config.n_ctx,
            "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"});
        write(&dir.join("tokenizer_config.json"), format!("{special}\n").as_bytes())?;
        let bytes = self.weights(Dtype::F16).map_err(wrong(dir))?;
        write(&dir.join("model.safetensors"), &bytes)
    }

    fn weights(&self, dtype: Dtype) -> Result<Vec<u8>, safetensors::SafeTensorError> {
        let tensors = self.tensors().into_iter().map(|(name, shape, values)| {
            let bytes: Vec<u8> = match dtype {
                Dtype::F16 => {
                    values.into_iter().flat_map(|it| f16::from_f32(it).to_le_bytes()).collect()
                }
                _ => values.into_iter().flat_map(f32::to_le_bytes).collect(),
            };
            (name, shape, bytes)
        });
        let tensors: Vec<_> = tensors.collect();
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name.as_str(), TensorView::new(dtype, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
        safetensors::serialize(views, Some([("format".to_owned(), "pt".to_owned())].into()))
    }

    /// Writes all that [`Self::resume`] needs to a new folder within `dir`, the state file last,
    /// which marks the folder as complete. The older folders are removed after that.
    pub fn save(&self, dir: &Path) -> Result<(), TrainError> {
        let place = dir.join(format!("{STEP}{:08}", self.step));
        let bytes = self.weights(Dtype::F32).map_err(wrong(&place))?;
        write(&place.join(WEIGHTS), &bytes)?;
        let optimizer = self.optimizer.into_bytes().map_err(wrong(&place))?;
        write(&place.join(OPTIMIZER), &optimizer)?;
        let state = State { step: self.step, spec: self.spec, config: self.config };
        let text = serde_json::to_string(&state).map_err(wrong(&place))?;
        write(&place.join(STATE), text.as_bytes())?;
        for old in saved(dir)?.into_iter().filter(|old| *old != place) {
            fs::remove_dir_all(&old).map_err(wrong(&old))?;
        }
        Ok(())
    }

    /// Continues where [`Self::save`] left off. `None` if nothing was saved in `dir`.
    pub fn resume(
        dir: &Path,
        config: ModelConfig,
        spec: Spec,
        bos: u32,
    ) -> Result<Option<Self>, TrainError> {
        let whole = saved(dir)?.into_iter().filter(|place| place.join(STATE).is_file()).max();
        let Some(dir) = whole else { return Ok(None) };
        let path = dir.join(STATE);
        let text = fs::read_to_string(&path).map_err(wrong(&path))?;
        let state: State = serde_json::from_str(&text).map_err(wrong(&path))?;
        if state.spec != spec || state.config != config {
            let reason = "it belongs to a run with other settings; choose another folder, or the \
                          same settings";
            return Err(TrainError::Checkpoint { path, reason: reason.to_owned() });
        }
        let path = dir.join(WEIGHTS);
        let bytes = fs::read(&path).map_err(wrong(&path))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(wrong(&path))?;
        let mut trainer = Self::from_weights(config, spec, bos, &mut |name| {
            let n: usize = config.shape_of(name).iter().product();
            let bytes = tensors.tensor(name).map_or(&[][..], |it| it.data());
            let numbers = bytes.as_chunks().0.iter().map(|it| f32::from_le_bytes(*it));
            Some(numbers.collect::<Vec<f32>>())
                .filter(|numbers| numbers.len() == n)
                .ok_or_else(|| wrong(&path)(format!("tensor `{name}` is missing or misshapen")))
        })?;
        let path = dir.join(OPTIMIZER);
        let bytes = fs::read(&path).map_err(wrong(&path))?;
        let bytes = Bytes::from_bytes_vec(bytes);
        trainer.optimizer = trainer.optimizer.from_bytes(bytes).map_err(wrong(&path))?;
        trainer.step = state.step;
        Ok(Some(trainer))
    }
}

/// Names the file that an error is about.
fn wrong<E: ToString>(path: &Path) -> impl Fn(E) -> TrainError {
    move |error| TrainError::Checkpoint { path: path.to_owned(), reason: error.to_string() }
}

/// The folders of a run's saved states, complete or not.
fn saved(dir: &Path) -> Result<Vec<PathBuf>, TrainError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(dir).map_err(wrong(dir))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(wrong(dir))?;
    paths.retain(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(STEP))
    });
    Ok(paths)
}

/// Writes a file whole or not at all, and its folder if that is missing.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    fs::create_dir_all(folder_of(path))
        .and_then(|()| whole_file::write(path, bytes))
        .map_err(wrong(path))
}
