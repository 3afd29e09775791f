//! Causal tracing: finds where in the network restoring a clean activation brings the answer back.
//!
//! The subject's embeddings are corrupted with noise, which loses the answer. Then one clean
//! activation at a time is restored, and the recovered probability is mapped over layers and
//! positions.
//!
//! Meng et al. 2022, "Locating and Editing Factual Associations in GPT", section 2 and appendix B.
//! The numbers are those of `experiments/causal_trace.py` of <https://github.com/kmeng01/rome>: the
//! noise is drawn again from the same seed for every cell, so all cells see the same corruptions,
//! and a window is clipped at the first and last layer, not shifted.
//!
//! There are these variants:
//! - A *severed* trace holds the MLP or attention outputs at the restored token at their corrupted
//!   values, so that only the path around them is left (Meng et al. 2022, figure 3;
//!   `trace_with_repatch` in ROME's notebook `causal_trace_frozen_mlp_attn`). ROME severs all later
//!   layers; severing fewer shows how soon they matter.
//! - In the *noising* direction, corrupted activations are put into the clean run. That asks which
//!   activations are necessary, while denoising asks which suffice (Heimersheim & Nanda 2024).
//! - The subject may be corrupted in other ways than by noise, see [`crate::analysis::corruption`].
//! - A [`Map`] may have a column for each head, or for each width of window, instead of each token.
//!
//! A peak says where restoring suffices. It does not say where the fact is stored, nor where an
//! edit would succeed (Hase et al. 2023).

use std::ops::Range;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::known::known;
use crate::analysis::corruption::{Drawn, Draws};
use crate::analysis::error::at_least_one;
use crate::analysis::measurement::Measurement;
use crate::analysis::sweep::{Asked, Known, sweep_beside};
use crate::analysis::{
    About, AnalysisError, AnalysisResult, Grid, Lab, Method, PromptOf, Sizes, donors, sources,
};
use crate::intervention::{Condition, Donor, NoiseRng, Site, SiteSet};
use crate::model::{Donors, Reference};
use crate::tokens::TokenizedPrompt;

pub use super::trace_map::{Map, plan, window};
pub use crate::analysis::corruption::{Corrupted, Corruption, NoiseLevel};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The component that is restored.
    pub component: Component,

    /// How many layers are restored together around each layer. ROME uses 10 for MLP and attention.
    /// Hidden states are always restored one layer at a time.
    pub window: usize,

    /// How strong the noise is.
    pub noise: NoiseLevel,

    /// The generator of the noise.
    pub rng: NoiseRng,

    /// The seed of the noise.
    pub seed: u32,

    /// How many draws of the corruption are averaged in each cell. ROME uses 10.
    pub n_samples: usize,

    /// Which run is changed. ROME denoises.
    #[serde(default)]
    pub direction: Direction,

    /// The outputs that are severed: at the token of the change they do not react to it. `None`
    /// severs none.
    #[serde(default)]
    pub sever: Option<Severed>,

    /// How many layers are severed, from the first whose output could react. `None` severs all
    /// layers, as ROME does.
    #[serde(default)]
    pub sever_layers: Option<usize>,

    /// How the subject is corrupted. ROME adds Gaussian noise.
    #[serde(default)]
    pub corruption: Corruption,

    /// What the map's columns are. ROME's are tokens.
    #[serde(default)]
    pub map: Map,
}

/// Which run is changed, and whose activations it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Clean activations are put into the corrupted run, which shows what suffices to bring the
    /// answer back.
    #[default]
    Denoise,

    /// Corrupted activations are put into the clean run, which shows what is needed to keep the
    /// answer.
    Noise,
}

/// The outputs that are held at their values in the run that is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severed {
    /// The outputs of MLPs.
    Mlp,

    /// The outputs of attention.
    Attn,
}

/// The component that is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// The residual stream after a layer, ROME's `kind=None`.
    Hidden,

    /// The outputs of MLPs.
    Mlp,

    /// The outputs of attention.
    Attn,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CausalTrace {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The standard deviation of the noise over all its values, in embedding units. 0 if there was
    /// no noise.
    pub noise_std: f64,

    /// What the prompt became in each draw.
    #[serde(default)]
    pub corruptions: Vec<Corrupted>,

    /// The measurement of the clean run.
    pub clean: Measurement,

    /// The measurements of the corrupted runs with nothing restored, one for each draw.
    pub corrupted: Vec<Measurement>,

    /// The measurements with each cell restored, or corrupted in the noising direction, one for
    /// each draw. Empty where they are not computed yet. `[layer, column]`, where the [`Map`] says
    /// what columns are
    pub restored: Grid<Vec<Measurement>>,
}

