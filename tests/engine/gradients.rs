//! Laws of gradients, and of traces estimated from them, which hold for any weights.
//!
//! The model is the fixture `tiny`, as in `laws`; the numbers of other programs
//! are in `golden.rs`.

use factscope::intervention::{Edit, Intervention, Noise, NoiseRng, Site, SiteSet, Span};
use factscope::model::{
    Backward, BatchRow, ComputeDevice, Donors, Dropped, Objective, Request, Run, Transformer,
};
use factscope::task::Cancelled;

use super::support::{assert_close, fixture, gpt2_sites, load, load_on, logits, run};

mod estimated;

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

fn noise(std: f64, sample: usize) -> Edit {
    Edit::AddNoise(Noise { rng: NoiseRng::Numpy, seed: 1, std, sample })
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
