//! Sweeps: what a spec asks of one fact, asked of each fact of a dataset.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use factscope::analysis::trace_average::FactDraws;
use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, Pair, activation_patching, causal_trace, edge_cut,
    logit_attribution, logit_lens, prediction,
};
use factscope::builtin;
use factscope::experiment::{
    Binding, BindingError, Experiment, FactSource, Library, RecordFact, Written,
};
use factscope::facts::{Dataset, Direction, Fact};
use factscope::figure::{Figure, Look};
use factscope::population::{
    AnswerOf, Choices, Folder, FolderError, KnownWay, Manifest, MergeError, Outcome, Population,
    RECALL, Selection, Shard, Sweep, Task, Wanted, Ways, Wording, merge,
};
use factscope::task::{CancelToken, TaskCtx};
use factscope::tokens::{Bos, TokenizedPrompt};
use factscope::worker::{DeviceChoice, Engine};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use tempfile::TempDir;

use super::every_analysis;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    let dir = builtin::FACTS.name.as_ref();
    Engine::load(dir, DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap()
});

static DATASET: LazyLock<Arc<Dataset>> = LazyLock::new(|| Arc::new(Dataset::bundled()));

fn library() -> Library<'static> {
    Library::new(&ENGINE.info.tokenizer).with(Some(Arc::clone(&DATASET)))
}

/// A fact whose subject has several tokens, with tokens before and after it.
fn own() -> (RecordFact, TokenizedPrompt) {
    let tokenizer = &ENGINE.info.tokenizer;
    let found = DATASET.records.iter().find_map(|record| {
        let prompt = TokenizedPrompt::new(tokenizer, &record.fact, Bos::Off).unwrap();
        let subject = prompt.subject.clone()?;
        let is_wide = subject.start > 0 && subject.len() > 2 && subject.end + 1 < prompt.n_pos();
        (is_wide && record.inverse.is_some()).then(|| (record.id.clone(), prompt))
    });
    let (case, prompt) = found.unwrap();
    let answer = DATASET.find(&case).unwrap().fact.answer.clone();
    let facts = Dataset::BUNDLED.into();
    (RecordFact { facts, case, answer, ..RecordFact::default() }, prompt)
}

fn written(spec: AnalysisSpec) -> Written {
    written_of(own().0, spec)
}

fn written_of(fact: RecordFact, spec: AnalysisSpec) -> Written {
    let experiment = Experiment {
        model: builtin::FACTS.name.into(),
        bos: Bos::Off,
        fact: FactSource::Record(fact),
        edits: Vec::new(),
        spec,
    };
    let text = experiment.to_json_as_meant(&library()).unwrap();
    Written::parse(&text, Path::new("spec.json")).unwrap()
}

fn selection(n: usize) -> Selection {
    Selection { ways: Ways::Both, n: Some(n), ..Selection::default() }
}

fn manifest(written: &Written, selection: &Selection) -> Manifest {
    Manifest {
        spec: serde_json::from_str(written.text()).unwrap(),
        spec_sha256: "s".to_owned(),
        method: written.outline.spec.name().to_owned(),
        model: "builtin".to_owned(),
        model_sha256: "m".to_owned(),
        facts: Dataset::BUNDLED.into(),
        facts_sha256: "f".to_owned(),
        selection: selection.clone(),
        settings: serde_json::Value::Null,
        bound: Vec::new(),
        n_asked: selection.tasks(&DATASET).len(),
        shard: None,
    }
}

/// A sweep of a spec, handed to a test.
fn with_sweep<T>(
    written: &Written,
    selection: &Selection,
    test: impl FnOnce(&Sweep<'_>) -> T,
) -> Result<T, BindingError> {
    let library = library();
    let binding = Binding::new(written, &library, FactDraws::Anew)?;
    let choices = Choices::new(&DATASET);
    Ok(test(&Sweep {
        engine: &ENGINE,
        binding: &binding,
        dataset: &DATASET,
        choices: &choices,
        selection,
        answer: AnswerOf::Right,
        layers: &[],
        look: &|_, tokenizer| Look::new(tokenizer),
    }))
}

/// The rows of all parts of a folder, each by the names of its columns.
fn rows(dir: &Path) -> Vec<BTreeMap<String, Field>> {
    let mut parts: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|it| it.unwrap().path()).collect();
    parts.retain(|it| it.extension().is_some_and(|it| it == "parquet"));
    parts.sort();
    let mut rows = Vec::new();
    for part in parts {
        let reader = SerializedFileReader::new(fs::File::open(part).unwrap()).unwrap();
        for row in reader.get_row_iter(None).unwrap() {
            let row = row.unwrap();
            let fields = row.get_column_iter();
            rows.push(fields.map(|(name, it)| (name.clone(), it.clone())).collect());
        }
    }
    rows
}

