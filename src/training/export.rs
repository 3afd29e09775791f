//! A trained model as a folder in Hugging Face's layout, and a run's state between two sessions.

use std::fs;
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::json;

use super::trainer::{Spec, TrainError, Trainer};
use super::vocabulary::SmallVocabulary;
use crate::model::Gpt2Config;
use crate::whole_file::{self, folder_of};

const WEIGHTS: &str = "weights.safetensors";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";
const STEP: &str = "step-";

impl Trainer {
    /// Writes `config.json`, `model.safetensors` in half precision, and the vocabulary.
    pub fn export(&self, dir: &Path, vocabulary: &SmallVocabulary) -> Result<(), TrainError> {
        let mut config: serde_json::Value =
            serde_json::from_str(&self.config.to_json()).map_err(|error| wrong(dir, &error))?;
        // Hugging Face's defaults are GPT-2's own ids.
        let end = vocabulary.entries.len() - 1;
        config["bos_token_id"] = json!(end);
        config["eos_token_id"] = json!(end);
        let text = serde_json::to_string_pretty(&config).map_err(|error| wrong(dir, &error))?;
        write(&dir.join("config.json"), format!("{text}\n").as_bytes())?;
        let mut entries: Vec<(&String, &u32)> = vocabulary.entries.iter().collect();
        entries.sort_by_key(|(_, id)| **id);
        let entries: serde_json::Map<String, serde_json::Value> =
            entries.into_iter().map(|(text, id)| (text.clone(), json!(id))).collect();
        let text = serde_json::to_string(&entries).map_err(|error| wrong(dir, &error))?;
        write(&dir.join("vocab.json"), text.as_bytes())?;
        write(&dir.join("merges.txt"), vocabulary.merges.as_bytes())?;
        let special = json!({"tokenizer_class": "GPT2Tokenizer", "model_max_length": self.config.n_ctx,
            "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"});
        write(&dir.join("tokenizer_config.json"), format!("{special}\n").as_bytes())?;
        let bytes = self.weights(Dtype::F16).map_err(|error| wrong(dir, &error))?;
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

    /// Writes all that [`Self::resume`] needs to a folder of its own, the state last: a folder
    /// without one is not whole. Only then are the older ones removed.
    pub fn save(&self, dir: &Path) -> Result<(), TrainError> {
        let place = dir.join(format!("{STEP}{:08}", self.step));
        let bytes = self.weights(Dtype::F32).map_err(|error| wrong(&place, &error))?;
        write(&place.join(WEIGHTS), &bytes)?;
        let optimizer = self.optimizer().into_bytes().map_err(|error| wrong(&place, &error))?;
        write(&place.join(OPTIMIZER), &optimizer)?;
        let text = json!({"step": self.step, "spec": self.spec, "config": self.config});
        write(&place.join(STATE), text.to_string().as_bytes())?;
        for old in saved(dir)?.into_iter().filter(|old| *old != place) {
            fs::remove_dir_all(&old).map_err(|error| wrong(&old, &error))?;
        }
        Ok(())
    }

    /// Goes on where [`Self::save`] left off. Nothing if nothing was saved there.
    pub fn resume(
        dir: &Path,
        config: Gpt2Config,
        spec: Spec,
        bos: u32,
    ) -> Result<Option<Self>, TrainError> {
        let whole = saved(dir)?.into_iter().filter(|place| place.join(STATE).is_file()).max();
        let Some(dir) = whole else { return Ok(None) };
        let path = dir.join(STATE);
        let text = fs::read_to_string(&path).map_err(|error| wrong(&path, &error))?;
        let state: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| wrong(&path, &error))?;
        let saved: Spec =
            serde_json::from_value(state["spec"].clone()).map_err(|error| wrong(&path, &error))?;
        let saved_config: Gpt2Config = serde_json::from_value(state["config"].clone())
            .map_err(|error| wrong(&path, &error))?;
        if saved != spec || saved_config != config {
            let reason = "it is of a run with other settings; choose another folder, or the same \
                          settings";
            return Err(TrainError::Checkpoint { path, reason: reason.to_owned() });
        }
        let step = state["step"].as_u64().unwrap_or_default() as usize;
        let path = dir.join(WEIGHTS);
        let bytes = fs::read(&path).map_err(|error| wrong(&path, &error))?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| wrong(&path, &error))?;
        let mut missing = None;
        let mut trainer = Self::from_weights(config, spec, bos, &mut |name| {
            let n: usize = config.shape_of(name).iter().product();
            let values: Vec<f32> = tensors.tensor(name).map_or_else(
                |_| Vec::new(),
                |it| {
                    it.data().as_chunks::<4>().0.iter().map(|it| f32::from_le_bytes(*it)).collect()
                },
            );
            if values.len() == n {
                values
            } else {
                missing = Some(name.to_owned());
                vec![0.0; n]
            }
        });
        if let Some(name) = missing {
            let reason = format!("tensor `{name}` is missing or misshapen");
            return Err(TrainError::Checkpoint { path, reason });
        }
        let path = dir.join(OPTIMIZER);
        let bytes = fs::read(&path).map_err(|error| wrong(&path, &error))?;
        trainer.set_optimizer(|optimizer| {
            optimizer
                .from_bytes(burn::tensor::Bytes::from_bytes_vec(bytes))
                .map_err(|error| wrong(&path, &error))
        })?;
        trainer.step = step;
        Ok(Some(trainer))
    }
}

fn wrong(path: &Path, error: &impl ToString) -> TrainError {
    TrainError::Checkpoint { path: path.to_owned(), reason: error.to_string() }
}

/// The folders of a run's checkpoints, whole or not.
fn saved(dir: &Path) -> Result<Vec<PathBuf>, TrainError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(dir).map_err(|error| wrong(dir, &error))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(|error| wrong(dir, &error))?;
    paths.retain(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(STEP))
    });
    Ok(paths)
}

/// Whole or not at all; the folder is made if it is missing.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    fs::create_dir_all(folder_of(path))
        .and_then(|()| whole_file::write(path, bytes))
        .map_err(|error| wrong(path, &error))
}
