//! Spec files: what is written is read again, and what is wrong is named with its place.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use factscope::analysis::corruption::{
    Closeness, Corruption, Draws, NoiseEntry, NoiseShape, SubjectsOf,
};
use factscope::analysis::{
    AnalysisSpec, Contrast, Pair, Positions, ablation, activation_patching, atp_star, attention,
    attention_knockout, attribution_patching, causal_trace, comparison, corruption_bench,
    edge_attribution, edge_cut, generation, logit_attribution, logit_lens, neuron_ablation,
    path_patching, prediction, rank_one_edit, steering, trace_average, trace_cell,
};
use factscope::analysis::{Metric, ModelEdit, NoiseFile, causal_trace::NoiseLevel};
use factscope::experiment::{
    Datasets, Experiment, ExperimentError, FactSource, RecordFact, TextFact, Written,
};
use factscope::facts::{Dataset, Direction, Fact};
use factscope::intervention::{Edit, NoiseRng};
use factscope::tokens::{Bos, TokenizedPrompt, Tokenizer};
use serde_json::{Value, json};

fn trace() -> causal_trace::Spec {
    causal_trace::Spec {
        component: causal_trace::Component::Mlp,
        window: 3,
        noise: NoiseLevel::Multiple { factor: 3.0, tokens: [5, 7].into() },
        rng: NoiseRng::Chacha,
        seed: 4,
        n_samples: 2,
        direction: causal_trace::Direction::Noise,
        sever: Some(causal_trace::Severed::Attn),
        sever_layers: Some(2),
        corruption: Corruption::Counterpart { ids: [3, 4].into() },
        map: causal_trace::Map::Together { at: Positions::Last, widths: vec![1, 4] },
    }
}

fn edit() -> rank_one_edit::Spec {
    let prompt = crate::support::prompt("Paris is in", "Paris", Some("it"));
    rank_one_edit::Spec {
        layer: 2,
        target: prompt.answer.clone().unwrap(),
        contexts: vec![rank_one_edit::Context { ids: prompt.ids.clone(), subject_last: 1 }],
        essence: Some(rank_one_edit::Context { ids: vec![1, 2], subject_last: 0 }),
        descent: rank_one_edit::Descent::default(),
        covariance: rank_one_edit::Covariance::File("c.safetensors".into()),
        asked: vec![rank_one_edit::Asked { kind: rank_one_edit::PromptKind::Paraphrase, prompt }],
    }
}

fn steer() -> steering::Spec {
    steering::Spec {
        direction: steering::Direction::Prompts { plus: vec![1], minus: vec![2, 3] },
        layer: 1,
        positions: Positions::Subject,
        scale: -1.5,
        n_top: 2,
        asked: Vec::new(),
    }
}

fn donor() -> Arc<TokenizedPrompt> {
    crate::support::prompt("Paris is in", "Paris", Some("it")).into()
}

/// Of analyses that move activations, or estimate what moving them would do.
fn of_parts() -> [AnalysisSpec; 4] {
    [
        AnalysisSpec::ActivationPatching(activation_patching::Spec {
            donor: donor(),
            pairs: vec![Pair { donor: 1, recipient: 2 }],
            places: activation_patching::Places::Together,
            part: activation_patching::Part::Heads,
            window: 1,
        }),
        AnalysisSpec::PathPatching(path_patching::Spec {
            donor: donor(),
            pairs: vec![Pair { donor: 1, recipient: 2 }],
            receivers: vec!["L2H3.q".parse().unwrap(), "MLP1".parse().unwrap()],
            receiver_positions: Positions::Last,
            between: path_patching::Between::Frozen,
        }),
        AnalysisSpec::AtpStar(atp_star::Spec {
            contrast: Contrast::Subject(Draws {
                corruption: Corruption::OtherSubjects {
                    of: SubjectsOf::All,
                    ids: [vec![1], vec![2]].into(),
                },
                noise: NoiseLevel::Std(0.5),
                rng: NoiseRng::Numpy,
                seed: 3,
                n_samples: 2,
            }),
            metric: Metric::Logit,
            n_verified: 1,
        }),
        AnalysisSpec::EdgeAttribution(edge_attribution::Spec {
            contrast: Contrast::Prompt { ids: [1, 2].into() },
            metric: Metric::Prob,
            base: edge_attribution::EdgeBase::Between { n_steps: 4 },
            n_edges: 5,
            n_verified: 0,
        }),
    ]
}

