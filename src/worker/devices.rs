//! Devices that have passed their self-test, and the file that remembers the verdicts.
//!
//! A verdict holds for one adapter with one driver and this version of the program; if one of
//! the three changes, the adapter is tested again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{ComputeDevice, DeviceChoice, DeviceError, Verdict, self_test};
use crate::task::{Cancelled, TaskCtx};
use crate::whole_file::{self, folder_of};

/// A device and the verdict on it. Adapters are compared with the CPU, so the CPU itself has none.
#[derive(Clone, Debug)]
pub struct Verified {
    pub device: ComputeDevice,
    pub verdict: Option<Verdict>,
}

/// Why a device is not used.
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

/// The file that remembers verdicts.
#[derive(Default, Serialize, Deserialize)]
struct Memory {
    /// The verdicts by adapter, driver and program version.
    verdicts: BTreeMap<String, Verdict>,
}

/// Starts a device. An adapter without a remembered verdict is tested first, and `testing` is called
/// before that.
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
            // A verdict that is not remembered only means that the adapter is tested again.
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

/// The remembered verdicts: none if the file is missing or cannot be read.
fn recall(path: &Path) -> Memory {
    fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn remember(path: &Path, memory: &Memory) -> std::io::Result<()> {
    fs::create_dir_all(folder_of(path))?;
    whole_file::write(path, &serde_json::to_vec_pretty(memory)?)
}
