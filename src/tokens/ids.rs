//! The ids that a tokenizer's file gives its tokens: refused where two tokens have one, or where a token would be
//! read with another.

use std::collections::BTreeMap;

use serde::Deserialize;
use tokenizers::{Model as _, ModelWrapper, Tokenizer as HfTokenizer};

use super::vocabulary::VocabularyOrList;

/// The tokenizer in the text of a `tokenizer.json`, whose added tokens have the ids that the text says.
pub(super) fn from_json(text: &str) -> Result<HfTokenizer, String> {
    #[derive(Deserialize)]
    struct Listed {
        #[serde(default)]
        added_tokens: Vec<Added>,

        /// It is read for its faults.
        #[serde(default, rename = "model")]
        _model: Option<Model>,
    }

    #[derive(Deserialize)]
    struct Model {
        #[serde(default, rename = "vocab")]
        _vocab: Option<VocabularyOrList>,
    }

    #[derive(Deserialize)]
    struct Added {
        id: u32,
        content: String,
    }

    let inner = HfTokenizer::from_bytes(text).map_err(|error| error.to_string())?;
    let listed: Listed = serde_json::from_str(text).map_err(|error| error.to_string())?;
    check_added(&inner, listed.added_tokens.into_iter().map(|it| (it.id, it.content)))?;
    Ok(inner)
}

/// Refuses added tokens whose ids would go to nobody. The library numbers them anew, by how many tokens
/// there are, so that they would be taken for others where the vocabulary has a gap. Python, which stands
/// on the same library, does not tell.
///
/// A token whose id another has by now is one that its file forgot to take away.
pub(super) fn check_added(
    inner: &HfTokenizer,
    listed: impl IntoIterator<Item = (u32, String)>,
) -> Result<(), String> {
    for (id, content) in listed.into_iter().filter(|it| !it.1.is_empty()) {
        let given = inner.token_to_id(&content);
        if let Some(given) = given.filter(|given| *given != id && inner.id_to_token(id).is_none()) {
            return Err(format!(
                "the added token “{content}” is listed with the id {id}, but is read with the id {given}, \
                 in Python too, since there are ids below {id} without a token; give each a token"
            ));
        }
    }
    Ok(())
}

/// Refuses two tokens with one id: which of them a merge or a prompt means could not be told, nor kept.
pub(super) fn check_ids(inner: &HfTokenizer) -> Result<(), String> {
    let same = |first: &str, token: &str, id: u32| {
        Err(format!(
            "the tokens “{first}” and “{token}” have the same id, {id}; get the vocabulary again"
        ))
    };
    for (id, added) in inner.get_added_tokens_decoder() {
        if let Some(first) = inner.get_model().id_to_token(id).filter(|it| *it != added.content) {
            return same(&first, &added.content, id);
        }
    }
    let ModelWrapper::BPE(bpe) = inner.get_model() else { return Ok(()) };
    let mut tokens = BTreeMap::new();
    for (token, id) in bpe.get_vocab().into_iter().collect::<BTreeMap<_, _>>() {
        if let Some(first) = tokens.insert(id, token.clone()) {
            return same(&first, &token, id);
        }
    }
    Ok(())
}
