//! A fact of a sweep, whatever the method, has the numbers of the command that asks it alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use factscope::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec, prediction};
use factscope::experiment::Written;
use factscope::facts::Direction;
use factscope::figure::{Figure, Look};
use factscope::population::{AnswerOf, Folder, Outcome, RECALL, Selection, Sweep, Task, Wording};
use factscope::tokens::{Bos, TokenizedPrompt};
use parquet::record::Field;
use tempfile::TempDir;

use super::super::every_analysis;
use super::{
    DATASET, ENGINE, lens, library, manifest, own, place, rows, selection, text, with_sweep,
    written,
};

/// The methods that no dataset can be asked, and a part of the reason that is told.
const NOT_OF_A_FACT: [(&str, &str); 4] = [
    ("trace average", "many facts already"),
    ("circuit", "weights alone"),
    ("composition", "weights alone"),
    // The test's spec names two tokens that are no prompt of the fact.
    ("attribution difference", "neither the fact's own prompt"),
];

/// Every method on the list is asked of facts, and each number equals that of the command which asks the
/// fact alone: its spec goes through a file, as `--spec-of` writes it and `run` reads it.
#[test]
fn a_fact_of_a_sweep_equals_its_single_command() {
    let mut n_swept = BTreeSet::new();
    for spec in every_analysis::specs(&own().1) {
        let written = written(spec.clone());
        // 20 facts of each method; fewer of its other settings, which take long.
        let is_first = !n_swept.contains(spec.name());
        let selection = selection(if is_first || spec.is_short() { 20 } else { 3 });
        let tasks = selection.tasks(&DATASET);
        let dir = TempDir::new().unwrap();
        let asked = with_sweep(&written, &selection, |sweep| {
            let mut folder = Folder::open(dir.path(), manifest(&written, &selection)).unwrap();
            let done = sweep.run(&tasks, &mut folder, &AnalysisCtx::unwatched()).unwrap();
            assert_eq!(done, Outcome::Whole);
            assert_eq!(folder.found.len(), tasks.len());
            let all = rows(dir.path());
            check_no_answer_is_named(&all, spec.name());
            let mut n_asked = 0;
            for (task, note) in tasks.iter().zip(&folder.found) {
                assert_eq!(*task, note.task());
                let alone = sweep.experiment(*task, &AnalysisCtx::unwatched()).unwrap();
                if note.left_out.is_some() {
                    continue;
                }
                let text = alone.unwrap().0.to_json_as_meant(&library()).unwrap();
                check_alone(&text, *task, &all);
                n_asked += 1;
            }
            n_asked
        });
        match asked {
            Ok(n) => {
                assert!(n > 0, "{} is asked of no fact: {}", spec.name(), written.text());
                n_swept.insert(spec.name());
            }
            Err(error) => {
                let reason = NOT_OF_A_FACT.iter().find(|it| it.0 == spec.name());
                let reason = reason.unwrap_or_else(|| panic!("{}: {error}", spec.name()));
                assert!(error.to_string().contains(reason.1), "{error}");
            }
        }
    }
    for name in AnalysisSpec::NAMES {
        let is_refused = NOT_OF_A_FACT.iter().any(|it| it.0 == *name);
        assert!(is_refused || n_swept.contains(name), "{name} is not swept");
    }
}

/// Quantities and charts are named alike for all facts, whatever their answers, so that they can be laid
/// over each other.
fn check_no_answer_is_named(all: &[BTreeMap<String, Field>], method: &str) {
    for row in all {
        let Some(answer) = text(&row["answer"]) else { continue };
        for column in ["chart", "quantity"] {
            let name = text(&row[column]).unwrap_or_default();
            assert!(!name.contains(answer), "{column} “{name}” of {method} names {answer}");
        }
    }
}

/// Asks a fact alone, from the file of its experiment, and compares every number with its rows.
fn check_alone(file: &str, task: Task, all: &[BTreeMap<String, Field>]) {
    let library = library();
    let experiment = Written::parse(file, Path::new("alone.json")).unwrap();
    let experiment = experiment.resolve(&library, Path::new("alone.json")).unwrap();
    let question = library.question(&experiment.fact).unwrap();
    let tokenizer = &ENGINE.info.tokenizer;
    let prompt = TokenizedPrompt::new(tokenizer, &question.fact, experiment.bos).unwrap();
    let result = ENGINE.run(&prompt, &experiment.spec, &AnalysisCtx::unwatched()).unwrap();
    let figure = Figure::of(&result, &Look::new(tokenizer));
    let numbers = figure.numbers(Some(result.prompt().unwrap_or(&prompt)));

    let direction = if task.direction == Direction::Forward { "fact" } else { "inverse" };
    let mine = all.iter().filter(|row| {
        place(&row["record"]) == Some(task.record)
            && text(&row["direction"]) == Some(direction)
            && text(&row["chart"]) != Some(RECALL)
    });
    let mine: Vec<_> = mine.collect();
    assert_eq!(mine.len(), numbers.len(), "{file}");
    for (row, number) in mine.iter().zip(&numbers) {
        assert_eq!(text(&row["chart"]), Some(&*number.chart));
        assert_eq!(text(&row["quantity"]), Some(&*number.quantity));
        assert_eq!(place(&row["layer"]), number.at.layer);
        assert_eq!(place(&row["head"]), number.at.head);
        assert_eq!(place(&row["position"]), number.at.position);
        assert_eq!(text(&row["role"]), number.at.role.map(|it| it.to_string()).as_deref());
        assert_eq!(text(&row["label"]), number.at.label.as_deref());
        assert_eq!(text(&row["component"]), number.at.component.as_deref());
        assert_eq!(place(&row["layer_2"]), number.other.layer);
        assert_eq!(place(&row["position_2"]), number.other.position);
        match row["value"] {
            Field::Null => assert!(number.value.is_nan()),
            Field::Float(value) => {
                assert_eq!(value.to_bits(), number.value.to_bits(), "{number:?} of {file}");
            }
            ref other => panic!("{other:?} is no number"),
        }
    }
}

