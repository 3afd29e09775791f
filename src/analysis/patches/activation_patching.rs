//! Activation patching: measures a prompt's answer with activations of another prompt put in.
//!
//! Activations of a *donor* prompt, such as the inverse of a fact, are put into the run of a
//! *recipient* at positions that correspond; the two may differ in length. If the donor's answer
//! comes up, what tells the answers apart passes through there.
//!
//! Vig et al. 2020 and Geiger et al. 2021 (*interchange interventions*); Heimersheim & Nanda 2024,
//! "How to use and interpret activation patching". The numbers agree with TransformerLens' hooks on
//! `hook_resid_post`, `hook_mlp_out`, `hook_attn_out` and `hook_z`.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::causal_trace::Component;
use crate::analysis::error::at_least_one;
use crate::analysis::memory::{SweepSize, in_all_layers};
use crate::analysis::sweep::{Asked, sweep_map};
use crate::analysis::trace_map::window;
use crate::analysis::{
    About, AnalysisError, AnalysisResult, Grid, Lab, Measurement, Method, Metric, Pair, Sizes,
    donors, sources,
};
use crate::intervention::{Condition, Donor, Edit, Intervention, Site, SiteSet, Span};
use crate::model::Donors;
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The prompt that activations are taken from. Its answer is the recipient's foil.
    pub donor: Arc<TokenizedPrompt>,

    /// The positions of the donor and the recipient that correspond. [`Pair::by_role`] proposes
    /// them.
    pub pairs: Vec<Pair>,

    /// Whether pairs are patched one at a time.
    pub places: Places,

    /// The activations that are patched.
    pub part: Part,

    /// How many layers are patched together around each layer, for MLPs and attention, as in a
    /// causal trace.
    pub window: usize,
}

/// The activations that are patched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The residual stream after a layer.
    Hidden,

    /// The outputs of MLPs.
    Mlp,

    /// The outputs of attention.
    Attn,

    /// Each head's output before `W_O`.
    Heads,
}

/// What the columns of the map are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Places {
    /// A column for each pair.
    #[default]
    Each,

    /// A single column, with all pairs patched together.
    Together,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActivationPatching {
    pub spec: Spec,

    /// The recipient. Its foil is the donor's answer.
    pub prompt: TokenizedPrompt,

    /// The measurement of the recipient's clean run.
    pub clean: Measurement,

    /// The recipient's answer measured in the donor's clean run.
    pub donor: Measurement,

    /// The recipient's measurement with each cell patched. `None` where it is not computed yet. For
    /// heads a map `[layer, head]` for each column, else a single map `[layer, column]`.
    pub patched: Vec<Grid<Option<Measurement>>>,
}

impl Part {
    pub const ALL: [Self; 4] = [Self::Hidden, Self::Mlp, Self::Attn, Self::Heads];

    fn site(self, layer: usize) -> Site {
        match self {
            Self::Hidden => Component::Hidden.site(layer),
            Self::Mlp => Component::Mlp.site(layer),
            Self::Attn => Component::Attn.site(layer),
            Self::Heads => Site::Z(layer),
        }
    }
}

impl Spec {
    /// The pairs that are patched together, column by column.
    pub fn groups(&self) -> Vec<&[Pair]> {
        match self.places {
            Places::Each => self.pairs.chunks(1).collect(),
            Places::Together => vec![&self.pairs],
        }
    }

    /// The layers that are patched for a cell of `layer`.
    pub fn layers(&self, layer: usize, n_layers: usize) -> Range<usize> {
        match self.part {
            Part::Hidden | Part::Heads => layer..layer + 1,
            Part::Mlp | Part::Attn => window(layer, self.window, n_layers),
        }
    }
}

impl ActivationPatching {
    /// How far patching moves a metric from the recipient's (0) to the donor's (1). `None` if the
    /// two hardly differ, see [`Metric::least_total`].
    pub fn recovery(&self, patched: &Measurement, metric: Metric) -> Option<f32> {
        let (from, to) = (self.clean.get(metric)?, self.donor.get(metric)?);
        let is_apart = (to - from).abs() >= metric.least_total();
        is_apart.then(|| Some((patched.get(metric)? - from) / (to - from)))?
    }

    /// The probability of the first token of the donor's answer, 0 to 1.
    pub fn foil_prob(measured: &Measurement) -> Option<f32> {
        Some((measured.log_prob - measured.logit_diff?).exp())
    }
}

impl Method for Spec {
    type Found = ActivationPatching;
    const NAME: &'static str = "activation patching";
    const ABOUT: About = About {
        text: "Activations of another prompt, such as the inverse of the fact, are put into the \
               fact's run at corresponding tokens, and both answers are measured.",
        sources: &[sources::VIG_2020, sources::GEIGER_2021, sources::HEIMERSHEIM_2024],
    };
    const VERB: &'static str = "Patching";
    const HAS_OTHER_PROMPTS: bool = true;

