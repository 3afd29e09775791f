//! What it takes to add a method, as a test that is compiled: two files, and a line in four lists.
//!
//! The two modules stand for the files, and `with_token_count!` for the list of methods. The program
//! could ask for this method from a spec file and in the *Spec* view; it could run it, draw it, print
//! it, export it and keep it in sessions. [`crate`] names the places.

use std::path::Path;
use std::sync::Arc;

use crate::analysis::{AnalysisCtx, Lab, Sizes};
use crate::facts::Fact;
use crate::figure::{Chart, Look};
use crate::model::{Checkpoint, ComputeDevice, Transformer};
use crate::task::TaskCtx;
use crate::tokens::{Bos, TokenizedPrompt, Tokenizer};

/// The file in a room of `analysis/`.
mod token_count {
    use serde::{Deserialize, Serialize};

    use crate::analysis::{About, AnalysisError, Lab, Method, PromptOf, Sizes};
    use crate::tokens::TokenizedPrompt;

    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Spec {
        pub factor: usize,
    }

    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct TokenCount {
        pub prompt: TokenizedPrompt,
        pub n: usize,
    }

    impl Method for Spec {
        type Found = TokenCount;
        const NAME: &'static str = "token count";
        const ABOUT: About = About { text: "The tokens of the prompt, counted.", sources: &[] };
        const VERB: &'static str = "Counting";
        const PROMPT: PromptOf<Self> = Some(|found| &found.prompt);

        fn run(&self, lab: &Lab<'_>) -> Result<TokenCount, AnalysisError> {
            Ok(TokenCount { prompt: lab.prompt.clone(), n: self.factor * lab.prompt.n_pos() })
        }

        fn memory(&self, _: &Sizes<'_>) -> u64 {
            0
        }
    }
}

/// The files in `figure/of/`, of which one is new.
mod figures {
    pub mod prediction {
        use crate::analysis::prediction::Prediction;
        use crate::figure::{Figure, Look};

        pub fn figure(_: &Prediction, _: &Look<'_>) -> Figure {
            Figure::default()
        }
    }

    pub mod token_count {
        use super::super::token_count::TokenCount;
        use crate::figure::{Bar, Bars, Chart, Figure, Look, Pick};

        pub fn figure(found: &TokenCount, _: &Look<'_>) -> Figure {
            let bar =
                Bar { label: "tokens".to_owned(), value: found.n as f32, pick: Pick::default() };
            let (name, quantity) = ("Tokens".to_owned(), "count".to_owned());
            let charts = vec![Chart::Bars(Bars::new(name, quantity, vec![bar]))];
            Figure { title: "How many tokens".to_owned(), charts, ..Figure::default() }
        }
    }
}

/// The list of methods with one line more.
macro_rules! with_token_count {
    ($then:ident) => {
        $then! {
            Prediction: prediction,
            TokenCount: token_count,
        }
    };
}

/// `analysis/method.rs` with that list.
#[expect(clippy::derive_partial_eq_without_eq, reason = "most results hold floating-point numbers")]
mod methods {
    use super::token_count;
    use crate::analysis::{define_methods, prediction};

    with_token_count!(define_methods);
}

/// `figure/of/mod.rs` with that list.
mod drawing {
    use super::figures::{prediction, token_count};
    use super::methods::AnalysisResult;
    use crate::figure::{Look, draw_methods};

    with_token_count!(draw_methods);

    pub fn figure(result: &AnalysisResult, look: &Look<'_>) -> crate::figure::Figure {
        draw(result, look)
    }
}

#[test]
fn an_added_method_is_named_asked_run_kept_and_drawn() {
    use methods::{AnalysisResult, AnalysisSpec};

    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny");
    let checkpoint = Arc::new(Checkpoint::open(&dir).unwrap());
    let model =
        Transformer::load(&checkpoint, &ComputeDevice::cpu(), &TaskCtx::unwatched()).unwrap();
    let tokenizer = Tokenizer::from_dir(&dir).unwrap();
    let fact = Fact::from_text("Paris is the capital of", Some("Paris")).unwrap();
    let prompt = TokenizedPrompt::new(&tokenizer, &fact, Bos::Off).unwrap();

    let spec: AnalysisSpec = serde_json::from_str(r#"{"TokenCount": {"factor": 2}}"#).unwrap();
    assert_eq!((spec.name(), spec.verb()), ("token count", "Counting"));
    assert_eq!(spec.about().text, "The tokens of the prompt, counted.");
    assert_eq!(AnalysisSpec::NAMES, ["prediction", "token count"]);
    assert!(!spec.is_short() && !spec.has_other_prompts() && spec.edit().is_none());

    assert_eq!(spec.memory(&Sizes::new(&model.config, &prompt)), 0);
    let ctx = &AnalysisCtx { tokenizer: Some(&tokenizer), ..AnalysisCtx::unwatched() };
    let found = spec.run(&Lab { model: &model, prompt: &prompt, ctx }).unwrap();
    // The method needs an answer and the prompt has none, so the model's first guess is filled in.
    let answered = found.prompt().expect("the result is about a prompt");
    assert!(answered.answer.is_some() && found.traces().is_empty());

    let kept = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<AnalysisResult>(&kept).unwrap(), found);

    assert_eq!((found.name(), spec.needs()), ("token count", crate::analysis::Needs::Answer));

    let figure = drawing::figure(&found, &Look::new(&tokenizer));
    let [Chart::Bars(bars)] = figure.charts.as_slice() else { panic!("one chart of bars") };
    assert_eq!(bars.bars[0].value, 2.0 * prompt.n_pos() as f32);
}
