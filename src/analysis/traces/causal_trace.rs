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
//! Variants beside it:
//! - A *severed* trace holds the MLP or attention outputs of the restored token at their corrupted
//!   values, so that only the path around them is left (Meng et al. 2022, figure 3;
//!   `trace_with_repatch` in ROME's notebook `causal_trace_frozen_mlp_attn`). ROME holds all later
//!   layers; fewer tell how soon they matter.
//! - In the *noising* direction it is the clean run that is changed, by putting corrupted activations
//!   in: which of them are necessary, where denoising asks which suffice (Heimersheim & Nanda 2024).
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
use crate::analysis::measurement::Measurement;
use crate::analysis::sweep::{Asked, Known, sweep_beside};
use crate::analysis::{AnalysisCtx, AnalysisError, AnalysisResult, Grid, Lab, Method, donors};
use crate::intervention::{Condition, Donor, NoiseRng, Site, SiteSet};
use crate::model::{Donors, Gpt2, Reference};
use crate::tokens::TokenizedPrompt;

pub use super::trace_map::{Map, plan};
pub use crate::analysis::corruption::{Corrupted, Corruption, NoiseLevel};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    pub component: Component,

    /// How many layers are restored together around the one reported. ROME: 10 for MLP and
    /// attention. Single states of the residual stream have no window.
    pub window: usize,

    pub noise: NoiseLevel,
    pub rng: NoiseRng,
    pub seed: u32,

    /// Draws of the corruption averaged per cell. ROME: 10.
    pub n_samples: usize,

    /// Which run is changed. ROME: denoise.
    #[serde(default)]
    pub direction: Direction,

    /// What must not react to the change, at the token where it is made.
    #[serde(default)]
    pub sever: Option<Severed>,

    /// In how many layers, the lowest first, counted from the first whose output could react.
    /// Nothing: in all, as ROME.
    #[serde(default)]
    pub sever_layers: Option<usize>,

    /// What the subject becomes. ROME: Gaussian noise is added.
    #[serde(default)]
    pub corruption: Corruption,

    /// What the map's columns are. ROME: tokens.
    #[serde(default)]
    pub map: Map,
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CausalTrace {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,

    /// The standard deviation that the noise had, over all its values; 0 if the corruption has none.
    pub noise_std: f64,

    /// What each draw made of the prompt.
    #[serde(default)]
    pub corruptions: Vec<Corrupted>,

    pub clean: Measurement,

    /// With nothing restored, one per draw.
    pub corrupted: Vec<Measurement>,

    /// With that cell restored, or corrupted if the direction is noising. Per cell, one per draw;
    /// empty where not computed yet. (layer, column of the [`Map`]: position, width or head)
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

impl Direction {
    pub const ALL: [Self; 2] = [Self::Denoise, Self::Noise];
}

impl Severed {
    pub const ALL: [Self; 2] = [Self::Mlp, Self::Attn];

    /// As a spec has it, where the same trace may be asked for in several ways: none of the layers,
    /// or more than there are.
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

    /// Whether anything is held.
    pub fn is_severed(&self) -> bool {
        self.sever.is_some() && self.sever_layers != Some(0)
    }

    /// That it asks for something.
    pub(in crate::analysis) fn check(&self) -> Result<(), AnalysisError> {
        if self.window == 0 {
            return Err(AnalysisError::Zero { what: "the window" });
        }
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
}

impl CausalTrace {
    /// The layers restored for the cell of `layer`, in a map of single tokens or heads.
    pub fn window(&self, layer: usize) -> Range<usize> {
        self.spec.layers(layer, self.restored.n_rows())
    }

    /// Whether the model's own first guess is the answer.
    pub fn is_top_answer(&self) -> bool {
        self.clean.rank == 0
    }
}

impl Method for Spec {
    type Found = CausalTrace;
    const NAME: &'static str = "causal trace";
    const VERB: &'static str = "Tracing";

    fn run(&self, lab: &Lab<'_>) -> Result<CausalTrace, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let asked = Asked::new(model, prompt)?;
        let Prepared { noise_std, corruptions, conditions, clean, donors } =
            prepare(model, prompt, self, &asked, ctx)?;
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
        let known = Known {
            clean: Some(reference),
            found: known(&trace.prompt, self, [n_layers, n_heads], ctx),
        };
        sweep_beside(known, model, prompt, &conditions, &donors, ctx, &mut |so_far| {
            trace.fill(so_far);
            (ctx.partial)(AnalysisResult::CausalTrace(trace.clone()));
        })?;
        Ok(trace)
    }

    fn prompt(found: &CausalTrace) -> Option<&TokenizedPrompt> {
        Some(&found.prompt)
    }

    fn traces(found: &CausalTrace) -> Vec<&CausalTrace> {
        vec![found]
    }
}

/// What is done in each run of a trace, and the runs that they copy from.
pub(in crate::analysis) struct Prepared {
    /// The standard deviation that the noise had.
    pub noise_std: f64,

    /// What each draw made of the prompt.
    pub corruptions: Vec<Corrupted>,

    /// As [`plan`] has them.
    pub conditions: Vec<Condition>,

    /// Logits of the clean run. `[1, answer tokens, d_vocab]`
    pub clean: Tensor<3>,
    pub donors: Donors,
}

pub(in crate::analysis) fn prepare(
    model: &Gpt2,
    prompt: &TokenizedPrompt,
    spec: &Spec,
    asked: &Asked,
    ctx: &AnalysisCtx<'_>,
) -> Result<Prepared, AnalysisError> {
    spec.check()?;
    let subject = prompt.subject.clone().ok_or(AnalysisError::NoSubject)?;
    let Drawn { noise_std, edits, shown } = spec.draws().draw(model, prompt, ctx)?;
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