impl Component {
    pub const ALL: [Self; 3] = [Self::Hidden, Self::Mlp, Self::Attn];

    pub(in crate::analysis) fn site(self, layer: usize) -> Site {
        match self {
            Self::Hidden => Site::ResidPost(layer),
            Self::Mlp => Site::MlpOut(layer),
            Self::Attn => Site::AttnOut(layer),
        }
    }
}

/// How many layers of MLPs or attention are restored together unless another number is asked for.
///
/// ROME's window is 10 of the 48 layers of GPT-2 XL, and is kept for models half as deep; ten of the
/// layers of a small one would leave nothing to tell apart.
pub fn usual_window(n_layers: usize) -> usize {
    if n_layers >= 24 { 10 } else { (n_layers * 10).div_ceil(48) }
}

impl Direction {
    pub const ALL: [Self; 2] = [Self::Denoise, Self::Noise];
}

impl Severed {
    pub const ALL: [Self; 2] = [Self::Mlp, Self::Attn];

    /// The two fields of a spec in one normal form, because several values mean the same trace: no
    /// layers, or more layers than there are.
    pub fn in_layers(
        severed: Option<Self>,
        layers: Option<usize>,
        n_layers: usize,
    ) -> (Option<Self>, Option<usize>) {
        let severed = severed.filter(|_| layers != Some(0));
        (severed, layers.filter(|n| severed.is_some() && *n < n_layers))
    }

    pub(in crate::analysis) fn site(self, layer: usize) -> Site {
        match self {
            Self::Mlp => Site::MlpOut(layer),
            Self::Attn => Site::AttnOut(layer),
        }
    }
}

impl Spec {
    /// A trace as ROME's: it restores single tokens, and severs none.
    pub fn new(component: Component, window: usize, draws: Draws) -> Self {
        let Draws { corruption, noise, rng, seed, n_samples } = draws;
        Self {
            component,
            window,
            noise,
            rng,
            seed,
            n_samples,
            direction: Direction::Denoise,
            sever: None,
            sever_layers: None,
            corruption,
            map: Map::Tokens,
        }
    }

    /// How the subject is corrupted.
    pub fn draws(&self) -> Draws {
        Draws {
            corruption: self.corruption.clone(),
            noise: self.noise.clone(),
            rng: self.rng,
            seed: self.seed,
            n_samples: self.n_samples,
        }
    }

    /// Whether any output is severed.
    pub fn is_severed(&self) -> bool {
        self.sever.is_some() && self.sever_layers != Some(0)
    }
}

impl CausalTrace {
    /// The layers that are restored for the cell of `layer`, in a map of single tokens or heads.
    pub fn window(&self, layer: usize) -> Range<usize> {
        self.spec.layers(layer, self.restored.n_rows())
    }

    /// Whether the answer is the model's first guess.
    pub fn is_top_answer(&self) -> bool {
        self.clean.rank == 0
    }
}

