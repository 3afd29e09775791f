//! Weight files that other programs write to while the model is open.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use factscope::analysis::{AnalysisCtx, AnalysisSpec, prediction};
use factscope::task::TaskCtx;
use factscope::worker::{DeviceChoice, Engine};
use tempfile::TempDir;

use crate::support::{fixture, paris};

/// A copy of the tiny model, large enough that a cut takes whole pages from its file.
fn copy() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(fixture("tiny").join(name), dir.path().join(name)).unwrap();
    }
    let weights = dir.path().join("model.safetensors");
    assert!(weights.metadata().unwrap().len() > 1 << 15);
    (dir, weights)
}

fn open(dir: &Path) -> Engine {
    Engine::load(dir, DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap()
}

fn ask(engine: &Engine) -> Result<(), String> {
    let spec = AnalysisSpec::Prediction(prediction::Spec { n_top: 3 });
    let found = engine.run(&paris(), &spec, &AnalysisCtx::unwatched());
    found.map(|_| ()).map_err(|error| error.to_string())
}

#[track_caller]
fn check_told(engine: &Engine, weights: &Path) {
    let error = ask(engine).unwrap_err();
    assert!(error.contains("changed while the model was open"), "{error}");
    assert!(error.contains(&weights.display().to_string()), "{error}");
}

/// The system sends SIGBUS for pages that a file has no more.
#[test]
fn a_weight_file_that_is_cut_short_under_an_open_model_is_told() {
    for left in [0, 4096, 12_345] {
        let (dir, weights) = copy();
        let engine = open(dir.path());
        File::options().write(true).open(&weights).unwrap().set_len(left).unwrap();
        check_told(&engine, &weights);
        // Again, since the pages that were lost are zeros by now.
        check_told(&engine, &weights);
    }
}

#[test]
fn a_weight_file_that_is_written_to_under_an_open_model_is_told() {
    let (dir, weights) = copy();
    let engine = open(dir.path());
    ask(&engine).unwrap();
    let mut file = OpenOptions::new().write(true).open(&weights).unwrap();
    file.seek(SeekFrom::End(-4)).unwrap();
    file.write_all(&1.5_f32.to_le_bytes()).unwrap();
    // Some file systems count time in steps.
    file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(2)).unwrap();
    check_told(&engine, &weights);
}

/// Programs that save well write a new file and give it the name; the open one stays as it is.
#[test]
fn a_weight_file_that_another_takes_the_name_of_stays_open() {
    let (dir, weights) = copy();
    let engine = open(dir.path());
    let new = dir.path().join("new");
    fs::write(&new, "no weights").unwrap();
    fs::rename(&new, &weights).unwrap();
    ask(&engine).unwrap();
}
