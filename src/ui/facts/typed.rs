//! Facts that a person types, with their inverses.

use crate::facts::{Fact, Inverse, InverseOrigin, Record};
use crate::figure::words::capitalized;

/// What the ids of typed facts begin with.
pub const TYPED: &str = "typed";

/// A fact as it is typed, and the same fact asked from its answer if that is typed too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedFact {
    pub fact: Fact,
    pub inverse: Option<Fact>,
}

impl TypedFact {
    /// A record without an id, which the list gives it.
    pub fn into_record(self) -> Record {
        let inverse = self.inverse.map(|fact| {
            let answers = fact.answer.iter().cloned().collect();
            Inverse { answers, fact, origin: InverseOrigin::File }.into()
        });
        Record { inverse, ..Record::new("", None, self.fact) }
    }
}

/// The fact that the fields of a form describe; what is left empty is not given. `without_prompt`: what is
/// said to the user where there is no prompt.
pub fn fact_of_fields(
    [prompt, subject, answer, foil]: [&str; 4],
    without_prompt: &str,
) -> Result<Fact, String> {
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    // The answer has a leading space of its own.
    let prompt = prompt.trim_end();
    if prompt.is_empty() {
        return Err(without_prompt.to_owned());
    }
    let fact = Fact::from_text(prompt, given(subject).as_deref());
    let fact = fact.map_err(|error| capitalized(&error))?;
    Ok(Fact { answer: given(answer), foil: given(foil), ..fact })
}
