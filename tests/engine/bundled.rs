//! The facts and models that are part of the program, and how `transformers` reads the models.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use factscope::analysis::prediction;
use factscope::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec};
use factscope::builtin;
use factscope::facts::{Cardinality, Catalogue, Dataset, Direction, Fact, InverseOrigin};
use factscope::task::TaskCtx;
use factscope::tokens::{Bos, TokenizedPrompt};
use factscope::worker::{DeviceChoice, Engine};
use serde::Deserialize;

use super::support::{assert_close, fixture};

const DIRECTIONS: [Direction; 2] = [Direction::Forward, Direction::Inverse];

/// Rounding, in sums of a few hundred products; logits are of size 10.
const LOGIT: f32 = 1e-3;

/// Written by `tests/golden/builtin_logits.py`.
#[derive(Deserialize)]
struct Case {
    model: String,
    prompt: String,
    ids: Vec<u32>,
    top_ids: Vec<u32>,
    top_logits: Vec<f32>,
}

#[test]
fn the_built_in_models_are_their_files_bit_for_bit() {
    for builtin in builtin::ALL {
        let path =
            format!("{}/assets/{}/model.safetensors", env!("CARGO_MANIFEST_DIR"), builtin.name);
        assert!((builtin.weights)() == fs::read(&path).unwrap(), "{path}");
    }
}

#[test]
fn the_built_in_models_are_what_transformers_takes_them_for() {
    let cases = fs::read_to_string(fixture("builtin.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_str(&cases).unwrap();
    for builtin in builtin::ALL {
        let dir = builtin.name.as_ref();
        let engine = Engine::load(dir, DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap();
        let its: Vec<&Case> = cases.iter().filter(|case| case.model == builtin.name).collect();
        assert!(its.len() >= 40, "{}", its.len());
        for case in its {
            let fact = Fact::from_text(&case.prompt, None).unwrap();
            let prompt = TokenizedPrompt::new(&engine.info.tokenizer, &fact, Bos::Off).unwrap();
            assert_eq!(prompt.ids, case.ids, "{}", case.prompt);
            let spec = AnalysisSpec::Prediction(prediction::Spec { n_top: 5 });
            let result = engine.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap();
            let AnalysisResult::Prediction(found) = result else { panic!("not a prediction") };
            // By id: two that are equal to rounding may change places.
            let theirs: BTreeMap<u32, f32> =
                case.top_ids.iter().copied().zip(case.top_logits.iter().copied()).collect();
            let common: Vec<_> =
                found.top.iter().filter_map(|it| Some((it.logit, *theirs.get(&it.id)?))).collect();
            assert!(common.len() >= 4, "{}", case.prompt);
            let (ours, theirs): (Vec<f32>, Vec<f32>) = common.into_iter().unzip();
            assert_close(&ours, &theirs, LOGIT, &case.prompt);
        }
    }
}

#[test]
fn no_bundled_fact_stands_twice_and_each_has_a_relation_and_an_inverse() {
    let dataset = Dataset::bundled();
    assert!(dataset.skipped.is_empty(), "{:?}", dataset.skipped);
    let mut seen = BTreeSet::new();
    let mut relations: BTreeMap<&str, usize> = BTreeMap::new();
    let mut n_one_to_one = 0;
    for record in &dataset.records {
        let relation = record.relation.as_deref().unwrap();
        assert!(Catalogue::bundled().get(relation).is_some(), "{relation}");
        *relations.entry(relation).or_default() += 1;
        let is_one_to_one = record.cardinality == Some(Cardinality::OneToOne);
        n_one_to_one += usize::from(is_one_to_one);
        let its_inverse = record.inverse.as_ref().unwrap();
        assert_eq!(its_inverse.origin, InverseOrigin::File);
        assert!(!is_one_to_one || its_inverse.answers.len() == 1, "{record:?}");
        let [forward, inverse] = DIRECTIONS.map(|direction| record.fact(direction).unwrap());
        let pair = (relation, forward.subject_text().unwrap(), forward.answer.clone().unwrap());
        assert_eq!(inverse.subject_text(), Some(pair.2.as_str()), "{}", record.id);
        assert_eq!(inverse.answer.as_deref(), Some(pair.1), "{}", record.id);
        assert!(seen.insert(pair.clone()), "twice: {pair:?}");
        for direction in DIRECTIONS {
            let answer = record.fact(direction).unwrap().answer.clone().unwrap();
            assert!(record.answers(direction).contains(&answer), "{}", record.id);
        }
    }
    assert!(dataset.records.len() >= 1000 && relations.len() >= 20 && n_one_to_one >= 400);
}

#[test]
fn no_bundled_answer_stands_in_its_own_prompt() {
    let is_word = |c: char| c.is_alphanumeric();
    for record in Dataset::bundled().records {
        let relation = Catalogue::bundled().get(record.relation.as_deref().unwrap()).unwrap();
        for direction in DIRECTIONS {
            let fact = record.fact(direction).unwrap();
            let (subject, answer) = (fact.subject_text().unwrap(), fact.answer.clone().unwrap());
            let templates = match direction {
                Direction::Forward => &relation.forward,
                Direction::Inverse => &relation.inverse,
            };
            for template in templates {
                let asked = template.replace("{}", subject);
                let leaks = asked.match_indices(&answer).any(|(start, _)| {
                    !asked[..start].ends_with(is_word)
                        && !asked[start + answer.len()..].starts_with(is_word)
                });
                assert!(!leaks, "{asked} {answer}");
            }
        }
    }
}
