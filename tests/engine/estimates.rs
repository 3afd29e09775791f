//! Laws of effects estimated from gradients beyond traces (windows held together, `AtP*` and edges),
//! which hold for any weights.
//!
//! The numbers of other programs are compared in `tests/golden/check_gradients.py`.

use factscope::analysis::atp_star::{self, AtpStar, Node};
use factscope::analysis::attribution_patching::{self, AttributionPatching, BasePoint, Windows};
use factscope::analysis::causal_trace::{self, Component, NoiseLevel};
use factscope::analysis::corruption::{
    Closeness, Corrupted, Corruption, Draws, NoiseEntry, NoiseShape, SubjectsOf,
};
use factscope::analysis::edge_attribution::{self, EdgeAttribution, EdgeBase, n_edges};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Contrast, Correlation, Measurement,
    Method as _, Metric, Sender,
};
use factscope::intervention::{
    Condition, Donor, Edit, Intervention, Noise, NoiseRng, Site, SiteSet, Span,
};
use factscope::model::{
    ActivationCache, Backward, BatchRow, Donors, Dropped, ModelConfig, Objective, Transformer,
    Wiring,
};
use factscope::tokens::TokenizedPrompt;

use super::support::{
    assert_close, assert_far, assert_watched, engine, fixture, gpt2_sites, lab, load, logits,
    paris_or, run, seine, trace_spec,
};

const N_LAYERS: usize = 4;
const N_HEADS: usize = 4;

fn noise(std: f64, n_samples: usize) -> Contrast {
    corrupted_by(Corruption::default(), std, n_samples)
}

fn corrupted_by(corruption: Corruption, std: f64, n_samples: usize) -> Contrast {
    let noise = NoiseLevel::Std(std);
    Contrast::Subject(Draws { corruption, noise, rng: NoiseRng::Numpy, seed: 1, n_samples })
}

/// Other tokens from the third on.
fn other_of(prompt: &TokenizedPrompt) -> Contrast {
    let ids = prompt.ids.iter().enumerate();
    Contrast::Prompt {
        ids: ids.map(|(pos, &id)| if pos < 2 { id } else { (id + 31) % 600 }).collect(),
    }
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |max: f32, it| max.max(it.abs()))
}

fn analyse(prompt: &TokenizedPrompt, spec: &AnalysisSpec) -> AnalysisResult {
    engine("tiny").run(prompt, spec, &AnalysisCtx::unwatched()).expect("it makes sense")
}

// Windows

