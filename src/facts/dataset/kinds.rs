//! What a file is that is no text, by its first bytes, and text in other encodings than UTF-8.

use std::borrow::Cow;
use std::path::Path;

/// Files that people pick by mistake: first bytes, what the file is, and what to do.
const OTHER_FILES: &[(&[u8], &str, &str)] = &[
    (super::PARQUET, "a Parquet file, which takes the feature `parquet`", TO_TEXT),
    (b"PARE", "an encrypted Parquet file", "write it without encryption"),
    (b"\x1f\x8b", "a gzip archive", UNPACK),
    (b"BZh", "a bzip2 archive", UNPACK),
    (b"\xfd7zXZ\0", "an xz archive", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", UNPACK),
    (b"\x04\x22\x4d\x18", "an LZ4 archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"ARROW1", "an Arrow file", TO_PARQUET),
    (b"FEA1", "a Feather file", TO_PARQUET),
    (b"\xff\xff\xff\xff", "an Arrow stream, as `save_to_disk` writes it", TO_PARQUET),
    (b"ORC", "an ORC file", TO_PARQUET),
    (b"Obj\x01", "an Avro file", TO_PARQUET),
    (b"\x89HDF", "an HDF5 file", TO_PARQUET),
    (b"\x80\x02", PICKLE, TO_TEXT),
    (b"\x80\x03", PICKLE, TO_TEXT),
    (b"\x80\x04", PICKLE, TO_TEXT),
    (b"\x80\x05", PICKLE, TO_TEXT),
    (b"\x93NUMPY", "an array of numpy's", TO_TEXT),
    (b"SQLite format 3\0", "an SQLite database", "export the table of facts as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook or another Office file", SPREADSHEET),
    (b"{\\rtf", "a Rich Text document", "save it as plain text"),
    (b"%PDF", "a PDF document", "save the facts as JSON or CSV"),
    (b"\x89PNG", "a picture", "choose a JSON, CSV or Parquet file"),
    (b"GGUF", "a model's weights", "choose a JSON, CSV or Parquet file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file", "fetch it with `git lfs pull`"),
    (b"<!doctype", PAGE, RAW),
    (b"<html", PAGE, RAW),
    (b"<head", PAGE, RAW),
    (b"<?xml", "an XML file", TO_TEXT),
    (b"404: not found", ANSWER, RAW),
    (b"entry not found", ANSWER, RAW),
    (b"invalid username or password", ANSWER, RAW),
    (b"access to dataset", ANSWER, RAW),
    (b"access to model", ANSWER, RAW),
    (b"too many requests", ANSWER, RAW),
    (b"repository not found", ANSWER, RAW),
    (b"http/1.", ANSWER, RAW),
    (b"http/2 ", ANSWER, RAW),
    (b"git-annex pointer", ANNEX, "fetch it with `git annex get`"),
    (b"/annex/objects/", ANNEX, "fetch it with `git annex get`"),
    (b".git/annex/objects/", ANNEX, "fetch it with `git annex get`"),
    (b"../.git/annex/objects/", ANNEX, "fetch it with `git annex get`"),
    (b"outs:\n- md5:", "a DVC pointer, not the file", "fetch it with `dvc pull`"),
    (b"<stata_dta>", "a file of Stata's", TO_TEXT),
    (b"$fl2@(#)", "a file of SPSS's", TO_TEXT),
    (b"(lp0", PICKLE, TO_TEXT),
    (b"(dp0", PICKLE, TO_TEXT),
    (b"ccopy_reg", PICKLE, TO_TEXT),
    (b"cpandas", PICKLE, TO_TEXT),
    (b"\xff\xfe\0\0", "UTF-32 text", "save it as UTF-8"),
    (b"\0\0\xfe\xff", "UTF-32 text", "save it as UTF-8"),
];

/// What a zip archive is by a file in it.
const ZIPPED: &[(&[u8], &str, &str)] = &[
    (b"xl/", "an Excel workbook", SPREADSHEET),
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet", SPREADSHEET),
    (b"Index/Document.iwa", "a Numbers spreadsheet", SPREADSHEET),
    (b"word/", "a Word document", "save the facts as JSON or CSV"),
    (b"opendocument.text", "an OpenDocument text", "save the facts as JSON or CSV"),
    (b"data.pkl", "a PyTorch file, which could run code", TO_TEXT),
    (b".npy", "arrays of numpy's", TO_TEXT),
];

const TO_TEXT: &str = "save it as JSON or CSV";
const TO_PARQUET: &str = "save it with `to_parquet`, `to_json` or `to_csv`";
const UNPACK: &str = "unpack it first";
const SPREADSHEET: &str = "save the sheet with the facts as CSV in UTF-8";
const PICKLE: &str = "a Python pickle, which could run code";
const PAGE: &str = "a web page, not the file";
const ANSWER: &str = "what a server answered, not the file";
const ANNEX: &str = "a git-annex pointer, not the file";
const RAW: &str = "download the file itself, such as the `raw` one of GitHub";

/// Files with facts that only their names tell from tables and JSON.
const NAMED: &[(&[&str], &str, &str)] = &[
    (&["yaml", "yml"], "a YAML file", TO_TEXT),
    (&["toml"], "a TOML file", TO_TEXT),
    (&["json5", "jsonc", "hjson"], "a file in a dialect of JSON", "save it as plain JSON"),
    (&["ttl", "nt", "nq", "n3", "trig", "rdf", "owl"], "a file of RDF triples", TRIPLES),
    (&["sql"], "a script of SQL", "export the table of facts as CSV"),
    (&["py", "js", "ts", "r", "jl"], "a program", "let it write the facts as JSON or CSV"),
    (&["ipynb"], "a notebook", "let it write the facts as JSON or CSV"),
    (&["md", "rst", "tex", "org", "html", "htm"], "a document", "save the facts as JSON or CSV"),
    (&["xml"], "an XML file", TO_TEXT),
    (&["dta"], "a file of Stata's", TO_TEXT),
    (&["sav"], "a file of SPSS's", TO_TEXT),
    (&["sas7bdat", "xpt"], "a file of SAS's", TO_TEXT),
    (&["rds", "rda", "rdata"], "a file of R's", TO_TEXT),
    (&["pkl", "pickle", "joblib"], PICKLE, TO_TEXT),
    (&["msgpack", "bson", "cbor", "pb", "tfrecord"], "a file in a binary form", TO_TEXT),
    (
        &["db", "sqlite", "duckdb", "lance", "mdb", "dbf"],
        "a database",
        "export the table of facts as CSV",
    ),
    (&["safetensors", "bin", "pt", "pth", "gguf", "ckpt"], "a model's weights", CHOOSE),
    (&["factscope"], "a session of this program", "open it as a session"),
];

const TRIPLES: &str =
    "save it as CSV with the columns `subject`, `relation` and `object`, by names";
const CHOOSE: &str = "choose a JSON, CSV or Parquet file";

/// What a file is by the ending of its name where it holds no facts that can be read, and what to do.
pub(super) fn by_name(path: &Path) -> Option<(&'static str, &'static str)> {
    let ending = path.extension()?.to_str()?.to_lowercase();
    let named = NAMED.iter().find(|(endings, ..)| endings.contains(&ending.as_str()));
    named.map(|(_, what, remedy)| (*what, *remedy))
}

/// How many bytes of an archive, at either end, are searched for the names of its files.
const N_SEARCHED: usize = 1 << 16;

/// What a file is that is no text, and what to do. `None` for what may be text.
///
/// `by_name` says the same by the file's name.
pub(super) fn other(
    bytes: &[u8],
    by_name: impl Fn() -> Option<(&'static str, &'static str)>,
) -> Option<(&'static str, &'static str)> {
    if bytes.starts_with(b"PK\x03\x04") {
        let ends = [
            &bytes[..bytes.len().min(N_SEARCHED)],
            &bytes[bytes.len().saturating_sub(N_SEARCHED)..],
        ];
        let has = |name: &[u8]| ends.iter().any(|it| it.windows(name.len()).any(|it| it == name));
        let zipped = ZIPPED.iter().find(|(name, ..)| has(name));
        return Some(zipped.map_or(("a zip archive", UNPACK), |(_, what, remedy)| (what, remedy)));
    }
    let start = bytes.trim_ascii_start();
    let starts = |bytes: &[u8], magic: &[u8]| {
        bytes.get(..magic.len()).is_some_and(|it| it.eq_ignore_ascii_case(magic))
    };
    let named = OTHER_FILES.iter().find(|(magic, ..)| starts(bytes, magic) || starts(start, magic));
    // R packs its files with gzip.
    let named = named.filter(|it| it.2 != UNPACK || by_name().is_none());
    let tar = bytes.get(257..262) == Some(b"ustar");
    named
        .map(|(_, what, remedy)| (*what, *remedy))
        .or_else(|| tar.then_some(("a tar archive", UNPACK)))
        .or_else(|| {
            let utf16 = ("no text, or UTF-16 text without a mark", "save it as UTF-8");
            let damaged = ("a text with zeros in it (NUL)", "take them out, or get the file again");
            let n_zeros = n_zeros(bytes);
            let unknown = if 8 * n_zeros < bytes.len().min(N_SEARCHED) { damaged } else { utf16 };
            (n_zeros > 0).then(|| by_name().unwrap_or(unknown))
        })
}

/// What a text is that holds facts and is no file of them: one that git could not merge, or the changes of one.
pub(super) fn of_git(text: &str) -> Option<(&'static str, &'static str)> {
    if is_unmerged(text) {
        let what =
            "a file with a conflict that git could not merge (`<<<<<<<`, `=======`, `>>>>>>>`)";
        return Some((what, "choose one side of each conflict first"));
    }
    let start = text.trim_start();
    let mut lines = start.lines();
    let mut next_is = |begins: &str| lines.next().is_some_and(|it| it.starts_with(begins));
    let is_diff =
        start.starts_with("diff --git ") || next_is("--- ") && next_is("+++ ") && next_is("@@ -");
    is_diff
        .then_some(("a list of changes (a diff), not the file", "apply it with `git apply` first"))
}

/// Whether the marks of a conflict begin lines of a text, in their order.
fn is_unmerged(text: &str) -> bool {
    let mut at = 0;
    ["<<<<<<<", "=======", ">>>>>>>"].into_iter().all(|mark| {
        let mut found = text[at..].match_indices(mark).map(|it| at + it.0);
        let is_line = |it: &usize| {
            let begins = *it == 0 || text[..*it].ends_with('\n');
            begins && text[it + mark.len()..].chars().next().is_none_or(char::is_whitespace)
        };
        let found = found.find(is_line);
        at = found.map_or(at, |it| it + mark.len());
        found.is_some()
    })
}

/// Whether a file begins with the mark of UTF-16.
pub(super) fn is_utf16(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff")
}

/// How many zeros there are in what is no UTF-16 text with a mark.
fn n_zeros(bytes: &[u8]) -> usize {
    if is_utf16(bytes) { 0 } else { bytes.iter().take(N_SEARCHED).filter(|it| **it == 0).count() }
}

/// The text of a file without its mark, in UTF-8 or in UTF-16 as Excel writes it. The error is the
/// byte from which on it is neither.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, usize> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes.as_chunks::<2>();
        let text = String::from_utf16(&units.iter().map(|it| unit(*it)).collect::<Vec<_>>());
        text.ok().filter(|_| rest.is_empty()).map(Cow::Owned).ok_or(0)
    };
    if let Some(bytes) = bytes.strip_prefix(b"\xff\xfe") {
        return utf16(bytes, u16::from_le_bytes);
    }
    if let Some(bytes) = bytes.strip_prefix(b"\xfe\xff") {
        return utf16(bytes, u16::from_be_bytes);
    }
    let text = str::from_utf8(bytes).map_err(|error| error.valid_up_to())?;
    // Old programs of DOS end a text so.
    let text = text.trim_end_matches('\u{1a}');
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text).into())
}
