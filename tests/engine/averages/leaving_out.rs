//! Facts that are left out, and what an average says before all facts are in it.

use std::cell::RefCell;

use factscope::analysis::causal_trace::{Component, Map};
use factscope::analysis::corruption::{Corruption, SubjectsOf};
use factscope::analysis::trace_average::{AskedFact, Cause, Kept, Spec, TraceAverage};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Estimate, Metric, Positions,
};
use factscope::figure::{Chart, Figure, Look};
use factscope::task::{CancelToken, Cancelled, TaskCtx};
use factscope::tokens::{TokenizedPrompt, visible};

use super::{COMPONENTS, asked, error, facts, left_out, run, spec};
use crate::support::{answer_of, assert_watched, engine, prompt};

#[test]
fn facts_that_the_model_does_not_know_are_left_out_unless_they_are_asked_for() {
    let engine = engine("tiny");
    let top = |prompt: &TokenizedPrompt| {
        let spec = AnalysisSpec::Prediction(factscope::analysis::prediction::Spec { n_top: 1 });
        match engine.run(prompt, &spec, &AnalysisCtx::unwatched()).unwrap() {
            AnalysisResult::Prediction(it) => it.top[0].id,
            other => panic!("{other:?}"),
        }
    };
    let with = |answer: Option<u32>, right: &[u32]| {
        let mut prompt = prompt("Paris is the capital of", "Paris", None);
        prompt.answer = answer.map(|id| answer_of(&[id, 5]));
        AskedFact { right: right.to_vec(), ..asked(prompt) }
    };
    let said = top(&with(None, &[]).prompt);
    let other = said ^ 1;
    let facts = vec![
        with(Some(said), &[]),
        with(Some(other), &[]),
        with(Some(other), &[3, said]),
        with(None, &[]),
    ];
    let known = run(&Spec { kept: Kept::Known, ..spec(facts.clone()) });
    let kept: Vec<(usize, u32, bool)> =
        known.facts.iter().map(|it| (it.nth, it.answer.first(), it.is_known)).collect();
    assert_eq!(kept, [(0, said, true), (2, said, true), (3, said, true)]);
    let [left_out] = known.left_out.as_slice() else { panic!("{:?}", known.left_out) };
    assert_eq!(left_out.cause, Cause::NotKnown);
    let text = visible(&engine.info.tokenizer.readable(said));
    assert!(left_out.reason.contains(&format!("says {text} (p ")), "{}", left_out.reason);
    assert_eq!(known.count(), "3 of 4 facts averaged, 1 not known");

    let all = run(&spec(facts));
    let kept: Vec<(u32, bool)> =
        all.facts.iter().map(|it| (it.answer.first(), it.is_known)).collect();
    assert_eq!(kept, [(said, true), (other, false), (said, true), (said, true)]);
    let figure = Figure::of(&AnalysisResult::TraceAverage(all), &Look::new(&engine.info.tokenizer));
    assert!(figure.warnings[0].starts_with("1 of 4 is not known"), "{:?}", figure.warnings);
}

#[test]
fn a_fact_that_cannot_be_traced_is_left_out_with_the_reason_and_changes_no_other() {
    let good = facts();
    let mut no_subject = good[0].clone();
    no_subject.prompt.subject = None;
    let mut long = good[1].clone();
    let n = 200;
    long.prompt.ids = vec![5; n];
    long.prompt.pieces = vec![String::new(); n];
    let mut unknown = good[1].clone();
    unknown.prompt.ids[0] = 999;
    let mut other = good[0].clone();
    let ids = [vec![1], vec![2]].into();
    other.corruption = Some(Corruption::OtherSubjects { of: SubjectsOf::All, ids });
    let mixed = vec![
        no_subject,
        good[0].clone(),
        long,
        good[1].clone(),
        unknown,
        good[2].clone(),
        good[3].clone(),
        other,
    ];
    let found = run(&Spec { left_out: left_out(), ..spec(mixed) });
    let reasons: Vec<&str> = found.left_out.iter().map(|it| &*it.reason).collect();
    assert_eq!(reasons[0], "y");
    for (reason, says) in reasons[1..].iter().zip([
        "no subject is marked",
        "the model takes",
        "token 999 is not in the model's vocabulary",
        "cannot stand in place of",
    ]) {
        assert!(reason.contains(says), "{reason}");
    }
    assert!(found.left_out.iter().all(|it| it.cause == Cause::NotTraced));
    assert_eq!(found.count(), "4 of 9 facts averaged, 5 not traceable");
    // Lists are as long as they may be, and say so.
    let engine = engine("tiny");
    let look = Look { n_listed: 2, ..Look::new(&engine.info.tokenizer) };
    let figure = Figure::of(&AnalysisResult::TraceAverage(found.clone()), &look);
    let listed = figure.charts.iter().find_map(|chart| match chart {
        Chart::Table(table) if table.name == "Left out" => Some(table.rows.len()),
        _ => None,
    });
    assert_eq!(listed, Some(2));
    assert!(figure.notes.iter().any(|it| it.starts_with("The first 2 that")), "{:?}", figure.notes);
    let alone = run(&spec(good));
    for nth in 0..COMPONENTS.len() {
        assert_eq!(found.averages(nth, Metric::Prob), alone.averages(nth, Metric::Prob));
    }
}

