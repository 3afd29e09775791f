//! Laws of effects estimated from gradients beyond traces (windows held together, and `AtP*`),
//! which hold for any weights.
//!
//! The numbers of other programs are compared in `tests/golden/check_gradients.py`.

use factscope::analysis::atp_star::{self, AtpStar, Node};
use factscope::analysis::attribution_patching::{self, AttributionPatching, BasePoint, Windows};
use factscope::analysis::causal_trace::{Component, NoiseLevel};
use factscope::analysis::corruption::{Corruption, Draws};
use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, Contrast, Correlation, Method as _, Metric,
};
use factscope::intervention::{
    Condition, Donor, Edit, Intervention, Noise, NoiseRng, Site, SiteSet, Span,
};
use factscope::model::{
    ActivationCache, Backward, BatchRow, Donors, Dropped, Objective, Transformer,
};
use factscope::tokens::TokenizedPrompt;

use super::support::{
    assert_close, assert_far, engine, fixture, gpt2_sites, lab, load, logits, paris_or, run, seine,
    trace_spec,
};

pub(super) const N_LAYERS: usize = 4;
pub(super) const N_HEADS: usize = 4;

pub(super) fn noise(std: f64, n_samples: usize) -> Contrast {
    corrupted_by(Corruption::default(), std, n_samples)
}

pub(super) fn corrupted_by(corruption: Corruption, std: f64, n_samples: usize) -> Contrast {
    let noise = NoiseLevel::Std(std);
    Contrast::Subject(Draws { corruption, noise, rng: NoiseRng::Numpy, seed: 1, n_samples })
}

/// Other tokens from the third on.
pub(super) fn other_of(prompt: &TokenizedPrompt) -> Contrast {
    let ids = prompt.ids.iter().enumerate();
    Contrast::Prompt {
        ids: ids.map(|(pos, &id)| if pos < 2 { id } else { (id + 31) % 600 }).collect(),
    }
}

pub(super) fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |max: f32, it| max.max(it.abs()))
}

pub(super) fn analyse(prompt: &TokenizedPrompt, spec: &AnalysisSpec) -> AnalysisResult {
    engine("tiny").run(prompt, spec, &AnalysisCtx::unwatched()).expect("it makes sense")
}

// Windows

pub(super) fn windowed(
    model: &Transformer,
    component: Component,
    window: usize,
    base: BasePoint,
    windows: Windows,
) -> AttributionPatching {
    let trace = trace_spec(component, window, 2);
    let metric = Metric::Logit;
    let spec = attribution_patching::Spec { trace, base, metric, windows, n_verified: 0 };
    let (prompt, ctx) = (paris_or(12), AnalysisCtx::unwatched());
    spec.run(&lab(model, &prompt, &ctx)).expect("it makes sense")
}

#[test]
fn a_window_that_is_held_has_the_slope_of_restoring_it() {
    for off in check_held_windows(&load(&fixture("tiny")), "tiny") {
        assert!(off > 0.05, "the sum would do as well");
    }
}

/// Restoring a window a little way, from the base, is what the estimate is the slope of. Central
/// differences; their error is of third order in the step. Gives how far the sums of single layers
/// are off, in parts of the largest slope.
pub fn check_held_windows(model: &Transformer, name: &str) -> Vec<f32> {
    const STEP: f64 = 0.02;
    let n_layers = model.config.n_layers;
    let mut all_off = Vec::new();
    let prompt = paris_or(12);
    let subject = prompt.subject.clone().unwrap();
    let noise = Noise { rng: NoiseRng::Numpy, seed: 1, std: 1.5, sample: 1 };
    let corruption: Condition =
        vec![Intervention::at(Site::Embed, Span::Only(subject.clone()), Edit::AddNoise(noise))];
    let sites = model.config.sites();
    let clean = model.run_clean(&prompt.ids, &sites).cache;
    let rows = [BatchRow::new(&prompt.ids, &corruption)];
    let corrupted = run(model, &rows, &Donors::new(), &sites).cache;
    let answer = prompt.answer.as_ref().unwrap().first() as usize;

    for (component, window) in
        [(Component::Mlp, 2), (Component::Mlp, 4), (Component::Attn, 2), (Component::Attn, 8)]
    {
        let site = |layer| match component {
            Component::Mlp => Site::MlpOut(layer),
            Component::Attn | Component::Hidden => Site::AttnOut(layer),
        };
        for base in [BasePoint::Corrupted, BasePoint::Clean] {
            let held = windowed(model, component, window, base, Windows::Held);
            let added = windowed(model, component, window, base, Windows::Added);
            let (start, condition) = match base {
                BasePoint::Corrupted => (&corrupted, corruption.clone()),
                BasePoint::Clean => (&clean, Condition::new()),
            };
            let slope = |layer: usize, pos: usize| {
                let layers = held.spec.trace.layers(layer, n_layers);
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
                    let rows = [BatchRow::new(&prompt.ids, &condition)];
                    f64::from(logits(&run(model, &rows, &donors, &SiteSet::new()))[answer])
                };
                ((at(STEP) - at(-STEP)) / (2.0 * STEP)) as f32
            };
            let cells = |it: &AttributionPatching| -> Vec<f32> {
                it.effects.values().iter().map(|draws| draws[1]).collect()
            };
            let expected: Vec<f32> = (0..n_layers)
                .flat_map(|layer| (0..prompt.n_pos()).map(move |pos| (layer, pos)))
                .map(|(layer, pos)| slope(layer, pos))
                .collect();
            let what = format!("{name}, {component:?}, window {window}, {base:?}");
            // Logits are rounded by 1e-6, which a step of 0.04 makes larger.
            let tolerance = (0.01 * largest(&expected)).max(1e-4);
            assert_close(&cells(&held), &expected, tolerance, &what);
            let off: Vec<f32> = cells(&added).iter().zip(&expected).map(|(a, b)| a - b).collect();
            all_off.push(largest(&off) / largest(&expected));
        }
    }
    all_off
}

