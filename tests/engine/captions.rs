//! Captions: whatever a figure's numbers depend on stands in its title, warnings or notes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use factscope::analysis::ablation::{self, Part, Replacement};
use factscope::analysis::attribution_difference::{self, ScaleOf, SecondRun};
use factscope::analysis::causal_trace::{self, Component, Corruption, NoiseLevel};
use factscope::analysis::corruption::{Closeness, NoiseEntry, NoiseShape, SubjectsOf};
use factscope::analysis::logit_attribution::Parts;
use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, Contrast, Metric, Positions, atp_star, comparison,
    edge_attribution, generation, rank_one_edit, steering,
};
use factscope::figure::{AttributionForm, Effect, Figure, LensForm, Look};
use factscope::intervention::NoiseRng;
use factscope::tokens::TokenizedPrompt;
use factscope::worker::Engine;
use serde_json::{Value, json};

use super::every_analysis::{specs, trace};
use super::one_picture::numbers;
use super::support::{engine, prompt};

/// Of every method: one setting after the other is changed, and either the caption changes with it, or
/// the numbers do not.
#[test]
fn every_caption_names_every_setting_that_its_numbers_depend_on() {
    let engine = engine("tiny");
    let asked = prompt("In Paris it is", "Paris", Some("it"));
    let mut unnamed = Vec::new();
    for spec in specs(&asked).into_iter().chain(more_specs(&asked)) {
        let result = run(&engine, &asked, &spec).unwrap_or_else(|| panic!("refused: {spec:?}"));
        let walk = Walk { engine: &engine, prompt: &asked, result };
        let json = serde_json::to_value(&spec).unwrap();
        for path in places(&json) {
            unnamed.extend(walk.unnamed(&json, &path));
        }
    }
    assert!(unnamed.is_empty(), "{} are not named:\n{}", unnamed.len(), unnamed.join("\n"));
}

/// How a result is looked at changes its numbers as its settings do: which metric, and in which form.
#[test]
fn every_figure_names_how_its_result_is_read() {
    let engine = engine("tiny");
    let asked = prompt("In Paris it is", "Paris", Some("it"));
    let usual = || Look::new(&engine.info.tokenizer);
    let mut looks: Vec<Look<'_>> = Vec::new();
    looks.extend(Metric::ALL.map(|metric| Look { metric, ..usual() }));
    let effects = [Effect::Indirect, Effect::Direct, Effect::Recovery];
    looks.extend(effects.map(|effect| Look { effect, ..usual() }));
    let forms = [AttributionForm::RunningSum, AttributionForm::Waterfall];
    looks.extend(forms.map(|attribution| Look { attribution, ..usual() }));
    looks.push(Look { lens: LensForm::Likeliest, ..usual() });
    let (mut unnamed, mut n_others) = (Vec::new(), 0);
    for spec in specs(&asked) {
        let result = run(&engine, &asked, &spec).unwrap_or_else(|| panic!("refused: {spec:?}"));
        let before = Figure::of(&result, &usual());
        for look in &looks {
            let after = Figure::of(&result, look);
            if all_numbers(&before) == all_numbers(&after) {
                continue;
            }
            n_others += 1;
            if without_numbers(&before) == without_numbers(&after)
                && quantities(&before) == quantities(&after)
            {
                let Look { metric, effect, attribution, lens, .. } = look;
                let read = format!("{metric:?} {effect:?} {attribution:?} {lens:?}");
                unnamed.push(format!("{} as {read}: {:#?}", spec.name(), caption(&after)));
            }
        }
    }
    assert!(n_others > 40, "{n_others}");
    assert!(unnamed.is_empty(), "{} are not named:\n{}", unnamed.len(), unnamed.join("\n"));
}

/// The names of charts, and of what their scales measure.
fn quantities(figure: &Figure) -> Vec<Value> {
    let charts = figure.charts.iter().map(|chart| serde_json::to_value(chart).unwrap());
    let chart = charts.flat_map(|it| it.as_object().unwrap().values().cloned().collect::<Vec<_>>());
    chart.flat_map(|it| ["name", "quantity"].map(|field| it[field].clone())).collect()
}