#[test]
fn what_is_averaged_so_far_is_told_after_each_fact_and_stays_when_it_is_cancelled() {
    let engine = engine("tiny");
    let mut facts = facts();
    facts[1].prompt.subject = None;
    let spec = AnalysisSpec::TraceAverage(spec(facts));
    assert_watched(&engine, &TokenizedPrompt::empty(), &spec);

    let told = RefCell::new(Vec::new());
    let cancel = CancelToken::default();
    let partial = |so_far: AnalysisResult| {
        let AnalysisResult::TraceAverage(so_far) = so_far else { panic!("{so_far:?}") };
        told.borrow_mut().push(so_far);
        if told.borrow().len() == 3 {
            cancel.cancel();
        }
    };
    let task = TaskCtx { cancel: cancel.clone(), report: &|_| () };
    let ctx = AnalysisCtx { task, partial: &partial, ..AnalysisCtx::unwatched() };
    let ended = engine.run(&TokenizedPrompt::empty(), &spec, &ctx);
    assert_eq!(ended, Err(AnalysisError::Cancelled(Cancelled)));
    let told = told.into_inner();
    let counts: Vec<String> = told.iter().map(TraceAverage::count).collect();
    assert_eq!(
        counts,
        [
            "1 of 4 facts averaged, 3 not reached",
            "1 of 4 facts averaged, 1 not traceable, 2 not reached",
            "2 of 4 facts averaged, 1 not traceable, 1 not reached",
        ]
    );
    assert_eq!(told[2].averages(2, Metric::Prob).unwrap().total.n, 2);
    // Stored as a session does it, and read again.
    let mut bytes = Vec::new();
    ciborium::into_writer(&told[2], &mut bytes).unwrap();
    let again: TraceAverage = ciborium::from_reader(&*bytes).unwrap();
    assert_eq!(again, told[2]);
}

#[test]
fn what_is_no_question_is_an_error() {
    let good = spec(facts());
    let zero = |spec: Spec, says: &str| {
        let error = error(&spec);
        assert!(matches!(error, AnalysisError::Zero { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    };
    zero(Spec { components: Vec::new(), ..good.clone() }, "components");
    zero(Spec { facts: [].into(), ..good.clone() }, "facts");
    let twice = Spec { components: vec![Component::Mlp; 2], ..good.clone() };
    assert!(matches!(error(&twice), AnalysisError::Twice { .. }));
    let mut together = good.clone();
    together.trace.map = Map::Together { at: Positions::Last, widths: vec![1] };
    assert_eq!(error(&together), AnalysisError::NotOfTokens { done: "averaged" });
    let mut torn = facts();
    torn[1].prompt.pieces.pop();
    assert!(matches!(error(&spec(torn)), AnalysisError::Torn { .. }));
    let mut same = good.clone();
    same.trace.corruption = Corruption::Zero;
    assert_eq!(error(&same), AnalysisError::SameEachTime);
    let mut none = good;
    none.trace.n_samples = 0;
    zero(none, "samples");
}

/// An estimate is symmetric about its mean.
#[test]
fn an_interval_needs_two_facts() {
    let mut facts = facts();
    facts.truncate(1);
    let found = run(&spec(facts));
    let Estimate { n, mean, low, high } = found.averages(0, Metric::Prob).unwrap().total;
    assert!(n == 1 && mean.is_finite() && low.is_nan() && high.is_nan());
    let engine = engine("tiny");
    let result = AnalysisResult::TraceAverage(found);
    let figure = Figure::of(&result, &Look::new(&engine.info.tokenizer));
    assert!(figure.title.contains("1 fact "), "{}", figure.title);
    assert!(
        figure.is_whole()
            && !factscope::figure::to_svg(&figure, factscope::figure::Page::default())
                .contains("NaN")
    );
}
