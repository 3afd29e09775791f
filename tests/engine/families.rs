//! Every family of models: the numbers of `transformers`, as `tests/golden/make_families.py` kept
//! them, and the laws that hold for any model.
//!
//! Tolerances: both sides compute in f32, where a sum in another order moves a logit of size 10 by
//! about 1e-5 and a probability by about 1e-6.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use factscope::analysis::logit_attribution::{self, Component, Contribution, Parts};
use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, Method as _, Reuse, accumulated_resid, generation,
    neuron_attribution, source_attribution, through_head,
};
use factscope::figure::{AskedModel, Cell, Chart, Figure, Look, Pick};
use factscope::intervention::{Site, SiteSet};
use factscope::model::{
    Backward, BatchRow, ComputeDevice, DeviceChoice, Donors, Dropped, Nonlinearity, Objective,
    Processing, ProcessingStep, Request, Transformer,
};
use factscope::task::TaskCtx;
use factscope::tokens::{Bos, TokenizedPrompt};
use factscope::worker::Engine;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use super::edge_estimates::check_edges;
use super::estimates::{check_held_windows, check_new_softmax};
use super::every_analysis::specs;
use super::golden_traces::{HowTraced, Traced};
use super::gradients::{check_slopes, whole_run};
use super::support::{answer_of, assert_close, fixture, lab, load, load_on, logits, prompt};

mod checkpoints;

const LOGIT: f32 = 1e-4;
const ACTIVATION: f32 = 1e-4;
const WEIGHT: f32 = 1e-5;
const GRADIENT: f32 = 2e-5;
const PROB: f32 = 5e-6;

#[derive(Deserialize)]
struct Golden {
    #[serde(flatten)]
    how: HowTraced,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    ids: Vec<u32>,
    subject: [usize; 2],
    answer: u32,
    logits: Vec<f32>,
    hidden: Vec<Vec<Vec<f32>>>,
    attention: Vec<Vec<Vec<Vec<f32>>>>,
    d_embed: Vec<Vec<f32>>,
    d_hidden: Vec<Vec<Vec<f32>>>,
    #[serde(flatten)]
    traced: Traced,
}

/// The folders of small checkpoints, one or more of each family.
fn families() -> Vec<PathBuf> {
    let entries = fs::read_dir(fixture("families")).unwrap();
    let mut dirs: Vec<PathBuf> = entries.map(|it| it.unwrap().path()).collect();
    dirs.sort();
    assert!(!dirs.is_empty());
    dirs
}

fn golden(dir: &std::path::Path) -> Golden {
    serde_json::from_str(&fs::read_to_string(dir.join("golden.json")).unwrap()).unwrap()
}

fn prompt_of(case: &Case) -> TokenizedPrompt {
    let pieces = case.ids.iter().map(|id| format!("<{id}>")).collect::<Vec<_>>();
    TokenizedPrompt {
        text: pieces.concat(),
        bos: Bos::Off,
        ids: case.ids.clone(),
        pieces,
        subject: Some(case.subject[0]..case.subject[1]),
        answer: None,
        foil: None,
    }
}

fn values(cache: &factscope::model::ActivationCache, site: Site) -> Vec<f32> {
    cache.activation(site).values
}

#[test]
fn activations_and_gradients_are_those_of_transformers() {
    for dir in families() {
        let model = load(&dir);
        for case in golden(&dir).cases {
            check_pass(&dir.display().to_string(), &model, &case);
        }
    }
}

