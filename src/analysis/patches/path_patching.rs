//! Path patching: measures how much of the answer one component passes directly to another.
//!
//! A *sender*, a head or an MLP, gets its activation from another prompt, and only what reaches the
//! *receivers* directly is let through: to the queries, keys or values of heads, the input of an
//! MLP, or the logits. Then the receivers are overwritten with the inputs that result, in a run
//! where everything else reacts freely.
//!
//! Wang et al. 2022, "Interpretability in the Wild", section 3.1 and appendix B: between sender and
//! receivers all heads are frozen at their clean values, while MLPs and layer norms are recomputed,
//! so that a path through MLPs counts as direct. If MLPs are frozen as well, only the residual
//! stream is left, which is an edge in the sense of Goldowsky-Dill et al. 2023 and of
//! [`edge_attribution`](crate::analysis::edge_attribution).

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::analysis::error::{at_least_one, index_below};
use crate::analysis::memory::{SweepSize, first_of, floats};
use crate::analysis::sweep::{Asked, Known, Reuse, batches, sweep_beside};
use crate::analysis::{
    About, AnalysisCtx, AnalysisError, AnalysisResult, Grid, Lab, Measurement, Method, Metric,
    Pair, Positions, PromptOf, Receiver, Sender, Sizes, donors, sources,
};
use crate::intervention::{Condition, Donor, Edit, Intervention, Site, SiteSet, Span};
pub use crate::model::Between;
use crate::model::{
    ActivationCache, DirectPaths, Donors, HeadInput, ModelConfig, Reference, Transformer,
};
use crate::tokens::TokenizedPrompt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The prompt that the senders' activations are taken from.
    pub donor: Arc<TokenizedPrompt>,

    /// The positions of the donor and the prompt that correspond. [`Pair::by_role`] proposes them.
    pub pairs: Vec<Pair>,

    /// The receivers, which are overwritten together. The logits must be the only receiver.
    pub receivers: Vec<Receiver>,

    /// The positions at which receivers are overwritten. The logits are read at the last token.
    pub receiver_positions: Positions,

    /// Whether MLPs between sender and receivers react.
    pub between: Between,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathPatching {
    pub spec: Spec,
    pub prompt: TokenizedPrompt,
    /// The measurement of the clean run.
    pub clean: Measurement,

    /// The measurement with the paths from each head patched. `None` where there is no path, or
    /// where it is not computed yet. `[layer, head]`
    pub heads: Grid<Option<Measurement>>,

    /// The measurements with the paths from each MLP patched. `[layer]`
    pub mlps: Vec<Option<Measurement>>,
}

impl PathPatching {
    /// The change of a metric by patching.
    pub fn change(&self, patched: Option<&Measurement>, metric: Metric) -> Option<f32> {
        Some(patched?.get(metric)? - self.clean.get(metric)?)
    }

    fn fill(&mut self, senders: &[Sender], found: &[Option<Measurement>]) {
        let of = |sender: Sender| {
            let nth = senders.iter().position(|it| *it == sender)?;
            found[nth]
        };
        let (n_layers, n_heads) = (self.heads.n_rows(), self.heads.n_columns());
        let heads = (0..n_layers)
            .flat_map(|layer| (0..n_heads).map(move |head| of(Sender::Head { layer, head })));
        self.heads = Grid::new(n_heads, heads.collect());
        self.mlps = (0..n_layers).map(|layer| of(Sender::Mlp { layer })).collect();
    }
}

impl Method for Spec {
    type Found = PathPatching;
    const NAME: &'static str = "path patching";
    const ABOUT: About = About {
        text: "One head or MLP is given its activation from another prompt, and only what it \
               tells the receivers directly is let through.",
        sources: &[sources::WANG_2022],
    };
    const VERB: &'static str = "Patching paths";
    const HAS_OTHER_PROMPTS: bool = true;
    const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

