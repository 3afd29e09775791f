//! Views over immutable results. Nothing here computes; clicks become commands.

use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::{ThemePreference, ViewportBuilder};
use eframe::{NativeOptions, Renderer};

use crate::analysis::causal_trace::Component;
use crate::tokens::Bos;
use crate::ui::pane::Pane;
use crate::worker::{Adapter, DeviceChoice, adapters};

pub mod app;
pub mod closing;
pub mod command;
mod completions;
pub mod dialogs;
mod errand;
mod export;
pub mod facts;
mod icon;
mod monitors;
mod palette;
pub mod pane;
mod panels;
mod reply;
pub mod row;
mod screenshot;
pub mod state;
pub mod studies;
pub mod theme;
pub mod view;
pub mod views;
pub mod widgets;
pub mod workspace;

pub use app::App;
pub use eframe::egui::ThemePreference as Theme;

/// What the window opens with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A model folder.
    pub model: Option<PathBuf>,

    /// Another one, which the second row is asked of.
    pub model_beside: Option<PathBuf>,

    /// A dataset file.
    pub facts: Option<PathBuf>,

    /// A session file, in place of both.
    pub session: Option<PathBuf>,

    pub device: DeviceChoice,

    /// As it was last, if not given.
    pub bos: Option<Bos>,

    /// The fact to choose, by the dataset's id. The first, if not given.
    pub case: Option<String>,

    /// Another fact to stand in the place of its inverse.
    pub beside: Option<String>,

    /// What to trace as soon as the fact is shown.
    pub trace: Option<Component>,

    /// The view to bring to the front, and to run if it takes a while. As it was last, if not given.
    pub pane: Option<Pane>,

    /// Where to save the window as a PNG when all this is done; then the window closes. Settings
    /// are neither read nor kept.
    pub screenshot: Option<PathBuf>,

    /// How large the picture is, in times the window. As it was last, if not given.
    pub scale: Option<u8>,

    /// As it was last, if not given.
    pub theme: Option<ThemePreference>,

    /// Width and height of the window in points. As it was last, if not given.
    pub size: Option<[f32; 2]>,
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    #[error(
        "no display was found (neither `DISPLAY` nor `WAYLAND_DISPLAY` is set), so there is no \
         window; the commands work without one, see `factscope --help`"
    )]
    NoDisplay,

    #[error(
        "the display cannot be used ({reason}), so there is no window; the commands work without \
         one, see `factscope --help`"
    )]
    Display { reason: String },

    #[error(
        "the window cannot be drawn:\n{reasons}\n\
         The graphics driver may be missing or broken; on Debian and Ubuntu these packages draw \
         in software: libegl1 libgl1-mesa-dri mesa-vulkan-drivers libxkbcommon-x11-0. \
         The commands work without a window, see `factscope --help`"
    )]
    Graphics { reasons: String },

    #[error("the window has failed: {0}")]
    Broke(String),

    /// The picture could not be taken.
    #[error("{0}")]
    Errand(String),
}

/// Opens the window, and returns when it is closed.
#[expect(clippy::needless_pass_by_value, reason = "nobody needs the options afterwards")]
pub fn run(options: Options) -> Result<(), WindowError> {
    if !has_display() {
        return Err(WindowError::NoDisplay);
    }
    // A broken driver is no reason to give up: there are two ways to draw.
    let adapters = quietly(adapters).unwrap_or_default();
    let order = if adapters.iter().any(|adapter| adapter.kind.is_real()) {
        [Renderer::Wgpu, Renderer::Glow]
    } else {
        // Several times cheaper where the CPU draws.
        [Renderer::Glow, Renderer::Wgpu]
    };
    let mut reasons = Vec::new();
    for renderer in order {
        match open(&options, renderer, &adapters) {
            Ok(()) => return Ok(()),
            Err(Failure::Unopened(reason)) => reasons.push(format!("{renderer}: {reason}")),
            Err(Failure::Final(error)) => return Err(error),
        }
    }
    Err(WindowError::Graphics { reasons: reasons.join("\n") })
}

enum Failure {
    /// There never was a window, but another renderer may do.
    Unopened(String),
    Final(WindowError),
}

/// Width and height in points below which the window cannot be made: a screen of 800 × 480 has room for
/// it, and one of 1366 × 768 whose points are twice as large nearly has.
const LEAST_SIZE: [f32; 2] = [640.0, 400.0];

fn open(options: &Options, renderer: Renderer, adapters: &[Adapter]) -> Result<(), Failure> {
    let size = options.size.unwrap_or([1360.0, 850.0]);
    let is_remembered = options.screenshot.is_none();
    let native = NativeOptions {
        renderer,
        persist_window: is_remembered && options.size.is_none(),
        // A picture is taken of a window that remembers nothing; this file is never written.
        persistence_path: (!is_remembered)
            .then(|| std::env::temp_dir().join(format!("factscope-{}.ron", std::process::id()))),
        viewport: ViewportBuilder::default()
            .with_title("Factscope")
            .with_app_id("factscope")
            .with_icon(icon::icon())
            .with_inner_size(size)
            .with_min_inner_size(LEAST_SIZE)
            .with_drag_and_drop(true),
        ..NativeOptions::default()
    };
    let outcome = Arc::new(Mutex::new(None));
    let is_open = Arc::new(Mutex::new(false));
    let (outcome_then, is_open_then) = (Arc::clone(&outcome), Arc::clone(&is_open));
    let ended = quietly(AssertUnwindSafe(|| {
        eframe::run_native(
            "factscope",
            native,
            Box::new(move |cc| {
                monitors::bring_back(cc);
                let mut app = App::new(cc, options, Arc::new(dialogs::RfdPicker))?;
                app.state.adapters = adapters.to_vec();
                if !adapters.iter().any(|adapter| adapter.kind.is_real()) {
                    let note = "No GPU found: drawing in software";
                    app.state.renderer = Some(note.to_owned());
                }
                *lock(&outcome_then) = app.outcome();
                *lock(&is_open_then) = true;
                Ok(Box::new(app))
            }),
        )
    }));
    let failed = match ended {
        Ok(Ok(())) => None,
        Ok(Err(eframe::Error::WinitEventLoop(error))) => {
            // Its beginning is a place in winit's source.
            let text = error.to_string();
            let reason = text.rsplit(": ").next().unwrap_or_default().to_owned();
            return Err(Failure::Final(WindowError::Display { reason }));
        }
        Ok(Err(error)) => Some(error.to_string()),
        Err(panic) => Some(panic),
    };
    match failed {
        Some(reason) if *lock(&is_open) => Err(Failure::Final(WindowError::Broke(reason))),
        Some(reason) => Err(Failure::Unopened(reason)),
        None => {
            let outcome = lock(&outcome).take().and_then(|outcome| lock(&outcome).take());
            match outcome {
                Some(Err(error)) => Err(Failure::Final(WindowError::Errand(error))),
                _ => Ok(()),
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a panic said, for drivers and the libraries around them panic where they should fail.
fn quietly<T>(work: impl FnOnce() -> T + panic::UnwindSafe) -> Result<T, String> {
    panic::catch_unwind(work).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "unknown panic".to_owned())
    })
}

/// Elsewhere there is always one.
fn has_display() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !cfg!(all(unix, not(target_os = "macos")))
        || ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"].into_iter().any(is_set)
}
