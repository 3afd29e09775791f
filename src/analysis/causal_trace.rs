//! Causal tracing: where in the network does restoring a clean activation bring the answer back?
//!
//! The subject's embeddings are corrupted with noise, which loses the answer; then one clean
//! activation at a time is put back, and the recovered belief is mapped over layer and position.
//!
//! Meng et al. 2022, "Locating and Editing Factual Associations in GPT", section 2 and appendix B.
//! Follows `experiments/causal_trace.py` of <https://github.com/kmeng01/rome> to the number: the
//! noise is drawn anew from the same seed for every cell, so all cells see the same corruptions,
//! and a window is clipped at the first and last layer, not shifted.
//!
//! Two variants beside it:
//! - A *severed* trace holds the MLP or attention outputs of the restored token at their corrupted
//!   values, so that only the path around them is left (Meng et al. 2022, figure 3;
//!   `trace_with_repatch` in ROME's notebook `causal_trace_frozen_mlp_attn`).
//! - In the *noising* direction it is the clean run that is changed, by putting corrupted activations
//!   in: which of them are necessary, where denoising asks which suffice (Heimersheim & Nanda 2024).
//!
//! A peak says where restoring suffices. It does not say where the fact is stored, nor where an
//! edit would succeed (Hase et al. 2023).

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::measurement::Measurement;
use super::sweep::{Asked, sweep_beside};
use super::{AnalysisCtx, AnalysisError, AnalysisResult, Grid, donors};
use crate::intervention::{
    Condition, Donor, Edit, Intervention, Noise, NoiseRng, Site, SiteSet, Span,
};
use crate::model::{Donors, Gpt2, Reference};
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub component: Component,

    /// How many layers are restored together around the one reported. ROME: 10 for MLP and
    /// attention. Single states of the residual stream have no window.
    pub window: usize,

    pub noise: NoiseLevel,
    pub rng: NoiseRng,
    pub seed: u32,

    /// Noise draws averaged per cell. ROME: 10.
    pub n_samples: usize,

    /// Which run is changed. ROME: denoise.
    #[serde(default)]
    pub direction: Direction,

    /// What must not react to the change, at the token where it is made.
    #[serde(default)]
    pub sever: Option<Severed>,
}

/// Which run is changed, and which one it is given activations of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Clean activations into the corrupted run: what suffices to bring the answer back.
    #[default]
    Denoise,

    /// Corrupted activations into the clean run: what is needed to keep it.
    Noise,
}

/// Outputs that are held at the values of the run that is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severed {
    /// What MLPs add.
    Mlp,

    /// What attention adds.
    Attn,
}

/// What is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// The residual stream after a layer. ROME's `kind=None`.
    Hidden,

    /// What MLPs add to it.
    Mlp,

    /// What attention adds to it.
    Attn,
}