    fn run(&self, lab: &Lab<'_>) -> Result<ActivationPatching, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        at_least_one("the window", self.window)?;
        Pair::check(&self.pairs, &self.donor, prompt)?;
        let foil = self.donor.answer.clone().ok_or(AnalysisError::NoAnswer)?;
        let prompt = TokenizedPrompt { foil: Some(foil), ..prompt.clone() };
        // This checks the prompt before anything runs.
        Asked::new(model, &prompt)?;
        let donor = TokenizedPrompt {
            answer: prompt.answer.clone(),
            foil: prompt.foil.clone(),
            ..(*self.donor).clone()
        };
        let asked_donor = Asked::new(model, &donor)?;

        let (n_layers, n_heads) = (model.config.n_layers, model.config.n_heads);
        let sites: SiteSet = (0..n_layers).map(|layer| self.part.site(layer)).collect();
        let run = donors::clean(model, &asked_donor, &sites, ctx)?;
        let measured_donor = Measurement::read(model, &run.logits, &donor, None)?[0];
        let donors = Donors::from([(Donor::Counterpart, run.cache)]);

        let result = |clean: Measurement, cells: &[Option<Measurement>]| ActivationPatching {
            spec: self.clone(),
            prompt: prompt.clone(),
            clean,
            donor: measured_donor,
            patched: maps(self, cells, n_layers, n_heads),
        };
        let conditions = plan(self, n_layers, n_heads);
        let lab = Lab { prompt: &prompt, ..*lab };
        sweep_map(&lab, &conditions, &donors, result, AnalysisResult::ActivationPatching)
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let Sizes { config, .. } = *sizes;
        let sites = in_all_layers(config, |layer| self.part.site(layer));
        let groups = self.groups();
        let n_heads = if self.part == Part::Heads { config.n_heads } else { 1 };
        let n_of_group = config.n_layers * n_heads;
        let n_conditions = (groups.len() * n_of_group) as u64;
        let n_pairs = groups.iter().map(|it| it.len()).max().unwrap_or(0);
        let donor = sizes.with_n_pos(self.donor.n_pos()).kept(&sites, 1);
        let sweep = SweepSize {
            n_conditions,
            n_interventions: n_pairs * self.window.min(config.n_layers),
            n_bases: 1,
            n_abreast: n_of_group,
            first_pos: self.pairs.iter().map(|it| it.recipient).min().unwrap_or(0),
            begin_at: sites,
        };
        donor + sizes.sweep(&sweep) + Sizes::measured(n_conditions)
    }

    fn measured_prompts(&mut self) -> Vec<&mut TokenizedPrompt> {
        vec![Arc::make_mut(&mut self.donor)]
    }
}

/// The conditions: the clean run, then every cell, for heads column by column, else layer by layer.
pub fn plan(spec: &Spec, n_layers: usize, n_heads: usize) -> Vec<Condition> {
    let groups = spec.groups();
    let cell = |layer: usize, pairs: &[Pair], heads: &Span| -> Condition {
        let layers = spec.layers(layer, n_layers);
        let copies = layers.flat_map(|it| pairs.iter().map(move |pair| (spec.part.site(it), pair)));
        let copies = copies.map(|(site, pair)| {
            let donor = Donor::Counterpart;
            let copy = Edit::CopyFrom { donor, positions: Span::one(pair.donor) };
            Intervention::at(site, Span::one(pair.recipient), copy).of_heads(heads.clone())
        });
        copies.collect()
    };
    let mut conditions = vec![Vec::new()];
    if spec.part == Part::Heads {
        for pairs in groups {
            for layer in 0..n_layers {
                conditions.extend((0..n_heads).map(|head| cell(layer, pairs, &Span::one(head))));
            }
        }
    } else {
        for layer in 0..n_layers {
            conditions.extend(groups.iter().map(|pairs| cell(layer, pairs, &Span::All)));
        }
    }
    conditions
}

/// The measurements of the plan's cells, as maps.
fn maps(
    spec: &Spec,
    cells: &[Option<Measurement>],
    n_layers: usize,
    n_heads: usize,
) -> Vec<Grid<Option<Measurement>>> {
    if spec.part == Part::Heads {
        let of_places = cells.chunks(n_layers * n_heads);
        of_places.map(|cells| Grid::new(n_heads, cells.to_vec())).collect()
    } else {
        vec![Grid::new(spec.groups().len(), cells.to_vec())]
    }
}
