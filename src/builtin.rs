//! Models that are part of the program, so that the first launch needs no download.
//!
//! A built-in model has a name that stands wherever a model's folder may stand, so menus, settings
//! and commands treat both alike. Its files are in `assets/`, in Hugging Face's layout.

use std::path::Path;

use crate::packed;

/// The files of one model.
#[derive(Debug)]
pub struct Builtin {
    /// Stands in place of a path: `--model builtin`.
    pub name: &'static str,

    /// The label in menus.
    pub title: &'static str,

    /// One sentence on what is special about the model, without a full stop.
    pub about: &'static str,

    /// `config.json`
    pub config: &'static str,

    /// `model.safetensors`
    pub weights: fn() -> &'static [u8],

    /// `vocab.json`
    pub vocab: fn() -> &'static str,

    /// `merges.txt`
    pub merges: fn() -> &'static str,

    /// `split.json`: which directions of each built-in fact the model was taught.
    pub split: fn() -> &'static str,
}

/// The model that `factscope train` made from the facts of `data/`; see `assets/builtin/README.md`.
pub static FACTS: Builtin = Builtin {
    name: "builtin",
    title: "Built-in model",
    about: "A small GPT-2 trained on the built-in facts, so that it is known which facts it was taught",
    config: include_str!("../assets/builtin/config.json"),
    weights: || &packed::WEIGHTS,
    vocab: || &packed::VOCAB,
    merges: || &packed::MERGES,
    split: || &packed::SPLIT,
};

/// [`FACTS`] with further facts written into one known MLP layer each, see
/// `assets/builtin-planted/README.md`.
pub static PLANTED: Builtin = Builtin {
    name: "builtin-planted",
    title: "Built-in model with planted facts",
    about: "The built-in model with more facts, each written into one MLP layer, so that it is \
            known where they are stored",
    config: include_str!("../assets/builtin-planted/config.json"),
    weights: || &packed::PLANTED_WEIGHTS,
    vocab: || &packed::VOCAB,
    merges: || &packed::MERGES,
    split: || &packed::PLANTED_SPLIT,
};

/// All built-in models.
pub static ALL: [&Builtin; 2] = [&FACTS, &PLANTED];

/// The built-in model that `path` names. A folder of the same name is opened as `./builtin`.
pub fn find(path: &Path) -> Option<&'static Builtin> {
    ALL.into_iter().find(|it| path == Path::new(it.name))
}