/// Angles of `dynamic` scaling follow from the length of each row, and are not those of its beginning.
#[test]
fn rows_of_several_lengths_turn_each_by_its_own() {
    let model = load(&fixture("families/llama-dynamic"));
    assert_eq!(model.config.n_ctx, 32);
    let whole = [7, 53, 133, 247, 395, 577, 2, 11, 19];
    let together: Vec<&[u32]> = vec![&whole[..3], &whole[..9], &whole[..4], &whole[..7]];
    let rows: Vec<_> = together.iter().map(|ids| BatchRow::new(ids, &[])).collect();
    let donors = Donors::new();
    let request =
        Request { rows: &rows, donors: &donors, capture: &SiteSet::new(), past: None, n_read: 1 };
    let found = logits(&model.run(&request, &mut |_| Ok(())).unwrap());
    let alone: Vec<f32> =
        together.iter().flat_map(|ids| logits(&model.run_clean(ids, &SiteSet::new()))).collect();
    assert_close(&found, &alone, LOGIT, "logits");

    // A continuation is that of the whole text so far.
    let prompt = TokenizedPrompt {
        ids: whole[..3].to_vec(),
        pieces: vec![String::new(); 3],
        ..TokenizedPrompt::empty()
    };
    let spec = generation::Spec { n_tokens: 5, choice: generation::Choice::Greedy, end: None };
    let ctx = AnalysisCtx::unwatched();
    let written = spec.run(&lab(&model, &prompt, &ctx)).unwrap().tokens;
    let mut ids = prompt.ids.clone();
    for token in written {
        let expected = logits(&model.run_clean(&ids, &SiteSet::new()));
        assert_close(&[token.logit], &[expected[token.id as usize]], LOGIT, "a continuation");
        ids.push(token.id);
    }
}

fn check_pass(name: &str, model: &Transformer, case: &Case) {
    let what = |part: &str| format!("{name}, {} tokens: {part}", case.ids.len());
    let run = whole_run(model, &[BatchRow::new(&case.ids, &[])]);
    let found: Vec<f32> = logits(&run).into_iter().step_by(10).collect();
    assert_close(&found, &case.logits, LOGIT, &what("logits"));

    let n_layers = model.config.n_layers;
    assert!(case.hidden.is_empty() || case.hidden.len() == n_layers + 1, "{name}");
    for (layer, expected) in case.hidden.iter().enumerate() {
        let site = if layer == n_layers { Site::LnFinalNormalized } else { Site::ResidPre(layer) };
        let found = values(&run.cache, site);
        assert_close(&found, &expected.concat(), ACTIVATION, &what(&site.to_string()));
    }
    for (layer, expected) in case.attention.iter().enumerate() {
        let found = values(&run.cache, Site::Pattern(layer));
        let expected: Vec<f32> = expected.iter().flat_map(|it| it.concat()).collect();
        assert_close(&found, &expected, WEIGHT, &what(&format!("attention of layer {layer}")));
    }

    let wanted = (0..n_layers).map(Site::ResidPre).chain([Site::Embed]).collect();
    let request = Backward {
        run: &run,
        objective: Objective::LogProb { tokens: &[case.answer] },
        first_pos: 0,
        wanted: &wanted,
        dropped: Dropped::NoLayer,
    };
    let gradients = model.backward(&request, &mut |_| Ok(())).unwrap();
    let expected = case.d_embed.concat();
    let largest = expected.iter().fold(1.0_f32, |max, it| max.max(it.abs()));
    assert_close(&values(&gradients, Site::Embed), &expected, GRADIENT * largest, &what("d_embed"));
    for (layer, expected) in case.d_hidden.iter().enumerate() {
        let found = values(&gradients, Site::ResidPre(layer));
        let what = what(&format!("gradient before layer {layer}"));
        assert_close(&found, &expected.concat(), GRADIENT * largest, &what);
    }
}

#[test]
fn gradients_of_every_family_are_the_slopes_at_every_site() {
    for dir in families() {
        let model = load(&dir);
        // A function with a kink has no slope there.
        if model.config.nonlinearity != Nonlinearity::Relu {
            check_slopes(&model, &dir.display().to_string());
        }
    }
}

#[test]
fn estimates_of_every_family_are_what_patching_gives() {
    for dir in families() {
        let (model, name) = (load(&dir), dir.display().to_string());
        check_new_softmax(&model, &name);
        check_edges(&model, &name);
        if model.config.nonlinearity != Nonlinearity::Relu {
            check_held_windows(&model, &name);
        }
    }
}

