//! The command that asks what an experiment asks, as one line for a POSIX shell.
//!
//! Every setting is said, so that the line keeps its meaning where a default changes. What no flag
//! says has no line: such an experiment is a file for `factscope run`. That a line asks the same as
//! its experiment is held for all methods by `a_command_line_asks_what_its_experiment_asks`.

use std::path::PathBuf;
use std::sync::Arc;

use super::line::Line;
use super::meant::{Library, subject_tokens};
use super::{Experiment, FactSource, Question, RecordFact, TextFact};
use crate::analysis::ModelEdit;
use crate::analysis::corruption::NoiseLevel;
use crate::facts::{Dataset, Direction, Fact};
use crate::tokens::{Bos, TokenizedPrompt};

mod reads;
mod parts;
mod traces;
mod changes;
mod compared;
mod averaged;
mod edits;

/// The line, or `None` where flags cannot say all that is asked.
pub fn command_line(experiment: &Experiment, library: &Library<'_>) -> Option<String> {
    let question = library.question(&experiment.fact).ok()?;
    let asked = Asked { experiment, library, question, subjects_of: None };
    let line = asked.line().or_else(|| {
        // The subjects of a typed fact's noise may be those of a dataset that is open.
        let datasets = library.datasets.all().into_iter();
        let typed = datasets.filter(|_| matches!(experiment.fact, FactSource::Text(_)));
        typed.map(|it| asked.with_subjects_of(it)).find_map(|it| it.line())
    });
    Some(line?.text())
}

/// What is asked, and what is needed to say it.
struct Asked<'a> {
    experiment: &'a Experiment,
    library: &'a Library<'a>,
    question: Question,

    /// The dataset whose subjects are meant, where it is not that of the fact.
    subjects_of: Option<PathBuf>,
}

/// Whether a command has the flag `--foil`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Foil {
    Flag,
    NoFlag,
}

impl Asked<'_> {
    /// The same, with the subjects of this dataset for the fact's own.
    fn with_subjects_of(&self, dataset: Arc<Dataset>) -> Self {
        let subjects_of = Some(dataset.path.clone());
        let question = Question { dataset: Some(dataset), ..self.question.clone() };
        Self { question, subjects_of, ..*self }
    }

    /// The commands of other methods draw facts, look up answers or write prefixes, and the spec holds
    /// what came of that; or a method has no command.
    fn line(&self) -> Option<Line> {
        let of_run = self.of_reading().or_else(|| self.of_parts());
        let of_run = of_run.or_else(|| self.of_trace()).or_else(|| self.of_change());
        let of_run = of_run.or_else(|| self.of_comparison()).or_else(|| self.of_edit());
        of_run.or_else(|| self.of_average())
    }

    /// A command that asks the model about the fact.
    fn command(&self, name: &str, has_foil: Foil) -> Option<Line> {
        self.command_of(&self.experiment.fact, name, has_foil)
    }

    /// A command that asks the model about a fact.
    fn command_of(&self, fact: &FactSource, name: &str, has_foil: Foil) -> Option<Line> {
        let line = self.model(name)?;
        let (line, answer, foil) = match fact {
            FactSource::Text(TextFact { prompt, subject, subject_start: None, answer, foil }) => {
                (line.flag("--prompt", prompt).option("--subject", subject.as_ref()), answer, foil)
            }
            FactSource::Record(RecordFact {
                facts,
                sha256: _,
                case,
                direction,
                answer,
                foil,
                template: None,
            }) => {
                let line = line.flag("--facts", facts.display()).flag("--case", case);
                let is_inverse = *direction == Direction::Inverse;
                (line.switch("--inverse", is_inverse), answer, foil)
            }
            FactSource::Text(_) | FactSource::Record(_) | FactSource::NoFact => return None,
        };
        let line = line.option("--answer", answer.as_ref());
        match foil {
            None => Some(line),
            Some(foil) => (has_foil == Foil::Flag).then(|| line.flag("--foil", foil)),
        }
    }

    /// A command that asks the model, as it was changed, with BOS or without.
    fn model(&self, name: &str) -> Option<Line> {
        let (bos, usual) = (self.experiment.bos, self.library.tokenizer.default_bos());
        let line = Line::new(name).flag("--model", self.experiment.model.display());
        let line = line.switch("--bos", bos == Bos::On && usual == Bos::Off);
        let line = line.switch("--no-bos", bos == Bos::Off && usual == Bos::On);
        match &self.experiment.edits[..] {
            [] => Some(line),
            [ModelEdit::Processing(it)] => Some(line.flag("--process", it)),
            _ => None,
        }
    }

    /// How strong noise is, `3s` or `0.12`, and on what that is measured.
    fn noise(&self, line: Line, flag: &str, level: &NoiseLevel) -> Option<Line> {
        let level = match level {
            NoiseLevel::Std(std) => std.to_string(),
            NoiseLevel::Multiple { factor, tokens } => {
                (*self.noise_tokens() == **tokens).then(|| format!("{factor}s"))?
            }
        };
        let subjects_of = self.subjects_of.as_ref().map(|it| it.display());
        Some(line.flag(flag, level).option("--subjects-of", subjects_of))
    }

    /// The tokens that commands measure noise on: those of the dataset's subjects, else of the
    /// prompt's own.
    fn noise_tokens(&self) -> Vec<u32> {
        let Question { fact, dataset, .. } = &self.question;
        let tokenizer = self.library.tokenizer;
        let tokens = match dataset {
            Some(dataset) => subject_tokens(tokenizer, dataset.subjects()),
            None => subject_tokens(tokenizer, fact.subject_text().into_iter()),
        };
        tokens.ids
    }

    /// The text of a prompt that begins as the experiment's own does, if its text gives these ids.
    fn prompt_of(&self, ids: &[u32]) -> Option<String> {
        let (text, _) = self.library.text_of(ids)?;
        let fact = Fact::from_text(&text, None).ok()?;
        let again =
            TokenizedPrompt::new(self.library.tokenizer, &fact, self.experiment.bos).ok()?;
        (again.ids == ids).then_some(text)
    }
}
