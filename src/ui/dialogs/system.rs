//! The system's own dialogs, as far as it has any.
//!
//! Without a portal and without zenity, `rfd` answers that nothing was picked, just as if the user had
//! cancelled, so it is looked up whether there is a dialog. One that is there may fail at once: nobody
//! cancels within some 50 ms, so a fast answer means the same. Then the path is typed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use eframe::egui;

use super::{Purpose, Wants};
use crate::figure::FileFormat;
use crate::session::EXTENSION;

/// No person cancels a dialog faster.
const TOO_FAST: Duration = Duration::from_millis(300);

/// A function that waits for the answer. It is called on a thread of its own.
pub type Answer = Box<dyn FnOnce() -> Option<PathBuf> + Send>;

/// What files are called, and how their names end.
pub type Endings = (&'static str, &'static [&'static str]);

/// Shows the system's dialogs. They are started on the window's thread, for macOS wants that.
pub trait Picker: Send + Sync {
    fn pick_folder(&self, title: &str, dir: Option<&Path>) -> Answer;
    /// `endings`: what such files are called, and how their names end.
    fn pick_file(&self, title: &str, dir: Option<&Path>, endings: Endings) -> Answer;
    fn save_file(&self, title: &str, dir: Option<&Path>, name: &str) -> Answer;

    /// Whether the system has dialogs at all, as far as that can be known.
    fn is_there(&self) -> bool {
        true
    }
}

/// The picker that shows the system's own dialogs.
#[derive(Clone, Copy, Debug, Default)]
pub struct RfdPicker;

impl Picker for RfdPicker {
    fn pick_folder(&self, title: &str, dir: Option<&Path>) -> Answer {
        let dialog = dialog(title, dir).pick_folder();
        Box::new(move || Some(pollster::block_on(dialog)?.path().to_owned()))
    }

    fn pick_file(&self, title: &str, dir: Option<&Path>, (name, endings): Endings) -> Answer {
        let dialog = dialog(title, dir).add_filter(name, endings).pick_file();
        Box::new(move || Some(pollster::block_on(dialog)?.path().to_owned()))
    }

    fn save_file(&self, title: &str, dir: Option<&Path>, name: &str) -> Answer {
        let kind = Path::new(name).extension().and_then(|it| it.to_str()).unwrap_or_default();
        let dialog = dialog(title, dir).set_file_name(name);
        let dialog = match kind {
            "png" => dialog.add_filter("PNG", &["png"]),
            "json" => dialog.add_filter("JSON", &["json"]),
            "html" => dialog.add_filter("HTML", &["html"]),
            EXTENSION => dialog.add_filter("Sessions", &[EXTENSION]),
            _ => dialog.add_filter("Figures and tables", &FileFormat::endings()),
        };
        let dialog = dialog.save_file();
        Box::new(move || Some(pollster::block_on(dialog)?.path().to_owned()))
    }

    #[cfg(target_os = "linux")]
    fn is_there(&self) -> bool {
        let is_file_in = |dirs: &str, name: &str| {
            let dirs = std::env::var_os(dirs);
            let mut dirs = dirs.iter().flat_map(std::env::split_paths);
            dirs.any(|dir| dir.join(name).is_file())
        };
        let service = "dbus-1/services/org.freedesktop.portal.Desktop.service";
        let usual = ["/usr/local/share", "/usr/share"].map(Path::new);
        let has_portal = is_file_in("XDG_DATA_DIRS", service)
            || usual.iter().any(|dir| dir.join(service).is_file())
            // In a sandbox the portal is outside.
            || Path::new("/.flatpak-info").exists()
            || std::env::var_os("SNAP").is_some();
        let bus = std::env::var_os("XDG_RUNTIME_DIR").map(|dir| Path::new(&dir).join("bus"));
        let has_bus = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
            || bus.is_some_and(|it| it.exists());
        is_file_in("PATH", "zenity") || has_portal && has_bus
    }
}

fn dialog(title: &str, dir: Option<&Path>) -> rfd::AsyncFileDialog {
    let dialog = rfd::AsyncFileDialog::new().set_title(title);
    match dir.filter(|dir| dir.is_dir()) {
        Some(dir) => dialog.set_directory(dir),
        None => dialog,
    }
}

/// Shows a dialog. `name`: what a file that is to be written is called, if not as usual. `tell` is given
/// what was picked, and whether there was no dialog to pick from.
pub fn ask(
    picker: &Arc<dyn Picker>,
    (purpose, name): (Purpose, Option<&str>),
    dir: Option<&Path>,
    ctx: &egui::Context,
    tell: impl FnOnce(Option<PathBuf>, bool) + Send + 'static,
) -> std::io::Result<()> {
    let about = purpose.about();
    let start = Instant::now();
    let answer = match about.wants {
        Wants::Folder => picker.pick_folder(about.title, dir),
        Wants::File(_, endings) => picker.pick_file(about.title, dir, endings),
        Wants::NewFile(usual) => picker.save_file(about.title, dir, name.unwrap_or(usual)),
        // No dialog shows files and folders alike.
        Wants::Anything => return Err(std::io::ErrorKind::Unsupported.into()),
    };
    let (ctx, picker) = (ctx.clone(), Arc::clone(picker));
    thread::Builder::new().name("file dialog".to_owned()).spawn(move || {
        let path = answer();
        let is_missing = path.is_none() && (start.elapsed() < TOO_FAST || !picker.is_there());
        tell(path, is_missing);
        ctx.request_repaint();
    })?;
    Ok(())
}

/// Ends the dialogs that are still open when the window has closed: zenity is a process of its own, which
/// would stay.
#[cfg(target_os = "linux")]
pub fn end_dialogs() {
    use std::fs;
    use std::process::Command;

    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let children = threads.filter_map(|it| fs::read_to_string(it.path().join("children")).ok());
    for child in children.collect::<String>().split_whitespace() {
        let name = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
        if name.trim() == "zenity" {
            // One that has ended meanwhile needs no end.
            Command::new("kill").arg(child).status().ok();
        }
    }
}

/// Elsewhere dialogs end with the program.
#[cfg(not(target_os = "linux"))]
pub fn end_dialogs() {}
