//! Where tensors live: the CPU, or one of the machine's graphics adapters.
//!
//! A software adapter (Mesa's lavapipe) is a device like any other, but never chosen unasked: the
//! CPU backend is many times faster on the same cores.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, DeviceKind};
use burn_wgpu::wgpu;
use serde::{Deserialize, Serialize};

/// What the user asked for: `--device auto|cpu|wgpu[:N]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceChoice {
    /// A real GPU if there is one, else the CPU.
    #[default]
    Auto,
    Cpu,

    /// An adapter by its number in [`adapters`], or the first: real ones before software.
    Wgpu(Option<usize>),
}

/// A device that tensors can be put on.
#[derive(Clone, Debug)]
pub struct ComputeDevice {
    pub burn: Device,

    /// The most bytes one tensor may hold, where the device limits it.
    pub max_binding_bytes: Option<u64>,

    /// The adapter. `None` for the CPU.
    pub adapter: Option<Adapter>,

    /// The adapter's driver, to take the adapter away in tests.
    pub driver: Option<wgpu::Device>,
}

/// A graphics adapter, as its driver describes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Adapter {
    /// The adapter's number, as in `--device wgpu:N`.
    pub index: usize,
    pub name: String,
    pub kind: AdapterKind,

    /// The graphics interface: `Vulkan`, `Metal`, …
    pub backend: String,
    pub driver: String,
}

/// What a graphics adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdapterKind {
    Discrete,
    Integrated,
    Virtual,
    Software,
    Other,
}

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    #[error(
        "no graphics adapter was found (is a Vulkan driver installed?); `--device cpu` works \
         everywhere"
    )]
    NoAdapter,

    #[error("there is no adapter {index}; `factscope devices` lists the {n_adapters} there are")]
    NoSuchAdapter { index: usize, n_adapters: usize },

    #[error("the adapter “{name}” could not be started: {reason}; `--device cpu` works everywhere")]
    Start { name: String, reason: String },

    #[error(
        "the adapter “{name}” was lost while it computed ({reason}), and comes back when the program is \
         started again; `--device cpu`, or File ▸ Device ▸ CPU, goes on without it"
    )]
    Lost { name: String, reason: String },
}

/// A text names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no device; use `auto`, `cpu`, `wgpu` or `wgpu:N`")]
pub struct UnknownDevice(String);

impl DeviceChoice {
    /// Whether this is an adapter that is software on the CPU.
    pub fn is_software(self) -> bool {
        let adapters = || adapters().into_iter();
        let chosen = match self {
            Self::Auto | Self::Cpu => None,
            Self::Wgpu(None) => {
                adapters().find(|it| it.kind.is_real()).or_else(|| adapters().next())
            }
            Self::Wgpu(Some(index)) => adapters().nth(index),
        };
        chosen.is_some_and(|it| it.kind == AdapterKind::Software)
    }
}

impl ComputeDevice {
    /// The CPU, with as many threads as rayon's pool has.
    pub fn cpu() -> Self {
        Self { burn: Device::flex(), max_binding_bytes: None, adapter: None, driver: None }
    }

    /// Starts the device that was asked for.
    pub fn open(choice: DeviceChoice) -> Result<Self, DeviceError> {
        let adapters = || adapters().into_iter();
        match choice {
            DeviceChoice::Cpu => Ok(Self::cpu()),
            DeviceChoice::Auto => match adapters().find(|it| it.kind.is_real()) {
                Some(adapter) => match Self::start(adapter) {
                    Err(DeviceError::Lost { .. }) => Ok(Self::cpu()),
                    started => started,
                },
                None => Ok(Self::cpu()),
            },
            DeviceChoice::Wgpu(None) => {
                let first_real = adapters().find(|it| it.kind.is_real());
                let adapter = first_real.or_else(|| adapters().next());
                Self::start(adapter.ok_or(DeviceError::NoAdapter)?)
            }
            DeviceChoice::Wgpu(Some(index)) => {
                let n_adapters = adapters().count();
                let adapter = adapters().nth(index);
                Self::start(adapter.ok_or(DeviceError::NoSuchAdapter { index, n_adapters })?)
            }
        }
    }

