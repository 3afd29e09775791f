//! What a change of the model reaches: the prompts asked before and after are those of the changed model.

use factscope::analysis::ablation::{self, Part, Replacement, Together};
use factscope::analysis::rank_one_edit::{self, Context, Covariance, Descent};
use factscope::analysis::reach::{Asked, PromptKind, Told};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, ModelEdit, Positions, prediction,
    steering,
};
use factscope::experiment::Changed;
use factscope::facts::{Dataset, Direction};
use factscope::tokens::{Bos, TokenizedPrompt, Tokenizer};
use factscope::worker::Engine;

use crate::support::{answer_of, assert_close, engine, fixture, prompt};

fn run(engine: &Engine, prompt: &TokenizedPrompt, spec: impl Into<AnalysisSpec>) -> AnalysisResult {
    engine.run(prompt, &spec.into(), &AnalysisCtx::unwatched()).unwrap()
}

fn paris() -> TokenizedPrompt {
    prompt("I said that Paris is in", "Paris", Some("it"))
}

/// The inverse, whose right answer is the foil, and which has no new one.
fn inverse() -> Asked {
    let plain = prompt("it is the city of Rome and", "Rome", None);
    let foil = Some(answer_of(&[12, 40]));
    Asked {
        kind: PromptKind::InverseOfOld,
        prompt: TokenizedPrompt { foil, answer: None, ..plain },
    }
}

/// Holds that what is told is what the model and the changed model say to the prompt.
fn check(told: &Told, asked: &Asked, before: &Engine, after: &Engine) {
    assert_eq!((told.kind, &told.text), (asked.kind, &asked.prompt.text));
    for (engine, found) in [(before, told.before), (after, told.after)] {
        let answer = asked.prompt.foil.clone();
        let prompt = TokenizedPrompt { answer, foil: None, ..asked.prompt.clone() };
        let AnalysisResult::Prediction(expected) =
            run(engine, &prompt, prediction::Spec { n_top: 1 })
        else {
            panic!("another method")
        };
        let (measured, old) = (expected.answer.unwrap(), found.old.unwrap());
        assert_eq!((old.prob, old.rank), (measured.prob, Some(measured.rank)));
        assert_eq!((found.new, found.top), (None, expected.top[0]));
    }
    assert_ne!(told.before.old, told.after.old, "the change reaches nothing");
}

#[test]
fn an_edit_tells_what_the_edited_model_says_to_the_inverse() {
    let engine = engine("tiny");
    let subject_last = paris().subject.unwrap().end - 1;
    let spec = rank_one_edit::Spec {
        layer: 1,
        target: answer_of(&[11]),
        contexts: vec![Context { ids: paris().ids, subject_last }],
        essence: None,
        descent: Descent { n_steps: 4, ..Descent::default() },
        covariance: Covariance::Identity,
        asked: vec![inverse()],
    };
    let edits = [ModelEdit::RankOne(spec.clone())];
    let edited = engine.edited(&edits, &AnalysisCtx::unwatched()).unwrap();
    let AnalysisResult::RankOneEdit(found) = run(&engine, &paris(), spec) else {
        panic!("another method")
    };
    check(&found.told[0], &inverse(), &engine, &edited);
}

/// Each prompt is steered at its own tokens.
#[test]
fn steering_tells_what_the_steered_model_says_to_the_inverse() {
    let engine = engine("tiny");
    let spec = steering::Spec {
        direction: steering::Direction::Tokens { plus: 40, minus: Some(50) },
        layer: 1,
        positions: Positions::All,
        scale: 5.0,
        n_top: 1,
        asked: vec![inverse()],
    };
    let edits = [ModelEdit::Steering(spec.clone())];
    let steered = engine.edited(&edits, &AnalysisCtx::unwatched()).unwrap();
    for positions in [Positions::All, Positions::Subject] {
        let spec = steering::Spec { positions: positions.clone(), ..spec.clone() };
        let AnalysisResult::Steering(found) = run(&engine, &paris(), spec) else {
            panic!("another method")
        };
        if positions == Positions::All {
            check(&found.told[0], &inverse(), &engine, &steered);
        } else {
            assert_ne!(found.told[0].before.old, found.told[0].after.old);
        }
    }
}

