//! The quantised types of GGUF: blocks of numbers with few bits each, and scales that they share.
//!
//! Reference: `ggml-quants.c` of llama.cpp, and `quants.py` of the Python package `gguf`. Each number is the
//! same `f32` as theirs: products and differences are taken one by one, in their order.

use half::f16;

/// How many numbers share a scale in the simple types.
pub(super) const SMALL: usize = 32;

/// How many numbers a block of the types with scales of scales has.
pub(super) const LARGE: usize = 256;

/// The half-precision number at a byte of a block.
fn half(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

pub(super) fn q8_0(block: &[u8; 34], values: &mut [f32; SMALL]) {
    let d = half(block, 0);
    for (value, q) in values.iter_mut().zip(&block[2..]) {
        *value = f32::from(q.cast_signed()) * d;
    }
}

/// The four low bits of each byte are the first half of the numbers, the high bits the second.
fn nibbles(packed: &[u8; SMALL / 2]) -> [u8; SMALL] {
    let mut unpacked = [0; SMALL];
    let (low, high) = unpacked.split_at_mut(SMALL / 2);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(packed) {
        (*low, *high) = (byte & 15, byte >> 4);
    }
    unpacked
}

/// As [`nibbles`], each with a fifth bit.
fn with_fifth_bits(packed: &[u8; SMALL / 2], bits: [u8; 4]) -> [u8; SMALL] {
    let bits = u32::from_le_bytes(bits);
    let mut unpacked = nibbles(packed);
    for (nth, value) in unpacked.iter_mut().enumerate() {
        *value |= ((bits >> nth & 1) << 4) as u8;
    }
    unpacked
}

pub(super) fn q4_0(block: &[u8; 18], values: &mut [f32; SMALL]) {
    let (d, [_, _, packed @ ..]) = (half(block, 0), block);
    for (value, q) in values.iter_mut().zip(nibbles(packed)) {
        *value = d * (f32::from(q) - 8.0);
    }
}

pub(super) fn q4_1(block: &[u8; 20], values: &mut [f32; SMALL]) {
    let (d, m, [_, _, _, _, packed @ ..]) = (half(block, 0), half(block, 2), block);
    for (value, q) in values.iter_mut().zip(nibbles(packed)) {
        *value = d * f32::from(q) + m;
    }
}

pub(super) fn q5_0(block: &[u8; 22], values: &mut [f32; SMALL]) {
    let (d, [_, _, a, b, c, e, packed @ ..]) = (half(block, 0), block);
    for (value, q) in values.iter_mut().zip(with_fifth_bits(packed, [*a, *b, *c, *e])) {
        *value = d * (f32::from(q) - 16.0);
    }
}

pub(super) fn q5_1(block: &[u8; 24], values: &mut [f32; SMALL]) {
    let (d, m, [_, _, _, _, a, b, c, e, packed @ ..]) = (half(block, 0), half(block, 2), block);
    for (value, q) in values.iter_mut().zip(with_fifth_bits(packed, [*a, *b, *c, *e])) {
        *value = d * f32::from(q) + m;
    }
}

/// The scales and the offsets of eight parts of a block, of six bits each.
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
fn q_k(block: &[u8], packed: &[u8], values: &mut [f32; LARGE], fifth: impl Fn(usize, usize) -> u8) {
    let (d, d_min) = (half(block, 0), half(block, 2));
    let scales = scales_and_offsets(&block[4..16]);
    for (part, values) in values.as_chunks_mut::<SMALL>().0.iter_mut().enumerate() {
        let (scale, offset) = scales[part];
        let (scale, offset) = (d * f32::from(scale), d_min * f32::from(offset));
        let bytes = &packed[part / 2 * SMALL..];
        for (nth, value) in values.iter_mut().enumerate() {
            let q = bytes[nth] >> (part % 2 * 4) & 15 | fifth(part, nth);
            *value = scale * f32::from(q) - offset;
        }
    }
}

pub(super) fn q4_k(block: &[u8; 144], values: &mut [f32; LARGE]) {
    q_k(block, &block[16..], values, |_, _| 0);
}

pub(super) fn q5_k(block: &[u8; 176], values: &mut [f32; LARGE]) {
    q_k(block, &block[48..], values, |part, nth| (block[16 + nth] >> part & 1) << 4);
}

pub(super) fn q6_k(block: &[u8; 210], values: &mut [f32; LARGE]) {
    let (low, high, scales, d) =
        (&block[..128], &block[128..192], &block[192..208], half(block, 208));
    for (part, values) in values.as_chunks_mut::<SMALL>().0.iter_mut().enumerate() {
        // Four parts, half of the block, share the bytes with their two high bits.
        let (half, quarter) = (part / 4, part % 4);
        for (nth, value) in values.iter_mut().enumerate() {
            let low = low[64 * half + 32 * (quarter % 2) + nth] >> (quarter / 2 * 4) & 15;
            let high = high[32 * half + nth] >> (2 * quarter) & 3;
            let scale = d * f32::from(scales[2 * part + nth / 16].cast_signed());
            *value = scale * (f32::from(low | high << 4) - 32.0);
        }
    }
}
