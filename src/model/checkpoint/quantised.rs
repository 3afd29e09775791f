//! The quantised types of GGUF: blocks of numbers with few bits each, and scales that they share.
//!
//! Reference: `ggml-quants.c` of llama.cpp, and `quants.py` of the Python package `gguf`. Each number is the
//! same `f32` as theirs: products and differences are taken one by one, in their order.

#![expect(
    clippy::inline_always,
    reason = "a function that is not inlined is compiled for the oldest supported machine"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "loops over indices become vector instructions: three times as fast as zipped ones"
)]

/// How many numbers share a scale in the simple types.
pub(super) const SMALL: usize = 32;

/// How many numbers a block of the types with scales of scales has.
pub(super) const LARGE: usize = 256;

/// A half-precision number, exactly; without branches, so that many are widened at once.
#[inline(always)]
pub(super) fn from_f16(bytes: [u8; 2]) -> f32 {
    /// What the exponents of the two types differ by, in the place that `f32` has for its exponent.
    const BIAS: u32 = (127 - 15) << 23;
    /// The exponent of infinities and of what is no number, and of the smallest normal number.
    const LARGEST: u32 = 31 << 23;
    const SMALLEST: u32 = 1 << 23;
    let bits = u32::from(u16::from_le_bytes(bytes));
    let size = (bits & 0x7fff) << 13;
    // Below the normal numbers the leading bit is not implied: it is put there and taken off again.
    let small = f32::from_bits(size + BIAS + SMALLEST) - f32::from_bits(BIAS + SMALLEST);
    let other = size + BIAS + if size >= LARGEST { BIAS } else { 0 };
    let size = if size < SMALLEST { small.to_bits() } else { other };
    f32::from_bits(size | (bits & 0x8000) << 16)
}

/// The half-precision number at a byte of a block.
#[inline(always)]
fn half(block: &[u8], at: usize) -> f32 {
    from_f16([block[at], block[at + 1]])
}

#[inline(always)]
pub(super) fn q8_0(block: &[u8; 34], values: &mut [f32; SMALL]) {
    let (d, [_, _, packed @ ..]) = (half(block, 0), block);
    for nth in 0..SMALL {
        values[nth] = f32::from(packed[nth].cast_signed()) * d;
    }
}

/// Of numbers of four bits, the four low bits of each byte are the first half, the high bits the second.
struct Nibbles([u8; SMALL]);

impl Nibbles {
    #[inline(always)]
    fn of(packed: &[u8; SMALL / 2]) -> Self {
        let mut twice = [0; SMALL];
        twice[..SMALL / 2].copy_from_slice(packed);
        twice[SMALL / 2..].copy_from_slice(packed);
        Self(twice)
    }

    #[inline(always)]
    fn at(&self, place: usize) -> u32 {
        u32::from(self.0[place]) >> (place / (SMALL / 2) * 4) & 15
    }

    /// With a fifth bit, which stands at the number's place among those of the block.
    #[inline(always)]
    fn with_fifth(&self, place: usize, bits: u32) -> u32 {
        self.at(place) | (bits >> place & 1) << 4
    }
}

#[inline(always)]
pub(super) fn q4_0(block: &[u8; 18], values: &mut [f32; SMALL]) {
    let (d, [_, _, packed @ ..]) = (half(block, 0), block);
    let q = Nibbles::of(packed);
    for nth in 0..SMALL {
        values[nth] = d * (q.at(nth) as f32 - 8.0);
    }
}

#[inline(always)]
pub(super) fn q4_1(block: &[u8; 20], values: &mut [f32; SMALL]) {
    let (d, m, [_, _, _, _, packed @ ..]) = (half(block, 0), half(block, 2), block);
    let q = Nibbles::of(packed);
    for nth in 0..SMALL {
        values[nth] = d * q.at(nth) as f32 + m;
    }
}

