//! What a folder without a model's configuration is, as far as its files tell, and what to do about it.

use std::path::Path;

use serde_json::Value;

use super::layout::names;
use super::read_json;

/// A folder that people open in place of a model's.
pub(super) struct OtherFolder {
    pub what: String,
    pub remedy: String,
}

/// What is said of an adapter wherever one is found.
pub(super) const MERGE: &str = "put it into its model in Python with peft's `merge_and_unload()`, save \
                                that with `save_pretrained(folder)`, and open that folder";

/// What is said of weights in a form that Python reads and this program does not.
pub(super) const SAVE: &str =
    "load the model in Python, save it with `model.save_pretrained(folder)`, and open that folder";

/// What is said of weights as `DeepSpeed` writes them.
pub(super) const TOGETHER: &str = "put the weights together with its `python zero_to_fp32.py . FOLDER`, copy the \
                                   model's `config.json` and tokenizer into that folder, and open it";

/// What is said of weights as Meta and Mistral write them.
pub(super) const IN_THAT_LAYOUT: &str = "get the same model in Hugging Face's layout, with `config.json` and `model.safetensors`, or convert it \
     with `convert_llama_weights_to_hf.py` of transformers 4";

impl OtherFolder {
    /// What a folder is. `None` if its files do not tell.
    pub fn of(dir: &Path) -> Option<Self> {
        let names = names(dir);
        let has = |name: &str| names.iter().any(|it| it == name);
        let first = |is_it: &dyn Fn(&str) -> bool| names.iter().find(|it| is_it(it));
        let found = |what: &str, remedy: &str| {
            Some(Self { what: what.to_owned(), remedy: remedy.to_owned() })
        };
        if has("adapter_config.json") || first(&|it| it.starts_with("adapter_model.")).is_some() {
            let base = text_in(&dir.join("adapter_config.json"), "base_model_name_or_path");
            let of = base.map_or_else(String::new, |it| format!(" of `{it}`"));
            return found(&format!("an adapter (LoRA){of}, a change without its model"), MERGE);
        }
        if has("model_index.json") {
            let class = text_in(&dir.join("model_index.json"), "_class_name");
            let class = class.map_or_else(String::new, |it| format!(", `{it}`"));
            return found(
                &format!("a pipeline of diffusers{class}, which makes pictures"),
                "open a language model",
            );
        }
        if let Some(name) = first(&|it| it.starts_with("consolidated.")) {
            return found(
                &format!("`{name}` in the layout of those who trained it (Meta, Mistral)"),
                IN_THAT_LAYOUT,
            );
        }
        if has("hparams.json") && first(&|it| it.starts_with("model.ckpt")).is_some() {
            return found(
                "GPT-2 in OpenAI's own layout, for TensorFlow",
                "get it in Hugging Face's layout, as `--model gpt2` does",
            );
        }
        if let Some(name) = first(&|it| Path::new(it).extension().is_some_and(|it| it == "onnx")) {
            return found(&format!("`{name}`, a model for ONNX, without its configuration"), SAVE);
        }
        if let Some(name) = first(&|it| it.starts_with("config.json.")) {
            return found(
                &format!("`{name}`, which may be its configuration"),
                "call it `config.json`",
            );
        }
        let inner = names.iter().find(|it| dir.join(it).join("config.json").is_file());
        if let Some(inner) = inner {
            return found("a folder of folders", &format!("open `{inner}` in it"));
        }
        if is_of_deepspeed(&names) {
            return found("a checkpoint of DeepSpeed, with the weights in parts", TOGETHER);
        }
        if let Some(name) = first(&|it| Path::new(it).extension().is_some_and(|it| it == "ckpt")) {
            return found(&format!("`{name}`, a checkpoint of Lightning or another trainer"), SAVE);
        }
        if has("snapshots") && has("refs") {
            let snapshots = dir.join("snapshots");
            let newest = super::layout::names(&snapshots).into_iter().next();
            let inner = newest.map_or_else(String::new, |it| format!(" `snapshots/{it}`"));
            return found("a model in the hub's cache", &format!("open the folder{inner} in it"));
        }
        None
    }
}

/// Whether files of these names are of a checkpoint of `DeepSpeed`.
pub(super) fn is_of_deepspeed(names: &[String]) -> bool {
    let is_state = |it: &String| it.ends_with("_model_states.pt") || it.starts_with("global_step");
    names.iter().any(|it| it == "zero_to_fp32.py") || names.iter().any(is_state)
}

/// A text in a file of JSON, if there is such a file with one.
fn text_in(path: &Path, field: &str) -> Option<String> {
    let json: Value = serde_json::from_str(&read_json(path).ok()?).ok()?;
    json.get(field)?.as_str().map(str::to_owned)
}