/// How strong the noise is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum NoiseLevel {
    /// Standard deviation, in units of embedding values.
    Std(f64),

    /// A multiple of the standard deviation over all entries of the embeddings of these tokens.
    /// ROME: 3 × that of the subjects' tokens, its `s3`.
    Multiple { factor: f64, tokens: Arc<[u32]> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CausalTrace {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The standard deviation that the noise had.
    pub noise_std: f64,

    pub clean: Measurement,

    /// With nothing restored, one per noise draw.
    pub corrupted: Vec<Measurement>,

    /// With that cell restored, or corrupted if the direction is noising. Per cell, one per noise
    /// draw; empty where not computed yet. (layer, position)
    pub restored: Grid<Vec<Measurement>>,
}

impl Component {
    pub const ALL: [Self; 3] = [Self::Hidden, Self::Mlp, Self::Attn];

    pub(super) fn site(self, layer: usize) -> Site {
        match self {
            Self::Hidden => Site::ResidPost(layer),
            Self::Mlp => Site::MlpOut(layer),
            Self::Attn => Site::AttnOut(layer),
        }
    }
}

impl Direction {
    pub const ALL: [Self; 2] = [Self::Denoise, Self::Noise];
}

impl Severed {
    pub const ALL: [Self; 2] = [Self::Mlp, Self::Attn];

    fn site(self, layer: usize) -> Site {
        match self {
            Self::Mlp => Site::MlpOut(layer),
            Self::Attn => Site::AttnOut(layer),
        }
    }
}

impl Spec {
    /// That it asks for something.
    pub(super) fn check(&self) -> Result<(), AnalysisError> {
        if self.n_samples == 0 {
            return Err(AnalysisError::Zero { what: "the number of samples" });
        }
        if self.window == 0 {
            return Err(AnalysisError::Zero { what: "the window" });
        }
        Ok(())
    }

    /// One noise draw on the subject.
    pub(super) fn corrupt(
        &self,
        subject: &Range<usize>,
        noise_std: f64,
        sample: usize,
    ) -> Intervention {
        let noise = Noise { rng: self.rng, seed: self.seed, std: noise_std, sample };
        Intervention::at(Site::Embed, Span::Only(subject.clone()), Edit::AddNoise(noise))
    }

    /// What puts the cell of `layer` and `pos` back.
    pub(super) fn restore(
        &self,
        layer: usize,
        pos: usize,
        n_layers: usize,
    ) -> impl Iterator<Item = Intervention> + use<> {
        let component = self.component;
        self.layers(layer, n_layers).map(move |restored| {
            let copy = Edit::CopyFrom { donor: Donor::Clean, positions: Span::one(pos) };
            Intervention::at(component.site(restored), Span::one(pos), copy)
        })
    }

    /// The layers restored for the cell of `layer`. ROME: from `layer - window / 2` up to
    /// `layer + ceil(window / 2)`, clipped.
    pub fn layers(&self, layer: usize, n_layers: usize) -> Range<usize> {
        if self.component == Component::Hidden {
            return layer..layer + 1;
        }
        let start = layer.saturating_sub(self.window / 2);
        start..(layer + self.window.div_ceil(2)).min(n_layers)
    }
}

impl NoiseLevel {
    /// As a standard deviation.
    ///
    /// ROME's `collect_embedding_std`: unbiased, over all entries at once, position embeddings not
    /// included.
    pub fn std(&self, model: &Gpt2) -> Result<f64, AnalysisError> {
        let (factor, tokens) = match self {
            Self::Std(std) => return Ok(*std),
            Self::Multiple { factor, tokens } => (factor, tokens),
        };
        if tokens.is_empty() {
            return Err(AnalysisError::Zero { what: "the number of tokens noise is measured on" });
        }
        super::sweep::check_ids(model, &[], tokens.iter().copied())?;
        let d_model = model.config.d_model as f64;
        let n = tokens.len() as f64 * d_model;
        // In pieces: the subjects of a large dataset would be a second vocabulary.
        let (mut sum, mut squares) = (0.0, 0.0);
        for tokens in tokens.chunks(1024) {
            for value in model.embeddings(tokens) {
                sum += f64::from(value);
                squares += f64::from(value).powi(2);
            }
        }
        Ok(factor * ((squares - sum * sum / n) / (n - 1.0)).sqrt())
    }
}

impl CausalTrace {
    /// The layers restored for the cell of `layer`.
    pub fn window(&self, layer: usize) -> Range<usize> {
        self.spec.layers(layer, self.restored.n_rows())
    }

    /// Whether the model's own first guess is the answer.
    pub fn is_top_answer(&self) -> bool {
        self.clean.rank == 0
    }
}

pub fn causal_trace(
    model: &Gpt2,
    prompt: &TokenizedPrompt,
    spec: &Spec,
    ctx: &AnalysisCtx<'_>,
) -> Result<CausalTrace, AnalysisError> {
    spec.check()?;
    let subject = prompt.subject.clone().ok_or(AnalysisError::NoSubject)?;
    let asked = Asked::new(model, prompt)?;
    let noise_std = spec.noise.std(model)?;
    let n_layers = model.config.n_layers;

    let patched: SiteSet = (0..n_layers).map(|layer| spec.component.site(layer)).collect();
    let held: SiteSet =
        spec.sever.iter().flat_map(|it| (0..n_layers).map(|layer| it.site(layer))).collect();
    let (of_clean, of_corrupted) = match spec.direction {
        Direction::Denoise => (patched, held),
        Direction::Noise => (held, patched),
    };
    let clean = donors::clean(model, &asked, &of_clean, ctx)?;
    let reference = Reference::of(&clean.logits);

    let mut trace = CausalTrace {
        spec: spec.clone(),
        prompt: prompt.clone(),
        noise_std,
        clean: Measurement::read(model, &clean.logits, prompt, Some(&reference))?[0],
        corrupted: Vec::new(),
        restored: Grid::new(prompt.n_pos(), vec![Vec::new(); prompt.n_pos() * n_layers]),
    };
    let conditions = plan(prompt, &subject, spec, noise_std, n_layers);
    let mut donors = Donors::from([(Donor::Clean, clean.cache)]);
    if !of_corrupted.is_empty() {
        let corrupted = &conditions[..spec.n_samples];
        let caches = donors::under(model, &asked, corrupted, &of_corrupted, ctx)?;
        donors.extend(
            caches
                .into_iter()
                .enumerate()
                .map(|(sample, cache)| (Donor::Corrupted { first: subject.start, sample }, cache)),
        );
    }
    let reference = Some(reference);
    sweep_beside(reference, model, prompt, &conditions, &donors, ctx, &mut |so_far| {
        trace.fill(so_far);
        (ctx.partial)(AnalysisResult::CausalTrace(trace.clone()));
    })?;
    Ok(trace)
}

impl CausalTrace {
    /// Sorts the measurements of the plan's conditions into their cells; a cell is shown once all
    /// of its samples are there.
    fn fill(&mut self, measurements: &[Option<Measurement>]) {
        let samples = measurements.chunks_exact(self.spec.n_samples);
        let mut cells = samples
            .map(|cell| cell.iter().copied().collect::<Option<Vec<_>>>().unwrap_or_default());
        self.corrupted = cells.next().unwrap_or_default();
        self.restored = self.restored.map(|_| cells.next().unwrap_or_default());
    }
}

/// First the corrupted runs, then every (layer, position) cell, each `n_samples` times.
pub fn plan(
    prompt: &TokenizedPrompt,
    subject: &Range<usize>,
    spec: &Spec,
    noise_std: f64,
    n_layers: usize,
) -> Vec<Condition> {
    let copy = |site: Site, pos: usize, donor: Donor| {
        let edit = Edit::CopyFrom { donor, positions: Span::one(pos) };
        Intervention::at(site, Span::one(pos), edit)
    };

    let mut conditions = Vec::new();
    for sample in 0..spec.n_samples {
        conditions.push(vec![spec.corrupt(subject, noise_std, sample)]);
    }
    for layer in 0..n_layers {
        for pos in 0..prompt.n_pos() {
            for sample in 0..spec.n_samples {
                let corrupted = Donor::Corrupted { first: subject.start, sample };
                let (mut condition, giver, changed) = match spec.direction {
                    Direction::Denoise => {
                        (vec![spec.corrupt(subject, noise_std, sample)], Donor::Clean, corrupted)
                    }
                    Direction::Noise => (Vec::new(), corrupted, Donor::Clean),
                };
                let patched: Vec<Site> =
                    spec.layers(layer, n_layers).map(|it| spec.component.site(it)).collect();
                condition.extend(patched.iter().map(|&site| copy(site, pos, giver)));
                if let Some(severed) = spec.sever {
                    let held = reacting(spec, layer, n_layers).map(|it| severed.site(it));
                    let held = held.filter(|site| !patched.contains(site));
                    condition.extend(held.map(|site| copy(site, pos, changed)));
                }
                conditions.push(condition);
            }
        }
    }
    conditions
}

/// The layers that a change made for the cell of `layer` may reach: all that ROME freezes, less those
/// that have their values already.
fn reacting(spec: &Spec, layer: usize, n_layers: usize) -> Range<usize> {
    let changed = spec.layers(layer, n_layers);
    match spec.component {
        // The residual stream after a layer is overwritten whatever the layer did.
        Component::Hidden => changed.end..n_layers,
        Component::Mlp | Component::Attn => changed.start..n_layers,
    }
}