/// One part ablated together is that part alone, and all parts are as many as at random.
#[test]
fn parts_that_matter_most_are_ablated_in_each_prompt() {
    let engine = engine("tiny");
    let own = Asked {
        kind: PromptKind::Prompt,
        prompt: TokenizedPrompt { foil: paris().answer, answer: None, ..paris() },
    };
    for (part, n_columns) in [(Part::Heads, 4), (Part::Mlp, 1)] {
        let of = |n: usize| {
            let asked = vec![own.clone(), inverse()];
            let together = Some(Together { n, n_random: 3, seed: 1, asked });
            let (positions, replacement) = (Positions::All, Replacement::Zero);
            let spec = ablation::Spec { part, positions, replacement, together };
            let AnalysisResult::Ablation(found) = run(&engine, &paris(), spec) else {
                panic!("another method")
            };
            found
        };
        let one = of(1);
        let together = one.together.as_ref().unwrap();
        let [layer, column] = together.parts[0];
        let alone = one.ablated.get(layer, column).unwrap().unwrap();
        // These runs again, of which others are shared.
        let found = together.lost[0].without;
        assert_close(&[found.log_prob], &[alone.log_prob], 1e-4, "one part");
        let all = one.ablated.values().iter().flatten();
        assert!(all.clone().all(|it| it.log_prob >= alone.log_prob), "another part matters more");
        assert_eq!(together.lost[1].kind, PromptKind::InverseOfOld);
        assert_eq!(together.lost[1].without_random.len(), 3);
        let all = of(4 * n_columns);
        for lost in &all.together.as_ref().unwrap().lost {
            for random in &lost.without_random {
                assert_close(&[random.log_prob], &[lost.without.log_prob], 1e-4, "all parts");
            }
        }
    }
    let nothing = Together { n: 0, n_random: 1, seed: 1, asked: Vec::new() };
    let (positions, replacement) = (Positions::All, Replacement::Zero);
    let spec = ablation::Spec { part: Part::Mlp, positions, replacement, together: Some(nothing) };
    let error = engine.run(&paris(), &spec.into(), &AnalysisCtx::unwatched()).unwrap_err();
    assert!(matches!(error, AnalysisError::Zero { .. }), "{error}");
}

/// The inverse is asked from the old answer, where the subject is the old one, and from the new answer,
/// where the subject is new.
#[test]
fn the_inverse_is_asked_from_both_answers() {
    let (dataset, tokenizer) = (Dataset::bundled(), Tokenizer::from_dir(&fixture("tiny")).unwrap());
    let record = dataset.find("0").unwrap();
    let changed =
        Changed { dataset: &dataset, record, direction: Direction::Forward, target: Some("Rome") };
    let asked = changed.asked(&tokenizer, Bos::Off).unwrap();
    let of = |kind: PromptKind| {
        let found = asked.iter().find(|it| it.kind == kind).unwrap();
        let text = |it: &Option<factscope::tokens::Answer>| it.as_ref().map(|it| it.text.clone());
        (&*found.prompt.text, text(&found.prompt.answer), text(&found.prompt.foil))
    };
    let (france, italy) = (Some(" France".to_owned()), Some(" Italy".to_owned()));
    assert_eq!(of(PromptKind::InverseOfOld), ("Paris is the capital of", None, france.clone()));
    assert_eq!(of(PromptKind::InverseOfNew), ("Rome is the capital of", france, italy));
    let (text, new, old) = of(PromptKind::Prompt);
    assert_eq!((text, new), ("The capital of France is", Some(" Rome".to_owned())));
    assert_eq!(old, Some(" Paris".to_owned()));
}