fn text(field: &Field) -> Option<&str> {
    match field {
        Field::Str(text) => Some(text),
        Field::Null => None,
        other => panic!("{other:?} is no text"),
    }
}

fn place(field: &Field) -> Option<usize> {
    match field {
        Field::Long(number) => Some(usize::try_from(*number).unwrap()),
        Field::Null => None,
        other => panic!("{other:?} is no place"),
    }
}

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
        let selection = selection(if spec.is_short() { 20 } else { 3 });
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

/// An edge from the subject's last token to the last, named by positions, is that of every fact.
#[test]
fn positions_are_bound_by_their_roles() {
    let (_, prompt) = own();
    let subject = prompt.subject.clone().unwrap();
    let edge = edge_cut::Edge { query: prompt.last(), key: subject.end - 1 };
    let written = written(AnalysisSpec::EdgeCut(edge_cut::Spec::of([edge], 0..2)));
    let library = library();
    let binding = Binding::new(&written, &library, FactDraws::Anew).unwrap();
    let told = binding.told.join("\n");
    assert!(told.contains("query: the last token"), "{told}");
    assert!(told.contains("key: the last subject token"), "{told}");
    let mut n_lengths = BTreeSet::new();
    for record in DATASET.records.iter().take(200) {
        for direction in Direction::ALL {
            let Ok((experiment, prompt)) = binding.to(&DATASET, record, direction, [None, None])
            else {
                continue;
            };
            let AnalysisSpec::EdgeCut(spec) = experiment.spec else { panic!("another method") };
            let edge = *spec.edges.first().unwrap();
            let key = prompt.subject.as_ref().unwrap().end - 1;
            assert_eq!((edge.query, edge.key), (prompt.last(), key), "{}", prompt.text);
            n_lengths.insert(prompt.n_pos());
        }
    }
    assert!(n_lengths.len() > 3, "{n_lengths:?}");
}

/// A token that other facts lack is no reason to take another.
#[test]
fn a_fact_that_lacks_a_token_is_left_out_with_the_reason() {
    let (_, prompt) = own();
    let middle = prompt.subject.clone().unwrap().start + 1;
    let edge = edge_cut::Edge { query: prompt.last(), key: middle };
    let written = written(AnalysisSpec::EdgeCut(edge_cut::Spec::of([edge], 0..2)));
    let library = library();
    let binding = Binding::new(&written, &library, FactDraws::Anew).unwrap();
    let short = DATASET.records.iter().find(|record| {
        let prompt = TokenizedPrompt::new(&ENGINE.info.tokenizer, &record.fact, Bos::Off).unwrap();
        prompt.subject.is_some_and(|it| it.len() == 1)
    });
    let found = binding.to(&DATASET, short.unwrap(), Direction::Forward, [None, None]);
    assert_eq!(found.unwrap_err(), "the prompt has no middle subject token in that place");
}

