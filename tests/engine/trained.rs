//! Facts that trained models know, against `transformers`: `tests/golden/make_trained.py` kept its
//! numbers.
//!
//! The models are not part of the project: `tests/fetch_models.sh` fetches them, and where a file is
//! not there its tests say so and check what they can.
//!
//! Tolerances: both sides compute in f32, and what `transformers` dequantises is the same to the bit,
//! so only the order of sums differs; over 30 layers that moves a logit of size 20 by up to 1e-3.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use factscope::analysis::logit_attribution::{self, Parts};
use factscope::analysis::{AnalysisCtx, Method as _, Positions, attention_knockout, prediction};
use factscope::facts::Fact;
use factscope::model::Transformer;
use factscope::tokens::{TokenizedPrompt, Tokenizer};
use serde::Deserialize;

use super::golden_traces::{HowTraced, Traced};
use super::support::{self, assert_close, fixture, lab, load};

const LOGIT: f32 = 2e-3;
const PROB: f32 = 2e-5;

#[derive(Deserialize)]
struct Golden {
    #[serde(flatten)]
    how: HowTraced,
    knockout_window: usize,
    facts: Vec<Known>,
}

#[derive(Deserialize)]
struct Known {
    text: String,
    subject: String,
    answer: String,
    ids: Vec<u32>,
    subject_range: [usize; 2],
    answer_id: u32,
    top: Vec<u32>,
    logits: Vec<f32>,

    /// The logits of every 997th word.
    every_997th: Vec<f32>,

    /// At the last subject token and at the last token.
    #[serde(flatten)]
    traced: Traced,

    /// `[layer]`
    cut: Vec<f32>,

    /// `[layer][attention, MLP]`
    parts: Vec<[f32; 2]>,
}

/// Where a trained model's file is, if it is there.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub fn trained(file: &str) -> Option<PathBuf> {
    let usual = || dirs::cache_dir().map(|it| it.join("factscope-test-models"));
    let dir = std::env::var_os("FACTSCOPE_TEST_MODELS").map(PathBuf::from).or_else(usual)?;
    let path = dir.join(file);
    if !path.is_file() {
        eprintln!("left out: {} is not there (tests/fetch_models.sh fetches it)", path.display());
        return None;
    }
    Some(path)
}

fn golden() -> BTreeMap<String, Golden> {
    serde_json::from_str(&fs::read_to_string(fixture("trained.json")).unwrap()).unwrap()
}

fn check(file: &str) {
    let Some(path) = trained(file) else { return };
    let golden = &golden()[file];
    let (model, tokenizer) = (load(&path), Tokenizer::from_dir(&path).unwrap());
    assert_eq!(golden.facts.len(), 3);
    for known in &golden.facts {
        let fact = Fact {
            answer: Some(known.answer.clone()),
            ..Fact::from_text(&known.text, Some(&known.subject)).unwrap()
        };
        let prompt = TokenizedPrompt::new(&tokenizer, &fact, tokenizer.default_bos()).unwrap();
        let [begin, end] = known.subject_range;
        assert_eq!((&prompt.ids, prompt.subject.clone()), (&known.ids, Some(begin..end)));
        assert_eq!(prompt.answer.as_ref().unwrap().ids[0], known.answer_id);
        check_fact(&model, &prompt, golden, known);
    }
}

fn check_fact(model: &Transformer, prompt: &TokenizedPrompt, golden: &Golden, known: &Known) {
    let what = &known.text;
    let ctx = AnalysisCtx::unwatched();
    let lab = lab(model, prompt, &ctx);

    let said = prediction::Spec { n_top: known.top.len() }.run(&lab).unwrap();
    let (ids, logits): (Vec<_>, Vec<_>) = said.top.iter().map(|it| (it.id, it.logit)).unzip();
    assert_eq!(ids, known.top, "{what}");
    assert_close(&logits, &known.logits, LOGIT, what);
    let all = support::logits(&model.run_clean(&prompt.ids, &[].into()));
    let found: Vec<f32> = all.into_iter().step_by(997).collect();
    assert_close(&found, &known.every_997th, LOGIT, what);

    let places = [known.subject_range[1] - 1, known.ids.len() - 1];
    known.traced.check(&lab, &golden.how, &places.into_iter(), PROB, what);

    let edges = attention_knockout::Edges { from: Positions::Subject, to: Positions::Last };
    let spec = attention_knockout::Spec { edges: vec![edges], window: golden.knockout_window };
    let knockout = spec.run(&lab).unwrap();
    let cut = |layer| knockout.cut.get(0, layer).unwrap().as_ref().unwrap().prob;
    let found: Vec<f32> = (0..known.cut.len()).map(cut).collect();
    assert_close(&found, &known.cut, PROB, what);

    let split = logit_attribution::Spec { by: Parts::Layers }.run(&lab).unwrap();
    let part =
        |component| split.contributions.iter().find(|it| it.component == component).unwrap().logit;
    for (layer, expected) in known.parts.iter().enumerate() {
        use logit_attribution::Component::{AttnOut, MlpOut};
        let found = [part(AttnOut(layer)), part(MlpOut(layer))];
        assert_close(&found, expected, LOGIT, &format!("{what}, layer {layer}"));
    }
}

#[test]
fn smollm2_recalls_facts_as_others_say() {
    check("SmolLM2-135M-Instruct.Q4_1.gguf");
}

#[test]
fn gemma_3_recalls_facts_as_others_say() {
    check("gemma-3-270m-q4_k_m.gguf");
}
