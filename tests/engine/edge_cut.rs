//! Laws of attention that is cut edge by edge, which hold for any weights.

use std::cell::Cell;
use std::collections::BTreeSet;

use factscope::analysis::attention_knockout::{self, Edges};
use factscope::analysis::edge_cut::{self, Edge, EdgeCut, Spec};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Method as _, Positions, Reuse,
};
use factscope::intervention::{Site, SiteSet};
use factscope::model::{BatchRow, Donors, Request};
use factscope::task::{CancelToken, Cancelled, TaskCtx};
use factscope::tokens::TokenizedPrompt;

use super::support::{answer_of, assert_close, assert_far, engine, fixture, lab, load, prompt};

const N_LAYERS: usize = 4;
const N_HEADS: usize = 4;

/// Sums in another order.
const LOGIT: f32 = 1e-4;
const PROB: f32 = 5e-6;

fn paris() -> TokenizedPrompt {
    let mut paris = prompt("Paris is the capital of", "Paris", None);
    paris.answer = Some(answer_of(&[507]));
    paris.foil = Some(answer_of(&[300]));
    paris
}

fn edge(query: usize, key: usize) -> Edge {
    Edge { query, key }
}

fn ask(prompt: &TokenizedPrompt, spec: Spec, reuse: Reuse) -> Result<EdgeCut, AnalysisError> {
    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
    match engine("tiny").run(prompt, &AnalysisSpec::EdgeCut(spec), &ctx)? {
        AnalysisResult::EdgeCut(it) => Ok(it),
        other => panic!("{other:?}"),
    }
}

fn cut(prompt: &TokenizedPrompt, spec: Spec) -> EdgeCut {
    ask(prompt, spec, Reuse::Exact).unwrap()
}

fn logits(it: &edge_cut::Said) -> Vec<f32> {
    let answer = &it.answer;
    let top = it.top.iter().map(|it| it.logit);
    [answer.logit, answer.log_prob, answer.logit_diff.unwrap()].into_iter().chain(top).collect()
}

#[test]
fn every_cut_is_the_same_with_and_without_reuse() {
    let mut long = paris();
    long.answer = Some(answer_of(&[507, 12]));
    for prompt in [paris(), long] {
        let last = prompt.last();
        for (edges, layers, heads) in [
            (vec![edge(last, 0)], 0..N_LAYERS, None),
            (vec![edge(2, 1), edge(3, 1), edge(last, 2), edge(last, 3)], 1..3, None),
            (vec![edge(1, 0), edge(last, last)], 2..N_LAYERS, Some(BTreeSet::from([0, 3]))),
        ] {
            let spec = Spec { heads, ..Spec::of(edges, layers) };
            let exact = ask(&prompt, spec.clone(), Reuse::Exact).unwrap();
            let naive = ask(&prompt, spec, Reuse::Off).unwrap();
            for (exact, naive) in [(&exact.clean, &naive.clean), (&exact.cut, &naive.cut)] {
                assert_close(&logits(exact), &logits(naive), LOGIT, "logits");
                assert_close(&[exact.answer.prob], &[naive.answer.prob], PROB, "p");
                let ids = |it: &edge_cut::Said| it.top.iter().map(|it| it.id).collect::<Vec<_>>();
                assert_eq!(ids(exact), ids(naive));
            }
            assert_far(&logits(&exact.cut), &logits(&exact.clean), "cutting matters");
        }
    }
}

#[test]
fn cutting_nothing_changes_nothing() {
    for reuse in [Reuse::Exact, Reuse::Off] {
        let found = ask(&paris(), Spec::of([], 0..N_LAYERS), reuse).unwrap();
        assert_eq!(found.clean, found.cut);
        assert_close(&[found.cut.answer.kl.unwrap()], &[0.0], LOGIT, "KL");
    }
}

/// A window that covers all layers cuts in all of them.
#[test]
fn cutting_the_subject_off_everywhere_is_gevas_knockout() {
    let prompt = paris();
    let (subject, last) = (prompt.subject.clone().unwrap(), prompt.last());
    let found = cut(&prompt, Spec::of(subject.map(|key| edge(last, key)), 0..N_LAYERS));
    let edges = vec![Edges { from: Positions::Subject, to: Positions::Last }];
    let spec = attention_knockout::Spec { edges, window: 2 * N_LAYERS };
    let spec = AnalysisSpec::AttentionKnockout(spec);
    let knockout = match engine("tiny").run(&prompt, &spec, &AnalysisCtx::unwatched()) {
        Ok(AnalysisResult::AttentionKnockout(it)) => it,
        other => panic!("{other:?}"),
    };
    for layer in 0..N_LAYERS {
        let other = knockout.cut.get(0, layer).unwrap().unwrap();
        assert_close(&[found.cut.answer.prob], &[other.prob], PROB, "p");
        assert_close(&[found.cut.answer.logit], &[other.logit], LOGIT, "logit");
    }
}

