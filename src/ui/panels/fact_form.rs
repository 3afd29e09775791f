//! The form in which a fact of one's own is typed or changed, with its inverse.

use eframe::egui::{
    CollapsingHeader, InputState, Key, KeyboardShortcut, Modifiers, RichText, ScrollArea, TextEdit,
    TextStyle, Ui,
};

use crate::facts::{Fact, Record};
use crate::ui::command::Command;
use crate::ui::facts::fact_of_fields;
use crate::ui::state::{FactId, TypedFact};
use crate::ui::theme;

/// A fact that is being typed.
#[derive(Clone, Debug, Default)]
pub struct FactForm {
    fact: Texts,
    inverse: Texts,

    /// The typed fact that is changed, if none is added.
    edited: Option<FactId>,

    /// Set for the frame in which the form is unfolded or folded by a command.
    unfolds: Option<bool>,

    /// Set until the form is unfolded and the prompt has the focus.
    is_begun: bool,

    /// Whether the fields were drawn when the form was last drawn.
    was_open: bool,

    /// Whether one of its fields had the focus when it was last drawn.
    pub(super) has_focus: bool,

    /// Why it cannot be used.
    error: Option<String>,
}

/// The texts of a fact that is asked one way.
#[derive(Clone, Debug, Default)]
struct Texts {
    prompt: String,
    subject: String,
    answer: String,
    foil: String,
}

/// What was done in the form.
#[derive(Clone, Copy, Debug, Default)]
struct Done {
    is_changed: bool,
    is_entered: bool,
    has_focus: bool,
}

/// What the fields leave of the form for its header and its buttons, and how high they are at least, in points.
const BESIDE_FIELDS: f32 = 62.0;
const LEAST: f32 = 90.0;

/// How many lines of an error are in sight at once: it may quote a prompt of any length.
const ERROR_LINES: f32 = 3.0;

impl FactForm {
    /// Shows a fact to be changed. One of the dataset is the start of a new one.
    pub fn edit(&mut self, id: FactId, record: &Record) {
        *self = Self {
            fact: Texts::of(&record.fact),
            inverse: record.inverse.as_ref().map(|it| Texts::of(&it.fact)).unwrap_or_default(),
            edited: Some(id).filter(|id| matches!(id, FactId::Typed(_))),
            unfolds: Some(true),
            is_begun: true,
            was_open: self.was_open,
            has_focus: false,
            error: None,
        };
    }

    /// See [`super::FactsView::leave_form`].
    pub(super) fn leave(&mut self) {
        if self.edited.is_some() {
            *self = Self::default();
        }
        self.unfolds = Some(false);
    }

    /// `room`: the points that the form has above the list.
    pub fn show(&mut self, ui: &mut Ui, room: f32, commands: &mut Vec<Command>) {
        let title = if self.edited.is_some() { "Change the fact" } else { "Type a fact" };
        let of_error = if self.error.is_some() { error_height(ui) } else { 0.0 };
        let height = (room - BESIDE_FIELDS - of_error).max(LEAST);
        let unfolds = self.unfolds.take();
        self.has_focus = false;
        let form = CollapsingHeader::new(title).id_salt("fact form").open(unfolds);
        let form = form.show(ui, |ui| {
            let fields = ScrollArea::vertical()
                .id_salt("fact form")
                .max_height(height)
                .min_scrolled_height(LEAST)
                .auto_shrink([false, true])
                .show(ui, |ui| self.fields_ui(ui, unfolds));
            self.buttons_ui(ui, fields.inner, commands);
        });
        if form.header_response.has_focus() {
            theme::focus_ring(ui, form.header_response.rect);
        }
        // Who unfolds it wants to type. While it unfolds, what is not in sight yet does not keep the focus.
        if form.fully_open() && self.has_focus {
            self.is_begun = false;
        }
        self.is_begun |= form.header_response.clicked() && !self.was_open;
        self.was_open = form.body_returned.is_some();
    }

