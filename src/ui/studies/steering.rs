//! Steering: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::word_field::{Unless, word_ui};
use super::{About, Asks, Study, layer_of, layer_ui, number_ui};
use crate::analysis::steering::{Direction, Spec};
use crate::analysis::{AnalysisSpec, Positions};
use crate::ui::widgets::number_field;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The word that the model is steered towards. An empty text stands for the foil.
    plus: String,

    /// The word that the model is steered away from. An empty text stands for the mean of all tokens.
    minus: String,

    /// The layer. `None` stands for the one that is picked out.
    layer: Option<usize>,
    scale: f64,
    at_all: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { plus: String::new(), minus: String::new(), layer: None, scale: 4.0, at_all: false }
    }
}

/// How many of the likeliest tokens are listed.
const N_TOP: usize = 10;

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        let plus = match (self.plus.trim(), &about.prompt.foil) {
            ("", Some(foil)) => foil.first(),
            ("", None) => return Err("Type a word to steer to".to_owned()),
            (word, _) => about.first_token(word)?,
        };
        let minus = match (self.minus.trim(), &about.prompt.answer) {
            ("", Some(answer)) if self.plus.trim().is_empty() => Some(answer.first()),
            ("", _) => None,
            (word, _) => Some(about.first_token(word)?),
        };
        Ok(AnalysisSpec::Steering(Spec {
            direction: Direction::Tokens { plus, minus },
            layer: layer_of(self.layer, about),
            positions: if self.at_all { Positions::All } else { Positions::Last },
            scale: self.scale,
            n_top: N_TOP,
            asked: Vec::new(),
        }))
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::Steering(_))
    }

    fn asks(&self) -> Asks {
        Asks::ThisRow
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            // The same words that `spec` takes where none are typed.
            let foil = about.prompt.foil.as_ref().map(|it| Unless::Word(it.text.trim()));
            let foil = foil.unwrap_or(Unless::Said("for example Lyon"));
            word_ui(ui, "Towards", WORD, &mut self.plus, foil);
            let answer = about.prompt.answer.as_ref().filter(|_| self.plus.trim().is_empty());
            let answer = answer.map(|it| Unless::Word(it.text.trim()));
            let answer = answer.unwrap_or(Unless::Said("the mean of all tokens"));
            word_ui(ui, "and away from", WORD, &mut self.minus, answer);
        });
        ui.horizontal_wrapped(|ui| {
            layer_ui(ui, &mut self.layer, about, "After which layer it is added");
            let text = "How many times the direction, a difference of two columns of the \
                        unembedding, is added";
            let value = number_field(&mut self.scale).range(-1000.0..=1000.0).speed(0.1);
            number_ui(ui, "Scale", text, value);
            ui.checkbox(&mut self.at_all, "At every token")
                .on_hover_text("Else at the last token of the prompt only");
        });
    }
}

/// The width in points of the field for a word.
const WORD: f32 = 150.0;
