//! Tells what was meant by the token ids of a spec, from the datasets that are known and the texts
//! that ids spell.

use std::ops::Range;
use std::path::PathBuf;

use super::meant::{Library, Meant, N_MEAN_PROMPTS, N_SUBJECTS_TRIED, Reference, written};
use super::tree::Tree;
use super::{Experiment, FactSource, Question, RecordFact, TextFact};
use crate::analysis::corruption::SubjectsOf;
use crate::facts::{Direction, Fact, Record};
use crate::tokens::{Answer, Bos, TokenizedPrompt};

/// The keys under which specs hold token ids that may be those of a text.
const KEYS_OF_TEXTS: [&str; 5] = ["ids", "tokens", "prompts", "plus", "minus"];

impl Experiment {
    /// Indented JSON that [`Written::parse`](super::Written::parse) reads, which says what was meant by token ids wherever
    /// the library knows it.
    pub fn to_json_as_meant(&self, library: &Library<'_>) -> serde_json::Result<String> {
        let fact = library.with_hash(&self.fact);
        let mut tree = Tree::of(&Self { fact, ..self.clone() })?;
        if let (Ok(question), Some(spec)) = (library.question(&self.fact), tree.get_mut("spec")) {
            library.say(spec, "", &question, self.bos);
        }
        Ok(written(&tree))
    }
}

