//! Views over immutable results. Nothing here computes; clicks become commands.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::{ThemePreference, ViewportBuilder};
use eframe::{NativeOptions, Renderer};

use crate::analysis::causal_trace::Component;
use crate::quiet::{Panic, quietly};
use crate::tokens::Bos;
use crate::ui::pane::Pane;
use crate::worker::{Adapter, DeviceChoice, adapters};

pub mod app;
mod asked;
pub mod closing;
pub mod command;
mod completions;
pub mod dialogs;
mod ending;
mod errand;
mod export;
pub mod facts;
#[cfg(feature = "hub")]
mod get_model;
mod icon;
mod memory_question;
mod in_turn;
mod monitors;
mod palette;
pub mod pane;
mod panels;
mod path_field;
mod path_prompt;
mod reply;
pub mod row;
mod screenshot;
mod settings_file;
pub mod state;
pub mod studies;
pub mod theme;
pub mod view;
pub mod views;
pub mod widgets;
mod words;
pub mod workspace;

pub use app::{App, sweeps_dir, unsaved_dir};
pub use eframe::egui::ThemePreference as Theme;

/// What the window opens with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A model folder.
    pub model: Option<PathBuf>,

    /// The folder of a second model, which the second row is asked of.
    pub model_beside: Option<PathBuf>,

    /// A dataset file.
    pub facts: Option<PathBuf>,

    /// A session file, in place of model and dataset.
    pub session: Option<PathBuf>,

    /// The folder where what was found and not saved is kept while the window runs, and where what
    /// earlier windows have left is looked for. Neither is done if none is given.
    pub unsaved: Option<PathBuf>,

    /// The folder of a sweep to show.
    pub sweep: Option<PathBuf>,

    /// Where sweeps lie that are given no other folder.
    pub sweeps: Option<PathBuf>,

    pub device: DeviceChoice,

    /// The hub that models are downloaded from. The one that the environment names, if not given.
    #[cfg(feature = "hub")]
    pub hub: Option<crate::hub::Settings>,

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

    #[error(
        "the system allows no more threads, so there is no window; `ulimit -u` says how many may run"
    )]
    Threads,

    #[error("the window has failed: {0}")]
    Broke(String),

    /// The window has closed, and what was set in it is lost.
    #[error("{0}")]
    Settings(String),

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
    let [first, second] = if adapters.iter().any(|adapter| adapter.kind.is_real()) {
        [Renderer::Wgpu, Renderer::Glow]
    } else {
        // Several times cheaper where the CPU draws.
        [Renderer::Glow, Renderer::Wgpu]
    };
    let earlier = std::env::var(FAILED_BEFORE).ok();
    let renderer = if earlier.is_none() { first } else { second };
    match open(&options, renderer, &adapters) {
        Ok(()) => Ok(()),
        Err(Failure::Final(WindowError::Display { reason })) if has_two_displays() => {
            // What is left of a compositor that has ended hides an X server that works.
            let mut command = again();
            let error = begin_anew(command.env_remove(WAYLAND[0]).env_remove(WAYLAND[1]));
            Err(WindowError::Display { reason: format!("{reason}; X11: {error}") })
        }
        Err(Failure::Final(error)) => Err(error),
        Err(Failure::Scale(reason)) => {
            let error = begin_anew(again().env(SCALE, "1").env(SCALE_REFUSED, "1"));
            Err(WindowError::Display { reason: format!("{reason}; at scale 1: {error}") })
        }
        Err(Failure::Unopened(reason)) => {
            let reason = format!("{renderer}: {reason}");
            let reasons = if let Some(earlier) = earlier {
                format!("{earlier}\n{reason}")
            } else {
                let error = begin_anew(again().env(FAILED_BEFORE, &reason));
                format!("{reason}\n{second}: {error}")
            };
            Err(WindowError::Graphics { reasons })
        }
    }
}

/// Says to a process why the one before it could not draw its window, so that it draws in the other way.
const FAILED_BEFORE: &str = "FACTSCOPE_WINDOW_FAILED";

/// Overrides the scale that the X server says: what the size of a window is multiplied by.
const SCALE: &str = "WINIT_X11_SCALE_FACTOR";

/// Says to a process that it overrides a scale that no window can have.
const SCALE_REFUSED: &str = "FACTSCOPE_SCALE_REFUSED";

/// This program with these arguments. A process has one event loop only, so that another way to open a
/// window needs another process.
fn again() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap_or_else(|_| "factscope".into()));
    command.args(std::env::args_os().skip(1));
    command
}

/// Starts a program in the place of this process. Comes back with the reason if it cannot be started.
#[cfg(unix)]
fn begin_anew(command: &mut Command) -> std::io::Error {
    use std::os::unix::process::CommandExt as _;
    command.exec()
}