/// Values of settings that have settings of their own, which [`specs`] leaves out.
fn more_specs(prompt: &TokenizedPrompt) -> Vec<AnalysisSpec> {
    let multiple = NoiseLevel::Multiple { factor: 3.0, tokens: [5, 6, 7].into() };
    let one = causal_trace::Spec { n_samples: 1, ..trace() };
    let corrupted = |corruption| causal_trace::Spec { corruption, ..one.clone() };
    let uniform = Corruption::Noise { shape: NoiseShape::Uniform, entry: NoiseEntry::Replaced };
    let tokens = |from: u32, n: usize| (from..).take(n).collect::<Vec<u32>>();
    let (n_pos, n_subject) = (prompt.n_pos(), prompt.subject.as_ref().unwrap().len());
    let others = [5, 15, 25].map(|from| tokens(from, n_subject)).into();
    let traces = [
        causal_trace::Spec { noise: multiple.clone(), ..trace() },
        causal_trace::Spec { component: Component::Mlp, window: 2, ..corrupted(uniform) },
        corrupted(Corruption::NearestTokens { by: Closeness::Cosine }),
        corrupted(Corruption::OtherSubjects { of: SubjectsOf::All, ids: others }),
        corrupted(Corruption::Counterpart { ids: tokens(9, n_subject).into() }),
        corrupted(Corruption::Mean { tokens: [5, 6].into() }),
    ];
    let mean = Replacement::Mean { prompts: [tokens(5, 4), tokens(9, 5)].into() };
    let ids = tokens(5, n_pos).into();
    let ablations = [mean, Replacement::Resample { ids }].map(|replacement| ablation::Spec {
        part: Part::Attn,
        positions: Positions::All,
        replacement,
        together: None,
    });
    let compared = |map| comparison::Spec {
        second: comparison::Second::Inverse,
        mapped: comparison::Mapped::Prompts,
        inverse: prompt.clone(),
        right: [vec![5], vec![6, 7]],
        map,
        n_top: 2,
        n_permutations: 9,
        seed: 1,
    };
    let metric = Metric::Logit;
    let noisy = causal_trace::Spec {
        component: Component::Mlp,
        window: 2,
        noise: multiple.clone(),
        ..trace()
    };
    let maps = [
        comparison::MapSpec::Trace { spec: noisy, metric },
        comparison::MapSpec::Ablation { spec: ablations[0].clone(), metric },
    ];
    let contrast = || Contrast::Prompt { ids: tokens(5, n_pos).into() };
    let context = |ids: &[u32]| rank_one_edit::Context { ids: ids.to_vec(), subject_last: 1 };
    let edit = rank_one_edit::Spec {
        layer: 1,
        target: prompt.answer.clone().unwrap(),
        contexts: vec![context(&prompt.ids), context(&[5, 6, 7])],
        essence: Some(context(&[8, 9, 10])),
        descent: rank_one_edit::Descent { n_steps: 4, ..Default::default() },
        covariance: rank_one_edit::Covariance::Identity,
        asked: Vec::new(),
    };
    let mut more = vec![
        AnalysisSpec::AttributionDifference(attribution_difference::Spec {
            by: Parts::Layers,
            second: SecondRun::Noise {
                level: multiple,
                rng: NoiseRng::Numpy,
                seed: 1,
                n_samples: 2,
            },
            scale_of: ScaleOf::Clean,
            n_top: None,
        }),
        AnalysisSpec::AtpStar(atp_star::Spec { contrast: contrast(), metric, n_verified: 3 }),
        AnalysisSpec::EdgeAttribution(edge_attribution::Spec {
            contrast: contrast(),
            metric,
            base: edge_attribution::EdgeBase::Between { n_steps: 2 },
            n_edges: 5,
            n_verified: 3,
        }),
        AnalysisSpec::Generation(generation::Spec {
            n_tokens: 6,
            choice: generation::Choice::Sample {
                temperature: 0.8,
                top_k: Some(40),
                top_p: Some(0.9),
                seed: 1,
            },
            end: None,
        }),
        AnalysisSpec::Steering(steering::Spec {
            direction: steering::Direction::Prompts { plus: vec![5, 6], minus: vec![7, 8] },
            layer: 1,
            positions: Positions::Last,
            scale: 4.0,
            n_top: 3,
            asked: Vec::new(),
        }),
        AnalysisSpec::RankOneEdit(edit),
    ];
    more.extend(traces.map(AnalysisSpec::CausalTrace));
    more.extend(ablations.map(AnalysisSpec::Ablation));
    more.extend(maps.map(|map| AnalysisSpec::Comparison(compared(map))));
    more
}

