//! What makes a prompt's numbers say less than they seem to.

use super::{TokenizedPrompt, Tokenizer};

impl TokenizedPrompt {
    /// What makes the numbers of this prompt say less than they seem to, in sentences: parts that the tokenizer
    /// drops, and a foil that cannot be told from the answer.
    pub fn doubts(&self, tokenizer: &Tokenizer) -> Vec<String> {
        let mut doubts = Vec::new();
        let texts = [
            ("prompt", Some(&self.text)),
            ("answer", self.answer.as_ref().map(|it| &it.text)),
            ("foil", self.foil.as_ref().map(|it| &it.text)),
        ];
        for (what, text) in texts {
            // What cannot be made tokens was refused before.
            let parts = text.and_then(|it| tokenizer.dropped(it).ok()).unwrap_or_default();
            if !parts.is_empty() {
                let parts = parts.iter().map(|it| format!("“{it}”")).collect::<Vec<_>>().join(", ");
                doubts.push(format!(
                    "the tokenizer drops {parts} of the {what}: it has no token for that, so the model is not \
                     told of it"
                ));
            }
        }
        if let (Some(answer), Some(foil)) = (&self.answer, &self.foil)
            && answer.first() == foil.first()
        {
            doubts.push(if answer.ids == foil.ids {
                "the foil is the answer itself, so the difference of their logits is 0 everywhere; name another"
                    .to_owned()
            } else {
                let token = answer.pieces.first().map_or("", |it| it.trim_start());
                format!(
                    "answer and foil both begin with the token “{token}”, so the difference of their logits is 0 \
                     everywhere; name another foil"
                )
            });
        }
        doubts
    }
}
