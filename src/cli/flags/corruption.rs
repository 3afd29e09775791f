//! What the subject becomes, as flags.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use clap::builder::TypedValueParser;

use super::choice::{choice, choices_with};
use crate::analysis::causal_trace::NoiseLevel;
use crate::analysis::corruption::{Corruption, Draws, NoiseEntry, SubjectsOf};
use crate::cli::complain;
use crate::cli::inquiry::Inquiry;
use crate::cli::machine::Machine;
use crate::experiment::{Choices as _, CorruptionKind, Question, other_subjects, subject_tokens};
use crate::facts::Dataset;
use crate::intervention::NoiseRng;
use crate::noise_file;
use crate::tokens::{Bos, Substitute, Tokenizer, substitutes};

#[derive(Args)]
pub struct CorruptionArgs {
    /// What the subject becomes [default: gaussian, or noise-file with --noise-file]
    #[arg(long, value_parser = corruption_kind())]
    corruption: Option<CorruptionKind>,

    /// Put noise in place of the embeddings instead of adding it
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    draws: DrawArgs,
}

/// How any corruption is drawn.
#[derive(Args, Clone)]
pub struct DrawArgs {
    /// Other subjects for `resample` and `random-subject`, one a line [default: those of --facts, of
    /// the same relation or of all]
    #[arg(long, value_name = "FILE")]
    other_subjects: Option<PathBuf>,

    /// The other subject for `str`, of as many tokens [default: one of --facts of the same relation
    /// with another answer, the dataset's foil if there is such a one]
    #[arg(long, value_name = "TEXT")]
    counterpart: Option<String>,

    /// Standard deviation of the noise: a number, or as in `3s` a multiple of that of the subjects'
    /// token embeddings
    #[arg(long, value_name = "NOISE", default_value = "3s")]
    noise: NoiseArg,

    /// A text file with one subject a line, on which `3s` is measured [default: the subjects of
    /// --facts, else the prompt's own]
    #[arg(long, value_name = "FILE")]
    noise_subjects: Option<PathBuf>,

    /// A dataset whose subjects stand in and are what `3s` is measured on, for a fact that is typed or of
    /// another dataset [default: --facts]
    #[arg(long, value_name = "FILE")]
    subjects_of: Option<PathBuf>,

    /// Noise to add as it is, for `noise-file`: a float32 or float64 array of numpy's, in a `.npy` or
    /// as the only array of an `.npz`, of shape (samples, subject tokens, `d_model`)
    #[arg(long, value_name = "FILE")]
    noise_file: Option<PathBuf>,

    /// Draws of the corruption averaged [default: 10, or 1 where all are the same, or all of
    /// --noise-file]
    #[arg(long, value_name = "N")]
    samples: Option<usize>,

    /// Seed of the corruption
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u32,

    /// `numpy` draws ROME's noise bit for bit; `chacha` gives each draw a stream of its own, so
    /// that more samples keep the first ones
    #[arg(long, default_value = "numpy", value_parser = choice::<NoiseRng>())]
    noise_rng: NoiseRng,
}

/// The strength of noise as it is typed: `3s` or `0.12`.
#[derive(Clone, Copy)]
pub enum NoiseArg {
    Std(f64),
    Multiple(f64),
}

/// The kinds that a flag names: noise in place of the embeddings is another flag.
pub fn corruption_kind() -> impl TypedValueParser<Value = CorruptionKind> {
    let is_flag = |it: &CorruptionKind| *it != CorruptionKind::Replaced;
    choices_with(CorruptionKind::ALL.iter().copied().filter(is_flag), [])
}

impl CorruptionArgs {
    /// The draws for the prompt of an inquiry, whose foil may change: that of `str` is the answer of
    /// the other subject.
    pub fn draws(&self, inquiry: &mut Inquiry) -> anyhow::Result<Draws> {
        let draws = self.draws.of(self.kind()?, inquiry)?;
        self.entered(draws)
    }

    /// Whether the corruption depends on the subject, so that each fact needs its own.
    pub fn is_of_subject(&self) -> bool {
        self.corruption.is_some_and(|it| it.stand_in().is_some())
    }

    /// The draws for one of many facts. `noise_tokens`: the tokens that noise is measured on. The foil
    /// of the question may change.
    pub fn draws_of(
        &self,
        question: &mut Question,
        tokenizer: &Tokenizer,
        bos: Bos,
        noise_tokens: &[u32],
    ) -> anyhow::Result<Draws> {
        let kind = self.kind()?;
        let corruption = self.draws.corruption(kind, question, tokenizer, bos, noise_tokens)?;
        self.entered(self.draws.drawing(corruption, noise_tokens))
    }

    /// The dataset whose subjects are meant, where it is not that of the facts.
    pub fn dataset(&self, machine: &Machine) -> anyhow::Result<Option<Arc<Dataset>>> {
        self.draws.dataset(machine)
    }

