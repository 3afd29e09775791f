//! Comparisons of a fact with its inverse, on real models and on made-up maps.

use factscope::analysis::comparison::{Comparison, MapSpec, Mapped, PeakOf, Role, Second, Spec};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Metric, Positions, Reuse, ablation,
    causal_trace,
};
use factscope::task::Cancelled;
use factscope::tokens::{Bos, TokenizedPrompt};
use factscope::worker::Engine;

use crate::support::{engine, prompt, trace_spec};

fn trace_of(component: causal_trace::Component) -> MapSpec {
    let noise = causal_trace::NoiseLevel::Std(0.5);
    let spec = causal_trace::Spec { noise, ..trace_spec(component, 2, 2) };
    MapSpec::Trace { spec, metric: Metric::LogProb }
}

fn ablation_of(part: ablation::Part) -> MapSpec {
    let spec = ablation::Spec {
        part,
        positions: Positions::All,
        replacement: ablation::Replacement::Zero,
        together: None,
    };
    MapSpec::Ablation { spec, metric: Metric::LogProb }
}

fn fact() -> TokenizedPrompt {
    prompt("The mother tongue of Danielle Darrieux is", "Danielle Darrieux", Some("it"))
}

fn inverse() -> TokenizedPrompt {
    prompt("it is what Paris said of", "Paris", Some("Danielle"))
}

fn spec(inverse: TokenizedPrompt, map: MapSpec) -> Spec {
    Spec {
        inverse,
        second: Second::Inverse,
        mapped: Mapped::Prompts,
        right: [vec![], vec![]],
        map,
        n_top: 5,
        n_permutations: 99,
        seed: 3,
    }
}

fn maps() -> [MapSpec; 5] {
    [
        trace_of(causal_trace::Component::Hidden),
        trace_of(causal_trace::Component::Mlp),
        ablation_of(ablation::Part::Heads),
        ablation_of(ablation::Part::Mlp),
        MapSpec::Attribution,
    ]
}

fn compare(engine: &Engine, prompt: &TokenizedPrompt, spec: Spec, reuse: Reuse) -> Comparison {
    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
    match engine.run(prompt, &AnalysisSpec::Comparison(spec), &ctx) {
        Ok(AnalysisResult::Comparison(it)) => it,
        other => panic!("no comparison: {other:?}"),
    }
}

#[test]
fn a_fact_beside_itself_differs_in_nothing() {
    let engine = engine("tiny");
    for map in maps() {
        let it = compare(&engine, &fact(), spec(fact(), map), Reuse::Exact);
        assert_eq!(it.maps[0], it.maps[1]);
        assert_eq!(it.recall[0], it.recall[1]);
        assert!(it.difference.values().iter().flatten().all(|it| *it == 0.0));
        for correlation in [it.likeness.pearson, it.likeness.spearman] {
            assert!((correlation.unwrap() - 1.0).abs() < 1e-12);
        }
        assert!(!it.peaks.is_empty());
        assert!(it.peaks.iter().all(|it| it.layers == 0 && it.depth == 0.0));
        if let Some(overlap) = it.overlap {
            assert_eq!(overlap.jaccard, 1.0);
            assert_eq!(overlap.top[0], overlap.top[1]);
            // Of 4 or 16 parts, rarely the same again: 1 of 24 orders, at most.
            assert!(overlap.any_part.spearman.unwrap() < 0.15, "{overlap:?}");
        }
    }
}

/// Cells without an effect differ from zero by rounding, which is another one with reuse.
#[test]
fn lists_and_ranks_are_the_same_with_and_without_reuse() {
    let engine = engine("tiny");
    for map in maps() {
        let compared = [Reuse::Off, Reuse::Exact].map(|reuse| {
            let it = compare(&engine, &fact(), spec(inverse(), map.clone()), reuse);
            let peaks: Vec<_> =
                it.peaks.iter().map(|it| it.at.each_ref().map(|it| (it.layer, it.head))).collect();
            let zeros = it
                .maps
                .each_ref()
                .map(|map| map.values().iter().map(|it| *it == Some(0.0)).collect::<Vec<_>>());
            (it.likeness.spearman, it.overlap.map(|it| it.top), peaks, zeros)
        });
        assert_eq!(compared[0], compared[1], "{map:?}");
    }
}