#[test]
fn traces_of_every_family_are_romes() {
    for dir in families() {
        let model = load(&dir);
        let golden = golden(&dir);
        for case in &golden.cases {
            let answer = Some(answer_of(&[case.answer]));
            let prompt = TokenizedPrompt { answer, ..prompt_of(case) };
            let ctx = AnalysisCtx::unwatched();
            let lab = lab(&model, &prompt, &ctx);
            let (positions, what) = (0..case.ids.len(), dir.display().to_string());
            let clean = case.traced.check(&lab, &golden.how, &positions, PROB, &what);
            assert_eq!(clean.rank, 0, "{what}");
        }
    }
}

#[test]
fn a_pass_goes_on_from_an_earlier_one_in_every_family() {
    for dir in families() {
        let model = load(&dir);
        let ids = &golden(&dir).cases[0].ids;
        // Keys of the beginning alone are turned in another way.
        if model.config.turns_by_length(ids.len()) {
            continue;
        }
        let whole = logits(&model.run_clean(ids, &[].into()));
        for n_before in [1, 4] {
            let (before, rest) = ids.split_at(n_before);
            let past = model.run_clean(before, &model.config.past_sites()).cache;
            let request = Request {
                rows: &[BatchRow::new(rest, &[])],
                donors: &Donors::new(),
                capture: &[].into(),
                past: Some(&past),
                n_read: 1,
            };
            let found = logits(&model.run(&request, &mut |_| Ok(())).unwrap());
            assert_close(&found, &whole, LOGIT, &dir.display().to_string());
        }
    }
}

#[test]
fn attributions_add_up_to_the_logit_in_every_family() {
    for dir in families() {
        let model = load(&dir);
        let case = &golden(&dir).cases[1];
        let answer = Some(answer_of(&[case.answer]));
        for foil in [None, Some(answer_of(&[67]))] {
            let prompt = TokenizedPrompt { answer: answer.clone(), foil, ..prompt_of(case) };
            let ctx = AnalysisCtx::unwatched();
            let lab = lab(&model, &prompt, &ctx);
            for by in [Parts::Layers, Parts::Heads] {
                let it = logit_attribution::Spec { by }.run(&lab).unwrap();
                let what = format!("{}, {by:?}", dir.display());
                assert_close(&[it.sum()], &[it.logit], LOGIT, &what);
                for (layer, head) in [(0, 0), (1, 0), (1, 1)] {
                    let it = through_head::Spec { layer, head, by }.run(&lab).unwrap();
                    let what = format!("{what}, through {layer}.{head}");
                    assert_close(&[it.sum()], &[it.logit], LOGIT, &what);
                }
            }
            let what = dir.display().to_string();
            let it = source_attribution::Spec.run(&lab).unwrap();
            assert_close(&[it.sum()], &[it.logit], LOGIT, &what);
            let listing = neuron_attribution::Listing::Overall;
            let it = neuron_attribution::Spec { n_top: 3, listing }.run(&lab).unwrap();
            assert_close(&[it.sum()], &[it.logit], LOGIT, &what);
            let scale = accumulated_resid::LensScale::default();
            let states = accumulated_resid::Spec { scale }.run(&lab).unwrap();
            let last = states.logits.rows().last().and_then(|it| it.last()).copied();
            assert_close(&[last.unwrap()], &[it.logit], LOGIT, &what);
        }
    }
}

/// What `TransformerLens` 4 makes of a checkpoint, as `tests/golden/make_transformer_lens.py` kept it.
#[derive(Deserialize)]
struct Lens {
    ids: Vec<u32>,
    answer: u32,
    logits: Vec<f32>,
    layers: BTreeMap<String, f32>,
    heads: Vec<f32>,
    bias: f32,
}

