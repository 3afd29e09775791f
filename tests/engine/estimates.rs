//! What must hold for effects estimated from gradients beyond traces: windows held together, `AtP*`,
//! and edges. The numbers of other programs are compared in `tests/golden/check_gradients.py`.

use factscope::analysis::attribution_patching::{self, AttributionPatching, BasePoint, Windows};
use factscope::analysis::causal_trace::{self, Component, NoiseLevel};
use factscope::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec, Metric};
use factscope::intervention::{
    Condition, Donor, Edit, Intervention, Noise, NoiseRng, Site, SiteSet, Span,
};
use factscope::model::{ActivationCache, Backward, Donors, Dropped, Objective, Row};
use factscope::tokens::TokenizedPrompt;

use super::support::{
    answer_of, assert_close, assert_far, engine, fixture, load, logits, prompt, run,
};

const N_LAYERS: usize = 4;

fn paris() -> TokenizedPrompt {
    let mut paris = prompt("Paris is the capital of", "Paris", None);
    paris.answer = Some(answer_of(&[507]));
    paris.foil = Some(answer_of(&[12]));
    paris
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |max: f32, it| max.max(it.abs()))
}

fn analyse(prompt: &TokenizedPrompt, spec: &AnalysisSpec) -> AnalysisResult {
    engine("tiny").run(prompt, spec, &AnalysisCtx::unwatched()).expect("it makes sense")
}

// Windows

fn windowed(
    component: Component,
    window: usize,
    base: BasePoint,
    windows: Windows,
) -> AttributionPatching {
    let trace = causal_trace::Spec {
        component,
        window,
        noise: NoiseLevel::Std(1.5),
        rng: NoiseRng::Numpy,
        seed: 1,
        n_samples: 2,
        direction: causal_trace::Direction::Denoise,
        sever: None,
        corruption: causal_trace::Corruption::default(),
        map: causal_trace::Map::default(),
    };
    let metric = Metric::Logit;
    let spec = attribution_patching::Spec { trace, base, metric, windows, n_verified: 0 };
    match analyse(&paris(), &AnalysisSpec::AttributionPatching(spec)) {
        AnalysisResult::AttributionPatching(found) => found,
        other => panic!("{other:?}"),
    }
}

