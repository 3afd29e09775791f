//! What is said of prompts whose numbers say less than they seem to.

use std::fs;

use factscope::facts::Fact;
use factscope::model::{FloatType, ModelConfig, write_random_checkpoint};
use factscope::task::TaskCtx;
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::state::TypedFact;

use super::super::support::Window;
use super::SIZES;

/// A letter is a token, and all else is dropped.
const TOKENIZER: &str = r#"{"version": "1.0", "added_tokens": [], "model": {"type": "BPE", "merges": [],
    "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "e": 4, "f": 5, " ": 6}}}"#;

/// Whether or not the machine has a font for what is dropped: no font has the second.
#[test]
fn what_a_tokenizer_drops_and_a_foil_that_is_the_answer_stand_above_the_map() {
    for dropped in ["北京", "\u{378}\u{379}"] {
        what_is_dropped_is_said(dropped);
    }
}

fn what_is_dropped_is_said(dropped: &str) {
    let model = tempfile::tempdir().unwrap();
    let config = ModelConfig {
        n_layers: 2,
        n_heads: 2,
        d_model: 16,
        d_mlp: 32,
        d_vocab: 7,
        n_ctx: 64,
        ..ModelConfig::LARGE
    };
    let ctx = TaskCtx::unwatched();
    write_random_checkpoint(&config, 0, FloatType::F32, model.path(), &ctx).unwrap();
    fs::write(model.path().join("tokenizer.json"), TOKENIZER).unwrap();
    let options = Options { model: Some(model.path().to_owned()), ..Options::default() };
    let mut window = Window::new(options, None);
    window.wait("the model", |app| app.state.info().is_some());
    let fact = Fact {
        answer: Some(format!("{dropped} c")),
        foil: Some("☃ c".to_owned()),
        ..Fact::from_text(&format!("a bad {dropped} face"), Some("bad")).unwrap()
    };
    window.does(Command::AddFact(Box::new(TypedFact { fact, inverse: None })));
    window.wait_for_predictions();
    window.does(Command::Trace);
    window.trace_ends();
    for what in ["prompt", "answer", "foil"] {
        window.sees(&format!("of the {what}: it has no token for that"));
    }
    window.sees(&format!("The tokenizer drops “{dropped}” of the prompt"));
    window.sees("The foil is the answer itself, so the difference of their logits is 0 everywhere");
    window.everything_fits(&SIZES, &[Pane::Trace], Window::alone);
}