    fn run(&self, lab: &Lab<'_>) -> Result<PathPatching, AnalysisError> {
        let &Lab { model, prompt, ctx } = lab;
        let mut prompt = prompt.clone();
        if prompt.foil.is_none() {
            prompt.foil.clone_from(&self.donor.answer);
        }
        let prompt = &prompt;
        let config = &model.config;
        at_least_one("the number of receivers", self.receivers.len())?;
        for receiver in &self.receivers {
            check(*receiver, config)?;
        }
        if self.receivers.contains(&Receiver::Logits) && self.receivers.len() > 1 {
            return Err(AnalysisError::LogitsAmongOthers);
        }
        Pair::check(&self.pairs, &self.donor, prompt)?;
        let positions = self.positions(prompt)?;
        let asked = Asked::new(model, prompt)?;
        let sites = DirectPaths::sites(config.n_layers);
        let clean = donors::clean(model, &asked, &sites, ctx)?;
        let reference = Reference::of(&clean.logits);
        let written = (0..config.n_layers).flat_map(|it| [Site::Z(it), Site::MlpOut(it)]).collect();
        let donor = donors::other(model, &self.donor.ids, &written, ctx)?;

        let senders: Vec<Sender> = Sender::all(config.n_layers, config.n_heads)
            .filter(|it| *it != Sender::Embed)
            .filter(|it| {
                self.receivers.iter().any(|to| it.reaches(to.site(config.n_layers), config.wiring))
            })
            .collect();
        let paths = Paths { model, spec: self, asked: &asked, positions: &positions, ctx };
        let told = match ctx.reuse {
            Reuse::Exact => paths.directly(&senders, &clean.cache, &donor)?,
            Reuse::Off => paths.frozen(&senders, &clean.cache, donor)?,
        };
        let mut result = PathPatching {
            spec: self.clone(),
            prompt: prompt.clone(),
            clean: Measurement::read(model, &clean.logits, prompt, Some(&reference))?[0],
            heads: Grid::new(config.n_heads, vec![None; config.n_layers * config.n_heads]),
            mlps: vec![None; config.n_layers],
        };
        let conditions: Vec<Condition> =
            (0..senders.len()).map(|nth| paths.tell(nth, senders[nth])).collect();
        let fill = &mut |so_far: &[Option<Measurement>]| {
            result.fill(&senders, so_far);
            (ctx.partial)(AnalysisResult::PathPatching(result.clone()));
        };
        let lab = Lab { prompt, ..*lab };
        let known = Known { clean: Some(reference), ..Known::default() };
        let found = sweep_beside(known, &lab, &conditions, &told, fill)?;
        let found: Vec<_> = found.into_iter().map(Some).collect();
        result.fill(&senders, &found);
        Ok(result)
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let Sizes { config, prompt, .. } = *sizes;
        let written = (0..config.n_layers).flat_map(|it| [Site::Z(it), Site::MlpOut(it)]).collect();
        let n_senders = config.n_layers * (config.n_heads + 1);
        let ranges = self.positions(prompt).unwrap_or_default();
        let first_pos = first_of(&ranges);
        let n_told = ranges.iter().map(|it| it.end).max().unwrap_or(0).saturating_sub(first_pos);
        let begin_at: SiteSet = self.receivers.iter().map(|it| it.site(config.n_layers)).collect();
        // What each sender tells the receivers.
        let told: usize = begin_at.iter().map(|it| config.n_values(*it, n_told)).sum();
        let sweep = SweepSize {
            n_conditions: n_senders as u64,
            n_interventions: self.receivers.len(),
            n_bases: 1,
            n_abreast: n_senders,
            first_pos,
            begin_at,
        };
        // The donor's run twice: as it is, and where it takes the place of the clean one.
        sizes.kept(&DirectPaths::sites(config.n_layers), 1)
            + 2 * sizes.kept(&written, 1)
            + floats(n_senders * told)
            + sizes.sweep(&sweep)
    }
}

/// Checks that the model has a receiver.
fn check(receiver: Receiver, config: &ModelConfig) -> Result<(), AnalysisError> {
    match receiver {
        Receiver::Head { layer, head, input } => {
            index_below("layer", layer, config.n_layers)?;
            // Query heads of a group share keys and values.
            let n_heads = match input {
                HeadInput::Query => config.n_heads,
                HeadInput::Key | HeadInput::Value => config.n_kv_heads(),
            };
            index_below("head", head, n_heads)
        }
        Receiver::Mlp { layer } => index_below("layer", layer, config.n_layers),
        Receiver::Logits => Ok(()),
    }
}

impl Spec {
    /// The positions at which receivers are overwritten.
    fn positions(&self, prompt: &TokenizedPrompt) -> Result<Vec<Range<usize>>, AnalysisError> {
        if self.receivers == [Receiver::Logits] {
            return Positions::Last.ranges(prompt);
        }
        let ranges = self.receiver_positions.ranges(prompt)?;
        at_least_one("the number of tokens", ranges.len())?;
        Ok(ranges)
    }
}

/// The paths of one map.
struct Paths<'a> {
    model: &'a Transformer,
    spec: &'a Spec,
    asked: &'a Asked,

    /// The positions at which receivers are overwritten.
    positions: &'a [Range<usize>],
    ctx: &'a AnalysisCtx<'a>,
}

