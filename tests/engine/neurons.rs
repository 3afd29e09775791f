//! Ablation of single neurons: laws, and what its spec refuses.

use std::cell::RefCell;

use factscope::analysis::ablation::{Part, Replacement};
use factscope::analysis::neuron_ablation::{NeuronAblation, Spec};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, Method as _, Metric,
    Positions, Reuse,
};
use factscope::intervention::{Condition, Edit, Intervention, Site, Span};
use factscope::model::Donors;
use factscope::task::{CancelToken, Cancelled, TaskCtx};
use factscope::tokens::TokenizedPrompt;

use super::laws::{LOGIT, N_LAYERS, ablation_spec, assert_same, ids, mean_of_others, paris, seine};
use super::support::{
    answer_of, assert_close, assert_far, assert_watched, engine, fixture, lab, load, logits_under,
};

const D_MLP: usize = 128;

fn spec(n_top: usize, positions: Positions, replacement: Replacement) -> Spec {
    Spec { n_top, layers: Vec::new(), metric: Metric::Logit, positions, replacement }
}

fn asked(
    prompt: &TokenizedPrompt,
    spec: Spec,
    ctx: &AnalysisCtx<'_>,
) -> Result<NeuronAblation, AnalysisError> {
    match engine("tiny").run(prompt, &AnalysisSpec::NeuronAblation(spec), ctx)? {
        AnalysisResult::NeuronAblation(found) => Ok(found),
        other => panic!("{other:?}"),
    }
}

fn ablate(prompt: &TokenizedPrompt, spec: Spec, reuse: Reuse) -> NeuronAblation {
    asked(prompt, spec, &AnalysisCtx { reuse, ..AnalysisCtx::unwatched() }).unwrap()
}

fn readings(found: &NeuronAblation) -> Vec<Measurement> {
    found.neurons.iter().map(|it| it.ablated.unwrap()).collect()
}

fn logits(found: &NeuronAblation) -> Vec<f32> {
    readings(found).iter().map(|it| it.logit).collect()
}

#[test]
fn neurons_are_the_same_with_and_without_reuse() {
    let mut long = paris();
    long.answer = Some(answer_of(&[507, 12]));
    for prompt in [paris(), seine(), long] {
        let resampled = Replacement::Resample { ids: ids(prompt.n_pos(), 7).into() };
        for positions in
            [Positions::All, Positions::Subject, Positions::NonSubject, Positions::Last]
        {
            for replacement in [Replacement::Zero, mean_of_others(), resampled.clone()] {
                let spec = spec(9, positions.clone(), replacement);
                let what = format!("{spec:?}");
                let exact = ablate(&prompt, spec.clone(), Reuse::Exact);
                let naive = ablate(&prompt, spec, Reuse::Off);
                let chosen = |it: &NeuronAblation| -> Vec<_> {
                    it.neurons.iter().map(|it| (it.layer, it.index)).collect()
                };
                assert_eq!(chosen(&exact), chosen(&naive), "{what}");
                assert_same(&readings(&exact), &readings(&naive), &what);
            }
        }
    }
}

#[test]
fn a_neuron_that_is_given_what_it_has_changes_nothing() {
    let prompt = paris();
    let itself = Replacement::Resample { ids: prompt.ids.clone().into() };
    for positions in [Positions::All, Positions::Subject, Positions::Last] {
        let found = ablate(&prompt, spec(6, positions, itself.clone()), Reuse::Exact);
        assert_eq!(found.neurons.len(), 6);
        for neuron in &found.neurons {
            assert_close(&neuron.activations, &neuron.replacements, 1e-5, "what is put in");
            assert_close(&[neuron.estimate], &[0.0], LOGIT, "the estimate");
        }
        assert_close(&logits(&found), &[found.clean.logit; 6], LOGIT, "the logit");
    }
    // So that the law says something.
    let zeros = ablate(&prompt, spec(6, Positions::All, Replacement::Zero), Reuse::Exact);
    assert_far(&logits(&zeros), &[zeros.clean.logit; 6], "zeros");
}

#[test]
fn an_estimate_is_the_slope_towards_the_replacement() {
    let (model, prompt) = (load(&fixture("tiny")), paris());
    let found = ablate(&prompt, spec(8, Positions::All, Replacement::Zero), Reuse::Exact);
    assert!(found.neurons.is_sorted_by(|a, b| a.estimate.abs() >= b.estimate.abs()));
    let share = 0.01;
    for neuron in &found.neurons {
        let edit = Edit::Scale(1.0 - share);
        let faded: Condition = vec![
            Intervention::at(Site::MlpPost(neuron.layer), Span::All, edit)
                .of_units(Span::one(neuron.index)),
        ];
        let logits = logits_under(&model, &prompt.ids, &faded, &Donors::new());
        let slope = (logits[507] - found.clean.logit) / share;
        // The bend over a hundredth of the way, and rounding of logits over it.
        let tolerance = 0.02 * neuron.estimate.abs() + 2e-3;
        assert_close(&[neuron.estimate], &[slope], tolerance, "the estimate");
        assert_eq!(neuron.activations.len(), prompt.n_pos());
        assert!(neuron.replacements.iter().all(|it| *it == 0.0));
    }
    let metric = found.spec.metric;
    let far = found.neurons.iter().any(|it| {
        (found.change(it, metric).unwrap() - it.estimate).abs() > 0.01 * it.estimate.abs()
    });
    assert!(far, "the estimates are exact, so nothing was ablated");
    assert_eq!(found.agreement.unwrap().n, 8);
}