#[test]
fn windows_of_one_layer_are_the_same_held_or_added() {
    let model = load(&fixture("tiny"));
    for (component, window) in [(Component::Hidden, 10), (Component::Mlp, 1), (Component::Attn, 1)]
    {
        let of =
            |windows| windowed(&model, component, window, BasePoint::Corrupted, windows).effects;
        assert_eq!(of(Windows::Held), of(Windows::Added), "{component:?}");
    }
}

// Dropped layers

/// Without a layer's contribution, what leaves it is what entered it.
#[test]
fn a_dropped_layer_carries_no_gradient() {
    let model = load(&fixture("tiny"));
    let ids = paris_or(12).ids;
    let sites = Backward::sites(&model.config);
    let clean = run(&model, &[BatchRow::new(&ids, &[])], &Donors::new(), &sites);
    let wanted = gpt2_sites(N_LAYERS);
    let objective = Objective::LogProb { tokens: &[507] };
    let back = |dropped| {
        let request = Backward { run: &clean, objective, first_pos: 0, wanted: &wanted, dropped };
        model.backward(&request, &mut |_| Ok(())).unwrap()
    };
    let values = |cache: &ActivationCache, site: Site, row: usize| -> Vec<f32> {
        cache.get(site).clone().narrow(0, row, 1).into_data().iter::<f32>().collect()
    };
    let (whole, dropped) =
        (back(Dropped::NoLayer), back(Dropped::EachOf { first: 0, end: N_LAYERS }));
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

// AtP*

pub(super) fn star(
    prompt: &TokenizedPrompt,
    contrast: Contrast,
    metric: Metric,
    n_verified: usize,
) -> AtpStar {
    let spec = atp_star::Spec { contrast, metric, n_verified };
    match analyse(prompt, &AnalysisSpec::AtpStar(spec)) {
        AnalysisResult::AtpStar(found) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn small_changes_are_estimated_as_they_are() {
    for (prompt, metric) in [
        (paris_or(12), Metric::LogitDiff),
        (paris_or(12), Metric::Prob),
        (seine(), Metric::AnswerProb),
        (seine(), Metric::LogProb),
    ] {
        let error = |std: f64, read: fn(&atp_star::Effect) -> f32| {
            let found = star(&prompt, noise(std, 2), metric, 60);
            let verified = &found.verified;
            let effects: Vec<f32> = verified.iter().map(|it| it.patched).collect();
            let off: Vec<f32> = verified.iter().map(|it| read(&it.estimate) - it.patched).collect();
            largest(&off) / largest(&effects)
        };
        for read in [|it: &atp_star::Effect| it.plain, |it: &atp_star::Effect| it.fixed] {
            let (large, small) = (error(0.05, read), error(0.005, read));
            assert!(small < 0.05, "{metric:?}: off by {small}");
            assert!(small < 0.5 * large, "{metric:?}: {small} after {large}");
        }
    }
}

/// A head's output is linear in its attention weights, so what a corrupted query or key does to the
/// reading, with only what follows the softmax taken to first order, is what it does to `z`, along
/// the gradient there.
#[test]
fn a_new_softmax_is_what_heads_really_do() {
    check_new_softmax(&load(&fixture("tiny")), "tiny");
}

/// The estimates with the softmax recomputed against heads that are patched.
pub fn check_new_softmax(model: &Transformer, name: &str) {
    let prompt = paris_or(12);
    let n_layers = model.config.n_layers;
    let contrast = other_of(&prompt);
    let Contrast::Prompt { ids: other } = &contrast else { panic!("it is a prompt") };
    let spec = atp_star::Spec { contrast: contrast.clone(), metric: Metric::Logit, n_verified: 0 };
    let ctx = AnalysisCtx::unwatched();
    let found = spec.run(&lab(model, &prompt, &ctx)).expect("it makes sense");
    let sites = model.config.sites();
    let donors = Donors::from([(Donor::Counterpart, model.run_clean(other, &sites).cache)]);
    let capture = sites.union(&Backward::sites(&model.config)).copied().collect();
    let clean = run(model, &[BatchRow::new(&prompt.ids, &[])], &Donors::new(), &capture);
    let wanted: SiteSet = (0..n_layers).map(Site::Z).collect();
    let objective = Objective::Logit { token: 507, less: None };
    let (first_pos, dropped) = (0, Dropped::EachOf { first: 0, end: n_layers });
    let request = Backward { run: &clean, objective, first_pos, wanted: &wanted, dropped };
    let gradients = model.backward(&request, &mut |_| Ok(())).unwrap();

    for (nth, node) in [Node::Query, Node::Key].into_iter().enumerate() {
        let site = |layer| model.config.sites_of_one_head(layer)[nth];
        let (mut fixed, mut sizes, mut expected, mut expected_sizes) =
            (vec![], vec![], vec![], vec![]);
        for layer in 0..n_layers {
            for pos in 2..prompt.n_pos() {
                let [_, _, n_heads, _] = clean.cache.get(site(layer)).dims();
                for head in 0..n_heads {
                    let (donor, positions) = (Donor::Counterpart, Span::one(pos));
                    let copy = Edit::CopyFrom { donor, positions: positions.clone() };
                    let condition = vec![
                        Intervention::at(site(layer), positions, copy).of_heads(Span::one(head)),
                    ];
                    let z = SiteSet::from([Site::Z(layer)]);
                    let patched =
                        run(model, &[BatchRow::new(&prompt.ids, &condition)], &donors, &z).cache;
                    let z = Site::Z(layer);
                    let moved = patched.get(z).clone() - clean.cache.get(z).clone();
                    let along = (moved * gradients.get(z).clone()).sum_dim(3).sum_dim(2).sum_dim(1);
                    let rows: Vec<f32> = along.into_data().iter::<f32>().collect();
                    expected.push(rows[0]);
                    let others: f32 = rows[1..].iter().map(|it| it.abs()).sum();
                    let size = layer as f32 * rows[0].abs() + others;
                    expected_sizes.push(size / (n_layers - 1) as f32);
                    let effect = found.effect(node, layer, pos, head).unwrap();
                    fixed.push(effect.fixed);
                    sizes.push(effect.size);
                }
            }
        }
        let tolerance = 1e-4 * largest(&expected);
        assert_close(&fixed, &expected, tolerance, &format!("{name}, {node:?}"));
        assert_close(
            &sizes,
            &expected_sizes,
            tolerance,
            &format!("{name}, {node:?}, layers dropped"),
        );
    }
}

#[test]
fn an_estimate_says_how_it_goes_with_what_was_patched() {
    let found = star(&paris_or(12), other_of(&paris_or(12)), Metric::Logit, 40);
    let [fixed, plain] = found.agreement.unwrap();
    assert_eq!((fixed.n, plain.n, found.verified.len()), (40, 40, 40));
    let pairs = |read: fn(&atp_star::Effect) -> f32| -> Vec<(f32, f32)> {
        found.verified.iter().map(|it| (read(&it.estimate), it.patched)).collect()
    };
    assert_eq!(fixed, Correlation::of_pairs(pairs(|it| it.fixed)));
    assert_eq!(plain, Correlation::of_pairs(pairs(|it| it.plain)));
    assert_ne!(fixed, plain);
}

#[test]
fn parts_of_an_estimate_are_in_their_places() {
    let prompt = paris_or(12);
    let found = star(&prompt, other_of(&prompt), Metric::LogProb, 0);
    assert_eq!(found.base, BasePoint::Clean);
    let ranked = found.ranked();
    assert_eq!(ranked.len(), prompt.n_pos() * N_LAYERS * (4 * N_HEADS + 1));
    assert!(ranked.is_sorted_by(|a, b| a.estimate.size >= b.estimate.size));
    for it in &ranked {
        let there = found.effect(it.node, it.layer, it.pos, it.head.unwrap_or(0));
        assert_eq!(there, Some(it.estimate));
        assert!(it.estimate.size >= 0.0);
        if it.pos < 2 {
            assert_eq!(it.estimate, atp_star::Effect::default(), "equal so far");
        }
        if !matches!(it.node, Node::Query | Node::Key) {
            assert_eq!(it.estimate.plain, it.estimate.fixed);
        }
        // Of the last layer, each of the earlier ones can be dropped without a difference.
        if it.layer == N_LAYERS - 1 {
            let expected = it.estimate.fixed.abs();
            assert_close(&[it.estimate.size], &[expected], 1e-5 * expected.max(1.0), "last layer");
        }
    }
    assert!(found.effect(Node::Query, 0, 3, N_HEADS).is_none());
    // Only queries of the last layer that are read matter.
    let last = found.effect(Node::Query, N_LAYERS - 1, prompt.last(), 1).unwrap();
    let other = found.effect(Node::Query, N_LAYERS - 1, prompt.last() - 1, 1).unwrap();
    assert!(last.fixed != 0.0 && other.fixed == 0.0);
}
