//! Averages the causal traces of many facts by the roles of their tokens, to show what holds for
//! facts in general.
//!
//! Meng et al. 2022, section 2.2 and figure 2, and appendix B, figure 7, with the 95 % intervals;
//! notebook `average_causal_effects` of <https://github.com/kmeng01/rome>. As there, facts whose
//! answer the model does not give are left out.
//!
//! Three things differ from the notebook, whose numbers [`TraceAverage::as_rome`] gives where draws are
//! shared:
//! - Each fact has draws of its own. The notebook gives all facts the same ones, which its intervals take
//!   for independent.
//! - A token has one [`Role`], and a fact counts once for each role. The notebook pools the middle
//!   and the further tokens of all facts, so that long subjects weigh more. It counts a subject's
//!   only token both as first and as last, and the token after the subject, if the prompt ends
//!   there, both as that and as the last.
//! - Intervals are those of effects, each a difference within one fact. The notebook's are those of
//!   scores, as if the tokens of one prompt were independent.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use self::one_fact::{Stop, traced};
use crate::analysis::causal_trace::{self, Component, Corruption, Direction, Map};
use crate::analysis::error::at_least_one;
use crate::analysis::{
    About, AnalysisError, AnalysisResult, Estimate, Grid, Lab, Method, Metric, Needs, Role, Sizes,
    sources,
};
use crate::task::Progress;
use crate::tokens::{Answer, TokenizedPrompt};

mod one_fact;
mod rome;
mod sample;
mod stand_ins;

pub use rome::RomeAverages;
pub use sample::Sample;
pub use stand_ins::{Lengths, StandIn, StandIns};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// How each fact is traced. Its own component is not used.
    pub trace: causal_trace::Spec,

    /// The components whose traces are averaged, each separately.
    pub components: Vec<Component>,

    /// The facts to trace.
    pub facts: Arc<[AskedFact]>,

    /// Which of them are averaged.
    #[serde(default)]
    pub kept: Kept,

    /// Whether facts share their draws of the corruption.
    #[serde(default)]
    pub draws: FactDraws,

    /// The facts that could not be asked.
    #[serde(default, skip_serializing_if = "<[LeftOut]>::is_empty")]
    pub left_out: Arc<[LeftOut]>,

    /// How the facts were drawn from their dataset, if they were: no number depends on it, but a command
    /// says it in place of the facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
}

/// Specs are equal that ask the same, however their facts were found.
impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        let Self { trace, components, facts, kept, draws, left_out, sample: _ } = self;
        *trace == other.trace
            && *components == other.components
            && *facts == other.facts
            && (*kept, *draws) == (other.kept, other.draws)
            && *left_out == other.left_out
    }
}

/// A fact to be traced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedFact {
    /// The prompt. If it has no answer, the model's first guess counts as right.
    pub prompt: TokenizedPrompt,

    /// The first tokens of all other right answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub right: Vec<u32>,

    /// The fact's own corruption, for corruptions that depend on the subject. `None` stands for the
    /// trace's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corruption: Option<Corruption>,
}

/// Which facts are averaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// Facts whose answer is the model's first guess, judged by its first token, as in ROME.
    #[default]
    Known,

    /// All facts.
    All,
}

/// Whether facts share their draws of a corruption. The default is that of files which do not say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FactDraws {
    /// All facts are given the draws of one seed, as in ROME. An interval over facts then leaves out
    /// how much the mean would change with other draws.
    #[default]
    Shared,

    /// Each fact has its own.
    Anew,
}

/// A fact that is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The fact's prompt.
    pub prompt: String,
    pub cause: Cause,

    /// The reason, in words for the user.
    pub reason: String,
}

/// Why a fact is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The model gives another answer.
    NotKnown,

    /// It cannot be traced, because for example it has no subject, or no other subject fits.
    NotTraced,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceAverage {
    pub spec: Spec,
    pub n_layers: usize,

    /// The facts that are averaged, as far as they are traced.
    pub facts: Vec<Arc<TracedFact>>,

    /// The facts that the spec leaves out, and those that were left out while tracing.
    pub left_out: Vec<LeftOut>,
}

/// A fact's traces, with tokens pooled by their roles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TracedFact {
    /// The fact's index in the spec.
    pub nth: usize,

    /// The answer that was measured: the right answer that the model gives, else the fact's own.
    pub answer: Answer,

    /// Whether the model's first guess is right.
    pub is_known: bool,

    /// The standard deviation of the noise over all its values, in embedding units. 0 without
    /// noise.
    pub noise_std: f64,

    /// The roles of the prompt's tokens from the subject on. Before it, all runs are equal.
    pub tokens: Vec<RoleTokens>,

    /// The readings in each metric that the fact has.
    pub readings: Vec<Readings>,
}

/// A role, and how many tokens of the prompt have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleTokens {
    pub role: Role,
    pub n_tokens: usize,
}