fn cell() -> AnalysisSpec {
    let trace = causal_trace::Spec { map: causal_trace::Map::Tokens, ..trace() };
    AnalysisSpec::TraceCell(trace_cell::Spec { trace, pos: 2, layer: 1, n_top: 4 })
}

fn average() -> AnalysisSpec {
    let other = trace_average::AskedFact {
        prompt: crate::support::prompt("Rome is in", "Rome", Some("it")),
        right: vec![3, 4],
        corruption: Some(Corruption::Zero),
    };
    let plain = trace_average::AskedFact { right: Vec::new(), corruption: None, ..other.clone() };
    AnalysisSpec::TraceAverage(trace_average::Spec {
        trace: causal_trace::Spec { map: causal_trace::Map::Tokens, ..trace() },
        components: vec![causal_trace::Component::Hidden, causal_trace::Component::Attn],
        facts: [plain, other].into(),
        kept: trace_average::Kept::All,
        draws: trace_average::FactDraws::Anew,
        left_out: [trace_average::LeftOut {
            prompt: "x".to_owned(),
            cause: trace_average::Cause::NotTraced,
            reason: "y".to_owned(),
        }]
        .into(),
        sample: None,
    })
}

/// A new analysis belongs in the list below.
fn is_listed(spec: &AnalysisSpec) {
    match spec {
        AnalysisSpec::Prediction(_)
        | AnalysisSpec::CausalTrace(_)
        | AnalysisSpec::TraceCell(_)
        | AnalysisSpec::TraceAverage(_)
        | AnalysisSpec::AttributionPatching(_)
        | AnalysisSpec::LogitAttribution(_)
        | AnalysisSpec::LogitLens(_)
        | AnalysisSpec::Attention(_)
        | AnalysisSpec::Ablation(_)
        | AnalysisSpec::NeuronAblation(_)
        | AnalysisSpec::AttentionKnockout(_)
        | AnalysisSpec::EdgeCut(_)
        | AnalysisSpec::Comparison(_)
        | AnalysisSpec::Generation(_)
        | AnalysisSpec::RankOneEdit(_)
        | AnalysisSpec::Steering(_)
        | AnalysisSpec::NeuronAttribution(_)
        | AnalysisSpec::SourceAttribution(_)
        | AnalysisSpec::AttributionDifference(_)
        | AnalysisSpec::ThroughHead(_)
        | AnalysisSpec::ResidualNorms(_)
        | AnalysisSpec::AccumulatedResid(_)
        | AnalysisSpec::ContributionGraph(_)
        | AnalysisSpec::HeadScores(_)
        | AnalysisSpec::CorruptionBench(_)
        | AnalysisSpec::Circuit(_)
        | AnalysisSpec::Composition(_)
        | AnalysisSpec::ActivationPatching(_)
        | AnalysisSpec::PathPatching(_)
        | AnalysisSpec::AtpStar(_)
        | AnalysisSpec::EdgeAttribution(_) => {}
    }
}

