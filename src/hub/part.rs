//! The download of one file: it grows as `HASH.incomplete`, goes on where it was cut off, and takes its
//! name when size and hash are those that the hub lists.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::amount::size;
use super::client::{Client, Stream};
use super::listing::{Hash, RemoteFile};
use super::refusal::Asked;
use super::store::{Store, is_at};
use super::tries::{Tries, Trouble, Watch};
use super::{HubError, HubName};

/// What is downloaded, and from where.
pub(super) struct Wanted<'a> {
    pub client: &'a Client<'a>,
    pub store: &'a Store,
    pub name: &'a HubName,
    pub commit: &'a str,
    pub file: &'a RemoteFile,
}

/// A file that grows.
struct Part {
    path: PathBuf,
    file: File,
    length: u64,
    hasher: Hasher,

    /// Some of it was there before.
    is_resumed: bool,
}

enum Hasher {
    Sha256(Sha256),
    GitBlob(Sha1),
}

impl Wanted<'_> {
    /// Downloads the content if the cache lacks it, and says whether it did. One program at a time does.
    pub fn fetch(&self, watch: &mut Watch<'_>) -> Result<bool, HubError> {
        let start = watch.progress.done;
        let is_new = !self.store.has_blob(self.file) && self.fetch_locked(watch)?;
        watch.progress.done = start + self.file.size;
        Ok(is_new)
    }

    fn fetch_locked(&self, watch: &mut Watch<'_>) -> Result<bool, HubError> {
        let (store, file) = (self.store, self.file);
        let lock = store.lock(file, watch)?;
        // The program that had the lock before may have downloaded the file.
        if store.has_blob(file) {
            return Ok(false);
        }
        let mut path = store.part(file);
        if lock.file.is_none() {
            // Without locks the part is of this process alone, and of no use to another.
            path.set_extension(format!("{}.incomplete", std::process::id()));
        }
        let done = self.fetch_to(&path, watch);
        if done.is_err() && lock.file.is_none() {
            // If it stays, it takes room and nothing is wrong.
            _ = fs::remove_file(&path);
        }
        done.map(|()| true)
    }

    fn fetch_to(&self, path: &PathBuf, watch: &mut Watch<'_>) -> Result<(), HubError> {
        let file = self.file;
        let start = watch.progress.done;
        let mut part = Part::open(path, file, start, watch)?;
        loop {
            self.fill(&mut part, start, watch)?;
            let found = part.hash();
            if found == file.hash.name() {
                return self.keep(&part);
            }
            let is_resumed = part.is_resumed;
            part.discard();
            if !is_resumed {
                let (file, expected) = (file.path.clone(), file.hash.name().to_owned());
                return Err(HubError::WrongHash { file, expected, found });
            }
            // What was there before may have been spoiled when the power went.
            part = Part::open(path, file, start, watch)?;
        }
    }

    /// Downloads what a part lacks. `start` is the progress at its beginning.
    fn fill(&self, part: &mut Part, start: u64, watch: &mut Watch<'_>) -> Result<(), HubError> {
        let mut tries = Tries::new(self.client.settings, self.client.settings.patience.n_tries);
        while part.length < self.file.size {
            let before = part.length;
            let Err(trouble) = self.fill_at_once(part, start, watch) else { continue };
            if part.length > before {
                tries.forget();
            }
            let kept = size(part.length);
            tries.after(trouble, watch, |reason, host, n_tries| HubError::CutOff {
                file: self.file.path.clone(),
                n_tries,
                reason: format!("{host}: {reason}"),
                kept,
            })?;
        }
        Ok(())
    }

    fn fill_at_once(
        &self,
        part: &mut Part,
        start: u64,
        watch: &mut Watch<'_>,
    ) -> Result<(), Trouble> {
        let file = self.file;
        let endpoint = &self.client.settings.endpoint;
        let path = file.path.replace('+', "%2B");
        let url = format!("{endpoint}/{}/resolve/{}/{path}", self.name.repo, self.commit);
        let asked = Some(Asked { name: self.name, file: Some(&file.path) });
        let stream = self.client.open(&url, part.length, asked, watch)?;
        self.check(&stream)?;
        match (stream.status, stream.range()) {
            (206, Some((from, total))) if from == part.length => {
                self.check_size(&stream, total)?;
            }
            // A server that knows no parts sends the whole.
            (200, _) => {
                self.check_size(&stream, stream.length())?;
                part.restart(file)?;
            }
            (416, _) => return Err(self.wrong_size(&stream, part.length).into()),
            _ => {
                let reason = "another part than was asked for".to_owned();
                return Err(Trouble::Lost { host: stream.host, reason });
            }
        }
        while part.length < file.size {
            let Some(bytes) = stream.next(watch)? else {
                let reason = "the connection ended early".to_owned();
                return Err(Trouble::Lost { host: stream.host, reason });
            };
            if part.length + bytes.len() as u64 > file.size {
                let found = part.length + bytes.len() as u64;
                // Which of the bytes are the file's is not known.
                part.restart(file)?;
                return Err(self.wrong_size(&stream, found).into());
            }
            part.write(&bytes)?;
            watch.progress.done = start + part.length;
            watch.look()?;
        }
        Ok(())
    }

    /// Whether what comes is the file at all, by what the server says of it.
    fn check(&self, stream: &Stream) -> Result<(), HubError> {
        let expected = self.file.hash.name();
        // Servers behind the hub name contents in ways of their own.
        if let Some(etag) = &stream.etag
            && etag.len() == expected.len()
            && etag != expected
        {
            return Err(HubError::Changed { file: self.file.path.clone() });
        }
        stream.refuse_web_page(&format!("the file `{}`", self.file.path))
    }

    fn check_size(&self, stream: &Stream, found: Option<u64>) -> Result<(), HubError> {
        match found {
            Some(found) if found != self.file.size => Err(self.wrong_size(stream, found)),
            _ => Ok(()),
        }
    }

    fn wrong_size(&self, stream: &Stream, found: u64) -> HubError {
        let (file, expected) = (self.file.path.clone(), self.file.size);
        HubError::WrongSize { file, host: stream.host.clone(), expected, found }
    }

    /// Gives a whole part its name, once it is on the disk.
    fn keep(&self, part: &Part) -> Result<(), HubError> {
        let blob = self.store.blob(self.file);
        let keep = || {
            part.file.sync_all()?;
            if !is_at(&part.file, &part.path) {
                return Err(io::Error::other("another program has replaced the part"));
            }
            fs::rename(&part.path, &blob)
        };
        keep().map_err(|source| HubError::Write { path: part.path.clone(), source })
    }
}