/// A fact's readings in one metric, as means over draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Readings {
    pub metric: Metric,

    /// The metric in the clean run.
    pub clean: f32,

    /// The metric in the corrupted runs.
    pub corrupted: f32,

    /// The metric in the patched runs of each component. `[role, layer]` each
    pub patched: Vec<Grid<f32>>,
}

/// The averages over facts in one metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Averages {
    /// The metric in the clean runs.
    pub clean: Estimate,

    /// The metric in the corrupted runs.
    pub corrupted: Estimate,

    /// The total effect `clean − corrupted`, ROME's ATE.
    pub total: Estimate,

    /// The roles that any fact has, which are the rows.
    pub roles: Vec<Role>,

    /// How many facts have each role.
    pub n_facts: Vec<usize>,

    /// How many tokens of all facts have each role.
    pub n_tokens: Vec<usize>,

    /// The indirect effect, ROME's AIE: `patched − corrupted` when denoising, `clean − patched`
    /// when noising. `[role, layer]`
    pub indirect: Grid<Estimate>,
}

/// How many steps of progress each fact has.
const STEPS: u64 = 1000;

impl Spec {
    /// How many layers of a component are restored together.
    pub fn trace_window(&self, component: Component) -> usize {
        if component == Component::Hidden { 1 } else { self.trace.window }
    }

    /// How subjects are corrupted. If facts have their own corruptions, the first of these.
    pub fn corruption(&self) -> &Corruption {
        let own = self.facts.iter().find_map(|fact| fact.corruption.as_ref());
        own.unwrap_or(&self.trace.corruption)
    }

    /// The trace of a fact for one component.
    pub fn trace_of(&self, fact: &AskedFact, component: Component) -> causal_trace::Spec {
        let corruption = fact.corruption.as_ref().unwrap_or(&self.trace.corruption).clone();
        let seed = self.seed_of(fact);
        causal_trace::Spec { component, seed, corruption, ..self.trace.clone() }
    }

    /// The seed of a fact's draws.
    pub fn seed_of(&self, fact: &AskedFact) -> u32 {
        self.draws.seed(self.trace.seed, &fact.prompt)
    }
}

impl FactDraws {
    /// The seed of a fact's draws. Its own follows from the seed of all, its tokens and its subject, so
    /// that it does not depend on which other facts are asked.
    pub fn seed(self, of_all: u32, prompt: &TokenizedPrompt) -> u32 {
        match self {
            Self::Shared => of_all,
            Self::Anew => {
                let mut hash = Sha256::new_with_prefix(of_all.to_le_bytes());
                prompt.ids.iter().for_each(|id| hash.update(id.to_le_bytes()));
                let subject = prompt.subject.iter().flat_map(|it| [it.start, it.end]);
                subject.for_each(|end| hash.update((end as u64).to_le_bytes()));
                let [a, b, c, d, ..] = hash.finalize().0;
                u32::from_le_bytes([a, b, c, d])
            }
        }
    }
}

impl Method for Spec {
    type Found = TraceAverage;
    const NAME: &'static str = "trace average";
    const ABOUT: About = About {
        text: "Causal traces of many facts, averaged by what each token is to its prompt, with \
               intervals over facts.",
        sources: &[sources::MENG_2022],
    };
    const VERB: &'static str = "Tracing";
    const NEEDS: Needs = Needs::OwnPrompts;
    const HAS_OTHER_PROMPTS: bool = true;

    fn run(&self, lab: &Lab<'_>) -> Result<TraceAverage, AnalysisError> {
        let &Lab { model, ctx, .. } = lab;
        self.check()?;
        let mut average = TraceAverage {
            spec: self.clone(),
            n_layers: model.config.n_layers,
            facts: Vec::new(),
            left_out: self.left_out.to_vec(),
        };
        let total = self.facts.len() as u64 * STEPS;
        for (nth, fact) in self.facts.iter().enumerate() {
            let done = nth as u64 * STEPS;
            ctx.task.checkpoint(Progress { done, total })?;
            let report = |share: f32| {
                let here = (share * STEPS as f32) as u64;
                (ctx.task.report)(Progress { done: done + here, total });
            };
            match traced(lab, self, nth, &report) {
                Ok(found) => average.facts.push(Arc::new(found)),
                Err(Stop::LeftOut(cause, reason)) => {
                    let prompt = fact.prompt.text.clone();
                    average.left_out.push(LeftOut { prompt, cause, reason });
                }
                Err(Stop::Failed(error)) => return Err(error),
            }
            (ctx.partial)(AnalysisResult::TraceAverage(average.clone()));
        }
        ctx.task.checkpoint(Progress { done: total, total })?;
        Ok(average)
    }

