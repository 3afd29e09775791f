//! The model that all contenders open: random weights of a real size, made once and kept.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use factscope::model::{FloatType, ModelConfig, write_random_checkpoint};
use factscope::task::TaskCtx;
use factscope::tokens::{GPT2_MERGES, gpt2_vocabulary};

/// By how much the final layer norm is made larger.
///
/// At its initialisation a GPT-2 finds all tokens about equally likely, a few in 100,000 each: any
/// two programs would agree on that. Larger logits give some tokens a fair share, and the corruption
/// of the subject an effect.
const SHARPNESS: f32 = 6.0;

/// The folder of a random model of that size, which is written if it is not there yet.
pub fn prepare(cache: &Path, name: &str, config: &ModelConfig) -> anyhow::Result<PathBuf> {
    let dir = cache.join(format!("{name}-random"));
    if dir.join("model.safetensors").is_file() {
        return Ok(dir);
    }
    eprintln!(
        "writing {} with random weights, {:.1} GB, once",
        dir.display(),
        config.n_params() as f64 * 4e-9
    );
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    // Under another name until it is whole.
    let unfinished = tempfile::tempdir_in(cache)?;
    write_random_checkpoint(config, 0, FloatType::F32, unfinished.path(), &TaskCtx::unwatched())?;
    sharpen(&unfinished.path().join("model.safetensors"))?;
    let vocabulary = gpt2_vocabulary(&GPT2_MERGES).map_err(anyhow::Error::msg)?;
    let vocabulary = serde_json::to_string(&vocabulary)?;
    fs::write(unfinished.path().join("vocab.json"), vocabulary)?;
    fs::write(unfinished.path().join("merges.txt"), GPT2_MERGES.as_str())?;
    let unfinished = unfinished.keep();
    fs::rename(&unfinished, &dir)
        .with_context(|| format!("cannot rename {} to {}", unfinished.display(), dir.display()))?;
    Ok(dir)
}

/// Multiplies the final layer norm in place.
fn sharpen(path: &Path) -> anyhow::Result<()> {
    let mut file = File::options().read(true).write(true).open(path)?;
    let mut n_header = [0; 8];
    file.read_exact(&mut n_header)?;
    let n_header = u64::from_le_bytes(n_header);
    let mut header = vec![0; n_header as usize];
    file.read_exact(&mut header)?;
    let header: serde_json::Value = serde_json::from_slice(&header)?;
    for name in ["ln_f.weight", "ln_f.bias"] {
        let offsets = &header[name]["data_offsets"];
        let offset = |nth: usize| offsets[nth].as_u64().with_context(|| format!("no `{name}`"));
        let (start, end) = (offset(0)?, offset(1)?);
        let mut bytes = vec![0; (end - start) as usize];
        file.seek(SeekFrom::Start(8 + n_header + start))?;
        file.read_exact(&mut bytes)?;
        for value in bytes.as_chunks_mut::<4>().0 {
            *value = (f32::from_le_bytes(*value) * SHARPNESS).to_le_bytes();
        }
        file.seek(SeekFrom::Start(8 + n_header + start))?;
        file.write_all(&bytes)?;
    }
    Ok(())
}
