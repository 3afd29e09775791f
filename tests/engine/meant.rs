//! Spec files that say what was meant by token ids.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use factscope::analysis::ablation::{self, Replacement};
use factscope::analysis::causal_trace::{self, Component, NoiseLevel};
use factscope::analysis::corruption::{Corruption, SubjectsOf};
use factscope::analysis::{AnalysisSpec, Positions};
use factscope::experiment::{
    Datasets, Experiment, ExperimentError, FactSource, Library, RecordFact, Written,
    other_subjects, spaced_facts, subject_tokens,
};
use factscope::facts::{Dataset, Direction};
use factscope::tokens::{Bos, TokenizedPrompt, Tokenizer};

use crate::every_analysis;
use crate::support::{fixture, prompt, trace_spec};

fn tokenizer() -> Tokenizer {
    Tokenizer::from_dir(&fixture("tiny")).unwrap()
}

fn of_record(spec: AnalysisSpec) -> Experiment {
    let facts = Dataset::BUNDLED.into();
    let record = RecordFact { facts, case: "2".to_owned(), ..RecordFact::default() };
    let (fact, edits) = (FactSource::Record(record), Vec::new());
    Experiment { model: "builtin".into(), bos: Bos::Off, fact, edits, spec }
}

/// A trace of a dataset's fact, whose noise is measured on all subjects and whose subject becomes
/// others of the dataset.
fn trace(of: SubjectsOf, tokenizer: &Tokenizer) -> Experiment {
    let spec = trace_spec(Component::Mlp, 10, 10);
    let dataset = Dataset::bundled();
    let tokens = subject_tokens(tokenizer, dataset.subjects()).ids;
    assert!(tokens.len() > 1000);
    let plain = of_record(AnalysisSpec::CausalTrace(spec.clone()));
    let question = plain.fact.question(&Datasets::default()).unwrap();
    let others = other_subjects(&dataset, of, usize::MAX, &question, tokenizer, Bos::Off).unwrap();
    let ids = others.into_iter().map(|it| it.ids).collect();
    of_record(AnalysisSpec::CausalTrace(causal_trace::Spec {
        noise: NoiseLevel::Multiple { factor: 3.0, tokens: tokens.into() },
        corruption: Corruption::OtherSubjects { of, ids },
        ..spec
    }))
}

fn resolved(text: &str, tokenizer: &Tokenizer) -> Result<Experiment, ExperimentError> {
    let path = Path::new("spec.json");
    Written::parse(text, path)?.resolve(&Library::new(tokenizer), path)
}

#[test]
fn what_was_meant_gives_the_same_ids_again() {
    let tokenizer = tokenizer();
    let library = Library::new(&tokenizer).with(Some(Arc::new(Dataset::bundled())));
    let asked = prompt("In Paris it is", "Paris", Some("it"));
    for spec in every_analysis::specs(&asked) {
        let fact = FactSource::NoFact;
        let experiment = Experiment { fact, ..of_record(spec) };
        let text = experiment.to_json_as_meant(&library).unwrap();
        assert_eq!(resolved(&text, &tokenizer).unwrap(), experiment, "{text}");
    }
}

#[test]
fn a_file_names_the_dataset_and_not_its_tokens() {
    let tokenizer = tokenizer();
    let dataset = Arc::new(Dataset::bundled());
    let prompts = spaced_facts(&dataset, Direction::Forward, 256);
    let prompts = prompts.map(|fact| TokenizedPrompt::new(&tokenizer, fact, Bos::Off).unwrap().ids);
    let mean = of_record(AnalysisSpec::Ablation(ablation::Spec {
        part: ablation::Part::Heads,
        positions: Positions::All,
        replacement: Replacement::Mean { prompts: prompts.collect() },
        together: None,
    }));
    let traces = [SubjectsOf::Relation, SubjectsOf::All].map(|of| trace(of, &tokenizer));
    for experiment in traces.into_iter().chain([mean]) {
        let library = Library::new(&tokenizer).with(Some(Arc::clone(&dataset)));
        let text = experiment.to_json_as_meant(&library).unwrap();
        assert!(text.lines().count() < 45, "{text}");
        let again = resolved(&text, &tokenizer).unwrap();
        assert_eq!(again.spec, experiment.spec, "{text}");
    }
}

#[test]
fn a_dataset_that_has_changed_is_refused_with_both_hashes() {
    let dir = tempfile::TempDir::new().unwrap();
    let facts = dir.path().join("facts.json");
    let of = |subject: &str| {
        format!(
            r#"[{{"case_id": 1, "prompt": "{{}} is in", "subject": "{subject}", "answer": "x"}}]"#
        )
    };
    fs::write(&facts, of("Lyon")).unwrap();
    let was = Dataset::sha256(&facts).unwrap();
    let text = format!(
        r#"{{"model": "builtin", "fact": {{"text": {{"prompt": "Lyon is in"}}}},
            "spec": {{"Steering": {{"direction": {{"prompts": {{
                "plus": {{"meant": {{"subjects_of": {{"facts": {facts:?}, "sha256": "{was}"}}}}}},
                "minus": {{"meant": {{"tokens_of": {{"text": "Lyon is"}}}}}}}}}},
                "layer": 1, "positions": "last", "scale": 1.0, "n_top": 3}}}}}}"#
    );
    let tokenizer = tokenizer();
    let AnalysisSpec::Steering(found) = resolved(&text, &tokenizer).unwrap().spec else {
        panic!("another method")
    };
    let plus = subject_tokens(&tokenizer, ["Lyon"].into_iter()).ids;
    assert!(format!("{:?}", found.direction).contains(&format!("plus: {plus:?}")));

    fs::write(&facts, of("Rome")).unwrap();
    let is = Dataset::sha256(&facts).unwrap();
    let error = resolved(&text, &tokenizer).unwrap_err().to_string();
    assert!(error.contains(&was) && error.contains(&is) && error.contains("facts.json"), "{error}");
    let any = text.replace(&format!(", \"sha256\": \"{was}\""), "");
    assert!(resolved(&any, &tokenizer).is_ok());
}

#[test]
fn what_is_wrong_in_what_was_meant_is_named_with_its_place() {
    let tokenizer = tokenizer();
    let library = Library::new(&tokenizer).with(Some(Arc::new(Dataset::bundled())));
    let text = trace(SubjectsOf::Relation, &tokenizer).to_json_as_meant(&library).unwrap();
    let line = 1 + text.lines().position(|it| it.contains("subjects_of")).unwrap();
    for (right, wrong, says) in [
        ("\"subjects_of\"", "\"subject_of\"", "unknown variant `subject_of`"),
        ("\"sha256\"", "\"sha\"", "unknown field `sha`"),
    ] {
        let at = text.find("subjects_of").unwrap() - 1;
        let spoiled = format!("{}{}", &text[..at], text[at..].replacen(right, wrong, 1));
        let error = resolved(&spoiled, &tokenizer).unwrap_err().to_string();
        assert!(error.contains(says) && error.starts_with(&format!("line {line}, ")), "{error}");
    }
    let after = text.replace("\"seed\"", "\"seeds\"");
    let line = 1 + after.lines().position(|it| it.contains("seeds")).unwrap();
    let error = resolved(&after, &tokenizer).unwrap_err().to_string();
    assert!(error.starts_with(&format!("line {line}, ")), "{error}");
}
