//! The file where settings are kept from one start to the next, and what is wrong with it.
//!
//! eframe reads and writes it, and tells only the log what it could not do.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::app::ZOOMS;
use crate::whole_file;

/// What is wrong, until somebody is told.
static COMPLAINT: Mutex<Option<String>> = Mutex::new(None);

/// The file, or why there is none: a relative path would lie wherever the program is started.
pub fn settings_file() -> Result<PathBuf, String> {
    let dir = eframe::storage_dir("factscope").filter(|dir| dir.is_absolute());
    dir.map(|dir| dir.join("app.ron")).ok_or_else(|| {
        "Neither settings nor what is found are kept: you have no folder for data, since HOME is not \
         an absolute path"
            .to_owned()
    })
}

/// Mends what keeps the window from being made: egui's own zoom is read before anyone can look at it.
///
/// eframe writes the file in place, so that one that is cut short by a crash or by a full disk is put back
/// as it was at the last start.
pub fn mend(file: &Path) {
    let Ok(text) = fs::read_to_string(file) else { return };
    let last = file.with_extension("ron.last");
    // Files that cannot be written are told of when the settings are.
    if is_whole(&text) {
        if let Some(text) = with_zoom(&text) {
            whole_file::write(file, text.as_bytes()).ok();
        }
        whole_file::write(&last, text.as_bytes()).ok();
    } else if let Ok(text) = fs::read_to_string(&last)
        && whole_file::write(file, text.as_bytes()).is_ok()
    {
        complain(
            "The settings were cut short as they were written last; they are as they were at the start \
             before"
                .to_owned(),
        );
    }
}

/// Whether settings were written to their end: line ends within them are escaped.
fn is_whole(text: &str) -> bool {
    let text = text.trim_end();
    text.ends_with("\n}") || text == "{}"
}

/// The settings with a zoom that a window can have. `None` if theirs is such a one.
fn with_zoom(text: &str) -> Option<String> {
    const NAME: &str = "zoom_factor:";
    let start = text.find(NAME)? + NAME.len();
    let end = start + text[start..].find([',', ')'])?;
    let zoom = text[start..end].trim().parse().ok();
    let is_fit = zoom.is_some_and(|zoom: f32| ZOOMS.contains(&zoom));
    (!is_fit).then(|| format!("{}1.0{}", &text[..start], &text[end..]))
}

/// Copies the file as it is, before it is written anew. Says where the copy is.
pub fn back_up() -> Option<String> {
    let file = settings_file().ok()?;
    let copy = file.with_extension("ron.bak");
    fs::copy(file, &copy).ok()?;
    Some(format!("; the file is kept as {}", copy.display()))
}

/// Hears from now on what eframe says of the file.
pub fn listen() {
    // Where another logger listens, that one is told.
    if log::set_logger(&Listener).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}

/// Remembers that something is wrong.
pub fn complain(text: String) {
    *COMPLAINT.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
}

/// What is wrong, said once.
pub fn complaint() -> Option<String> {
    COMPLAINT.lock().unwrap_or_else(PoisonError::into_inner).take()
}

struct Listener;

impl Log for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn && metadata.target() == "eframe::native::file_storage"
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let text = record.args().to_string();
        complain(match text.strip_prefix("Failed to parse RON: ") {
            Some(reason) => format!(
                "The settings{} cannot be read, and are as at the first start: {reason}{}",
                settings_file().map_or_else(|_| String::new(), |it| format!(" {}", it.display())),
                back_up().unwrap_or_default()
            ),
            None => format!("The settings are not kept: {text}"),
        });
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zoom_that_no_window_can_have_is_taken_back() {
        let text =
            |zoom: &str| format!("{{\"egui\": \"(options:(zoom_factor:{zoom},max_passes:2))\"}}");
        for zoom in ["0.0", "NaN", "inf", "-1", "?"] {
            assert_eq!(with_zoom(&text(zoom)), Some(text("1.0")), "{zoom}");
        }
        assert_eq!(with_zoom(&text("1.25")), None);
        assert_eq!(with_zoom("{}"), None);
    }

    #[test]
    fn settings_that_were_cut_short_are_those_of_the_last_start() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app.ron");
        let whole = "{\n    \"theme\": \"Dark\",\n    \"tiles\": \"(a: {1},\\n}\",\n}";
        for cut in 0..whole.len() {
            fs::write(&file, whole).unwrap();
            mend(&file);
            assert_eq!((fs::read_to_string(&file).unwrap(), complaint()), (whole.to_owned(), None));
            fs::write(&file, &whole[..cut]).unwrap();
            mend(&file);
            assert_eq!(fs::read_to_string(&file).unwrap(), whole, "cut at {cut}");
            assert!(complaint().unwrap().contains("cut short"));
        }
        // A person who deletes the settings wants none back.
        fs::remove_file(&file).unwrap();
        mend(&file);
        assert!(!file.exists());
    }
}