/// Each fact may be asked in those of its relation's words in which it is recalled best; the file of the
/// fact alone says which, and gives the same numbers.
#[test]
fn a_fact_in_its_best_words_equals_its_single_command() {
    let (written, own) = (lens(), selection(12));
    let best = Selection { wording: Wording::Best, ..own.clone() };
    let [in_own, in_best] = [&own, &best].map(|selection| {
        let dir = TempDir::new().unwrap();
        let tasks = selection.tasks(&DATASET);
        with_sweep(&written, selection, |sweep| {
            let mut folder = Folder::open(dir.path(), manifest(&written, selection)).unwrap();
            sweep.run(&tasks, &mut folder, &AnalysisCtx::unwatched()).unwrap();
            let all = rows(dir.path());
            for task in tasks {
                let alone = sweep.experiment(task, &AnalysisCtx::unwatched()).unwrap();
                let Ok(alone) = alone else { continue };
                check_alone(&alone.0.to_json_as_meant(&library()).unwrap(), task, &all);
            }
            all
        })
        .unwrap()
    });
    // The rank of each fact in the words that it was asked in, and these words.
    let ranks = |rows: &[BTreeMap<String, Field>]| -> BTreeMap<String, (f32, String)> {
        let mut ranks = BTreeMap::new();
        for row in rows.iter().filter(|it| text(&it["quantity"]) == Some("rank")) {
            let Field::Float(rank) = row["value"] else { panic!("no rank") };
            let key = format!("{:?} {:?}", row["record"], row["direction"]);
            ranks.insert(key, (rank, text(&row["template"]).unwrap().to_owned()));
        }
        ranks
    };
    let (own, best) = (ranks(&in_own), ranks(&in_best));
    assert_eq!(own.len(), best.len());
    let mut n_others = 0;
    for (key, (rank, words)) in &best {
        assert!(*rank <= own[key].0, "{key} has rank {rank} in “{words}”");
        n_others += usize::from(*words != own[key].1);
    }
    assert!(n_others > 0, "no fact is recalled better in other words");
}

/// The model's first guess stands in the column of the answer where it is what was measured.
#[test]
fn a_measured_guess_is_named() {
    let (written, selection) = (lens(), selection(6));
    let dir = TempDir::new().unwrap();
    let mut guesses = BTreeMap::new();
    with_sweep(&written, &selection, |sweep| {
        let sweep = Sweep { answer: AnswerOf::Guess, ..*sweep };
        let mut folder = Folder::open(dir.path(), manifest(&written, &selection)).unwrap();
        let tasks = selection.tasks(&DATASET);
        sweep.run(&tasks, &mut folder, &AnalysisCtx::unwatched()).unwrap();
        for (task, note) in tasks.iter().zip(&folder.found) {
            if note.left_out.is_some() {
                continue;
            }
            let fact = DATASET.records[task.record].fact(task.direction).unwrap();
            let prompt = TokenizedPrompt::new(&ENGINE.info.tokenizer, fact, Bos::Off).unwrap();
            let top = AnalysisSpec::from(prediction::Spec { n_top: 1 });
            let found = ENGINE.run(&prompt, &top, &AnalysisCtx::unwatched()).unwrap();
            let AnalysisResult::Prediction(found) = found else { panic!("another method") };
            let guess = ENGINE.info.tokenizer.readable(found.top[0].id).trim_start().to_owned();
            let direction = if task.direction == Direction::Forward { "fact" } else { "inverse" };
            guesses.insert((task.record, direction), guess);
        }
    })
    .unwrap();
    assert!(guesses.len() > 5);
    for row in rows(dir.path()).iter().filter(|it| text(&it["left_out"]).is_none()) {
        let key = (place(&row["record"]).unwrap(), text(&row["direction"]).unwrap());
        assert_eq!(text(&row["answer"]), Some(&*guesses[&key]));
    }
}
