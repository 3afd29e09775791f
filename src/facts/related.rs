//! The prompts that CounterFact gives beside a fact, to test what an edit changes.

/// Prompts beside a fact that show how far an edit reaches (Meng et al. 2022, appendix E).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Related {
    /// Prompts that ask the same fact in other words.
    pub paraphrases: Vec<String>,

    /// Prompts about other subjects with the same answer.
    pub neighbourhood: Vec<String>,
}
