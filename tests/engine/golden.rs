//! The numbers of Hugging Face, TransformerLens and ROME, as `tests/golden/make_fixtures.py` kept
//! them.
//!
//! Tolerances: both sides compute in f32, where a sum in another order moves a logit of size 10 by
//! about 1e-5 and a probability by about 1e-6. Found here on x86-64: 1.4e-5 for logits and their
//! parts, 3.5e-6 for activations, 2.2e-6 for the lens' probabilities (the first layers are sure of
//! their guess, and 1 - p is small) and 7e-7 for those of traces. Gradients are compared in parts of
//! the largest at a site or in a map: found 9e-6 and 4e-6.

use std::fs;

use factscope::analysis::attribution_patching::BasePoint;
use factscope::analysis::causal_trace::{self, Component};
use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, Metric, ablation, attention_knockout,
};
use factscope::facts::Fact;
use factscope::intervention::{Donor, Edit, Intervention, Site, SiteSet, Span};
use factscope::model::{Backward, BatchRow, Donors, Dropped, Objective, Request};
use factscope::tokens::{Bos, TokenizedPrompt, Tokenizer};
use factscope::worker::Engine;
use serde::Deserialize;

use super::support::{assert_close, engine, fixture, gpt2_sites, load, logits, logits_under};

mod methods;

const LOGIT: f32 = 1e-4;
const ACTIVATION: f32 = 1e-4;
const PROB: f32 = 5e-6;

/// Of the largest.
const GRADIENT: f32 = 1e-4;

/// The reference's standard deviation is an f32.
const NOISE_STD: f64 = 1e-6;

const FIXTURES: [&str; 3] = ["tiny", "tiny-sharded", "tiny-bf16"];

#[derive(Deserialize)]
struct Golden {
    prompts: Vec<PromptCase>,
    attribution: Vec<AttributionCase>,
    lens: Vec<LensCase>,
    traces: Vec<TraceCase>,
    estimates: Vec<EstimateCase>,
    gradients: Vec<GradientCase>,
    sites: Option<SiteCase>,
    #[serde(default)]
    interventions: Vec<InterventionCase>,
    #[serde(default)]
    ablations: Vec<AblationCase>,
    #[serde(default)]
    knockouts: Vec<KnockoutCase>,
}

#[derive(Deserialize)]
struct PromptCase {
    text: String,
    bos: bool,
    ids: Vec<u32>,
    tokens: Vec<String>,
    subject: String,
    subject_bytes: [usize; 2],
    subject_range: [usize; 2],
    hf_logits_last: Vec<f32>,
    top: Vec<u32>,
}

#[derive(Deserialize)]
struct SiteCase {
    ids: Vec<u32>,
    sites: std::collections::BTreeMap<String, SiteValues>,
}

#[derive(Deserialize)]
struct SiteValues {
    shape: Vec<usize>,

    /// `null` is −∞.
    values: Vec<Option<f32>>,
}

#[derive(Deserialize)]
struct InterventionCase {
    ids: Vec<u32>,
    site: Site,
    positions: Option<[usize; 2]>,
    heads: Option<[usize; 2]>,
    units: Option<[usize; 2]>,
    edit: GoldenEdit,
    logits_last: Vec<f32>,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum GoldenEdit {
    Zero,
    Set { value: f32 },
    Scale { value: f32 },
    Copy { donor_ids: Vec<u32>, donor_positions: [usize; 2] },
}

#[derive(Deserialize)]
struct AttributionCase {
    text: String,
    bos: bool,
    ids: Vec<u32>,
    answer_id: u32,
    foil_id: Option<u32>,
    by: String,
    labels: Vec<String>,
    values: Vec<f32>,
    bias: f32,
    logit: f32,
}

#[derive(Deserialize)]
struct LensCase {
    text: String,
    bos: bool,
    ids: Vec<u32>,
    answer_id: u32,
    embeddings: LensRow,
    layers: Vec<LensRow>,
}

#[derive(Deserialize)]
struct LensRow {
    top_id: u32,
    top_prob: f32,
    answer_prob: f32,
}

#[derive(Deserialize)]
struct TraceCase {
    text: String,
    bos: bool,
    ids: Vec<u32>,
    subject: String,
    subject_bytes: [usize; 2],
    subject_range: [usize; 2],
    kind: Component,
    #[serde(default)]
    sever: Option<causal_trace::Severed>,
    #[serde(default)]
    direction: causal_trace::Direction,
    window: usize,
    samples: usize,
    seed: u32,
    noise_subjects: Vec<String>,
    embedding_std: f64,
    noise_std: f64,
    answer_id: u32,
    answer_is_likeliest: bool,

    /// `[token, layer]`
    scores: Vec<Vec<f32>>,
    low_score: f32,
    high_score: f32,
}

/// TransformerLens' hooks.
#[derive(Deserialize)]
struct AblationCase {
    text: String,
    ids: Vec<u32>,
    subject_bytes: [usize; 2],
    answer_id: u32,
    spec: ablation::Spec,
    clean_prob: f32,

