//! What a sweep has asked before. Inverses of a many-to-one relation ask one and the same question; where
//! the measured answers are the same too, so are the numbers, and they are computed once.

use std::collections::{HashMap, HashSet};

use super::selection::Task;
use crate::analysis::AnalysisSpec;
use crate::facts::{Dataset, Direction};
use crate::figure::Number;
use crate::tokens::TokenizedPrompt;

/// How many numbers are kept at most, so that memory is bounded.
const MOST: usize = 200_000;

/// The numbers of questions that several facts ask.
#[derive(Default)]
pub(super) struct AskedBefore<'a> {
    /// Questions that several of the tasks ask.
    shared: HashSet<(Direction, &'a str)>,

    /// The numbers, by what was asked.
    found: HashMap<String, Vec<Number>>,
    n_kept: usize,
}

impl<'a> AskedBefore<'a> {
    /// Before anything is asked of `tasks`.
    pub fn new(dataset: &'a Dataset, tasks: &[Task]) -> Self {
        let (mut seen, mut shared) = (HashSet::new(), HashSet::new());
        let questions = tasks.iter().filter_map(|it| question(dataset, *it));
        for question in questions {
            if !seen.insert(question) {
                shared.insert(question);
            }
        }
        Self { shared, ..Self::default() }
    }

    /// The numbers of a task, from an equal one if there was one, or else from `ask`.
    pub fn numbers<E>(
        &mut self,
        dataset: &Dataset,
        task: Task,
        (spec, prompt): (&AnalysisSpec, &TokenizedPrompt),
        ask: impl FnOnce() -> Result<Vec<Number>, E>,
    ) -> Result<Vec<Number>, E> {
        let is_shared = question(dataset, task).is_some_and(|it| self.shared.contains(&it));
        let asked = if is_shared { serde_json::to_string(&(spec, prompt)).ok() } else { None };
        let Some(asked) = asked else { return ask() };
        if let Some(found) = self.found.get(&asked) {
            return Ok(found.clone());
        }
        let found = ask()?;
        self.n_kept += found.len();
        if self.n_kept > MOST {
            self.found.clear();
            self.n_kept = found.len();
        }
        self.found.insert(asked, found.clone());
        Ok(found)
    }
}

/// The words in which a task is asked, and which way.
pub(super) fn question(dataset: &Dataset, task: Task) -> Option<(Direction, &str)> {
    let fact = dataset.records[task.record].fact(task.direction)?;
    Some((task.direction, &fact.prompt))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::analysis::prediction;
    use crate::figure::Place;
    use crate::population::Selection;
    use crate::tokens::Answer;

    /// A question is asked once of each answer; one that a single fact asks is not kept.
    #[test]
    fn what_is_the_same_is_asked_once() {
        let dataset = Dataset::bundled();
        let selection = Selection { ways: super::super::Ways::Both, ..Selection::default() };
        let tasks = selection.tasks(&dataset);
        let inverses = tasks.iter().filter(|it| it.direction == Direction::Inverse);
        let of = |text: &str| -> Vec<Task> {
            inverses
                .clone()
                .filter(|it| question(&dataset, **it).unwrap().1 == text)
                .copied()
                .collect()
        };
        let shared = inverses.clone().find_map(|it| {
            let all = of(question(&dataset, *it)?.1);
            (all.len() > 2).then_some(all)
        });
        let shared = shared.unwrap();
        let mut before = AskedBefore::new(&dataset, &tasks);
        let n_asked = Cell::new(0);
        let mut ask = |task: Task, answer: u32| {
            let spec = AnalysisSpec::from(prediction::Spec { n_top: 1 });
            let answer = Answer { ids: vec![answer], text: " x".into(), pieces: vec![" x".into()] };
            let prompt = TokenizedPrompt { answer: Some(answer), ..TokenizedPrompt::empty() };
            let found = before.numbers(&dataset, task, (&spec, &prompt), || {
                n_asked.set(n_asked.get() + 1);
                let value = n_asked.get() as f32;
                let (at, other) = (Place::default(), Place::default());
                Ok::<_, ()>(vec![Number {
                    chart: "c".into(),
                    quantity: "q".into(),
                    measured: None,
                    at,
                    other,
                    value,
                }])
            });
            found.unwrap()[0].value as usize
        };
        assert_eq!((ask(shared[0], 1), ask(shared[1], 1), ask(shared[2], 2)), (1, 1, 2));
        assert_eq!((ask(shared[0], 2), ask(shared[2], 1)), (2, 1));
        let alone = *tasks.iter().find(|it| it.direction == Direction::Forward).unwrap();
        assert_eq!((ask(alone, 1), ask(alone, 1)), (3, 4));
    }
}
