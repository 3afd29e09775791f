//! Laws of gradients, and of traces estimated from them, which hold for any weights.
//!
//! The model is the fixture `tiny`, as in `laws`; the numbers of other programs
//! are in `golden.rs`.

use factscope::analysis::attribution_patching::{self, AttributionPatching, BasePoint, Windows};
use factscope::analysis::causal_trace::{self, CausalTrace, Component, NoiseLevel};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Measurement, Metric, Reuse,
};
use factscope::intervention::{Edit, Intervention, Noise, NoiseRng, Site, SiteSet, Span};
use factscope::model::{
    Backward, BatchRow, ComputeDevice, Donors, Dropped, Objective, Request, Run, Transformer,
};
use factscope::task::Cancelled;
use factscope::tokens::TokenizedPrompt;

use super::support::{
    assert_close, assert_far, assert_watched, engine, fixture, gpt2_sites, load, load_on, logits,
    paris_or, run, seine, trace_spec, traced,
};

const N_LAYERS: usize = 4;
const N_HEADS: usize = 4;
const IDS: [u32; 7] = [7, 53, 133, 247, 395, 577, 2];
const OTHER_IDS: [u32; 7] = [600, 31, 131, 27, 95, 77, 12];

/// Natural logarithms of probabilities that are all alike.
const UNIFORM: [f32; 657] = [-6.487_684; 657];

const OBJECTIVES: [Objective<'_>; 4] = [
    Objective::LogProb { tokens: &[300] },
    Objective::Logit { token: 300, less: None },
    Objective::Logit { token: 300, less: Some(12) },
    Objective::Divergence { from: &UNIFORM },
];

/// The objective of the last position's logits, in f64.
fn objective_of(objective: Objective<'_>, logits: &[f32]) -> f64 {
    let logit = |token: u32| f64::from(logits[token as usize]);
    match objective {
        Objective::Logit { token, less } => logit(token) - less.map_or(0.0, logit),
        Objective::LogProb { tokens } => {
            let sum: f64 = logits.iter().map(|&it| f64::from(it).exp()).sum();
            logit(tokens[0]) - sum.ln()
        }
        Objective::Divergence { from } => {
            let log_sum = logits.iter().map(|&it| f64::from(it).exp()).sum::<f64>().ln();
            let logs = logits.iter().map(|&it| f64::from(it) - log_sum);
            logs.zip(from).map(|(log, &from)| log.exp() * (log - f64::from(from))).sum()
        }
    }
}

/// A run that can be gone back through, with all its activations.
pub fn whole_run(model: &Transformer, rows: &[BatchRow<'_>]) -> Run {
    let sites = model.config.sites();
    run(model, rows, &Donors::new(), &sites)
}

/// `[batch, pos, head, width]`, flat, from `first_pos` on.
pub fn gradients(
    model: &Transformer,
    run: &Run,
    objective: Objective<'_>,
    first_pos: usize,
    site: Site,
) -> Vec<f32> {
    let wanted = SiteSet::from([site]);
    let request =
        Backward { run, objective, first_pos, wanted: &wanted, dropped: Dropped::NoLayer };
    let cache = model.backward(&request, &mut |_| Ok(())).unwrap();
    assert!(cache.sites().eq([site]), "only what is wanted is kept");
    cache.get(site).clone().into_data().iter::<f32>().collect()
}

fn values(run: &Run, site: Site) -> Vec<f32> {
    run.cache.get(site).clone().into_data().iter::<f32>().collect()
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |max: f32, it| max.max(it.abs()))
}

#[test]
fn gradients_are_the_slopes_at_every_site() {
    check_slopes(&load(&fixture("tiny")), "tiny");
}