/// The inverse of a fact may have several right answers. One that is not the fact's own was asked for as
/// the likeliest.
#[test]
fn the_likeliest_right_answer_of_a_donor_is_bound_to_that_of_each_fact() {
    let tokenizer = &ENGINE.info.tokenizer;
    let [einstein, picasso] = ["949", "973"].map(|case| DATASET.find(case).unwrap());
    let bound = |answer: &str| {
        let inverse = &einstein.inverse.as_ref().unwrap().fact;
        let inverse = Fact { answer: Some(answer.to_owned()), ..inverse.clone() };
        let [donor, prompt] = [&inverse, &einstein.fact]
            .map(|it| TokenizedPrompt::new(tokenizer, it, Bos::Off).unwrap());
        let spec = AnalysisSpec::ActivationPatching(activation_patching::Spec {
            pairs: Pair::by_role(&donor, &prompt),
            donor: Arc::new(donor),
            places: activation_patching::Places::Each,
            part: activation_patching::Part::Hidden,
            window: 1,
        });
        let (facts, case) = (Dataset::BUNDLED.into(), einstein.id.clone());
        let written = written_of(RecordFact { facts, case, ..RecordFact::default() }, spec);
        let library = library();
        let binding = Binding::new(&written, &library, FactDraws::Anew).unwrap();
        let answers = [None, Some("Lionel Messi".to_owned())];
        let (found, _) = binding.to(&DATASET, picasso, Direction::Forward, answers).unwrap();
        let AnalysisSpec::ActivationPatching(spec) = found.spec else { panic!("another method") };
        spec.donor.answer.as_ref().unwrap().text.trim().to_owned()
    };
    assert_eq!(bound("Max Planck"), "Lionel Messi");
    assert_eq!(bound("Albert Einstein"), "Pablo Picasso");
}

/// What heads add, and a trace of MLPs, each of one fact.
pub fn trace_and_heads() -> [Written; 2] {
    let heads = logit_attribution::Spec { by: logit_attribution::Parts::Heads };
    let trace =
        causal_trace::Spec { component: causal_trace::Component::Mlp, ..every_analysis::trace() };
    [AnalysisSpec::from(heads), AnalysisSpec::from(trace)].map(written)
}

/// Asks so many facts both ways.
pub fn sweep_to(written: &Written, n: usize, dir: &Path) {
    let selection = selection(n);
    with_sweep(written, &selection, |sweep| {
        let mut folder = Folder::open(dir, manifest(written, &selection)).unwrap();
        let tasks = selection.tasks(&DATASET);
        sweep.run(&tasks, &mut folder, &AnalysisCtx::unwatched()).unwrap();
    })
    .unwrap();
}

fn lens() -> Written {
    written(AnalysisSpec::LogitLens(logit_lens::Spec { n_top: 1, ..Default::default() }))
}

/// The numbers, in the order of facts, without regard to how they are cut into parts.
fn sorted(dir: &Path) -> Vec<String> {
    let mut rows: Vec<String> = rows(dir).iter().map(|it| format!("{it:?}")).collect();
    rows.sort();
    rows
}

#[test]
fn a_sweep_that_was_stopped_goes_on_and_gives_the_same() {
    let (written, selection) = (lens(), selection(12));
    let tasks = selection.tasks(&DATASET);
    let [whole, stopped] = [(); 2].map(|()| TempDir::new().unwrap());
    with_sweep(&written, &selection, |sweep| {
        let mut folder = Folder::open(whole.path(), manifest(&written, &selection)).unwrap();
        sweep.run(&tasks, &mut folder, &AnalysisCtx::unwatched()).unwrap();

        let mut n_starts = 0;
        loop {
            n_starts += 1;
            let mut folder = Folder::open(stopped.path(), manifest(&written, &selection)).unwrap();
            let n_before = folder.found.len();
            let (cancel, n_told) = (CancelToken::default(), Cell::new(0));
            let report = |it: factscope::task::Progress| {
                // Each fact is a thousand steps: stop within the third or so.
                n_told.set(it.done);
                if it.done > 2500 {
                    cancel.cancel();
                }
            };
            let task = TaskCtx { cancel: cancel.clone(), report: &report };
            let ctx = AnalysisCtx { task, ..AnalysisCtx::unwatched() };
            let done = sweep.run(&tasks, &mut folder, &ctx).unwrap();
            if done == Outcome::Whole {
                break;
            }
            assert!(folder.found.len() > n_before, "a stopped sweep keeps what is done");
        }
        assert!(n_starts > 3, "{n_starts}");
    })
    .unwrap();
    assert_eq!(sorted(whole.path()), sorted(stopped.path()));
}

