//! An experiment as text: what is wrong with it, and what came of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{FactId, FactKey, Findings, Run, State};
use crate::analysis::AnalysisSpec;
use crate::analysis::comparison::Mapped;
use crate::experiment::{
    Experiment, ExperimentError, FactSource, Library, RecordFact, Written, command_line,
};
use crate::hub;
use crate::session::Origin;
use crate::tokens::TokenizedPrompt;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::ui::view::Selection;
use crate::worker::{ModelInfo, Which};

/// The text, and what it says.
#[derive(Debug)]
pub struct SpecText {
    text: String,
    read: Result<Written, Fault>,

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

    /// What was typed. `None` for an experiment that a session brought.
    pub written: Option<Written>,
}

impl AskedExperiment {
    /// Whether a text asks the same. Of what a session brought only the ids are known, so a text that
    /// says what was meant by them is taken to mean the same.
    pub fn is_of(&self, text: &Written) -> bool {
        match &self.written {
            Some(written) => written.asks_as(text),
            None => !text.is_resolved() || self.experiment == text.outline,
        }
    }
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
        let named = self.read.as_ref().ok().map(|written| &written.outline.model);
        if let Some(named) = named
            && self.found.as_ref().is_none_or(|(of, _)| of != named)
        {
            self.found = Some((named.clone(), folder_of(named)));
        }
    }

    /// What the text says.
    pub fn read(&self) -> &Result<Written, Fault> {
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

fn parse(text: &str) -> Result<Written, Fault> {
    Written::parse(text, Path::new("")).map_err(|error| match error {
        ExperimentError::Parse { line, column, reason, .. } => {
            // They are counted in bytes.
            let before = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
            let before = &before.as_bytes()[..column.saturating_sub(1).min(before.len())];
            let column = String::from_utf8_lossy(before).chars().count() + 1;
            Fault { line, column, reason }
        }
        ExperimentError::Json { fault, .. } => Fault {
            line: usize::try_from(fault.line).unwrap_or(usize::MAX),
            column: fault.column,
            reason: format!("not valid JSON{}", fault.reason),
        },
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
        written: Option<Written>,
        prompt: Arc<TokenizedPrompt>,
    ) -> FactKey {
        self.forget_runs(|key| key.fact == FactId::Experiment);
        let key = FactKey::of_experiment(which, &experiment);
        self.findings.insert(key, Findings::new(Ok(prompt)));
        self.spec.asked = Some(AskedExperiment { key, experiment, written });
        self.spec.selection = Selection::default();
        key
    }

    /// What a view asks, as a file says it.
    pub fn experiment_text(&self, pane: Pane) -> Option<String> {
        if pane == Pane::Spec {
            return self.spec.read.is_ok().then(|| self.spec.text.clone());
        }
        if pane == Pane::Sweep {
            let read = self.many.open.as_ref()?.read.as_ref()?;
            return serde_json::to_string_pretty(&read.manifest.spec).ok();
        }
        let info = self.info_of(self.which(self.shown_row(pane)?))?;
        self.experiment(pane)?.to_json_as_meant(&self.library(info)).ok()
    }

    /// What a view asks, to be asked of many facts: of several right answers of each that which the model
    /// finds likeliest, unless another was chosen here.
    pub fn experiment_of_many(&self, pane: Pane) -> Option<String> {
        if matches!(pane, Pane::Spec | Pane::Sweep) {
            return self.experiment_text(pane);
        }
        let info = self.info_of(self.which(self.shown_row(pane)?))?;
        let mut experiment = self.experiment(pane)?;
        if let AnalysisSpec::Comparison(spec) = &mut experiment.spec {
            if self.rows().any(|row| self.has_chosen_answer(row)) {
                // Of each fact the answer that is asked for, one way and the other.
                spec.right = [Vec::new(), Vec::new()];
            } else {
                spec.mapped = Mapped::Likeliest;
            }
        }
        experiment.to_json_as_meant(&self.library(info)).ok()
    }

    /// The command that asks what a view asks. `None` where only a file can say it.
    pub fn command_line(&self, pane: Pane) -> Option<String> {
        if pane == Pane::Spec {
            return self.line_of(self.spec.read.as_ref().ok()?);
        }
        if pane == Pane::Sweep {
            return self.sweep_line();
        }
        let info = self.info_of(self.which(self.shown_row(pane)?))?;
        command_line(&self.experiment(pane)?, &self.library(info))
    }

    /// The command that asks what a file asks. `None` where only a file can say it.
    pub fn line_of(&self, written: &Written) -> Option<String> {
        let which = self.model_asked(&written.outline).unwrap_or(Which::Main);
        let library = self.library(self.info_of(which)?);
        command_line(&written.resolve(&library, Path::new("")).ok()?, &library)
    }

    /// What is needed to tell what was meant by the token ids of an open model.
    fn library<'a>(&self, info: &'a ModelInfo) -> Library<'a> {
        Library::new(&info.tokenizer).with(self.facts.dataset.clone().map(Arc::new))
    }

    /// Where the fact of a row comes from: a record of the dataset that is open, or its text.
    pub fn source_of(&self, row: Row) -> Option<FactSource> {
        let (key, fact) = (self.key_of(row)?, self.asked_fact(row)?);
        let record = self.facts.get(key.fact).filter(|_| matches!(key.fact, FactId::Record(_)));
        let dataset = self.facts.dataset.as_ref();
        let named = dataset.zip(record).and_then(|(dataset, record)| {
            let own = record.fact(key.direction)?;
            let is_first = dataset.find(&record.id).is_some_and(|it| std::ptr::eq(it, record));
            let says_same = own.prompt == fact.prompt && own.subject == fact.subject;
            let has_foil = fact.foil.is_some() || own.foil.is_none();
            (is_first && says_same && has_foil).then(|| RecordFact {
                facts: dataset.path.clone(),
                case: record.id.clone(),
                direction: key.direction,
                answer: fact.answer.clone(),
                foil: fact.foil.clone().filter(|it| Some(it) != own.foil.as_ref()),
                ..RecordFact::default()
            })
        });
        Some(named.map_or_else(|| FactSource::Text((&fact).into()), FactSource::Record))
    }

    /// The run of the experiment that was asked last.
    pub fn experiment_run(&self) -> Option<&Run> {
        let AskedExperiment { key, experiment, .. } = self.spec.asked.as_ref()?;
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
            ("5", "-5", 4, 0, "integer `-5`, expected a whole number from 0 on"),
            ("\"model\": \"builtin\",", "", 5, 0, "missing field `model`"),
            ("5 } }", "5 }", 5, 0, "the file ends too early"),
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
