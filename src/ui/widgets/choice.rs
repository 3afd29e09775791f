//! A box with a list to choose from, through which arrow keys step while it has the focus.

use std::borrow::Cow;

use eframe::egui::{Color32, ComboBox, Context, Id, Key, Response, TextStyle, Ui};

use super::arrows::{arrow_steps, moved};
use super::menu::{SCROLL_BAR, room};

/// How a box with a list looks.
#[derive(Clone, Copy)]
pub struct Choice<'a> {
    /// Tells it from the others around it.
    pub id: &'a str,

    /// In points. The box is wider where one of its choices is longer, whichever is chosen, unless they are
    /// cut.
    pub width: f32,
    pub is_cut: bool,
}

impl<'a> Choice<'a> {
    pub fn new(id: &'a str, width: f32) -> Self {
        Self { id, width, is_cut: false }
    }
}

/// Whether a box with a list has the focus: of the arrow keys it needs only those that go up and down.
pub fn is_choice_focused(ctx: &Context) -> bool {
    let last = ctx.data(|data| data.get_temp::<Id>(Id::unique(IN_FOCUS)));
    last.is_some() && ctx.memory(|memory| memory.focused()) == last
}

/// Where the box is kept that had the focus last.
const IN_FOCUS: &str = "choice in focus";

/// Where it is kept what was chosen when a list was opened.
const BEFORE: &str = "choice before its list was opened";

/// What a choice is called, and what is to be known of it; empty if there is no more.
pub type Described<'a> = (Cow<'a, str>, &'a str);

/// The height in points of a list at which the longest is seen at once if the window is high enough.
const LIST_HEIGHT: f32 = 400.0;

impl Choice<'_> {
    /// The width of the box in points: the same whichever is chosen, so that nothing beside it moves.
    pub fn width_for<'t, T>(
        &self,
        ui: &Ui,
        choices: &[T],
        describe: impl Fn(&T) -> Described<'t>,
    ) -> f32 {
        if self.is_cut {
            return self.width;
        }
        let spacing = ui.spacing();
        let around = spacing.icon_spacing + spacing.icon_width;
        Self::longest(ui, choices, describe).max((self.width - around).ceil()) + around
    }

    /// The width in points of the longest choice, as a button.
    fn longest<'t, T>(ui: &Ui, choices: &[T], describe: impl Fn(&T) -> Described<'t>) -> f32 {
        let font = TextStyle::Button.resolve(ui.style());
        let text = |choice| {
            let text = describe(choice).0.into_owned();
            ui.painter().layout_no_wrap(text, font.clone(), Color32::PLACEHOLDER).size().x
        };
        let around = 2.0 * ui.spacing().button_padding.x;
        choices.iter().map(text).fold(0.0, f32::max).ceil() + around
    }

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
            .width(self.width_for(ui, choices, &describe))
            .height(room(ui).min(LIST_HEIGHT));
        let combo = if self.is_cut { combo.truncate() } else { combo };
        let shown = combo.show_ui(ui, |ui| {
            // Beside the longest there is room for the scroll bar.
            ui.set_min_width(Self::longest(ui, choices, &describe) + SCROLL_BAR);
            for choice in choices {
                let (text, about) = describe(choice);
                let item = ui.selectable_value(chosen, choice.clone(), text);
                if !about.is_empty() {
                    item.on_hover_text(about);
                }
            }
            more(ui);
        });
        let is_open = shown.inner.is_some();
        let button = shown.response;
        let at = choices.iter().position(|it| it == chosen);
        // Esc leaves the list as if it had never been opened, whatever arrow keys have chosen in it.
        let before = Id::unique((BEFORE, button.id));
        if !is_open {
            ui.data_mut(|data| data.remove::<Option<usize>>(before));
        } else if let at = ui.data_mut(|data| *data.get_temp_mut_or(before, at))
            && ui.input(|input| input.key_pressed(Key::Escape))
            && let Some(choice) = at.and_then(|at| choices.get(at))
        {
            chosen.clone_from(choice);
        }
        if button.clicked() {
            button.request_focus();
        }
        if button.has_focus() {
            ui.data_mut(|data| data.insert_temp(Id::unique(IN_FOCUS), button.id));
            let (down, _) = arrow_steps(ui, button.id);
            if down != 0 && !choices.is_empty() {
                chosen.clone_from(&choices[moved(at, down, choices.len())]);
            }
        }
        button
    }
}