#[test]
fn attributions_are_those_of_transformer_lens() {
    let mut n_compared = 0;
    for dir in families() {
        let Ok(text) = fs::read_to_string(dir.join("transformer_lens.json")) else { continue };
        let expected: Lens = serde_json::from_str(&text).unwrap();
        let (model, name) = (load(&dir), dir.display().to_string());
        let found: Vec<f32> =
            logits(&model.run_clean(&expected.ids, &[].into())).into_iter().step_by(10).collect();
        // A centred unembedding moves all logits alike.
        let from_first = |it: &[f32]| it.iter().map(|logit| logit - it[0]).collect::<Vec<_>>();
        assert_close(&from_first(&found), &from_first(&expected.logits), LOGIT, &name);

        let case = Case { ids: expected.ids.clone(), ..golden(&dir).cases.remove(1) };
        let prompt =
            TokenizedPrompt { answer: Some(answer_of(&[expected.answer])), ..prompt_of(&case) };
        let ctx = AnalysisCtx::unwatched();
        let lab = lab(&model, &prompt, &ctx);
        let split = |by| logit_attribution::Spec { by }.run(&lab).unwrap();
        let layers = split(Parts::Layers);
        assert_eq!(layers.contributions.len(), expected.layers.len(), "{name}");
        for part in &layers.contributions {
            let label = part.component.to_string();
            let what = format!("{name}, {label}");
            assert_close(&[part.logit], &[expected.layers[&label]], LOGIT, &what);
        }
        assert_close(&[layers.unembed_bias], &[expected.bias], LOGIT, &name);
        let is_head = |it: &&Contribution| matches!(it.component, Component::Head { .. });
        let heads = split(Parts::Heads).contributions;
        let heads: Vec<f32> = heads.iter().filter(is_head).map(|it| it.logit).collect();
        assert_close(&heads, &expected.heads, LOGIT, &format!("{name}, heads"));
        n_compared += 1;
    }
    assert_eq!(n_compared, 5);
}

/// Processing changes weights, not what the model says.
#[test]
fn processed_models_of_every_family_say_the_same() {
    let all = Processing(ProcessingStep::ALL.into());
    for dir in families() {
        let model = load(&dir);
        let ids = &golden(&dir).cases[0].ids;
        let probs = |model: &Transformer| -> Vec<f32> {
            let logits = logits(&model.run_clean(ids, &[].into()));
            let sum: f64 = logits.iter().map(|it| f64::from(*it).exp()).sum();
            logits.iter().map(|it| (f64::from(*it).exp() / sum) as f32).collect()
        };
        let before = probs(&model);
        let processed = model.process(&all, &TaskCtx::unwatched()).unwrap();
        assert_close(&probs(&processed), &before, 2e-5, &dir.display().to_string());
    }
}

/// A family's checkpoint with the tokenizer of the fixture `tiny`.
pub fn with_tokenizer(family: &std::path::Path) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (from, name) in [
        (family.to_owned(), "config.json"),
        (family.to_owned(), "model.safetensors"),
        (fixture("tiny"), "tokenizer.json"),
    ] {
        fs::copy(from.join(name), dir.path().join(name)).unwrap();
    }
    dir
}

/// Passes of other sizes sum in another order, which moves a number of size 10 by about 1e-5; a
/// slope of a logit is a few times as large.
#[test]
fn every_method_is_the_same_with_and_without_reuse_on_every_family() {
    let mut prompt = prompt("In Paris it is", "Paris", Some("it"));
    prompt.foil = Some(answer_of(&[67]));
    for family in families() {
        let dir = with_tokenizer(&family);
        let unwatched = TaskCtx::unwatched();
        let engine = Engine::load(dir.path(), DeviceChoice::Cpu, &unwatched, &|_| ()).unwrap();
        for mut spec in specs(&prompt) {
            if let AnalysisSpec::RankOneEdit(edit) = &mut spec {
                // In the last of two layers no later token reads what is written at the subject.
                edit.layer = 0;
            }
            let what = format!("{}, {spec:?}", family.display());
            let [exact, naive] = [Reuse::Exact, Reuse::Off].map(|reuse| {
                let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
                let result: AnalysisResult =
                    engine.run(&prompt, &spec, &ctx).unwrap_or_else(|it| panic!("{what}: {it}"));
                serde_json::to_value(result).unwrap()
            });
            check_alike(&exact, &naive, &what);
        }
    }
}