/// Central differences over a small step in a random direction, through `Edit`s. Their error is of
/// third order in the step, and rounding of logits (1e-5) is 1e-3 of the change that is measured.
pub fn check_slopes(model: &Transformer, name: &str) {
    let clean = whole_run(model, &[BatchRow::new(&IDS, &[])]);
    for site in model.config.sites() {
        let here = values(&clean, site);
        let finite = || here.iter().filter(|it| it.is_finite());
        let size = (finite().map(|it| it * it).sum::<f32>() / finite().count() as f32).sqrt();
        let mut moves = 0.0_f64;
        for sample in 0..2 {
            let step = |std: f64| {
                let noise = Noise { rng: NoiseRng::Chacha, seed: 3, std, sample };
                let condition = vec![Intervention::at(site, Span::All, Edit::AddNoise(noise))];
                let rows = [BatchRow::new(&IDS, &condition)];
                run(model, &rows, &Donors::new(), &SiteSet::from([site]))
            };
            let std = 0.004 * f64::from(size);
            let (up, down) = (step(std), step(-std));
            let moved: Vec<f64> = values(&up, site)
                .iter()
                .zip(values(&down, site))
                .map(|(up, down)| if up.is_finite() { f64::from(up - down) } else { 0.0 })
                .collect();
            for objective in OBJECTIVES {
                let what = format!("{name}, {objective:?} at {site}");
                let gradient = gradients(model, &clean, objective, 0, site);
                let expected: f64 =
                    moved.iter().zip(&gradient).map(|(by, slope)| by * f64::from(*slope)).sum();
                let found =
                    objective_of(objective, &logits(&up)) - objective_of(objective, &logits(&down));
                // What a step of this size could do at most, were it along the gradient.
                let length = |values: &mut dyn Iterator<Item = f64>| {
                    values.map(|it| it * it).sum::<f64>().sqrt()
                };
                let most = length(&mut moved.iter().copied())
                    * length(&mut gradient.iter().map(|&it| f64::from(it)));
                // A divergence bends more than a logit, so its third order is larger.
                let rest = match objective {
                    Objective::Divergence { .. } => 1e-4,
                    Objective::Logit { .. } | Objective::LogProb { .. } => 2e-5,
                };
                let tolerance = 0.002 * most + rest;
                moves = most.max(moves);
                assert!((found - expected).abs() < tolerance, "{what}: {found} is not {expected}");
            }
        }
        // A norm after the MLP takes off most of what the scale of the norm before it changes.
        assert!(moves > 2e-4, "{name}: nothing moves at {site}");
    }
}

/// `dlog p/dx = Jᵀ (W_U[token] − Σ p W_U)`, with the Jacobian of the final layer norm written out.
#[test]
fn the_gradient_at_the_end_is_the_closed_form() {
    let model = load(&fixture("tiny"));
    let file = std::fs::read(fixture("tiny").join("model.safetensors")).unwrap();
    let weights = safetensors::SafeTensors::deserialize(&file).unwrap();
    let tensor = |name: &str| -> Vec<f64> {
        let bytes = weights.tensor(name).unwrap();
        bytes.data().as_chunks::<4>().0.iter().map(|&it| f32::from_le_bytes(it).into()).collect()
    };
    let (embedding, gain) = (tensor("wte.weight"), tensor("ln_f.weight"));
    let d_model = gain.len();
    let clean = whole_run(&model, &[BatchRow::new(&IDS, &[])]);

    let logits: Vec<f64> = logits(&clean).into_iter().map(f64::from).collect();
    let sum: f64 = logits.iter().map(|it| it.exp()).sum();
    let mut direction = embedding[300 * d_model..301 * d_model].to_vec();
    for (logit, row) in logits.iter().zip(embedding.chunks(d_model)) {
        direction.iter_mut().zip(row).for_each(|(it, value)| *it -= logit.exp() / sum * value);
    }

    let last = Site::ResidPost(N_LAYERS - 1);
    let resid = values(&clean, last);
    let at_end: Vec<f64> = resid[6 * d_model..].iter().map(|&it| f64::from(it)).collect();
    let n = d_model as f64;
    let mean = at_end.iter().sum::<f64>() / n;
    let scale = (at_end.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / n + 1e-5).sqrt();
    let unit: Vec<f64> = at_end.iter().map(|it| (it - mean) / scale).collect();
    let scaled: Vec<f64> = direction.iter().zip(&gain).map(|(it, gain)| it * gain).collect();
    let along_ones = scaled.iter().sum::<f64>() / n;
    let along_unit = scaled.iter().zip(&unit).map(|(a, b)| a * b).sum::<f64>() / n;
    let expected: Vec<f32> = scaled
        .iter()
        .zip(&unit)
        .map(|(it, unit)| ((it - along_ones - unit * along_unit) / scale) as f32)
        .collect();

    let found = gradients(&model, &clean, OBJECTIVES[0], 0, last);
    assert_close(&found[6 * d_model..], &expected, 1e-5 * largest(&expected), "at the end");
    assert_eq!(largest(&found[..6 * d_model]), 0.0, "nobody reads the last layer before the end");
}