/// What is found, unless the method refuses the settings.
fn run(engine: &Engine, prompt: &TokenizedPrompt, spec: &AnalysisSpec) -> Option<AnalysisResult> {
    let run = || engine.run(prompt, spec, &AnalysisCtx::unwatched()).ok();
    catch_unwind(AssertUnwindSafe(run)).ok().flatten()
}

/// What was found with the settings as they are.
struct Walk<'a> {
    engine: &'a Engine,
    prompt: &'a TokenizedPrompt,
    result: AnalysisResult,
}

impl Walk<'_> {
    fn figure(&self, result: &AnalysisResult) -> Figure {
        Figure::of(result, &Look::new(&self.engine.info.tokenizer))
    }

    /// Says that the caption does not name the setting at a place, if the numbers depend on it.
    fn unnamed(&self, json: &Value, path: &str) -> Option<String> {
        let was = json.pointer(path).unwrap();
        let before = self.figure(&self.result);
        for value in others(json, path, self.prompt) {
            let mut changed = json.clone();
            *changed.pointer_mut(path).unwrap() = value.clone();
            let Ok(spec) = serde_json::from_value::<AnalysisSpec>(changed.clone()) else {
                continue;
            };
            let Some(result) = run(self.engine, self.prompt, &spec) else { continue };
            let after = self.figure(&result);
            if all_numbers(&before) == all_numbers(&after) {
                continue;
            }
            let is_named = self.follows_the_setting(&before, &changed)
                || without_numbers(&before) != without_numbers(&after)
                || is_told(was, &value, [&before, &after])
                || (self.has_no_spec() && caption(&before) != caption(&after));
            if !is_named {
                let caption = caption(&before);
                return Some(format!("{path} from {was} to {value} in {caption:#?}"));
            }
            return None;
        }
        None
    }

    fn has_no_spec(&self) -> bool {
        let json = serde_json::to_value(&self.result).unwrap();
        json.as_object().unwrap().values().all(|found| found.get("spec").is_none())
    }

    /// Whether the caption of the same numbers would be another with the other setting.
    fn follows_the_setting(&self, before: &Figure, changed: &Value) -> bool {
        let mut found = serde_json::to_value(&self.result).unwrap();
        for (method, found) in found.as_object_mut().unwrap() {
            let Some(spec) = found.get_mut("spec") else { return false };
            *spec = changed[method].clone();
        }
        let Ok(found) = serde_json::from_value::<AnalysisResult>(found) else { return false };
        // The numbers may not fit the settings.
        let after = catch_unwind(AssertUnwindSafe(|| self.figure(&found)));
        after.is_ok_and(|after| caption(&after) != caption(before))
    }
}

fn caption(figure: &Figure) -> Vec<&String> {
    [&figure.title].into_iter().chain(&figure.warnings).chain(&figure.notes).collect()
}

fn all_numbers(figure: &Figure) -> Vec<u32> {
    figure.charts.iter().flat_map(numbers).map(f32::to_bits).collect()
}

/// The words of a caption that are no numbers.
fn without_numbers(figure: &Figure) -> Vec<&str> {
    let texts = [&figure.title].into_iter().chain(&figure.notes);
    let is_word = |word: &&str| !word.contains(|c: char| c.is_ascii_digit() || "✓≠".contains(c));
    texts.flat_map(|text| text.split_whitespace()).filter(is_word).collect()
}

