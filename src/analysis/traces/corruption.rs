//! Corruptions of the subject's embeddings, which make the model lose the answer.
//!
//! All kinds keep the number of tokens, and everything before the subject. Those that replace
//! tokens give prompts that people can read:
//! - Noise, as in Meng et al. 2022: ROME's `trace_with_patch` with its `noise`, `uniform_noise` and
//!   `replace`. Noisy embeddings belong to no token, so the model may never have seen the like.
//! - The tokens whose embeddings are nearest to noisy embeddings.
//! - Other subjects, of the same relation or of any: resampling (Chan et al. 2022). Replacing the
//!   subject by a chosen one is *symmetric token replacement* (Zhang & Nanda 2024, "Towards Best
//!   Practices of Activation Patching"), which they prefer to noise.
//! - Random tokens, as a baseline.
//!
//! Noise may also be read from a file, to repeat another program's run exactly.

use std::ops::Range;
use std::sync::Arc;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use super::given_noise::{GivenNoise, NoiseFile};
use crate::analysis::error::at_least_one;
use crate::analysis::statistics::draw;
use crate::analysis::sweep::check_ids;
use crate::analysis::{AnalysisCtx, AnalysisError, Lab};
use crate::intervention::{Edit, Intervention, Noise, NoiseRng, Site, Span};
pub use crate::model::Closeness;
use crate::model::Transformer;

/// A way to corrupt the subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Corruption {
    /// Noise on the embeddings. ROME adds Gaussian noise.
    Noise {
        /// The distribution of the noise.
        shape: NoiseShape,

        /// Whether the noise is added to the embeddings or replaces them.
        #[serde(default)]
        entry: NoiseEntry,
    },

    /// The noise of a file, added as it is, without regard to level, generator and seed.
    NoiseFile(NoiseFile),

    /// The tokens whose embeddings are nearest to the subject's embeddings with Gaussian noise
    /// added. Special tokens are never chosen. With little noise, the subject's own tokens may be.
    NearestTokens { by: Closeness },

    /// Other subjects with as many tokens, drawn without replacement.
    OtherSubjects { of: SubjectsOf, ids: Arc<[Vec<u32>]> },

    /// Random tokens, drawn independently. Special tokens are never drawn.
    RandomTokens,

    /// One other subject with as many tokens: symmetric token replacement.
    Counterpart { ids: Arc<[u32]> },

    /// Embeddings of zeros.
    Zero,

    /// The mean embedding of these tokens, such as those of all subjects of a dataset. A token
    /// counts as often as it is named.
    Mean { tokens: Arc<[u32]> },
}

/// A corruption, and the number of draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draws {
    /// How the subject is corrupted. ROME adds Gaussian noise.
    #[serde(default)]
    pub corruption: Corruption,

    /// How strong the noise is.
    pub noise: NoiseLevel,

    /// The generator of the noise.
    pub rng: NoiseRng,

    /// The seed of the draws.
    pub seed: u32,

    /// The number of draws. ROME uses 10.
    pub n_samples: usize,
}

/// How strong the noise is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum NoiseLevel {
    /// The standard deviation, in embedding units.
    Std(f64),

    /// A multiple of the standard deviation over all entries of the embeddings of these tokens.
    /// ROME uses 3 × that of the subjects' tokens, its `s3`.
    Multiple { factor: f64, tokens: Arc<[u32]> },
}

/// The distribution of noise, whose size is the noise level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoiseShape {
    /// Gaussian, with one standard deviation for all dimensions, as in ROME.
    #[default]
    Gaussian,

    /// Gaussian, with a standard deviation for each dimension, measured without bias on the level's
    /// tokens.
    GaussianPerDimension,

    /// Uniform between minus and plus the level, ROME's `uniform_noise`.
    Uniform,
}

/// How noise enters the embeddings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoiseEntry {
    /// It is added to the embedding.
    #[default]
    Added,

    /// It replaces the embedding, ROME's `replace`.
    Replaced,
}

/// Where other subjects come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubjectsOf {
    /// Facts of the same relation.
    Relation,

    /// Any facts.
    All,
}

/// What the prompt became in one draw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Corrupted {
    /// Another prompt.
    Prompt {
        ids: Vec<u32>,

        /// The text of each token. Empty if there was no tokenizer.
        tokens: Vec<String>,
    },

    /// Embeddings that belong to no token.
    Vectors {
        /// The norm of each token's embedding, in embedding units. `[token of the subject]`
        norms: Vec<f32>,

        /// The distance of each from the subject's own embedding, in embedding units.
        /// `[token of the subject]`
        distances: Vec<f32>,
    },
}