    /// `[layer, column]`
    probs: Vec<Vec<f32>>,
    logits: Vec<Vec<f32>>,
}

/// Geva et al.'s procedure on Hugging Face.
#[derive(Deserialize)]
struct KnockoutCase {
    text: String,
    bos: bool,
    ids: Vec<u32>,
    subject_bytes: [usize; 2],
    answer_id: u32,
    spec: attention_knockout::Spec,
    base_score: f32,

    /// `[edges, layer]`
    scores: Vec<Vec<f32>>,
}

#[derive(Deserialize)]
struct EstimateCase {
    text: String,
    ids: Vec<u32>,
    subject_bytes: [usize; 2],
    base: BasePoint,
    metric: String,
    kind: Component,
    window: usize,
    samples: usize,
    seed: u32,
    noise_std: f64,
    answer_ids: Vec<u32>,
    foil_id: u32,

    /// `[token, layer]`
    scores: Vec<Vec<f32>>,

    /// `[layer, head]`
    last_head_effects: Vec<Vec<f32>>,
    low_score: f32,
    high_score: f32,
}

#[derive(Deserialize)]
struct GradientCase {
    ids: Vec<u32>,
    metric: String,
    answer_ids: Vec<u32>,
    foil_id: u32,

    /// Gradient times activation, summed over the last axis, in TransformerLens' order.
    along: std::collections::BTreeMap<String, Vec<f32>>,
}

fn metric(name: &str) -> Metric {
    match name {
        "prob" => Metric::Prob,
        "answer_prob" => Metric::AnswerProb,
        "log_prob" => Metric::LogProb,
        "logit" => Metric::Logit,
        "logit_diff" => Metric::LogitDiff,
        other => panic!("{other}"),
    }
}

fn golden(name: &str) -> Golden {
    let text = fs::read_to_string(fixture(name).join("golden.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn bos(is_on: bool) -> Bos {
    if is_on { Bos::On } else { Bos::Off }
}

fn tokenized(name: &str, text: &str, subject: Option<[usize; 2]>, is_on: bool) -> TokenizedPrompt {
    let tokenizer = Tokenizer::from_dir(&fixture(name)).unwrap();
    let subject = subject.map(|[begin, end]| begin..end);
    let fact = Fact { prompt: text.to_owned(), subject, answer: None, foil: None };
    TokenizedPrompt::new(&tokenizer, &fact, bos(is_on)).unwrap()
}

fn analyse(engine: &Engine, prompt: &TokenizedPrompt, spec: &AnalysisSpec) -> AnalysisResult {
    engine.run(prompt, spec, &AnalysisCtx::unwatched()).unwrap()
}

fn span(range: Option<[usize; 2]>) -> Span {
    range.map_or(Span::All, |[begin, end]| Span::Only(begin..end))
}

#[test]
fn every_part_of_the_reference_is_there() {
    let counts = FIXTURES.map(|name| {
        let it = golden(name);
        let n_sites = it.sites.map_or(0, |it| it.sites.len());
        [it.prompts.len(), it.attribution.len(), it.lens.len(), it.traces.len(), n_sites]
    });
    assert_eq!(counts, [[10, 6, 4, 48, 38], [6, 6, 4, 9, 0], [6, 6, 4, 0, 0]]);
    let tiny = golden("tiny");
    let counts = [tiny.interventions.len(), tiny.ablations.len(), tiny.knockouts.len()];
    assert_eq!(counts, [11, 12, 6]);
    let variants = |trace: &&TraceCase| {
        trace.sever.is_some() || trace.direction != causal_trace::Direction::default()
    };
    assert_eq!(tiny.traces.iter().filter(variants).count(), 21);
    let counts = FIXTURES.map(|name| {
        let it = golden(name);
        (it.estimates.len(), it.gradients.iter().map(|it| it.along.len()).collect())
    });
    let n_sites = |n| vec![n; 3];
    assert_eq!(counts, [(11, n_sites(38)), (11, n_sites(38)), (0, vec![])]);
}

#[test]
fn ids_tokens_and_subjects_are_hugging_faces() {
    for name in FIXTURES {
        for case in golden(name).prompts {
            let prompt = tokenized(name, &case.text, Some(case.subject_bytes), case.bos);
            assert_eq!(prompt.ids, case.ids, "{name}: {}", case.text);
            let tokenizer = &engine(name).info.tokenizer;
            let decoded: Vec<String> =
                prompt.ids.iter().map(|&id| tokenizer.readable(id)).collect();
            assert_eq!(decoded, case.tokens, "{name}: {}", case.text);
            let [begin, end] = case.subject_range;
            assert_eq!(prompt.subject, Some(begin..end), "{name}: {}", case.text);
            let [begin, end] = case.subject_bytes;
            assert_eq!(case.text[begin..end], case.subject);
        }
    }
}

#[test]
fn logits_are_hugging_faces() {
    for name in FIXTURES {
        let model = load(&fixture(name));
        for case in golden(name).prompts {
            let found = logits(&model.run_clean(&case.ids, &SiteSet::new()));
            let what = format!("{name}: {} (BOS: {})", case.text, case.bos);
            assert_close(&found, &case.hf_logits_last, LOGIT, &what);
        }
    }
}

#[test]
fn activations_are_transformer_lenses_at_every_site() {
    let model = load(&fixture("tiny"));
    let n_layers = model.config.n_layers;
    let case = golden("tiny").sites.unwrap();
    let cache = model.run_clean(&case.ids, &gpt2_sites(n_layers)).cache;

    let in_first_and_last = gpt2_sites(n_layers)
        .into_iter()
        .filter(|site| site.layer().is_none_or(|layer| layer == 0 || layer == n_layers - 1));
    let names: Vec<String> = case.sites.keys().cloned().collect();
    let mut expected: Vec<String> = in_first_and_last.map(|site| site.to_string()).collect();
    expected.sort();
    assert_eq!(names, expected, "the sites are TransformerLens' hook points, all of them");

    for (name, expected) in case.sites {
        let found = cache.activation(name.parse().unwrap());
        assert_eq!(found.shape, expected.shape, "{name}");
        let values: Vec<f32> =
            expected.values.into_iter().map(|value| value.unwrap_or(f32::NEG_INFINITY)).collect();
        assert_close(&found.values, &values, ACTIVATION, &name);
    }
}

#[test]
fn interventions_do_what_transformer_lens_does() {
    let model = load(&fixture("tiny"));
    for case in golden("tiny").interventions {
        let mut donors = Donors::new();
        let edit = match case.edit {
            GoldenEdit::Zero => Edit::Zero,
            GoldenEdit::Set { value } => Edit::Set(value),
            GoldenEdit::Scale { value } => Edit::Scale(value),
            GoldenEdit::Copy { donor_ids, donor_positions } => {
                let donor = model.run_clean(&donor_ids, &SiteSet::from([case.site])).cache;
                donors.insert(Donor::Counterpart, donor);
                let positions = span(Some(donor_positions));
                Edit::CopyFrom { donor: Donor::Counterpart, positions }
            }
        };
        let intervention = Intervention::at(case.site, span(case.positions), edit)
            .of_heads(span(case.heads))
            .of_units(span(case.units));
        let what = format!("{intervention:?}");
        let found = logits_under(&model, &case.ids, &vec![intervention], &donors);
        assert_close(&found, &case.logits_last, LOGIT, &what);
    }
}

#[test]
fn gradients_are_pytorchs_at_every_site() {
    for name in FIXTURES {
        let model = load(&fixture(name));
        for case in golden(name).gradients {
            let n_read = case.answer_ids.len();
            let wanted: SiteSet = case.along.keys().map(|site| site.parse().unwrap()).collect();
            let request = Request {
                rows: &[BatchRow::new(&case.ids, &[])],
                donors: &Donors::new(),
                capture: &wanted.union(&Backward::sites(&model.config)).copied().collect(),
                past: None,
                n_read,
            };
            let run = model.run(&request, &mut |_| Ok(())).unwrap();
            let objective = match metric(&case.metric) {
                Metric::LogProb | Metric::AnswerProb => {
                    Objective::LogProb { tokens: &case.answer_ids }
                }
                _ => Objective::Logit { token: case.answer_ids[0], less: Some(case.foil_id) },
            };
            // A probability is known by its logarithm: p times as steep.
            let slope = if case.metric == "answer_prob" {
                let logits = logits(&run);
                let log_probs = logits.chunks(model.config.d_vocab).zip(&case.answer_ids).map(
                    |(logits, &id)| {
                        let sum: f64 = logits.iter().map(|&it| f64::from(it).exp()).sum();
                        f64::from(logits[id as usize]) - sum.ln()
                    },
                );
                log_probs.sum::<f64>().exp() as f32
            } else {
                1.0
            };
            let request = Backward {
                run: &run,
                objective,
                first_pos: 0,
                wanted: &wanted,
                dropped: Dropped::NoLayer,
            };
            let gradients = model.backward(&request, &mut |_| Ok(())).unwrap();
            for (site, expected) in case.along {
                let what = format!("{name}: {} at {site}", case.metric);
                let site: Site = site.parse().unwrap();
                let activation = run.cache.activation(site);
                let gradient = gradients.activation(site);
                assert_eq!(activation.shape, gradient.shape, "{what}");
                let width = *activation.shape.last().unwrap();
                let products: Vec<f32> = activation
                    .values
                    .iter()
                    .zip(&gradient.values)
                    // A masked score has no gradient.
                    .map(|(a, g)| if a.is_finite() { a * g * slope } else { assert_zero(*g) })
                    .collect();
                let rows = products.chunks(width);
                let found: Vec<f32> = rows.clone().map(|row| row.iter().sum()).collect();
                // A layer norm sees no length: along its input the products cancel.
                let sizes: Vec<f32> = rows.map(|row| row.iter().map(|it| it.abs()).sum()).collect();
                assert_close(&found, &expected, GRADIENT * largest(&sizes), &what);
            }
        }
    }
}

fn assert_zero(gradient: f32) -> f32 {
    assert_eq!(gradient, 0.0);
    0.0
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |max: f32, it| max.max(it.abs()))
}
