//! The file where settings are kept from one start to the next, and what is wrong with it.
//!
//! eframe reads settings and writes them in place, where a crash cuts them short and a second window writes
//! into them. So it is given a copy of its own for each window; the file itself is written here, whole, and
//! each window changes only the values there that changed in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use eframe::Storage;
use log::{Level, LevelFilter, Log, Metadata, Record};
use tempfile::TempDir;

use super::app::ZOOMS;
use crate::whole_file::{self, folder_of};

/// The settings of this process's window, while it is open.
static OPEN: Mutex<Option<Open>> = Mutex::new(None);

struct Open {
    /// `None` where nothing is kept.
    file: Option<PathBuf>,

    /// The copy that eframe reads and writes.
    copy: TempDir,

    /// The values as this window has read or written them last.
    values: BTreeMap<String, String>,
    writer: Option<JoinHandle<()>>,
}

/// The names of the values that eframe keeps for itself.
const OF_EFRAME: [&str; 2] = ["window", "egui"];

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

/// Opens the settings for a window, and gives the file that eframe reads. `file`: `None` where nothing is
/// kept, nor read.
///
/// # Errors
///
/// If there is no place for a copy.
pub fn begin(file: Option<&Path>) -> io::Result<PathBuf> {
    let copy = tempfile::Builder::new().prefix("factscope-").tempdir()?;
    let path = copy.path().join("app.ron");
    if let Some(text) = file.and_then(|file| fs::read_to_string(file).ok()) {
        // egui's own zoom is read before anyone can look at it, and can keep the window from being made.
        fs::write(&path, with_zoom(&text).unwrap_or(text))?;
    }
    let values = BTreeMap::new();
    let open = Open { file: file.map(Path::to_owned), copy, values, writer: None };
    *OPEN.lock().unwrap_or_else(PoisonError::into_inner) = Some(open);
    Ok(path)
}

/// Takes note of the values that a window begins with. `keys`: those of the window itself.
pub fn note(storage: &dyn Storage, keys: &[&str]) {
    if let Some(open) = &mut *OPEN.lock().unwrap_or_else(PoisonError::into_inner) {
        open.values = values(storage, keys);
    }
}

/// Writes the values that have changed in this window to the file, on a thread of its own.
pub fn keep(storage: &dyn Storage, keys: &[&str]) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(Open { file: Some(file), values: before, writer, .. }) = &mut *open else { return };
    let mut changed = values(storage, keys);
    changed.retain(|key, value| before.get(key) != Some(value));
    if changed.is_empty() {
        return;
    }
    before.extend(changed.clone());
    if let Some(earlier) = writer.take() {
        earlier.join().ok();
    }
    let file = file.clone();
    let write = move || {
        if let Err(error) = change(&file, &changed) {
            complain(format!("The settings are not kept: {error}: {}", file.display()));
        }
    };
    match thread::Builder::new().name("keep settings".to_owned()).spawn(write) {
        Ok(thread) => *writer = Some(thread),
        Err(error) => complain(format!("The settings are not kept: {error}")),
    }
}

/// Waits until all is written, and takes eframe's copy away.
pub fn end() {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(writer) = open.and_then(|it| {
        it.copy.close().ok();
        it.writer
    }) {
        writer.join().ok();
    }
}

fn values(storage: &dyn Storage, keys: &[&str]) -> BTreeMap<String, String> {
    let keys = keys.iter().chain(&OF_EFRAME);
    keys.filter_map(|&key| Some((key.to_owned(), storage.get_string(key)?))).collect()
}

/// Puts other values into the file, which keeps all others that are there by now.
fn change(file: &Path, changed: &BTreeMap<String, String>) -> io::Result<()> {
    fs::create_dir_all(folder_of(file))?;
    // Another window must not read before this one has written. Where the system locks no files, its
    // changes of the same moment may be lost.
    let lock = File::create(file.with_extension("lock"))?;
    lock.lock().ok();
    let text = fs::read_to_string(file).unwrap_or_default();
    let mut lines: BTreeMap<&str, String> =
        entries(&text).map(|(key, value)| (key, value.to_owned())).collect();
    for (key, value) in changed {
        // RON, which eframe reads, escapes text as Rust does.
        lines.insert(key, format!("{value:?}"));
    }
    let mut whole = "{\n".to_owned();
    for (key, value) in &lines {
        _ = writeln!(whole, "    \"{key}\": {value},");
    }
    whole.push('}');
    whole_file::write(file, whole.as_bytes())
}

