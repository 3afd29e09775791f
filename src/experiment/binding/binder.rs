//! Goes through a spec and says of a new fact what it says of its own.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

use super::super::meant::{Meant, Reference, other_subjects};
use super::super::tree::Tree;
use super::{ANSWERS, Binding, Roles};
use crate::analysis::corruption::SubjectsOf;
use crate::analysis::trace_average::FactDraws;
use crate::analysis::{Pair, Role};
use crate::experiment::{ExperimentError, Question};
use crate::facts::Fact;
use crate::tokens::{Substitute, TokenizedPrompt};

/// The keys under which specs hold token ids.
const KEYS_OF_IDS: [&str; 5] = ["ids", "tokens", "prompts", "plus", "minus"];

/// How the subjects of a dataset are bound, in words.
pub(super) const TOLD_OF_SUBJECTS: &str = "the subjects of the dataset";

/// The keys under which specs hold a position of the prompt. Ranges of positions stand under `only`,
/// see [`Positions`](crate::analysis::Positions); pairs with another prompt beside it.
const KEYS_OF_POSITIONS: [&str; 3] = ["pos", "query", "key"];

/// A text of the spec, as another fact has it.
struct BoundText {
    text: String,

    /// The bytes of the subject in it, if it has one.
    subject: Option<Range<usize>>,
    role: TextRole,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TextRole {
    Own,
    Converse,
    OtherSubject,
    Subject,
    Answer,
}

impl TextRole {
    fn words(self) -> &'static str {
        match self {
            Self::Own => "the fact's own prompt",
            Self::Converse => "the fact asked the other way",
            Self::OtherSubject => {
                "the fact's prompt with another subject of its relation, of as many tokens, drawn for \
                 each fact"
            }
            Self::Subject => "the text with the fact's subject",
            Self::Answer => "the fact's answer",
        }
    }
}

/// Goes through the spec once, for one fact.
pub(super) struct Binder<'a> {
    pub all: &'a Binding<'a>,
    pub own: &'a Roles,
    pub new: &'a Roles,
    pub told: &'a RefCell<BTreeSet<String>>,
    pub foil: &'a RefCell<Option<String>>,
}

