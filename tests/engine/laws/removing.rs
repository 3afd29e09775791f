//! Laws of ablation and of attention knockout.

#![expect(clippy::single_range_in_vec_init, reason = "lists of ranges, some of one")]

use factscope::analysis::ablation::{self, Ablation, Part, Replacement};
use factscope::analysis::attention_knockout::{self, AttentionKnockout, Edges};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, Metric, Positions, Reuse,
};
use factscope::intervention::{Condition, Edit, Intervention, Site, SiteSet, Span};
use factscope::model::{BatchRow, Donors};
use factscope::tokens::TokenizedPrompt;

use crate::support::{answer_of, assert_close, engine, fixture, load, logits_under, run};

use super::{
    LOGIT, N_HEADS, N_LAYERS, PROB, ablation_spec, assert_same, ids, mean_of_others, paris, seine,
    to_last,
};

// Ablation

fn resampled(prompt: &TokenizedPrompt) -> Replacement {
    Replacement::Resample { ids: ids(prompt.n_pos(), 7).into() }
}

fn ablate(prompt: &TokenizedPrompt, spec: ablation::Spec, reuse: Reuse) -> Ablation {
    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
    match engine("tiny").run(prompt, &AnalysisSpec::Ablation(spec), &ctx) {
        Ok(AnalysisResult::Ablation(ablation)) => ablation,
        other => panic!("{other:?}"),
    }
}

fn readings(ablation: &Ablation) -> Vec<f32> {
    ablation.ablated.values().iter().map(|it| it.unwrap().logit).collect()
}

#[test]
fn every_ablation_is_the_same_with_and_without_reuse() {
    let mut long = paris();
    long.answer = Some(answer_of(&[507, 12]));
    for prompt in [paris(), seine(), long] {
        for part in Part::ALL {
            for positions in
                [Positions::All, Positions::Subject, Positions::NonSubject, Positions::Last]
            {
                for replacement in [Replacement::Zero, mean_of_others(), resampled(&prompt)] {
                    let spec = ablation_spec(part, positions.clone(), replacement);
                    let what = format!("{spec:?}");
                    let exact = ablate(&prompt, spec.clone(), Reuse::Exact);
                    let naive = ablate(&prompt, spec, Reuse::Off);
                    let n_columns = if part == Part::Heads { N_HEADS } else { 1 };
                    assert_eq!(exact.ablated.n_rows(), N_LAYERS);
                    assert_eq!(exact.ablated.n_columns(), n_columns);
                    assert_close(&readings(&exact), &readings(&naive), LOGIT, &what);
                    let runs = |it: &Ablation| -> Vec<Measurement> {
                        it.ablated.values().iter().copied().flatten().collect()
                    };
                    assert_same(&runs(&exact), &runs(&naive), &what);
                }
            }
        }
    }
}

#[test]
fn to_put_in_what_is_there_changes_nothing() {
    let prompt = paris();
    let itself = Replacement::Resample { ids: prompt.ids.clone().into() };
    for part in Part::ALL {
        for positions in [Positions::All, Positions::Subject, Positions::Only(3..5)] {
            let found =
                ablate(&prompt, ablation_spec(part, positions, itself.clone()), Reuse::Exact);
            let clean = vec![found.clean.logit; found.ablated.values().len()];
            assert_close(&readings(&found), &clean, LOGIT, &format!("{part:?}"));
            for layer in 0..N_LAYERS {
                let change = found.change(layer, 0, Metric::Prob).unwrap();
                assert_close(&[change], &[0.0], PROB, "the change");
            }
        }
    }
    // The mean over one prompt of one token is that token.
    let mut short = paris();
    short.ids.truncate(1);
    let itself = Replacement::Mean { prompts: [short.ids.clone()].into() };
    let found = ablate(&short, ablation_spec(Part::Mlp, Positions::All, itself), Reuse::Exact);
    assert_close(&readings(&found), &[found.clean.logit; N_LAYERS], LOGIT, "the mean of itself");
}

#[test]
fn all_heads_of_a_layer_are_its_z_and_both_outputs_its_layer() {
    let model = load(&fixture("tiny"));
    let prompt = paris();
    let heads = ablation_spec(Part::Heads, Positions::Subject, Replacement::Zero);
    let plan = ablation::plan(&heads, &[0..3], N_LAYERS, N_HEADS);
    assert_eq!(plan.len(), 1 + N_LAYERS * N_HEADS);
    assert!(plan[0].is_empty());
    let of = |condition: &Condition| logits_under(&model, &prompt.ids, condition, &Donors::new());
    for layer in 0..N_LAYERS {
        let together: Condition = plan[1 + layer * N_HEADS..][..N_HEADS].concat();
        let z = vec![Intervention::at(Site::Z(layer), Span::Only(0..3), Edit::Zero)];
        assert_close(&of(&together), &of(&z), LOGIT, "all heads");
    }
    // Without both outputs a block leaves the residual stream as it was.
    let layers = ablation_spec(Part::Layers, Positions::All, Replacement::Zero);
    let plan = ablation::plan(&layers, &[0..prompt.n_pos()], N_LAYERS, N_HEADS);
    let everything: Condition = plan[1..].concat();
    let cache = run(
        &model,
        &[BatchRow::new(&prompt.ids, &everything)],
        &Donors::new(),
        &[Site::ResidPre(0), Site::ResidPost(N_LAYERS - 1)].into(),
    )
    .cache;
    let (first, last) =
        (cache.activation(Site::ResidPre(0)), cache.activation(Site::ResidPost(N_LAYERS - 1)));
    assert_eq!(first.values, last.values);
}

