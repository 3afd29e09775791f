//! How a file carries a record: SVG as `<metadata>`, PNG as a chunk of text, PDF as an attached file.

use std::collections::BTreeMap;
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

    #[error("the record that this picture carries has no chart: its numbers were taken out")]
    NoCharts,

    #[error("cut short: its end, `{0}`, is not there; copy or export it again")]
    CutShort(&'static str),

    #[error(
        "its line ends were changed to CRLF, as git does where core.autocrlf is on, so that it cannot be \
         told whether more was changed: change them back to LF, or write `*.svg -text` into \
         .gitattributes and check it out again"
    )]
    LineEnds,
}

/// The file of a picture without its record, and what else the record's hash is of.
pub struct Drawing {
    pub(super) bytes: Vec<u8>,

    /// The record as it stands in the file, as JSON.
    pub(super) json: String,

    /// Whether the file is the drawing and the record, put together as this program does it, and no
    /// byte besides.
    pub(super) is_put_together: bool,
}

const SVG_START: &str = "<metadata id=\"factscope\">";
const SVG_END: &str = "</metadata>\n";
const PNG_MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";
const PNG_KEYWORD: &[u8] = b"factscope";

/// What follows the keyword and its end: the text is compressed, by zlib, in no language, under no other
/// keyword.
const PNG_FORM: &[u8] = b"\x01\0\0\0";

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
    svg_with(svg, &record.beside(svg.as_bytes()))
}

fn svg_with(svg: &str, json: &str) -> String {
    let json = json.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let end = svg.rfind("</svg>").unwrap_or(svg.len());
    let (shapes, end) = svg.split_at(end);
    format!("{shapes}{SVG_START}{json}{SVG_END}{end}")
}

/// A PNG with a record in it.
pub(in crate::figure) fn in_png(png: &[u8], record: &Record) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let stream = encoder.write_all(record.beside(png).as_bytes()).and_then(|()| encoder.finish());
    png_with(png, &stream.expect("memory can be written to"))
}

fn png_with(png: &[u8], stream: &[u8]) -> Vec<u8> {
    let chunk = [b"iTXt", PNG_KEYWORD, b"\0", PNG_FORM, stream].concat();
    let mut crc = Crc::new();
    crc.update(&chunk);
    let pixels = png.strip_suffix(PNG_END).unwrap_or(png);
    let n_bytes = (chunk.len() - 4) as u32;
    [pixels, &n_bytes.to_be_bytes(), &chunk, &crc.sum().to_be_bytes(), PNG_END].concat()
}

/// A PDF with the stream of a record in the object of a number, its last, and with the table of all objects
/// and the end, as `pdf_writer` writes them. `None` where the drawing lacks an object.
fn pdf_with(drawing: &[u8], record: usize, stream: &[u8]) -> Option<Vec<u8>> {
    let mut places = BTreeMap::from([(record, drawing.len())]);
    let mark = b" 0 obj\n";
    for place in (0..drawing.len()).filter(|it| drawing[*it..].starts_with(mark)) {
        let n_digits = drawing[..place].iter().rev().take_while(|it| it.is_ascii_digit()).count();
        let start = place - n_digits;
        if drawing[..start].ends_with(b"\n") {
            let number = str::from_utf8(&drawing[start..place]).ok()?.parse().ok()?;
            places.entry(number).or_insert(start);
        }
    }
    let n_bytes = stream.len();
    let mut file = drawing.to_vec();
    let head = format!(
        "{record} 0 obj\n<<\n  /Length {n_bytes}\n  /Type /EmbeddedFile\n  /Filter /FlateDecode\n>>\nstream\n"
    );
    file.extend(head.as_bytes());
    file.extend(stream);
    file.extend(b"\nendstream\nendobj\n\n");
    let (table, n) = (file.len(), places.len() + 1);
    let mut end = format!("xref\n0 {n}\n0000000000 65535 f\r\n");
    for number in 1..n {
        _ = write!(end, "{:010} 00000 n\r\n", places.get(&number)?);
    }
    // The catalog is the first object of each page that is drawn, and what the title is in the fifth.
    _ = write!(
        end,
        "trailer\n<<\n  /Size {n}\n  /Root 1 0 R\n  /Info 5 0 R\n>>\nstartxref\n{table}\n%%EOF"
    );
    file.extend(end.as_bytes());
    Some(file)
}

/// The record that the file of a picture carries, and the file without it.
///
/// # Errors
///
/// If the file is no picture, or carries no record that can be read.
pub fn carried(file: &[u8]) -> Result<(Record, Drawing), NoRecord> {
    let drawing = if file.starts_with(PNG_MAGIC) {
        of_png(file)?
    } else if file.starts_with(b"%PDF-") {
        of_pdf(file)?
    } else {
        of_svg(file)?
    };
    let record: Record =
        serde_json::from_str(&drawing.json).map_err(|it| NoRecord::Damaged(it.to_string()))?;
    // One chart alone may be of any of the results on a page.
    if record.charts.is_empty() && record.others.iter().all(|it| it.charts.is_empty()) {
        return Err(NoRecord::NoCharts);
    }
    Ok((record, drawing))
}

