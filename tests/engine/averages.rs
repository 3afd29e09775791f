//! Laws of traces averaged over facts, which hold for any weights.

use std::collections::BTreeSet;
use std::sync::Arc;

use factscope::analysis::causal_trace::{self, CausalTrace, Component, Direction, NoiseLevel};
use factscope::analysis::corruption::Corruption;
use factscope::analysis::trace_average::{
    AskedFact, Averages, Cause, FactDraws, Kept, LeftOut, Spec, TraceAverage,
};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Estimate, Measurement, Metric, Reuse,
    Role,
};
use factscope::builtin;
use factscope::facts::{Dataset, Direction as Asked};
use factscope::figure::{Cell, Chart, Figure, Look};
use factscope::task::TaskCtx;
use factscope::tokens::{Bos, TokenizedPrompt};
use factscope::worker::{DeviceChoice, Engine};

use super::support::{answer_of, engine, prompt, trace_spec};

mod leaving_out;

const LAYERS: usize = 4;
const COMPONENTS: [Component; 3] = [Component::Hidden, Component::Mlp, Component::Attn];

fn asked(prompt: TokenizedPrompt) -> AskedFact {
    AskedFact { prompt, right: Vec::new(), corruption: None }
}

/// A subject of many tokens and of one, at the start and in the middle, with much after it and with
/// one token.
fn facts() -> Vec<AskedFact> {
    let text = |text, subject| {
        let mut prompt = prompt(text, subject, None);
        prompt.answer = Some(answer_of(&[300, 41]));
        prompt.foil = Some(answer_of(&[17]));
        asked(prompt)
    };
    let mut short = text("In Paris it is", "Paris");
    short.prompt.subject = Some(1..2);
    let mut at_end = text("The Seine is in", "Seine");
    at_end.prompt.subject = Some(2..at_end.prompt.n_pos() - 1);
    vec![text("Paris is the capital of", "Paris"), text("The Seine is in", "Seine"), short, at_end]
}

fn spec(facts: Vec<AskedFact>) -> Spec {
    Spec {
        trace: trace_spec(Component::Hidden, 2, 2),
        components: COMPONENTS.into(),
        facts: facts.into(),
        kept: Kept::All,
        draws: FactDraws::Shared,
        left_out: [].into(),
        sample: None,
    }
}