#[inline(always)]
pub(super) fn q5_0(block: &[u8; 22], values: &mut [f32; SMALL]) {
    let (d, [_, _, a, b, c, e, packed @ ..]) = (half(block, 0), block);
    let (q, bits) = (Nibbles::of(packed), u32::from_le_bytes([*a, *b, *c, *e]));
    for nth in 0..SMALL {
        values[nth] = d * (q.with_fifth(nth, bits) as f32 - 16.0);
    }
}

#[inline(always)]
pub(super) fn q5_1(block: &[u8; 24], values: &mut [f32; SMALL]) {
    let (d, m, [_, _, _, _, a, b, c, e, packed @ ..]) = (half(block, 0), half(block, 2), block);
    let (q, bits) = (Nibbles::of(packed), u32::from_le_bytes([*a, *b, *c, *e]));
    for nth in 0..SMALL {
        values[nth] = d * q.with_fifth(nth, bits) as f32 + m;
    }
}

/// The scales and the offsets of eight parts of a block, of six bits each.
#[inline(always)]
fn scales_and_offsets(packed: &[u8]) -> [(u8, u8); 8] {
    std::array::from_fn(|part| {
        if part < 4 {
            (packed[part] & 63, packed[part + 4] & 63)
        } else {
            let low = packed[part + 4];
            (low & 15 | packed[part - 4] >> 6 << 4, low >> 4 | packed[part] >> 6 << 4)
        }
    })
}

/// Types with eight parts of 32 numbers, two of which share their bytes. `fifth`: 16 where a number's
/// fifth bit is set.
#[inline(always)]
fn q_k(block: &[u8], packed: &[u8], values: &mut [f32; LARGE], fifth: impl Fn(usize, usize) -> u8) {
    let (d, d_min) = (half(block, 0), half(block, 2));
    let scales = scales_and_offsets(&block[4..16]);
    for (part, values) in values.as_chunks_mut::<SMALL>().0.iter_mut().enumerate() {
        let (scale, offset) = scales[part];
        let (scale, offset) = (d * f32::from(scale), d_min * f32::from(offset));
        let bytes = &packed[part / 2 * SMALL..][..SMALL];
        for nth in 0..SMALL {
            let q = bytes[nth] >> (part % 2 * 4) & 15 | fifth(part, nth);
            values[nth] = scale * f32::from(q) - offset;
        }
    }
}

#[inline(always)]
pub(super) fn q4_k(block: &[u8; 144], values: &mut [f32; LARGE]) {
    q_k(block, &block[16..], values, |_, _| 0);
}

#[inline(always)]
pub(super) fn q5_k(block: &[u8; 176], values: &mut [f32; LARGE]) {
    q_k(block, &block[48..], values, |part, nth| (block[16 + nth] >> part & 1) << 4);
}

#[inline(always)]
pub(super) fn q6_k(block: &[u8; 210], values: &mut [f32; LARGE]) {
    let d = half(block, 208);
    for (part, values) in values.as_chunks_mut::<SMALL>().0.iter_mut().enumerate() {
        // Four parts, half of the block, share the bytes with their two high bits.
        let (half, quarter) = (part / 4, part % 4);
        let low = &block[64 * half + 32 * (quarter % 2)..][..SMALL];
        let high = &block[128 + 32 * half..][..SMALL];
        let scales = [0, 1].map(|it| d * f32::from(block[192 + 2 * part + it].cast_signed()));
        for nth in 0..SMALL {
            let low = low[nth] >> (quarter / 2 * 4) & 15;
            let high = high[nth] >> (2 * quarter) & 3;
            let scale = if nth < SMALL / 2 { scales[0] } else { scales[1] };
            values[nth] = scale * (f32::from(low | high << 4) - 32.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::from_f16;

    #[test]
    fn every_half_precision_number_is_widened_exactly() {
        for bits in 0..=u16::MAX {
            let theirs = half::f16::from_bits(bits).to_f32();
            let ours = from_f16(bits.to_le_bytes());
            let is_same = ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan();
            assert!(is_same, "{bits:#x}: {ours} is not {theirs}");
        }
    }
}
