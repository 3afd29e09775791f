//! A row of a batch: a prompt with the interventions on its run.

use crate::intervention::{Edit, Intervention, Site};

/// One row of a batch: a prompt under a condition.
#[derive(Clone, Copy, Debug)]
pub struct BatchRow<'a> {
    /// The prompt's tokens. `[pos]`
    pub ids: &'a [u32],

    /// How many positions interventions may change; [`Span::All`](crate::intervention::Span) ends
    /// there. The tokens after them belong to the answer, and are appended to score it as a whole.
    pub n_editable: usize,

    /// The interventions on the row, in order.
    pub condition: &'a [Intervention],
}

impl<'a> BatchRow<'a> {
    pub fn new(ids: &'a [u32], condition: &'a [Intervention]) -> Self {
        Self { ids, n_editable: ids.len(), condition }
    }

    /// The tokens whose embeddings the run begins with: the prompt's, or those that its condition
    /// puts in their place.
    pub(super) fn tokens(&self) -> Vec<u32> {
        let mut ids = self.ids.to_vec();
        for it in self.condition {
            let Edit::Tokens(tokens) = &it.edit else { continue };
            let positions = it.positions.resolve(self.n_editable);
            assert!(
                it.site == Site::Embed && positions.len() == tokens.len(),
                "tokens must be put in at the embedding, as many as there are positions"
            );
            assert!(positions.end <= self.n_editable, "tokens are put in after the prompt's end");
            ids[positions].copy_from_slice(tokens);
        }
        ids
    }
}