#[test]
fn neurons_are_chosen_from_the_layers_that_are_named() {
    let prompt = paris();
    let all = ablate(&prompt, spec(7, Positions::Last, Replacement::Zero), Reuse::Exact);
    assert_eq!(all.n_neurons, N_LAYERS * D_MLP);
    let of = |layers: Vec<usize>, n_top: usize| {
        let spec = Spec { layers, ..spec(n_top, Positions::Last, Replacement::Zero) };
        ablate(&prompt, spec, Reuse::Exact)
    };
    let some = of(vec![2, 1, 2], 5);
    assert_eq!(some.n_neurons, 2 * D_MLP);
    assert!(some.neurons.iter().all(|it| (1..3).contains(&it.layer)));
    // More than there are is all there are, and the whole list contains every other.
    let whole = of(vec![1], 10 * D_MLP);
    assert_eq!(whole.neurons.len(), D_MLP);
    for neuron in some.neurons.iter().filter(|it| it.layer == 1) {
        let same = whole.neurons.iter().find(|it| it.index == neuron.index).unwrap();
        assert_close(&[same.estimate], &[neuron.estimate], 1e-5, "the estimate");
        let logit = |it: &Option<Measurement>| it.unwrap().logit;
        assert_close(&[logit(&same.ablated)], &[logit(&neuron.ablated)], LOGIT, "the logit");
    }
}

#[test]
fn what_cannot_be_asked_of_neurons_is_said() {
    let prompt = paris();
    let error = |spec| asked(&prompt, spec, &AnalysisCtx::unwatched()).unwrap_err();
    let usual = || spec(3, Positions::All, Replacement::Zero);
    assert_eq!(
        error(Spec { n_top: 0, ..usual() }),
        AnalysisError::Zero { what: "the number of neurons" }
    );
    let far = AnalysisError::OutOfRange { what: "layer", index: 9, n: N_LAYERS };
    assert_eq!(error(Spec { layers: vec![0, 9], ..usual() }), far);
    let rank = AnalysisError::NoSlope(Metric::Rank);
    assert_eq!(error(Spec { metric: Metric::Rank, ..usual() }), rank);
    let foil = error(Spec { metric: Metric::LogitDiff, ..usual() });
    assert_eq!(foil, AnalysisError::NoFoil);
    let other = Replacement::Resample { ids: [1].into() };
    let n_pos = prompt.n_pos();
    assert_eq!(
        error(Spec { replacement: other, ..usual() }),
        AnalysisError::OtherLength { n_pos, n_other: 1 }
    );
    // The subject is all that there is before the last token.
    let mut short = paris();
    short.ids.truncate(4);
    short.pieces.truncate(4);
    short.subject = Some(0..3);
    let nowhere = spec(3, Positions::NonSubject, Replacement::Zero);
    assert_eq!(
        asked(&short, nowhere, &AnalysisCtx::unwatched()).unwrap_err(),
        AnalysisError::Zero { what: "the number of tokens" }
    );
}

#[test]
fn an_ablation_of_neurons_shows_what_is_done_and_stops() {
    let model = load(&fixture("tiny"));
    let cancel = CancelToken::default();
    let partial = RefCell::new(Vec::new());
    let watched = |stops: bool| {
        partial.borrow_mut().clear();
        let take = |it| {
            let AnalysisResult::NeuronAblation(found) = it else { panic!("{it:?}") };
            partial
                .borrow_mut()
                .push(found.neurons.iter().filter(|it| it.ablated.is_some()).count());
            if stops {
                cancel.cancel();
            }
        };
        let ctx = AnalysisCtx {
            task: TaskCtx { cancel: cancel.clone(), report: &|_| () },
            partial: &take,
            ..AnalysisCtx::unwatched()
        };
        // Not through the engine, which says nothing before it has looked at all weights.
        spec(6, Positions::All, Replacement::Zero).run(&lab(&model, &paris(), &ctx))
    };
    watched(false).unwrap();
    assert_eq!(partial.borrow().first(), Some(&0));
    assert_eq!(partial.borrow().last(), Some(&6));
    // As soon as it is known which neurons they are.
    assert_eq!(watched(true).unwrap_err(), AnalysisError::Cancelled(Cancelled));
    assert!(partial.borrow().iter().all(|n_done| *n_done == 0));
}

#[test]
fn an_ablation_by_the_mean_says_how_far_it_is() {
    let engine = engine("tiny");
    for replacement in [Replacement::Zero, mean_of_others()] {
        let neurons = spec(6, Positions::All, replacement.clone());
        assert_watched(&engine, &paris(), &AnalysisSpec::NeuronAblation(neurons));
        let heads = ablation_spec(Part::Heads, Positions::All, replacement);
        assert_watched(&engine, &paris(), &AnalysisSpec::Ablation(heads));
    }
}