/// At least one of every analysis.
#[expect(clippy::too_many_lines, reason = "one of each analysis")]
fn specs() -> Vec<AnalysisSpec> {
    let mut specs = vec![
        AnalysisSpec::Prediction(prediction::Spec { n_top: 3 }),
        AnalysisSpec::CausalTrace(trace()),
        AnalysisSpec::CausalTrace(causal_trace::Spec { noise: NoiseLevel::Std(0.25), ..trace() }),
        AnalysisSpec::CausalTrace(causal_trace::Spec {
            corruption: Corruption::Noise {
                shape: NoiseShape::Uniform,
                entry: NoiseEntry::Replaced,
            },
            map: causal_trace::Map::Heads { at: Positions::Subject },
            ..trace()
        }),
        AnalysisSpec::CausalTrace(causal_trace::Spec {
            corruption: Corruption::OtherSubjects {
                of: SubjectsOf::Relation,
                ids: [vec![1], vec![2]].into(),
            },
            map: causal_trace::Map::Tokens,
            ..trace()
        }),
        AnalysisSpec::CausalTrace(causal_trace::Spec {
            corruption: Corruption::NoiseFile(NoiseFile {
                path: "noise.npy".into(),
                sha256: "00ff".to_owned(),
            }),
            ..trace()
        }),
        AnalysisSpec::CausalTrace(causal_trace::Spec {
            corruption: Corruption::NearestTokens { by: Closeness::Cosine },
            ..trace()
        }),
        AnalysisSpec::CorruptionBench(corruption_bench::Spec {
            trace: causal_trace::Spec { map: causal_trace::Map::Tokens, ..trace() },
            corruptions: vec![corruption_bench::Entry {
                name: "zeros".to_owned(),
                corruption: Corruption::Zero,
                n_samples: 1,
            }],
            windows: vec![1, 3],
            left_out: vec![corruption_bench::LeftOut {
                name: "others".to_owned(),
                reason: "there are none".to_owned(),
            }],
        }),
        AnalysisSpec::AttributionPatching(attribution_patching::Spec {
            trace: trace(),
            base: attribution_patching::BasePoint::Clean,
            metric: Metric::LogitDiff,
            windows: attribution_patching::Windows::Added,
            n_verified: 2,
        }),
        AnalysisSpec::LogitAttribution(logit_attribution::Spec {
            by: logit_attribution::Parts::Heads,
        }),
        AnalysisSpec::LogitLens(logit_lens::Spec::default()),
        AnalysisSpec::Attention(attention::Spec {
            layers: 1..3,
            head: Some(2),
            weighting: attention::Weighting::NormBased,
        }),
        AnalysisSpec::Ablation(ablation::Spec {
            part: ablation::Part::Heads,
            positions: Positions::Only(1..3),
            replacement: ablation::Replacement::Mean { prompts: [vec![1, 2], vec![3]].into() },
            together: None,
        }),
        AnalysisSpec::Ablation(ablation::Spec {
            part: ablation::Part::Mlp,
            positions: Positions::NonSubject,
            replacement: ablation::Replacement::Resample { ids: [1, 2].into() },
            together: None,
        }),
        AnalysisSpec::NeuronAblation(neuron_ablation::Spec {
            n_top: 3,
            layers: vec![1, 2],
            metric: Metric::Logit,
            positions: Positions::Subject,
            replacement: ablation::Replacement::Resample { ids: [1, 2].into() },
        }),
        AnalysisSpec::AttentionKnockout(attention_knockout::Spec {
            edges: attention_knockout::Edges::to_last(),
            window: 1,
        }),
        AnalysisSpec::EdgeCut(edge_cut::Spec {
            heads: Some([0, 3].into()),
            ..edge_cut::Spec::of([edge_cut::Edge { query: 2, key: 0 }], 1..3)
        }),
        AnalysisSpec::Comparison(comparison::Spec {
            second: comparison::Second::Inverse,
            mapped: comparison::Mapped::Prompts,
            inverse: crate::support::prompt("Paris is in", "Paris", Some("it")),
            right: [vec![1, 2], vec![]],
            map: comparison::MapSpec::Trace { spec: trace(), metric: Metric::LogProb },
            n_top: 3,
            n_permutations: 9,
            seed: u64::MAX,
        }),
        AnalysisSpec::Generation(generation::Spec {
            n_tokens: 3,
            choice: generation::Choice::Sample {
                temperature: 0.7,
                top_k: Some(5),
                top_p: Some(0.9),
                seed: 1,
            },
            end: Some(7),
        }),
        AnalysisSpec::RankOneEdit(edit()),
        AnalysisSpec::Steering(steer()),
        cell(),
        average(),
    ];
    specs.extend(of_parts());
    specs.extend(crate::decompositions::all_specs());
    specs.iter().for_each(is_listed);
    specs
}

fn record() -> FactSource {
    FactSource::Record(RecordFact {
        facts: Dataset::BUNDLED.into(),
        case: "2".to_owned(),
        direction: Direction::Inverse,
        answer: Some("Cairo".to_owned()),
        ..RecordFact::default()
    })
}

