//! Says of a new fact which prompts show what a change of it reaches.

use serde_json::Value;

use super::super::tree::Tree;
use super::binder::Binder;
use crate::analysis::reach::PromptKind;
use crate::experiment::{Changed, Question};
use crate::tokens::Answer;

impl Binder<'_> {
    /// The prompts that show what a change reaches: those of the new fact, of the same kinds. `target`: the
    /// new answer that the spec has beside them.
    pub(super) fn bind_asked(
        &self,
        tree: &Tree,
        target: Option<&Tree>,
        place: &str,
    ) -> Result<Tree, String> {
        let text = |error: serde_json::Error| format!("{place}: {error}");
        let Tree::List(items) = tree else { return Ok(tree.clone()) };
        let kind = |it: &Tree| it.get("kind").cloned().unwrap_or(Tree::Plain(Value::Null)).read();
        let kinds: Vec<PromptKind> =
            items.iter().map(kind).collect::<Result<_, _>>().map_err(text)?;
        if kinds.is_empty() {
            return Ok(tree.clone());
        }
        self.tell(place, "the prompts of the same kinds that the dataset has of the fact");
        let Question { dataset, direction, .. } = &self.new.question;
        let (Some(dataset), Some(record)) = (dataset, &self.new.record) else {
            return Err(format!("{place}: such prompts are those of a dataset"));
        };
        let target = match target {
            None => self.new.question.fact.foil.clone(),
            Some(target) => {
                let target = self.bind(target, "target", place)?;
                let answer: Answer = target.read().map_err(text)?;
                Some(answer.text.trim_start().to_owned())
            }
        };
        let direction = *direction;
        let changed = Changed { dataset, record, direction, target: target.as_deref() };
        let mut asked = changed
            .asked(self.all.library.tokenizer, self.all.outline.bos)
            .map_err(|error| error.to_string())?;
        asked.retain(|it| kinds.contains(&it.kind));
        Tree::of(&asked).map_err(text)
    }
}
