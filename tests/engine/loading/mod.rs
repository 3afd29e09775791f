//! Model folders as they are found: in every layout, and broken in every way.
//!
//! Broken folders are copies of fixtures. Each must give an error, never a panic, that says which
//! file, and which tensor if there is one.

use std::fs;
use std::path::Path;

use factscope::intervention::SiteSet;
use factscope::task::TaskCtx;
use factscope::worker::{DeviceChoice, Engine};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{fixture, load, logits};

mod configuration;
mod tensors;
mod files;
mod vocabulary;
mod layouts;
mod pytorch;
mod gguf;
mod damage;
mod changed_files;

const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// A tensor outside any file.
#[derive(Clone)]
pub struct Tensor {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    fn f32(name: &str, shape: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name: name.to_owned(), dtype: Dtype::F32, shape: shape.to_vec(), bytes }
    }

    pub fn values(&self) -> Vec<f32> {
        assert_eq!(self.dtype, Dtype::F32);
        self.bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    }

    pub fn set(&mut self, index: usize, value: f32) {
        self.bytes[4 * index..][..4].copy_from_slice(&value.to_le_bytes());
    }
}

/// A copy of a fixture that may be broken.
fn copy_of(name: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    dir
}

fn read_tensors(path: &Path) -> Vec<Tensor> {
    let bytes = fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |(name, view): (String, TensorView<'_>)| Tensor {
        name,
        dtype: view.dtype(),
        shape: view.shape().to_vec(),
        bytes: view.data().to_vec(),
    };
    file.tensors().into_iter().map(tensor).collect()
}

fn write_tensors(path: &Path, tensors: &[Tensor]) {
    let views = tensors.iter().map(|it| {
        (it.name.as_str(), TensorView::new(it.dtype, it.shape.clone(), &it.bytes).unwrap())
    });
    safetensors::serialize_to_file(views, None, path).unwrap();
}

/// Changes the tensors of `tiny`.
pub fn with_tensors(change: impl FnOnce(&mut Vec<Tensor>)) -> TempDir {
    let dir = copy_of("tiny");
    let path = dir.path().join(WEIGHTS);
    let mut tensors = read_tensors(&path);
    change(&mut tensors);
    write_tensors(&path, &tensors);
    dir
}

pub fn find<'a>(tensors: &'a mut [Tensor], name: &str) -> &'a mut Tensor {
    tensors.iter_mut().find(|it| it.name == name).unwrap()
}

fn with_config(field: &str, value: &Value) -> TempDir {
    let dir = copy_of("tiny");
    let path = dir.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config[field] = value.clone();
    fs::write(&path, config.to_string()).unwrap();
    dir
}

fn with_file(name: &str, bytes: &[u8]) -> TempDir {
    let dir = copy_of("tiny");
    fs::write(dir.path().join(name), bytes).unwrap();
    dir
}

fn without_file(name: &str) -> TempDir {
    let dir = copy_of("tiny");
    fs::remove_file(dir.path().join(name)).unwrap();
    dir
}

/// Checks that the folder is refused in words that hold all of `says`.
#[track_caller]
fn check_refused(dir: &Path, says: &[&str]) {
    let result = Engine::load(dir, DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ());
    check_says(dir, &result.expect_err("the folder must be refused").to_string(), says);
}

#[track_caller]
fn check_says(dir: &Path, message: &str, says: &[&str]) {
    for part in says {
        assert!(message.contains(part), "“{part}” is not in: {message}");
    }
    assert!(message.contains(&dir.display().to_string()), "no path in: {message}");
}

const IDS: [u32; 5] = [47, 283, 271, 318, 262];

fn logits_of(dir: &Path) -> Vec<f32> {
    logits(&load(dir).run_clean(&IDS, &SiteSet::new()))
}
