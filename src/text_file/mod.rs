//! Text files that others have written: read without their mark, and told for what they are where they
//! are something else.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use serde::de::{DeserializeOwned, IgnoredAny};

use crate::whole_file;

mod misread;

pub use misread::Misread;

/// The largest file beside a model's weights that is read, in bytes. Numbers in JSON may take sixteen
/// times as much in memory.
const MOST: u64 = 4 << 20;

/// The largest vocabulary that is read, in bytes.
pub const MOST_OF_VOCABULARY: u64 = 256 << 20;

/// The text of a file of at most a few MiB. The error says what is wrong, and what to do.
pub fn read(path: &Path) -> Result<String, String> {
    read_up_to(path, MOST)
}

/// The text of a file of at most so many bytes.
pub fn read_up_to(path: &Path, most: u64) -> Result<String, String> {
    let n_bytes = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if n_bytes > most {
        return Err(format!(
            "the file has {} MiB, and files of its kind at most {}; download it again",
            n_bytes >> 20,
            most >> 20
        ));
    }
    text_of(whole_file::read(path).map_err(|error| error.to_string())?)
}

/// The text in a file's bytes, without its mark. The error says what else it is, and what to do.
pub fn text_of(bytes: Vec<u8>) -> Result<String, String> {
    if let Some((what, remedy)) = something_else(&bytes) {
        return Err(format!("this is {what}; {remedy}"));
    }
    let mut text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("it is not UTF-8 text from byte {at} on; save it as UTF-8")
    })?;
    if text.starts_with(MARK) {
        text.drain(..MARK.len_utf8());
    }
    Ok(text)
}

/// The mark that Windows puts before UTF-8.
const MARK: char = '\u{feff}';

/// How files of a kind begin, what they are, and what to do.
type Kind<'a> = (&'a [&'a [u8]], (&'static str, &'static str));

/// What a file is that was downloaded in place of a text or of weights, and what to do.
pub fn something_else(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    const PAGE: (&str, &str) =
        ("a web page", "download the file itself, by its link “download” or with `hf download`");
    const ANSWER: (&str, &str) = ("what a server answered", "download the file itself");
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let known: [Kind<'_>; 8] = [
        (
            &[b"version https://git-lfs"],
            ("a Git LFS pointer", "run `git lfs pull` in the folder, or download the file itself"),
        ),
        (&[b"<!doctype", b"<html", b"<head", b"<body", b"<!--", b"<?xml"], PAGE),
        (
            &[
                b"404: not found",
                b"entry not found",
                b"invalid username",
                b"not found",
                b"{\"error\":",
            ],
            ANSWER,
        ),
        (&[b"\x1f\x8b"], ("a gzip archive", "unpack it")),
        (&[b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd"], ("an archive", "unpack it")),
        (
            &[b"\x89HDF"],
            (
                "an HDF5 file, as TensorFlow and Keras write it",
                "save the model with `model.save_pretrained(folder)` in PyTorch",
            ),
        ),
        (&[b"\xff\xfe", b"\xfe\xff"], ("UTF-16 text", "save it as UTF-8")),
        (&[b"bplist"], ("a property list", "download the file itself")),
    ];
    if bytes.trim_ascii().is_empty() {
        return Some(("an empty file", "download it again"));
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some(("a tar archive", "unpack it"));
    }
    let starts = |magics: &[&[u8]]| {
        magics
            .iter()
            .any(|magic| start.get(..magic.len()).is_some_and(|it| it.eq_ignore_ascii_case(magic)))
    };
    known.iter().find(|(magics, _)| starts(magics)).map(|(_, what)| *what)
}

/// JSON as Python may have written it, with `null` in place of its `NaN`. The error says where it is
/// none.
pub fn json(text: &str) -> Result<Cow<'_, str>, String> {
    let check = |text: &str| serde_json::from_str::<IgnoredAny>(text).map(drop);
    let Err(error) = check(text) else { return Ok(text.into()) };
    let mended = without_nan(text).filter(|it| check(it).is_ok());
    mended
        .map(Cow::Owned)
        .ok_or_else(|| format!("it is not valid JSON: {}", Misread::new(text, &error, 1)))
}

/// What a text in JSON holds. The error says where it is none, or what it lacks.
pub fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(&json(text)?).map_err(|error| error.to_string())
}

/// JSON with `null` in place of what Python and JavaScript write into it: `NaN`, `Infinity`,
/// `None`, and with `true` for `True`. `None` if there is nothing of that.
pub fn without_nan(text: &str) -> Option<String> {
    let mut mended = String::new();
    let (mut is_quoted, mut is_escaped, mut copied, mut at) = (false, false, 0, 0);
    let bytes = text.as_bytes();
    while let Some(c) = bytes.get(at) {
        let n = if is_quoted { 0 } else { word_length(&bytes[at..]) };
        let instead = match text.get(at..at + n).unwrap_or_default() {
            "NaN" | "nan" | "NAN" | "Infinity" | "-Infinity" | "-NaN" | "-nan" | "inf" | "-inf"
            | "Inf" | "-Inf" | "None" | "NA" | "undefined" => Some("null"),
            "True" => Some("true"),
            "False" => Some("false"),
            _ => None,
        };
        if let Some(instead) = instead {
            mended.push_str(&text[copied..at]);
            mended.push_str(instead);
            copied = at + n;
        }
        if n == 0 {
            is_quoted ^= *c == b'"' && !is_escaped;
            is_escaped = is_quoted && *c == b'\\' && !is_escaped;
        }
        at += n.max(1);
    }
    if copied == 0 {
        return None;
    }
    mended.push_str(&text[copied..]);
    Some(mended)
}

/// The bytes of the word that a text begins with, with a minus before it.
fn word_length(text: &[u8]) -> usize {
    let minus = usize::from(text.first() == Some(&b'-'));
    let letters = text[minus..].iter().take_while(|it| it.is_ascii_alphabetic()).count();
    if letters == 0 { 0 } else { minus + letters }
}