/// The draws of a corruption.
#[derive(Clone, Debug)]
pub(in crate::analysis) struct Drawn {
    /// The standard deviation of the noise, in embedding units. 0 without noise.
    pub noise_std: f64,

    /// The intervention on the subject in each sample.
    pub edits: Vec<Intervention>,

    /// What the prompt became in each sample.
    pub shown: Vec<Corrupted>,
}

impl Default for Corruption {
    fn default() -> Self {
        Self::Noise { shape: NoiseShape::Gaussian, entry: NoiseEntry::Added }
    }
}

impl Corruption {
    /// Whether samples differ from each other.
    pub fn is_drawn(&self) -> bool {
        !matches!(self, Self::Counterpart { .. } | Self::Zero | Self::Mean { .. })
    }

    /// Whether the corruption draws noise, and so has a standard deviation.
    pub fn has_noise(&self) -> bool {
        self.has_drawn_noise() || matches!(self, Self::NoiseFile(_))
    }

    /// Whether it needs a [`NoiseLevel`] and a generator.
    pub fn has_drawn_noise(&self) -> bool {
        matches!(self, Self::Noise { .. } | Self::NearestTokens { .. })
    }
}

impl Corrupted {
    pub(in crate::analysis) fn prompt(ids: Vec<u32>, ctx: &AnalysisCtx<'_>) -> Self {
        let piece = |id: &u32| ctx.tokenizer.map(|it| it.piece(*id));
        Self::Prompt { tokens: ids.iter().filter_map(piece).collect(), ids }
    }
}

impl Draws {
    pub(in crate::analysis) fn check(&self) -> Result<(), AnalysisError> {
        at_least_one("the number of samples", self.n_samples)?;
        if !self.corruption.is_drawn() && self.n_samples > 1 {
            return Err(AnalysisError::SameEachTime);
        }
        Ok(())
    }

