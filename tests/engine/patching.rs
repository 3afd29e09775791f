//! Laws of activations that are moved from one prompt to another, which hold for any weights.

use factscope::analysis::activation_patching::{self, ActivationPatching, Part, Places};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, Method as _, Metric,
    Pair, Reuse, Role, sweep,
};
use factscope::intervention::{Condition, Donor};
use factscope::model::Donors;
use factscope::tokens::{Bos, TokenizedPrompt};

use super::support::{
    answer_of, assert_close, assert_far, assert_watched, engine, fixture, gpt2_sites, lab, load,
    paris, prompt,
};

const N_LAYERS: usize = 4;
const N_HEADS: usize = 4;

/// Sums in another order.
const LOGIT: f32 = 1e-4;

fn france() -> TokenizedPrompt {
    let mut france = prompt("The capital of old France is", "old France", None);
    france.answer = Some(answer_of(&[300]));
    assert_ne!(france.n_pos(), paris().n_pos());
    france
}

fn spec(donor: TokenizedPrompt, pairs: Vec<Pair>, part: Part) -> activation_patching::Spec {
    activation_patching::Spec { donor: donor.into(), pairs, places: Places::Each, part, window: 1 }
}

fn patch(
    prompt: &TokenizedPrompt,
    spec: &activation_patching::Spec,
    reuse: Reuse,
) -> ActivationPatching {
    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
    match engine("tiny").run(prompt, &AnalysisSpec::ActivationPatching(spec.clone()), &ctx) {
        Ok(AnalysisResult::ActivationPatching(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn measured(found: &ActivationPatching) -> Vec<Measurement> {
    found.patched.iter().flat_map(|map| map.values().iter().map(|it| it.unwrap())).collect()
}

fn readings(measured: &[Measurement]) -> Vec<f32> {
    measured.iter().flat_map(|it| [it.logit, it.logit_diff.unwrap(), it.log_prob]).collect()
}

fn pair(donor: usize, recipient: usize) -> Pair {
    Pair { donor, recipient }
}

/// A prompt of tokens without meaning.
fn shape(n_pos: usize, subject: std::ops::Range<usize>, bos: Bos) -> TokenizedPrompt {
    TokenizedPrompt {
        text: String::new(),
        bos,
        ids: vec![0; n_pos],
        pieces: vec![String::new(); n_pos],
        subject: (!subject.is_empty()).then_some(subject),
        answer: None,
        foil: None,
    }
}

#[test]
fn positions_are_paired_by_role() {
    let check = |donor: &TokenizedPrompt, recipient: &TokenizedPrompt, expected: &[[usize; 2]]| {
        let expected: Vec<Pair> = expected.iter().map(|&[a, b]| pair(a, b)).collect();
        assert_eq!(Pair::by_role(donor, recipient), expected);
    };
    // Two tokens before a subject of three, and four after it; none, four, and three.
    let (donor, recipient) = (shape(9, 2..5, Bos::Off), shape(7, 0..4, Bos::Off));
    check(&donor, &recipient, &[[2, 0], [3, 1], [4, 3], [5, 4], [7, 5], [8, 6]]);
    check(&recipient, &donor, &[[0, 2], [1, 3], [3, 4], [4, 5], [5, 7], [6, 8]]);
    check(&donor, &donor, &std::array::from_fn::<_, 9, _>(|pos| [pos, pos]));
    // BOS goes with BOS, and never with a word.
    check(&shape(4, 1..2, Bos::On), &shape(5, 2..3, Bos::On), &[[0, 0], [1, 2], [2, 3], [3, 4]]);
    check(&shape(4, 1..2, Bos::On), &shape(5, 2..3, Bos::Off), &[[1, 2], [2, 3], [3, 4]]);
    // A subject of one token is its last.
    check(&shape(4, 1..2, Bos::Off), &shape(6, 1..4, Bos::Off), &[[0, 0], [1, 3], [2, 4], [3, 5]]);
    // A subject that ends the prompt is its last token, too, and none is overwritten twice.
    check(&shape(4, 1..3, Bos::Off), &shape(4, 2..4, Bos::Off), &[[0, 1], [1, 2], [3, 3]]);
    check(&shape(4, 2..4, Bos::Off), &shape(4, 1..3, Bos::Off), &[[1, 0], [2, 1], [3, 2], [3, 3]]);
    // Without a subject the end counts.
    check(&shape(3, 0..0, Bos::Off), &shape(5, 0..2, Bos::Off), &[[0, 2], [1, 3], [2, 4]]);

    let role = |pos| Role::of(&shape(9, 2..5, Bos::On), pos);
    let expected = [
        Role::Bos,
        Role::Before,
        Role::SubjectFirst,
        Role::SubjectMiddle,
        Role::SubjectLast,
        Role::After,
        Role::Further,
        Role::Further,
        Role::Last,
    ];
    assert_eq!((0..9).map(role).collect::<Vec<_>>(), expected);
    assert_eq!("3:5".parse::<Pair>().unwrap(), pair(3, 5));
    assert_eq!(pair(3, 5).to_string(), "3:5");
    assert!("3-5".parse::<Pair>().unwrap_err().to_string().contains("3:5"));
}

#[test]
fn patching_a_prompt_with_itself_changes_nothing() {
    let same = paris();
    for part in Part::ALL {
        for places in [Places::Each, Places::Together] {
            let pairs = Pair::by_role(&same, &same);
            let spec =
                activation_patching::Spec { places, window: 3, ..spec(same.clone(), pairs, part) };
            let found = patch(&same, &spec, Reuse::Exact);
            assert_close(&readings(&[found.donor]), &readings(&[found.clean]), LOGIT, "donor");
            for it in measured(&found) {
                assert_close(&readings(&[it]), &readings(&[found.clean]), LOGIT, "patched");
                assert_eq!(found.recovery(&it, Metric::Logit), None, "there is nothing to recover");
            }
        }
    }
}

/// At the last token the last residual stream is all that is read.
#[test]
fn the_last_state_carries_the_whole_answer() {
    let (recipient, donor) = (paris(), france());
    let pairs = vec![pair(donor.last(), recipient.last()), pair(1, 2)];
    let found = patch(&recipient, &spec(donor, pairs, Part::Hidden), Reuse::Exact);
    assert_far(&readings(&[found.clean]), &readings(&[found.donor]), "the prompts");
    let last = found.patched[0].get(N_LAYERS - 1, 0).unwrap().unwrap();
    assert_close(&readings(&[last]), &readings(&[found.donor]), LOGIT, "at the end");
    for metric in [Metric::Logit, Metric::LogitDiff, Metric::LogProb] {
        assert_close(&[found.recovery(&last, metric).unwrap()], &[1.0], 1e-3, "recovery");
        assert_eq!(found.recovery(&found.clean, metric), Some(0.0));
    }
    let other = found.patched[0].get(N_LAYERS - 1, 1).unwrap().unwrap();
    assert_close(&readings(&[other]), &readings(&[found.clean]), LOGIT, "nobody reads it");
    assert_far(
        &readings(&[found.patched[0].get(0, 1).unwrap().unwrap()]),
        &readings(&[found.clean]),
        "an early one is read",
    );
}

/// The foil is the donor's answer, and its probability follows from the readings.
#[test]
fn both_answers_are_measured() {
    let (recipient, donor) = (paris(), france());
    let pairs = Pair::by_role(&donor, &recipient);
    let found = patch(&recipient, &spec(donor.clone(), pairs.clone(), Part::Mlp), Reuse::Exact);
    assert_eq!(found.prompt.foil, donor.answer);
    let asked = TokenizedPrompt { answer: donor.answer.clone(), ..recipient };
    let swapped = patch(&asked, &spec(donor.clone(), pairs, Part::Mlp), Reuse::Exact);
    for (it, other) in measured(&found).iter().zip(measured(&swapped)) {
        let prob = ActivationPatching::foil_prob(it).unwrap();
        assert_close(&[prob], &[other.prob], 1e-5, "the donor's answer");
    }
    // A donor without an answer is given the model's.
    let unasked = TokenizedPrompt { answer: None, ..donor };
    let found = patch(&paris(), &spec(unasked, vec![pair(1, 1)], Part::Mlp), Reuse::Exact);
    assert!(found.spec.donor.answer.is_some() && found.prompt.foil == found.spec.donor.answer);
}

#[test]
fn all_heads_of_a_layer_together_are_its_attention() {
    let model = load(&fixture("tiny"));
    let (donor, mut recipient) = (france(), paris());
    recipient.foil.clone_from(&donor.answer);
    let cache = model.run_clean(&donor.ids, &gpt2_sites(N_LAYERS)).cache;
    let donors = Donors::from([(Donor::Counterpart, cache)]);
    let pairs = Pair::by_role(&donor, &recipient);
    let plan_of = |part| {
        let places = Places::Together;
        let spec = activation_patching::Spec { places, ..spec(donor.clone(), pairs.clone(), part) };
        activation_patching::plan(&spec, N_LAYERS, N_HEADS)[1..].to_vec()
    };
    let run = |conditions: &[Condition]| {
        let ctx = AnalysisCtx::unwatched();
        readings(&sweep(&lab(&model, &recipient, &ctx), conditions, &donors, &mut |_| ()).unwrap())
    };
    let heads = plan_of(Part::Heads);
    let layers: Vec<Condition> = heads.chunks(N_HEADS).map(|heads| heads.concat()).collect();
    let whole = run(&plan_of(Part::Attn));
    assert_close(&run(&layers), &whole, LOGIT, "all heads");
    let first: Vec<Condition> = heads.chunks(N_HEADS).map(|heads| heads[0].clone()).collect();
    assert_far(&run(&first), &whole, "one head");
}

#[test]
fn every_map_is_the_same_with_and_without_reuse() {
    let mut long = paris();
    long.answer = Some(answer_of(&[507, 12]));
    for recipient in [paris(), long] {
        let donor = france();
        let pairs = Pair::by_role(&donor, &recipient);
        for part in Part::ALL {
            for places in [Places::Each, Places::Together] {
                let spec = activation_patching::Spec {
                    places,
                    window: 3,
                    ..spec(donor.clone(), pairs.clone(), part)
                };
                let exact = readings(&measured(&patch(&recipient, &spec, Reuse::Exact)));
                let naive = readings(&measured(&patch(&recipient, &spec, Reuse::Off)));
                assert_close(&exact, &naive, LOGIT, &format!("{part:?}, {places:?}"));
            }
        }
    }
}

#[test]
fn a_patch_that_makes_no_sense_is_an_error() {
    let engine = engine("tiny");
    let error = |spec: activation_patching::Spec| {
        let spec = AnalysisSpec::ActivationPatching(spec);
        engine.run(&paris(), &spec, &AnalysisCtx::unwatched()).unwrap_err()
    };
    let n_pos = paris().n_pos();
    let of = |pairs: Vec<Pair>| spec(france(), pairs, Part::Hidden);
    assert!(matches!(error(of(vec![])), AnalysisError::Zero { .. }));
    let window = activation_patching::Spec { window: 0, ..of(vec![pair(0, 0)]) };
    assert_eq!(error(window), AnalysisError::Zero { what: "the window" });
    let far = AnalysisError::NoPosition { pos: n_pos, n_pos };
    assert_eq!(error(of(vec![pair(0, 0), pair(0, n_pos)])), far);
    let n_donor = france().n_pos();
    let far = AnalysisError::NoPosition { pos: n_donor, n_pos: n_donor };
    assert_eq!(error(of(vec![pair(n_donor, 0)])), far);
    assert_eq!(error(of(vec![pair(1, 2), pair(3, 2)])), AnalysisError::PairedTwice { pos: 2 });
    let mut long = france();
    long.ids = vec![1; 65];
    let too_long = AnalysisError::TooLong { n_pos: 65, n_ctx: 64 };
    assert_eq!(error(spec(long, vec![pair(0, 0)], Part::Mlp)), too_long);

    let unanswered = TokenizedPrompt { answer: None, ..france() };
    let spec = spec(unanswered, vec![pair(0, 0)], Part::Mlp);
    let model = load(&fixture("tiny"));
    let found = spec.run(&lab(&model, &paris(), &AnalysisCtx::unwatched()));
    assert_eq!(found.unwrap_err(), AnalysisError::NoAnswer);
}

#[test]
fn patching_can_be_cancelled() {
    let (recipient, donor) = (paris(), france());
    let pairs = Pair::by_role(&donor, &recipient);
    let spec = AnalysisSpec::ActivationPatching(spec(donor, pairs, Part::Heads));
    assert_watched(&engine("tiny"), &recipient, &spec);
}
