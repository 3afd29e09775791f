//! What `AtP*` and the estimates of edges have in common: corruptions, runs, errors, progress.

use factscope::analysis::atp_star::{self, AtpStar};
use factscope::analysis::causal_trace::{self, Component};
use factscope::analysis::corruption::{
    Closeness, Corrupted, Corruption, NoiseEntry, NoiseShape, SubjectsOf,
};
use factscope::analysis::edge_attribution::{self, EdgeAttribution, EdgeBase};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Contrast, Measurement, Metric,
};
use factscope::tokens::TokenizedPrompt;

use super::edge_estimates::edges;
use super::estimates::{analyse, corrupted_by, noise, star};
use super::support::{
    assert_close, assert_far, assert_watched, engine, paris_or, seine, trace_spec,
};

/// Sessions and scripts find what is measured of the runs beside the rest of a result.
#[test]
fn estimates_are_stored_flat() {
    let keys = |json: &serde_json::Value| -> Vec<String> {
        json.as_object().unwrap().keys().cloned().collect()
    };
    let prompt = paris_or(12);
    let star = star(&prompt, noise(1.0, 2), Metric::Logit, 0);
    let edges = edges(&prompt, noise(1.0, 2), Metric::Logit, EdgeBase::Clean, 3, 0);
    let [star, edges] =
        [serde_json::to_value(star), serde_json::to_value(edges)].map(Result::unwrap);
    for json in [&star, &edges] {
        for key in ["noise_std", "corruptions", "clean", "corrupted"] {
            assert!(keys(json).iter().any(|it| it == key), "{key}: {:?}", keys(json));
        }
        assert_eq!(json["corrupted"].as_array().unwrap().len(), 2);
    }
    assert_eq!((keys(&star).len(), keys(&edges).len()), (10, 13));
    assert!(serde_json::from_value::<AtpStar>(star).is_ok());
    assert!(serde_json::from_value::<EdgeAttribution>(edges).is_ok());
}

/// What follows from the clean run's gradient is linear in the corrupted activations.
#[test]
fn other_subjects_are_estimated_as_their_prompts_are_and_averaged() {
    let prompt = paris_or(12);
    let subjects: [Vec<u32>; 3] = [vec![5, 90, 300], vec![411, 12, 8], vec![77, 5, 201]];
    let others = Corruption::OtherSubjects {
        of: SubjectsOf::Relation,
        ids: subjects.iter().cloned().collect(),
    };
    let drawn = star(&prompt, corrupted_by(others.clone(), 1.0, 3), Metric::Logit, 4);
    let read = |it: &AtpStar, of: fn(&atp_star::Effect) -> f32| -> Vec<f32> {
        let grids = it.effects.iter().flatten();
        grids.flat_map(|grid| grid.values().iter().map(of).collect::<Vec<_>>()).collect()
    };
    let mean = |all: Vec<Vec<f32>>| -> Vec<f32> {
        let n = all.len() as f32;
        (0..all[0].len()).map(|nth| all.iter().map(|it| it[nth]).sum::<f32>() / n).collect()
    };
    let ids_of = |it: &Corrupted| match it {
        Corrupted::Prompt { ids, tokens } => {
            assert_eq!(tokens.len(), ids.len());
            ids.clone()
        }
        Corrupted::Vectors { .. } => panic!("it is a prompt"),
    };
    let prompts: Vec<Vec<u32>> = drawn.runs.corruptions.iter().map(ids_of).collect();
    for subject in &subjects {
        assert!(prompts.iter().any(|ids| ids[..3] == subject[..] && ids[3..] == prompt.ids[3..]));
    }
    let singles: Vec<AtpStar> = prompts
        .iter()
        .map(|ids| star(&prompt, Contrast::Prompt { ids: ids.as_slice().into() }, Metric::Logit, 0))
        .collect();
    let estimates: [fn(&atp_star::Effect) -> f32; 3] = [|it| it.plain, |it| it.fixed, |it| it.size];
    for of in estimates {
        let expected = mean(singles.iter().map(|it| read(it, of)).collect());
        assert_far(&expected, &vec![0.0; expected.len()], "effects");
        assert_close(&read(&drawn, of), &expected, 1e-4, "the mean");
    }

    let of = |contrast| edges(&prompt, contrast, Metric::Logit, EdgeBase::Clean, 100_000, 0);
    let drawn = of(corrupted_by(others, 1.0, 3));
    let score = |it: &EdgeAttribution| -> Vec<f32> {
        let mut edges = it.edges.clone();
        edges.sort_by_key(|it| (it.from, it.to));
        edges.iter().map(|it| it.score).collect()
    };
    let singles = prompts.iter().map(|ids| of(Contrast::Prompt { ids: ids.as_slice().into() }));
    assert_close(&score(&drawn), &mean(singles.map(|it| score(&it)).collect()), 1e-4, "edges");

    // One counterpart is the prompt with it.
    let counterpart = Corruption::Counterpart { ids: subjects[1].as_slice().into() };
    let replaced = [&subjects[1][..], &prompt.ids[3..]].concat();
    let one = star(&prompt, corrupted_by(counterpart, 1.0, 1), Metric::Logit, 0);
    let same = star(&prompt, Contrast::Prompt { ids: replaced.into() }, Metric::Logit, 0);
    assert_eq!(one.effects, same.effects);
    assert_eq!(one.runs.corrupted, same.runs.corrupted);
}