impl Binder<'_> {
    /// A value of the spec for the new fact. `key`: the field that it is in. `place`: where it stands,
    /// for messages.
    pub fn bind(&self, tree: &Tree, key: &str, place: &str) -> Result<Tree, String> {
        match tree {
            Tree::Plain(value) => self.bind_plain(value, key, place),
            Tree::List(_) if KEYS_OF_IDS.contains(&key) && tree.ids().is_some() => Err(format!(
                "{place} holds token ids, and the file does not say what is meant by them"
            )),
            Tree::List(items) => {
                let each = items.iter().map(|it| self.bind(it, key, place));
                Ok(Tree::List(each.collect::<Result<_, _>>()?))
            }
            Tree::Object(fields) => self.bind_object(tree, fields, key, place),
        }
    }

    fn bind_object(
        &self,
        tree: &Tree,
        fields: &[(String, Tree)],
        key: &str,
        place: &str,
    ) -> Result<Tree, String> {
        if let Ok(Reference { meant }) = tree.read::<Reference>() {
            return self.bind_meant(&meant, key, place);
        }
        if key == "only" {
            let range: Range<usize> = tree.read().map_err(|error| format!("{place}: {error}"))?;
            return self.bind_range(range, place);
        }
        if key == "counterpart" && tree.get("ids").is_some() {
            return self.counterpart(place);
        }
        if let (Some(donor), Some(pairs)) = (tree.get("donor"), tree.get("pairs")) {
            let mut bound = Tree::Object(Vec::new());
            let (donor, pairs) = self.bind_pairs(donor, pairs, place)?;
            for (name, value) in fields {
                let value = match name.as_str() {
                    "donor" => donor.clone(),
                    "pairs" => pairs.clone(),
                    _ => self.bind(value, name, &format!("{place}.{name}"))?,
                };
                bound.set(name, value);
            }
            return Ok(bound);
        }
        if let (Some(ids), Some(_)) = (tree.get("ids"), tree.get("subject_last")) {
            return self.bind_context(ids, place);
        }
        let target = tree.get("target");
        let field = |(name, value): &(String, Tree)| {
            let place = format!("{place}.{name}");
            let value = match name.as_str() {
                "right" => self.bind_right(value, &place)?,
                "asked" => self.bind_asked(value, target, &place)?,
                _ => self.bind(value, name, &place)?,
            };
            Ok((name.clone(), value))
        };
        Ok(Tree::Object(fields.iter().map(field).collect::<Result<_, String>>()?))
    }

    fn bind_plain(&self, value: &Value, key: &str, place: &str) -> Result<Tree, String> {
        let number = value.as_u64();
        let bound = match (key, number) {
            ("seed", Some(seed)) if self.all.draws == FactDraws::Anew => {
                self.tell(place, "a seed that follows from the spec's and from the fact's tokens");
                Value::from(self.all.draws.seed(seed as u32, &self.new.prompt))
            }
            (key, Some(pos)) if KEYS_OF_POSITIONS.contains(&key) => {
                let [own, new] = [&self.own.prompt, &self.new.prompt];
                Value::from(self.position(own, new, pos as usize, place)?)
            }
            ("plus" | "minus", Some(id)) => Value::from(self.token(id as u32, place)?),
            _ => value.clone(),
        };
        Ok(Tree::Plain(bound))
    }

    /// A token that is named by its id: the first of the fact's answer or foil, or one of no fact.
    fn token(&self, id: u32, place: &str) -> Result<u32, String> {
        let first = |text: &str| {
            let answer = TokenizedPrompt::answer(self.all.library.tokenizer, text);
            answer.map(|it| it.first()).map_err(|error| error.to_string())
        };
        let both = self.own.answers().into_iter().zip(self.new.answers());
        for (whose, (own, new)) in ANSWERS.into_iter().zip(both) {
            let Some(own) = own else { continue };
            if first(own)? == id {
                self.tell(place, &format!("the first token of {whose}"));
                return first(new.ok_or_else(|| format!("the fact lacks {whose}"))?);
            }
        }
        self.tell(place, "the same token for all facts");
        Ok(id)
    }

    /// The position that has the same role in another prompt.
    fn position(
        &self,
        own: &TokenizedPrompt,
        new: &TokenizedPrompt,
        pos: usize,
        place: &str,
    ) -> Result<usize, String> {
        if pos >= own.n_pos() {
            return Err(format!("{place}: the prompt has no position {pos}"));
        }
        let role = Role::of(own, pos);
        self.tell(place, &format!("the {role}"));
        let partners = Pair::by_role(own, new).into_iter().filter(|it| it.donor == pos);
        let mut alike = partners.map(|it| it.recipient).filter(|&it| Role::of(new, it) == role);
        alike.next().ok_or_else(|| match role {
            Role::Before => "the prompt has no token so far before the subject".to_owned(),
            Role::Further => "the prompt has no token so far after the subject".to_owned(),
            Role::SubjectFirst => "the subject is one token, so it has no first one".to_owned(),
            Role::SubjectMiddle => {
                "the prompt has no middle subject token in that place".to_owned()
            }
            _ => format!("the prompt has no {role}"),
        })
    }

    fn bind_range(&self, range: Range<usize>, place: &str) -> Result<Tree, String> {
        let [own, new] = [&self.own.prompt, &self.new.prompt];
        let bound = if own.subject.as_ref() == Some(&range) {
            self.tell(place, "all tokens of the subject");
            new.subject.clone().ok_or("no subject is marked in the prompt")?
        } else {
            let each = range.map(|pos| self.position(own, new, pos, place));
            let mut each = each.collect::<Result<Vec<_>, _>>()?;
            each.sort_unstable();
            match (each.first(), each.last()) {
                (Some(&start), Some(&last)) if last - start + 1 == each.len() => start..last + 1,
                _ => return Err("the tokens in question do not stand side by side".to_owned()),
            }
        };
        Tree::of(&bound).map_err(|error| error.to_string())
    }

    fn bind_pairs(&self, donor: &Tree, pairs: &Tree, place: &str) -> Result<(Tree, Tree), String> {
        let read = |error: serde_json::Error| format!("{place}: {error}");
        let Reference { meant } = donor.read().map_err(|_error| {
            format!(
                "{place}.donor holds token ids, and the file does not say what is meant by them"
            )
        })?;
        let own_donor = self.all.library.resolve(&meant, &self.own.question, self.all.outline.bos);
        let own_donor = own_donor.map_err(|error| error.to_string())?;
        let own_donor: TokenizedPrompt = own_donor.read().map_err(read)?;
        let pairs: Vec<Pair> = pairs.read().map_err(read)?;
        let donor = self.bind_meant(&meant, "donor", &format!("{place}.donor"))?;
        let new_donor: TokenizedPrompt = donor.read().map_err(read)?;
        let place = format!("{place}.pairs");
        let pairs = if pairs == Pair::by_role(&own_donor, &self.own.prompt) {
            self.tell(&place, "all tokens of both prompts, paired by their roles");
            Pair::by_role(&new_donor, &self.new.prompt)
        } else {
            let each = pairs.iter().map(|pair| {
                Ok(Pair {
                    donor: self.position(&own_donor, &new_donor, pair.donor, &place)?,
                    recipient: self.position(
                        &self.own.prompt,
                        &self.new.prompt,
                        pair.recipient,
                        &place,
                    )?,
                })
            });
            each.collect::<Result<Vec<_>, String>>()?
        };
        Ok((donor, Tree::of(&pairs).map_err(read)?))
    }

    /// A text that holds the subject, and where the subject ends there.
    fn bind_context(&self, ids: &Tree, place: &str) -> Result<Tree, String> {
        let unknown = || format!("{place} is a text whose subject cannot be found for other facts");
        let Ok(Reference { meant: Meant::TokensOf { text, bos } }) = ids.read() else {
            return Err(unknown());
        };
        let [own, new] = [self.own, self.new].map(|it| it.question.fact.subject_text());
        let bound = match new.filter(|_| own == Some(&*text)) {
            // It may be the answer of the fact asked the other way, too.
            Some(new) => {
                let (text, subject) = (new.to_owned(), Some(0..new.len()));
                BoundText { text, subject, role: TextRole::Subject }
            }
            None => self.text(&text)?.ok_or_else(unknown)?,
        };
        let BoundText { text, subject, role } = bound;
        let subject = subject.ok_or_else(unknown)?;
        self.tell(place, role.words());
        let fact = Fact { prompt: text, subject: Some(subject), answer: None, foil: None };
        let prompt = TokenizedPrompt::new(self.all.library.tokenizer, &fact, bos);
        let prompt = prompt.map_err(|error| error.to_string())?;
        let subject = prompt.subject.clone().ok_or_else(unknown)?;
        let fields =
            [("ids", Tree::of(&prompt.ids)), ("subject_last", Tree::of(&(subject.end - 1)))];
        let field = |(name, tree): (&str, serde_json::Result<Tree>)| {
            Ok((name.to_owned(), tree.map_err(|error| error.to_string())?))
        };
        Ok(Tree::Object(fields.into_iter().map(field).collect::<Result<_, String>>()?))
    }

    /// The first tokens of all right answers of a comparison's two prompts.
    fn bind_right(&self, tree: &Tree, place: &str) -> Result<Tree, String> {
        let ids: [Vec<u32>; 2] = tree.read().map_err(|error| format!("{place}: {error}"))?;
        let bound = if ids == self.own.right {
            self.tell(place, "the first tokens of all right answers");
            &self.new.right
        } else if ids.iter().all(Vec::is_empty) {
            &ids
        } else {
            return Err(format!("{place} holds token ids that are not those of the right answers"));
        };
        Tree::of(bound).map_err(|error| error.to_string())
    }

    fn bind_meant(&self, meant: &Meant, key: &str, place: &str) -> Result<Tree, String> {
        let unknown = |text: &str| {
            format!(
                "{place} is the prompt “{text}”, which is neither the fact's own prompt, nor the fact \
                 asked the other way, nor its prompt with another subject"
            )
        };
        let bound = match meant {
            Meant::SubjectsOf { facts, sha256 } => {
                let (facts, sha256) = self.dataset(facts, sha256.as_ref());
                self.tell(place, TOLD_OF_SUBJECTS);
                Meant::SubjectsOf { facts, sha256 }
            }
            Meant::OtherSubjectsOf { facts, sha256, of, first } => {
                let (facts, sha256) = self.dataset(facts, sha256.as_ref());
                self.tell(place, "the other subjects of as many tokens, for each fact");
                Meant::OtherSubjectsOf { facts, sha256, of: *of, first: *first }
            }
            Meant::PromptsOf { facts, sha256, at_most, direction } => {
                let (facts, sha256) = self.dataset(facts, sha256.as_ref());
                let is_own = *direction == self.own.question.direction;
                let direction = if is_own { self.new.question.direction } else { *direction };
                self.tell(place, "prompts of the dataset that are asked the same way");
                Meant::PromptsOf { facts, sha256, at_most: *at_most, direction }
            }
            Meant::TokensOf { text, bos } => match self.text(text)? {
                Some(bound) => {
                    self.tell(place, bound.role.words());
                    Meant::TokensOf { text: bound.text, bos: *bos }
                }
                None if key == "ids" => return Err(unknown(text)),
                None => {
                    self.tell(place, &format!("“{text}” for all facts"));
                    meant.clone()
                }
            },
            Meant::Prompt(source) => {
                let error = |error: ExperimentError| error.to_string();
                let fact = self.all.library.question(source).map_err(error)?.fact;
                let bound = self.text(&fact.prompt)?.ok_or_else(|| unknown(&fact.prompt))?;
                self.tell(place, bound.role.words());
                let (mut answer, mut foil) = (self.answer(fact.answer.as_ref(), place)?, None);
                if bound.role == TextRole::OtherSubject {
                    answer = None;
                } else {
                    foil = self.answer(fact.foil.as_ref(), place)?;
                }
                let subject = bound.subject.filter(|_| fact.subject.is_some());
                let fact = Fact { prompt: bound.text, subject, answer, foil };
                let (tokenizer, bos) = (self.all.library.tokenizer, self.all.outline.bos);
                let prompt = TokenizedPrompt::new(tokenizer, &fact, bos);
                let prompt = prompt.map_err(|error| error.to_string())?;
                return Tree::of(&prompt).map_err(|error| error.to_string());
            }
            Meant::Answer(text) => {
                let plain = text.trim_start().to_owned();
                let answer = self.answer(Some(&plain), place)?;
                Meant::Answer(answer.ok_or("the fact has no such answer")?)
            }
        };
        self.resolve(&bound)
    }

    /// The file of a dataset: the one that the new fact is of, if the spec names that of its own.
    fn dataset(
        &self,
        facts: &std::path::Path,
        sha256: Option<&String>,
    ) -> (std::path::PathBuf, Option<String>) {
        let own = self.own.question.dataset.as_ref().is_some_and(|it| it.path == facts);
        match &self.new.question.dataset {
            Some(dataset) if own => {
                (dataset.path.clone(), self.all.library.datasets.hash(&dataset.path))
            }
            _ => (facts.to_owned(), sha256.cloned()),
        }
    }

    fn resolve(&self, meant: &Meant) -> Result<Tree, String> {
        let resolve = || {
            let resolved =
                self.all.library.resolve(meant, &self.new.question, self.all.outline.bos);
            resolved.map_err(|error| error.to_string())
        };
        let is_of_all = matches!(meant, Meant::SubjectsOf { .. } | Meant::PromptsOf { .. });
        if !is_of_all {
            return resolve();
        }
        let key = serde_json::to_string(meant).map_err(|error| error.to_string())?;
        if let Some(known) = self.all.resolved.borrow().get(&key) {
            return Ok(known.clone());
        }
        let tree = resolve()?;
        self.all.resolved.borrow_mut().insert(key, tree.clone());
        Ok(tree)
    }

    /// An answer of the new fact, by the role that the own fact has for it.
    fn answer(&self, text: Option<&String>, place: &str) -> Result<Option<String>, String> {
        let Some(text) = text else { return Ok(None) };
        if let Some(found) = self.own.answer_of(self.new, text) {
            return found.map(Some);
        }
        Err(format!(
            "{place} has the answer “{text}”, which is neither the fact's answer nor its foil"
        ))
    }

    /// A text as the new fact has it. `None` if it says nothing of the own fact.
    fn text(&self, text: &str) -> Result<Option<BoundText>, String> {
        let [own, new] = [self.own, self.new].map(|it| &it.question.fact);
        if let Some(bound) = within(text, own, new, TextRole::Own) {
            return Ok(Some(bound));
        }
        if let Some((own, _)) = &self.own.converse
            && text.contains(&*own.prompt)
        {
            let (new, _) = self.new.converse.as_ref().ok_or("the fact has no inverse")?;
            return Ok(within(text, own, new, TextRole::Converse));
        }
        if let Some(range) = &own.subject {
            let (before, after) = (&own.prompt[..range.start], &own.prompt[range.end..]);
            let rest = text.strip_prefix(before).and_then(|it| it.strip_suffix(after));
            // A prompt of the subject alone would make every text one with another subject.
            if rest.is_some_and(|it| !it.is_empty()) && !(before.is_empty() && after.is_empty()) {
                let other = self.other_subject()?.subject;
                let range = new.subject.clone().ok_or("no subject is marked in the prompt")?;
                let (before, after) = (&new.prompt[..range.start], &new.prompt[range.end..]);
                let subject = Some(range.start..range.start + other.len());
                let text = format!("{before}{other}{after}");
                return Ok(Some(BoundText { text, subject, role: TextRole::OtherSubject }));
            }
        }
        for (own, new) in self.own.answers().into_iter().zip(self.new.answers()) {
            if own.is_some_and(|it| it == text.trim_start()) {
                let space = &text[..text.len() - text.trim_start().len()];
                let text = format!("{space}{}", new.ok_or("the fact has no such answer")?);
                return Ok(Some(BoundText { text, subject: None, role: TextRole::Answer }));
            }
        }
        let subject = own.subject_text().filter(|it| text.contains(it));
        if let (Some(subject), Some(other)) = (subject, new.subject_text()) {
            let at = text.find(subject).unwrap_or_default();
            let text = format!("{}{other}{}", &text[..at], &text[at + subject.len()..]);
            let subject = Some(at..at + other.len());
            return Ok(Some(BoundText { text, subject, role: TextRole::Subject }));
        }
        Ok(None)
    }

    /// Another subject of the new fact's relation, of as many tokens, drawn by the fact's seed.
    fn other_subject(&self) -> Result<Substitute, String> {
        let found = self.other_subjects()?;
        let nth = FactDraws::Anew.seed(1, &self.new.prompt) as usize % found.len().max(1);
        found
            .into_iter()
            .nth(nth)
            .ok_or_else(|| "no other subject of this relation has as many tokens".to_owned())
    }

    fn other_subjects(&self) -> Result<Vec<Substitute>, String> {
        let Question { dataset: Some(dataset), .. } = &self.new.question else {
            return Err("other subjects are those of a dataset; write the spec with --facts".into());
        };
        let (tokenizer, bos) = (self.all.library.tokenizer, self.all.outline.bos);
        let relation = SubjectsOf::Relation;
        other_subjects(dataset, relation, usize::MAX, &self.new.question, tokenizer, bos)
            .map_err(|error| error.to_string())
    }

    /// Another subject of the relation with another answer, which becomes the foil.
    fn counterpart(&self, place: &str) -> Result<Tree, String> {
        self.tell(
            place,
            "another subject of the fact's relation with another answer, which becomes the foil; the \
             dataset's foil if there is such a one",
        );
        let mut found = self.other_subjects()?;
        let Question { fact, expected, .. } = &self.new.question;
        found.retain(|it| it.answer.is_some() && it.answer != *expected);
        if found.iter().any(|it| it.answer == fact.foil) {
            found.retain(|it| it.answer == fact.foil);
        }
        let nth = FactDraws::Anew.seed(1, &self.new.prompt) as usize % found.len().max(1);
        let found = found
            .into_iter()
            .nth(nth)
            .ok_or("no other subject of this relation has as many tokens and another answer")?;
        *self.foil.borrow_mut() = found.answer;
        let ids = Tree::of(&found.ids).map_err(|error| error.to_string())?;
        Ok(Tree::Object(vec![("ids".to_owned(), ids)]))
    }

    pub(super) fn tell(&self, place: &str, what: &str) {
        self.told.borrow_mut().insert(format!("{place}: {what}"));
    }
}

/// A text that contains the prompt of one fact, with that of another in its place.
fn within(text: &str, own: &Fact, new: &Fact, role: TextRole) -> Option<BoundText> {
    let start = text.rfind(&*own.prompt).filter(|_| !own.prompt.is_empty())?;
    let (before, after) = (&text[..start], &text[start + own.prompt.len()..]);
    let subject = new.subject.as_ref().map(|it| start + it.start..start + it.end);
    Some(BoundText { text: format!("{before}{}{after}", new.prompt), subject, role })
}
