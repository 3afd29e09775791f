//! The tokens of a vocabulary in JSON with their ids, of which none may stand there twice.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Tokens with their ids. Readers of JSON, Python's too, keep the last of two ids and say nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Vocabulary(pub BTreeMap<String, u32>);

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

/// Tokens with their ids, or a list of tokens whose ids are their places, which is read for nothing.
pub(super) struct VocabularyOrList;

impl<'de> Deserialize<'de> for VocabularyOrList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Entries).map(|_| Self)
    }
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vocabulary;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tokens with their ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocabulary, A::Error> {
        let mut ids = BTreeMap::new();
        while let Some((token, id)) = map.next_entry::<String, u32>()? {
            if let Some(&first) = ids.get(&token).filter(|first| **first != id) {
                return Err(A::Error::custom(format!(
                    "the token “{token}” stands there twice, with the ids {first} and {id}; take the wrong one \
                     away, or get the vocabulary again"
                )));
            }
            ids.insert(token, id);
        }
        Ok(Vocabulary(ids))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Vocabulary, A::Error> {
        while all.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Vocabulary::default())
    }
}
