//! Maps of parts, and the effects in them, whatever the corruption.

use std::slice::from_ref;

use factscope::analysis::ablation::{self, Part, Replacement};
use factscope::analysis::attention_knockout::{self, Edges};
use factscope::analysis::causal_trace::{
    self, CausalTrace, Component, Direction, Map, NoiseLevel, Severed, plan,
};
use factscope::analysis::corruption::Corruption;
use factscope::analysis::effects::Effects;
use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, Grid, Measurement, Metric, Positions, Reuse, sweep,
};
use factscope::intervention::{Condition, Donor, Edit, Intervention, Site, SiteSet, Span};
use factscope::model::{Donors, Transformer};
use factscope::tokens::TokenizedPrompt;

use super::{LOGIT, N_HEADS, N_LAYERS, divergence, readings, runs, spec, trace};
use crate::support::{
    answer_of, assert_close, assert_far, engine, fixture, lab, load, logits_under, paris, seine,
    traced,
};

// Maps

fn log_probs(trace: &CausalTrace) -> Grid<Vec<f32>> {
    trace.restored.map(|runs| readings(runs, Metric::LogProb))
}

#[test]
fn every_map_is_the_same_with_and_without_reuse() {
    for prompt in [paris(), seine()] {
        for at in [Positions::All, Positions::Subject, Positions::NonSubject, Positions::Last] {
            for component in Component::ALL {
                let together = Map::Together { at: at.clone(), widths: vec![1, 2, 5] };
                let heads = Map::Heads { at: at.clone() };
                for map in [together, heads] {
                    if matches!(map, Map::Heads { .. }) && component != Component::Attn {
                        continue;
                    }
                    for direction in Direction::ALL {
                        for sever in [None, Some(Severed::Mlp), Some(Severed::Attn)] {
                            let map = map.clone();
                            let spec = causal_trace::Spec {
                                map,
                                direction,
                                sever,
                                ..spec(component, 2, Corruption::default())
                            };
                            let [exact, naive] = [Reuse::Exact, Reuse::Off]
                                .map(|reuse| traced(&prompt, &spec, reuse).unwrap());
                            for metric in [Metric::LogProb, Metric::Kl] {
                                let [exact, naive] =
                                    [&exact, &naive].map(|it| readings(&runs(it), metric));
                                assert_close(&exact, &naive, LOGIT, &format!("{spec:?}"));
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn tokens_together_that_are_one_are_a_column_of_the_map_of_tokens() {
    let prompt = seine();
    for component in [Component::Mlp, Component::Attn] {
        for direction in Direction::ALL {
            let tokens =
                causal_trace::Spec { direction, ..spec(component, 3, Corruption::default()) };
            let together = causal_trace::Spec {
                map: Map::Together { at: Positions::Only(2..3), widths: vec![1, 3] },
                ..tokens.clone()
            };
            let (tokens, together) =
                (log_probs(&trace(&prompt, &tokens)), log_probs(&trace(&prompt, &together)));
            assert_eq!((together.n_rows(), together.n_columns()), (N_LAYERS, 2));
            for layer in 0..N_LAYERS {
                let (found, expected) = (together.get(layer, 1), tokens.get(layer, 2));
                assert_close(found.unwrap(), expected.unwrap(), LOGIT, "a window of three");
            }
        }
    }
}

#[test]
fn to_exchange_everything_gives_the_other_run() {
    for prompt in [paris(), seine()] {
        for component in Component::ALL {
            for direction in Direction::ALL {
                let spec = causal_trace::Spec {
                    map: Map::Together { at: Positions::All, widths: vec![2 * N_LAYERS] },
                    direction,
                    ..spec(component, 1, Corruption::default())
                };
                let trace = trace(&prompt, &spec);
                let [clean, corrupted] = [
                    vec![trace.clean.log_prob; spec.n_samples],
                    readings(&trace.corrupted, Metric::LogProb),
                ];
                let (whole, other) = match direction {
                    Direction::Denoise => (clean, corrupted),
                    Direction::Noise => (corrupted, clean),
                };
                assert_far(&whole, &other, "the two runs");
                for cell in log_probs(&trace).values() {
                    match component {
                        Component::Hidden => assert_close(cell, &whole, LOGIT, "everything"),
                        // The embeddings are still those of the run that is changed.
                        _ => assert_far(cell, &other, "everything but embeddings"),
                    }
                }
            }
        }
    }
}

/// `z` of all heads is all that attention reads from other tokens.
#[test]
fn all_heads_together_are_their_layers_attention() {
    let (model, prompt) = (load(&fixture("tiny")), seine());
    let at = Positions::NonSubject;
    let heads = causal_trace::Spec {
        map: Map::Heads { at: at.clone() },
        ..spec(Component::Attn, 1, Corruption::default())
    };
    let together =
        causal_trace::Spec { map: Map::Together { at, widths: vec![1] }, ..heads.clone() };
    let subject = Span::Only(prompt.subject.clone().unwrap());
    let corrupt = Intervention::at(Site::Embed, subject, Edit::Zero);
    let planned = |spec| plan(&prompt, spec, from_ref(&corrupt), N_LAYERS, N_HEADS).unwrap();
    let (by_head, by_layer) = (planned(&heads), planned(&together));
    assert_eq!((by_head.len(), by_layer.len()), (1 + N_LAYERS * N_HEADS, 1 + N_LAYERS));
    let all_heads: Vec<Condition> = by_head[1..]
        .chunks(N_HEADS)
        .map(|of_layer| {
            let copies = of_layer.iter().flat_map(|condition| condition[1..].to_vec());
            by_head[0].iter().cloned().chain(copies).collect()
        })
        .collect();
    let sites: SiteSet =
        (0..N_LAYERS).flat_map(|layer| [Site::Z(layer), Site::AttnOut(layer)]).collect();
    let clean = model.run_clean(&ids_asked(&prompt), &sites).cache;
    let donors = Donors::from([(Donor::Clean, clean)]);
    let measured = |model: &Transformer, conditions: &[Condition]| {
        let ctx = AnalysisCtx::unwatched();
        let found = sweep(&lab(model, &prompt, &ctx), conditions, &donors, &mut |_| ()).unwrap();
        readings(&found, Metric::Logit)
    };
    let (found, expected) = (measured(&model, &all_heads), measured(&model, &by_layer[1..]));
    assert_close(&found, &expected, LOGIT, "all heads");
    let corrupted = measured(&model, &by_layer[..1]);
    assert_far(&expected, &[corrupted[0]; N_LAYERS], "restoring");
}

/// With all but the last token of the answer.
fn ids_asked(prompt: &TokenizedPrompt) -> Vec<u32> {
    let answer = &prompt.answer.as_ref().unwrap().ids;
    [&prompt.ids[..], &answer[..answer.len() - 1]].concat()
}

#[test]
fn a_plan_of_heads_copies_one_of_each_layer_in_its_window() {
    let prompt = seine();
    let spec = causal_trace::Spec {
        map: Map::Heads { at: Positions::All },
        sever: Some(Severed::Attn),
        ..spec(Component::Attn, 2, Corruption::default())
    };
    let subject = prompt.subject.clone().unwrap();
    let corrupt = Intervention::at(Site::Embed, Span::Only(subject.clone()), Edit::Zero);
    let plan = plan(&prompt, &spec, &[corrupt], N_LAYERS, N_HEADS).unwrap();
    let condition = &plan[1 + N_HEADS + 3];
    let copied = |site: Site| -> Vec<&Intervention> {
        condition.iter().filter(|it| it.site == site).collect()
    };
    for layer in [0, 1] {
        let copied = copied(Site::Z(layer));
        // Before the subject nothing was changed.
        let positions: Vec<_> = copied.iter().map(|it| it.positions.clone()).collect();
        let (start, n_pos) = (subject.start, prompt.n_pos());
        assert_eq!(positions, [Span::Only(0..start), Span::Only(start..n_pos)]);
        assert!(copied.iter().all(|it| it.heads == Span::one(3)));
    }
    assert!(copied(Site::Z(2)).is_empty());
    // What is exchanged is not held; what comes after is.
    assert!(copied(Site::AttnOut(0)).is_empty() && copied(Site::AttnOut(1)).is_empty());
    assert_eq!(copied(Site::AttnOut(2)).len(), 2);
}

// Effects

#[test]
fn effects_add_up_and_recovery_runs_from_corrupted_to_clean() {
    let mut prompt = seine();
    prompt.foil = Some(answer_of(&[12]));
    for direction in Direction::ALL {
        let spec =
            causal_trace::Spec { direction, ..spec(Component::Hidden, 1, Corruption::default()) };
        let trace = trace(&prompt, &spec);
        for metric in Metric::ALL {
            let effects = Effects::of(&trace, metric).unwrap();
            assert_eq!(effects.clean, trace.clean.get(metric).unwrap());
            let size = effects.total.abs();
            if size < metric.least_total() {
                assert!(effects.recovery.values().iter().all(Option::is_none), "{metric:?}");
                continue;
            }
            let near = 1e-3 * size.max(1.0);
            for nth in 0..effects.patched.values().len() {
                let at = |grid: &Grid<Option<f32>>| grid.values()[nth].unwrap();
                let sum = at(&effects.indirect) + at(&effects.direct);
                assert_close(&[sum], &[effects.total], near, "the sum of effects");
                let recovered = effects.corrupted + at(&effects.recovery) * effects.total;
                assert_close(&[recovered], &[at(&effects.patched)], near, "recovery");
            }
            // The last token's last state is all that is read of the run.
            let last = effects.recovery.values().last().unwrap().unwrap();
            let (end, tolerance) = (if direction == Direction::Denoise { 1.0 } else { 0.0 }, 1e-2);
            if metric != Metric::AnswerProb {
                assert_close(&[last], &[end], tolerance, &format!("{metric:?}, {direction:?}"));
            }
        }
        let kl = Effects::of(&trace, Metric::Kl).unwrap();
        assert!(kl.clean < 1e-6 && kl.corrupted > 0.01, "{} {}", kl.clean, kl.corrupted);
    }
}

#[test]
fn a_recovery_of_nothing_is_not_defined() {
    let spec = causal_trace::Spec {
        noise: NoiseLevel::Std(0.0),
        ..spec(Component::Mlp, 2, Corruption::default())
    };
    let trace = trace(&paris(), &spec);
    for metric in [Metric::Prob, Metric::LogProb, Metric::Logit, Metric::Rank, Metric::Kl] {
        let effects = Effects::of(&trace, metric).unwrap();
        assert!(effects.recovery.values().iter().all(Option::is_none), "{metric:?}");
    }
    assert_eq!(Effects::of(&trace, Metric::LogitDiff), None);
}

#[test]
fn divergences_are_those_of_the_logits_in_every_sweep() {
    let (model, prompt) = (load(&fixture("tiny")), seine());
    let ids = ids_asked(&prompt);
    let first_place = |condition: &Condition| -> Vec<f32> {
        // The first of the answer's places is before its second token.
        logits_under(&model, &ids[..prompt.n_pos()], condition, &Donors::new())
    };
    let clean = first_place(&vec![]);
    let check = |found: &[Option<Measurement>], conditions: &[Condition], what: &str| {
        for (found, condition) in found.iter().zip(conditions) {
            let expected = divergence(&clean, &first_place(condition));
            assert!(expected > 1e-6, "{what}: nothing is tested");
            assert_close(&[found.unwrap().kl.unwrap()], &[expected], 2e-5, what);
        }
    };
    let ctx = AnalysisCtx::unwatched();
    let engine = engine("tiny");

    let spec = ablation::Spec {
        part: Part::Heads,
        positions: Positions::Last,
        replacement: Replacement::Zero,
        together: None,
    };
    let last = prompt.last()..prompt.n_pos();
    let conditions = ablation::plan(&spec, &[last], N_LAYERS, N_HEADS);
    let Ok(AnalysisResult::Ablation(found)) =
        engine.run(&prompt, &AnalysisSpec::Ablation(spec), &ctx)
    else {
        panic!("not an ablation");
    };
    assert!(found.clean.kl.unwrap() < 1e-6);
    check(found.ablated.values(), &conditions[1..], "ablation");

    let spec = attention_knockout::Spec { edges: vec![Edges::to_last().remove(0)], window: 2 };
    let conditions = attention_knockout::plan(&prompt, &spec, &engine.info.config).unwrap();
    let Ok(AnalysisResult::AttentionKnockout(found)) =
        engine.run(&prompt, &AnalysisSpec::AttentionKnockout(spec), &ctx)
    else {
        panic!("not a knockout");
    };
    check(found.cut.values(), &conditions[1..], "knockout");
}
