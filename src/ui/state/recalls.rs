//! Which facts the main model knows with the changes and the BOS that it does not have now. It waits until both
//! are so again.

use serde::{Deserialize, Serialize};

use super::{Recall, State};
use crate::analysis::ModelEdit;
use crate::tokens::Bos;

/// What is known of the open dataset, aside from what the list shows.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recalls(Vec<Known>);

/// Of the model with these changes, asked with or without BOS.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    edits: Vec<ModelEdit>,
    bos: Bos,
    recall: Recall,
}

impl Recalls {
    fn take(&mut self, edits: &[ModelEdit], bos: Bos) -> Option<Recall> {
        let is_it = |it: &mut Known| it.edits == edits && it.bos == bos;
        self.0.extract_if(.., is_it).next().map(|it| it.recall)
    }
}

impl State {
    /// Sets aside what the list shows, which is of the model with these changes and this BOS, and returns what
    /// is known of the model as it is and is asked now.
    pub(super) fn swap_recall(&mut self, edits: Vec<ModelEdit>, bos: Bos) -> Option<Recall> {
        let recall = self.facts.recall().clone();
        let now = self.recalls.take(&self.edits, self.settings.bos);
        self.recalls.take(&edits, bos);
        self.recalls.0.push(Known { edits, bos, recall });
        now
    }

    /// Sets aside what the list shows where BOS alone has changed: it was `before`. Returns what is known with
    /// the BOS that is set now.
    pub fn swap_recall_of_bos(&mut self, before: Bos) -> Option<Recall> {
        self.swap_recall(self.edits.clone(), before)
    }
}