#[test]
fn rows_are_gone_back_through_as_if_each_were_alone() {
    let model = load(&fixture("tiny"));
    let condition = vec![Intervention::at(Site::Embed, Span::Only(1..3), noise(1.0, 0))];
    let rows =
        [BatchRow::new(&IDS, &[]), BatchRow::new(&OTHER_IDS, &[]), BatchRow::new(&IDS, &condition)];
    let together = whole_run(&model, &rows);
    let alone = rows.map(|row| whole_run(&model, &[row]));
    for site in gpt2_sites(N_LAYERS) {
        let found = gradients(&model, &together, OBJECTIVES[0], 0, site);
        let expected: Vec<f32> =
            alone.iter().flat_map(|run| gradients(&model, run, OBJECTIVES[0], 0, site)).collect();
        assert_close(&found, &expected, 1e-4 * largest(&expected), &site.to_string());
    }
}

#[test]
fn gradients_of_later_positions_do_not_need_earlier_ones() {
    let model = load(&fixture("tiny"));
    let rows = [BatchRow::new(&IDS, &[]), BatchRow::new(&OTHER_IDS, &[])];
    let run = whole_run(&model, &rows);
    for site in gpt2_sites(N_LAYERS) {
        let all = gradients(&model, &run, OBJECTIVES[0], 0, site);
        let found = gradients(&model, &run, OBJECTIVES[0], 3, site);
        let of_row = all.chunks(all.len() / 2);
        let expected: Vec<f32> =
            of_row.flat_map(|row| &row[3 * row.len() / 7..]).copied().collect();
        assert_close(&found, &expected, 1e-5 * largest(&expected), &site.to_string());
    }
}

/// A logit is read at the first place, a probability of several tokens at all.
#[test]
fn what_is_read_later_is_the_sum_of_its_places() {
    let model = load(&fixture("tiny"));
    let request = Request {
        rows: &[BatchRow::new(&IDS, &[])],
        donors: &Donors::new(),
        capture: &Backward::sites(&model.config),
        past: None,
        n_read: 3,
    };
    let long = model.run(&request, &mut |_| Ok(())).unwrap();
    let tokens = [300, 12, 600];
    let site = Site::ResidPre(1);
    let found = gradients(&model, &long, Objective::LogProb { tokens: &tokens }, 0, site);
    let mut expected = vec![0.0; found.len()];
    for (nth, token) in tokens.iter().enumerate() {
        let short = whole_run(&model, &[BatchRow::new(&IDS[..5 + nth], &[])]);
        let one = gradients(&model, &short, Objective::LogProb { tokens: &[*token] }, 0, site);
        expected.iter_mut().zip(one).for_each(|(sum, it)| *sum += it);
    }
    assert_close(&found, &expected, 1e-4 * largest(&expected), "three tokens");

    let logit = Objective::Logit { token: 300, less: None };
    let found = gradients(&model, &long, logit, 0, site);
    let short = whole_run(&model, &[BatchRow::new(&IDS[..5], &[])]);
    let expected = gradients(&model, &short, logit, 0, site);
    assert_close(&found[..expected.len()], &expected, 1e-4 * largest(&expected), "the first place");
    assert_eq!(largest(&found[expected.len()..]), 0.0);
}

#[test]
fn a_vocabulary_in_pieces_has_the_same_gradients() {
    let whole = load(&fixture("tiny"));
    let device = ComputeDevice { max_binding_bytes: Some(32 * 4 * 200), ..ComputeDevice::cpu() };
    let split = load_on(&fixture("tiny"), &device);
    assert_eq!(split.n_vocabulary_shards(), 4);
    let of = |model: &Transformer, objective| {
        let run = whole_run(model, &[BatchRow::new(&IDS, &[])]);
        gradients(model, &run, objective, 0, Site::Embed)
    };
    for objective in OBJECTIVES {
        let expected = of(&whole, objective);
        let found = of(&split, objective);
        assert_close(&found, &expected, 1e-4 * largest(&expected), &format!("{objective:?}"));
    }
}

