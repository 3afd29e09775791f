//! Draws a corruption of the subject: the edits of each sample, and what the prompt becomes by them.

use std::ops::Range;
use std::sync::Arc;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::corruption::{Corrupted, Corruption, NoiseEntry, NoiseShape};
use super::noise_level::{NoiseLevel, Spread};
use crate::analysis::error::{at_least_one, countable};
use crate::analysis::statistics::draw;
use crate::analysis::sweep::check_ids;
use crate::analysis::{AnalysisCtx, AnalysisError, Lab, Sizes};
use crate::intervention::{Edit, Intervention, Noise, NoiseRng, Site, Span};
use crate::model::Transformer;

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

impl Draws {
    pub(in crate::analysis) fn check(&self) -> Result<(), AnalysisError> {
        countable("the number of samples", self.n_samples)?;
        self.noise.check()?;
        if !self.corruption.is_drawn() && self.n_samples > 1 {
            return Err(AnalysisError::SameEachTime);
        }
        Ok(())
    }

    /// What all samples take: the noise as it is drawn, in 64 bits, and the embeddings that it makes.
    pub(in crate::analysis) fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let n_subject = sizes.prompt.subject.as_ref().map_or(0, ExactSizeIterator::len);
        let of_number = (size_of::<f64>() + 2 * size_of::<f32>()) as u64;
        let of_sample = (n_subject * sizes.config.d_model) as u64 * of_number;
        of_sample.saturating_mul(self.n_samples as u64)
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
