//! Files that are part of the program and that `build.rs` has packed, each unpacked when it is first read.

use std::{io::Read as _, sync::LazyLock};

use flate2::read::ZlibDecoder;

/// A file of `assets/` or `data/`, unpacked when it is first read.
pub type PackedText = LazyLock<String>;

/// Bytes of `assets/`, unpacked when they are first read.
pub type PackedBytes = LazyLock<Vec<u8>>;

macro_rules! packed {
    ($name:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $name))
    };
}

/// `assets/fonts/DejaVuSans.ttf`
pub static DEJAVU_SANS: PackedBytes = LazyLock::new(|| unpacked(packed!("dejavu")));

/// `data/facts.json`
pub static FACTS: PackedText = LazyLock::new(|| text(packed!("facts")));

/// `data/relations.json`
pub static RELATIONS: PackedText = LazyLock::new(|| text(packed!("relations")));

/// `data/kept_numbers.json`: records of the built-in model, one of each method, which
/// `tests/golden/make_kept.py` has written from pictures that this program drew on a CPU.
pub static KEPT_NUMBERS: PackedText = LazyLock::new(|| text(packed!("kept_numbers")));

/// `data/published.json`: numbers that others have published of models that are no part of the program.
pub static PUBLISHED: PackedText = LazyLock::new(|| text(packed!("published")));

/// `assets/licences.txt`: the licences of the packages that the program is made of, which `.ci/licences` has
/// written.
pub static LICENCES: PackedText = LazyLock::new(|| text(packed!("licences")));

/// `assets/gpt2-bpe/merges.txt`: the first line, then the merges of GPT-2's tokenizer, a line each.
pub static GPT2_MERGES: PackedText = LazyLock::new(|| text(packed!("gpt2_merges")));

/// `assets/builtin/vocab.json`, which `assets/builtin-planted` has too.
pub static VOCAB: PackedText = LazyLock::new(|| text(packed!("vocab")));

/// `assets/builtin/merges.txt`, which `assets/builtin-planted` has too.
pub static MERGES: PackedText = LazyLock::new(|| text(packed!("merges")));

/// `assets/builtin/split.json`
pub static SPLIT: PackedText = LazyLock::new(|| text(packed!("split")));

/// `assets/builtin-planted/split.json`
pub static PLANTED_SPLIT: PackedText = LazyLock::new(|| text(packed!("planted_split")));

/// `assets/builtin/model.safetensors`
pub static WEIGHTS: PackedBytes = LazyLock::new(|| halves_together(&unpacked(packed!("weights"))));

/// `assets/builtin-planted/model.safetensors`. Half of it is [`WEIGHTS`], and only the blocks that differ
/// are part of the program.
pub static PLANTED_WEIGHTS: PackedBytes = LazyLock::new(|| {
    let mut weights = WEIGHTS.clone();
    let blocks = halves_together(&unpacked(packed!("planted_weights")));
    let mut rest = blocks.as_slice();
    while let Some(([place, len], blocks)) = split_numbers(rest) {
        let (block, others) = blocks.split_at(len);
        weights[place..place + len].copy_from_slice(block);
        rest = others;
    }
    weights
});

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    ZlibDecoder::new(packed).read_to_end(&mut bytes).expect("packed by `build.rs`");
    bytes
}

fn text(packed: &[u8]) -> String {
    String::from_utf8(unpacked(packed)).expect("a text in UTF-8, as a test reads it")
}

/// Bytes of which `build.rs` has put those at even places before those at odd places.
fn halves_together(halves: &[u8]) -> Vec<u8> {
    let (even, odd) = halves.split_at(halves.len().div_ceil(2));
    (0..halves.len()).map(|i| if i % 2 == 0 { even[i / 2] } else { odd[i / 2] }).collect()
}

/// The place and the length before a block that differs, and what follows them.
fn split_numbers(bytes: &[u8]) -> Option<([usize; 2], &[u8])> {
    let (place, rest) = bytes.split_first_chunk()?;
    let (len, rest) = rest.split_first_chunk()?;
    Some(([place, len].map(|it| u32::from_le_bytes(*it) as usize), rest))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn each_file_is_what_was_packed() {
        let texts = [
            (FACTS.as_bytes(), "data/facts.json"),
            (RELATIONS.as_bytes(), "data/relations.json"),
            (KEPT_NUMBERS.as_bytes(), "data/kept_numbers.json"),
            (PUBLISHED.as_bytes(), "data/published.json"),
            (LICENCES.as_bytes(), "assets/licences.txt"),
            (GPT2_MERGES.as_bytes(), "assets/gpt2-bpe/merges.txt"),
            (VOCAB.as_bytes(), "assets/builtin/vocab.json"),
            (VOCAB.as_bytes(), "assets/builtin-planted/vocab.json"),
            (MERGES.as_bytes(), "assets/builtin/merges.txt"),
            (MERGES.as_bytes(), "assets/builtin-planted/merges.txt"),
            (SPLIT.as_bytes(), "assets/builtin/split.json"),
            (PLANTED_SPLIT.as_bytes(), "assets/builtin-planted/split.json"),
            (&DEJAVU_SANS, "assets/fonts/DejaVuSans.ttf"),
            (&WEIGHTS, "assets/builtin/model.safetensors"),
            (&PLANTED_WEIGHTS, "assets/builtin-planted/model.safetensors"),
        ];
        for (unpacked, path) in texts {
            let project = Path::new(env!("CARGO_MANIFEST_DIR"));
            let file = fs::read(project.join(path)).expect("a file of the project");
            assert!(unpacked == file, "{path} is not what it was");
        }
    }
}