#[test]
fn a_comparison_is_of_what_is_there() {
    let engine = engine("tiny");
    for map in maps() {
        let it = compare(&engine, &fact(), spec(inverse(), map.clone()), Reuse::Exact);
        let naive = compare(&engine, &fact(), spec(inverse(), map.clone()), Reuse::Off);
        for (a, b) in it.maps.iter().zip(&naive.maps) {
            for (a, b) in a.values().iter().zip(b.values()) {
                assert_eq!(a.is_some(), b.is_some());
                let difference = a.unwrap_or_default() - b.unwrap_or_default();
                assert!(difference.abs() < 1e-4, "{map:?}: {difference:e}");
            }
        }
        // The same from the same spec.
        assert_eq!(it, compare(&engine, &fact(), spec(inverse(), map.clone()), Reuse::Exact));
        // Turned round.
        let turned = compare(&engine, &inverse(), spec(fact(), map.clone()), Reuse::Exact);
        assert_eq!(turned.maps, [it.maps[1].clone(), it.maps[0].clone()]);
        assert!((turned.likeness.pearson.unwrap() - it.likeness.pearson.unwrap()).abs() < 1e-12);
        for (there, back) in it.peaks.iter().zip(&turned.peaks) {
            assert_eq!((there.of, there.layers), (back.of, -back.layers));
        }
        let Some(roles) = &it.roles else {
            assert!(it.overlap.is_some() && it.total_effects.is_none());
            continue;
        };
        assert!(it.total_effects.is_some() && it.overlap.is_none());
        let expected = [fact(), inverse()].map(|prompt| {
            let has = |role| (0..prompt.n_pos()).any(|pos| Role::of(&prompt, pos) == role);
            roles.iter().map(|role| has(*role)).collect::<Vec<_>>()
        });
        for (map, expected) in it.maps.iter().zip(expected) {
            for (row, is_there) in map.rows().zip(expected) {
                assert!(row.iter().all(|it| it.is_some() == is_there));
            }
        }
        // Nothing that precedes the subject can bring anything back.
        let before = roles.iter().position(|it| *it == Role::Before).unwrap();
        assert!(it.maps[0].rows().nth(before).unwrap().iter().all(|it| *it == Some(0.0)));
        assert!(it.peaks.iter().all(|it| it.of != PeakOf::Role(Role::Before)));
        let last = it.peaks.iter().find(|it| it.of == PeakOf::Role(Role::Last)).unwrap();
        if matches!(&map, MapSpec::Trace { spec, .. } if spec.component == causal_trace::Component::Hidden)
        {
            // The last state of the last token is the answer.
            for (peak, total) in last.at.iter().zip(it.total_effects.unwrap()) {
                assert!((peak.value - f64::from(total)).abs() < 1e-4 || peak.layer < 3, "{peak:?}");
            }
        }
    }
}

#[test]
fn recall_is_by_any_right_answer() {
    let engine = engine("tiny");
    let of = |right: Vec<u32>| {
        let spec = Spec { right: [right, vec![]], ..spec(inverse(), MapSpec::Attribution) };
        compare(&engine, &fact(), spec, Reuse::Exact).recall
    };
    let [own, _] = of(vec![]);
    assert_eq!(own.right.id, fact().answer.unwrap().first());
    assert!(!own.is_right(), "a random model knows nothing");
    assert!(own.top.prob > own.right.prob);
    let [known, _] = of(vec![own.right.id, own.top.id]);
    assert!(known.is_right());
    assert_eq!(known.right, own.top);
    // Without answers each is measured by what the model says.
    let mut unasked = [fact(), inverse()];
    for prompt in &mut unasked {
        prompt.answer = None;
    }
    let [fact, inverse] = unasked;
    let it = compare(&engine, &fact, spec(inverse, MapSpec::Attribution), Reuse::Exact);
    assert!(it.recall.iter().all(|it| it.is_right()));
}

