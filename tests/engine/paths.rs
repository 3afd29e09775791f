//! Laws of paths that are patched, which hold for any weights.

use factscope::analysis::activation_patching::{self, Part, Places};
use factscope::analysis::path_patching::{self, Between, PathPatching};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, HeadInput, Measurement, ModelEdit,
    Pair, Positions, Receiver, Reuse, Sender, steering,
};
use factscope::task::{CancelToken, Cancelled, TaskCtx};
use factscope::tokens::TokenizedPrompt;
use factscope::worker::Engine;

use super::support::{
    answer_of, assert_close, assert_far, engine, largest_difference, paris_or, prompt, watch,
};

const N_LAYERS: usize = 4;
const N_HEADS: usize = 4;

/// Sums in another order; a change is a difference of numbers of size 10.
const LOGIT: f32 = 2e-4;

fn rome() -> TokenizedPrompt {
    prompt("The capital of old France is", "old France", None)
}

fn head(layer: usize, head: usize, input: HeadInput) -> Receiver {
    Receiver::Head { layer, head, input }
}

fn spec(receivers: &[Receiver], between: Between) -> path_patching::Spec {
    path_patching::Spec {
        donor: rome().into(),
        pairs: Pair::by_role(&rome(), &paris_or(300)),
        receivers: receivers.to_vec(),
        receiver_positions: Positions::All,
        between,
    }
}

