//! A rank-one edit: settings, and what is asked with them.

use eframe::egui::Ui;
use serde::{Deserialize, Serialize};

use super::word_field::{Unless, word_ui};
use super::{About, Asks, Study, layer_of, layer_ui, number_ui};
use crate::analysis::AnalysisSpec;
use crate::analysis::rank_one_edit::{Asked, Context, Covariance, Descent, PromptKind, Spec};
use crate::facts::Fact;
use crate::tokens::TokenizedPrompt;
use crate::ui::widgets::number_field;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// What the model is to say instead. An empty text stands for the foil.
    target: String,
    layer: Option<usize>,
    n_steps: usize,
    learning_rate: f64,
    clamp: f64,
}

impl Default for Settings {
    fn default() -> Self {
        let Descent { n_steps, learning_rate, clamp, .. } = Descent::default();
        Self { target: String::new(), layer: None, n_steps, learning_rate, clamp }
    }
}

impl Study for Settings {
    fn spec(&self, about: &About<'_>) -> Result<AnalysisSpec, String> {
        let prompt = about.prompt;
        let subject = prompt.subject.clone().ok_or("Mark the subject whose fact is edited")?;
        let tokenizer = &about.info.tokenizer;
        let target = match (self.target.trim(), &prompt.foil) {
            ("", Some(foil)) => foil.clone(),
            ("", None) => return Err("Type what the model is to say instead".to_owned()),
            (word, _) => {
                TokenizedPrompt::answer(tokenizer, word).map_err(|error| error.to_string())?
            }
        };
        let fact = about.fact.ok_or("Choose a fact first")?;
        let essence = format!("{} is a", fact.subject_text().unwrap_or_default());
        let length = fact.subject_text().map_or(0, str::len);
        let essence = Fact { prompt: essence, subject: Some(0..length), answer: None, foil: None };
        let mut essence = TokenizedPrompt::new(tokenizer, &essence, prompt.bos)
            .map_err(|error| error.to_string())?;
        let subject_last = essence.subject.as_ref().map_or(0, |it| it.end - 1);
        essence.ids.truncate(subject_last + 1);
        let asked = TokenizedPrompt {
            answer: Some(target.clone()),
            foil: prompt.answer.clone(),
            ..prompt.clone()
        };
        Ok(AnalysisSpec::RankOneEdit(Spec {
            layer: layer_of(self.layer, about),
            target,
            contexts: vec![Context { ids: prompt.ids.clone(), subject_last: subject.end - 1 }],
            essence: Some(Context { ids: essence.ids, subject_last }),
            descent: Descent {
                n_steps: self.n_steps,
                learning_rate: self.learning_rate,
                clamp: self.clamp,
                ..Descent::default()
            },
            covariance: Covariance::Identity,
            asked: vec![Asked { kind: PromptKind::Prompt, prompt: asked }],
        }))
    }

    fn shows(&self, spec: &AnalysisSpec) -> bool {
        matches!(spec, AnalysisSpec::RankOneEdit(_))
    }

    fn asks(&self) -> Asks {
        Asks::ThisRow
    }

    fn controls_ui(&mut self, ui: &mut Ui, about: &About<'_>) {
        ui.horizontal_wrapped(|ui| {
            let foil = about.prompt.foil.as_ref().map(|it| Unless::Word(it.text.trim()));
            let unless = foil.unwrap_or(Unless::Said("for example Lyon"));
            word_ui(ui, "Let it say", 130.0, &mut self.target, unless);
            let text = "Whose MLP is changed. ROME: 12 of GPT-2-large's 36";
            layer_ui(ui, &mut self.layer, about, text);
        });
        ui.horizontal_wrapped(|ui| {
            let text = "Steps of the descent that finds the value. ROME: 20";
            number_ui(ui, "Steps", text, number_field(&mut self.n_steps).range(1..=1000));
            let value = number_field(&mut self.learning_rate).range(0.001..=10.0).speed(0.01);
            number_ui(ui, "Learning rate", "Of Adam. ROME: 0.5", value);
            let text = "The largest change of the MLP's output at the subject, as a multiple of its own \
                        length. ROME: 4";
            let value = number_field(&mut self.clamp).range(0.1..=100.0).speed(0.1);
            number_ui(ui, "Change at most × the value", text, value);
        });
    }
}