/// Every corruption of a trace is one of an estimate, with the corrupted runs that the trace has.
#[test]
fn estimates_take_every_corruption_that_a_trace_takes() {
    let prompt = paris_or(12);
    let noise = |shape, entry| Corruption::Noise { shape, entry };
    let mean = Corruption::Mean { tokens: [5, 90, 300].into() };
    let corruptions = [
        noise(NoiseShape::Uniform, NoiseEntry::Added),
        noise(NoiseShape::Gaussian, NoiseEntry::Replaced),
        Corruption::NearestTokens { by: Closeness::Distance },
        Corruption::RandomTokens,
        Corruption::Zero,
        mean,
    ];
    for corruption in corruptions {
        let n_samples = if corruption.is_drawn() { 3 } else { 1 };
        let contrast = corrupted_by(corruption.clone(), 1.5, n_samples);
        let Contrast::Subject(draws) = contrast.clone() else { panic!("it is the subject") };
        let trace = causal_trace::Spec {
            corruption: corruption.clone(),
            ..trace_spec(Component::Hidden, 1, n_samples)
        };
        assert_eq!(trace.draws(), draws);
        let AnalysisResult::CausalTrace(trace) =
            analyse(&prompt, &AnalysisSpec::CausalTrace(trace))
        else {
            panic!("it is a trace");
        };
        let log_probs = |it: &[Measurement]| it.iter().map(|it| it.log_prob).collect::<Vec<_>>();
        let what = format!("{corruption:?}");
        let star = star(&prompt, contrast.clone(), Metric::LogProb, 3);
        assert_eq!(star.runs.corruptions, trace.corruptions, "{what}");
        assert_close(&log_probs(&star.runs.corrupted), &log_probs(&trace.corrupted), 1e-4, &what);
        let has_noise = corruption.has_noise();
        assert_eq!(star.runs.noise_std, has_noise.then_some(trace.noise_std), "{what}");
        assert!(star.verified.iter().all(|it| it.patched.is_finite()));
        for base in [EdgeBase::Clean, EdgeBase::Between { n_steps: 2 }] {
            let edges = edges(&prompt, contrast.clone(), Metric::LogProb, base, 9, 3);
            assert_eq!(edges.runs.corruptions, trace.corruptions, "{what}");
            assert_close(
                &log_probs(&edges.runs.corrupted),
                &log_probs(&trace.corrupted),
                1e-4,
                &what,
            );
            assert_eq!(edges.edges.len(), 9);
        }
    }
}

#[test]
fn a_comparison_that_makes_no_sense_is_an_error() {
    let engine = engine("tiny");
    let both = |prompt: &TokenizedPrompt, contrast: &Contrast, metric: Metric| {
        let contrast = || contrast.clone();
        let star = atp_star::Spec { contrast: contrast(), metric, n_verified: 0 };
        let base = EdgeBase::Clean;
        let edges = edge_attribution::Spec {
            contrast: contrast(),
            metric,
            base,
            n_edges: 5,
            n_verified: 0,
        };
        let run = |spec| engine.run(prompt, &spec, &AnalysisCtx::unwatched()).unwrap_err();
        let found = run(AnalysisSpec::AtpStar(star));
        assert_eq!(found, run(AnalysisSpec::EdgeAttribution(edges)));
        found
    };
    let of = |ids: &[u32]| Contrast::Prompt { ids: ids.into() };
    let n_pos = paris_or(12).n_pos();
    let other = AnalysisError::OtherLength { n_pos, n_other: 2 };
    assert_eq!(both(&paris_or(12), &of(&[1, 2]), Metric::Logit), other);
    assert_eq!(
        both(&paris_or(12), &of(&paris_or(12).ids), Metric::Logit),
        AnalysisError::SamePrompt
    );
    let unknown = AnalysisError::UnknownToken { id: 657, d_vocab: 657 };
    assert_eq!(both(&paris_or(12), &of(&vec![657; n_pos]), Metric::Logit), unknown);
    let none = both(&paris_or(12), &noise(1.0, 0), Metric::Logit);
    assert!(matches!(none, AnalysisError::Zero { .. }));
    let twice = both(&paris_or(12), &corrupted_by(Corruption::Zero, 1.0, 2), Metric::Logit);
    assert_eq!(twice, AnalysisError::SameEachTime);
    let no_subject = TokenizedPrompt { subject: None, ..paris_or(12) };
    assert_eq!(both(&no_subject, &noise(1.0, 1), Metric::Logit), AnalysisError::NoSubject);
    assert_eq!(both(&seine(), &noise(1.0, 1), Metric::LogitDiff), AnalysisError::NoFoil);

    for (n_edges, n_steps) in [(0, 3), (5, 0)] {
        let spec = edge_attribution::Spec {
            contrast: noise(1.0, 1),
            metric: Metric::Logit,
            base: EdgeBase::Between { n_steps },
            n_edges,
            n_verified: 0,
        };
        let spec = AnalysisSpec::EdgeAttribution(spec);
        let found = engine.run(&paris_or(12), &spec, &AnalysisCtx::unwatched());
        assert!(matches!(found, Err(AnalysisError::Zero { .. })), "{found:?}");
    }
}

#[test]
fn progress_grows_to_its_total_and_a_cancel_is_heard() {
    let engine = engine("tiny");
    let star = |n_verified| {
        let (contrast, metric) = (noise(1.0, 3), Metric::Logit);
        AnalysisSpec::AtpStar(atp_star::Spec { contrast, metric, n_verified })
    };
    let edges = |base, n_verified| {
        let (contrast, metric) = (noise(1.0, 2), Metric::Logit);
        let spec = edge_attribution::Spec { contrast, metric, base, n_edges: 9, n_verified };
        AnalysisSpec::EdgeAttribution(spec)
    };
    for spec in [
        star(0),
        star(4),
        edges(EdgeBase::Clean, 0),
        edges(EdgeBase::Clean, 3),
        edges(EdgeBase::Between { n_steps: 40 }, 0),
        edges(EdgeBase::Between { n_steps: 3 }, 3),
    ] {
        assert_watched(&engine, &paris_or(12), &spec);
    }
}