    /// Draws the corruption of every sample.
    pub(in crate::analysis) fn draw(&self, lab: &Lab<'_>) -> Result<Drawn, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let subject = prompt.subject.clone().ok_or(AnalysisError::NoSubject)?;
        let n_subject = subject.len();
        match &self.corruption {
            Corruption::Noise { shape, entry } => self.draw_noise(lab, *shape, *entry),
            Corruption::NoiseFile(file) => {
                let noise = (ctx.read_noise)(file).map_err(AnalysisError::File)?;
                let size = [n_subject, model.config.d_model];
                let samples = noise.samples(file, self.n_samples, size)?;
                let noise_std = std_of(&samples);
                let clean = model.embeddings(&prompt.ids[subject.clone()]);
                let edits = samples.into_iter().map(|noise| {
                    // The sum is put in, because it is then rounded once, as with drawn noise.
                    let noisy = sum(&clean, noise);
                    let edit = Edit::Put(noisy.as_slice().into());
                    (noisy, edit)
                });
                Ok(of_vectors(lab, &subject, noise_std, edits.collect()))
            }
            Corruption::NearestTokens { by } => {
                let allowed = allowed(model, ctx)?;
                let noise_std = self.noise.std(model)?;
                let clean = model.embeddings(&prompt.ids[subject.clone()]);
                let draws = self.noise(noise_std).draw_all(self.n_samples, clean.len());
                let noisy: Vec<f32> = draws.iter().flat_map(|draw| sum(&clean, draw)).collect();
                let nearest = model.nearest_tokens(&noisy, *by, &allowed);
                let ids = nearest.chunks(n_subject).map(<[u32]>::to_vec).collect();
                Ok(of_tokens(lab, &subject, noise_std, ids))
            }
            Corruption::OtherSubjects { ids, .. } => {
                for other in ids.iter() {
                    check_subject(model, n_subject, other)?;
                }
                let (n_found, n_samples) = (ids.len(), self.n_samples);
                if n_found < n_samples {
                    return Err(AnalysisError::FewSubjects { n_found, n_samples });
                }
                let mut ids = ids.to_vec();
                draw(&mut ids, n_samples, ChaCha8Rng::seed_from_u64(u64::from(self.seed)));
                Ok(of_tokens(lab, &subject, 0.0, ids))
            }
            Corruption::RandomTokens => {
                let allowed = allowed(model, ctx)?;
                let draw = |sample: usize| {
                    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(self.seed));
                    rng.set_stream(sample as u64);
                    (0..n_subject).map(|_| allowed[rng.random_range(0..allowed.len())]).collect()
                };
                let ids = (0..self.n_samples).map(draw).collect();
                Ok(of_tokens(lab, &subject, 0.0, ids))
            }
            Corruption::Counterpart { ids } => {
                check_subject(model, n_subject, ids)?;
                Ok(of_tokens(lab, &subject, 0.0, vec![ids.to_vec()]))
            }
            Corruption::Zero => {
                let zeros = vec![0.0; n_subject * model.config.d_model];
                Ok(of_vectors(lab, &subject, 0.0, vec![(zeros, Edit::Zero)]))
            }
            Corruption::Mean { tokens } => {
                let mean = Spread::of(model, tokens)?.mean();
                let mean: Vec<f32> = mean.into_iter().map(|x| x as f32).collect();
                let vectors = mean.repeat(n_subject);
                let edit = Edit::Put(vectors.as_slice().into());
                Ok(of_vectors(lab, &subject, 0.0, vec![(vectors, edit)]))
            }
        }
    }

    fn draw_noise(
        &self,
        lab: &Lab<'_>,
        shape: NoiseShape,
        entry: NoiseEntry,
    ) -> Result<Drawn, AnalysisError> {
        let &Lab { model, prompt, .. } = lab;
        let subject = prompt.subject.clone().ok_or(AnalysisError::NoSubject)?;
        let clean = model.embeddings(&prompt.ids[subject.clone()]);
        let (n, len) = (self.n_samples, clean.len());
        let (noise_std, draws) = match shape {
            NoiseShape::Gaussian => {
                let std = self.noise.std(model)?;
                (std, self.noise(std).draw_all(n, len))
            }
            NoiseShape::Uniform => {
                let half_width = self.noise.std(model)?;
                let draws = self.noise(half_width).draw_all_uniform(n, len);
                (half_width / 3.0_f64.sqrt(), draws)
            }
            NoiseShape::GaussianPerDimension => {
                let stds = self.noise.std_per_dimension(model)?;
                let mut draws = self.noise(1.0).draw_all(n, len);
                for draw in &mut draws {
                    for (value, std) in draw.iter_mut().zip(stds.iter().cycle()) {
                        *value *= std;
                    }
                }
                let squares: f64 = stds.iter().map(|std| std * std).sum();
                ((squares / stds.len() as f64).sqrt(), draws)
            }
        };
        let edits = draws.into_iter().enumerate().map(|(sample, draw)| {
            let values = || -> Arc<[f32]> { draw.iter().map(|&x| x as f32).collect() };
            match (entry, shape) {
                // ROME's noise is described by its seed, so that specs stay small.
                (NoiseEntry::Added, NoiseShape::Gaussian) => {
                    let noise = Noise { sample, ..self.noise(noise_std) };
                    (sum(&clean, &draw), Edit::AddNoise(noise))
                }
                (NoiseEntry::Added, _) => (sum(&clean, &draw), Edit::Add(values())),
                (NoiseEntry::Replaced, _) => {
                    let values = values();
                    (values.to_vec(), Edit::Put(values))
                }
            }
        });
        Ok(of_vectors(lab, &subject, noise_std, edits.collect()))
    }

    fn noise(&self, std: f64) -> Noise {
        Noise { rng: self.rng, seed: self.seed, std, sample: 0 }
    }
}

impl NoiseLevel {
    /// The level as a standard deviation, in embedding units.
    ///
    /// The deviation of tokens is ROME's `collect_embedding_std`: unbiased, over all entries at once,
    /// without position embeddings.
    pub fn std(&self, model: &Transformer) -> Result<f64, AnalysisError> {
        match self {
            Self::Std(std) => Ok(*std),
            Self::Multiple { factor, tokens } => Ok(factor * Spread::of(model, tokens)?.std()),
        }
    }

    /// The level as an unbiased standard deviation for each dimension, in embedding units.
    /// `[d_model]`
    pub fn std_per_dimension(&self, model: &Transformer) -> Result<Vec<f64>, AnalysisError> {
        match self {
            Self::Multiple { factor, tokens } if tokens.len() > 1 => {
                let stds = Spread::of(model, tokens)?.std_per_dimension();
                Ok(stds.into_iter().map(|std| factor * std).collect())
            }
            _ => Err(AnalysisError::NoSpread),
        }
    }
}

/// Sums over the embeddings of some tokens.
struct Spread {
    n_tokens: usize,

    /// The sum of all entries.
    sum: f64,

    /// The sum of their squares.
    squares: f64,

    /// The sum of each dimension. `[d_model]`
    sums: Vec<f64>,

    /// The sum of squared distances from each dimension's mean. `[d_model]`
    deviations: Vec<f64>,
}

