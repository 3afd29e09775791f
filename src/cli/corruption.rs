//! What the subject becomes, as flags.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, ValueEnum};

use crate::analysis::corruption::{Closeness, Corruption, NoiseEntry, NoiseShape, SubjectsOf};
use crate::experiment::Question;
use crate::tokens::{Bos, Substitute, Tokenizer, substitutes};

#[derive(Args)]
pub(super) struct CorruptionArgs {
    /// What the subject becomes
    #[arg(long, value_enum, default_value = "gaussian")]
    corruption: Kind,

    /// Put noise in place of the embeddings instead of adding it
    #[arg(long)]
    replace: bool,

    /// Other subjects for `resample` and `random-subject`, one a line [default: those of --facts, of
    /// the same relation or of all]
    #[arg(long, value_name = "FILE")]
    other_subjects: Option<PathBuf>,

    /// The other subject for `str`, of as many tokens [default: one of --facts of the same relation
    /// with another answer, the dataset's foil if there is such a one]
    #[arg(long, value_name = "TEXT")]
    counterpart: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Gaussian noise on its embeddings, one spread for all dimensions: ROME's
    Gaussian,

    /// Gaussian noise, each dimension with its own spread
    GaussianPerDim,

    /// Evenly spread noise between minus and plus --noise
    Uniform,

    /// The tokens nearest to its embeddings with Gaussian noise added, by cosine
    TokensCosine,

    /// The same, by Euclidean distance
    TokensDistance,

    /// Other subjects of the same relation and token count
    Resample,

    /// Any other subjects of the same token count
    RandomSubject,

    /// Random tokens
    RandomTokens,

    /// Symmetric token replacement: one other subject; its answer, if known, is the foil
    Str,

    /// Zeros
    Zero,

    /// The mean embedding of the tokens that noise is measured on
    Mean,
}

impl CorruptionArgs {
    /// How many samples are usual.
    pub fn n_samples(&self) -> usize {
        if matches!(self.corruption, Kind::Str | Kind::Zero | Kind::Mean) { 1 } else { 10 }
    }

    /// May give the question another foil. `noise_tokens`: those that noise is measured on. `choice`:
    /// which of several counterparts.
    pub fn corruption(
        &self,
        question: &mut Question,
        tokenizer: &Tokenizer,
        bos: Bos,
        noise_tokens: &[u32],
        choice: u32,
    ) -> anyhow::Result<Corruption> {
        let noise = |shape| {
            let entry = if self.replace { NoiseEntry::Replaced } else { NoiseEntry::Added };
            Corruption::Noise { shape, entry }
        };
        let subjects = |of, question: &Question| -> anyhow::Result<Corruption> {
            let found = self.subjects(of, question, tokenizer, bos)?;
            Ok(Corruption::OtherSubjects { of, ids: found.into_iter().map(|it| it.ids).collect() })
        };
        let corruption = match self.corruption {
            Kind::Gaussian => noise(NoiseShape::Gaussian),
            Kind::GaussianPerDim => noise(NoiseShape::GaussianPerDimension),
            Kind::Uniform => noise(NoiseShape::Uniform),
            Kind::TokensCosine => Corruption::NearestTokens { by: Closeness::Cosine },
            Kind::TokensDistance => Corruption::NearestTokens { by: Closeness::Distance },
            Kind::Resample => subjects(SubjectsOf::Relation, question)?,
            Kind::RandomSubject => subjects(SubjectsOf::All, question)?,
            Kind::RandomTokens => Corruption::RandomTokens,
            Kind::Str => {
                let counterpart = self.counterpart(question, tokenizer, bos, choice)?;
                if counterpart.answer.is_some() {
                    question.fact.foil = counterpart.answer;
                }
                Corruption::Counterpart { ids: counterpart.ids.into() }
            }
            Kind::Zero => Corruption::Zero,
            Kind::Mean => Corruption::Mean { tokens: noise_tokens.into() },
        };
        let is_noise = matches!(corruption, Corruption::Noise { .. });
        ensure!(is_noise || !self.replace, "--replace is for noise: gaussian, uniform");
        Ok(corruption)
    }

    /// That can stand in the prompt.
    fn subjects(
        &self,
        of: SubjectsOf,
        question: &Question,
        tokenizer: &Tokenizer,
        bos: Bos,
    ) -> anyhow::Result<Vec<Substitute>> {
        let found = if let Some(path) = &self.other_subjects {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            let lines = text.lines().filter(|line| !line.is_empty());
            substitutes(tokenizer, &question.fact, bos, lines.map(|line| (line, None)))?
        } else {
            let Some(dataset) = &question.dataset else {
                bail!("name other subjects with --other-subjects, or a dataset with --facts");
            };
            let is_meant = |relation: &Option<String>| match of {
                SubjectsOf::Relation => relation.is_some() && *relation == question.relation,
                SubjectsOf::All => true,
            };
            let facts = dataset.records.iter().filter(|it| is_meant(&it.relation));
            let facts = facts.filter_map(|it| it.fact(question.direction));
            let facts = facts.filter_map(|it| Some((it.subject_text()?, it.answer.as_deref())));
            substitutes(tokenizer, &question.fact, bos, facts)?
        };
        ensure!(!found.is_empty(), "there is no other subject of as many tokens");
        Ok(found)
    }

    fn counterpart(
        &self,
        question: &Question,
        tokenizer: &Tokenizer,
        bos: Bos,
        choice: u32,
    ) -> anyhow::Result<Substitute> {
        if let Some(text) = &self.counterpart {
            // Its answer, if the dataset has it.
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
        let nth = choice as usize % found.len();
        Ok(found.swap_remove(nth))
    }
}

/// As it is asked for.
pub(super) fn name(corruption: &Corruption) -> &'static str {
    match corruption {
        Corruption::Noise { shape, .. } => match shape {
            NoiseShape::Gaussian => "gaussian",
            NoiseShape::GaussianPerDimension => "gaussian-per-dim",
            NoiseShape::Uniform => "uniform",
        },
        Corruption::NearestTokens { by: Closeness::Cosine } => "tokens-cosine",
        Corruption::NearestTokens { by: Closeness::Distance } => "tokens-distance",
        Corruption::OtherSubjects { of: SubjectsOf::Relation, .. } => "resample",
        Corruption::OtherSubjects { of: SubjectsOf::All, .. } => "random-subject",
        Corruption::RandomTokens => "random-tokens",
        Corruption::Counterpart { .. } => "str",
        Corruption::Zero => "zero",
        Corruption::Mean { .. } => "mean",
    }
}
