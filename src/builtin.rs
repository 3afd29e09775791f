//! Models that are part of the program: the first launch needs no download.
//!
//! They are known by a name that stands where others have a folder, so that menus, settings and
//! commands need not tell them apart. Their files are those of `assets/`, in Hugging Face's layout.

use std::path::Path;

/// The files of one model.
#[derive(Debug)]
pub struct Builtin {
    /// In place of a path: `--model builtin`.
    pub name: &'static str,

    /// `config.json`
    pub config: &'static str,

    /// `model.safetensors`
    pub weights: &'static [u8],

    /// `vocab.json`
    pub vocab: &'static str,

    /// `merges.txt`
    pub merges: &'static str,

    /// `split.json`: what it was taught of each of the program's facts.
    pub split: &'static str,
}

/// Trained by `factscope train` on the facts of `data/`, see `assets/builtin/README.md`.
pub static FACTS: Builtin = Builtin {
    name: "builtin",
    config: include_str!("../assets/builtin/config.json"),
    weights: include_bytes!("../assets/builtin/model.safetensors"),
    vocab: include_str!("../assets/builtin/vocab.json"),
    merges: include_str!("../assets/builtin/merges.txt"),
    split: include_str!("../assets/builtin/split.json"),
};

/// The built-in model of that name. A folder of the same name is meant by `./builtin`.
pub fn find(path: &Path) -> Option<&'static Builtin> {
    (path == Path::new(FACTS.name)).then_some(&FACTS)
}