fn text() -> FactSource {
    FactSource::Text(TextFact {
        prompt: "Lyon, near Lyon, is in".to_owned(),
        subject: Some("Lyon".to_owned()),
        subject_start: Some(11),
        answer: None,
        foil: Some("Egypt".to_owned()),
    })
}

fn experiment(fact: FactSource, spec: AnalysisSpec) -> Experiment {
    let edits = vec![ModelEdit::RankOne(edit()), ModelEdit::Steering(steer())];
    Experiment { model: "builtin".into(), bos: Bos::On, fact, edits, spec }
}

fn parse(text: &str) -> Result<Experiment, ExperimentError> {
    Experiment::parse(text, Path::new("spec.json"))
}

#[test]
fn every_experiment_is_read_as_it_was_written() {
    for spec in specs() {
        for fact in [record(), text(), FactSource::NoFact] {
            let asked = experiment(fact, spec.clone());
            assert_eq!(parse(&asked.to_json().unwrap()).unwrap(), asked);
        }
    }
}

/// Earlier programs wrote the fact of an experiment about weights as `nothing`.
#[test]
fn an_experiment_without_a_fact_is_read_by_its_old_name_too() {
    let asked = experiment(FactSource::NoFact, specs().remove(0));
    let text = asked.to_json().unwrap().replace("\"none\"", "\"nothing\"");
    assert_eq!(parse(&text).unwrap(), asked);
}

/// Adds a field to each object in turn, and gives the JSON that comes of it.
fn with_unknown_fields(json: &Value) -> Vec<Value> {
    fn objects(json: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(fields) = json.as_object() {
            found.push(path.to_owned());
            for (key, value) in fields {
                objects(value, &format!("{path}/{key}"), found);
            }
        }
        for (nth, value) in json.as_array().into_iter().flatten().enumerate() {
            objects(value, &format!("{path}/{nth}"), found);
        }
    }
    let mut found = Vec::new();
    objects(json, "", &mut found);
    let with = |path: &String| {
        let mut json = json.clone();
        json.pointer_mut(path).unwrap()["colour"] = json!("red");
        json
    };
    found.iter().map(with).collect()
}