#[test]
fn roles_are_where_the_subject_is() {
    use Role::{
        After, Before, Bos as First, Further, Last, SubjectFirst, SubjectLast, SubjectMiddle,
    };

    let roles = |prompt: &TokenizedPrompt| -> Vec<Role> {
        (0..prompt.n_pos()).map(|pos| Role::of(prompt, pos)).collect()
    };
    let mut it = fact();
    it.pieces = vec!["a".to_owned(); 9];
    it.ids = vec![1; 9];
    it.subject = Some(2..5);
    let expected =
        [Before, Before, SubjectFirst, SubjectMiddle, SubjectLast, After, Further, Further, Last];
    assert_eq!(roles(&it), expected);
    it.bos = Bos::On;
    it.subject = Some(1..2);
    assert_eq!(roles(&it)[..4], [First, SubjectLast, After, Further]);
    it.subject = Some(7..9);
    assert_eq!(roles(&it)[6..], [Before, SubjectFirst, Last]);
    it.subject = None;
    assert_eq!(roles(&it)[6..], [Before, Before, Last]);
}

#[test]
fn a_comparison_that_makes_no_sense_is_an_error() {
    let engine = engine("tiny");
    let error = |spec: Spec| {
        let spec = AnalysisSpec::Comparison(spec);
        engine.run(&fact(), &spec, &AnalysisCtx::unwatched()).unwrap_err()
    };
    let good = || spec(inverse(), MapSpec::Attribution);
    let is_zero = |it| matches!(it, AnalysisError::Zero { .. });
    assert!(is_zero(error(Spec { n_permutations: 0, ..good() })));
    assert!(is_zero(error(Spec { n_top: 0, ..good() })));
    let unknown = AnalysisError::UnknownToken { id: 657, d_vocab: 657 };
    assert_eq!(error(Spec { right: [vec![], vec![657]], ..good() }), unknown);
    let spoils: [fn(&mut TokenizedPrompt); 5] = [
        |it| it.ids.clear(),
        |it| it.subject = Some(3..99),
        |it| it.subject = Some(3..3),
        |it| it.answer.as_mut().unwrap().ids.clear(),
        |it| drop(it.pieces.pop()),
    ];
    for spoil in spoils {
        let mut torn = inverse();
        spoil(&mut torn);
        let text = torn.text.clone();
        assert_eq!(error(spec(torn, MapSpec::Attribution)), AnalysisError::Torn { text });
    }
    let difference = MapSpec::Ablation {
        spec: match ablation_of(ablation::Part::Heads) {
            MapSpec::Ablation { spec, .. } => spec,
            _ => unreachable!(),
        },
        metric: Metric::LogitDiff,
    };
    assert_eq!(error(spec(inverse(), difference)), AnalysisError::NoFoil);
    let MapSpec::Trace { spec: mut wide, metric } = trace_of(causal_trace::Component::Mlp) else {
        unreachable!()
    };
    wide.map = causal_trace::Map::Together { at: Positions::Last, widths: vec![2] };
    let wide = MapSpec::Trace { spec: wide, metric };
    assert_eq!(error(spec(inverse(), wide)), AnalysisError::NotOfTokens { done: "compared" });
    let mut no_subject = inverse();
    no_subject.subject = None;
    let trace = trace_of(causal_trace::Component::Mlp);
    assert_eq!(error(spec(no_subject, trace.clone())), AnalysisError::NoSubject);

    let ctx = AnalysisCtx::unwatched();
    ctx.task.cancel.cancel();
    let result = engine.run(&fact(), &AnalysisSpec::Comparison(spec(inverse(), trace)), &ctx);
    assert_eq!(result, Err(AnalysisError::Cancelled(Cancelled)));
    // More top parts than there are: all of them.
    let all = compare(&engine, &fact(), Spec { n_top: 99, ..good() }, Reuse::Exact);
    assert_eq!(all.overlap.unwrap().jaccard, 1.0);
}
