//! Laws of the corruption bench, the same trace under several corruptions, for any weights.

use std::cell::{Cell, RefCell};

use factscope::analysis::causal_trace::{self, Component, Direction, Map, NoiseLevel};
use factscope::analysis::corruption::{Corruption, SubjectsOf};
use factscope::analysis::corruption_bench::{Compared, CorruptionBench, Entry, LeftOut, Spec};
use factscope::analysis::effects::Effects;
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, Method as _, Metric,
    Positions, Reuse,
};
use factscope::figure::{Chart, Effect, Figure, Look};
use factscope::intervention::NoiseRng;
use factscope::task::{CancelToken, Cancelled, TaskCtx};
use factscope::tokens::TokenizedPrompt;

use super::support::{answer_of, assert_close, assert_far, engine, fixture, lab, load, prompt};

/// Sums in another order.
const LOGIT: f32 = 1e-4;

fn seine() -> TokenizedPrompt {
    let mut seine = prompt("The Seine is in", "Seine", None);
    seine.answer = Some(answer_of(&[300, 41]));
    seine
}

fn entry(name: &str, corruption: Corruption) -> Entry {
    let n_samples = if corruption.is_drawn() { 3 } else { 1 };
    Entry { name: name.to_owned(), corruption, n_samples }
}

fn spec(prompt: &TokenizedPrompt) -> Spec {
    let n_subject = prompt.subject.clone().unwrap().len() as u32;
    let other = |nth: u32| (0..n_subject).map(|it| 11 + 37 * nth + 101 * it).collect::<Vec<_>>();
    let others: Vec<Vec<u32>> = (0..5).map(other).collect();
    Spec {
        trace: causal_trace::Spec {
            component: Component::Mlp,
            window: 3,
            noise: NoiseLevel::Multiple { factor: 3.0, tokens: [5, 90, 300, 411].into() },
            rng: NoiseRng::Numpy,
            seed: 1,
            n_samples: 3,
            direction: Direction::Denoise,
            sever: None,
            sever_layers: None,
            corruption: Corruption::default(),
            map: Map::Tokens,
        },
        corruptions: vec![
            entry("noise", Corruption::default()),
            entry("other", Corruption::Counterpart { ids: others[0].as_slice().into() }),
            entry(
                "others",
                Corruption::OtherSubjects { of: SubjectsOf::Relation, ids: others.into() },
            ),
            entry("random", Corruption::RandomTokens),
            entry("mean", Corruption::Mean { tokens: [5, 90, 300].into() }),
            entry("zero", Corruption::Zero),
        ],
        windows: vec![1, 3],
        left_out: Vec::new(),
    }
}

