//! What LLVM's `SanitizerCoverage` tells of a run: which edges of the program it took, and which numbers
//! it compared.
//!
//! `instrument.sh` has the compiler put calls to these functions into the program. Reference: Clang's
//! `SanitizerCoverage`.

#![expect(unsafe_code, reason = "the compiler hands over pointers to its counters")]

use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::mutate::Compared;

/// The counters, each the first address and the one after the last.
static COUNTERS: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// The numbers that were compared last: how many bytes they have, and the two.
static COMPARED: [[AtomicU64; 3]; 512] =
    [const { [AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0)] }; 512];

#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, end: *mut u8) {
    let mut all = COUNTERS.lock().unwrap_or_else(PoisonError::into_inner);
    let range = (start as usize, end as usize);
    if !all.contains(&range) {
        all.push(range);
    }
}

fn compare(n_bytes: u64, a: u64, b: u64) {
    // Numbers of few bits are soon found by chance.
    if a == b || (a | b) < 0x100 {
        return;
    }
    let place = a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    let place = &COMPARED[(place >> 55) as usize];
    for (cell, value) in place.iter().zip([n_bytes, a, b]) {
        cell.store(value, Ordering::Relaxed);
    }
}

macro_rules! comparisons {
    ($($name:ident $constant:ident $type:ty;)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name(a: $type, b: $type) {
            compare(size_of::<$type>() as u64, u64::from(a), u64::from(b));
        }

        #[unsafe(no_mangle)]
        extern "C" fn $constant(a: $type, b: $type) {
            compare(size_of::<$type>() as u64, u64::from(a), u64::from(b));
        }
    )*};
}

comparisons! {
    __sanitizer_cov_trace_cmp1 __sanitizer_cov_trace_const_cmp1 u8;
    __sanitizer_cov_trace_cmp2 __sanitizer_cov_trace_const_cmp2 u16;
    __sanitizer_cov_trace_cmp4 __sanitizer_cov_trace_const_cmp4 u32;
    __sanitizer_cov_trace_cmp8 __sanitizer_cov_trace_const_cmp8 u64;
}

/// `cases`: how many there are, how many bits they have, and they.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_switch(value: u64, cases: *const u64) {
    // SAFETY: the compiler lays out the cases so.
    let (head, cases) = unsafe {
        let head = slice::from_raw_parts(cases, 2);
        (head, slice::from_raw_parts(cases.add(2), head[0] as usize))
    };
    if head[1] > 8 {
        for case in cases.iter().take(16) {
            compare(head[1] / 8, value, *case);
        }
    }
}

/// Which edges have been taken, and about how often.
#[derive(Default)]
pub struct Coverage {
    /// For each counter the classes of counts that have been seen, a bit each.
    seen: Vec<u8>,
}

impl Coverage {
    /// Whether the program can tell: it was built by `tests/fuzz.sh`.
    pub fn is_told() -> bool {
        !COUNTERS.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether the run since the last call went where none went before.
    pub fn is_new(&mut self) -> bool {
        let ranges = COUNTERS.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut is_new, mut start) = (false, 0);
        for (first, end) in &*ranges {
            // SAFETY: the counters live as long as the program.
            let counters = unsafe { slice::from_raw_parts_mut(*first as *mut u8, end - first) };
            self.seen.resize(self.seen.len().max(start + counters.len()), 0);
            let seen = &mut self.seen[start..start + counters.len()];
            let (words, rest) = counters.as_chunks_mut::<8>();
            let (seen_words, seen_rest) = seen.as_chunks_mut::<8>();
            let words = words.iter_mut().zip(seen_words);
            let words = words.map(|(a, b)| (&mut a[..], &mut b[..]));
            for (counters, seen) in words.chain([(rest, seen_rest)]) {
                if counters.first_chunk().is_some_and(|it| u64::from_ne_bytes(*it) == 0) {
                    continue;
                }
                for (counter, seen) in counters.iter_mut().zip(seen) {
                    let class = class_of(*counter);
                    is_new |= class & !*seen != 0;
                    *seen |= class;
                    *counter = 0;
                }
            }
            start += counters.len();
        }
        is_new
    }

    /// How many edges have been taken.
    pub fn n_edges(&self) -> usize {
        self.seen.iter().filter(|it| **it != 0).count()
    }
}

/// The class of a count, as a bit.
fn class_of(count: u8) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..=7 => 8,
        8..=15 => 16,
        16..=31 => 32,
        32..=127 => 64,
        _ => 128,
    }
}

/// The numbers that were compared last.
pub fn compared() -> Vec<Compared> {
    let read = |it: &[AtomicU64; 3]| {
        let [n_bytes, a, b] = [0, 1, 2].map(|nth| it[nth].load(Ordering::Relaxed));
        Compared { n_bytes: n_bytes as usize, a, b }
    };
    COMPARED.iter().map(read).filter(|it| it.n_bytes > 0).collect()
}
