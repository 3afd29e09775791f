//! Reads and writes files whole or not at all.
//!
//! What is being written lies beside its place under another name. A process that is killed leaves it there; a
//! later one that writes to the same folder takes it away. It knows what nobody writes any more by its lock,
//! which ends with the process.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// How the names of files begin that are being written.
const PREFIX: &str = ".factscope-";

/// Writes a temporary file beside `path` and renames it, so that the old file stays until the new
/// one is complete.
///
/// A link stays a link; its target is replaced. A device such as `/dev/null`, or a pipe, is written
/// to directly: a rename would put a file in its place.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if is_device(path) {
        return fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut file = begin(&place)?;
    file.write_all(bytes)?;
    // Where the disk has no room, some file systems say so only now.
    file.as_file().sync_all()?;
    file.persist(place).map_err(|error| error.error)?;
    Ok(())
}

/// The bytes of a file. A pipe or a device is refused: such as `/dev/zero` has no end, a pipe that nobody
/// writes to is waited for without one, and neither can be read again.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    if is_device(path) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "this is a pipe or a device, and not a file; write what it gives to a file, and name that",
        ));
    }
    fs::read(path)
}

/// Whether a path is a device or a pipe, which no file can be put in place of.
pub fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir())
}

/// A temporary file beside `path`, for content that is written piece by piece. Persisting it to
/// `path` makes it the new file; dropping it deletes it.
pub fn begin(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // The permissions of any other new file: a temporary file is readable by its owner only.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let dir = folder_of(path);
    let begun = builder.tempfile_in(dir);
    #[cfg(unix)]
    if let Ok(file) = &begun {
        // Where the system locks no files, none is taken away either.
        _ = file.as_file().try_lock();
        sweep_up(dir, file.as_file().metadata());
    }
    begun.map_err(|error| {
        // Not the name that the file has for a moment is wrong, but the folder.
        let (kind, dir) = (error.kind(), dir.display());
        io::Error::new(
            kind,
            match kind {
                io::ErrorKind::NotFound => format!("there is no folder {dir}; make it first"),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    format!("no file can be made in the folder {dir}, which may only be read")
                }
                _ => format!("no file can be made in the folder {dir}: {kind}"),
            },
        )
    })
}

/// Makes a link under another name and renames it, so that no reader finds the place empty.
pub fn link(target: &Path, path: &Path) -> io::Result<()> {
    let dir = folder_of(path);
    let make = |at: &Path| {
        #[cfg(unix)]
        return std::os::unix::fs::symlink(target, at);
        #[cfg(windows)]
        return std::os::windows::fs::symlink_file(target, at);
    };
    let made = tempfile::Builder::new().prefix(PREFIX).make_in(dir, make)?.into_temp_path();
    #[cfg(unix)]
    sweep_up(dir, fs::symlink_metadata(&made));
    made.persist(path).map_err(|error| error.error)
}

/// Takes away what killed processes have left of what they were writing in a folder. `new`: what was made there
/// just now, by whose clock the others are old.
#[cfg(unix)]
fn sweep_up(dir: &Path, new: io::Result<fs::Metadata>) {
    /// A living process has its lock by then, and has renamed its link.
    const OLD: std::time::Duration = std::time::Duration::from_mins(1);
    let written = |it: &fs::Metadata| it.modified().ok();
    let Some(now) = new.ok().as_ref().and_then(written) else { return };
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|it| it.starts_with(PREFIX));
        // Of a link its own, not those of what it leads to.
        let Some(metadata) = entry.metadata().ok().filter(|it| is_ours && !it.is_dir()) else {
            continue;
        };
        let age = written(&metadata).and_then(|then| now.duration_since(then).ok());
        let path = entry.path();
        // Another may be at it too: then it is gone, or locked.
        let is_free = || {
            metadata.is_symlink()
                || metadata.is_file() && fs::File::open(&path).is_ok_and(|it| it.try_lock().is_ok())
        };
        if age.is_some_and(|it| it >= OLD) && is_free() {
            fs::remove_file(&path).ok();
        }
    }
}

/// The folder that holds `path`, whether or not the file exists yet.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}
