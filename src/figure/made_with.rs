//! What a figure was made with: the model, what was changed in it, and the program.

use super::Figure;
use crate::analysis::ModelEdit;
use crate::tokens::visible;

/// The model that a result is of.
#[derive(Clone, Copy, Debug)]
pub struct AskedModel<'a> {
    pub name: &'a str,

    /// What was changed in it, in the order in which it was done.
    pub edits: &'a [ModelEdit],

    /// How many heads of keys and values a layer has: fewer than heads where queries are grouped.
    pub n_kv_heads: usize,
}

impl AskedModel<'_> {
    /// The line below a figure: `Model gpt2, changed: MLP 5 edited to say ·Rome  ·  factscope 0.1.0`.
    pub fn note(&self) -> String {
        model_note(self.name, self.edits)
    }
}

/// The line below a figure for a model of this name, with what was changed in it.
pub fn model_note(name: &str, edits: &[ModelEdit]) -> String {
    let edits: Vec<String> = edits.iter().map(about_edit).collect();
    let changed =
        if edits.is_empty() { String::new() } else { format!(", changed: {}", edits.join("; ")) };
    format!("Model {name}{changed}  ·  {}", program())
}

/// What a change of a model does, in a few words.
pub fn about_edit(edit: &ModelEdit) -> String {
    match edit {
        ModelEdit::RankOne(spec) => {
            format!("MLP {} edited to say {}", spec.layer, visible(&spec.target.text))
        }
        ModelEdit::Processing(it) => format!("weights processed ({it})"),
        ModelEdit::Steering(spec) => {
            format!("steered after layer {}, scale {}", spec.layer, spec.scale)
        }
    }
}

/// The program that made a file.
pub fn program() -> String {
    format!("factscope {}", env!("CARGO_PKG_VERSION"))
}

impl Figure {
    /// This figure as it leaves the program, where its model must be named: the last notes say what it
    /// was made with.
    #[must_use]
    pub fn signed(mut self) -> Self {
        self.notes.append(&mut self.made_with);
        self
    }
}