#[test]
fn a_folder_is_one_process_and_one_sweep() {
    let (written, selection) = (lens(), selection(2));
    let dir = TempDir::new().unwrap();
    let folder = Folder::open(dir.path(), manifest(&written, &selection)).unwrap();
    let again = Folder::open(dir.path(), manifest(&written, &selection));
    assert!(matches!(again, Err(FolderError::InUse { .. })), "{again:?}");
    drop(folder);

    let other = Selection { known: Some(KnownWay::Both), ..selection.clone() };
    let other = Folder::open(dir.path(), manifest(&written, &other)).unwrap_err();
    assert!(other.to_string().contains("not the same: selection"), "{other}");

    let foreign = TempDir::new().unwrap();
    fs::write(foreign.path().join("thesis.tex"), "x").unwrap();
    let foreign = Folder::open(foreign.path(), manifest(&written, &selection));
    assert!(matches!(foreign, Err(FolderError::NotEmpty { .. })), "{foreign:?}");
    // What a process left that was ended while it wrote is no part.
    fs::write(dir.path().join(".factscope-abc"), "half").unwrap();
    Folder::open(dir.path(), manifest(&written, &selection)).unwrap();
    assert!(!dir.path().join(".factscope-abc").exists());
}

/// A folder of one sweep does not take in what another wrote.
#[test]
fn a_part_of_another_sweep_is_refused() {
    let (written, selection) = (lens(), selection(2));
    let [mine, other] = [(); 2].map(|()| TempDir::new().unwrap());
    sweep_to(&written, 2, mine.path());
    with_sweep(&written, &selection, |sweep| {
        let manifest = Manifest { spec_sha256: "t".to_owned(), ..manifest(&written, &selection) };
        let mut folder = Folder::open(other.path(), manifest).unwrap();
        let tasks = selection.tasks(&DATASET);
        sweep.run(&tasks, &mut folder, &AnalysisCtx::unwatched()).unwrap();
    })
    .unwrap();
    let foreign = mine.path().join("part-000009.parquet");
    fs::copy(other.path().join("part-000001.parquet"), &foreign).unwrap();
    let errors = [
        Population::load(mine.path(), &Wanted::default()).unwrap_err().to_string(),
        Folder::open(mine.path(), manifest(&written, &selection)).unwrap_err().to_string(),
        merge(&[mine.path().to_owned()], &other.path().join("merged")).unwrap_err().to_string(),
    ];
    for error in errors {
        assert!(error.contains("spec_sha256") && error.contains("part-000009"), "{error}");
    }
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

/// Facts that the model does not know are counted, each with its recall.
#[test]
fn unknown_facts_are_counted_and_not_asked() {
    let written = lens();
    let selection = Selection { known: Some(KnownWay::Both), ..selection(20) };
    let tasks = selection.tasks(&DATASET);
    let dir = TempDir::new().unwrap();
    with_sweep(&written, &selection, |sweep| {
        let mut folder = Folder::open(dir.path(), manifest(&written, &selection)).unwrap();
        sweep.run(&tasks, &mut folder, &AnalysisCtx::unwatched()).unwrap();
        assert_eq!(folder.found.len(), tasks.len());
        let left_out = folder.found.iter().filter(|it| it.left_out.is_some()).count();
        assert!(left_out > 0 && left_out < tasks.len(), "{left_out} of {}", tasks.len());
    })
    .unwrap();
    for row in rows(dir.path()) {
        let is_known = text(&row["known"]) == Some("both");
        assert_eq!(text(&row["left_out"]).is_none(), is_known);
        assert!(is_known || text(&row["chart"]).is_none_or(|it| it == RECALL));
    }
}

/// Both ways of a fact are in one share, and the shares together are all.
#[test]
fn shares_are_all_and_do_not_overlap() {
    let tasks = selection(25).tasks(&DATASET);
    let shares: Vec<Vec<Task>> =
        (0..4).map(|index| Shard { index, count: 4 }.of(tasks.clone())).collect();
    let mut all: Vec<Task> = shares.concat();
    all.sort_unstable();
    let mut expected = tasks.clone();
    expected.sort_unstable();
    assert_eq!(all, expected);
    for share in shares {
        let records: BTreeSet<usize> = share.iter().map(|it| it.record).collect();
        assert_eq!(share.len(), 2 * records.len());
    }
}

/// Shares that are merged hold the numbers of the whole, bit for bit, and so does a second merge.
#[test]
fn merged_shares_are_the_whole() {
    let (written, selection) = (lens(), selection(9));
    let tasks = selection.tasks(&DATASET);
    let dir = TempDir::new().unwrap();
    let whole = dir.path().join("whole");
    sweep_to(&written, 9, &whole);
    let shares: Vec<PathBuf> = (0..3)
        .map(|index| {
            let shard = Shard { index, count: 3 };
            let path = dir.path().join("shares").join(shard.folder());
            with_sweep(&written, &selection, |sweep| {
                let manifest =
                    Manifest { shard: Some([index, 3]), ..manifest(&written, &selection) };
                let mut folder = Folder::open(&path, manifest).unwrap();
                let mine = shard.of(tasks.clone());
                sweep.run(&mine, &mut folder, &AnalysisCtx::unwatched()).unwrap();
            })
            .unwrap();
            path
        })
        .collect();
    let out = dir.path().join("merged");
    for _ in 0..2 {
        let merged = merge(&shares, &out).unwrap();
        assert_eq!(merged.found.len(), tasks.len());
        drop(merged);
        assert_eq!(sorted(&out), sorted(&whole));
    }
    let twice = merge(&[shares[0].clone(), shares[0].clone()], &dir.path().join("twice"));
    assert!(matches!(twice, Err(MergeError::Twice { .. })), "{twice:?}");

    // The folder that holds the shares is read as one, too.
    let [of_whole, of_shares, of_merged] = [whole, dir.path().join("shares"), out]
        .map(|it| Population::load(&it, &Wanted::default()).unwrap());
    for other in [of_shares, of_merged] {
        assert_eq!(other.facts, of_whole.facts);
        for (a, b) in other.charts.iter().zip(&of_whole.charts) {
            assert_eq!((&a.cells, &a.chart), (&b.cells, &b.chart));
            let bits = |it: &Vec<Vec<f64>>| -> Vec<u64> {
                it.iter().flatten().map(|it| it.to_bits()).collect()
            };
            assert_eq!(bits(&a.values), bits(&b.values));
        }
    }
}

#[test]
fn a_share_is_what_a_job_array_says() {
    let job = |set: &[(&str, &str)]| {
        let set: BTreeMap<String, String> =
            set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Shard::of_job(&|name| set.get(name).cloned())
    };
    let slurm = [("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_COUNT", "4")];
    assert_eq!(job(&slurm), Ok(Some(Shard { index: 3, count: 4 })));
    let from_one = [&slurm[..], &[("SLURM_ARRAY_TASK_MIN", "1")]].concat();
    assert_eq!(job(&from_one), Ok(Some(Shard { index: 2, count: 4 })));
    let kubernetes = [("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "2")];
    assert_eq!(job(&kubernetes), Ok(Some(Shard { index: 0, count: 2 })));
    assert_eq!(job(&[]), Ok(None));
    assert!(job(&kubernetes[..1]).unwrap_err().to_string().contains("JOB_COMPLETIONS"));
    assert_eq!("2/4".parse(), Ok(Shard { index: 1, count: 4 }));
    assert!("0/4".parse::<Shard>().is_err() && "5/4".parse::<Shard>().is_err());
}

#[test]
fn facts_are_drawn_among_those_that_are_named() {
    let ids = DATASET.records.iter().step_by(100).map(|it| it.id.clone()).collect();
    let named = Selection { cases: Some(ids), ..Selection::default() };
    let drawn = |n| Selection { n: Some(n), ..named.clone() }.tasks(&DATASET);
    let all = named.tasks(&DATASET);
    assert!(drawn(4).iter().all(|it| all.contains(it)) && drawn(4).len() == 4);
    assert_eq!(drawn(6)[..4], drawn(4), "more facts keep the first ones");
    assert_eq!(drawn(9999).len(), all.len());
    // All that are named are drawn as from the whole dataset.
    let whole = Selection { n: Some(DATASET.records.len()), ..Selection::default() };
    let order: Vec<Task> =
        whole.tasks(&DATASET).into_iter().filter(|it| all.contains(it)).collect();
    assert_eq!(drawn(9999), order);
}
