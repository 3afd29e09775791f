//! The directory of a zip archive, which says where each of its files lies.
//!
//! Only files that are stored as they are can be mapped, and PyTorch writes no others. Reference:
//! PKWARE's APPNOTE 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3.

use std::collections::BTreeMap;
use std::ops::Range;

use super::stored::Fault;

/// Where each file of an archive lies, by its name.
pub(super) type Directory<'a> = BTreeMap<&'a str, Place>;

/// Where a file of an archive lies.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Stored(Range<usize>),

    /// Compressed or encrypted, so that its bytes cannot be used where they lie.
    Packed,
}

/// How many bytes the record at the end of an archive has, without its comment.
const END_LEN: usize = 22;

/// How many bytes an entry of the directory has, without its name and what else follows it.
const ENTRY_LEN: usize = 46;

/// Reads the directory of an archive.
pub(super) fn directory(bytes: &[u8]) -> Result<Directory<'_>, Fault> {
    let (start, end) = place(bytes)?;
    let mut directory = Directory::new();
    let mut at = start;
    while at < end {
        let (name, place, next) = entry(bytes, at).ok_or_else(|| broken(at))?;
        if directory.insert(name, place).is_some() {
            return Err(Fault::invalid(format!("the archive holds two files named `{name}`")));
        }
        at = next;
    }
    Ok(directory)
}

/// Where the directory begins and ends.
fn place(bytes: &[u8]) -> Result<(usize, usize), Fault> {
    let is_end = |at: &usize| bytes[*at..].starts_with(b"PK\x05\x06");
    // A comment of up to 64 KiB may follow the record.
    let last = bytes.len().checked_sub(END_LEN);
    let found = last.and_then(|last| (last.saturating_sub(0xffff)..=last).rev().find(is_end));
    let Some(end) = found else {
        return Err(Fault::invalid(
            "the directory at the archive's end is missing, so the file is cut short or no zip \
             archive; copy or download it again",
        ));
    };
    let read = || {
        let (len, start) = (number(bytes, end + 12, 4)?, number(bytes, end + 16, 4)?);
        if len != 0xffff_ffff && start != 0xffff_ffff {
            return Some((start, len));
        }
        // The record for large archives, which a locator before this one points to.
        let locator = end.checked_sub(20)?;
        let large = number(bytes, locator + 8, 8)?;
        let is_large = bytes[locator..].starts_with(b"PK\x06\x07")
            && bytes.get(large..)?.starts_with(b"PK\x06\x06");
        is_large.then_some(())?;
        Some((number(bytes, large.checked_add(48)?, 8)?, number(bytes, large + 40, 8)?))
    };
    let (start, len) = read().ok_or_else(|| broken(end))?;
    match start.checked_add(len) {
        Some(after) if after <= end => Ok((start, after)),
        _ => Err(broken(end)),
    }
}

/// The entry of the directory at a byte: the name of the file, where it lies, and where the next entry
/// is. `None` if the entry is broken off.
fn entry(bytes: &[u8], at: usize) -> Option<(&str, Place, usize)> {
    bytes.get(at..)?.starts_with(b"PK\x01\x02").then_some(())?;
    let [flags, method] = [8, 10].map(|field| number(bytes, at + field, 2));
    let [name_len, extra_len, comment_len] = [28, 30, 32].map(|it| number(bytes, at + it, 2));
    let name_end = at + ENTRY_LEN + name_len?;
    let extra_end = name_end + extra_len?;
    let name = str::from_utf8(bytes.get(at + ENTRY_LEN..name_end)?).ok()?;
    let next = extra_end + comment_len?;
    if flags? & 1 != 0 || method? != 0 {
        return Some((name, Place::Packed, next));
    }
    let extra = bytes.get(name_end..extra_end)?;
    // In this order, the fields that did not fit stand among the extra ones.
    let mut large = large_fields(extra);
    let mut field = |offset: usize| match number(bytes, at + offset, 4)? {
        0xffff_ffff => large.next(),
        fits => Some(fits),
    };
    let len = field(24)?;
    field(20)?;
    let local = field(42)?;
    bytes.get(local..)?.starts_with(b"PK\x03\x04").then_some(())?;
    let [name_len, extra_len] = [26, 28].map(|it| number(bytes, local + it, 2));
    let start = local + 30 + name_len? + extra_len?;
    let end = start.checked_add(len)?;
    (end <= bytes.len()).then_some((name, Place::Stored(start..end), next))
}

/// The 64-bit numbers among an entry's extra fields.
fn large_fields(mut extra: &[u8]) -> impl Iterator<Item = usize> {
    let mut found: &[u8] = &[];
    while let (Some(kind), Some(len)) = (number(extra, 0, 2), number(extra, 2, 2)) {
        let Some(content) = extra.get(4..4 + len) else { break };
        if kind == 1 {
            found = content;
        }
        extra = &extra[4 + len..];
    }
    let numbers = found.as_chunks::<8>().0.iter();
    numbers.map_while(|it| usize::try_from(u64::from_le_bytes(*it)).ok())
}

/// A little-endian number of up to 8 bytes. `None` if the bytes end before.
fn number(bytes: &[u8], at: usize, len: usize) -> Option<usize> {
    let mut wide = [0; 8];
    wide[..len].copy_from_slice(bytes.get(at..at.checked_add(len)?)?);
    usize::try_from(u64::from_le_bytes(wide)).ok()
}

fn broken(at: usize) -> Fault {
    Fault::invalid(format!(
        "the archive's directory is broken at byte {at}; copy or download it again"
    ))
}
