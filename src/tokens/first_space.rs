//! A tokenizer that puts a space before a text, as it is without that.

use serde_json::Value;
use tokenizers::Tokenizer as HfTokenizer;

use super::pieces::any_step;

/// A copy of the tokenizer that puts no space before a text. `None` if the tokenizer puts none.
pub(super) fn without_first_space(inner: &HfTokenizer) -> Result<Option<HfTokenizer>, String> {
    let says = |error: &dyn ToString| error.to_string();
    let json = |it: serde_json::Result<Value>| it.map_err(|error| says(&error));
    let normalizer = inner.get_normalizer().map(serde_json::to_value).map(json).transpose()?;
    let pre_tokenizer =
        inner.get_pre_tokenizer().map(serde_json::to_value).map(json).transpose()?;
    let prepends = |it: &Value| it["type"] == "Prepend";
    let spaces = |it: &Value| {
        it["add_prefix_space"] == true || is_metaspace(it) && it["prepend_scheme"] != "never"
    };
    let normalizer = normalizer.filter(|it| any_step(it, &prepends));
    let pre_tokenizer = pre_tokenizer.filter(|it| any_step(it, &spaces));
    if normalizer.is_none() && pre_tokenizer.is_none() {
        return Ok(None);
    }
    let mut inside = inner.clone();
    if let Some(mut steps) = normalizer {
        let steps = if prepends(&steps) {
            None
        } else {
            if let Some(list) = steps["normalizers"].as_array_mut() {
                list.retain(|it| !prepends(it));
            }
            Some(serde_json::from_value::<tokenizers::NormalizerWrapper>(steps))
        };
        let steps = steps.transpose().map_err(|error| says(&error))?;
        inside.with_normalizer(steps).map_err(|error| says(&error))?;
    }
    if let Some(mut steps) = pre_tokenizer {
        take_spaces_away(&mut steps);
        let steps = serde_json::from_value::<tokenizers::PreTokenizerWrapper>(steps);
        inside.with_pre_tokenizer(Some(steps.map_err(|error| says(&error))?));
    }
    Ok(Some(inside))
}

fn is_metaspace(step: &Value) -> bool {
    step["type"] == "Metaspace"
}

fn take_spaces_away(steps: &mut Value) {
    if steps["add_prefix_space"] == true {
        steps["add_prefix_space"] = false.into();
    }
    if is_metaspace(steps) {
        steps["prepend_scheme"] = "never".into();
    }
    if let Some(list) = steps["pretokenizers"].as_array_mut() {
        list.iter_mut().for_each(take_spaces_away);
    }
}