impl Library<'_> {
    /// Puts what was meant in place of every value that it resolves to. `key`: of the value.
    fn say(&self, tree: &mut Tree, key: &str, question: &Question, bos: Bos) {
        let is_it = |meant: &Meant| {
            self.resolve(meant, question, bos).is_ok_and(|resolved| resolved == *tree)
        };
        let meant = self.candidates(tree, key, question).into_iter().find(is_it);
        if let Some(reference) = meant.and_then(|meant| Tree::of(&Reference { meant }).ok()) {
            *tree = reference;
            return;
        }
        match tree {
            Tree::Plain(_) => {}
            Tree::List(items) => items.iter_mut().for_each(|it| self.say(it, key, question, bos)),
            Tree::Object(fields) => {
                for (key, value) in fields {
                    self.say(value, key, question, bos);
                }
            }
        }
    }

    /// What may have been meant by a value.
    fn candidates(&self, tree: &Tree, key: &str, question: &Question) -> Vec<Meant> {
        let of_files = |make: &dyn Fn(PathBuf, Option<String>) -> Vec<Meant>| -> Vec<Meant> {
            let files = self.datasets.all().into_iter().map(|it| it.path.clone());
            files.flat_map(|path| make(path.clone(), self.datasets.hash(&path))).collect()
        };
        match tree {
            Tree::Plain(_) => Vec::new(),
            Tree::Object(_) => {
                if let Ok(prompt) = tree.read::<TokenizedPrompt>() {
                    return self.sources_of(&prompt).into_iter().map(Meant::Prompt).collect();
                }
                let answer = tree.read::<Answer>();
                answer.map(|it| Meant::Answer(it.text)).into_iter().collect()
            }
            Tree::List(items) if items.iter().any(|it| it.ids().is_some()) => match key {
                "ids" => of_files(&|facts, sha256| {
                    let first = Some(N_SUBJECTS_TRIED);
                    let (relation, all) = (SubjectsOf::Relation, SubjectsOf::All);
                    let meant = [(relation, None), (relation, first), (all, first), (all, None)];
                    let meant = meant.map(|(of, first)| {
                        let (facts, sha256) = (facts.clone(), sha256.clone());
                        Meant::OtherSubjectsOf { facts, sha256, of, first }
                    });
                    meant.into()
                }),
                "prompts" => of_files(&|facts, sha256| {
                    let direction = question.direction;
                    let meant = [N_MEAN_PROMPTS, items.len()].map(|at_most| {
                        let (facts, sha256) = (facts.clone(), sha256.clone());
                        Meant::PromptsOf { facts, sha256, at_most, direction }
                    });
                    meant.into()
                }),
                _ => Vec::new(),
            },
            Tree::List(_) => {
                let Some(ids) = tree.ids().filter(|_| KEYS_OF_TEXTS.contains(&key)) else {
                    return Vec::new();
                };
                let mut candidates = Vec::new();
                if key == "tokens" {
                    candidates =
                        of_files(&|facts, sha256| vec![Meant::SubjectsOf { facts, sha256 }]);
                }
                let text = self.text_of(&ids);
                candidates.extend(text.map(|(text, bos)| Meant::TokensOf { text, bos }));
                candidates
            }
        }
    }

    /// The text that ids spell.
    pub(super) fn text_of(&self, ids: &[u32]) -> Option<(String, Bos)> {
        let (bos, ids) = match ids.split_first() {
            Some((first, rest)) if Some(*first) == self.tokenizer.bos() => (Bos::On, rest),
            _ => (Bos::Off, ids),
        };
        Some((self.tokenizer.text(ids)?, bos))
    }

    /// The facts that a prompt may be of: a record of a dataset, or its own text.
    fn sources_of(&self, prompt: &TokenizedPrompt) -> Vec<FactSource> {
        let (answer, foil) = (plain_text(prompt.answer.as_ref()), plain_text(prompt.foil.as_ref()));
        let mut sources = Vec::new();
        for dataset in self.datasets.all() {
            let path = &dataset.path;
            for direction in [Direction::Forward, Direction::Inverse] {
                let is_it = |record: &&Record| {
                    record.fact(direction).is_some_and(|it| it.prompt == prompt.text)
                };
                let Some(record) = dataset.records.iter().find(is_it) else { continue };
                sources.extend([None, foil.clone()].map(|foil| {
                    FactSource::Record(RecordFact {
                        facts: path.clone(),
                        sha256: self.datasets.hash(path),
                        case: record.id.clone(),
                        direction,
                        answer: answer.clone(),
                        foil,
                        template: None,
                    })
                }));
            }
        }
        let subject = self.subject_of(prompt);
        let fact = Fact { prompt: prompt.text.clone(), subject, answer, foil };
        sources.push(FactSource::Text(TextFact::from(&fact)));
        sources
    }

    /// The fact that a prompt is of, if its prompt begins as `bos` says. `None` where no text gives its
    /// tokens.
    pub fn source_of(&self, prompt: &TokenizedPrompt, bos: Bos) -> Option<FactSource> {
        let again = |source: &FactSource| {
            let fact = self.question(source).ok()?.fact;
            TokenizedPrompt::new(self.tokenizer, &fact, bos).ok()
        };
        self.sources_of(prompt).into_iter().find(|it| again(it).as_ref() == Some(prompt))
    }

    /// The bytes of a prompt's subject, without the space before it.
    fn subject_of(&self, prompt: &TokenizedPrompt) -> Option<Range<usize>> {
        let tokens = prompt.subject.clone()?;
        let n_bos = usize::from(prompt.bos == Bos::On);
        let all = self.tokenizer.encode(&prompt.text).ok()?;
        let subject = all.get(tokens.start.checked_sub(n_bos)?..tokens.end.checked_sub(n_bos)?)?;
        let (start, end) = (subject.first()?.bytes.start, subject.last()?.bytes.end);
        let words = prompt.text.get(start..end)?;
        Some(end - words.trim_start().len()..end)
    }

    /// The same source, with the hash of its dataset.
    fn with_hash(&self, source: &FactSource) -> FactSource {
        match source {
            FactSource::Record(it) if it.sha256.is_none() => {
                let sha256 = self.datasets.hash(&it.facts);
                FactSource::Record(RecordFact { sha256, ..it.clone() })
            }
            other => other.clone(),
        }
    }
}

/// The text of an answer without the space that is added to it again.
fn plain_text(answer: Option<&Answer>) -> Option<String> {
    let text = answer?.text.as_str();
    let plain = text.strip_prefix(' ').filter(|it| !it.starts_with(char::is_whitespace));
    Some(plain.unwrap_or(text).to_owned())
}
