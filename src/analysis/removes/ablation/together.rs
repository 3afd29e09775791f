//! What is lost without the components that a fact needs most, all at once, there and in other prompts such as
//! its inverse.
//!
//! Whether parts matter for a fact alone tells little: without any few parts a model is worse. So as many
//! parts that are drawn at random are ablated beside.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Spec, without};
use crate::analysis::error::{at_least_one, countable};
use crate::analysis::reach::{self, Asked, PromptKind};
use crate::analysis::sweep::sweep;
use crate::analysis::{AnalysisError, Lab, Measurement};
use crate::intervention::{Condition, SiteSet};
use crate::tokens::TokenizedPrompt;

/// Which components are ablated all at once, and where that is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Together {
    /// How many: those without which the answer's log-probability falls most, one at a time.
    pub n: usize,

    /// How often as many are drawn at random beside them.
    pub n_random: usize,

    /// The seed of these draws.
    pub seed: u32,

    /// The prompts in which that is measured. The right answer of each is its foil, as where a change is
    /// measured.
    pub asked: Vec<Asked>,
}

/// What is lost without the components that matter most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WithoutMost {
    /// These components: layer and column of the map.
    pub parts: Vec<[usize; 2]>,
    pub lost: Vec<Lost>,
}

/// What a prompt loses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lost {
    pub kind: PromptKind,
    pub text: String,
    pub clean: Measurement,

    /// Without the components that matter most to the fact.
    pub without: Measurement,

    /// Without as many others, for each draw.
    pub without_random: Vec<Measurement>,
}

impl Together {
    pub(super) fn check(&self) -> Result<(), AnalysisError> {
        at_least_one("the number of parts that are ablated together", self.n)?;
        countable("the number of random draws", self.n_random)?;
        reach::check(&self.asked)
    }
}

/// Ablates components, and as many at random, in each prompt.
pub(super) fn run(
    spec: &Spec,
    together: &Together,
    most: &[[usize; 2]],
    sites: &SiteSet,
    lab: &Lab<'_>,
) -> Result<WithoutMost, AnalysisError> {
    let config = &lab.model.config;
    let columns = spec.part.n_columns(config.n_heads);
    let mut all: Vec<[usize; 2]> =
        (0..config.n_layers * columns).map(|nth| [nth / columns, nth % columns]).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(together.seed));
    let random: Vec<Vec<[usize; 2]>> = (0..together.n_random)
        .map(|_| {
            all.shuffle(&mut rng);
            all[..most.len()].to_vec()
        })
        .collect();
    let lost = together.asked.iter().map(|Asked { kind, prompt }| {
        let right = prompt.foil.clone().ok_or(AnalysisError::NoAnswer)?;
        let prompt = TokenizedPrompt { answer: Some(right), foil: None, ..prompt.clone() };
        let positions = spec.positions.ranges(&prompt)?;
        let condition = |parts: &[[usize; 2]]| -> Condition {
            parts.iter().flat_map(|part| without(spec, &positions, *part)).collect()
        };
        let sets = std::iter::once(most).chain(random.iter().map(Vec::as_slice));
        let conditions: Vec<Condition> =
            std::iter::once(Vec::new()).chain(sets.map(condition)).collect();
        let text = prompt.text.clone();
        let lab = Lab { prompt: &prompt, ..*lab };
        spec.replacement.with_donors(&lab, sites, |donors, lab| {
            let found = sweep(lab, &conditions, donors, &mut |_| ())?;
            let without_random = found[2..].to_vec();
            Ok(Lost { kind: *kind, text, clean: found[0], without: found[1], without_random })
        })
    });
    Ok(WithoutMost { parts: most.to_vec(), lost: lost.collect::<Result<_, AnalysisError>>()? })
}