/// The values in a file, as they are written: each in a line of its own, since line ends within them are
/// escaped.
fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.trim().strip_prefix('"')?.split_once("\":")?;
        let value = value.trim().trim_end_matches(',');
        let is_whole = value.len() > 1 && value.starts_with('"') && value.ends_with('"');
        is_whole.then_some((key, value))
    })
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
        // What cannot be written is eframe's own copy, which is of no use to anybody later.
        if let Some(reason) = record.args().to_string().strip_prefix("Failed to parse RON: ") {
            complain(format!(
                "The settings{} cannot be read, and are as at the first start: {reason}{}",
                settings_file().map_or_else(|_| String::new(), |it| format!(" {}", it.display())),
                back_up().unwrap_or_default()
            ));
        }
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

    fn of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn a_value_that_another_window_has_changed_stays() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("factscope/app.ron");
        change(&file, &of(&[("theme", "dark"), ("tiles", "(a: {1},\n}\"é\u{1}")])).unwrap();
        change(&file, &of(&[("zoom", "2")])).unwrap();
        change(&file, &of(&[("theme", "light")])).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let expected = "{\n    \"theme\": \"light\",\n    \"tiles\": \"(a: {1},\\n}\\\"é\\u{1}\",\n    \
                        \"zoom\": \"2\",\n}";
        assert_eq!(text, expected);
        // A file that an earlier version left cut short costs the value that is cut.
        fs::write(&file, &text[..text.len() - 8]).unwrap();
        change(&file, &of(&[("zoom", "3")])).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), text.replace("\"2\"", "\"3\""));
    }

    /// Where a window keeps its settings that is to be killed.
    const KEEPS: &str = "FACTSCOPE_TEST_KEEPS_SETTINGS";

    /// Carried out by a process that the next test starts and kills: writes without end, and says what is written.
    #[test]
    #[expect(clippy::print_stdout, reason = "it tells another process")]
    fn keeps_settings_for_a_parent() {
        let Some(file) = std::env::var_os(KEEPS) else { return };
        let file = Path::new(&file);
        for nth in after(file).. {
            let long = format!("{nth} {}", "x".repeat(nth % 50 * 1000));
            change(file, &of(&[("first", &long), ("second", &nth.to_string())])).unwrap();
            println!("kept {nth}");
        }
    }

    /// The number behind the one that stands in the file, where that is whole.
    fn after(file: &Path) -> usize {
        let Ok(text) = fs::read_to_string(file) else { return 0 };
        let kept: BTreeMap<&str, &str> = entries(&text).collect();
        let of = |key: &str| kept[key].trim_matches('"').split(' ').next().unwrap().to_owned();
        assert_eq!(of("first"), of("second"), "{text}");
        assert!(kept["other"] == "\"stays\"" && text.ends_with("\n}"), "{text}");
        of("second").parse::<usize>().unwrap() + 1
    }

    #[test]
    fn settings_survive_a_window_that_is_killed_at_any_moment() {
        use std::process::{Command, Stdio};
        const N_KILLS: usize = 15;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app.ron");
        change(&file, &of(&[("other", "stays"), ("first", "0 "), ("second", "0")])).unwrap();
        // Knuth's generator, from a seed.
        let mut state = 5_u64;
        for _ in 0..N_KILLS {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "ui::settings_file::tests::keeps_settings_for_a_parent",
                    "--nocapture",
                ])
                .env(KEEPS, &file)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            thread::sleep(std::time::Duration::from_micros((state >> 33) % 200_000));
            child.kill().unwrap();
            let told = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
            let last = told.lines().rev().find_map(|it| it.strip_prefix("kept ")?.parse().ok());
            assert!(after(&file) > last.unwrap_or(0), "{last:?} was written, and is lost");
        }
        assert!(after(&file) > N_KILLS, "little was written");
    }

    /// A reader sees whole settings at any moment, and no window loses what it has changed.
    #[test]
    fn two_windows_that_write_at_once_keep_both_their_settings() {
        const N: usize = 40;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("app.ron");
        let long = "x".repeat(20_000);
        thread::scope(|scope| {
            let write = |name: &'static str| {
                let (file, long) = (&file, &long);
                scope.spawn(move || {
                    for nth in 0..N {
                        let value = format!("{nth} {}", &long[..nth * 400]);
                        change(file, &of(&[(name, &value)])).unwrap();
                    }
                })
            };
            let writers = ["first", "second"].map(write);
            while !writers.iter().all(|it| it.is_finished()) {
                if let Ok(text) = fs::read_to_string(&file) {
                    assert!(text.ends_with("\n}"), "{text}");
                }
            }
        });
        let text = fs::read_to_string(&file).unwrap();
        let last = format!("\"{} {}\"", N - 1, &long[..(N - 1) * 400]);
        let kept: Vec<(&str, &str)> = entries(&text).collect();
        assert_eq!(kept, [("first", &*last), ("second", &last)]);
    }
}
