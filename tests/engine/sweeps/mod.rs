//! Sweeps: what a spec asks of one fact, asked of each fact of a dataset. What the tests of them share.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use factscope::analysis::trace_average::FactDraws;
use factscope::analysis::{AnalysisCtx, AnalysisSpec, causal_trace, logit_attribution, logit_lens};
use factscope::builtin;
use factscope::experiment::{
    Binding, BindingError, Experiment, FactSource, Library, RecordFact, Written,
};
use factscope::facts::Dataset;
use factscope::figure::Look;
use factscope::population::{AnswerOf, Choices, Folder, Manifest, Selection, Sweep, Ways};
use factscope::task::TaskCtx;
use factscope::tokens::{Bos, TokenizedPrompt};
use factscope::worker::{DeviceChoice, Engine};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;

use super::every_analysis;

mod single;
mod bound;
mod folders;
mod shares;
mod chosen;

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
