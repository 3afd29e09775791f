//! The bytes of a weight file, mapped into memory, and their decoding to numbers.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;
use rayon::prelude::*;
use safetensors::tensor::Dtype;

/// A file's content, without a copy.
#[derive(Debug)]
pub(super) enum Bytes {
    Mapped(Arc<Mmap>),

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
pub(super) struct SharedMap(pub Arc<Mmap>);

impl AsRef<[u8]> for SharedMap {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Maps a file into memory.
#[expect(unsafe_code, reason = "mapping a file is unsafe by nature")]
pub(super) fn map_file(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the map is only read. If another program shortens the file meanwhile, the system ends
    // this program, which is the price of not copying gigabytes.
    unsafe { Mmap::map(&file) }
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
fn forget(map: &Mmap, start: usize, len: usize) {
    use memmap2::UncheckedAdvice;

    // SAFETY: the map is of a file and never written to, so dropped pages come back unchanged.
    // A system that ignores the advice only keeps the pages longer.
    _ = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, start, len) };
}

#[cfg(not(unix))]
fn forget(_map: &Mmap, _start: usize, _len: usize) {}

/// Decodes bytes to numbers on all cores, and says whether all numbers are finite.
pub(super) fn decode(bytes: &[u8], dtype: Dtype) -> (Vec<f32>, bool) {
    /// How many bytes each task decodes: enough that handing out tasks costs little.
    const BLOCK: usize = 1 << 18;
    fn each<const SIZE: usize>(
        bytes: &[u8],
        read: impl Fn([u8; SIZE]) -> f32 + Sync,
    ) -> (Vec<f32>, bool) {
        let mut values = vec![0.0; bytes.len() / SIZE];
        let blocks = values.par_chunks_mut(BLOCK / SIZE).zip(bytes.par_chunks(BLOCK));
        let is_finite = blocks.map(|(values, bytes)| {
            let mut is_finite = true;
            for (value, bytes) in values.iter_mut().zip(bytes.as_chunks::<SIZE>().0) {
                *value = read(*bytes);
                // This has no branch, so that many numbers are checked at once.
                is_finite &= value.is_finite();
            }
            is_finite
        });
        let is_finite = is_finite.reduce(|| true, |a, b| a && b);
        (values, is_finite)
    }
    match dtype {
        Dtype::F32 => each(bytes, f32::from_le_bytes),
        Dtype::F16 => each(bytes, |it| half::f16::from_le_bytes(it).to_f32()),
        Dtype::BF16 => each(bytes, |it| half::bf16::from_le_bytes(it).to_f32()),
        other => unreachable!("{other:?} was refused when the folder was opened"),
    }
}
