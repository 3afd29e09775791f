//! A session as a file: a head that tells what it is and whether it is whole, then the data.
//!
//! The data are CBOR, which keeps every bit of an `f32` and has room for NaN, as JSON has not,
//! compressed with zlib.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use sha2::{Digest as _, Sha256};

use super::Session;
use crate::analysis::AnalysisResult;
use crate::text_file::something_else;
use crate::whole_file;

/// The file extension of sessions, without the dot.
pub const EXTENSION: &str = "factscope";

/// The version of the data's layout. Files of a newer version are not read.
pub const VERSION: u32 = 4;

/// The bytes that a session file begins with, before the version.
const MAGIC: &[u8; 12] = b"factscope\r\n\x1a";
const N_HASH: usize = 32;

/// The length of the head: magic, version, length of the data, hash of the data.
const N_HEAD: usize = MAGIC.len() + 4 + 8 + N_HASH;

/// Bytes that data may unpack to, for each of theirs and besides: a small file must not fill the memory.
/// Sessions unpack to four times their size. One that would unpack to more is written without being packed.
const UNPACKED_PER_BYTE: u64 = 16;
const UNPACKED_BESIDES: u64 = 64 << 20;

/// Why a session cannot be read or written. Each message names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("cannot read the session: {source}: {path}")]
    Read { path: PathBuf, source: io::Error },

    #[error("cannot write the session: {source}: {path}")]
    Write { path: PathBuf, source: io::Error },

    #[error("this is no session of Factscope; “Save session” writes one: {0}")]
    NoSession(PathBuf),

    #[error("this is {what}, not a session of Factscope; {remedy}: {path}")]
    SomethingElse { what: &'static str, remedy: &'static str, path: PathBuf },

    #[error(
        "a newer Factscope wrote this session (format {version}; this one reads up to {VERSION}); \
         open it with that one: {path}"
    )]
    Newer { path: PathBuf, version: u32 },

    #[error("the session is cut short: it has {len} bytes of {expected}; copy it again: {path}")]
    Truncated { path: PathBuf, len: usize, expected: u64 },

    #[error("the session is damaged: its data do not match their hash; copy it again: {0}")]
    Damaged(PathBuf),

    #[error("the session cannot be used: {reason}; save it anew where it was made: {path}")]
    Invalid { path: PathBuf, reason: String },
}

impl Session {
    /// Reads a file, and checks that all of it can be shown.
    pub fn load(path: &Path) -> Result<Self, SessionError> {
        let bytes = whole_file::read(path)
            .map_err(|source| SessionError::Read { path: path.to_owned(), source })?;
        let data = data_of(&bytes, path)?;
        let invalid = |reason: String| SessionError::Invalid { path: path.to_owned(), reason };
        let mut unpacked = ZlibDecoder::new(data).take(most_unpacked(data.len()));
        let session = ciborium::from_reader(io::BufReader::new(&mut unpacked));
        let session: Self = session.map_err(|error| match unpacked.limit() {
            0 => invalid("its data unpack to far more than a session has".to_owned()),
            _ => invalid(in_words(&error)),
        })?;
        session.check().map_err(invalid)?;
        Ok(session)
    }

    /// Writes a file, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), SessionError> {
        let failed = |source| SessionError::Write { path: path.to_owned(), source };
        whole_file::write(path, &self.to_bytes().map_err(failed)?).map_err(failed)
    }

    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let (mut data, n_unpacked) = self.packed(Compression::fast())?;
        if n_unpacked > most_unpacked(data.len()) {
            (data, _) = self.packed(Compression::none())?;
        }
        let mut bytes = Vec::with_capacity(N_HEAD + data.len());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((data.len() as u64).to_le_bytes());
        bytes.extend(Sha256::digest(&data));
        bytes.extend(data);
        Ok(bytes)
    }

    /// The data, and how many bytes they are unpacked.
    fn packed(&self, compression: Compression) -> io::Result<(Vec<u8>, u64)> {
        let mut encoder = ZlibEncoder::new(Vec::new(), compression);
        {
            let mut buffered = io::BufWriter::new(&mut encoder);
            ciborium::into_writer(self, &mut buffered).map_err(io::Error::other)?;
            buffered.flush()?;
        }
        let n_unpacked = encoder.total_in();
        Ok((encoder.finish()?, n_unpacked))
    }
}

/// The most bytes that data may unpack to.
fn most_unpacked(n_bytes: usize) -> u64 {
    UNPACKED_BESIDES + UNPACKED_PER_BYTE * n_bytes as u64
}

/// What is wrong with data whose hash is right.
fn in_words(error: &ciborium::de::Error<io::Error>) -> String {
    match error {
        ciborium::de::Error::Semantic(_, reason) => {
            reason.replace("missing field", "it lacks the field")
        }
        ciborium::de::Error::Syntax(at) => format!("its data are not valid from byte {at} on"),
        other => other.to_string(),
    }
}

/// How many bytes a result takes in a file before it is compressed.
///
/// # Panics
///
/// Never: results are numbers and text.
pub fn n_bytes(result: &AnalysisResult) -> u64 {
    struct Counter(u64);

    impl io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut counter = Counter(0);
    ciborium::into_writer(result, &mut counter).expect("results are numbers and text");
    counter.0
}

/// The data after the head, if their length and hash are those that the head names.
fn data_of<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a [u8], SessionError> {
    let path = || path.to_owned();
    let Some(rest) = bytes.strip_prefix(MAGIC) else {
        return Err(match something_else(bytes) {
            Some((what, remedy)) => SessionError::SomethingElse { what, remedy, path: path() },
            None => SessionError::NoSession(path()),
        });
    };
    let truncated =
        |expected: u64| SessionError::Truncated { path: path(), len: bytes.len(), expected };
    let short = || truncated(N_HEAD as u64);
    let (version, rest) = rest.split_first_chunk().ok_or_else(short)?;
    let version = u32::from_le_bytes(*version);
    if version > VERSION {
        return Err(SessionError::Newer { path: path(), version });
    }
    let (len, rest) = rest.split_first_chunk().ok_or_else(short)?;
    let (hash, data) = rest.split_first_chunk::<N_HASH>().ok_or_else(short)?;
    let len = u64::from_le_bytes(*len);
    if (data.len() as u64) < len {
        return Err(truncated(len.saturating_add(N_HEAD as u64)));
    }
    if data.len() as u64 != len || Sha256::digest(data)[..] != hash[..] {
        return Err(SessionError::Damaged(path()));
    }
    Ok(data)
}
