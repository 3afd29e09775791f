//! What a view may see and say while it draws.

use crate::analysis::logit_attribution::Parts;
use crate::tokens::Tokenizer;

/// What is picked out across all views, so that they highlight the same thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    pub layer: Option<usize>,
    pub position: Option<usize>,
    pub head: Option<usize>,
}

/// What a click in a view asks for; `App` turns it into a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ViewAction {
    Select(Selection),

    /// Ask for attributions split another way.
    SplitBy(Parts),
}

/// Shared by all views for one frame.
pub struct ViewCtx<'a> {
    pub selection: Selection,

    /// For the text of token ids in results.
    pub tokenizer: &'a Tokenizer,
}