/// Position 0 is a class of its own.
#[test]
fn the_mean_is_over_first_tokens_and_over_later_ones() {
    let engine = engine("tiny");
    let model = load(&fixture("tiny"));
    let prompt = paris();
    let others = [ids(9, 1), ids(4, 2), ids(12, 3)];
    let site = Site::MlpOut(2);
    let mut sums = [vec![0.0_f64; 32], vec![0.0_f64; 32]];
    let mut counts = [0.0, 0.0];
    for ids in &others {
        let cache = model.run_clean(ids, &SiteSet::from([site])).cache;
        for (pos, vector) in cache.activation(site).values.chunks(32).enumerate() {
            let class = usize::from(pos > 0);
            counts[class] += 1.0;
            for (sum, value) in sums[class].iter_mut().zip(vector) {
                *sum += f64::from(*value);
            }
        }
    }
    // Put in number by number.
    let mut condition = Vec::new();
    for pos in 0..prompt.n_pos() {
        let class = usize::from(pos > 0);
        for (unit, sum) in sums[class].iter().enumerate() {
            let mean = Edit::Set((sum / counts[class]) as f32);
            condition.push(Intervention::at(site, Span::one(pos), mean).of_units(Span::one(unit)));
        }
    }
    let expected = logits_under(&model, &prompt.ids, &condition, &Donors::new())[507];
    let spec =
        ablation_spec(Part::Mlp, Positions::All, Replacement::Mean { prompts: others.into() });
    let AnalysisResult::Ablation(found) =
        engine.run(&prompt, &AnalysisSpec::Ablation(spec), &AnalysisCtx::unwatched()).unwrap()
    else {
        panic!("not an ablation");
    };
    let found = found.ablated.get(2, 0).unwrap().unwrap();
    assert_close(&[found.logit], &[expected], LOGIT, "the mean");
}

// Attention knockout

