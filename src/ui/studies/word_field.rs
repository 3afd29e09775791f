//! A field for a word that need not be typed: what is taken where none is typed stands in it like what is
//! typed, and what is only said about it stands there as a hint.

use eframe::egui::{TextEdit, Ui};

use crate::ui::theme;
use crate::ui::widgets::keep_together;

/// What an empty field stands for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unless<'a> {
    /// This word is taken.
    Word(&'a str),

    /// A hint says what is taken, or gives an example where something must be typed.
    Said(&'a str),
}

/// `word`: what is typed; an empty text stands for what `unless` says.
pub(super) fn word_ui(ui: &mut Ui, name: &str, width: f32, word: &mut String, unless: Unless<'_>) {
    keep_together(ui, name, width);
    let label = ui.label(name);
    let (taken, hint) = match unless {
        Unless::Word(word) => (word, format!("{word}, if left empty")),
        Unless::Said(hint) => ("", hint.to_owned()),
    };
    // Who empties the field goes on to type.
    let id = ui.make_persistent_id((name, "is emptied"));
    let is_emptied = ui.data(|data| data.get_temp::<bool>(id)).unwrap_or_default();
    let is_filled = word.trim().is_empty() && !is_emptied;
    let mut text = if is_filled { taken.to_owned() } else { word.clone() };
    let edit = TextEdit::singleline(&mut text).hint_text(hint).desired_width(width);
    let edit = edit.background_color(theme::field_color(ui));
    let field = ui.add(edit).labelled_by(label.id);
    if field.changed() {
        *word = if text.trim() == taken { String::new() } else { text.clone() };
    }
    let is_emptied = field.has_focus() && text.trim().is_empty();
    ui.data_mut(|data| data.insert_temp(id, is_emptied));
}