/// Queries of a group share a head of keys, which is none of the heads that are picked out.
#[test]
fn heads_of_keys_are_told_from_heads() {
    let mut prompt = prompt("In Paris it is", "Paris", Some("it"));
    prompt.foil = Some(answer_of(&[67]));
    let dir = with_tokenizer(&fixture("families/mistral"));
    let unwatched = TaskCtx::unwatched();
    let engine = Engine::load(dir.path(), DeviceChoice::Cpu, &unwatched, &|_| ()).unwrap();
    let config = &engine.info.config;
    assert_eq!((config.n_heads, config.n_kv_heads()), (4, 1));
    let model = AskedModel { name: "mistral", edits: &[], n_kv_heads: config.n_kv_heads() };
    let look = Look { model: Some(model), ..Look::new(&engine.info.tokenizer) };
    let figure = |spec: &AnalysisSpec| {
        let result = engine.run(&prompt, spec, &AnalysisCtx::unwatched()).unwrap();
        Figure::of(&result, &look)
    };
    let (mut n_maps, mut n_told) = (0, 0);
    for spec in specs(&prompt) {
        if !matches!(spec, AnalysisSpec::AtpStar(_) | AnalysisSpec::EdgeAttribution(_)) {
            continue;
        }
        let figure = figure(&spec);
        n_told += usize::from(figure.notes.iter().any(|it| it.contains("serves heads 0 to 3")));
        for chart in &figure.charts {
            match chart {
                Chart::Map(map) if map.rows.noun == "key head" => {
                    n_maps += 1;
                    assert_eq!(map.n_rows(), 1);
                    assert_eq!(map.pick(0, 0), Pick::layer(0));
                }
                Chart::Map(map) if map.rows.noun == "head" => assert_eq!(map.n_rows(), 4),
                Chart::Bars(bars) => {
                    for bar in bars.bars.iter().filter(|it| it.label.contains("key head")) {
                        assert_eq!(bar.pick.head, None, "{}", bar.label);
                    }
                }
                Chart::Table(table) => {
                    for row in &table.rows {
                        let to = row.cells.get(1).and_then(Cell::text).unwrap_or_default();
                        if matches!(to.rsplit('.').next(), Some("k" | "v")) {
                            assert_eq!(row.pick.head, None, "{to}");
                        }
                    }
                }
                _ => {}
            }
        }
    }
    assert_eq!(n_maps, 2, "maps of keys and of values");
    assert!(n_told >= 2, "{n_told}");
}

/// Checks that two results say the same, with numbers that differ by rounding at most.
pub fn check_alike(one: &Value, other: &Value, what: &str) {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{what}");
            one.iter().zip(other).for_each(|(one, other)| check_alike(one, other, what));
        }
        (Value::Object(one), Value::Object(other)) => {
            assert!(one.keys().eq(other.keys()), "{what}");
            one.iter().for_each(|(key, one)| {
                // How much was saved is what differs.
                if key != "work" {
                    check_alike(one, &other[key], &format!("{what}: {key}"));
                }
            });
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            let allowed = 1e-4 * one.abs().max(1.0);
            assert!((one - other).abs() <= allowed, "{what}: {one} is not {other}");
        }
        _ => assert_eq!(one, other, "{what}"),
    }
}

#[test]
fn an_adapter_gives_the_cpus_numbers_of_every_family() {
    let device = ComputeDevice::open(DeviceChoice::Wgpu(None)).unwrap();
    for dir in families() {
        let what = dir.display().to_string();
        let (here, there) = (load(&dir), load_on(&dir, &device));
        let ids = &golden(&dir).cases[0].ids;
        let rows = [BatchRow::new(ids, &[])];
        let [expected, found] = [&here, &there].map(|model| {
            let run = whole_run(model, &rows);
            let wanted = [Site::Embed].into();
            let request = Backward {
                run: &run,
                objective: Objective::LogProb { tokens: &[3] },
                first_pos: 0,
                wanted: &wanted,
                dropped: Dropped::NoLayer,
            };
            let gradients = model.backward(&request, &mut |_| Ok(())).unwrap();
            let plain = super::support::run(model, &rows, &Donors::new(), &[].into());
            [logits(&run), logits(&plain), values(&gradients, Site::Embed)]
        });
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(found, expected, LOGIT, &what);
        }
    }
}
