//! The form in which a fact of one's own is typed.

use eframe::egui::{CollapsingHeader, Key, RichText, TextEdit, Ui};

use crate::facts::Fact;
use crate::ui::command::Command;
use crate::ui::state::capitalized;
use crate::ui::theme;

/// The texts of a fact that is being typed.
#[derive(Clone, Debug, Default)]
pub struct FactForm {
    prompt: String,
    subject: String,
    answer: String,
    foil: String,

    /// Why it cannot be used.
    error: Option<String>,
}

impl FactForm {
    pub fn show(&mut self, ui: &mut Ui, commands: &mut Vec<Command>) {
        CollapsingHeader::new("Type a fact").show(ui, |ui| {
            let form = &mut *self;
            let mut is_entered = false;
            let mut is_changed = false;
            let mut line = |ui: &mut Ui, name: &str, hint: &str, about: &str, text: &mut String| {
                let label = ui.label(RichText::new(name).small().weak()).on_hover_text(about);
                let edit = TextEdit::singleline(text)
                    .hint_text(hint)
                    .background_color(theme::field_color(ui))
                    .desired_width(f32::INFINITY);
                let field = ui.add(edit).labelled_by(label.id).on_hover_text(about);
                is_changed |= field.changed();
                is_entered |= field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            };
            ui.spacing_mut().item_spacing.y = 3.0;
            let about =
                "The text before the answer; a space at its end is removed, since the answer has its own";
            line(ui, "Prompt", "e.g. The Eiffel Tower is in the city of", about, &mut form.prompt);
            let about =
                "The words of the prompt that a trace corrupts; without a subject there is no trace";
            line(ui, "Subject", "e.g. The Eiffel Tower", about, &mut form.subject);
            let about = "What should follow the prompt; if left empty, the model's own first guess";
            line(ui, "Answer", "e.g. Paris", about, &mut form.answer);
            let about = "A wrong answer to compare with, for logit differences";
            line(ui, "Foil (optional)", "e.g. Rome", about, &mut form.foil);
            if is_changed {
                form.error = None;
            }
            ui.add_space(3.0);
            if ui.button("Analyse").clicked() || is_entered {
                match form.fact() {
                    Ok(fact) => commands.push(Command::AddFact(fact)),
                    Err(error) => form.error = Some(error),
                }
            }
            // Below the button, which stays where it is.
            if let Some(error) = &form.error {
                ui.label(RichText::new(error).color(theme::palette(ui).error));
            }
        });
    }

    fn fact(&self) -> Result<Fact, String> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        // The answer has a leading space of its own.
        let prompt = self.prompt.trim_end();
        if prompt.is_empty() {
            return Err("Type a prompt first".to_owned());
        }
        let subject = given(&self.subject);
        let fact =
            Fact::from_text(prompt, subject.as_deref()).map_err(|error| capitalized(&error))?;
        Ok(Fact { answer: given(&self.answer), foil: given(&self.foil), ..fact })
    }
}