impl Method for Spec {
    type Found = CausalTrace;
    const NAME: &'static str = "causal trace";
    const ABOUT: About = About {
        text: "The subject is corrupted, which loses the answer; then one clean state at a time \
               is restored (or, the other way round, one corrupted state is put into the clean \
               run), and the map shows what each does to the answer.",
        sources: &[sources::MENG_2022],
    };
    const VERB: &'static str = "Tracing";
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<CausalTrace, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let asked = Asked::new(model, prompt)?;
        let Prepared { noise_std, corruptions, conditions, clean, donors } =
            prepare(lab, self, &asked)?;
        let reference = Reference::of(&clean);
        let (n_layers, n_heads) = (model.config.n_layers, model.config.n_heads);
        let n_columns = self.map.n_columns(prompt.n_pos(), n_heads);
        let mut trace = CausalTrace {
            spec: self.clone(),
            prompt: prompt.clone(),
            noise_std,
            corruptions,
            clean: Measurement::read(model, &clean, prompt, Some(&reference))?[0],
            corrupted: Vec::new(),
            restored: Grid::new(n_columns, vec![Vec::new(); n_columns * n_layers]),
        };
        let known = Known { clean: Some(reference), found: known(lab, self) };
        sweep_beside(known, lab, &conditions, &donors, &mut |so_far| {
            trace.fill(so_far);
            (ctx.partial)(AnalysisResult::CausalTrace(trace.clone()));
        })?;
        Ok(trace)
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let donors = self.donors_memory(sizes);
        let sweep = self.sweep_size(sizes);
        donors
            .saturating_add(sizes.sweep(&sweep))
            .saturating_add(Sizes::measured(sweep.n_conditions))
            .saturating_add(self.draws().memory(sizes))
    }

    fn check(&self) -> Result<(), AnalysisError> {
        at_least_one("the window", self.window)?;
        self.draws().check()?;
        match &self.map {
            Map::Together { widths, .. } if widths.is_empty() => {
                Err(AnalysisError::Zero { what: "the number of widths" })
            }
            Map::Together { widths, .. } if widths.contains(&0) => {
                Err(AnalysisError::Zero { what: "a window's width" })
            }
            Map::Heads { .. } if self.component != Component::Attn => Err(AnalysisError::NoHeads),
            _ => Ok(()),
        }
    }

    fn traces(found: &CausalTrace) -> Vec<&CausalTrace> {
        vec![found]
    }
}

/// The conditions of a trace, and the runs that they copy from.
pub(in crate::analysis) struct Prepared {
    /// The standard deviation of the noise, in embedding units.
    pub noise_std: f64,

    /// What the prompt became in each draw.
    pub corruptions: Vec<Corrupted>,

    /// The condition of every run, in the order of [`plan`].
    pub conditions: Vec<Condition>,

    /// The logits of the clean run. `[1, answer tokens, d_vocab]`
    pub clean: Tensor<3>,

    /// The runs that conditions copy from.
    pub donors: Donors,
}

pub(in crate::analysis) fn prepare(
    lab: &Lab<'_>,
    spec: &Spec,
    asked: &Asked,
) -> Result<Prepared, AnalysisError> {
    let &Lab { model, prompt, ctx } = lab;
    spec.check()?;
    let subject = prompt.subject.clone().ok_or(AnalysisError::NoSubject)?;
    let Drawn { noise_std, edits, shown } = spec.draws().draw(lab)?;
    let (n_layers, n_heads) = (model.config.n_layers, model.config.n_heads);
    let conditions = plan(prompt, spec, &edits, n_layers, n_heads)?;

    let patched: SiteSet = (0..n_layers).map(|layer| spec.site(layer)).collect();
    let severed = spec.sever.iter().filter(|_| spec.is_severed());
    let held: SiteSet = severed.flat_map(|it| (0..n_layers).map(|layer| it.site(layer))).collect();
    let (of_clean, of_corrupted) = match spec.direction {
        Direction::Denoise => (patched, held),
        Direction::Noise => (held, patched),
    };
    let clean = donors::clean(model, asked, &of_clean, ctx)?;
    let mut donors = Donors::from([(Donor::Clean, clean.cache)]);
    if !of_corrupted.is_empty() {
        let corrupted = &conditions[..spec.n_samples];
        let caches = donors::under(model, asked, corrupted, &Donors::new(), &of_corrupted, ctx)?;
        donors.extend(
            caches
                .into_iter()
                .enumerate()
                .map(|(sample, cache)| (Donor::Corrupted { first: subject.start, sample }, cache)),
        );
    }
    Ok(Prepared { noise_std, corruptions: shown, conditions, clean: clean.logits, donors })
}

impl CausalTrace {
    /// Sorts the measurements of the plan's conditions into their cells. A cell stays empty until
    /// all its samples are there.
    fn fill(&mut self, measurements: &[Option<Measurement>]) {
        let samples = measurements.chunks_exact(self.spec.n_samples);
        let mut cells = samples
            .map(|cell| cell.iter().copied().collect::<Option<Vec<_>>>().unwrap_or_default());
        self.corrupted = cells.next().unwrap_or_default();
        self.restored = self.restored.map(|_| cells.next().unwrap_or_default());
    }
}