#[test]
fn unknown_fields_are_refused_wherever_they_are() {
    for spec in specs() {
        for fact in [record(), text()] {
            let json = serde_json::to_value(experiment(fact, spec.clone())).unwrap();
            let spoiled = with_unknown_fields(&json);
            // The experiment, the choice of source, the fact, and at least one more.
            assert!(spoiled.len() >= 3);
            for json in spoiled {
                assert!(parse(&json.to_string()).is_err(), "{json}");
            }
        }
    }
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_place() {
    let good = experiment(text(), specs().remove(0));
    let good = Experiment { edits: Vec::new(), ..good }.to_json().unwrap();
    let spoil = |from: &str, to: &str| {
        assert!(good.contains(from), "{good}");
        parse(&good.replace(from, to)).unwrap_err().to_string()
    };
    let typo = spoil("\"n_top\"", "\"n_tops\"");
    assert!(typo.contains("unknown field `n_tops`, expected `n_top`"), "{typo}");
    assert!(typo.starts_with("line 14, column "), "{typo}");
    assert!(typo.contains("--save-spec") && typo.ends_with("spec.json"), "{typo}");
    let method = spoil("\"Prediction\"", "\"Predictoin\"");
    assert!(method.contains("unknown variant `Predictoin`, expected one of"), "{method}");
    let lacking = spoil("\"prompt\": \"Lyon, near Lyon, is in\",", "");
    assert!(lacking.contains("missing field `prompt`"), "{lacking}");
    let broken = parse("{ \"model\": ").unwrap_err().to_string();
    assert!(broken.contains("EOF") && broken.contains("line 1"), "{broken}");
    let gone = Written::load(Path::new("nowhere.json")).unwrap_err().to_string();
    assert!(gone.contains("nowhere.json"), "{gone}");
}

#[test]
fn an_edit_is_what_edit_and_steer_try_out() {
    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("edit.json");
    let tokenizer = Tokenizer::from_dir(&crate::support::fixture("tiny")).unwrap();
    let load = |spec: AnalysisSpec, model: &str| {
        fs::write(&path, experiment(text(), spec).to_json().unwrap()).unwrap();
        Experiment::load_edits(&path, &[PathBuf::from(model)], &tokenizer)
    };
    let asked_nothing = rank_one_edit::Spec { asked: Vec::new(), ..edit() };
    let found = load(AnalysisSpec::RankOneEdit(edit()), "builtin").unwrap();
    // Those made before come first.
    assert_eq!(found.len(), 3);
    assert_eq!(found[2], ModelEdit::RankOne(asked_nothing));
    let found = load(AnalysisSpec::Steering(steer()), "builtin").unwrap();
    assert_eq!(found[2], ModelEdit::Steering(steer()));
    let none = load(AnalysisSpec::LogitLens(logit_lens::Spec::default()), "builtin")
        .unwrap_err()
        .to_string();
    assert!(none.contains("changes no weights") && none.contains("edit.json"), "{none}");
    let other = load(AnalysisSpec::Steering(steer()), "other").unwrap_err().to_string();
    assert!(other.contains("builtin") && other.contains("other"), "{other}");
}

#[test]
fn a_fact_that_is_not_there_is_named() {
    let of = |case: &str, facts: &str| {
        let facts = facts.into();
        let (case, direction) = (case.to_owned(), Direction::Inverse);
        let it = RecordFact { facts, case, direction, ..RecordFact::default() };
        FactSource::Record(it).question(&Datasets::default())
    };
    let question = of("2", "builtin").unwrap();
    assert_eq!(question.fact.answer, None);
    let expected = Dataset::bundled().find("2").unwrap().fact(Direction::Inverse).unwrap().clone();
    assert_eq!(question.expected, expected.answer);
    assert_eq!(question.fact.prompt, expected.prompt);
    assert!(of("no such", "builtin").unwrap_err().to_string().contains("no case no such"));
    assert!(of("2", "nowhere.json").unwrap_err().to_string().contains("nowhere.json"));

    let dir = tempfile::TempDir::new().unwrap();
    let path = dir.path().join("facts.json");
    let one = r#"[{"prompt": "Lyon is in", "subject": "Lyon", "answer": "France"}]"#;
    fs::write(&path, one).unwrap();
    let id = Dataset::load(&path).unwrap().records[0].id.clone();
    let error = of(&id, path.to_str().unwrap()).unwrap_err().to_string();
    assert!(error.contains("has no inverse"), "{error}");
}

/// JSON has no infinities: what cannot be read again is not written.
#[test]
fn an_edit_is_read_as_it_was_written_or_not_written() {
    for edit in [Edit::Set(-0.5), Edit::Block, Edit::Zero] {
        let json = serde_json::to_string(&edit).unwrap();
        assert_eq!(serde_json::from_str::<Edit>(&json).unwrap(), edit);
    }
    for value in [f32::NEG_INFINITY, f32::NAN] {
        let error = serde_json::to_string(&Edit::Set(value)).unwrap_err().to_string();
        assert!(error.contains("Block"), "{error}");
    }
}

#[test]
fn a_fact_keeps_its_subject_even_if_the_words_occur_earlier() {
    let slot = Fact::from_template("Rome, like {}, is in", "Rome").unwrap();
    let plain = Fact::from_text("Rome is in", Some("Rome")).unwrap();
    for (fact, start) in [(slot, Some(11)), (plain, None)] {
        let text = TextFact::from(&fact);
        assert_eq!(text.subject_start, start);
        assert_eq!(FactSource::Text(text).question(&Datasets::default()).unwrap().fact, fact);
    }
}

#[test]
fn a_subject_that_is_not_where_it_is_said_to_be_is_an_error() {
    let text = TextFact {
        prompt: "Rome is in".to_owned(),
        subject: Some("Rome".to_owned()),
        subject_start: Some(2),
        ..TextFact::default()
    };
    let error = FactSource::Text(text.clone()).question(&Datasets::default()).unwrap_err();
    assert!(matches!(error, ExperimentError::SubjectElsewhere { start: 2, .. }));
    let beyond = TextFact { subject_start: Some(usize::MAX), ..text };
    assert!(FactSource::Text(beyond).question(&Datasets::default()).is_err());
}
