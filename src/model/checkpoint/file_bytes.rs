//! The bytes of a weight file, mapped into memory, and their decoding to numbers.

use std::ops::Deref;
use std::sync::Arc;

use rayon::prelude::*;

use super::super::cpu::vectorized;
use super::super::finite;
use super::mapped_file::MappedFile;
use super::quantised::{self, from_f16};
use super::stored::NumberType;

/// A file's content, without a copy.
#[derive(Debug)]
pub(super) enum Bytes {
    Mapped(Arc<MappedFile>),

    /// Bytes that are part of the program.
    Embedded(&'static [u8]),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }
}

/// A map that stays as long as any slice of it.
pub(super) struct SharedMap(pub Arc<MappedFile>);

impl AsRef<[u8]> for SharedMap {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Bytes {
    /// Lets the system drop a part of the file from memory until it is read again.
    pub fn forget(&self, start: usize, len: usize) {
        if let Self::Mapped(map) = self {
            forget(map, start, len);
        }
    }
}

/// Advises the system that it may drop the pages of a part of the map.
#[cfg(unix)]
#[expect(unsafe_code, reason = "memmap2 marks all advice that drops pages as unsafe")]
fn forget(map: &MappedFile, start: usize, len: usize) {
    use memmap2::UncheckedAdvice;

    // SAFETY: the map is of a file and never written to, so dropped pages come back unchanged.
    // A system that ignores the advice only keeps the pages longer.
    _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, len) };
}

#[cfg(not(unix))]
fn forget(_map: &MappedFile, _start: usize, _len: usize) {}

/// Decodes bytes to numbers on all cores, and says whether all numbers are finite.
pub(super) fn decode(bytes: &[u8], dtype: NumberType) -> (Vec<f32>, bool) {
    let (per_block, block_bytes) = dtype.block().unwrap_or((1, 1));
    let n_blocks = TASK / block_bytes;
    let mut values = vec![0.0; bytes.len() / block_bytes * per_block];
    let tasks = values.par_chunks_mut(n_blocks * per_block);
    let tasks = tasks.zip(bytes.par_chunks(n_blocks * block_bytes)).map(|(values, bytes)| {
        decode_into(bytes, dtype, values);
        are_finite(values)
    });
    let is_finite = tasks.reduce(|| true, |a, b| a && b);
    (values, is_finite)
}

/// Whether all numbers are finite, decoded on all cores and not kept.
pub(super) fn is_finite(bytes: &[u8], dtype: NumberType) -> bool {
    if dtype == NumberType::F32 {
        return finite::is_finite(bytes);
    }
    let (per_block, block_bytes) = dtype.block().unwrap_or((1, 1));
    bytes.par_chunks(TASK / block_bytes * block_bytes).all(|bytes| {
        let mut values = vec![0.0; bytes.len() / block_bytes * per_block];
        decode_into(bytes, dtype, &mut values);
        are_finite(&values)
    })
}

/// How many bytes each task decodes: enough that handing out tasks costs little.
const TASK: usize = 1 << 17;

fn are_finite(values: &[f32]) -> bool {
    // This has no branch, so that many numbers are checked at once.
    vectorized(|| values.iter().fold(true, |is_finite, value| is_finite & value.is_finite()))
}

/// Decodes whole blocks of bytes to numbers.
pub(super) fn decode_into(bytes: &[u8], dtype: NumberType, values: &mut [f32]) {
    match dtype {
        NumberType::F32 => each(bytes, values, |it, [value]| *value = f32::from_le_bytes(*it)),
        NumberType::F16 => each(bytes, values, |it, [value]| *value = from_f16(*it)),
        NumberType::BF16 => {
            each(bytes, values, |it, [value]| {
                *value = f32::from_bits(u32::from(u16::from_le_bytes(*it)) << 16);
            });
        }
        NumberType::Q8_0 => each(bytes, values, quantised::q8_0),
        NumberType::Q6K => each(bytes, values, quantised::q6_k),
        NumberType::Q5K => each(bytes, values, quantised::q5_k),
        NumberType::Q5_1 => each(bytes, values, quantised::q5_1),
        NumberType::Q5_0 => each(bytes, values, quantised::q5_0),
        NumberType::Q4K => each(bytes, values, quantised::q4_k),
        NumberType::Q4_1 => each(bytes, values, quantised::q4_1),
        NumberType::Q4_0 => each(bytes, values, quantised::q4_0),
        NumberType::Other(name) => unreachable!("{name} was refused when the file was opened"),
    }
}

/// Decodes blocks of `BYTES` bytes to `VALUES` numbers each.
fn each<const BYTES: usize, const VALUES: usize>(
    bytes: &[u8],
    values: &mut [f32],
    read: impl Fn(&[u8; BYTES], &mut [f32; VALUES]),
) {
    vectorized(|| {
        let blocks = values.as_chunks_mut::<VALUES>().0.iter_mut();
        for (values, bytes) in blocks.zip(bytes.as_chunks::<BYTES>().0) {
            read(bytes, values);
        }
    });
}