    /// Draws the fields, and returns whether Enter was pressed in one.
    fn fields_ui(&mut self, ui: &mut Ui, unfolds: Option<bool>) -> bool {
        ui.spacing_mut().item_spacing.y = 3.0;
        let mut done = Done::default();
        let about = "The text before the answer; a space at its end is removed, since the answer has \
                     its own";
        let hint = "e.g. The Eiffel Tower is in the city of";
        done.prompt_ui(ui, ["Prompt", hint, about], &mut self.fact.prompt, self.is_begun);
        let about =
            "The words of the prompt that a trace corrupts; without a subject there is no trace";
        let line = ["Subject", "e.g. The Eiffel Tower", about];
        done.line_ui(ui, line, &mut self.fact.subject, false);
        let about = "What should follow the prompt; if left empty, the model's own first guess";
        let hint = "e.g. Paris; empty: the first guess";
        done.line_ui(ui, ["Answer", hint, about], &mut self.fact.answer, false);
        let about = "A wrong answer to compare with, for logit differences";
        let line = ["Foil (optional)", "e.g. Rome", about];
        done.line_ui(ui, line, &mut self.fact.foil, false);
        let unfolds = unfolds.filter(|_| !self.inverse.is_empty());
        let fold = CollapsingHeader::new("Inverse (optional)").open(unfolds).show(ui, |ui| {
            done.inverse_ui(ui, &self.fact, &mut self.inverse);
        });
        if fold.header_response.has_focus() {
            theme::focus_ring(ui, fold.header_response.rect);
        }
        if done.is_changed {
            self.error = None;
        }
        self.has_focus = done.has_focus;
        done.is_entered
    }

    fn buttons_ui(&mut self, ui: &mut Ui, is_entered: bool, commands: &mut Vec<Command>) {
        let mut wanted = is_entered.then_some(self.edited).map(Wanted::of);
        let mut is_given_up = false;
        ui.horizontal(|ui| match self.edited {
            None => {
                if ui.button("Analyse").clicked() {
                    wanted = Some(Wanted::New);
                }
            }
            Some(id) => {
                let about = "The fact in its place. What was found of the old text stays with it, \
                             and comes back with Undo";
                if ui.button("Change").on_hover_text(about).clicked() {
                    wanted = Some(Wanted::InPlaceOf(id));
                }
                if ui.button("Add as new").on_hover_text("The old fact stays").clicked() {
                    wanted = Some(Wanted::New);
                }
                is_given_up = ui.button("Cancel").clicked();
            }
        });
        // Below the button, which stays where it is.
        if let Some(error) = &self.error {
            let area = ScrollArea::vertical().id_salt("error").max_height(error_height(ui));
            area.auto_shrink([false, true]).show(ui, |ui| {
                ui.label(RichText::new(error).color(theme::palette(ui).error));
            });
        }
        if let Some(wanted) = wanted {
            self.give(wanted, commands);
        }
        if is_given_up {
            self.leave();
        }
    }

    /// Gives the fact away, or says why it cannot be used.
    fn give(&mut self, wanted: Wanted, commands: &mut Vec<Command>) {
        let fact = match self.typed() {
            Ok(fact) => Box::new(fact),
            Err(error) => {
                self.error = Some(error);
                return;
            }
        };
        if self.edited.is_some() {
            *self = Self { unfolds: Some(false), ..Self::default() };
        }
        commands.push(match wanted {
            Wanted::New => Command::AddFact(fact),
            Wanted::InPlaceOf(id) => Command::ReplaceFact((id, fact)),
        });
    }

    fn typed(&self) -> Result<TypedFact, String> {
        let fact = self.fact.fact("Type a prompt first")?;
        if self.inverse.is_empty() {
            return Ok(TypedFact { fact, inverse: None });
        }
        let without = "Type the prompt of the inverse too, or empty its fields";
        let inverse = self.inverse.with_ends_of(&self.fact).fact(without)?;
        Ok(TypedFact { fact, inverse: Some(inverse) })
    }
}

fn error_height(ui: &Ui) -> f32 {
    ERROR_LINES * ui.text_style_height(&TextStyle::Body)
}

/// What becomes of the typed fact.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    New,
    InPlaceOf(FactId),
}

impl Wanted {
    fn of(edited: Option<FactId>) -> Self {
        edited.map_or(Self::New, Self::InPlaceOf)
    }
}