fn patch(prompt: &TokenizedPrompt, spec: &path_patching::Spec, reuse: Reuse) -> PathPatching {
    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
    match engine("tiny").run(prompt, &AnalysisSpec::PathPatching(spec.clone()), &ctx) {
        Ok(AnalysisResult::PathPatching(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn readings(it: &Measurement) -> [f32; 2] {
    [it.logit, it.logit_diff.unwrap()]
}

fn all(found: &PathPatching) -> Vec<f32> {
    let cells = found.heads.values().iter().chain(&found.mlps).flatten();
    cells.flat_map(readings).collect()
}

/// A change led through the MLPs, and whole passes in which all else is overwritten.
#[test]
fn direct_paths_are_those_of_passes_with_all_heads_frozen() {
    let mut long = paris_or(300);
    long.answer = Some(answer_of(&[507, 12]));
    let receivers: [&[Receiver]; 6] = [
        &[Receiver::Logits],
        &[head(2, 1, HeadInput::Query)],
        &[head(3, 0, HeadInput::Key), head(3, 2, HeadInput::Key)],
        &[head(1, 3, HeadInput::Value), head(3, 1, HeadInput::Query)],
        &[Receiver::Mlp { layer: 2 }],
        &[Receiver::Mlp { layer: 1 }, head(3, 3, HeadInput::Value)],
    ];
    for receivers in receivers {
        for between in [Between::Recomputed, Between::Frozen] {
            for (prompt, receiver_positions) in [
                (paris_or(300), Positions::All),
                (paris_or(300), Positions::Only(2..9)),
                (long.clone(), Positions::Last),
            ] {
                let what = format!("{receivers:?}, {between:?}, {receiver_positions}");
                let spec = path_patching::Spec { receiver_positions, ..spec(receivers, between) };
                let exact = patch(&prompt, &spec, Reuse::Exact);
                let naive = patch(&prompt, &spec, Reuse::Off);
                assert_close(&all(&exact), &all(&naive), LOGIT, &what);
                let clean = readings(&exact.clean);
                let cells = all(&exact);
                let moved = cells.chunks(2).map(|it| largest_difference(it, &clean));
                assert!(moved.fold(0.0, f32::max) > 5.0 * LOGIT, "{what}: nothing moves");
            }
        }
    }
}

/// What a steered model adds is no part of any change.
#[test]
fn direct_paths_of_a_steered_model_are_those_of_whole_passes() {
    let direction = steering::Direction::Prompts { plus: vec![7, 53], minus: vec![300] };
    let steer = steering::Spec {
        direction,
        layer: 1,
        positions: Positions::All,
        scale: 2.0,
        n_top: 1,
        asked: Vec::new(),
    };
    let plain = engine("tiny");
    let edits = [ModelEdit::Steering(steer)];
    let steered = plain.edited(&edits, &AnalysisCtx::unwatched()).unwrap();
    for receiver in [Receiver::Logits, head(3, 1, HeadInput::Value), Receiver::Mlp { layer: 2 }] {
        let spec = AnalysisSpec::PathPatching(spec(&[receiver], Between::Recomputed));
        let run = |engine: &Engine, reuse| {
            let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
            match engine.run(&paris_or(300), &spec, &ctx) {
                Ok(AnalysisResult::PathPatching(found)) => all(&found),
                other => panic!("{other:?}"),
            }
        };
        let exact = run(&steered, Reuse::Exact);
        assert_close(&exact, &run(&steered, Reuse::Off), LOGIT, &receiver.to_string());
        assert_far(&exact, &run(&plain, Reuse::Exact), "steering");
    }
}

#[test]
fn only_what_comes_before_can_tell() {
    let check = |receiver: Receiver, reaches: &dyn Fn(Sender) -> bool| {
        let found = patch(&paris_or(300), &spec(&[receiver], Between::Recomputed), Reuse::Exact);
        for layer in 0..N_LAYERS {
            for head in 0..N_HEADS {
                let is_there = found.heads.get(layer, head).unwrap().is_some();
                assert_eq!(is_there, reaches(Sender::Head { layer, head }), "{receiver}");
            }
            assert_eq!(found.mlps[layer].is_some(), reaches(Sender::Mlp { layer }), "{receiver}");
        }
    };
    let layer_of = |sender| match sender {
        Sender::Head { layer, .. } | Sender::Mlp { layer } => layer,
        Sender::Embed => panic!("embeddings are not sent"),
    };
    check(Receiver::Logits, &|_| true);
    for input in [HeadInput::Query, HeadInput::Key, HeadInput::Value] {
        check(head(2, 0, input), &|it| layer_of(it) < 2);
    }
    check(Receiver::Mlp { layer: 2 }, &|it| {
        layer_of(it) < 2 || matches!(it, Sender::Head { layer: 2, .. })
    });
}

/// After the last layer there is nothing but the direct path.
#[test]
fn the_last_layer_tells_the_logits_all_it_has() {
    let found =
        patch(&paris_or(300), &spec(&[Receiver::Logits], Between::Recomputed), Reuse::Exact);
    let whole = |part| {
        let mut donor = rome();
        donor.answer.clone_from(&paris_or(300).foil);
        let spec = activation_patching::Spec {
            pairs: Pair::by_role(&donor, &paris_or(300)),
            donor: donor.into(),
            places: Places::Together,
            part,
            window: 1,
        };
        let spec = AnalysisSpec::ActivationPatching(spec);
        match engine("tiny").run(&paris_or(300), &spec, &AnalysisCtx::unwatched()) {
            Ok(AnalysisResult::ActivationPatching(found)) => found.patched[0].clone(),
            other => panic!("{other:?}"),
        }
    };
    let last = N_LAYERS - 1;
    let mlp = readings(&whole(Part::Mlp).get(last, 0).unwrap().unwrap());
    assert_close(&readings(&found.mlps[last].unwrap()), &mlp, LOGIT, "MLP");
    let heads = whole(Part::Heads);
    for nth in 0..N_HEADS {
        let there = readings(&heads.get(last, nth).unwrap().unwrap());
        let here = readings(&found.heads.get(last, nth).unwrap().unwrap());
        assert_close(&here, &there, LOGIT, "head");
    }
    // Earlier ones have other ways, too.
    let early = readings(&heads.get(0, 0).unwrap().unwrap());
    assert_far(&readings(&found.heads.get(0, 0).unwrap().unwrap()), &early, "an early head");
}

#[test]
fn a_path_from_the_same_prompt_changes_nothing() {
    let prompt = paris_or(300);
    for receiver in [Receiver::Logits, head(3, 1, HeadInput::Key), Receiver::Mlp { layer: 2 }] {
        let spec = path_patching::Spec {
            donor: prompt.clone().into(),
            pairs: Pair::by_role(&prompt, &prompt),
            ..spec(&[receiver], Between::Recomputed)
        };
        let found = patch(&prompt, &spec, Reuse::Exact);
        for it in all(&found).chunks(2) {
            assert_close(it, &readings(&found.clean), LOGIT, "patched");
        }
    }
}

#[test]
fn parts_are_named_as_they_are_typed() {
    for text in ["logits", "MLP3", "L9H6.q", "L0H0.k", "L11H10.v"] {
        let receiver: Receiver = text.parse().unwrap();
        assert_eq!(receiver.to_string(), text);
        let json = serde_json::to_string(&receiver).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Receiver>(&json).unwrap(), receiver);
    }
    for text in ["embed", "MLP3", "L9H6"] {
        let sender: Sender = text.parse().unwrap();
        assert_eq!(sender.to_string(), text);
        let json = serde_json::to_string(&sender).unwrap();
        assert_eq!(serde_json::from_str::<Sender>(&json).unwrap(), sender);
    }
    for text in ["", "L9H6", "L9H6.z", "MLP", "embed", "H6.q", "L-1H0.q"] {
        let error = text.parse::<Receiver>().unwrap_err();
        assert!(error.to_string().contains("L9H6.q"), "{error}");
    }
    for text in ["logits", "L9", "L9H6.q"] {
        assert!(text.parse::<Sender>().is_err(), "{text}");
    }
}

#[test]
fn a_path_that_makes_no_sense_is_an_error() {
    let engine = engine("tiny");
    let error = |spec: path_patching::Spec| {
        engine
            .run(&paris_or(300), &AnalysisSpec::PathPatching(spec), &AnalysisCtx::unwatched())
            .unwrap_err()
    };
    let of = |receivers: &[Receiver]| spec(receivers, Between::Recomputed);
    assert!(matches!(error(of(&[])), AnalysisError::Zero { .. }));
    let among = [Receiver::Logits, head(1, 0, HeadInput::Query)];
    assert_eq!(error(of(&among)), AnalysisError::LogitsAmongOthers);
    let far = AnalysisError::OutOfRange { what: "head", index: 4, n: 4 };
    assert_eq!(error(of(&[head(1, 4, HeadInput::Query)])), far);
    let far = AnalysisError::OutOfRange { what: "layer", index: 4, n: 4 };
    assert_eq!(error(of(&[Receiver::Mlp { layer: 4 }])), far);
    let twice = vec![Pair { donor: 1, recipient: 2 }, Pair { donor: 2, recipient: 2 }];
    let spec_twice = path_patching::Spec { pairs: twice, ..of(&[Receiver::Logits]) };
    assert_eq!(error(spec_twice), AnalysisError::PairedTwice { pos: 2 });
    let receiver_positions = Positions::Only(3..90);
    let far = path_patching::Spec { receiver_positions, ..of(&[Receiver::Mlp { layer: 1 }]) };
    let n_pos = paris_or(300).n_pos();
    assert_eq!(error(far), AnalysisError::NoPosition { pos: 89, n_pos });
}

#[test]
fn path_patching_can_be_cancelled() {
    let engine = engine("tiny");
    let spec = AnalysisSpec::PathPatching(spec(&[head(3, 1, HeadInput::Key)], Between::Recomputed));
    for reuse in [Reuse::Exact, Reuse::Off] {
        let run = |cancel_at| watch(&engine, &paris_or(300), &spec, reuse, cancel_at);
        let (result, seen) = run(usize::MAX);
        assert!(result.is_ok());
        let (result, _) = run(seen.len() / 2);
        assert_eq!(result, Err(AnalysisError::Cancelled(Cancelled)));
        // Before the sweep says anything.
        let cancel = CancelToken::default();
        cancel.cancel();
        let task = TaskCtx { cancel, report: &|_| () };
        let ctx = AnalysisCtx { task, reuse, ..AnalysisCtx::unwatched() };
        assert_eq!(
            engine.run(&paris_or(300), &spec, &ctx),
            Err(AnalysisError::Cancelled(Cancelled))
        );
    }
}