fn run(prompt: &TokenizedPrompt, spec: &Spec, reuse: Reuse) -> CorruptionBench {
    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
    match engine("tiny").run(prompt, &AnalysisSpec::CorruptionBench(spec.clone()), &ctx) {
        Ok(AnalysisResult::CorruptionBench(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn logits(runs: &[Measurement]) -> Vec<f32> {
    runs.iter().flat_map(|it| [it.logit, it.log_prob]).collect()
}

#[test]
fn each_map_is_the_trace_of_its_corruption_and_window() {
    let prompt = seine();
    let spec = spec(&prompt);
    let found = run(&prompt, &spec, Reuse::Exact);
    assert_eq!(found.maps.len(), 12);
    assert_eq!(found.left_out, []);
    let engine = engine("tiny");
    let mut nth = 0;
    for entry in &spec.corruptions {
        for &window in &spec.windows {
            let map = &found.maps[nth];
            assert_eq!((&map.name, map.window), (&entry.name, window));
            let alone = AnalysisSpec::CausalTrace(causal_trace::Spec {
                window,
                corruption: entry.corruption.clone(),
                n_samples: entry.n_samples,
                ..spec.trace.clone()
            });
            let alone = engine.run(&prompt, &alone, &AnalysisCtx::unwatched()).unwrap();
            assert_eq!(alone, AnalysisResult::CausalTrace(map.trace.clone()), "{}", map.name);
            nth += 1;
        }
    }
    let scores = |nth: usize| {
        let cells = found.maps[nth].trace.restored.values().iter();
        logits(&cells.flatten().copied().collect::<Vec<_>>())
    };
    assert_far(&scores(0), &scores(1), "windows");
    assert_far(&scores(10), &scores(8), "corruptions");
}

#[test]
fn the_bench_is_the_same_with_and_without_reuse() {
    let prompt = seine();
    for component in [Component::Mlp, Component::Attn] {
        let mut spec = spec(&prompt);
        spec.trace.component = component;
        let [reused, naive] = [Reuse::Exact, Reuse::Off].map(|it| run(&prompt, &spec, it));
        for (a, b) in reused.maps.iter().zip(&naive.maps) {
            let cells = |map: &factscope::analysis::corruption_bench::BenchMap| {
                logits(&map.trace.restored.values().concat())
            };
            assert_close(&cells(a), &cells(b), LOGIT, &a.name);
        }
        for metric in [Metric::Prob, Metric::Logit] {
            for compared in Compared::ALL {
                let of = |it: &CorruptionBench| {
                    let found = it.correlations(metric, compared).unwrap();
                    let values = found.spearman.values().iter();
                    values.map(|it| it.map(|it| it as f32)).collect::<Vec<_>>()
                };
                let (one, other) = (of(&reused), of(&naive));
                // The probability is hardly changed in so small a model.
                assert!(metric == Metric::Prob || one.iter().any(Option::is_some));
                let is_none =
                    |all: &[Option<f32>]| all.iter().map(Option::is_none).collect::<Vec<_>>();
                assert_eq!(is_none(&one), is_none(&other));
                let [one, other] =
                    [one, other].map(|it| it.into_iter().flatten().collect::<Vec<_>>());
                // A cell or two may fall into the next step, and change places with few others.
                assert_close(&one, &other, 0.02, metric.key());
            }
        }
    }
}

#[test]
fn correlations_are_of_the_cells_that_the_subject_reaches() {
    let prompt = seine();
    let found = run(&prompt, &spec(&prompt), Reuse::Exact);
    let n = found.maps.len();
    let start = prompt.subject.clone().unwrap().start;
    assert!(start > 0);
    for metric in [Metric::Prob, Metric::LogProb, Metric::Logit, Metric::Rank, Metric::Kl] {
        for compared in Compared::ALL {
            let it = found.correlations(metric, compared).unwrap();
            assert_eq!(it.n_cells, 4 * (prompt.n_pos() - start));
            for a in 0..n {
                let of = |b: usize| *it.spearman.get(a, b).unwrap();
                let is_defined = compared == Compared::Score
                    || Effects::of(&found.maps[a].trace, metric).unwrap().total.abs()
                        >= metric.least_total();
                match of(a) {
                    Some(own) => assert!(is_defined && (own - 1.0).abs() < 1e-9, "{metric:?}"),
                    None => assert!((0..n).all(|b| of(b).is_none()), "{metric:?}"),
                }
                assert!((0..n).all(|b| of(b) == *it.spearman.get(b, a).unwrap()));
            }
        }
    }
    // There is no foil.
    assert_eq!(found.correlations(Metric::LogitDiff, Compared::Score), None);

    // The share that comes back goes the other way where the corruption helps the answer.
    let total = |nth: usize| Effects::of(&found.maps[nth].trace, Metric::Logit).unwrap().total;
    let of = |compared| found.correlations(Metric::Logit, compared).unwrap().spearman;
    let (score, recovery) = (of(Compared::Score), of(Compared::Recovery));
    for a in 0..n {
        for b in 0..n {
            let (Some(one), Some(other)) =
                (*score.get(a, b).unwrap(), *recovery.get(a, b).unwrap())
            else {
                continue;
            };
            let sign = f64::from(total(a) * total(b)).signum();
            assert!((one * sign - other).abs() < 1e-9);
        }
    }
}

#[test]
fn what_cannot_be_made_is_left_out_with_the_reason() {
    let prompt = seine();
    let mut spec = spec(&prompt);
    let noted = LeftOut { name: "same relation".to_owned(), reason: "there is none".to_owned() };
    spec.left_out = vec![noted.clone()];
    spec.corruptions[1].corruption = Corruption::Counterpart { ids: [1, 2, 3, 4, 5, 6].into() };
    let found = run(&prompt, &spec, Reuse::Exact);
    assert_eq!(found.maps.len(), 10);
    assert_eq!(found.left_out.len(), 2);
    assert_eq!(found.left_out[0], noted);
    assert_eq!(found.left_out[1].name, "other");
    assert!(found.left_out[1].reason.contains("cannot stand in place"));
    let engine = engine("tiny");
    let look = Look { effect: Effect::Recovery, ..Look::new(&engine.info.tokenizer) };
    let result = AnalysisResult::CorruptionBench(found);
    let figure = Figure::of(&result, &look);
    assert!(figure.warnings.iter().any(|it| it.contains("same relation, other")));
    let small: Vec<_> = figure
        .charts
        .iter()
        .filter_map(|chart| match chart {
            Chart::Map(map) if map.is_small => Some(map),
            _ => None,
        })
        .collect();
    assert_eq!(small.len(), 10);
    assert!(small.iter().all(|map| map.range == small[0].range));
}

#[test]
fn a_cancelled_bench_keeps_the_maps_that_are_finished() {
    let prompt = seine();
    let spec = spec(&prompt);
    let cancel = CancelToken::default();
    let last = RefCell::new(None);
    let reported = Cell::new(0.0);
    let task = TaskCtx {
        cancel: cancel.clone(),
        report: &|it| {
            assert!(it.fraction() >= reported.get() && it.done <= it.total);
            reported.set(it.fraction());
        },
    };
    let partial = |result| {
        let AnalysisResult::CorruptionBench(it) = result else { panic!("another result") };
        if it.maps.len() == 3 {
            cancel.cancel();
        }
        last.replace(Some(it));
    };
    let ctx = AnalysisCtx { task, partial: &partial, ..AnalysisCtx::unwatched() };
    let found = engine("tiny").run(&prompt, &AnalysisSpec::CorruptionBench(spec.clone()), &ctx);
    assert_eq!(found, Err(AnalysisError::Cancelled(Cancelled)));
    let kept = last.into_inner().unwrap();
    assert_eq!(kept.maps, run(&prompt, &spec, Reuse::Exact).maps[..3]);
    assert!(reported.get() > 0.0 && reported.get() < 1.0);
}

#[test]
fn a_bench_that_asks_for_nothing_or_for_the_same_twice_is_refused() {
    let prompt = seine();
    let model = load(&fixture("tiny"));
    let good = spec(&prompt);
    let refused = |change: &dyn Fn(&mut Spec)| {
        let mut spec = good.clone();
        change(&mut spec);
        spec.run(&lab(&model, &prompt, &AnalysisCtx::unwatched())).unwrap_err()
    };
    let none = |what| AnalysisError::Zero { what };
    assert_eq!(
        refused(&|it| it.corruptions.clear()),
        none("the number of corruptions that can be made")
    );
    assert_eq!(refused(&|it| it.windows.clear()), none("the number of windows"));
    assert_eq!(refused(&|it| it.windows = vec![1, 0]), none("the window"));
    assert_eq!(refused(&|it| it.corruptions[0].n_samples = 0), none("the number of samples"));
    assert_eq!(refused(&|it| it.corruptions[5].n_samples = 2), AnalysisError::SameEachTime);
    assert_eq!(refused(&|it| it.trace.component = Component::Hidden), AnalysisError::NoWindow);
    assert!(matches!(refused(&|it| it.windows = vec![3, 3]), AnalysisError::Twice { .. }));
    assert!(matches!(
        refused(&|it| it.corruptions[2].name = "noise".to_owned()),
        AnalysisError::Twice { .. }
    ));
    assert_eq!(
        refused(&|it| it.trace.map = Map::Heads { at: Positions::All }),
        AnalysisError::NotOfTokens { done: "compared" }
    );
}
