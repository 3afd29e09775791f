//! Flags whose values are the names of a type's cases, as its serde form has them: no flag lists them
//! again.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer as _, Visitor};
use serde::forward_to_deserialize_any;

use crate::experiment::{Choices, Words, as_typed};

/// A flag that takes the cases of an enum without fields: `LogitDiff`, or in files `logit_diff`, is
/// typed as `logit-diff`.
pub fn choice<T>() -> impl TypedValueParser<Value = T>
where
    T: Clone + DeserializeOwned + Send + Sync + 'static,
{
    choice_but(&[])
}

/// A flag that takes the cases of an enum but for some, by the names that are typed.
pub fn choice_but<T>(but: &[&str]) -> impl TypedValueParser<Value = T> + use<T>
where
    T: Clone + DeserializeOwned + Send + Sync + 'static,
{
    let named = names::<T>().iter().filter_map(|&name| {
        let case: StrDeserializer<'_, Error> = name.into_deserializer();
        // Flags are made once and live as long as the program, and so do their names.
        Some((&*as_typed(name).leak(), T::deserialize(case).ok()?))
    });
    let named: Vec<(&'static str, T)> = named.filter(|(name, _)| !but.contains(name)).collect();
    choices(named)
}

/// The choices of a setting, by the keys and with the help that the window has too; and names that
/// they had once, which help does not list.
pub fn choices_with<T: Choices>(
    all: impl IntoIterator<Item = T>,
    hidden: impl IntoIterator<Item = (&'static str, T)>,
) -> impl TypedValueParser<Value = T> {
    let shown = all.into_iter().map(|it| {
        let Words { key, help, .. } = it.words();
        (PossibleValue::new(key).help(help), it)
    });
    let hidden = hidden.into_iter().map(|(key, it)| (PossibleValue::new(key).hide(true), it));
    choices(shown.chain(hidden))
}

/// A setting that takes any of its choices.
pub fn any_choice<T: Choices>() -> impl TypedValueParser<Value = T> {
    choices_with(T::ALL.iter().copied(), [])
}

/// A flag that takes named values.
pub fn choices<N: Into<PossibleValue>, T: Clone + Send + Sync + 'static>(
    named: impl IntoIterator<Item = (N, T)>,
) -> impl TypedValueParser<Value = T> {
    let named = named.into_iter().map(|(name, value)| (name.into(), value));
    let named: Vec<(PossibleValue, T)> = named.collect();
    let names = PossibleValuesParser::new(named.iter().map(|it| it.0.clone()));
    names.map(move |typed| {
        let found = named.iter().find(|(name, _)| name.get_name() == typed);
        found.expect("only these names are taken").1.clone()
    })
}

/// What a type calls its cases in files.
fn names<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut names: &[&str] = &[];
    // It fails on purpose: only the names are wanted.
    drop(T::deserialize(Names(&mut names)));
    names
}

/// A deserializer that is asked for an enum, and remembers which cases it has.
struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = variants;
        Err(Error::custom("only its names are wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("this is no enum"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Metric;
    use crate::analysis::attention::Weighting;
    use crate::analysis::causal_trace::Component;

    #[test]
    fn names_are_those_of_files_as_they_are_typed() {
        assert_eq!(names::<Component>(), ["hidden", "mlp", "attn"]);
        assert_eq!(names::<Metric>()[4], "LogitDiff");
        assert_eq!(names::<Weighting>()[1], "value_weighted");
        assert_eq!(as_typed("LogitDiff"), "logit-diff");
        assert_eq!(as_typed("value_weighted"), "value-weighted");
        assert!(names::<usize>().is_empty());
    }
}