fn windowed(
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

fn star(
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

// Edges

fn edges(
    prompt: &TokenizedPrompt,
    contrast: Contrast,
    metric: Metric,
    base: EdgeBase,
    n_edges: usize,
    n_verified: usize,
) -> EdgeAttribution {
    let spec = edge_attribution::Spec { contrast, metric, base, n_edges, n_verified };
    match analyse(prompt, &AnalysisSpec::EdgeAttribution(spec)) {
        AnalysisResult::EdgeAttribution(found) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn gpt2_large_has_as_many_edges_as_in_eap_ig() {
    assert_eq!(n_edges(&ModelConfig::LARGE), 810_703);
    assert_eq!(n_edges(&ModelConfig::SMALL), 32_491);
}

/// What leaves a part adds up to what the part does: the score of an output is along its gradient.
#[test]
fn edges_add_up_to_their_senders_and_these_are_attributions() {
    check_edges(&load(&fixture("tiny")), "tiny");
}

pub fn check_edges(model: &Transformer, name: &str) {
    for (prompt, contrast) in [(paris_or(12), other_of(&paris_or(12))), (seine(), noise(1.5, 3))] {
        let metric = Metric::Prob;
        let ctx = AnalysisCtx::unwatched();
        let lab = lab(model, &prompt, &ctx);
        let all = edge_attribution::Spec {
            contrast: contrast.clone(),
            metric,
            base: EdgeBase::Clean,
            n_edges: usize::MAX,
            n_verified: 0,
        };
        let all = all.run(&lab).expect("it makes sense");
        assert_eq!(all.edges.len(), all.n_edges, "{name}");
        let sum_of = |sender: Sender| -> f32 {
            all.edges.iter().filter(|it| it.from == sender).map(|it| it.score).sum()
        };
        let scale =
            all.heads.values().iter().chain(&all.mlps).fold(0.0, |a: f32, b| a.max(b.abs()));
        let plain = atp_star::Spec { contrast, metric, n_verified: 0 };
        let plain = plain.run(&lab).expect("it makes sense");
        let what = |part: &str| format!("{name}, {part}");
        let over_positions = |node, layer, head| -> f32 {
            let at = |pos| plain.effect(node, layer, pos, head).unwrap().plain;
            (0..prompt.n_pos()).map(at).sum()
        };
        for (layer, heads) in all.heads.rows().enumerate() {
            for (head, &score) in heads.iter().enumerate() {
                let sum = sum_of(Sender::Head { layer, head });
                assert_close(&[sum], &[score], 1e-4 * scale, &what("edges of a head"));
                let z = over_positions(Node::Z, layer, head);
                assert_close(&[score], &[z], 1e-4 * scale, &what("a head"));
            }
            let score = all.mlps[layer];
            assert_close(
                &[sum_of(Sender::Mlp { layer })],
                &[score],
                1e-4 * scale,
                &what("edges of an MLP"),
            );
            let mlp = over_positions(Node::Mlp, layer, 0);
            assert_close(&[score], &[mlp], 1e-4 * scale, &what("an MLP"));
        }
        assert_close(&[sum_of(Sender::Embed)], &[all.embed], 1e-3 * all.embed.abs(), name);
    }
}

#[test]
fn the_first_edges_are_the_largest() {
    let of = |n| {
        edges(&paris_or(12), other_of(&paris_or(12)), Metric::Logit, EdgeBase::Clean, n, 0).edges
    };
    let all = of(usize::MAX);
    assert!(all.is_sorted_by(|a, b| a.score.abs() >= b.score.abs()));
    for it in &all {
        assert!(
            it.from.reaches(it.to.site(N_LAYERS), Wiring::Sequential),
            "{} to {}",
            it.from,
            it.to
        );
    }
    assert_eq!(of(17), all[..17]);
}

/// With one step the gradient is that of the corrupted run, where restoring starts from.
#[test]
fn one_step_is_the_attribution_at_the_corrupted_run() {
    let found =
        edges(&paris_or(12), noise(1.5, 2), Metric::Logit, EdgeBase::Between { n_steps: 1 }, 1, 0);
    let restored =
        windowed(&load(&fixture("tiny")), Component::Mlp, 1, BasePoint::Corrupted, Windows::Added);
    let scale = largest(found.heads.values());
    for layer in 0..N_LAYERS {
        let mlps = restored.effects.rows().nth(layer).unwrap().iter();
        let sum: f32 = mlps.map(|draws| draws.iter().sum::<f32>() / 2.0).sum();
        assert_close(&[found.mlps[layer]], &[-sum], 1e-4 * scale, "MLP");
        for head in 0..N_HEADS {
            let sum: f32 = restored.heads.iter().map(|it| it.get(layer, head).unwrap()).sum();
            let score = *found.heads.get(layer, head).unwrap();
            assert_close(&[score], &[-sum], 1e-4 * scale, "head");
        }
    }
}

/// The mean slope between two runs is the whole way (Sundararajan et al. 2017, completeness).
#[test]
fn with_many_steps_the_embeddings_explain_everything() {
    for (contrast, metric) in [
        (other_of(&paris_or(12)), Metric::LogitDiff),
        (noise(0.7, 2), Metric::LogProb),
        (noise(0.7, 1), Metric::Prob),
    ] {
        let off = |n_steps: usize| {
            let base = EdgeBase::Between { n_steps };
            let found = edges(&paris_or(12), contrast.clone(), metric, base, 1, 0);
            let clean = found.runs.clean.get(metric).unwrap();
            let corrupted: f32 =
                found.runs.corrupted.iter().map(|it| it.get(metric).unwrap()).sum();
            let whole = corrupted / found.runs.corrupted.len() as f32 - clean;
            ((found.embed - whole) / whole).abs()
        };
        let few = off(40);
        let many = off(400);
        assert!(many < 0.03 && many < few.max(0.01), "{metric:?}: off by {many} after {few}");
    }
}

#[test]
fn edges_that_are_corrupted_a_little_do_what_was_estimated() {
    for base in [EdgeBase::Clean, EdgeBase::Between { n_steps: 3 }] {
        let found = edges(&paris_or(12), noise(0.003, 2), Metric::LogitDiff, base, 60, 60);
        assert_eq!(found.verified.len(), 60);
        let scores: Vec<f32> = found.edges.iter().map(|it| it.score).collect();
        let tolerance = 0.05 * largest(&scores) + 2e-5;
        assert_close(&found.verified, &scores, tolerance, "patched for real");
        let kinds = |it: &edge_attribution::Edge| it.to.to_string();
        let to: Vec<String> = found.edges.iter().map(kinds).collect();
        for kind in ["logits", "MLP", ".v"] {
            assert!(to.iter().any(|it| it.contains(kind)), "{kind} is not among {to:?}");
        }
        assert!(found.agreement.unwrap().pearson.unwrap() > 0.99);
    }
}

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

// What cannot be done

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
