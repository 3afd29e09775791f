//! Refuses to write a result over a file that is read, or two over each other.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Command};

/// The flags that name a file to write.
const WRITTEN: [&str; 4] = ["out", "figure", "save_spec", "save_session"];

/// Checks what was typed after a command. The error names the flags and the file.
pub(super) fn check(command: &Command, matches: &ArgMatches) -> Result<(), String> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(()) };
    let Some(command) = command.find_subcommand(name) else { return Ok(()) };
    let mut named: Vec<(String, bool, &OsStr)> = Vec::new();
    for arg in command.get_arguments() {
        let id = arg.get_id().as_str();
        let values = matches.try_get_raw(id).ok().flatten().into_iter().flatten();
        named.extend(values.map(|it| (arg.to_string(), WRITTEN.contains(&id), it)));
    }
    for (nth, (flag, _, path)) in named.iter().enumerate().filter(|(_, it)| it.1) {
        let Some(place) = place(Path::new(path)) else { continue };
        let mut others = named[..nth].iter().chain(&named[nth + 1..]);
        // What is only read and not there may be a text, such as a case.
        let other = others.find(|(_, is_written, path)| {
            let path = Path::new(path);
            (*is_written || path.is_file()) && self::place(path).as_ref() == Some(&place)
        });
        if let Some((other, _, _)) = other {
            return Err(format!(
                "{flag} and {other} name one file, {}, which would be lost; name another",
                place.display()
            ));
        }
    }
    Ok(())
}

/// Where a file is or will be, by whatever name. `None` for what is no file, such as a folder or a device.
fn place(path: &Path) -> Option<PathBuf> {
    if let Ok(place) = path.canonicalize() {
        return place.is_file().then_some(place);
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new(".")).canonicalize().ok()?;
    Some(folder.join(path.file_name()?))
}
