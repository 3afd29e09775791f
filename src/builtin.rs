//! Models that are part of the program: the first launch needs no download.
//!
//! They are known by a name that stands where others have a folder, so that menus, settings and
//! commands need not tell them apart. Their files are those of `assets/`, in Hugging Face's layout.

use std::path::Path;

/// The files of one model.
#[derive(Debug, PartialEq, Eq)]
pub struct Builtin {
    /// In place of a path: `--model builtin`.
    pub name: &'static str,

    /// In menus.
    pub title: &'static str,

    /// What is special about it.
    pub about: &'static str,

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
    title: "Built-in model",
    about: "A small GPT-2 that was trained on the built-in facts: what it was taught is known",
    config: include_str!("../assets/builtin/config.json"),
    weights: include_bytes!("../assets/builtin/model.safetensors"),
    vocab: include_str!("../assets/builtin/vocab.json"),
    merges: include_str!("../assets/builtin/merges.txt"),
    split: include_str!("../assets/builtin/split.json"),
};

/// [`FACTS`] with further facts written into one known MLP layer each, see
/// `assets/builtin-planted/README.md`.
pub static PLANTED: Builtin = Builtin {
    name: "builtin-planted",
    title: "Built-in model with planted facts",
    about: "The built-in model after more facts were written into one known MLP layer each: where \
            they are stored is known",
    config: include_str!("../assets/builtin-planted/config.json"),
    weights: include_bytes!("../assets/builtin-planted/model.safetensors"),
    vocab: include_str!("../assets/builtin-planted/vocab.json"),
    merges: include_str!("../assets/builtin-planted/merges.txt"),
    split: include_str!("../assets/builtin-planted/split.json"),
};

pub static ALL: [&Builtin; 2] = [&FACTS, &PLANTED];

/// The built-in model of that name. A folder of the same name is meant by `./builtin`.
pub fn find(path: &Path) -> Option<&'static Builtin> {
    ALL.into_iter().find(|it| path == Path::new(it.name))
}