fn cut(
    prompt: &TokenizedPrompt,
    spec: attention_knockout::Spec,
    reuse: Reuse,
) -> AttentionKnockout {
    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
    match engine("tiny").run(prompt, &AnalysisSpec::AttentionKnockout(spec), &ctx) {
        Ok(AnalysisResult::AttentionKnockout(knockout)) => knockout,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_knockout_is_the_same_with_and_without_reuse() {
    let mut long = paris();
    long.answer = Some(answer_of(&[507, 12]));
    for prompt in [paris(), seine(), long] {
        let mut edges = Edges::to_last();
        edges.push(Edges { from: Positions::Subject, to: Positions::Only(3..5) });
        if prompt.subject.as_ref().unwrap().start == 0 {
            // Elsewhere that would leave the first token nothing.
            edges.push(Edges { from: Positions::NonSubject, to: Positions::NonSubject });
        }
        for window in [1, 2, 9] {
            let spec = attention_knockout::Spec { edges: edges.clone(), window };
            let exact = cut(&prompt, spec.clone(), Reuse::Exact);
            let naive = cut(&prompt, spec, Reuse::Off);
            let runs = |it: &AttentionKnockout| -> Vec<Measurement> {
                it.cut.values().iter().copied().flatten().collect()
            };
            assert_same(&runs(&exact), &runs(&naive), &format!("window {window}"));
        }
    }
}

/// Geva's edges are cut, no others; what is left is shared out anew.
#[test]
fn cutting_all_earlier_tokens_leaves_a_token_to_itself() {
    let model = load(&fixture("tiny"));
    let prompt = paris();
    let last = prompt.last();
    let edges = vec![Edges { from: Positions::Only(0..last), to: Positions::Last }];
    let spec = attention_knockout::Spec { edges, window: 1 };
    let plan = attention_knockout::plan(&prompt, &spec, &model.config).unwrap();
    let n_pos = prompt.n_pos();
    for layer in 0..N_LAYERS {
        let sites = SiteSet::from([Site::Pattern(layer)]);
        let rows = [BatchRow::new(&prompt.ids, &plan[1 + layer]), BatchRow::new(&prompt.ids, &[])];
        let weights =
            run(&model, &rows, &Donors::new(), &sites).cache.activation(Site::Pattern(layer));
        let (cut, clean) = weights.values.split_at(N_HEADS * n_pos * n_pos);
        for (nth, (cut, clean)) in cut.chunks(n_pos).zip(clean.chunks(n_pos)).enumerate() {
            if nth % n_pos == last {
                assert_eq!(cut[..last], vec![0.0; last]);
                assert_eq!(cut[last], 1.0);
            } else {
                assert_close(cut, clean, 0.0, "another query");
            }
        }
    }
}

#[test]
fn cutting_later_tokens_changes_nothing() {
    let prompt = paris();
    let edges = vec![Edges { from: Positions::Only(5..9), to: Positions::Only(0..5) }];
    let found = cut(&prompt, attention_knockout::Spec { edges, window: 4 }, Reuse::Exact);
    for layer in 0..N_LAYERS {
        assert_close(
            &[found.cut.get(0, layer).unwrap().unwrap().logit],
            &[found.clean.logit],
            LOGIT,
            "",
        );
        let change = found.relative_change(0, layer, Metric::Prob).unwrap();
        assert_close(&[change], &[0.0], LOGIT, "the change");
    }
    assert_eq!(found.relative_change(0, 0, Metric::Logit), None);
}

#[test]
fn a_window_is_cut_off_at_the_first_and_the_last_layer() {
    let shown = cut(&paris(), to_last(3), Reuse::Exact);
    let windows: Vec<_> = (0..N_LAYERS).map(|layer| shown.window(layer)).collect();
    assert_eq!(windows, [0..2, 0..3, 1..4, 2..4]);
}

#[test]
fn tokens_are_named_as_they_are_typed() {
    let seine = seine();
    let (subject, last) = (seine.subject.clone().unwrap(), seine.last());
    for (text, expected) in [
        ("all", vec![0..seine.n_pos()]),
        ("subject", vec![subject.clone()]),
        ("non-subject", vec![0..subject.start, subject.end..last]),
        ("last", vec![last..last + 1]),
        ("3", vec![3..4]),
        ("1..4", vec![1..4]),
    ] {
        let place: Positions = text.parse().unwrap();
        assert_eq!(place.ranges(&seine), Ok(expected), "{text}");
        assert_eq!(place.to_string(), text);
        let json = serde_json::to_string(&place).unwrap();
        assert_eq!(serde_json::from_str::<Positions>(&json).unwrap(), place);
    }
    for text in ["", "-1", "4..4", "5..3", "first", "1..", "1-3"] {
        let error = text.parse::<Positions>().unwrap_err();
        assert!(error.to_string().contains("non-subject"), "{error}");
    }
    // All of the prompt is the subject.
    let mut whole = seine;
    whole.subject = Some(0..whole.n_pos());
    assert_eq!(Positions::NonSubject.ranges(&whole), Ok(vec![]));
}

#[test]
fn a_map_that_makes_no_sense_is_an_error() {
    let engine = engine("tiny");
    let error = |prompt: &TokenizedPrompt, spec: AnalysisSpec| {
        engine.run(prompt, &spec, &AnalysisCtx::unwatched()).unwrap_err()
    };
    let ablated = |positions, replacement| {
        AnalysisSpec::Ablation(ablation_spec(Part::Heads, positions, replacement))
    };
    let mut no_subject = paris();
    no_subject.subject = None;
    let spec = ablated(Positions::Subject, Replacement::Zero);
    assert_eq!(error(&no_subject, spec), AnalysisError::NoSubject);
    assert_eq!(
        error(&no_subject, AnalysisSpec::AttentionKnockout(to_last(1))),
        AnalysisError::NoSubject
    );
    let spec = ablated(Positions::Only(8..11), Replacement::Zero);
    assert_eq!(error(&paris(), spec), AnalysisError::NoPosition { pos: 10, n_pos: 10 });
    let spec = ablated(Positions::All, Replacement::Resample { ids: ids(9, 1).into() });
    assert_eq!(error(&paris(), spec), AnalysisError::OtherLength { n_pos: 10, n_other: 9 });
    let of = |prompts: &[Vec<u32>]| Replacement::Mean { prompts: prompts.into() };
    for prompts in [&[][..], &[vec![]], &[vec![1], vec![2]]] {
        let found = error(&paris(), ablated(Positions::All, of(prompts)));
        assert!(matches!(found, AnalysisError::Zero { .. }), "{prompts:?}: {found:?}");
    }
    let unknown = AnalysisError::UnknownToken { id: 657, d_vocab: 657 };
    assert_eq!(error(&paris(), ablated(Positions::All, of(&[vec![1, 657]]))), unknown);

    let knockout = |edges: Vec<Edges>, window| {
        AnalysisSpec::AttentionKnockout(attention_knockout::Spec { edges, window })
    };
    for spec in [knockout(vec![], 1), knockout(Edges::to_last(), 0)] {
        assert!(matches!(error(&paris(), spec), AnalysisError::Zero { .. }));
    }
    // The first token sees only itself.
    let spec = knockout(vec![Edges { from: Positions::Subject, to: Positions::All }], 1);
    let blind = AnalysisError::NoKeyLeft { pos: 0, layer: 0, first_key: 0 };
    assert_eq!(error(&paris(), spec), blind);
}
