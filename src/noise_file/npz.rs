//! Arrays by name, as `numpy.savez` and `numpy.savez_compressed` write them: a zip archive.
//!
//! The format: PKWARE's APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16. The crate zip would save some
//! hundred lines here and where figures are written, for five crates more.

use std::io::Read as _;

use flate2::Crc;
use flate2::read::DeflateDecoder;

const ENTRY: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";

/// Whether a file's bytes begin as those of a zip archive.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK")
}

/// The bytes of the archive's only array, or of the one with this name.
pub(super) fn array(bytes: &[u8], name: &str, max_bytes: u64) -> Result<Vec<u8>, String> {
    let entries = entries(bytes).ok_or_else(torn)?;
    let entry = match entries.as_slice() {
        [] => return Err("the archive holds no array".to_owned()),
        [only] => only,
        many => many.iter().find(|it| it.name == name).ok_or_else(|| {
            let names: Vec<&str> = many.iter().map(|it| it.name).collect();
            format!(
                "the archive holds {} arrays, none of them called `{name}` ({}); save the noise \
                 alone, or as `numpy.savez(file, {name}=…)`",
                many.len(),
                names.join(", ")
            )
        })?,
    };
    if u64::from(entry.n_bytes) > max_bytes {
        return Err("this has more than a gigabyte, so it is no noise of one prompt".to_owned());
    }
    unpacked(bytes, entry).ok_or_else(torn)
}

fn torn() -> String {
    "the archive is not whole, or no archive that `numpy.savez` has written".to_owned()
}

/// A file in the archive, as the archive's directory describes it.
struct Entry<'a> {
    /// The array's name, without `.npy`.
    name: &'a str,
    method: u16,
    crc: u32,
    n_packed: u32,
    n_bytes: u32,
    start: u32,
}

/// The entries of the directory at the archive's end. `None` if it is not whole.
fn entries(bytes: &[u8]) -> Option<Vec<Entry<'_>>> {
    let end = bytes.len().checked_sub(22)?;
    // A comment may follow the end record.
    let end = (end.saturating_sub(usize::from(u16::MAX))..=end)
        .rev()
        .find(|&at| bytes[at..].starts_with(END))?;
    let n_entries = u16_at(bytes, end + 10)?;
    let mut at = u32_at(bytes, end + 16)? as usize;
    let mut entries = Vec::new();
    for _ in 0..n_entries {
        if !bytes.get(at..)?.starts_with(ENTRY) {
            return None;
        }
        let name_len = usize::from(u16_at(bytes, at + 28)?);
        let more = usize::from(u16_at(bytes, at + 30)?) + usize::from(u16_at(bytes, at + 32)?);
        let name = std::str::from_utf8(bytes.get(at + 46..at + 46 + name_len)?).ok()?;
        entries.push(Entry {
            name: name.strip_suffix(".npy").unwrap_or(name),
            method: u16_at(bytes, at + 10)?,
            crc: u32_at(bytes, at + 16)?,
            n_packed: u32_at(bytes, at + 20)?,
            n_bytes: u32_at(bytes, at + 24)?,
            start: u32_at(bytes, at + 42)?,
        });
        at += 46 + name_len + more;
    }
    Some(entries)
}

/// The bytes of an entry. `None` if they are not whole.
fn unpacked(bytes: &[u8], entry: &Entry<'_>) -> Option<Vec<u8>> {
    let start = entry.start as usize;
    // The entry's own name and extra field may have other lengths than those in the directory.
    let head = usize::from(u16_at(bytes, start + 26)?) + usize::from(u16_at(bytes, start + 28)?);
    let first = start + 30 + head;
    let packed = bytes.get(first..first.checked_add(entry.n_packed as usize)?)?;
    let mut data = Vec::new();
    match entry.method {
        0 => data.extend(packed),
        8 => {
            let limit = u64::from(entry.n_bytes) + 1;
            DeflateDecoder::new(packed).take(limit).read_to_end(&mut data).ok()?;
        }
        _ => return None,
    }
    let mut crc = Crc::new();
    crc.update(&data);
    (data.len() == entry.n_bytes as usize && crc.sum() == entry.crc).then_some(data)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*digits))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*digits))
}