/// Restoring a window a little way, from the base, is what the estimate is the slope of. Central
/// differences; their error is of third order in the step.
#[test]
fn a_window_that_is_held_has_the_slope_of_restoring_it() {
    const STEP: f64 = 0.02;
    let model = load(&fixture("tiny"));
    let prompt = paris();
    let subject = prompt.subject.clone().unwrap();
    let noise = Noise { rng: NoiseRng::Numpy, seed: 1, std: 1.5, sample: 1 };
    let corruption: Condition =
        vec![Intervention::at(Site::Embed, Span::Only(subject.clone()), Edit::AddNoise(noise))];
    let sites = Site::all(N_LAYERS);
    let clean = model.run_clean(&prompt.ids, &sites).cache;
    let rows = [Row::new(&prompt.ids, &corruption)];
    let corrupted = run(&model, &rows, &Donors::new(), &sites).cache;
    let answer = prompt.answer.as_ref().unwrap().first() as usize;

    for (component, window) in
        [(Component::Mlp, 2), (Component::Mlp, 4), (Component::Attn, 2), (Component::Attn, 8)]
    {
        let site = |layer| match component {
            Component::Mlp => Site::MlpOut(layer),
            Component::Attn | Component::Hidden => Site::AttnOut(layer),
        };
        for base in [BasePoint::Corrupted, BasePoint::Clean] {
            let held = windowed(component, window, base, Windows::Held);
            let added = windowed(component, window, base, Windows::Added);
            let (start, condition) = match base {
                BasePoint::Corrupted => (&corrupted, corruption.clone()),
                BasePoint::Clean => (&clean, Condition::new()),
            };
            let slope = |layer: usize, pos: usize| {
                let layers = held.spec.trace.layers(layer, N_LAYERS);
                let at = |share: f64| {
                    let moved = layers.clone().map(|it| {
                        let get = |cache: &ActivationCache| cache.get(site(it)).clone();
                        (site(it), get(start) + (get(&clean) - get(&corrupted)) * share)
                    });
                    let donors = Donors::from([(Donor::Counterpart, moved.collect())]);
                    let mut condition = condition.clone();
                    condition.extend(layers.clone().map(|it| {
                        let (donor, positions) = (Donor::Counterpart, Span::one(pos));
                        let copy = Edit::CopyFrom { donor, positions: positions.clone() };
                        Intervention::at(site(it), positions, copy)
                    }));
                    let rows = [Row::new(&prompt.ids, &condition)];
                    f64::from(logits(&run(&model, &rows, &donors, &SiteSet::new()))[answer])
                };
                ((at(STEP) - at(-STEP)) / (2.0 * STEP)) as f32
            };
            let cells = |it: &AttributionPatching| -> Vec<f32> {
                it.effects.values().iter().map(|draws| draws[1]).collect()
            };
            let expected: Vec<f32> = (0..N_LAYERS)
                .flat_map(|layer| (0..prompt.n_pos()).map(move |pos| (layer, pos)))
                .map(|(layer, pos)| slope(layer, pos))
                .collect();
            let what = format!("{component:?}, window {window}, {base:?}");
            let tolerance = 0.01 * largest(&expected);
            assert_close(&cells(&held), &expected, tolerance, &what);
            let off: Vec<f32> = cells(&added).iter().zip(&expected).map(|(a, b)| a - b).collect();
            assert!(largest(&off) > 5.0 * tolerance, "{what}: the sum would do as well");
        }
    }
}

#[test]
fn windows_of_one_layer_are_the_same_held_or_added() {
    for (component, window) in [(Component::Hidden, 10), (Component::Mlp, 1), (Component::Attn, 1)]
    {
        let of = |windows| windowed(component, window, BasePoint::Corrupted, windows).effects;
        assert_eq!(of(Windows::Held), of(Windows::Added), "{component:?}");
    }
}

// Dropped layers

/// Without a layer's contribution, what leaves it is what entered it.
#[test]
fn a_dropped_layer_carries_no_gradient() {
    let model = load(&fixture("tiny"));
    let ids = paris().ids;
    let sites = Backward::sites(N_LAYERS);
    let clean = run(&model, &[Row::new(&ids, &[])], &Donors::new(), &sites);
    let wanted = Site::all(N_LAYERS);
    let objective = Objective::LogProb { tokens: &[507] };
    let back = |dropped| {
        let request = Backward { run: &clean, objective, first_pos: 0, wanted: &wanted, dropped };
        model.backward(&request, &mut |_| Ok(())).unwrap()
    };
    let values = |cache: &ActivationCache, site: Site, row: usize| -> Vec<f32> {
        cache.get(site).clone().narrow(0, row, 1).into_data().iter::<f32>().collect()
    };
    let (whole, dropped) = (back(Dropped::Nothing), back(Dropped::EachLayer));
    for &site in &wanted {
        assert_eq!(values(&dropped, site, 0), values(&whole, site, 0), "{site}");
        if let Some(layer) = site.layer() {
            assert_eq!(dropped.get(site).dims()[0], N_LAYERS - layer, "{site}");
        }
    }
    for layer in 1..N_LAYERS {
        let below = values(&dropped, Site::ResidPost(layer - 1), N_LAYERS - layer);
        assert_eq!(below, values(&whole, Site::ResidPost(layer), 0), "layer {layer}");
    }
    // What passes through a layer and what passes around it add up.
    let (around, all) =
        (values(&dropped, Site::MlpOut(0), N_LAYERS - 1), values(&whole, Site::MlpOut(0), 0));
    assert_far(&around, &all, "layer 1");
}
