//! The file where settings are kept from one start to the next, and what is wrong with it.
//!
//! eframe reads and writes it, and tells only the log what it could not do.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

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
                "The settings cannot be read, and are as at the first start: {reason}{}",
                back_up().unwrap_or_default()
            ),
            None => format!("The settings are not kept: {text}"),
        });
    }

    fn flush(&self) {}
}
