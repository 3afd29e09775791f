//! An experiment as text: what is wrong with it, and what came of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{FactId, FactKey, Findings, Run, State};
use crate::experiment::{Experiment, ExperimentError};
use crate::hub;
use crate::session::Origin;
use crate::tokens::TokenizedPrompt;
use crate::ui::row::Row;
use crate::ui::view::Selection;
use crate::worker::{ModelInfo, Which};

/// The text, and what it says.
#[derive(Debug)]
pub struct SpecText {
    text: String,
    read: Result<Experiment, Fault>,

    /// Which folder the experiment's model is, so that it is looked for once.
    found: Option<(PathBuf, PathBuf)>,

    /// What was asked last.
    pub asked: Option<AskedExperiment>,

    /// Picked out in its figure, unless that is of the fact that is looked at.
    pub selection: Selection,
}

/// Why a text is no experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: usize,

    /// In characters, from 1.
    pub column: usize,

    /// What is wrong and, where that is known, what was expected.
    pub reason: String,
}

/// An experiment that was asked of an open model.
#[derive(Debug)]
pub struct AskedExperiment {
    /// Where its run is kept.
    pub key: FactKey,
    pub experiment: Experiment,
}

impl Default for SpecText {
    fn default() -> Self {
        let (text, read) = (String::new(), parse(""));
        Self { text, read, found: None, asked: None, selection: Selection::default() }
    }
}

impl SpecText {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn set_text(&mut self, text: String) {
        self.read = parse(&text);
        self.text = text;
        let named = self.read.as_ref().ok().map(|experiment| &experiment.model);
        if let Some(named) = named
            && self.found.as_ref().is_none_or(|(of, _)| of != named)
        {
            self.found = Some((named.clone(), folder_of(named)));
        }
    }

    /// What the text says.
    pub fn read(&self) -> &Result<Experiment, Fault> {
        &self.read
    }

    /// Whether what an experiment calls its model is this one.
    pub fn is_of(&self, named: &Path, info: &ModelInfo) -> bool {
        if named == info.dir {
            return true;
        }
        let known = self.found.as_ref().filter(|(of, _)| of == named);
        let found = known.map_or_else(|| folder_of(named), |(_, found)| found.clone());
        std::fs::canonicalize(&info.dir).is_ok_and(|open| open == found)
    }
}

/// The folder of a model that is named or lies somewhere.
fn folder_of(named: &Path) -> PathBuf {
    let found = hub::find_unless_folder(named).unwrap_or_else(|| named.to_owned());
    std::fs::canonicalize(&found).unwrap_or(found)
}

fn parse(text: &str) -> Result<Experiment, Fault> {
    Experiment::parse(text, Path::new("")).map_err(|error| match error {
        ExperimentError::Parse { line, column, reason, .. } => {
            // They are counted in bytes.
            let before = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
            let before = &before.as_bytes()[..column.saturating_sub(1).min(before.len())];
            let column = String::from_utf8_lossy(before).chars().count() + 1;
            Fault { line, column, reason }
        }
        other => Fault { line: 1, column: 1, reason: other.to_string() },
    })
}

impl State {
    /// The open model that an experiment asks, as it is now. Where both are the same, the main one.
    pub fn model_asked(&self, experiment: &Experiment) -> Option<Which> {
        [Which::Main, Which::Beside].into_iter().find(|which| {
            experiment.edits == self.edits_of(*which)
                && self.info_of(*which).is_some_and(|it| self.spec.is_of(&experiment.model, it))
        })
    }

    /// Makes a place for what will be found of an experiment, instead of the one before.
    pub fn visit_experiment(
        &mut self,
        which: Which,
        experiment: Experiment,
        prompt: Arc<TokenizedPrompt>,
    ) -> FactKey {
        self.forget_runs(|key| key.fact == FactId::Experiment);
        let key = FactKey::of_experiment(which, &experiment);
        self.findings.insert(key, Findings::new(Ok(prompt)));
        self.spec.asked = Some(AskedExperiment { key, experiment });
        self.spec.selection = Selection::default();
        key
    }

    /// The run of the experiment that was asked last.
    pub fn experiment_run(&self) -> Option<&Run> {
        let AskedExperiment { key, experiment } = self.spec.asked.as_ref()?;
        self.findings.get(key)?.run(&experiment.spec)
    }

    /// What the experiment that was asked last asks about.
    pub fn experiment_prompt(&self) -> Option<&Arc<TokenizedPrompt>> {
        self.findings.get(&self.spec.asked.as_ref()?.key)?.prompt.as_ref().ok()
    }

    /// Where the experiment is one of a prompt that is on screen, the view of its method shows the
    /// result too.
    pub fn share_experiment(&mut self) {
        let row = self.rows().find(|row| self.is_experiment_of(*row));
        let Some(key) = row.and_then(|row| self.key_of(row)) else { return };
        let Some(Run { spec, result: Some(result), .. }) = self.experiment_run() else { return };
        let run = Run::kept(spec.clone(), Origin::Asked, true, Arc::clone(result));
        if let Some(findings) = self.findings_of(key) {
            findings.adopt(run);
        }
    }

    /// Whether the experiment that was asked last is about the prompt that is looked at.
    pub fn is_experiment_of_fact(&self) -> bool {
        self.is_experiment_of(self.row)
    }

    fn is_experiment_of(&self, row: Row) -> bool {
        let is_of_model = |asked: &AskedExperiment| asked.key.which == self.which(row);
        let prompt = self.findings_at(row).and_then(|it| it.prompt.as_ref().ok());
        self.spec.asked.as_ref().is_some_and(is_of_model)
            && prompt.is_some()
            && prompt == self.experiment_prompt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
  "model": "builtin",
  "fact": { "text": { "prompt": "Zürich is in" } },
  "spec": { "Prediction": { "n_top": 5 } }
}"#;

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let mut spec = SpecText::default();
        spec.set_text(TEXT.to_owned());
        assert!(spec.read().is_ok());
        for (right, wrong, line, column, says) in [
            ("n_top", "top_n", 4, 35, "unknown field `top_n`, expected `n_top`"),
            ("Prediction", "Predict", 4, 0, "unknown variant `Predict`, expected one of"),
            ("\" } }", "\", \"subjet\": 1 } }", 3, 56, "unknown field `subjet`"),
            ("5", "-5", 4, 0, "invalid value: integer `-5`, expected usize"),
            ("\"model\": \"builtin\",", "", 5, 0, "missing field `model`"),
            ("5 } }", "5 }", 5, 0, "EOF"),
        ] {
            let text = TEXT.replacen(right, wrong, 1);
            spec.set_text(text);
            let fault = spec.read().clone().unwrap_err();
            assert!(fault.reason.contains(says), "{fault:?}");
            assert_eq!(fault.line, line, "{fault:?}");
            // At the last character of the word.
            assert!(column == 0 || column == fault.column, "{fault:?}");
        }
    }
}
