//! The prompt that activations are taken from, and which of its tokens go where.

use eframe::egui::{Button, RichText, TextEdit, Ui};
use serde::{Deserialize, Serialize};

use super::{About, Asks};
use crate::analysis::Pair;
use crate::analysis::comparison::Second;
use crate::facts::{Fact, Record};
use crate::figure::words::capitalized;
use crate::tokens::TokenizedPrompt;
use crate::ui::facts::fact_of_fields;
use crate::ui::theme;
use crate::ui::widgets::{PairingClick, pairing_ui};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct OtherPrompt {
    source: Source,

    /// The id of the other fact.
    fact: String,
    typed: Typed,

    /// Pairs that are not as their roles have them, latest last.
    edited: Vec<Edited>,
}

/// Where the other prompt comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Source {
    /// The same fact asked the other way.
    #[default]
    Inverse,
    Fact,
    Typed,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Typed {
    prompt: String,
    subject: String,
    answer: String,
}

/// The pairs of two prompts. They mean nothing for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Edited {
    donor: Vec<u32>,
    recipient: Vec<u32>,
    pairs: Vec<Pair>,
}

/// For how many pairs of prompts edited pairs of tokens are kept.
const N_KEPT: usize = 64;

/// How many facts a search lists.
const N_LISTED: usize = 6;

const SOURCES: [(Source, &str, &str); 3] = [
    (Source::Inverse, "The inverse", "The same fact asked the other way, and this one put there"),
    (Source::Fact, "Another fact", "Of the dataset, or typed on the left, asked the same way"),
    (Source::Typed, "Text", "A prompt that is typed here"),
];

const KEPT: &str = "The fact that is kept in the inverse's place, and this one put there";

impl OtherPrompt {
    /// The inverse has this fact as its other prompt; nothing else has.
    pub fn asks(&self) -> Asks {
        if self.source == Source::Inverse { Asks::BothRows } else { Asks::ThisRow }
    }

    /// The prompt that is chosen. The error says to the user what is missing.
    pub fn donor(&self, about: &About<'_>) -> Result<TokenizedPrompt, String> {
        let prompt = match self.source {
            Source::Inverse => {
                return about.other.cloned().ok_or_else(|| about.alone());
            }
            Source::Fact => {
                if self.fact.is_empty() {
                    return Err("Choose the fact to take activations from".to_owned());
                }
                let record = about.facts.named(&self.fact);
                let record = record.ok_or("The fact to take activations from is not open")?;
                let fact = record.fact(about.asked).ok_or("That fact has no inverse")?;
                tokenized(fact, about)?
            }
            Source::Typed => tokenized(&self.typed.fact()?, about)?,
        };
        if prompt.ids == about.prompt.ids {
            return Err("That is the prompt itself: choose another".to_owned());
        }
        Ok(prompt)
    }

    /// Which of its tokens go where: as they were edited for these prompts, else by their roles.
    pub fn pairs(
        &self,
        donor: &TokenizedPrompt,
        recipient: &TokenizedPrompt,
    ) -> Result<Vec<Pair>, String> {
        let pairs = self
            .edited(donor, recipient)
            .map_or_else(|| Pair::by_role(donor, recipient), |edited| edited.pairs.clone());
        if pairs.is_empty() {
            return Err("Pair a token of the other prompt with one of this".to_owned());
        }
        Pair::check(&pairs, donor, recipient).map_err(|error| capitalized(&error))?;
        Ok(pairs)
    }

    fn edited(&self, donor: &TokenizedPrompt, recipient: &TokenizedPrompt) -> Option<&Edited> {
        self.edited.iter().find(|it| it.is_of(donor, recipient))
    }

    fn edit(&mut self, donor: &TokenizedPrompt, recipient: &TokenizedPrompt, pairs: Vec<Pair>) {
        self.edited.retain(|it| !it.is_of(donor, recipient));
        if pairs == Pair::by_role(donor, recipient) {
            return;
        }
        let (donor, recipient) = (donor.ids.clone(), recipient.ids.clone());
        self.edited.push(Edited { donor, recipient, pairs });
        if self.edited.len() > N_KEPT {
            self.edited.remove(0);
        }
    }

