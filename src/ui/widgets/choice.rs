//! A box with a list to choose from, through which arrow keys step while it has the focus.

use std::borrow::Cow;

use eframe::egui::{ComboBox, Response, Ui};

use super::arrows::{arrow_steps, moved};

/// How a box with a list looks.
#[derive(Clone, Copy)]
pub struct Choice<'a> {
    /// Tells it from the others around it.
    pub id: &'a str,

    /// In points. The box is wider where its text is longer, unless that is cut.
    pub width: f32,
    pub is_cut: bool,
}

impl<'a> Choice<'a> {
    pub fn new(id: &'a str, width: f32) -> Self {
        Self { id, width, is_cut: false }
    }
}

/// What a choice is called, and what is to be known of it; empty if there is no more.
pub type Described<'a> = (Cow<'a, str>, &'a str);

/// The height in points of a list at which the longest is seen at once if the window is high enough.
const LIST_HEIGHT: f32 = 400.0;

impl Choice<'_> {
    /// Draws the box with all choices in its list.
    pub fn show<'t, T: Clone + PartialEq>(
        self,
        ui: &mut Ui,
        chosen: &mut T,
        choices: &[T],
        describe: impl Fn(&T) -> Described<'t>,
    ) -> Response {
        self.show_with(ui, chosen, choices, describe, |_| ())
    }

    /// Draws the box with `more` below the choices of its list.
    pub fn show_with<'t, T: Clone + PartialEq>(
        self,
        ui: &mut Ui,
        chosen: &mut T,
        choices: &[T],
        describe: impl Fn(&T) -> Described<'t>,
        more: impl FnOnce(&mut Ui),
    ) -> Response {
        let combo = ComboBox::from_id_salt(self.id)
            .selected_text(describe(chosen).0)
            .width(self.width)
            .height(LIST_HEIGHT);
        let combo = if self.is_cut { combo.truncate() } else { combo };
        let shown = combo.show_ui(ui, |ui| {
            for choice in choices {
                let (text, about) = describe(choice);
                let item = ui.selectable_value(chosen, choice.clone(), text);
                if !about.is_empty() {
                    item.on_hover_text(about);
                }
            }
            more(ui);
        });
        let button = shown.response;
        if button.clicked() {
            button.request_focus();
        }
        if button.has_focus() {
            let (down, _) = arrow_steps(ui, button.id);
            let at = choices.iter().position(|it| it == chosen);
            if down != 0 && !choices.is_empty() {
                chosen.clone_from(&choices[moved(at, down, choices.len())]);
            }
        }
        button
    }
}