    /// The tokens that noise is measured on.
    pub fn noise_tokens(
        &self,
        question: &Question,
        tokenizer: &Tokenizer,
    ) -> anyhow::Result<Vec<u32>> {
        noise_tokens(tokenizer, &noise_subjects(self.draws.noise_subjects.as_deref(), question)?)
    }

    fn kind(&self) -> anyhow::Result<CorruptionKind> {
        let has_file = self.draws.noise_file.is_some();
        let usual = if has_file { CorruptionKind::NoiseFile } else { CorruptionKind::Gaussian };
        let kind = self.corruption.unwrap_or(usual);
        ensure!(
            !has_file || kind == CorruptionKind::NoiseFile,
            "--noise-file is what the subject becomes; leave --corruption out"
        );
        Ok(kind)
    }

    fn entered(&self, mut draws: Draws) -> anyhow::Result<Draws> {
        if self.replace {
            let Corruption::Noise { entry, .. } = &mut draws.corruption else {
                bail!("--replace is for noise: gaussian, uniform");
            };
            *entry = NoiseEntry::Replaced;
        }
        Ok(draws)
    }
}

impl DrawArgs {
    /// Refuses files that are named and cannot be read.
    pub fn check(&self) -> anyhow::Result<()> {
        let files = [&self.other_subjects, &self.noise_subjects, &self.noise_file];
        files.into_iter().flatten().try_for_each(|path| {
            fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(())
        })
    }

    /// Whether flags are given that say how is drawn. Strength, seed and generator have a default.
    pub fn is_given(&self) -> bool {
        let files =
            [&self.other_subjects, &self.noise_subjects, &self.subjects_of, &self.noise_file];
        files.into_iter().any(Option::is_some)
            || self.counterpart.is_some()
            || self.samples.is_some()
    }

    /// The draws of Gaussian noise of this strength, whatever --noise says.
    pub fn of_noise(&self, noise: NoiseArg, inquiry: &mut Inquiry) -> anyhow::Result<Draws> {
        Self { noise, ..self.clone() }.of(CorruptionKind::Gaussian, inquiry)
    }

    /// The draws of a kind of corruption for the prompt of an inquiry, whose foil may change.
    pub fn of(&self, kind: CorruptionKind, inquiry: &mut Inquiry) -> anyhow::Result<Draws> {
        let tokenizer = Arc::clone(&inquiry.engine.info.tokenizer);
        let mut question = inquiry.question.clone();
        if let Some(dataset) = self.dataset(&inquiry.machine)? {
            question.subjects = dataset.subjects().map(str::to_owned).collect();
            question.dataset = Some(dataset);
        }
        let subjects = noise_subjects(self.noise_subjects.as_deref(), &question)?;
        let noise_tokens = noise_tokens(&tokenizer, &subjects)?;
        let bos = inquiry.bos;
        let corruption = self.corruption(kind, &mut question, &tokenizer, bos, &noise_tokens)?;
        inquiry.question.fact.foil = question.fact.foil;
        Ok(self.drawing(corruption, &noise_tokens))
    }

    /// The dataset whose subjects are meant, where it is not that of the fact.
    fn dataset(&self, machine: &Machine) -> anyhow::Result<Option<Arc<Dataset>>> {
        let named = self.subjects_of.as_deref();
        Ok(named.map(|path| machine.datasets.get(path, None)).transpose()?)
    }

    /// The draws of a corruption, as many as the flags say or as are usual for it.
    fn drawing(&self, (corruption, n_usual): (Corruption, usize), noise_tokens: &[u32]) -> Draws {
        Draws {
            corruption,
            noise: self.noise.level(noise_tokens),
            rng: self.noise_rng,
            seed: self.seed,
            n_samples: self.samples.unwrap_or(n_usual),
        }
    }

    /// The corruption of a kind, and how many samples are usual for it. `noise_tokens`: the tokens that
    /// noise is measured on.
    fn corruption(
        &self,
        kind: CorruptionKind,
        question: &mut Question,
        tokenizer: &Tokenizer,
        bos: Bos,
        noise_tokens: &[u32],
    ) -> anyhow::Result<(Corruption, usize)> {
        if kind == CorruptionKind::NoiseFile {
            let path = self.noise_file.as_deref().context("name the file with --noise-file")?;
            let (file, noise) = noise_file::read(path)?;
            return Ok((Corruption::NoiseFile(file), noise.shape[0]));
        }
        let subjects = |of, question: &Question| -> anyhow::Result<Corruption> {
            let found = self.subjects(of, question, tokenizer, bos)?;
            Ok(Corruption::OtherSubjects { of, ids: found.into_iter().map(|it| it.ids).collect() })
        };
        let corruption = match kind {
            CorruptionKind::SameRelation => subjects(SubjectsOf::Relation, question)?,
            CorruptionKind::AnySubject => subjects(SubjectsOf::All, question)?,
            CorruptionKind::Counterpart => {
                let counterpart = self.counterpart(question, tokenizer, bos)?;
                if counterpart.answer.is_some() {
                    question.fact.foil = counterpart.answer;
                }
                Corruption::Counterpart { ids: counterpart.ids.into() }
            }
            CorruptionKind::Mean => Corruption::Mean { tokens: noise_tokens.into() },
            kind => kind.plain().expect("all others need nothing else"),
        };
        let n_usual = if corruption.is_drawn() { 10 } else { 1 };
        Ok((corruption, n_usual))
    }

