//! Makes the program smaller: it packs the larger files that are part of it, keeps of the second built-in
//! model only what differs from the first, and asks the linker to leave out what is repeated.

use std::{
    env,
    error::Error,
    fs,
    io::{self, Write as _},
    num::TryFromIntError,
    path::Path,
    process::{Command, Stdio},
};

use flate2::{Compression, write::ZlibEncoder};

/// Arguments of a linker that make the program smaller without changing what it computes:
/// - functions whose machine code is the same are kept once
/// - addresses that are filled in when the program starts are listed in a form of a hundredth the size,
///   which glibc reads since 2.36
const SMALLER: [&str; 2] = ["-Wl,--icf=all", "-Wl,-z,pack-relative-relocs"];

const MODEL: &str = "assets/builtin/model.safetensors";
const PLANTED: &str = "assets/builtin-planted/model.safetensors";

/// Files that are packed as they are, each with the name that `src/packed.rs` knows it by.
const TEXTS: [(&str, &str); 11] = [
    ("dejavu", "assets/fonts/DejaVuSans.ttf"),
    ("facts", "data/facts.json"),
    ("relations", "data/relations.json"),
    ("kept_numbers", "data/kept_numbers.json"),
    ("published", "data/published.json"),
    ("licences", "assets/licences.txt"),
    ("gpt2_merges", "assets/gpt2-bpe/merges.txt"),
    ("vocab", "assets/builtin/vocab.json"),
    ("merges", "assets/builtin/merges.txt"),
    ("split", "assets/builtin/split.json"),
    ("planted_split", "assets/builtin-planted/split.json"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let inputs = TEXTS.map(|(_, path)| path);
    for input in ["build.rs", MODEL, PLANTED].iter().chain(&inputs) {
        println!("cargo::rerun-if-changed={input}");
    }
    let folder = env::var("OUT_DIR")?;
    let folder = Path::new(&folder);
    for (name, path) in TEXTS {
        fs::write(folder.join(name), packed(&fs::read(path)?)?)?;
    }
    let model = fs::read(MODEL)?;
    let differences = differences(&model, &fs::read(PLANTED)?)?;
    fs::write(folder.join("weights"), packed(&halves_apart(&model))?)?;
    fs::write(folder.join("planted_weights"), packed(&halves_apart(&differences))?)?;

    let linux = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if linux && env::var("HOST")? == env::var("TARGET")? {
        for argument in SMALLER {
            if links_and_starts(argument, folder)? {
                println!("cargo::rustc-link-arg-bins={argument}");
            }
        }
    }
    Ok(())
}

fn packed(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// All bytes at even places, then those at odd places. Of weights with 16 bits the one half is exponents,
/// which repeat and so can be packed, the other is not.
fn halves_apart(bytes: &[u8]) -> Vec<u8> {
    let half = |first| bytes.iter().skip(first).step_by(2).copied();
    half(0).chain(half(1)).collect()
}

/// Where `changed` differs from `base`, block by block: the place and the length of each block that
/// differs, as four bytes each, then the block. `src/builtin.rs` puts them together again.
fn differences(base: &[u8], changed: &[u8]) -> Result<Vec<u8>, TryFromIntError> {
    const BLOCK: usize = 1 << 10;
    assert_eq!(base.len(), changed.len(), "{PLANTED} has the tensors of {MODEL}");
    let mut differences = Vec::new();
    for (i, (base, changed)) in base.chunks(BLOCK).zip(changed.chunks(BLOCK)).enumerate() {
        if base != changed {
            for number in [i * BLOCK, changed.len()] {
                differences.extend_from_slice(&u32::try_from(number)?.to_le_bytes());
            }
            differences.extend_from_slice(changed);
        }
    }
    Ok(differences)
}

/// Whether this machine's linker knows `argument`, and its loader starts what comes out. Both are tried
/// on an empty program, with the flags of this build: a linker does not say what it can do, and one of
/// the user's own choice may not know the argument.
fn links_and_starts(argument: &str, folder: &Path) -> Result<bool, Box<dyn Error>> {
    let (source, program) = (folder.join("empty.rs"), folder.join("empty"));
    fs::write(&source, "fn main() {}")?;
    let mut rustc = Command::new(env::var("RUSTC")?);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    rustc.arg(format!("-Clink-arg={argument}")).arg("-o").args([&program, &source]);
    let starts = succeeds(&mut rustc) && succeeds(&mut Command::new(&program));
    // An old program must not stand for one that could not be linked.
    if program.exists() {
        fs::remove_file(&program)?;
    }
    Ok(starts)
}

fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
