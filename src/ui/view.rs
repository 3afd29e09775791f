//! What a view may see and say while it draws.

use std::sync::Arc;

use super::pane::Pane;
use super::row::Row;
use crate::analysis::logit_attribution::Parts;
use crate::figure::Ranges;
use crate::tokens::Tokenizer;
use crate::ui::widgets::{ColorRange, NewRange, RangeKind};

/// What is picked out across all views, so that they highlight the same thing.
pub use crate::figure::Pick as Selection;

/// What a click in a view asks for; `App` turns it into a command.
#[derive(Clone, Debug, PartialEq)]
pub enum ViewAction {
    Select(Selection),

    /// The pointer is on it: other views show it while it stays there.
    Hover(Selection),

    /// Ask for attributions split another way.
    SplitBy(Parts),

    /// The ends of the colours of a quantity are held, or each map has its own again.
    HoldRange {
        quantity: Arc<str>,
        range: NewRange,
    },
}

impl ViewAction {
    /// Of two parts of a view: what was asked in one goes before what the pointer is on in the other.
    pub fn either(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match one {
            None | Some(Self::Hover(_)) => other.or(one),
            Some(_) => one,
        }
    }

    pub fn hold(quantity: &str, range: NewRange) -> Self {
        Self::HoldRange { quantity: quantity.into(), range }
    }
}

/// What the pointer is on, and in which view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hovered {
    pub pane: Pane,
    pub row: Row,
    pub selection: Selection,
}

/// Shared by all views for one frame.
pub struct ViewCtx<'a> {
    /// What is picked out; where the pointer is on something in another view, that.
    pub selection: Selection,

    /// For the text of token ids in results.
    pub tokenizer: &'a Tokenizer,

    /// The ends of colours that are held.
    pub ranges: &'a Ranges,

    /// The layer whose MLP was taught the fact, if that is known.
    pub planted: Option<usize>,
}

impl ViewCtx<'_> {
    /// The ends of a map's colours: those that are held for the quantity, else its own.
    pub fn range(&self, quantity: &str, own: (f32, f32)) -> ColorRange {
        match self.ranges.of(quantity) {
            Some(ends) => ColorRange { ends, kind: RangeKind::Held },
            None => ColorRange { ends: own, kind: RangeKind::Own },
        }
    }

    /// A layer along an axis, with a star if it holds the fact.
    pub fn layer_label(&self, layer: usize) -> String {
        let star = if self.planted == Some(layer) { "*" } else { "" };
        format!("{layer}{star}")
    }
}