fn of_svg(file: &[u8]) -> Result<Drawing, NoRecord> {
    let text = match str::from_utf8(file) {
        Ok(text) => text,
        // Cut within a character.
        Err(it) if it.error_len().is_none() => {
            str::from_utf8(&file[..it.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return Err(NoRecord::OtherFile),
    };
    if !text.contains("<svg") {
        return Err(NoRecord::OtherFile);
    }
    if !text.contains("</svg>") {
        return Err(NoRecord::CutShort("</svg>"));
    }
    let (shapes, rest) = text.split_once(SVG_START).ok_or(NoRecord::Missing)?;
    let missing = if text.contains("\r\n") { NoRecord::LineEnds } else { NoRecord::Missing };
    let (json, end) = rest.split_once(SVG_END).ok_or(missing)?;
    let json = json.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let drawing = format!("{shapes}{end}");
    let is_put_together = svg_with(&drawing, &json).as_bytes() == file;
    Ok(Drawing { bytes: drawing.into_bytes(), json, is_put_together })
}

fn of_png(file: &[u8]) -> Result<Drawing, NoRecord> {
    let mut found = None;
    let mut start = PNG_MAGIC.len();
    loop {
        let chunk = png_chunk(file, start).ok_or(NoRecord::CutShort("IEND"))?;
        let content = &file[chunk.clone()];
        let end = chunk.end + 4;
        let text = content.strip_prefix(b"iTXt").and_then(|it| it.strip_prefix(PNG_KEYWORD));
        if let (None, Some(text)) = (&found, text.and_then(|it| it.strip_prefix(b"\0"))) {
            found = Some((text, start..end));
        }
        if content.starts_with(b"IEND") {
            break;
        }
        start = end;
    }
    let (text, place) = found.ok_or(NoRecord::Missing)?;
    let stream = text.strip_prefix(PNG_FORM).ok_or(NoRecord::Missing)?;
    let bytes = [&file[..place.start], &file[place.end..]].concat();
    let (json, n_read) = inflated(stream)?;
    let is_put_together = n_read == stream.len() && png_with(&bytes, stream) == file;
    Ok(Drawing { bytes, json, is_put_together })
}

/// The name and the content of the chunk of a PNG that starts at a byte with its length, and ends with a
/// checksum.
fn png_chunk(file: &[u8], start: usize) -> Option<Range<usize>> {
    let n_bytes = file.get(start..)?.first_chunk()?;
    let name = start + 4;
    let end = (name + 4).checked_add(u32::from_be_bytes(*n_bytes) as usize)?;
    (end + 4 <= file.len()).then_some(name..end)
}

fn of_pdf(file: &[u8]) -> Result<Drawing, NoRecord> {
    // Fonts in a PDF have lines `%%EOF` of their own.
    let end = last(file, b"startxref").and_then(|it| first(&file[it..], b"%%EOF"));
    end.ok_or(NoRecord::CutShort("%%EOF"))?;
    let mark = last(file, PDF_MARK).ok_or(NoRecord::Missing)?;
    let object = last(&file[..mark], b" 0 obj").ok_or(NoRecord::Missing)?;
    let n_digits = file[..object].iter().rev().take_while(|it| it.is_ascii_digit()).count();
    let number =
        str::from_utf8(&file[object - n_digits..object]).ok().and_then(|it| it.parse().ok());
    let bytes = file[..object - n_digits].to_vec();
    let rest = &file[mark..];
    let start = first(rest, b"stream").ok_or(NoRecord::Missing)? + b"stream".len();
    let stream = rest[start..].trim_ascii_start();
    let (json, n_read) = inflated(stream)?;
    let whole = number.and_then(|it| pdf_with(&bytes, it, &stream[..n_read]));
    Ok(Drawing { is_put_together: whole.is_some_and(|it| it == file), bytes, json })
}

fn first(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|it| it == wanted)
}

fn last(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).rposition(|it| it == wanted)
}

/// A compressed text that some bytes begin with, and how many of them it takes.
fn inflated(bytes: &[u8]) -> Result<(String, usize), NoRecord> {
    let mut inflated = String::new();
    let most = UNPACKED_BESIDES + UNPACKED_PER_BYTE * bytes.len() as u64;
    let mut decoder = ZlibDecoder::new(bytes).take(most);
    decoder.read_to_string(&mut inflated).map_err(|it| NoRecord::Damaged(it.to_string()))?;
    let n_read = decoder.into_inner().total_in() as usize;
    Ok((inflated, n_read.min(bytes.len())))
}