    fn start(adapter: Adapter) -> Result<Self, DeviceError> {
        // An adapter may be started once per process; models opened later share it.
        static STARTED: Mutex<BTreeMap<usize, ComputeDevice>> = Mutex::new(BTreeMap::new());
        let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(device) = started.get(&adapter.index) {
            let lost = |reason: String| DeviceError::Lost { name: adapter.name.clone(), reason };
            device.burn.sync().map_err(|error| lost(error.to_string()))?;
            return Ok(device.clone());
        }
        let failed = |reason: String| DeviceError::Start { name: adapter.name.clone(), reason };
        let nth =
            adapters().iter().filter(|it| it.kind == adapter.kind).position(|it| *it == adapter);
        let nth = nth.unwrap_or(0);
        let kind = match adapter.kind {
            AdapterKind::Discrete => DeviceKind::DiscreteGpu(nth),
            AdapterKind::Integrated => DeviceKind::IntegratedGpu(nth),
            AdapterKind::Virtual => DeviceKind::VirtualGpu(nth),
            AdapterKind::Software if nth == 0 => DeviceKind::Cpu,
            AdapterKind::Software => {
                return Err(failed("only the first software adapter can be used".to_owned()));
            }
            AdapterKind::Other => return Err(failed("its kind is unknown".to_owned())),
        };
        let (burn, setup) = Device::wgpu_options()
            .device_kind(kind)
            .init_with_setup()
            .map_err(|error| failed(error.to_string()))?;
        let found = setup.adapter.get_info().name;
        if found != adapter.name {
            return Err(failed(format!("the driver gave “{found}” instead")));
        }
        let limits = setup.device.limits();
        let max = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        let driver = Some(setup.device.clone());
        let device = Self { burn, max_binding_bytes: Some(max), adapter: Some(adapter), driver };
        started.insert(device.adapter.as_ref().map_or(0, |it| it.index), device.clone());
        Ok(device)
    }
}

impl ComputeDevice {
    /// Takes the adapter away, as where it is unplugged or its driver starts anew. For tests of what the
    /// program does then; the CPU stays.
    pub fn lose(&self) {
        if let Some(driver) = &self.driver {
            driver.destroy();
        }
    }
}

/// `cpu`, or the adapter's name and driver.
impl fmt::Display for ComputeDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.adapter {
            None => write!(f, "cpu ({} threads)", rayon::current_num_threads()),
            Some(adapter) => adapter.fmt(f),
        }
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wgpu:{} {} ({}, {})", self.index, self.name, self.backend, self.driver)
    }
}

impl AdapterKind {
    /// Whether it is a GPU, not software on the CPU.
    pub fn is_real(self) -> bool {
        matches!(self, Self::Discrete | Self::Integrated | Self::Virtual)
    }
}

/// The machine's graphics adapters that burn can compute on, in the driver's order.
pub fn adapters() -> Vec<Adapter> {
    // One graphics interface only, as burn does: the same GPU must not be listed twice.
    let interfaces = [wgpu::Backends::VULKAN, wgpu::Backends::METAL, wgpu::Backends::DX12];
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        // Without OpenGL: burn does not compute on it, and looking for it can be noisy.
        backends: interfaces.into_iter().collect(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    interfaces
        .into_iter()
        .map(|interface| pollster::block_on(instance.enumerate_adapters(interface)))
        .find(|found| !found.is_empty())
        .unwrap_or_default()
        .iter()
        .enumerate()
        .map(|(index, adapter)| {
            let info = adapter.get_info();
            Adapter {
                index,
                name: info.name,
                kind: match info.device_type {
                    wgpu::DeviceType::DiscreteGpu => AdapterKind::Discrete,
                    wgpu::DeviceType::IntegratedGpu => AdapterKind::Integrated,
                    wgpu::DeviceType::VirtualGpu => AdapterKind::Virtual,
                    wgpu::DeviceType::Cpu => AdapterKind::Software,
                    wgpu::DeviceType::Other => AdapterKind::Other,
                },
                backend: info.backend.to_string(),
                driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            }
        })
        .collect()
}

impl FromStr for DeviceChoice {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "wgpu" => Ok(Self::Wgpu(None)),
            _ => {
                let index = text.strip_prefix("wgpu:").and_then(|index| index.parse().ok());
                Ok(Self::Wgpu(Some(index.ok_or_else(|| UnknownDevice(text.to_owned()))?)))
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Wgpu(None) => f.write_str("wgpu"),
            Self::Wgpu(Some(index)) => write!(f, "wgpu:{index}"),
        }
    }
}