/// The layers and heads that are named lose the weight, no others.
#[test]
fn only_what_is_named_is_cut() {
    let model = load(&fixture("tiny"));
    let prompt = paris();
    let (last, n_pos) = (prompt.last(), prompt.n_pos());
    let spec = Spec { heads: Some(BTreeSet::from([1, 2])), ..Spec::of([edge(last, 0)], 2..3) };
    let plan = edge_cut::plan(&prompt, &spec, &model.config).unwrap();
    let sites: SiteSet = (0..N_LAYERS).map(Site::Pattern).collect();
    let rows = [BatchRow::new(&prompt.ids, &plan)];
    let donors = Donors::new();
    let request = Request { rows: &rows, donors: &donors, capture: &sites, past: None, n_read: 1 };
    let run = model.run(&request, &mut |_| Ok(())).unwrap();
    for layer in 0..N_LAYERS {
        let weights = run.cache.activation(Site::Pattern(layer)).values;
        for head in 0..N_HEADS {
            let row = &weights[(head * n_pos + last) * n_pos..][..n_pos];
            let is_cut = layer == 2 && [1, 2].contains(&head);
            assert_eq!(row[0] == 0.0, is_cut, "layer {layer}, head {head}");
            assert_close(&[row.iter().sum()], &[1.0], 1e-5, "a row");
        }
    }
}

#[test]
fn what_cannot_be_cut_is_said() {
    let prompt = paris();
    let n_pos = prompt.n_pos();
    let error = |spec: Spec| ask(&prompt, spec, Reuse::Exact).unwrap_err();
    let all = 0..N_LAYERS;
    assert_eq!(
        error(Spec::of([edge(1, 2)], all.clone())),
        AnalysisError::LaterKey { query: 1, key: 2 }
    );
    assert_eq!(
        error(Spec::of([edge(n_pos, 0)], all.clone())),
        AnalysisError::NoPosition { pos: n_pos, n_pos }
    );
    assert_eq!(
        error(Spec::of([edge(1, 0), edge(1, 1)], all.clone())),
        AnalysisError::NoKeyLeft { pos: 1, layer: 0, first_key: 0 }
    );
    assert_eq!(
        error(Spec::of([edge(1, 0)], 2..5)),
        AnalysisError::OutOfRange { what: "layer", index: 4, n: N_LAYERS }
    );
    assert_eq!(
        error(Spec { heads: Some(BTreeSet::from([4])), ..Spec::of([edge(1, 0)], all) }),
        AnalysisError::OutOfRange { what: "head", index: 4, n: N_HEADS }
    );
    assert!(matches!(error(Spec::of([edge(1, 0)], 2..2)), AnalysisError::Zero { .. }));
    let mut unanswered = paris();
    unanswered.answer = None;
    // The model's own first guess is the answer.
    assert_eq!(cut(&unanswered, Spec::of([], 0..1)).clean.answer.rank, 0);
}

/// A sliding window hides keys, too, in the layers that have one.
#[test]
fn a_token_that_would_see_nothing_is_named_with_its_layer_and_window() {
    let model = load(&fixture("families/gemma2"));
    let config = &model.config;
    assert_eq!([config.window_of(0), config.window_of(1)], [Some(3), None]);
    let ids: Vec<u32> = (3..8).collect();
    let pieces = ids.iter().map(|id| format!("<{id}>")).collect();
    let prompt = TokenizedPrompt {
        ids,
        pieces,
        subject: Some(2..5),
        answer: Some(answer_of(&[7])),
        ..paris()
    };
    let ctx = AnalysisCtx::unwatched();
    let ask = |edges: Vec<Edge>, layers| Spec::of(edges, layers).run(&lab(&model, &prompt, &ctx));
    let blind = AnalysisError::NoKeyLeft { pos: 4, layer: 0, first_key: 2 };
    let seen = || vec![edge(4, 2), edge(4, 3), edge(4, 4)];
    assert_eq!(ask(seen(), 0..2).unwrap_err(), blind);
    for said in ["token 4 ", "layer 0", "sees tokens 2 to 4", "sliding window of 3", "leave it"] {
        assert!(blind.to_string().contains(said), "{blind}");
    }
    // A key is left in the window, or the layer has none.
    for (edges, layers) in [(vec![edge(4, 3), edge(4, 4)], 0..2), (seen(), 1..2)] {
        let found = ask(edges, layers).unwrap();
        assert!(found.cut.answer.logit.is_finite());
        assert_far(&[found.cut.answer.logit], &[found.clean.answer.logit], "cutting matters");
    }
    let own = AnalysisError::NoKeyLeft { pos: 0, layer: 1, first_key: 0 };
    assert_eq!(ask(vec![edge(0, 0)], 1..2).unwrap_err(), own);
    assert!(own.to_string().contains("sees token 0 alone"), "{own}");

    let edges = vec![Edges { from: Positions::Subject, to: Positions::Only(4..5) }];
    let spec = attention_knockout::Spec { edges, window: 1 };
    assert_eq!(spec.run(&lab(&model, &prompt, &ctx)).unwrap_err(), blind);
}

#[test]
fn a_cut_stops_when_told() {
    let token = CancelToken::default();
    let n_reports = Cell::new(0);
    let report = |_| {
        n_reports.set(n_reports.get() + 1);
        token.cancel();
    };
    let ctx = AnalysisCtx {
        task: TaskCtx { cancel: token.clone(), report: &report },
        ..AnalysisCtx::unwatched()
    };
    let spec = AnalysisSpec::EdgeCut(Spec::of([edge(2, 0)], 0..N_LAYERS));
    let found = engine("tiny").run(&paris(), &spec, &ctx);
    assert_eq!(found, Err(AnalysisError::Cancelled(Cancelled)));
    assert!(n_reports.get() <= 2, "{}", n_reports.get());
}