#[test]
fn going_back_can_be_cancelled() {
    let model = load(&fixture("tiny"));
    let run = whole_run(&model, &[BatchRow::new(&IDS, &[])]);
    let wanted = SiteSet::from([Site::Embed]);
    let request = Backward {
        run: &run,
        objective: OBJECTIVES[0],
        first_pos: 0,
        wanted: &wanted,
        dropped: Dropped::NoLayer,
    };
    let mut seen = Vec::new();
    let result = model.backward(&request, &mut |layer| {
        seen.push(layer);
        if layer == 2 { Err(Cancelled) } else { Ok(()) }
    });
    assert_eq!(result.err(), Some(Cancelled));
    assert_eq!(seen, [3, 2]);
}

// Estimated traces

fn noise(std: f64, sample: usize) -> Edit {
    Edit::AddNoise(Noise { rng: NoiseRng::Numpy, seed: 1, std, sample })
}

fn spec(component: Component, window: usize, noise_std: f64) -> attribution_patching::Spec {
    attribution_patching::Spec {
        trace: causal_trace::Spec {
            noise: NoiseLevel::Std(noise_std),
            ..trace_spec(component, window, 3)
        },
        base: BasePoint::Corrupted,
        metric: Metric::LogProb,
        windows: Windows::Added,
        n_verified: 0,
    }
}

