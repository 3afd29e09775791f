//! Experiments as text: filled in, opened, and carried out on an open model.

use std::path::Path;
use std::sync::Arc;

use eframe::egui;

use super::App;
use crate::experiment::{Experiment, FactSource, Library, Written};
use crate::hub;
use crate::session::Origin;
use crate::tokens::{TokenizedPrompt, Tokenizer};
use crate::ui::command::Command;
use crate::ui::dialogs::{MAX_SPEC_BYTES, Purpose};
use crate::ui::pane::Pane;
use crate::ui::reply::{Reply, aside};
use crate::ui::state::{Run, capitalized};
use crate::worker::{ModelInfo, Which};

impl App {
    pub(super) fn spec_command(&mut self, command: Command, ctx: &egui::Context) {
        if matches!(
            command,
            Command::SetSpecText(_) | Command::FillSpec(_) | Command::OpenSpecAt(_)
        ) {
            // Another text is none of a sweep's.
            self.state.swept.take_if(|it| it.pane == Pane::Spec);
        }
        match command {
            Command::OpenSpec => self.ask(Purpose::OpenedSpec, ctx),
            Command::OpenSpecAt(path) => self.open_spec(&path),
            Command::FillSpec(pane) => match self.state.experiment_text(pane) {
                Some(text) => self.set_spec(text),
                None => self.nothing_to_save(pane),
            },
            Command::AskOpenModel(which) => {
                let (Ok(written), Some(info)) = (self.state.spec.read(), self.state.info_of(which))
                else {
                    return;
                };
                let (model, edits) = (hub::called(&info.dir), self.state.edits_of(which).to_vec());
                match written.of_model(model, edits) {
                    Ok(text) => self.set_spec(text),
                    Err(error) => {
                        self.state.error = Some(format!("The text cannot be changed: {error}"));
                    }
                }
            }
            Command::TakeEditsOfSpec => {
                if let Ok(written) = self.state.spec.read() {
                    self.edit(written.outline.edits.clone());
                }
            }
            Command::SetSpecText(text) => self.state.spec.set_text(text),
            Command::SelectInSpec(selection) => self.state.spec.selection = selection,
            Command::RunSpec => self.run_spec(ctx),
            _ => {}
        }
    }

    fn set_spec(&mut self, text: String) {
        self.state.spec.set_text(text);
        self.views.workspace.show(Pane::Spec);
    }

    /// Opens any text, also one that is no experiment: it can be set right in the view.
    fn open_spec(&mut self, path: &Path) {
        let is_large = std::fs::metadata(path).is_ok_and(|it| it.len() > MAX_SPEC_BYTES);
        let text = if is_large {
            Err("this is too long for an experiment".to_owned())
        } else {
            std::fs::read_to_string(path).map_err(|error| error.to_string())
        };
        match text {
            Ok(text) => {
                self.state.preferences.screenshot_dir = path.parent().map(Path::to_owned);
                self.state.spec.set_text(text);
                self.state.notice = Some(format!("Opened {}", path.display()));
                self.views.workspace.show(Pane::Spec);
            }
            Err(error) => {
                let error = format!("The experiment cannot be opened: {error}: {}", path.display());
                self.state.error = Some(error);
            }
        }
    }

    fn run_spec(&mut self, ctx: &egui::Context) {
        // The key for it works in all views, most of which have nothing to do with an experiment.
        if self.state.spec.text().trim().is_empty() {
            self.state.notice = Some("There is no experiment in Record › Spec to run".to_owned());
            return;
        }
        self.views.workspace.show(Pane::Spec);
        let is_running = self.state.experiment_run().is_some_and(Run::is_running);
        if is_running || self.refuses() {
            return;
        }
        if self.state.info().is_none() {
            self.state.error = Some("Open a model first".to_owned());
            return;
        }
        let written = match self.state.spec.read() {
            Ok(written) => written.clone(),
            Err(fault) => {
                let (line, column) = (fault.line, fault.column);
                self.state.error = Some(format!("Line {line}, column {column}: {}", fault.reason));
                return;
            }
        };
        let which = self.state.model_asked(&written.outline);
        let Some(info) = which.and_then(|which| self.state.info_of(which).cloned()) else {
            // The view offers what to do.
            self.state.error = Some("The experiment is of a model that is not open".to_owned());
            return;
        };
        let reads_files = matches!(written.outline.fact, FactSource::Record(_));
        if written.is_resolved() && !reads_files {
            let asked = asked_by(&written, &info.tokenizer);
            self.ask_spec(written, asked, &info);
            return;
        }
        // A dataset may be large.
        let thread = aside("experiment", &self.replies, ctx, move || {
            let asked = asked_by(&written, &info.tokenizer);
            let written = Box::new(written);
            Reply::Question { written, asked, model: info }
        });
        if let Err(error) = thread {
            self.state.error = Some(format!("The dataset cannot be read: {error}"));
        }
    }

    /// Asks an experiment whose ids and words are known. `model`: the one that it was asked of, which
    /// may have been closed since.
    pub(super) fn ask_spec(
        &mut self,
        written: Written,
        asked: Result<Box<(Experiment, TokenizedPrompt)>, String>,
        model: &Arc<ModelInfo>,
    ) {
        let is_it =
            |which: &Which| self.state.info_of(*which).is_some_and(|info| Arc::ptr_eq(info, model));
        let Some(which) = [Which::Main, Which::Beside].into_iter().find(is_it) else { return };
        if self.state.edits_of(which) != written.outline.edits {
            return;
        }
        let (experiment, prompt) = match asked {
            Ok(asked) => *asked,
            Err(error) => {
                self.state.error = Some(capitalized(&error));
                return;
            }
        };
        let spec = experiment.spec.clone();
        let prompt = Arc::new(prompt);
        let key = self.state.visit_experiment(which, experiment, Some(written), prompt);
        self.begin(Pane::Spec, key, spec, Origin::Asked);
    }
}

/// An experiment with all its ids, and the words that it asks about. The error is for the user.
fn asked_by(
    written: &Written,
    tokenizer: &Tokenizer,
) -> Result<Box<(Experiment, TokenizedPrompt)>, String> {
    let library = Library::new(tokenizer);
    let experiment = written.resolve(&library, Path::new("")).map_err(|error| error.to_string())?;
    if experiment.fact == FactSource::NoFact {
        return if experiment.spec.needs_prompt() {
            Err("this asks about a prompt; name a fact".to_owned())
        } else {
            Ok(Box::new((experiment, TokenizedPrompt::empty())))
        };
    }
    let question = library.question(&experiment.fact).map_err(|error| error.to_string())?;
    let prompt = TokenizedPrompt::new(tokenizer, &question.fact, experiment.bos);
    Ok(Box::new((experiment, prompt.map_err(|error| error.to_string())?)))
}