/// Starts a program, and ends with it.
#[cfg(not(unix))]
#[expect(clippy::exit, reason = "as the process that took its place has ended")]
fn begin_anew(command: &mut Command) -> std::io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}

enum Failure {
    /// There never was a window, but another renderer may do.
    Unopened(String),

    /// The X server asks for a scale that no window can have.
    Scale(String),
    Final(WindowError),
}

impl Failure {
    /// Why there is no window, as libraries say it.
    fn of(reason: String) -> Self {
        // The words are those of Rust's library and of winit.
        if reason.contains("spawn thread") {
            Self::Final(WindowError::Threads)
        } else if reason.contains("XRandR") {
            let reason = format!("the X server lacks the extension RANDR: {reason}");
            Self::Final(WindowError::Display { reason })
        } else if ["validate_scale_factor", "TryFromIntError"].iter().any(|it| reason.contains(it))
            && !is_set(SCALE)
        {
            Self::Scale(reason)
        } else if reason.contains(SCALE) {
            Self::Final(WindowError::Display { reason })
        } else {
            Self::Unopened(reason)
        }
    }
}

/// Width and height in points below which the window cannot be made: a screen of 800 × 480 has room for
/// it, and one of 1366 × 768 whose points are twice as large nearly has.
const LEAST_SIZE: [f32; 2] = [640.0, 400.0];

fn open(options: &Options, renderer: Renderer, adapters: &[Adapter]) -> Result<(), Failure> {
    let size = options.size.unwrap_or([1360.0, 850.0]);
    settings_file::listen();
    // A picture is taken of a window that remembers nothing.
    let is_remembered = options.screenshot.is_none();
    let settings = if is_remembered { settings_file::settings_file() } else { Err(String::new()) };
    let copy = settings_file::begin(settings.as_deref().ok()).map_err(|it| {
        Failure::Final(WindowError::Settings(format!("No file can be made: {it}")))
    })?;
    let native = NativeOptions {
        renderer,
        persist_window: is_remembered && options.size.is_none(),
        persistence_path: Some(copy),
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
    if let Some(reason) = settings.as_ref().err().filter(|_| is_remembered) {
        settings_file::complain(reason.clone());
    } else if is_remembered && is_set(SCALE_REFUSED) {
        let text = "No window can have the scale of this screen (`Xft.dpi` of `xrdb -query`): 96 dots \
                    per inch are taken";
        settings_file::complain(text.to_owned());
    }
    let ended = quietly(|| {
        eframe::run_native(
            "factscope",
            native,
            Box::new(move |cc| {
                monitors::bring_back(cc);
                if options.size.is_none() {
                    monitors::fit(cc);
                }
                ending::hear_lost_server();
                let mut app = App::new(cc, options, Arc::new(dialogs::RfdPicker))?;
                app.heed_the_system(&cc.egui_ctx);
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
    });
    dialogs::end_dialogs();
    settings_file::end();
    let failed = match ended {
        Ok(Ok(())) => None,
        Ok(Err(eframe::Error::WinitEventLoop(error))) => {
            // It begins with a place in winit's source code, which tells a user nothing.
            let text = error.to_string();
            let reason = text.rsplit(": ").next().unwrap_or_default().to_owned();
            return Err(Failure::Final(WindowError::Display { reason }));
        }
        Ok(Err(error)) => Some(error.to_string()),
        Err(Panic { text, place }) if *lock(&is_open) => Some(format!("{text} ({place})")),
        Err(panic) => Some(panic.text),
    };
    match failed {
        Some(reason) if *lock(&is_open) => Err(Failure::Final(WindowError::Broke(reason))),
        Some(reason) => Err(Failure::of(reason)),
        None => {
            let outcome = lock(&outcome).take().and_then(|outcome| lock(&outcome).take());
            match outcome {
                Some(Err(error)) => Err(Failure::Final(WindowError::Errand(error))),
                _ => settings_file::complaint()
                    .map_or(Ok(()), |it| Err(Failure::Final(WindowError::Settings(it)))),
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a Wayland compositor is found.
const WAYLAND: [&str; 2] = ["WAYLAND_DISPLAY", "WAYLAND_SOCKET"];

/// Elsewhere there is always one.
fn has_display() -> bool {
    !cfg!(all(unix, not(target_os = "macos")))
        || is_set("DISPLAY")
        || WAYLAND.into_iter().any(is_set)
}

/// Whether there is an X server beside a compositor, which is asked first.
fn has_two_displays() -> bool {
    is_set("DISPLAY") && WAYLAND.into_iter().any(is_set)
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}