impl Texts {
    fn of(fact: &Fact) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Self {
            prompt: fact.prompt.clone(),
            subject: text(fact.subject_text()),
            answer: text(fact.answer.as_deref()),
            foil: text(fact.foil.as_deref()),
        }
    }

    fn is_empty(&self) -> bool {
        [&self.prompt, &self.subject, &self.answer].iter().all(|it| it.trim().is_empty())
    }

    /// An inverse asks from the fact's answer for its subject, unless other words are typed.
    fn with_ends_of(&self, fact: &Self) -> Self {
        let or =
            |own: &str, other: &str| if own.trim().is_empty() { other } else { own }.to_owned();
        Self {
            subject: or(&self.subject, &fact.answer),
            answer: or(&self.answer, &fact.subject),
            ..self.clone()
        }
    }

    fn fact(&self, without_prompt: &str) -> Result<Fact, String> {
        let Self { prompt, subject, answer, foil } = self;
        fact_of_fields([prompt, subject, answer, foil].map(|it| &**it), without_prompt)
    }
}

impl Done {
    /// A field with its name. `is_begun`: whether it is to have the focus.
    fn line_ui(
        &mut self,
        ui: &mut Ui,
        [name, hint, about]: [&str; 3],
        text: &mut String,
        is_begun: bool,
    ) {
        let label = ui.label(RichText::new(name).small().weak()).on_hover_text(about);
        let edit = TextEdit::singleline(text)
            .hint_text(hint)
            .background_color(theme::field_color(ui))
            .desired_width(f32::INFINITY);
        let field = ui.add(edit).labelled_by(label.id).on_hover_text(about);
        if is_begun {
            field.request_focus();
        }
        self.is_changed |= field.changed();
        self.has_focus |= field.has_focus();
        self.is_entered |= field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    }

    /// A field for a text that may be long. It wraps, and scrolls from some rows on; Enter is for the whole
    /// form, as in any other field, and with Shift begins a new line.
    fn prompt_ui(
        &mut self,
        ui: &mut Ui,
        [name, hint, about]: [&str; 3],
        text: &mut String,
        is_begun: bool,
    ) {
        const ROWS: [usize; 2] = [2, 6];
        let label = ui.label(RichText::new(name).small().weak()).on_hover_text(about);
        let row = ui.text_style_height(&TextStyle::Body);
        let most = ROWS[1] as f32 * row + 2.0 * ui.spacing().button_padding.y;
        let area = ScrollArea::vertical().id_salt(name).max_height(most).min_scrolled_height(most);
        let area = area.auto_shrink([false, true]);
        let field = area.show(ui, |ui| {
            let edit = TextEdit::multiline(text)
                .hint_text(hint)
                .background_color(theme::field_color(ui))
                .desired_rows(ROWS[0])
                .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter))
                .desired_width(f32::INFINITY);
            ui.add(edit).labelled_by(label.id).on_hover_text(about)
        });
        let field = field.inner;
        if is_begun {
            field.request_focus();
        }
        let is_entered =
            |input: &InputState| input.key_pressed(Key::Enter) && !input.modifiers.any();
        if field.has_focus() && ui.input(is_entered) {
            field.surrender_focus();
            self.is_entered = true;
        }
        self.is_changed |= field.changed();
        self.has_focus |= field.has_focus();
    }

    fn inverse_ui(&mut self, ui: &mut Ui, fact: &Texts, inverse: &mut Texts) {
        let or = |text: &str, else_: &str| {
            if text.trim().is_empty() { else_.to_owned() } else { text.to_owned() }
        };
        let about = "The same fact asked from its answer: the text before the subject's name";
        let line = ["Inverse prompt", "e.g. Paris is home to", about];
        self.prompt_ui(ui, line, &mut inverse.prompt, false);
        let about = "Its words that a trace corrupts; if left empty, the fact's answer";
        let hint = or(&fact.answer, "e.g. Paris");
        let line = ["Inverse subject", &hint, about];
        self.line_ui(ui, line, &mut inverse.subject, false);
        let about = "What should follow; if left empty, the fact's subject";
        let hint = or(&fact.subject, "e.g. The Eiffel Tower");
        let line = ["Inverse answer", &hint, about];
        self.line_ui(ui, line, &mut inverse.answer, false);
    }
}
