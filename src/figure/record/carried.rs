//! How a file carries a record: SVG as `<metadata>`, PNG as a chunk of text, PDF as an attached file.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::ops::Range;

use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use super::Record;

/// Why a file tells no record.
#[derive(Debug, thiserror::Error)]
pub enum NoRecord {
    #[error("neither an SVG, nor a PDF, nor a PNG; only pictures carry what they were made of")]
    OtherFile,

    #[error(
        "this picture carries no record of what it was made of: another program has written or saved \
         it, or its numbers are not those of single results"
    )]
    Missing,

    #[error("the record that this picture carries is damaged: {0}")]
    Damaged(String),
}

const SVG_START: &str = "<metadata id=\"factscope\">";
const SVG_END: &str = "</metadata>\n";
const PNG_MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";
const PNG_KEYWORD: &[u8] = b"factscope";

/// The chunk that ends a PNG: its length, its name, its checksum.
const PNG_END: &[u8] = b"\0\0\0\0IEND\xaeB`\x82";

/// What the file in a PDF is called.
pub(in crate::figure) const PDF_NAME: &str = "factscope.json";

/// What the object of a PDF that holds an attached file says of itself.
const PDF_MARK: &[u8] = b"/Type /EmbeddedFile";

/// Bytes that a record may unpack to, for each of the file's and besides: a small file must not fill the
/// memory. Records unpack to ten times their size.
const UNPACKED_PER_BYTE: u64 = 64;
const UNPACKED_BESIDES: u64 = 4 << 20;

/// An SVG with a record in it.
pub(in crate::figure) fn in_svg(svg: &str, record: &Record) -> String {
    let json = in_ascii(&record.beside(svg.as_bytes()));
    let json = json.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let end = svg.rfind("</svg>").unwrap_or(svg.len());
    let (shapes, end) = svg.split_at(end);
    format!("{shapes}{SVG_START}{json}{SVG_END}{end}")
}

/// A PNG with a record in it.
pub(in crate::figure) fn in_png(png: &[u8], record: &Record) -> Vec<u8> {
    let json = record.beside(png);
    let mut chunk = b"iTXt".to_vec();
    chunk.extend(PNG_KEYWORD);
    // The keyword's end, the text compressed, by zlib, in no language, under no other keyword.
    chunk.extend(b"\0\x01\0\0\0");
    let mut encoder = ZlibEncoder::new(chunk, Compression::default());
    let chunk = encoder.write_all(json.as_bytes()).and_then(|()| encoder.finish());
    let chunk = chunk.expect("memory can be written to");
    let mut crc = Crc::new();
    crc.update(&chunk);
    let pixels = png.strip_suffix(PNG_END).unwrap_or(png);
    let n_bytes = (chunk.len() - 4) as u32;
    [pixels, &n_bytes.to_be_bytes(), &chunk, &crc.sum().to_be_bytes(), PNG_END].concat()
}

/// The record that the file of a picture carries, and the file without it.
///
/// # Errors
///
/// If the file is no picture, or carries no record that can be read.
pub fn carried(file: &[u8]) -> Result<(Record, Vec<u8>), NoRecord> {
    let (json, drawing) = if file.starts_with(PNG_MAGIC) {
        of_png(file)?
    } else if file.starts_with(b"%PDF-") {
        of_pdf(file)?
    } else {
        of_svg(file)?
    };
    let record = serde_json::from_slice(&json).map_err(|it| NoRecord::Damaged(it.to_string()))?;
    Ok((record, drawing))
}

fn of_svg(file: &[u8]) -> Result<(Vec<u8>, Vec<u8>), NoRecord> {
    let text = str::from_utf8(file).ok().ok_or(NoRecord::OtherFile)?;
    if !text.contains("<svg") {
        return Err(NoRecord::OtherFile);
    }
    let (shapes, rest) = text.split_once(SVG_START).ok_or(NoRecord::Missing)?;
    let (json, end) = rest.split_once(SVG_END).ok_or(NoRecord::Missing)?;
    let json = json.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    Ok((json.into_bytes(), format!("{shapes}{end}").into_bytes()))
}

fn of_png(file: &[u8]) -> Result<(Vec<u8>, Vec<u8>), NoRecord> {
    let mut start = PNG_MAGIC.len();
    while let Some(chunk) = png_chunk(file, start) {
        let text = file[chunk.clone()].strip_prefix(b"iTXt");
        if let Some(text) = text.and_then(|it| it.strip_prefix(PNG_KEYWORD)?.strip_prefix(b"\0")) {
            // What follows the keyword: compressed or not, the method, and the ends of two texts.
            let text = text.strip_prefix(b"\x01\0\0\0").ok_or(NoRecord::Missing)?;
            let end = chunk.end + 4;
            let drawing = [&file[..start], file.get(end..).unwrap_or_default()].concat();
            return Ok((inflated(text)?, drawing));
        }
        start = chunk.end + 4;
    }
    Err(NoRecord::Missing)
}

/// The name and the content of the chunk of a PNG that starts at a byte with its length.
fn png_chunk(file: &[u8], start: usize) -> Option<Range<usize>> {
    let n_bytes = file.get(start..)?.first_chunk()?;
    let name = start + 4;
    let end = (name + 4).checked_add(u32::from_be_bytes(*n_bytes) as usize)?;
    (end <= file.len()).then_some(name..end)
}

fn of_pdf(file: &[u8]) -> Result<(Vec<u8>, Vec<u8>), NoRecord> {
    let mark = last(file, PDF_MARK).ok_or(NoRecord::Missing)?;
    let object = last(&file[..mark], b" 0 obj").ok_or(NoRecord::Missing)?;
    let n_digits = file[..object].iter().rev().take_while(|it| it.is_ascii_digit()).count();
    let rest = &file[mark..];
    let start = first(rest, b"stream").ok_or(NoRecord::Missing)? + b"stream".len();
    let stream = rest[start..].trim_ascii_start();
    Ok((inflated(stream)?, file[..object - n_digits].to_vec()))
}

fn first(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|it| it == wanted)
}

fn last(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).rposition(|it| it == wanted)
}

fn inflated(bytes: &[u8]) -> Result<Vec<u8>, NoRecord> {
    let mut inflated = Vec::new();
    ZlibDecoder::new(bytes)
        .take(UNPACKED_BESIDES + UNPACKED_PER_BYTE * bytes.len() as u64)
        .read_to_end(&mut inflated)
        .map_err(|error| NoRecord::Damaged(error.to_string()))?;
    Ok(inflated)
}

/// JSON with its other characters spelled out: XML cannot hold all that prompts can.
fn in_ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}