/// Whether a caption says a whole number oftener once it is the setting.
fn is_told(was: &Value, is: &Value, [before, after]: [&Figure; 2]) -> bool {
    let n_times = |figure: &Figure, value: &Value| {
        let number = value.to_string();
        let texts = caption(figure).into_iter();
        texts
            .flat_map(|text| text.split(|c: char| !c.is_ascii_digit()))
            .filter(|digits| *digits == number)
            .count()
    };
    is.is_u64() && n_times(after, is) > n_times(before, is)
        || was.is_u64() && is.is_null() && n_times(after, was) < n_times(before, was)
}

/// Where settings are: each number, word, list and prompt of a spec.
fn places(json: &Value) -> Vec<String> {
    fn walk(json: &Value, path: &str, found: &mut Vec<String>) {
        match json {
            Value::Object(fields) if is_prompt(json) || is_answer(json) => {
                _ = fields;
                found.push(path.to_owned());
            }
            Value::Object(fields) => {
                // An enum's value, which may be another one.
                if fields.len() == 1 {
                    found.push(path.to_owned());
                }
                for (name, value) in fields {
                    walk(value, &format!("{path}/{name}"), found);
                }
            }
            Value::Array(all) => {
                found.push(path.to_owned());
                // Of a list of tokens one stands for all.
                let n = if all.iter().all(Value::is_number) { 1 } else { all.len() };
                for (nth, value) in all.iter().take(n).enumerate() {
                    walk(value, &format!("{path}/{nth}"), found);
                }
            }
            _ => found.push(path.to_owned()),
        }
    }
    let mut found = Vec::new();
    for (method, spec) in json.as_object().unwrap() {
        for (name, value) in spec.as_object().into_iter().flatten() {
            walk(value, &format!("/{method}/{name}"), &mut found);
        }
    }
    found
}

fn is_prompt(json: &Value) -> bool {
    json.get("pieces").is_some() && json.get("bos").is_some()
}

fn is_answer(json: &Value) -> bool {
    json.get("pieces").is_some() && json.get("bos").is_none()
}

/// What else a setting may be.
fn others(json: &Value, path: &str, asked: &TokenizedPrompt) -> Vec<Value> {
    let was = json.pointer(path).unwrap();
    match was {
        Value::Bool(it) => vec![json!(!it)],
        Value::Number(it) => {
            if let Some(n) = it.as_u64() {
                return vec![json!(n + 1), json!(n.saturating_sub(1)), json!(n + 3)];
            }
            let value = it.as_f64().unwrap();
            vec![json!(value * 2.0), json!(value / 2.0)]
        }
        Value::Null => {
            let context = json!({ "ids": [5, 6, 7], "subject_last": 1 });
            let mut others = vec![json!(1), json!(2), json!(0.5), json!([1]), context];
            others.extend(variants(json, path));
            others
        }
        Value::Array(all) if all.is_empty() => vec![json!([1])],
        Value::Array(all) => vec![json!(all[1..]), json!(all[..all.len() - 1])],
        Value::Object(_) if is_prompt(was) => {
            let answer = asked.answer.as_ref().map(|it| &*it.text);
            let other = prompt("The Seine is in", "Seine", answer);
            let unlike = prompt("In Lyon it is", "Lyon", answer);
            vec![json!(other), json!(unlike)]
        }
        Value::Object(_) if is_answer(was) => {
            vec![json!(prompt("In Paris it is", "Paris", Some("was")).answer)]
        }
        Value::String(_) | Value::Object(_) => variants(json, path),
    }
}

/// The other names that an enum's value may have, as the parser tells them.
fn variants(json: &Value, path: &str) -> Vec<Value> {
    let mut changed = json.clone();
    *changed.pointer_mut(path).unwrap() = json!("no such name");
    let Err(error) = serde_json::from_value::<AnalysisSpec>(changed) else { return Vec::new() };
    let error = error.to_string();
    let names = error.split_once("expected").map_or("", |(_, names)| names);
    let names = names.split('`').skip(1).step_by(2);
    names.map(|name| json!(name)).filter(|it| Some(it) != json.pointer(path)).collect()
}
