//! A fact's trace minus its inverse's, and of one model minus another's.

use factscope::analysis::causal_trace::{
    self, CausalTrace, Component, Direction, Map, NoiseLevel, Severed,
};
use factscope::analysis::comparison::{self, MapSpec, trace_difference};
use factscope::analysis::corruption::Corruption;
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Grid, Measurement, Metric, Positions,
    Reuse,
};
use factscope::figure::{Chart, Figure, Look};
use factscope::intervention::NoiseRng;
use factscope::tokens::TokenizedPrompt;

use super::support::{answer_of, assert_far, engine, prompt, traced};

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
    traced(prompt, spec, Reuse::Exact).unwrap()
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
            mapped: comparison::Mapped::Prompts,
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
    assert_eq!(refused(&other), AnalysisError::NotOfTokens { done: "compared" });
    let second = trace(&inverse, &spec());
    let no_foil = trace_difference([&first, &second], Metric::LogitDiff);
    assert_eq!(no_foil, Err(AnalysisError::NoFoil));
}

/// A trace of a model with more layers, whose effects are given.
fn deeper(trace: &CausalTrace, n_layers: usize, effect: impl Fn(f32) -> f32) -> CausalTrace {
    let n_pos = trace.prompt.n_pos();
    let low = Measurement::mean(&trace.corrupted, Metric::Logit).unwrap();
    let cells = (0..n_layers * n_pos).map(|cell| {
        let depth = (cell / n_pos + 1) as f32 / n_layers as f32;
        vec![Measurement { logit: low + effect(depth), ..trace.clean }]
    });
    CausalTrace { restored: Grid::new(n_pos, cells.collect()), ..trace.clone() }
}

/// A straight line is met everywhere by lines between its points.
#[test]
fn hidden_states_of_models_of_other_depths_are_compared_where_as_much_is_passed() {
    let spec = causal_trace::Spec { component: Component::Hidden, window: 1, ..spec() };
    let own = trace(&france(), &spec);
    let line = |depth: f32| 3.0 * depth - 1.0;
    for (few, many) in [(4, 8), (4, 6), (12, 36), (24, 36), (5, 7)] {
        let [few, many] = [few, many].map(|n_layers| deeper(&own, n_layers, line));
        let found = trace_difference([&few, &many], Metric::Logit).unwrap();
        assert!(found.is_by_depth());
        assert_eq!(found.difference.n_columns(), few.restored.n_rows());
        for (a, b) in found.maps[0].values().iter().zip(found.maps[1].values()) {
            assert!((a.unwrap() - b.unwrap()).abs() < 1e-4, "{a:?} {b:?}");
        }
        // All is passed at the end of both.
        let last = found.difference.n_columns() - 1;
        assert_eq!(found.place(1, last), (many.restored.n_rows() - 1, 0.0));
        let turned = trace_difference([&many, &few], Metric::Logit).unwrap();
        assert_eq!(turned.difference, found.difference.map(|it| it.map(|it| -it)));
    }
    // Every second layer of a model of twice as many is at one of the first's, to the bit.
    let curve = |depth: f32| depth.powi(3);
    let [few, many] = [4, 8].map(|n_layers| deeper(&own, n_layers, curve));
    let found = trace_difference([&few, &many], Metric::Logit).unwrap();
    assert!(found.difference.values().iter().flatten().all(|it| *it == 0.0));
    assert_eq!((0..4).map(|it| found.place(1, it).0).collect::<Vec<_>>(), [1, 3, 5, 7]);

    let engine = engine("tiny");
    let look = Look { metric: Metric::Logit, ..Look::new(&engine.info.tokenizer) };
    let figure = Figure::of_difference(&found, ["first", "second"], &few, &look);
    let [Chart::Map(map)] = figure.charts.as_slice() else { panic!("{:?}", figure.charts) };
    assert_eq!(map.columns.labels, ["25 %", "50 %", "75 %", "100 %"]);
    assert!(map.details[1].contains("First, layer 1  "), "{}", map.details[1]);
    assert!(map.details[1].contains("Second, layer 3  "), "{}", map.details[1]);

    // A window of layers is no share of a model.
    let windows = causal_trace::Spec { component: Component::Mlp, ..own.spec.clone() };
    let severed = causal_trace::Spec { sever_layers: Some(2), ..own.spec.clone() };
    for spec in [windows, severed] {
        let traces = [&few, &many].map(|it| CausalTrace { spec: spec.clone(), ..it.clone() });
        let error = trace_difference([&traces[0], &traces[1]], Metric::Logit).unwrap_err();
        assert_eq!(error, AnalysisError::OtherDepth { n_layers: [4, 8] });
    }
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
    let figure = Figure::of_difference(&it, comparison::Second::Inverse.names(), &a, &look);
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