fn run_with(spec: &Spec, reuse: Reuse) -> TraceAverage {
    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
    // What it is run on is of no matter.
    let spec = AnalysisSpec::TraceAverage(spec.clone());
    match engine("tiny").run(&TokenizedPrompt::empty(), &spec, &ctx) {
        Ok(AnalysisResult::TraceAverage(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn run(spec: &Spec) -> TraceAverage {
    run_with(spec, Reuse::Exact)
}

fn error(spec: &Spec) -> AnalysisError {
    let spec = AnalysisSpec::TraceAverage(spec.clone());
    engine("tiny")
        .run(&TokenizedPrompt::empty(), &spec, &AnalysisCtx::unwatched())
        .expect_err("this cannot be averaged")
}

/// Each fact's own.
fn traces(spec: &Spec, component: Component) -> Vec<CausalTrace> {
    let engine = engine("tiny");
    let trace = |fact: &AskedFact| {
        let trace = causal_trace::Spec { component, ..spec.trace.clone() };
        let trace = AnalysisSpec::CausalTrace(trace);
        match engine.run(&fact.prompt, &trace, &AnalysisCtx::unwatched()) {
            Ok(AnalysisResult::CausalTrace(trace)) => trace,
            other => panic!("{other:?}"),
        }
    };
    spec.facts.iter().map(trace).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn score(trace: &CausalTrace, layer: usize, pos: usize, metric: Metric) -> f64 {
    let runs = trace.restored.get(layer, pos).unwrap();
    mean(&runs.iter().map(|run| f64::from(run.get(metric).unwrap())).collect::<Vec<_>>())
}

fn low(trace: &CausalTrace, metric: Metric) -> f64 {
    f64::from(Measurement::mean(&trace.corrupted, metric).unwrap())
}

/// Sums in another order, as in the laws of single traces.
#[track_caller]
fn assert_near(found: f64, expected: f64, metric: Metric, what: &str) {
    let allowed = match metric {
        Metric::Prob | Metric::AnswerProb => 5e-6,
        _ => 1e-4,
    };
    let difference = (found - expected).abs();
    assert!(difference <= allowed, "{what}, {metric:?}: {found} and not {expected}");
}

/// Written out: which tokens are what.
fn positions(fact: &AskedFact, role: Role) -> Vec<usize> {
    let (subject, last) = (fact.prompt.subject.clone().unwrap(), fact.prompt.last());
    assert!(subject.end <= last, "no prompt here ends with its subject");
    match role {
        Role::SubjectFirst if subject.len() > 1 => vec![subject.start],
        Role::SubjectMiddle if subject.len() > 2 => (subject.start + 1..subject.end - 1).collect(),
        Role::SubjectLast => vec![subject.end - 1],
        Role::After if subject.end < last => vec![subject.end],
        Role::Further => (subject.end + 1..last).collect(),
        Role::Last => vec![last],
        _ => Vec::new(),
    }
}

#[test]
fn each_cell_is_the_mean_of_the_facts_own_traces_over_the_tokens_of_a_role() {
    let spec = spec(facts());
    let found = run(&spec);
    assert_eq!((found.facts.len(), found.left_out.len(), found.n_layers), (4, 0, LAYERS));
    let mut seen = BTreeSet::new();
    for (nth, component) in COMPONENTS.into_iter().enumerate() {
        let traces = traces(&spec, component);
        for metric in Metric::ALL {
            let averages = found.averages(nth, metric).unwrap();
            let highs: Vec<f64> =
                traces.iter().map(|it| f64::from(it.clean.get(metric).unwrap())).collect();
            let lows: Vec<f64> = traces.iter().map(|it| low(it, metric)).collect();
            let totals: Vec<f64> = highs.iter().zip(&lows).map(|(a, b)| a - b).collect();
            assert_near(averages.clean.mean, mean(&highs), metric, "clean");
            assert_near(averages.corrupted.mean, mean(&lows), metric, "corrupted");
            assert_near(averages.total.mean, mean(&totals), metric, "total");
            for (row, &role) in averages.roles.iter().enumerate() {
                seen.insert(role);
                let places: Vec<Vec<usize>> =
                    spec.facts.iter().map(|fact| positions(fact, role)).collect();
                let n_facts = places.iter().filter(|it| !it.is_empty()).count();
                assert_eq!(averages.n_facts[row], n_facts, "{role}");
                assert_eq!(averages.n_tokens[row], places.iter().map(Vec::len).sum::<usize>());
                for layer in 0..LAYERS {
                    let effects: Vec<f64> = traces
                        .iter()
                        .zip(&places)
                        .filter(|(_, places)| !places.is_empty())
                        .map(|(trace, places)| {
                            let scores: Vec<f64> = places
                                .iter()
                                .map(|&pos| score(trace, layer, pos, metric))
                                .collect();
                            mean(&scores) - low(trace, metric)
                        })
                        .collect();
                    let expected = mean(&effects);
                    let it = averages.indirect.get(row, layer).unwrap();
                    let what = format!("{component:?} {role}, layer {layer}");
                    assert_near(it.mean, expected, metric, &what);
                    assert_eq!(it.n, n_facts);
                    let n = n_facts as f64;
                    let squares: f64 = effects.iter().map(|it| (it - expected).powi(2)).sum();
                    let error = (squares / (n - 1.0) / n).sqrt();
                    if n_facts > 1 {
                        assert_near(it.standard_error(), error, metric, &what);
                        assert_near(it.high - it.mean, 1.96 * error, metric, &what);
                    } else {
                        assert!(it.low.is_nan() && it.high.is_nan(), "{what}");
                    }
                }
            }
        }
    }
    let all = [
        Role::SubjectFirst,
        Role::SubjectMiddle,
        Role::SubjectLast,
        Role::After,
        Role::Further,
        Role::Last,
    ];
    assert_eq!(seen, all.into(), "every role is tested");
}

/// The notebook's own indices.
#[test]
fn as_rome_counts_tokens_as_the_notebook_does() {
    let spec = spec(facts());
    let found = run(&spec);
    let mut differs = false;
    for (nth, component) in COMPONENTS.into_iter().enumerate() {
        let traces = traces(&spec, component);
        let metric = Metric::Prob;
        let averages = found.as_rome(nth, metric).unwrap();
        assert_eq!(averages.size, 4);
        assert_near(
            averages.low_score,
            mean(&traces.iter().map(|it| low(it, metric)).collect::<Vec<_>>()),
            metric,
            "low_score",
        );
        for row in 0..6 {
            for layer in 0..LAYERS {
                let scores = traces.iter().flat_map(|trace| {
                    let subject = trace.prompt.subject.clone().unwrap();
                    let last = trace.prompt.last();
                    let places = match row {
                        0 => subject.start..subject.start + 1,
                        1 => subject.start + 1..subject.end - 1,
                        2 => subject.end - 1..subject.end,
                        3 => subject.end..subject.end + 1,
                        4 => subject.end + 1..last,
                        _ => last..last + 1,
                    };
                    places.map(move |pos| score(trace, layer, pos, metric))
                });
                let expected = mean(&scores.collect::<Vec<_>>());
                let it = *averages.result.get(row, layer).unwrap();
                assert_near(
                    it,
                    expected,
                    metric,
                    &format!("{component:?} row {row}, layer {layer}"),
                );
            }
        }
        // A subject of one token is its own first.
        let own = found.averages(nth, metric).unwrap();
        differs |= own.n_facts[0] < averages.size;
    }
    assert!(differs);
    let none = run(&Spec { facts: [].into(), left_out: left_out(), ..spec });
    assert_eq!((none.as_rome(0, Metric::Prob), none.averages(0, Metric::Prob)), (None, None));
}

/// The answer is read from nothing else.
fn left_out() -> Arc<[LeftOut]> {
    let (prompt, reason) = ("x".to_owned(), "y".to_owned());
    [LeftOut { prompt, cause: Cause::NotTraced, reason }].into()
}

#[test]
fn the_last_state_of_the_last_token_brings_all_of_the_answer_back() {
    for direction in Direction::ALL {
        let mut spec = spec(facts());
        spec.trace.direction = direction;
        let found = run(&spec);
        for metric in [Metric::LogProb, Metric::Logit, Metric::LogitDiff] {
            let Averages { total, roles, indirect, .. } = found.averages(0, metric).unwrap();
            assert_eq!(roles.last(), Some(&Role::Last));
            let end = indirect.get(roles.len() - 1, LAYERS - 1).unwrap();
            assert!(total.mean.abs() > 1e-3, "{total:?}");
            for (found, expected) in [(end.mean, total.mean), (end.high, total.high)] {
                let tolerance = 1e-4 * expected.abs().max(0.1);
                assert!((found - expected).abs() < tolerance, "{metric:?} {found} {expected}");
            }
        }
    }
}

#[test]
fn reuse_changes_no_average() {
    let spec = spec(facts());
    let (exact, naive) = (run(&spec), run_with(&spec, Reuse::Off));
    for nth in 0..COMPONENTS.len() {
        for (metric, tolerance) in [(Metric::Prob, 1e-5), (Metric::Logit, 1e-4)] {
            let [a, b] = [&exact, &naive].map(|it| it.averages(nth, metric).unwrap().indirect);
            for (a, b) in a.values().iter().zip(b.values()) {
                assert!((a.mean - b.mean).abs() < tolerance, "{metric:?} {a:?} {b:?}");
            }
        }
    }
}

/// Each as a trace of its own by the seed that a result's file names, whichever facts are asked beside.
#[test]
fn facts_have_draws_of_their_own() {
    let spec = Spec { draws: FactDraws::Anew, ..spec(facts()) };
    let seeds: BTreeSet<u32> = spec.facts.iter().map(|fact| spec.seed_of(fact)).collect();
    assert_eq!(seeds.len(), spec.facts.len());
    let found = run(&spec);
    for (nth, fact) in spec.facts.iter().enumerate() {
        let trace = causal_trace::Spec { seed: spec.seed_of(fact), ..spec.trace.clone() };
        let alone = run(&Spec { trace, ..self::spec(vec![fact.clone()]) });
        assert_eq!(found.facts[nth].readings, alone.facts[0].readings, "fact {nth}");
    }
    let other =
        Spec { trace: causal_trace::Spec { seed: 2, ..spec.trace.clone() }, ..spec.clone() };
    assert_ne!(run(&other).facts[0].readings, found.facts[0].readings);
    assert_ne!(run(&self::spec(facts())).facts[0].readings, found.facts[0].readings);
}

/// The means of other seeds lie within their standard error where each fact has draws of its own, and
/// further apart where facts share them.
#[test]
fn means_spread_over_seeds_as_their_intervals_say() {
    const N_SEEDS: u32 = 8;
    let dir = builtin::FACTS.name.as_ref();
    let engine = Engine::load(dir, DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap();
    let facts = Dataset::bundled().records.into_iter().take(120).filter_map(|record| {
        let fact = record.fact(Asked::Forward)?;
        let answers = record.answers(Asked::Forward);
        AskedFact::new(&engine.info.tokenizer, fact, answers, Bos::Off).ok()
    });
    let facts: Vec<AskedFact> = facts.collect();
    let of = |draws: FactDraws| {
        let estimates: Vec<Estimate> = (1..=N_SEEDS)
            .map(|seed| {
                let trace = causal_trace::Spec {
                    seed,
                    noise: NoiseLevel::Std(0.2125),
                    ..trace_spec(Component::Mlp, 2, 1)
                };
                let components = vec![Component::Mlp];
                let spec =
                    Spec { trace, components, kept: Kept::Known, draws, ..spec(facts.clone()) };
                let spec = AnalysisSpec::TraceAverage(spec);
                let ctx = AnalysisCtx::unwatched();
                let AnalysisResult::TraceAverage(found) =
                    engine.run(&TokenizedPrompt::empty(), &spec, &ctx).unwrap()
                else {
                    unreachable!("averages were asked for");
                };
                let averages = found.averages(0, Metric::Prob).unwrap();
                let row = averages.roles.iter().position(|it| *it == Role::SubjectLast).unwrap();
                *averages.indirect.get(row, 0).unwrap()
            })
            .collect();
        let means: Vec<f64> = estimates.iter().map(|it| it.mean).collect();
        let center = mean(&means);
        let squares: f64 = means.iter().map(|it| (it - center).powi(2)).sum();
        let spread = (squares / f64::from(N_SEEDS - 1)).sqrt();
        let error = mean(&estimates.iter().map(Estimate::standard_error).collect::<Vec<_>>());
        (spread, error)
    };
    // 0.020 and 0.025 for 90 facts; 0.086 and 0.026 where draws are shared.
    let (spread, error) = of(FactDraws::Anew);
    assert!(spread <= error, "{spread} > {error}");
    let (shared, error) = of(FactDraws::Shared);
    assert!(shared > 1.3 * error && shared > 2.0 * spread, "{shared}, {error}, {spread}");
}

#[test]
fn a_fact_may_bring_its_own_corruption() {
    let mut facts = facts();
    facts.truncate(1);
    let n = facts[0].prompt.subject.clone().unwrap().len() as u32;
    let ids: Vec<u32> = (40..40 + n).collect();
    let counterpart = Corruption::Counterpart { ids: ids.as_slice().into() };
    facts[0].corruption = Some(counterpart.clone());
    let mut own = spec(facts.clone());
    own.trace.n_samples = 1;
    facts[0].corruption = None;
    let mut shared = spec(facts);
    shared.trace.n_samples = 1;
    let noise = run(&shared);
    shared.trace.corruption = counterpart;
    let [own, shared, noise] = [run(&own), run(&shared), noise]
        .map(|it| it.averages(1, Metric::Logit).unwrap().indirect.map(|it| it.mean));
    assert_eq!(own, shared);
    assert_ne!(own, noise);
}

#[test]
fn the_figure_shows_every_mean_with_its_interval() {
    let spec = spec(facts());
    let found = run(&spec);
    let engine = engine("tiny");
    let figure = Figure::of(
        &AnalysisResult::TraceAverage(found.clone()),
        &Look { metric: Metric::Logit, ..Look::new(&engine.info.tokenizer) },
    );
    assert!(figure.is_whole() && figure.title.contains("4 facts"), "{}", figure.title);
    let charts = |nth: usize| (&figure.charts[nth], &figure.charts[COMPONENTS.len() + nth]);
    for (nth, component) in COMPONENTS.into_iter().enumerate() {
        let averages = found.averages(nth, Metric::Logit).unwrap();
        let (Chart::Map(map), Chart::Lines(lines)) = charts(nth) else { panic!("{component:?}") };
        let means: Vec<f32> = averages.indirect.values().iter().map(|it| it.mean as f32).collect();
        assert_eq!(map.values, means);
        assert_eq!((map.n_rows(), map.n_columns()), (averages.roles.len(), LAYERS));
        assert!(map.name.contains("window 2") == (component != Component::Hidden), "{}", map.name);
        for ((series, role), row) in
            lines.series.iter().zip(&averages.roles).zip(averages.indirect.rows())
        {
            assert_eq!(series.name, role.to_string());
            for (layer, it) in row.iter().enumerate() {
                assert_eq!(series.values[layer], it.mean as f32);
                let ends = [it.low, it.high].map(|end| (end as f32).to_bits());
                let band = series.band[layer];
                assert_eq!([band.0, band.1].map(f32::to_bits), ends);
            }
        }
    }
    let totals = figure.charts.iter().find_map(|chart| match chart {
        Chart::Table(table) if table.name == "Total effect" => Some(&table.rows[2].cells[1]),
        _ => None,
    });
    let total = found.averages(0, Metric::Logit).unwrap().total.mean as f32;
    assert_eq!(totals, Some(&Cell::Number(total)));
}