    /// The other subjects that fit into the prompt.
    fn subjects(
        &self,
        of: SubjectsOf,
        question: &Question,
        tokenizer: &Tokenizer,
        bos: Bos,
    ) -> anyhow::Result<Vec<Substitute>> {
        let found = if let Some(path) = &self.other_subjects {
            let lines = lines_of(path)?;
            let lines = lines.iter().map(|line| (line.as_str(), None));
            substitutes(tokenizer, &question.fact, bos, lines)?
        } else {
            let dataset = question
                .dataset
                .as_ref()
                .context("name other subjects with --other-subjects, or a dataset with --facts")?;
            other_subjects(dataset, of, usize::MAX, question, tokenizer, bos)?
        };
        ensure!(!found.is_empty(), "there is no other subject of as many tokens");
        Ok(found)
    }

    fn counterpart(
        &self,
        question: &Question,
        tokenizer: &Tokenizer,
        bos: Bos,
    ) -> anyhow::Result<Substitute> {
        if let Some(text) = &self.counterpart {
            // The answer of the other subject, if the dataset has it.
            let facts = question.dataset.iter().flat_map(|it| &it.records);
            let known = facts
                .filter(|it| it.relation == question.relation)
                .filter_map(|it| it.fact(question.direction))
                .find(|it| it.subject_text() == Some(text));
            let answer = known.and_then(|it| it.answer.as_deref());
            let found =
                substitutes(tokenizer, &question.fact, bos, [(text.as_str(), answer)])?.pop();
            return found.with_context(|| {
                format!("“{text}” has not as many tokens as the subject, or is the subject")
            });
        }
        let mut found = self
            .subjects(SubjectsOf::Relation, question, tokenizer, bos)
            .context("name the other subject with --counterpart")?;
        found.retain(|it| it.answer.is_some() && it.answer != question.expected);
        let is_foil = |it: &Substitute| it.answer == question.fact.foil;
        if found.iter().any(is_foil) {
            found.retain(is_foil);
        }
        ensure!(
            !found.is_empty(),
            "no other subject of as many tokens has another answer; name one with --counterpart"
        );
        let nth = self.seed as usize % found.len();
        Ok(found.swap_remove(nth))
    }
}

/// The key of a corruption in JSON. Noise that replaces embeddings is called as noise that is added.
pub fn name(corruption: &Corruption) -> &'static str {
    let kind = match CorruptionKind::of(corruption) {
        CorruptionKind::Replaced => CorruptionKind::Gaussian,
        kind => kind,
    };
    kind.words().key
}

/// The subjects that multiples are measured on: those of a file, else of the dataset, else the
/// fact's own.
pub fn noise_subjects(file: Option<&Path>, question: &Question) -> anyhow::Result<Vec<String>> {
    if let Some(path) = file {
        let subjects = lines_of(path)?;
        ensure!(!subjects.is_empty(), "no subject in {}", path.display());
        return Ok(subjects);
    }
    if question.subjects.is_empty() {
        let own = question.fact.subject_text().map(str::to_owned);
        return Ok(own.into_iter().collect());
    }
    Ok(question.subjects.clone())
}

/// The tokens of subjects, as ROME encodes them: no leading space, no BOS. Says which are passed over.
pub fn noise_tokens(tokenizer: &Tokenizer, subjects: &[String]) -> anyhow::Result<Vec<u32>> {
    let found = subject_tokens(tokenizer, subjects.iter().map(String::as_str));
    if let Some(told) = found.told() {
        ensure!(!found.ids.is_empty(), "noise has no scale: {told}");
        complain(&format!("for the scale of noise, {told}"));
    }
    Ok(found.ids)
}

/// The lines of a file that are not empty.
pub fn lines_of(path: &Path) -> anyhow::Result<Vec<String>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

impl NoiseArg {
    /// The noise level. `tokens`: those whose spread is multiplied.
    pub fn level(self, tokens: &[u32]) -> NoiseLevel {
        match self {
            Self::Std(std) => NoiseLevel::Std(std),
            Self::Multiple(factor) => NoiseLevel::Multiple { factor, tokens: tokens.into() },
        }
    }
}

impl FromStr for NoiseArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            let number: Option<f64> = text.parse().ok();
            number.filter(|it| it.is_finite() && *it >= 0.0).ok_or_else(|| {
                "a number such as 0.12, or a multiple of the subjects' spread such as 3s".to_owned()
            })
        };
        match text.strip_suffix('s') {
            Some(factor) => Ok(Self::Multiple(number(factor)?)),
            None => Ok(Self::Std(number(text)?)),
        }
    }
}