impl Spread {
    fn of(model: &Transformer, tokens: &[u32]) -> Result<Self, AnalysisError> {
        at_least_one("the number of tokens noise is measured on", tokens.len())?;
        check_ids(model, &[], tokens.iter().copied())?;
        let d_model = model.config.d_model;
        let zeros = || vec![0.0; d_model];
        let mut spread =
            Self { n_tokens: 0, sum: 0.0, squares: 0.0, sums: zeros(), deviations: zeros() };
        let mut means = zeros();
        // The embeddings of a large dataset's subjects, all at once, would take as much memory as
        // the vocabulary.
        for tokens in tokens.chunks(1024) {
            for embedding in model.embeddings(tokens).chunks(d_model) {
                spread.n_tokens += 1;
                for (nth, &value) in embedding.iter().enumerate() {
                    let value = f64::from(value);
                    spread.sum += value;
                    spread.squares += value.powi(2);
                    spread.sums[nth] += value;
                    // Welford's recurrence (1962) for the variance.
                    let before = value - means[nth];
                    means[nth] += before / spread.n_tokens as f64;
                    spread.deviations[nth] += before * (value - means[nth]);
                }
            }
        }
        Ok(spread)
    }

    fn std(&self) -> f64 {
        let n = (self.n_tokens * self.sums.len()) as f64;
        ((self.squares - self.sum * self.sum / n) / (n - 1.0)).sqrt()
    }

    fn std_per_dimension(&self) -> Vec<f64> {
        let n = self.n_tokens as f64;
        self.deviations.iter().map(|squares| (squares / (n - 1.0)).sqrt()).collect()
    }

    fn mean(&self) -> Vec<f64> {
        self.sums.iter().map(|sum| sum / self.n_tokens as f64).collect()
    }
}

/// The tokens that may be chosen, in order.
fn allowed(model: &Transformer, ctx: &AnalysisCtx<'_>) -> Result<Vec<u32>, AnalysisError> {
    let mut ids = ctx.tokenizer.ok_or(AnalysisError::NoTokenizer)?.text_ids();
    ids.retain(|&id| (id as usize) < model.config.d_vocab);
    at_least_one("the number of tokens to choose from", ids.len())?;
    Ok(ids)
}

fn check_subject(model: &Transformer, n_subject: usize, ids: &[u32]) -> Result<(), AnalysisError> {
    if ids.len() != n_subject {
        return Err(AnalysisError::OtherCount { n_subject, n_other: ids.len() });
    }
    check_ids(model, &[], ids.iter().copied())
}

/// The unbiased standard deviation over all numbers of all samples.
fn std_of(samples: &[&[f64]]) -> f64 {
    let values = || samples.iter().copied().flatten();
    let n = values().count() as f64;
    let mean = values().sum::<f64>() / n;
    (values().map(|it| (it - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
}

fn sum(clean: &[f32], noise: &[f64]) -> Vec<f32> {
    clean.iter().zip(noise).map(|(&x, noise)| (f64::from(x) + noise) as f32).collect()
}

/// The draws of a corruption that replaces the subject's tokens.
fn of_tokens(
    lab: &Lab<'_>,
    subject: &Range<usize>,
    noise_std: f64,
    samples: Vec<Vec<u32>>,
) -> Drawn {
    let shown = |other: &Vec<u32>| {
        let mut ids = lab.prompt.ids.clone();
        ids[subject.clone()].copy_from_slice(other);
        Corrupted::prompt(ids, lab.ctx)
    };
    Drawn {
        noise_std,
        shown: samples.iter().map(shown).collect(),
        edits: samples.into_iter().map(|ids| at(subject, Edit::Tokens(ids.into()))).collect(),
    }
}

/// The draws of a corruption that changes the subject's embeddings. Each sample has the new
/// embeddings and the edit that makes them.
fn of_vectors(
    lab: &Lab<'_>,
    subject: &Range<usize>,
    noise_std: f64,
    samples: Vec<(Vec<f32>, Edit)>,
) -> Drawn {
    let clean = lab.model.embeddings(&lab.prompt.ids[subject.clone()]);
    let d_model = lab.model.config.d_model;
    let length =
        |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt() as f32;
    let shown = |vectors: &[f32]| Corrupted::Vectors {
        norms: vectors
            .chunks(d_model)
            .map(|it| length(&mut it.iter().map(|&x| f64::from(x))))
            .collect(),
        distances: vectors
            .chunks(d_model)
            .zip(clean.chunks(d_model))
            .map(|(it, own)| {
                length(&mut it.iter().zip(own).map(|(&a, &b)| f64::from(a) - f64::from(b)))
            })
            .collect(),
    };
    Drawn {
        noise_std,
        shown: samples.iter().map(|(vectors, _)| shown(vectors)).collect(),
        edits: samples.into_iter().map(|(_, edit)| at(subject, edit)).collect(),
    }
}

fn at(subject: &Range<usize>, edit: Edit) -> Intervention {
    Intervention::at(Site::Embed, Span::Only(subject.clone()), edit)
}
