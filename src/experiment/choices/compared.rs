//! The maps of two prompts that are compared, and the answers that count as right.

use serde::{Deserialize, Serialize};

use super::{Choices, Words, words};
use crate::analysis::ablation::{self, Part, Replacement};
use crate::analysis::causal_trace::{self, Component};
use crate::analysis::comparison::MapSpec;
use crate::analysis::{Metric, Positions};
use crate::tokens::{TokenizeError, TokenizedPrompt, Tokenizer};

/// The maps that are laid beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compared {
    Trace(Component),
    Ablation,
    Attribution,
}

impl Choices for Compared {
    const ALL: &[Self] = &[
        Self::Trace(Component::Hidden),
        Self::Trace(Component::Mlp),
        Self::Trace(Component::Attn),
        Self::Ablation,
        Self::Attribution,
    ];

    fn words(self) -> Words {
        match self {
            Self::Trace(Component::Hidden) => {
                words("hidden", "traces of hidden states", "Causal traces of hidden states")
            }
            Self::Trace(Component::Mlp) => words("mlp", "traces of MLPs", "Causal traces of MLPs"),
            Self::Trace(Component::Attn) => {
                words("attn", "traces of attention", "Causal traces of attention")
            }
            Self::Ablation => words(
                "ablation",
                "ablated heads",
                "What the ablation of each head changes, by zeros and at all tokens",
            ),
            Self::Attribution => words(
                "attribution",
                "heads' part in the logit",
                "What each head adds to the answer's logit",
            ),
        }
    }
}

impl Compared {
    /// What is asked of each prompt. `trace`: how a component is traced.
    pub fn map<E>(
        self,
        metric: Metric,
        trace: impl FnOnce(Component) -> Result<causal_trace::Spec, E>,
    ) -> Result<MapSpec, E> {
        Ok(match self {
            Self::Trace(component) => MapSpec::Trace { spec: trace(component)?, metric },
            Self::Ablation => MapSpec::Ablation {
                spec: ablation::Spec {
                    part: Part::Heads,
                    positions: Positions::All,
                    replacement: Replacement::Zero,
                    together: None,
                },
                metric,
            },
            Self::Attribution => MapSpec::Attribution,
        })
    }
}

/// The first tokens of answers, in order, each once.
pub fn first_tokens(tokenizer: &Tokenizer, answers: &[String]) -> Result<Vec<u32>, TokenizeError> {
    let firsts = answers.iter().map(|it| Ok(TokenizedPrompt::answer(tokenizer, it)?.first()));
    let mut firsts = firsts.collect::<Result<Vec<u32>, TokenizeError>>()?;
    firsts.sort_unstable();
    firsts.dedup();
    Ok(firsts)
}