    fn check(&self) -> Result<(), AnalysisError> {
        at_least_one("the number of components", self.components.len())?;
        for (nth, component) in self.components.iter().enumerate() {
            if self.components[..nth].contains(component) {
                let what = "a component".to_owned();
                return Err(AnalysisError::Twice { what });
            }
        }
        at_least_one("the number of facts", self.facts.len() + self.left_out.len())?;
        if self.trace.map != Map::Tokens {
            return Err(AnalysisError::NotOfTokens { done: "averaged" });
        }
        self.trace.noise.check()?;
        for fact in &*self.facts {
            if !fact.prompt.is_whole() {
                return Err(AnalysisError::Torn { text: fact.prompt.text.clone() });
            }
            self.trace_of(fact, self.components[0]).check()?;
        }
        Ok(())
    }

    fn memory(&self, sizes: &Sizes<'_>) -> u64 {
        let Some(longest) = self.facts.iter().max_by_key(|it| it.prompt.n_pos()) else { return 0 };
        let sizes = Sizes::new(sizes.config, &longest.prompt);
        let of = |&component: &Component| {
            causal_trace::Spec { component, ..self.trace.clone() }.memory(&sizes)
        };
        self.components.iter().map(of).max().unwrap_or(0)
    }
}

impl TraceAverage {
    pub fn n_left_out(&self, cause: Cause) -> usize {
        self.left_out.iter().filter(|it| it.cause == cause).count()
    }

    /// How many facts were to be averaged.
    pub fn n_asked(&self) -> usize {
        self.spec.facts.len() + self.spec.left_out.len()
    }

    /// A sentence that says how many facts are averaged.
    pub fn count(&self) -> String {
        let n_waiting = self.n_asked() - self.facts.len() - self.left_out.len();
        let parts = [
            (self.n_left_out(Cause::NotKnown), "not known"),
            (self.n_left_out(Cause::NotTraced), "not traceable"),
            (n_waiting, "not reached"),
        ];
        let facts = if self.n_asked() == 1 { "fact" } else { "facts" };
        let mut text = format!("{} of {} {facts} averaged", self.facts.len(), self.n_asked());
        for (n, what) in parts.into_iter().filter(|(n, _)| *n > 0) {
            _ = write!(text, ", {n} {what}");
        }
        text
    }

    /// The averages of a component, given by its index in the spec, over all facts that have the
    /// metric. `None` if no fact has it.
    pub fn averages(&self, component: usize, metric: Metric) -> Option<Averages> {
        let facts = self.with(metric);
        let of = |value: &dyn Fn(&Readings) -> f32| {
            let values: Vec<f64> = facts.iter().map(|(_, it)| f64::from(value(it))).collect();
            Estimate::by_standard_error(&values)
        };
        let mut rows: BTreeMap<Role, RowReadings<'_>> = BTreeMap::new();
        for &(fact, readings) in &facts {
            for (nth, tokens) in fact.tokens.iter().enumerate() {
                rows.entry(tokens.role).or_default().push((tokens.n_tokens, nth, readings));
            }
        }
        let direction = self.spec.trace.direction;
        let mut indirect = Vec::with_capacity(rows.len() * self.n_layers);
        for row in rows.values() {
            for layer in 0..self.n_layers {
                let effects = row.iter().map(|(_, nth, it)| {
                    let patched = f64::from(*it.patched.get(component)?.get(*nth, layer)?);
                    Some(match direction {
                        Direction::Denoise => patched - f64::from(it.corrupted),
                        Direction::Noise => f64::from(it.clean) - patched,
                    })
                });
                let effects: Vec<f64> = effects.collect::<Option<_>>()?;
                indirect.push(Estimate::by_standard_error(&effects)?);
            }
        }
        Some(Averages {
            clean: of(&|it| it.clean)?,
            corrupted: of(&|it| it.corrupted)?,
            total: of(&|it| it.clean - it.corrupted)?,
            roles: rows.keys().copied().collect(),
            n_facts: rows.values().map(Vec::len).collect(),
            n_tokens: rows.values().map(|row| row.iter().map(|(n, ..)| n).sum()).collect(),
            indirect: Grid::new(self.n_layers, indirect),
        })
    }

    /// The facts that have a metric, with their readings in it.
    fn with(&self, metric: Metric) -> Vec<(&TracedFact, &Readings)> {
        let facts = self.facts.iter().map(|fact| &**fact);
        facts
            .filter_map(|fact| Some((fact, fact.readings.iter().find(|it| it.metric == metric)?)))
            .collect()
    }
}

/// How many tokens a fact has of a role, which row that is there, and what was read.
type RowReadings<'a> = Vec<(usize, usize, &'a Readings)>;

impl Averages {
    /// The layer where a row's effect is largest, whichever way.
    pub fn peak(&self, row: usize) -> Option<(usize, Estimate)> {
        let layers = self.indirect.rows().nth(row)?.iter().copied().enumerate();
        layers.max_by(|(_, a), (_, b)| a.mean.abs().total_cmp(&b.mean.abs()))
    }
}
