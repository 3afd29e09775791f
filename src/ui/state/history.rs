//! What was chosen and set before, so that it can be taken back.

use super::{Beside, FactId, Painted, Places, Settings, State, Swept};
use crate::analysis::ModelEdit;
use crate::analysis::logit_attribution::Parts;
use crate::facts::Direction;
use crate::ui::row::Row;
use crate::ui::view::Selection;

/// How many steps can be taken back.
const N_KEPT: usize = 200;

/// What was chosen and set before, and what was taken back.
#[derive(Debug, Default)]
pub struct History {
    /// The choices as they were last remembered.
    now: Option<Choices>,
    past: Vec<Choices>,
    future: Vec<Choices>,
}

/// What a person chooses and sets. Results are not part of it: they are kept anyway.
#[derive(Clone, Debug, PartialEq)]
pub struct Choices {
    /// The typed facts that are listed.
    pub typed: Vec<usize>,
    pub selected: Option<FactId>,
    pub beside: Option<Beside>,
    pub asks: Direction,
    pub answers: Places,
    pub row: Row,
    pub selection: Selection,
    pub painted: Painted,
    pub parts: Parts,
    pub settings: Settings,
    pub swept: Option<Swept>,

    /// The changes of the main model, which only the model's own thread can make and take back.
    pub edits: Vec<ModelEdit>,
}

impl Choices {
    /// Without what is merely looked at.
    pub(super) fn made(&self) -> Self {
        let (selected, selection, row) = (None, Selection::default(), Row::First);
        Self { selected, selection, row, swept: None, ..self.clone() }
    }
}

impl State {
    pub(super) fn choices(&self) -> Choices {
        Choices {
            typed: self.facts.listed().to_vec(),
            selected: self.selected,
            beside: self.beside,
            asks: self.model_beside.asks,
            answers: self.answers.chosen.clone(),
            row: self.row,
            selection: self.selection,
            painted: self.painted.clone(),
            parts: self.parts,
            settings: self.settings.clone(),
            swept: self.swept.clone(),
            edits: self.edits.clone(),
        }
    }

    /// Remembers how it was, if anything was chosen or set since. To be called between changes: a
    /// value that is being dragged is one change.
    pub fn remember_step(&mut self) {
        let step = self.choices();
        let Some(before) = self.history.now.replace(step) else { return };
        let now = self.history.now.as_ref();
        if now == Some(&before) {
            return;
        }
        self.history.past.push(before);
        self.history.future.clear();
        if self.history.past.len() > N_KEPT {
            self.history.past.remove(0);
        }
    }

    /// Nothing before can be gone back to: the facts are others.
    pub fn forget_steps(&mut self) {
        self.history = History::default();
    }

    /// Changes of a model that is closed are no steps: they cannot be made in another.
    pub fn forget_edits(&mut self) {
        let History { now, past, future } = &mut self.history;
        now.iter_mut().chain(past).chain(future).for_each(|it| it.edits.clear());
        self.history.past.dedup();
        self.history.future.dedup();
    }

    pub fn can_undo(&self) -> bool {
        !self.history.past.is_empty()
    }

    pub fn can_redo(&self) -> bool {
        !self.history.future.is_empty()
    }

    /// How it was before the step that would be taken back, and how it is.
    pub(super) fn last_step(&self) -> Option<[Choices; 2]> {
        let (now, current) = (self.history.now.clone()?, self.choices());
        if now != current {
            return Some([now, current]);
        }
        Some([self.history.past.last()?.clone(), now])
    }

    /// How it is, and how it would be after the step that would be done again.
    pub(super) fn next_step(&self) -> Option<[Choices; 2]> {
        Some([self.history.now.clone()?, self.history.future.last()?.clone()])
    }

    /// Whether the step back, or else forward, changes the main model or takes a change of it back.
    pub fn step_edits(&self, is_back: bool) -> bool {
        let step = if is_back { self.last_step() } else { self.next_step() };
        step.is_some_and(|[before, after]| before.edits != after.edits)
    }

    /// Goes one step back. Returns the changes that the main model had there, if there was a step.
    pub fn undo(&mut self) -> Option<Vec<ModelEdit>> {
        self.remember_step();
        let step = self.history.past.pop()?;
        self.history.future.extend(self.history.now.take());
        Some(self.go_to(step))
    }

    /// Goes one step forward again. Returns the changes that the main model had there, if there was a step.
    pub fn redo(&mut self) -> Option<Vec<ModelEdit>> {
        let step = self.history.future.pop()?;
        self.history.past.extend(self.history.now.take());
        Some(self.go_to(step))
    }

    fn go_to(&mut self, step: Choices) -> Vec<ModelEdit> {
        self.choose(&step);
        self.history.now = Some(Choices { edits: step.edits.clone(), ..self.choices() });
        step.edits
    }

    /// Chooses and sets the same again, in the model as it is.
    pub(super) fn choose(&mut self, step: &Choices) {
        self.facts.list(step.typed.clone());
        self.selected = step.selected;
        self.beside = step.beside;
        self.model_beside.asks = step.asks;
        self.answers.chosen.clone_from(&step.answers);
        self.row = step.row;
        self.selection = step.selection;
        self.painted.clone_from(&step.painted);
        self.parts = step.parts;
        self.settings.clone_from(&step.settings);
        self.swept.clone_from(&step.swept);
    }
}