fn estimate(prompt: &TokenizedPrompt, spec: &attribution_patching::Spec) -> AttributionPatching {
    let spec = AnalysisSpec::AttributionPatching(spec.clone());
    match engine("tiny").run(prompt, &spec, &AnalysisCtx::unwatched()) {
        Ok(AnalysisResult::AttributionPatching(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn trace(prompt: &TokenizedPrompt, spec: &causal_trace::Spec) -> CausalTrace {
    traced(prompt, spec, Reuse::Exact).unwrap()
}

fn scores(trace: &CausalTrace, metric: Metric) -> Vec<f32> {
    let cells = trace.restored.values().iter();
    cells.map(|runs| Measurement::mean(runs, metric).unwrap()).collect()
}

/// The error is of second order: with noise of a tenth it is a hundredth.
#[test]
fn with_little_noise_an_estimate_is_the_trace() {
    for (prompt, metrics) in [
        (paris_or(12), &[Metric::Prob, Metric::LogProb, Metric::Logit, Metric::LogitDiff][..]),
        (seine(), &[Metric::AnswerProb, Metric::LogProb]),
    ] {
        for component in Component::ALL {
            for base in [BasePoint::Corrupted, BasePoint::Clean] {
                for &metric in metrics {
                    let what = format!("{component:?} at {base:?}, {metric:?}");
                    let error = |noise_std: f64| {
                        let spec = attribution_patching::Spec {
                            base,
                            metric,
                            ..spec(component, 1, noise_std)
                        };
                        let found = estimate(&prompt, &spec).scores(metric).unwrap();
                        let exact = trace(&prompt, &spec.trace);
                        let low = Measurement::mean(&exact.corrupted, metric).unwrap();
                        let expected = scores(&exact, metric);
                        let effects: Vec<f32> = expected.iter().map(|it| it - low).collect();
                        let differences: Vec<f32> =
                            found.values().iter().zip(&expected).map(|(a, b)| a - b).collect();
                        largest(&differences) / largest(&effects)
                    };
                    let (large, small) = (error(0.01), error(0.001));
                    assert!(small < 0.05, "{what}: off by {small}");
                    assert!(small < 0.3 * large, "{what}: {small} after {large}");
                }
            }
        }
    }
}

#[test]
fn the_two_base_points_differ_and_say_so() {
    let at = |base| {
        let spec = attribution_patching::Spec { base, ..spec(Component::Hidden, 1, 1.5) };
        let found = estimate(&paris_or(12), &spec);
        assert_eq!(found.spec.base, base);
        found.scores(Metric::LogProb).unwrap().values().to_vec()
    };
    assert_far(&at(BasePoint::Corrupted), &at(BasePoint::Clean), "base points");
}

#[test]
fn what_cannot_matter_is_estimated_at_nothing() {
    let prompt = seine();
    let start = prompt.subject.clone().unwrap().start;
    for component in Component::ALL {
        for base in [BasePoint::Corrupted, BasePoint::Clean] {
            let found =
                estimate(&prompt, &attribution_patching::Spec { base, ..spec(component, 2, 1.5) });
            assert_eq!(found.effects.n_rows(), N_LAYERS);
            assert_eq!(found.effects.n_columns(), prompt.n_pos());
            assert_eq!(found.heads.len(), prompt.n_pos());
            for (layer, row) in found.effects.rows().enumerate() {
                for (pos, draws) in row.iter().enumerate() {
                    assert_eq!(draws.len(), 3);
                    let is_read = layer < N_LAYERS - 1
                        || pos == prompt.n_pos() - 1
                        // The window reaches one layer down.
                        || component != Component::Hidden;
                    let can_matter = pos >= start && is_read;
                    assert_eq!(draws.iter().any(|&it| it != 0.0), can_matter, "{layer}, {pos}");
                }
            }
            for (pos, heads) in found.heads.iter().enumerate() {
                assert_eq!((heads.n_rows(), heads.n_columns()), (N_LAYERS, N_HEADS));
                let is_moved = heads.values().iter().any(|&it| it != 0.0);
                assert_eq!(is_moved, pos >= start);
            }
        }
    }
}

/// Attention's output is linear in its heads' outputs.
#[test]
fn heads_add_up_to_attention_and_layers_to_windows() {
    for base in [BasePoint::Corrupted, BasePoint::Clean] {
        for metric in [Metric::Prob, Metric::LogProb] {
            let of = |component, window| {
                let spec =
                    attribution_patching::Spec { base, metric, ..spec(component, window, 1.5) };
                estimate(&paris_or(12), &spec)
            };
            let one = of(Component::Attn, 1);
            let mean = |draws: &Vec<f32>| draws.iter().sum::<f32>() / draws.len() as f32;
            let layers = one.effects.map(mean);
            for (pos, heads) in one.heads.iter().enumerate() {
                let sums: Vec<f32> = heads.rows().map(|heads| heads.iter().sum()).collect();
                let expected: Vec<f32> = layers.rows().map(|row| row[pos]).collect();
                assert_close(&sums, &expected, 1e-4 * largest(layers.values()), "heads");
            }
            // The same whatever is restored, but for the order of sums.
            let mlp = of(Component::Mlp, 3);
            for (found, expected) in mlp.heads.iter().zip(&one.heads) {
                let tolerance = 1e-4 * largest(layers.values());
                assert_close(found.values(), expected.values(), tolerance, "heads");
            }

            let singles = of(Component::Mlp, 1).effects.map(mean);
            for (layer, row) in mlp.effects.map(mean).rows().enumerate() {
                for (pos, &found) in row.iter().enumerate() {
                    let window = mlp.spec.trace.layers(layer, N_LAYERS);
                    let sum: f32 = window.map(|it| *singles.get(it, pos).unwrap()).sum();
                    assert_close(&[found], &[sum], 1e-5 * largest(singles.values()), "window");
                }
            }
        }
    }
}

#[test]
fn more_samples_keep_the_first_ones() {
    // 60 samples of 10 tokens are more than one batch.
    for base in [BasePoint::Corrupted, BasePoint::Clean] {
        let few = attribution_patching::Spec { base, ..spec(Component::Mlp, 2, 1.5) };
        let mut many = few.clone();
        many.trace.n_samples = 60;
        let (few, many) = (estimate(&paris_or(12), &few), estimate(&paris_or(12), &many));
        assert_eq!(many.corrupted.len(), 60);
        for (few, many) in few.effects.values().iter().zip(many.effects.values()) {
            assert_eq!(many.len(), 60);
            assert_close(&many[..3], few, 1e-4, "the first three");
        }
    }
}

#[test]
fn the_largest_are_patched_for_real() {
    for component in [Component::Hidden, Component::Attn] {
        let spec = attribution_patching::Spec { n_verified: 7, ..spec(component, 2, 1.5) };
        let found = estimate(&paris_or(12), &spec);
        let exact = trace(&paris_or(12), &spec.trace);
        assert_eq!(found.clean, exact.clean);
        let log_probs =
            |runs: &[Measurement]| -> Vec<f32> { runs.iter().map(|run| run.log_prob).collect() };
        let corrupted = log_probs(&exact.corrupted);
        assert_close(&log_probs(&found.corrupted), &corrupted, 1e-4, "the corrupted runs");
        let low = Measurement::mean(&exact.corrupted, Metric::LogProb).unwrap();

        let estimates = found.scores(Metric::LogProb).unwrap();
        assert_eq!(found.verified.len(), 7);
        let sizes: Vec<f32> = found.verified.iter().map(|it| (it.estimate - low).abs()).collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
        for it in &found.verified {
            assert_eq!(Some(&it.estimate), estimates.get(it.layer, it.pos));
            let runs = exact.restored.get(it.layer, it.pos).unwrap();
            let expected = Measurement::mean(runs, Metric::LogProb).unwrap();
            assert_close(&[it.patched], &[expected], 1e-4, "patched for real");
        }
        let rest = estimates.values().iter().filter(|&&it| (it - low).abs() > sizes[6] + 1e-6);
        assert_eq!(rest.count(), 6);
    }
}

#[test]
fn an_estimated_logarithm_is_read_as_a_probability() {
    let found = estimate(&paris_or(12), &spec(Component::Hidden, 1, 1.5));
    let probs = found.scores(Metric::Prob).unwrap();
    for (nth, prob) in probs.values().iter().enumerate() {
        let of_draw = |(it, effect): (&Measurement, &f32)| (it.log_prob + effect).min(0.0).exp();
        let draws = found.corrupted.iter().zip(&found.effects.values()[nth]).map(of_draw);
        assert_close(&[*prob], &[draws.sum::<f32>() / 3.0], 1e-6, "probability");
        assert!((0.0..=1.0).contains(prob));
    }
    for metric in [Metric::Logit, Metric::LogitDiff, Metric::AnswerProb] {
        assert_eq!(found.scores(metric), None, "{metric:?} was not estimated");
    }
    let trace = found.unfilled_trace();
    assert_eq!((trace.clean, &trace.corrupted), (found.clean, &found.corrupted));
    assert!(trace.restored.values().iter().all(Vec::is_empty));
}

#[test]
fn an_estimate_that_makes_no_sense_is_an_error() {
    let engine = engine("tiny");
    let error = |prompt: &TokenizedPrompt, spec: attribution_patching::Spec| {
        let spec = AnalysisSpec::AttributionPatching(spec);
        engine.run(prompt, &spec, &AnalysisCtx::unwatched()).unwrap_err()
    };
    let good = || spec(Component::Mlp, 2, 1.5);
    let mut no_subject = paris_or(12);
    no_subject.subject = None;
    assert_eq!(error(&no_subject, good()), AnalysisError::NoSubject);
    let mut no_foil = paris_or(12);
    no_foil.foil = None;
    let spec = attribution_patching::Spec { metric: Metric::LogitDiff, ..good() };
    assert_eq!(error(&no_foil, spec), AnalysisError::NoFoil);
    for change in [
        |spec: &mut causal_trace::Spec| spec.window = 0,
        |spec: &mut causal_trace::Spec| spec.n_samples = 0,
    ] {
        let mut spec = good();
        change(&mut spec.trace);
        assert!(matches!(error(&paris_or(12), spec), AnalysisError::Zero { .. }));
    }
    let mut long = paris_or(12);
    long.ids = vec![1; 65];
    assert_eq!(error(&long, good()), AnalysisError::TooLong { n_pos: 65, n_ctx: 64 });
}

#[test]
fn progress_grows_to_its_total_and_a_cancel_is_heard() {
    let engine = engine("tiny");
    for (base, n_verified) in
        [(BasePoint::Corrupted, 0), (BasePoint::Clean, 0), (BasePoint::Corrupted, 5)]
    {
        let mut spec = spec(Component::Mlp, 2, 1.5);
        spec.trace.n_samples = 40;
        let spec = attribution_patching::Spec { base, n_verified, ..spec };
        let spec = AnalysisSpec::AttributionPatching(spec);
        assert_watched(&engine, &paris_or(12), &spec);
    }
}
