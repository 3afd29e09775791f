//! What a view reads while it draws, and the actions that it asks for.

use std::sync::Arc;

use super::pane::Pane;
use super::row::Row;
use super::state::State;
use crate::analysis::logit_attribution::Parts;
use crate::figure::Ranges;
use crate::tokens::Tokenizer;
use crate::ui::widgets::{ColorRange, NewRange};

/// What is picked out in all views at once.
pub use crate::figure::Pick as Selection;

/// What a click in a view asks for; `App` turns it into a command.
#[derive(Clone, Debug, PartialEq)]
pub enum ViewAction {
    Select(Selection),

    /// A place of a chart was clicked: a cell, one row after the other, a layer of a line, one line after
    /// the other, or a row of a table.
    Place {
        chart: Arc<str>,
        nth: usize,
    },

    /// The pointer is on this: other views mark it while the pointer stays there.
    Hover(Selection),

    /// Ask for attributions split another way.
    SplitBy(Parts),

    /// Holds the ends of the colours of a quantity, or gives each map its own again.
    HoldRange {
        quantity: Arc<str>,
        range: NewRange,
    },
}

impl ViewAction {
    /// One action of two parts of a view: a click in one part goes before hovering over the other.
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

/// What the pointer is on, and in which view and row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hovered {
    pub pane: Pane,
    pub row: Row,
    pub selection: Selection,
}

/// Shared by all views for one frame.
pub struct ViewCtx<'a> {
    /// What the pointer is on in another view, or else what is picked out.
    pub selection: Selection,

    /// Gives the text of the token ids in results.
    pub tokenizer: &'a Tokenizer,

    /// The ends of colours that are held for all maps of a quantity.
    pub ranges: &'a Ranges,

    /// The layer whose MLP was taught the fact, if that is known.
    pub planted: Option<usize>,

    /// Whether a click says which place of which chart it met, and not only what that is about.
    pub picks_places: bool,

    /// Whether the view's maps are compared by eye with the others in sight: all are of one size then.
    pub is_compared: bool,
}

impl<'a> ViewCtx<'a> {
    /// What a view of a row reads. `None` while the row's model is not open.
    pub fn of(state: &'a State, pane: Pane, row: Row) -> Option<Self> {
        Some(Self {
            selection: state.seen(pane, row),
            tokenizer: &state.info_at(row)?.tokenizer,
            ranges: &state.settings.ranges,
            planted: state.planted(row),
            picks_places: false,
            is_compared: pane == Pane::Trace,
        })
    }

    /// The ends of a map's colours: those held for its quantity, or else its own.
    pub fn range(&self, quantity: &str, own: (f32, f32)) -> ColorRange {
        let held = self.ranges.of(quantity);
        ColorRange { ends: held.unwrap_or(own), is_held: held.is_some() }
    }

    /// The label of a layer along an axis; a star marks the layer that was taught the fact.
    pub fn layer_label(&self, layer: usize) -> String {
        let star = if self.planted == Some(layer) { "*" } else { "" };
        format!("{layer}{star}")
    }
}