impl Part {
    /// Opens what is there of a file, and hashes it.
    fn open(
        path: &PathBuf,
        of: &RemoteFile,
        start: u64,
        watch: &mut Watch<'_>,
    ) -> Result<Self, HubError> {
        let mut part = Self {
            path: path.clone(),
            file: create(path)?,
            length: 0,
            hasher: Hasher::new(of),
            is_resumed: false,
        };
        let mut bytes = vec![0; 1 << 20];
        loop {
            let n = part
                .file
                .read(&mut bytes)
                .map_err(|source| HubError::Read { path: path.clone(), source })?;
            if n == 0 {
                return Ok(part);
            }
            part.is_resumed = true;
            part.length += n as u64;
            if part.length > of.size {
                part.restart(of)?;
                return Ok(part);
            }
            part.hasher.add(&bytes[..n]);
            watch.progress.done = start + part.length;
            watch.look()?;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        let write = self.file.write_all(bytes);
        write.map_err(|source| HubError::Write { path: self.path.clone(), source })?;
        self.hasher.add(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Throws away what is there. The file is a new one: where locks do not hold, another program may
    /// have given the old one its name.
    fn restart(&mut self, of: &RemoteFile) -> Result<(), HubError> {
        if self.length > 0 {
            let removed = fs::remove_file(&self.path);
            removed.map_err(|source| HubError::Write { path: self.path.clone(), source })?;
            self.file = create(&self.path)?;
        }
        (self.length, self.hasher, self.is_resumed) = (0, Hasher::new(of), false);
        Ok(())
    }

    fn hash(&mut self) -> String {
        match &mut self.hasher {
            Hasher::Sha256(hasher) => hex(&hasher.finalize_reset()),
            Hasher::GitBlob(hasher) => hex(&hasher.finalize_reset()),
        }
    }

    fn discard(self) {
        // If it stays, its hash is found to be wrong again.
        _ = fs::remove_file(self.path);
    }
}

impl Hasher {
    fn new(of: &RemoteFile) -> Self {
        match of.hash {
            Hash::Sha256(_) => Self::Sha256(Sha256::new()),
            Hash::GitBlob(_) => {
                Self::GitBlob(Sha1::new().chain_update(format!("blob {}\0", of.size)))
            }
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::GitBlob(hasher) => hasher.update(bytes),
        }
    }
}

fn create(path: &PathBuf) -> Result<File, HubError> {
    let mut options = OpenOptions::new();
    options
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(|source| HubError::Write { path: path.clone(), source })
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}