impl Paths<'_> {
    /// The range from the first to the last position that is overwritten.
    fn span(&self) -> Range<usize> {
        let first = self.positions.iter().map(|it| it.start).min().unwrap_or(0);
        first..self.positions.iter().map(|it| it.end).max().unwrap_or(0)
    }

    /// The sites of the receivers.
    fn sites(&self) -> SiteSet {
        let n_layers = self.model.config.n_layers;
        self.spec.receivers.iter().map(|it| it.site(n_layers)).collect()
    }

    /// The condition that gives receivers their inputs from the sender of this number.
    fn tell(&self, nth: usize, sender: Sender) -> Condition {
        let ModelConfig { n_layers, wiring, .. } = self.model.config;
        let first = self.span().start;
        let mut condition = Condition::new();
        for receiver in &self.spec.receivers {
            if !sender.reaches(receiver.site(n_layers), wiring) {
                continue;
            }
            for to in self.positions {
                let from = Span::Only(to.start - first..to.end - first);
                let copy = Edit::CopyFrom { donor: Donor::Run(nth), positions: from };
                let heads = receiver.head().map_or(Span::All, Span::one);
                let site = receiver.site(n_layers);
                condition
                    .push(Intervention::at(site, Span::Only(to.clone()), copy).of_heads(heads));
            }
        }
        condition
    }

    /// The receivers' inputs from each sender, with its change passed through the MLPs.
    fn directly(
        &self,
        senders: &[Sender],
        clean: &ActivationCache,
        donor: &ActivationCache,
    ) -> Result<Donors, AnalysisError> {
        let (model, spec) = (self.model, self.spec);
        let changed = self.changed(clean, donor);
        let positions = self.span();
        let receivers = self.sites();
        let mut told = Donors::new();
        for batch in batches(senders.len(), positions.len(), model) {
            let first = batch.start;
            let senders = &senders[batch];
            let request = DirectPaths {
                clean,
                changed: &changed,
                senders,
                between: spec.between,
                receivers: &receivers,
                positions: positions.clone(),
            };
            let read = model.direct_paths(&request, &mut |_| self.ctx.check_cancelled(model))?;
            for (nth, sender) in senders.iter().enumerate() {
                let reached =
                    receivers.iter().filter(|site| sender.reaches(**site, model.config.wiring));
                let row = reached.map(|&site| (site, read.get(site).clone().narrow(0, nth, 1)));
                told.insert(Donor::Run(first + nth), row.collect());
            }
        }
        Ok(told)
    }

    /// The clean run's activations, with the donor's at the paired positions.
    fn changed(&self, clean: &ActivationCache, donor: &ActivationCache) -> ActivationCache {
        let changed = donor.sites().map(|site| {
            let here = clean.get(site).clone();
            let [_, n_pos, _, _] = here.dims();
            let there = donor.get(site);
            let at = (0..n_pos).map(|pos| {
                let pair = self.spec.pairs.iter().find(|pair| pair.recipient == pos);
                pair.map_or_else(
                    || here.clone().narrow(1, pos, 1),
                    |pair| there.clone().narrow(1, pair.donor, 1),
                )
            });
            (site, burn::tensor::Tensor::cat(at.collect(), 1))
        });
        changed.collect()
    }

    /// The receivers' inputs that [`Self::directly`] gives too, from whole passes in which every
    /// head, and if the spec says so every MLP, is overwritten.
    fn frozen(
        &self,
        senders: &[Sender],
        clean: &ActivationCache,
        donor: ActivationCache,
    ) -> Result<Donors, AnalysisError> {
        let donors = Donors::from([(Donor::Clean, clean.clone()), (Donor::Counterpart, donor)]);
        let conditions: Vec<Condition> = senders.iter().map(|it| self.freeze(*it)).collect();
        let (span, receivers) = (self.span(), self.sites());
        let caches =
            donors::under(self.model, self.asked, &conditions, &donors, &receivers, self.ctx)?;
        let part = |cache: &ActivationCache, site: Site| {
            cache.get(site).clone().narrow(1, span.start, span.len())
        };
        let told = caches.iter().enumerate().map(|(nth, cache)| {
            let sites = receivers.iter().map(|&site| (site, part(cache, site)));
            (Donor::Run(nth), sites.collect())
        });
        Ok(told.collect())
    }

    /// The condition that freezes all heads at their clean values, and gives one sender the
    /// donor's.
    fn freeze(&self, sender: Sender) -> Condition {
        let whole = Span::Only(0..self.asked.n_editable);
        let keep = |site: Site| {
            let copy = Edit::CopyFrom { donor: Donor::Clean, positions: whole.clone() };
            Intervention::at(site, whole.clone(), copy)
        };
        let mut condition = Condition::new();
        for layer in 0..self.model.config.n_layers {
            condition.push(keep(Site::Z(layer)));
            if self.spec.between == Between::Frozen {
                condition.push(keep(Site::MlpOut(layer)));
            }
        }
        let (site, heads) = match sender {
            Sender::Embed => (Site::Embed, Span::All),
            Sender::Head { layer, head } => (Site::Z(layer), Span::one(head)),
            Sender::Mlp { layer } => (Site::MlpOut(layer), Span::All),
        };
        for pair in &self.spec.pairs {
            let (donor, positions) = (Donor::Counterpart, Span::one(pair.donor));
            let copy = Edit::CopyFrom { donor, positions };
            let at = Intervention::at(site, Span::one(pair.recipient), copy);
            condition.push(at.of_heads(heads.clone()));
        }
        condition
    }
}
