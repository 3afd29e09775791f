//! A fact's trace minus its inverse's.

use factscope::analysis::causal_trace::{
    self, CausalTrace, Component, Direction, Map, NoiseLevel, Severed,
};
use factscope::analysis::comparison::{self, MapSpec, trace_difference};
use factscope::analysis::corruption::Corruption;
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Metric, Positions,
};
use factscope::figure::{Chart, Figure, Look};
use factscope::intervention::NoiseRng;
use factscope::tokens::TokenizedPrompt;

use super::support::{answer_of, assert_far, engine, prompt};

fn paris() -> TokenizedPrompt {
    let mut paris = prompt("Paris is the capital of", "Paris", None);
    paris.answer = Some(answer_of(&[507]));
    paris
}

fn france() -> TokenizedPrompt {
    let mut france = prompt("The capital of old France is", "old France", None);
    france.answer = Some(answer_of(&[300]));
    france
}

fn spec() -> causal_trace::Spec {
    causal_trace::Spec {
        component: Component::Mlp,
        window: 2,
        noise: NoiseLevel::Std(0.5),
        rng: NoiseRng::Numpy,
        seed: 1,
        n_samples: 2,
        direction: Direction::Denoise,
        sever: None,
        sever_layers: None,
        corruption: Corruption::default(),
        map: Map::Tokens,
    }
}

fn trace(prompt: &TokenizedPrompt, spec: &causal_trace::Spec) -> CausalTrace {
    let spec = AnalysisSpec::CausalTrace(spec.clone());
    match engine("tiny").run(prompt, &spec, &AnalysisCtx::unwatched()).unwrap() {
        AnalysisResult::CausalTrace(it) => it,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_difference_of_two_traces_is_that_of_the_comparison() {
    let [fact, inverse] = [paris(), france()];
    for direction in Direction::ALL {
        let spec = causal_trace::Spec { direction, ..spec() };
        let [a, b] = [&fact, &inverse].map(|it| trace(it, &spec));
        let found = trace_difference([&a, &b], Metric::Logit).unwrap();
        let compared = AnalysisSpec::Comparison(comparison::Spec {
            second: comparison::Second::Inverse,
            inverse: inverse.clone(),
            right: [vec![], vec![]],
            map: MapSpec::Trace { spec, metric: Metric::Logit },
            n_top: 1,
            n_permutations: 1,
            seed: 1,
        });
        let compared = engine("tiny").run(&fact, &compared, &AnalysisCtx::unwatched()).unwrap();
        let AnalysisResult::Comparison(compared) = compared else { panic!("another result") };
        assert_eq!(Some(&found.roles), compared.roles.as_ref());
        assert_eq!(found.maps, compared.maps);
        assert_eq!(found.difference, compared.difference);
        assert_eq!(found.likeness, compared.likeness);
        assert_eq!(Some(found.total_effects), compared.total_effects);
        let values = |nth: usize| -> Vec<f32> {
            let [a, b] = &found.maps;
            let both = a.values().iter().zip(b.values());
            both.filter_map(|(a, b)| Some([(*a)?, (*b)?][nth])).collect()
        };
        assert_far(&values(0), &values(1), "the maps");
    }
}

#[test]
fn a_trace_differs_from_itself_in_nothing_and_the_other_way_round_changes_the_sign() {
    let [a, b] = [paris(), france()].map(|it| trace(&it, &spec()));
    let own = trace_difference([&a, &a], Metric::Prob).unwrap();
    assert!(own.difference.values().iter().all(|it| *it == Some(0.0)));
    assert!((own.likeness.spearman.unwrap() - 1.0).abs() < 1e-12);
    let [one, other] = [[&a, &b], [&b, &a]].map(|it| trace_difference(it, Metric::Prob).unwrap());
    assert_eq!(one.difference, other.difference.map(|it| it.map(|it| -it)));
    assert_eq!(one.likeness, other.likeness);
}

#[test]
fn traces_that_were_not_asked_alike_are_not_compared() {
    let [fact, inverse] = [paris(), france()];
    let first = trace(&fact, &spec());
    let refused = |spec: &causal_trace::Spec| {
        trace_difference([&first, &trace(&inverse, spec)], Metric::Prob).unwrap_err()
    };
    for other in [
        causal_trace::Spec { component: Component::Attn, ..spec() },
        causal_trace::Spec { window: 1, ..spec() },
        causal_trace::Spec { sever: Some(Severed::Mlp), ..spec() },
        causal_trace::Spec { direction: Direction::Noise, ..spec() },
    ] {
        assert_eq!(refused(&other), AnalysisError::OtherTrace);
    }
    let together = Map::Together { at: Positions::Subject, widths: vec![1] };
    let other = causal_trace::Spec { map: together, ..spec() };
    assert_eq!(refused(&other), AnalysisError::NotCompared);
    let second = trace(&inverse, &spec());
    let no_foil = trace_difference([&first, &second], Metric::LogitDiff);
    assert_eq!(no_foil, Err(AnalysisError::NoFoil));
}

#[test]
fn the_figure_of_a_difference_is_centred_and_says_what_is_recalled() {
    let engine = engine("tiny");
    let [mut a, mut b] = [paris(), france()].map(|it| trace(&it, &spec()));
    (a.clean.rank, b.clean.rank) = (0, 7);
    // A trace that is not done yet.
    let mut nth = 0;
    a.restored = a.restored.map(|runs| {
        nth += 1;
        if nth > 5 { Vec::new() } else { runs.clone() }
    });
    let it = trace_difference([&a, &b], Metric::Logit).unwrap();
    let look = Look { metric: Metric::Logit, ..Look::new(&engine.info.tokenizer) };
    let figure =
        Figure::of_difference(&it, comparison::Second::Inverse.names(), Component::Mlp, &look);
    let [Chart::Map(map)] = figure.charts.as_slice() else { panic!("{:?}", figure.charts) };
    assert!(map.range.1 > 0.0 && map.range.0 == -map.range.1);
    assert!(map.values.iter().any(|it| it.is_nan()) && map.values.iter().any(|it| it.is_finite()));
    assert!(map.values.iter().all(|it| it.is_nan() || it.abs() <= map.range.1));
    assert_eq!(figure.warnings.len(), 1);
    assert!(figure.warnings[0].starts_with("The inverse is not recalled"));
    assert!(figure.notes[0].starts_with("Spearman"));
    assert!(figure.notes[1].starts_with("Fact recalled"), "{:?}", figure.notes);
    assert!(figure.notes.iter().any(|it| it.contains("Paris is the capital of")));
}
