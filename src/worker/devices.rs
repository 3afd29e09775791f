//! Devices that have shown that they compute right, and the memory of it.
//!
//! A verdict holds for one adapter with one driver and this version of the program; anything else
//! is tested again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{ComputeDevice, DeviceChoice, DeviceError, Verdict, self_test};
use crate::task::{Cancelled, TaskCtx};
use crate::whole_file::{self, folder_of};

/// A device, and the verdict on it. The CPU is what others are compared with, so it has none.
#[derive(Clone, Debug)]
pub struct Verified {
    pub device: ComputeDevice,
    pub verdict: Option<Verdict>,
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Device(#[from] DeviceError),

    #[error(
        "{name} gives wrong numbers, so it is not used ({reason}); choose `--device cpu` instead"
    )]
    Wrong { name: String, reason: String },

    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

#[derive(Default, Serialize, Deserialize)]
struct Memory {
    /// By adapter, driver and program version.
    verdicts: BTreeMap<String, Verdict>,
}

/// Starts a device; if nothing is known of it, tests it first, and says so through `testing`.
pub fn open_verified(
    choice: DeviceChoice,
    ctx: &TaskCtx<'_>,
    testing: &dyn Fn(),
) -> Result<Verified, VerifyError> {
    let device = ComputeDevice::open(choice)?;
    let Some(adapter) = &device.adapter else {
        return Ok(Verified { device, verdict: None });
    };
    let key = format!(
        "{} | {} | {} | factscope {}",
        adapter.name,
        adapter.backend,
        adapter.driver,
        env!("CARGO_PKG_VERSION")
    );
    let path = memory_file();
    let mut memory = path.as_deref().map(recall).unwrap_or_default();
    let verdict = if let Some(verdict) = memory.verdicts.get(&key) {
        verdict.clone()
    } else {
        testing();
        let verdict = self_test(&device, ctx)?;
        memory.verdicts.insert(key, verdict.clone());
        if let Some(path) = path {
            // Not to remember only means to test again.
            _ = remember(&path, &memory);
        }
        verdict
    };
    match verdict.failure() {
        Some(reason) => Err(VerifyError::Wrong { name: device.to_string(), reason }),
        None => Ok(Verified { device, verdict: Some(verdict) }),
    }
}

fn memory_file() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("factscope").join("devices.json"))
}

/// Nothing, if there is no such file or it cannot be read.
fn recall(path: &Path) -> Memory {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn remember(path: &Path, memory: &Memory) -> std::io::Result<()> {
    fs::create_dir_all(folder_of(path))?;
    whole_file::write(path, &serde_json::to_vec_pretty(memory)?)
}
