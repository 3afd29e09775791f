//! Facts of one's own: typed, changed in their places, taken off the list.

use super::App;
use crate::facts::Fact;
use crate::ui::command::Command;
use crate::ui::state::{FactId, TypedFact};

impl App {
    pub(super) fn fact_command(&mut self, command: Command) {
        match command {
            Command::AddFact(fact) => {
                self.tell_of_answers(&fact);
                let id = self.state.facts.add(*fact);
                self.select(id);
                self.views.facts.reveal();
            }
            Command::ReplaceFact((old, fact)) => self.replace_fact(old, *fact),
            Command::EditFact => {
                let chosen =
                    self.state.selected.and_then(|id| Some((id, self.state.facts.get(id)?)));
                match chosen {
                    Some((id, record)) => self.views.facts.edit(id, record),
                    None => self.state.notice = Some("No fact is chosen to be edited".to_owned()),
                }
            }
            Command::RemoveFact => self.remove_fact(),
            _ => {}
        }
    }

    /// Says what a fact without an answer is asked for.
    fn tell_of_answers(&mut self, fact: &TypedFact) {
        let lacks = |fact: &Fact| fact.answer.is_none();
        let inverse_lacks = fact.inverse.as_ref().is_some_and(lacks);
        let which = match (lacks(&fact.fact), inverse_lacks) {
            (false, false) => return,
            (true, false) => "No answer was typed",
            (false, true) => "The inverse has no answer",
            (true, true) => "No answers were typed",
        };
        let text = format!("{which}: the model's own first guess is taken for it");
        self.state.notice = Some(text);
    }

    fn replace_fact(&mut self, old: FactId, fact: TypedFact) {
        self.tell_of_answers(&fact);
        let new = self.state.facts.replace(old, fact);
        if new != old {
            if let Some(beside) = self.state.beside.as_mut().filter(|it| it.fact == old) {
                beside.fact = new;
            }
            let text = "What was found of the old text stays with it; Undo brings both back";
            self.state.notice = Some(text.to_owned());
        }
        self.select(new);
        self.views.facts.reveal();
    }

    fn remove_fact(&mut self) {
        let Some(id) = self.state.selected else { return };
        // The one below takes its place, or the one above.
        let places = [1, -1].map(|step| self.state.facts.neighbour(Some(id), step));
        let next = places.into_iter().flatten().find(|it| *it != id);
        let text = self.state.facts.get(id).map(|it| it.fact.prompt.clone()).unwrap_or_default();
        if !self.state.facts.remove(id) {
            let text = "Only typed facts can be removed; the list can be filtered";
            self.state.notice = Some(text.to_owned());
            return;
        }
        self.state.beside.take_if(|it| it.fact == id);
        match next {
            Some(next) => self.select(next),
            None => self.choose_none(),
        }
        self.views.facts.reveal();
        self.state.notice = Some(format!("Removed “{text}”; Undo brings it back"));
    }
}