    pub fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            ui.label("From");
            for (source, name, tooltip) in SOURCES {
                let (name, tooltip) = match (source, about.beside) {
                    (Source::Inverse, Second::Fact) => ("The fact beside", KEPT),
                    _ => (name, tooltip),
                };
                ui.selectable_value(&mut self.source, source, name).on_hover_text(tooltip);
            }
        });
        match self.source {
            Source::Inverse => {}
            Source::Fact => self.fact_ui(ui, about),
            Source::Typed => self.typed.form_ui(ui),
        }
        if let Ok(donor) = self.donor(about) {
            self.pairing_ui(ui, &donor, about.prompt);
        }
    }

    /// The fact that is chosen, and those that a search finds.
    fn fact_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        let chosen = about.facts.named(&self.fact);
        if let Some((record, fact)) = chosen.and_then(|it| Some((it, it.fact(about.asked)?))) {
            ui.label(described(record, fact));
        }
        // What is searched for is no setting: it is gone once a fact is chosen.
        let id = ui.scope_id().with("other fact");
        let mut query = ui.data(|data| data.get_temp::<String>(id)).unwrap_or_default();
        ui.horizontal(|ui| {
            let label = ui.label("Find a fact");
            let edit = TextEdit::singleline(&mut query)
                .hint_text("Words of its prompt or answer, P103…")
                .background_color(theme::field_color(ui))
                .desired_width(ui.available_width().min(320.0));
            ui.add(edit)
                .labelled_by(label.id)
                .on_hover_text("The prompt to take activations from, of all the facts there are");
        });
        if chosen.is_none() || !query.trim().is_empty() {
            let is_other = |other: &&Record| about.record.is_none_or(|it| it.id != other.id);
            // A search ends where enough is found, so most look at few facts.
            let found = about.facts.matching(&query).filter(is_other);
            let found = found.filter_map(|it| Some((it, it.fact(about.asked)?)));
            let found: Vec<(&Record, &Fact)> = found.take(N_LISTED + 1).collect();
            for (record, fact) in found.iter().take(N_LISTED) {
                let text = described(record, fact);
                let item = ui.selectable_label(self.fact == record.id, text);
                if item.on_hover_text("Take activations from this fact").clicked() {
                    self.fact.clone_from(&record.id);
                    query.clear();
                }
            }
            if found.is_empty() {
                ui.weak("No other fact holds these words");
            } else if found.len() > N_LISTED {
                ui.weak("…and more; type words to find others");
            }
        }
        ui.data_mut(|data| data.insert_temp(id, query));
    }

    fn pairing_ui(&mut self, ui: &mut Ui, donor: &TokenizedPrompt, recipient: &TokenizedPrompt) {
        let edited = self.edited(donor, recipient).map(|it| it.pairs.clone());
        let is_edited = edited.is_some();
        let mut pairs = edited.unwrap_or_else(|| Pair::by_role(donor, recipient));
        let id = ui.scope_id().with(("refused pair", &donor.ids, &recipient.ids));
        match pairing_ui(ui, donor, recipient, &pairs) {
            Some(PairingClick::Add(pair)) => {
                let with_it = sorted(pairs.iter().copied().chain([pair]));
                match Pair::check(&with_it, donor, recipient) {
                    Ok(()) => {
                        self.edit(donor, recipient, with_it);
                        ui.data_mut(|data| data.remove::<String>(id));
                    }
                    Err(error) => {
                        let why = format!("Not paired: {error}");
                        ui.data_mut(|data| data.insert_temp(id, why));
                    }
                }
            }
            Some(PairingClick::Remove(pair)) => {
                pairs.retain(|it| *it != pair);
                self.edit(donor, recipient, pairs);
                ui.data_mut(|data| data.remove::<String>(id));
            }
            None => {}
        }
        if let Some(why) = ui.data(|data| data.get_temp::<String>(id)) {
            ui.label(RichText::new(why).color(theme::palette(ui).error));
        }
        ui.horizontal_wrapped(|ui| {
            let again = ui.add_enabled(is_edited, Button::new("By role again").small());
            let again = again.on_hover_text(
                "First and last subject token, the words around them, the last token: each with its \
                 like",
            );
            if again.on_disabled_hover_text("Tokens are paired by their roles").clicked() {
                self.edited.retain(|it| !it.is_of(donor, recipient));
                ui.data_mut(|data| data.remove::<String>(id));
            }
            ui.weak(if is_edited { "Paired by hand" } else { "Paired by role" });
        });
    }
}

impl Edited {
    fn is_of(&self, donor: &TokenizedPrompt, recipient: &TokenizedPrompt) -> bool {
        self.donor == donor.ids && self.recipient == recipient.ids
    }
}

impl Typed {
    fn fact(&self) -> Result<Fact, String> {
        let fields = [&*self.prompt, &self.subject, &self.answer, ""];
        fact_of_fields(fields, "Type the prompt to take activations from")
    }

    fn form_ui(&mut self, ui: &mut Ui) {
        let line = |ui: &mut Ui, name: &str, hint: &str, about: &str, text: &mut String| {
            ui.horizontal(|ui| {
                let label = ui.label(name);
                let edit = TextEdit::singleline(text)
                    .hint_text(hint)
                    .background_color(theme::field_color(ui))
                    .desired_width(ui.available_width().min(320.0));
                ui.add(edit).labelled_by(label.id).on_hover_text(about);
            });
        };
        let about = "Up to its answer";
        line(ui, "Other prompt", "e.g. The capital of Italy is", about, &mut self.prompt);
        let about = "The words that it is about; tokens are paired around them. May be left empty";
        line(ui, "Other subject", "e.g. Italy", about, &mut self.subject);
        let about = "What should follow it; what is measured is compared with that";
        line(ui, "Other answer", "e.g. Rome", about, &mut self.answer);
    }
}

fn tokenized(fact: &Fact, about: &About<'_>) -> Result<TokenizedPrompt, String> {
    TokenizedPrompt::new(&about.info.tokenizer, fact, about.prompt.bos)
        .map_err(|error| capitalized(&error))
}

/// `5  The capital of Italy is → Rome`
fn described(record: &Record, fact: &Fact) -> String {
    let answer = fact.answer.as_ref().map(|it| format!(" → {}", it.trim())).unwrap_or_default();
    format!("{}  {}{answer}", record.id, fact.prompt)
}

/// Pairs in the order of the recipient's tokens, as roles give them.
fn sorted(pairs: impl Iterator<Item = Pair>) -> Vec<Pair> {
    let mut pairs: Vec<Pair> = pairs.collect();
    pairs.sort_by_key(|pair| pair.recipient);
    pairs
}
