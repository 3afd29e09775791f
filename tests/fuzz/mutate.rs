//! Makes inputs from others: bytes, numbers, words and pieces of the format are changed, moved and repeated.

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Draws inputs; the same seed draws the same ones.
pub struct Mutator {
    rng: ChaCha8Rng,
    words: &'static [&'static str],

    /// The longest input, in bytes.
    most: usize,
}

/// Two numbers that were compared, and how many bytes they have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compared {
    pub n_bytes: usize,
    pub a: u64,
    pub b: u64,
}

/// Numbers at which counts and offsets turn over.
const BORDERS: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x10000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// Numbers as a text has them.
const NUMBERS: [&str; 14] = [
    "0",
    "-1",
    "1",
    "2",
    "255",
    "65536",
    "4294967296",
    "9223372036854775807",
    "18446744073709551616",
    "1e308",
    "1e-320",
    "0.5",
    "-0",
    "1e999",
];

/// Values of JSON, and pieces that break it.
const VALUES: [&str; 16] = [
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "\"\"",
    "[[]]",
    "NaN",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "[null]",
    "{\"\":{}}",
    "-1",
    "1e400",
    "\"x\"",
    "[1,2,3]",
];

impl Mutator {
    pub fn new(seed: u64, words: &'static [&'static str], most: usize) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), words, most }
    }

    /// An input from one of several. `compared`: numbers that were compared when it was read.
    pub fn draw(&mut self, corpus: &[Vec<u8>], compared: &[Compared]) -> Vec<u8> {
        // Later inputs have been found to reach further.
        let n = corpus.len();
        let nth = if self.rng.random_bool(0.5) {
            self.rng.random_range(0..n)
        } else {
            self.rng.random_range(0..n).max(self.rng.random_range(0..n))
        };
        let mut input = corpus[nth].clone();
        let n_changes = 1 << self.rng.random_range(0..4_u32);
        for _ in 0..self.rng.random_range(1..=n_changes) {
            let other = &corpus[self.rng.random_range(0..n)];
            self.change(&mut input, other, compared);
        }
        input.truncate(self.most);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8], compared: &[Compared]) {
        match self.rng.random_range(0..16_u32) {
            0 => self.at_byte(input, |byte, rng| *byte ^= 1 << rng.random_range(0..8_u32)),
            1 => self.at_byte(input, |byte, rng| *byte = rng.next_u32() as u8),
            2 => self.at_byte(input, |byte, rng| {
                *byte = byte.wrapping_add(rng.random_range(-4..=4_i8).cast_unsigned());
            }),
            3 => {
                let range = self.range(input.len());
                input.drain(range);
            }
            4 => {
                // The rest of a file that was cut.
                let end = self.rng.random_range(0..=input.len());
                input.truncate(end);
            }
            5 => {
                let piece = input[self.range(input.len())].to_vec();
                self.put(input, &piece);
            }
            6 => {
                let piece = other[self.range(other.len())].to_vec();
                self.put(input, &piece);
            }
            7 => {
                let piece = input[self.range(input.len().min(64))].to_vec();
                let n = self.rng.random_range(1..200_usize);
                self.put(input, &piece.repeat(n));
            }
            8 | 9 => self.border(input),
            10 if !self.words.is_empty() => {
                let word = self.words[self.rng.random_range(0..self.words.len())];
                self.put(input, word.as_bytes());
            }
            11 => self.number(input),
            12 => self.value(input, other),
            13 => self.nest(input),
            14 => {
                // The beginning of one and the end of another.
                let (a, b) = (self.range(input.len()), self.range(other.len()));
                input.truncate(a.start);
                input.extend(&other[b.start..]);
            }
            _ => self.as_compared(input, compared),
        }
    }

    fn at_byte(&mut self, input: &mut [u8], change: impl FnOnce(&mut u8, &mut ChaCha8Rng)) {
        if !input.is_empty() {
            let at = self.rng.random_range(0..input.len());
            change(&mut input[at], &mut self.rng);
        }
    }

    /// A piece of so many bytes, mostly a short one.
    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        if len == 0 {
            return 0..0;
        }
        let start = self.rng.random_range(0..len);
        let longest = if self.rng.random_bool(0.8) { 32 } else { len };
        let end = start + self.rng.random_range(0..=longest.min(len - start));
        start..end
    }

    /// Puts a piece between the bytes, or over them.
    fn put(&mut self, input: &mut Vec<u8>, piece: &[u8]) {
        let at = self.rng.random_range(0..=input.len());
        let end = if self.rng.random_bool(0.5) { at } else { (at + piece.len()).min(input.len()) };
        if input.len() + piece.len() <= 2 * self.most {
            input.splice(at..end, piece.iter().copied());
        }
    }

    /// Puts a number in the place of bytes.
    fn border(&mut self, input: &mut [u8]) {
        let n_bytes = 1 << self.rng.random_range(0..4_u32);
        if input.len() < n_bytes {
            return;
        }
        let at = self.rng.random_range(0..=input.len() - n_bytes);
        let number = match self.rng.random_range(0..4_u32) {
            0 => input.len() as u64,
            1 => (input.len() - at) as u64,
            _ => BORDERS[self.rng.random_range(0..BORDERS.len())],
        };
        let number = number.wrapping_add_signed(self.rng.random_range(-2..=2_i64));
        let bytes = number.to_le_bytes();
        let place = &mut input[at..at + n_bytes];
        place.copy_from_slice(&bytes[..n_bytes]);
        if self.rng.random_bool(0.2) {
            place.reverse();
        }
    }

    /// Puts another number in the place of one in a text.
    fn number(&mut self, input: &mut Vec<u8>) {
        let from = self.rng.random_range(0..=input.len());
        let Some(start) = input[from..].iter().position(u8::is_ascii_digit) else { return };
        let start = from + start;
        let n = input[start..].iter().take_while(|it| it.is_ascii_digit()).count();
        let other = NUMBERS[self.rng.random_range(0..NUMBERS.len())];
        input.splice(start..start + n, other.bytes());
    }

    /// Puts another value in the place of one of JSON, or repeats a field.
    fn value(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let Some(place) = self.json(input) else { return };
        let piece = match self.rng.random_range(0..4_u32) {
            0 => VALUES[self.rng.random_range(0..VALUES.len())].as_bytes().to_vec(),
            1 => match self.json(other) {
                Some(it) => other[it].to_vec(),
                None => return,
            },
            2 => match self.json(input) {
                Some(it) => input[it].to_vec(),
                None => return,
            },
            _ => {
                // A field or an element, once more.
                let piece = [&input[place.clone()], b",", &input[place.clone()]].concat();
                input.splice(place, piece);
                return;
            }
        };
        input.splice(place, piece);
    }

    /// Puts a value into many brackets.
    fn nest(&mut self, input: &mut Vec<u8>) {
        let Some(place) = self.json(input) else { return };
        let n = self.rng.random_range(1..300_usize);
        let (open, close) = [("[", "]"), ("{\"a\":", "}")][self.rng.random_range(0..2_usize)];
        let (before, after) = (open.repeat(n), close.repeat(n));
        let piece = [before.as_bytes(), &input[place.clone()], after.as_bytes()].concat();
        input.splice(place, piece);
    }

    /// Where a value of JSON stands, as far as brackets and quotes tell.
    fn json(&mut self, input: &[u8]) -> Option<std::ops::Range<usize>> {
        let from = self.rng.random_range(0..=input.len());
        let is_start =
            |it: &u8| matches!(it, b'{' | b'[' | b'"' | b'0'..=b'9' | b't' | b'f' | b'n');
        let start = from + input[from..].iter().position(is_start)?;
        let rest = &input[start..];
        let string = |rest: &[u8]| {
            let mut is_escaped = false;
            let end = rest.iter().skip(1).position(|it| {
                let is_end = *it == b'"' && !is_escaped;
                is_escaped = *it == b'\\' && !is_escaped;
                is_end
            });
            end.map(|it| it + 2)
        };
        let len = match rest[0] {
            b'"' => string(rest)?,
            b'{' | b'[' => {
                let (mut depth, mut at) = (0_usize, 0);
                loop {
                    match rest.get(at)? {
                        b'"' => at += string(&rest[at..])? - 1,
                        b'{' | b'[' => depth += 1,
                        b'}' | b']' => depth -= 1,
                        _ => {}
                    }
                    at += 1;
                    if depth == 0 {
                        break at;
                    }
                }
            }
            _ => rest.iter().take_while(|it| it.is_ascii_alphanumeric()).count(),
        };
        Some(start..start + len)
    }

    /// Puts a number that another was compared with in the place of that.
    fn as_compared(&mut self, input: &mut Vec<u8>, compared: &[Compared]) {
        if compared.is_empty() {
            return;
        }
        let Compared { n_bytes, a, b } = compared[self.rng.random_range(0..compared.len())];
        let (there, wanted) = if self.rng.random_bool(0.5) { (a, b) } else { (b, a) };
        let wanted = wanted.wrapping_add_signed(self.rng.random_range(-1..=1_i64));
        // A number may have been widened before it was compared.
        let n_bytes = n_bytes >> self.rng.random_range(0..=n_bytes.trailing_zeros());
        let (mut old, mut new) = (there.to_le_bytes(), wanted.to_le_bytes());
        let (old, new) = (&mut old[..n_bytes], &mut new[..n_bytes]);
        if self.rng.random_bool(0.3) {
            old.reverse();
            new.reverse();
        }
        let from = self.rng.random_range(0..=input.len());
        let found = |range: &[u8]| range.windows(n_bytes).position(|it| it == old);
        if let Some(at) = found(&input[from..]).map(|it| from + it).or_else(|| found(input)) {
            input[at..at + n_bytes].copy_from_slice(new);
            return;
        }
        // It may stand there as a text.
        let (old, new) = (there.to_string(), wanted.to_string());
        if let Some(at) = input.windows(old.len()).position(|it| it == old.as_bytes()) {
            input.splice(at..at + old.len(), new.bytes());
        }
    }
}
