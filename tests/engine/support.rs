//! What the tests share: fixtures, what is asked of them, and comparing numbers.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
#[cfg(target_os = "linux")]
use std::process::Command;
use std::sync::Arc;

use factscope::analysis::causal_trace::{self, CausalTrace, Component, NoiseLevel};
use factscope::analysis::{AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Lab, Reuse};
use factscope::facts::Fact;
use factscope::intervention::{Condition, NoiseRng, SiteSet};
use factscope::model::{
    BatchRow, Checkpoint, ComputeDevice, Donors, ModelConfig, Request, Run, Transformer,
};
use factscope::task::{CancelToken, Cancelled, Progress, TaskCtx};
use factscope::tokens::{Answer, Bos, TokenizedPrompt, Tokenizer};
use factscope::worker::{DeviceChoice, Engine};

/// Made by `tests/golden/make_fixtures.py`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Whether the process runs this test alone, whose memory is then that of nothing else. If not, such a process
/// has run it.
#[cfg(target_os = "linux")]
#[track_caller]
pub fn is_alone(name: &str) -> bool {
    const ALONE: &str = "FACTSCOPE_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let done = alone.args(["--exact", name]).env(ALONE, "1").output().unwrap();
    let says = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && says.contains("1 passed"), "{says}");
    false
}

pub fn load_on(dir: &Path, device: &ComputeDevice) -> Transformer {
    let checkpoint = Arc::new(Checkpoint::open(dir).unwrap());
    Transformer::load(&checkpoint, device, &TaskCtx::unwatched()).unwrap()
}

pub fn load(dir: &Path) -> Transformer {
    load_on(dir, &ComputeDevice::cpu())
}

pub fn engine(name: &str) -> Engine {
    Engine::load(&fixture(name), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap()
}

/// Runs a method and gives the result of that kind.
macro_rules! found {
    ($engine:expr, $prompt:expr, $kind:ident($spec:expr)) => {{
        let spec = factscope::analysis::AnalysisSpec::$kind($spec);
        match $engine.run($prompt, &spec, &factscope::analysis::AnalysisCtx::unwatched()) {
            Ok(factscope::analysis::AnalysisResult::$kind(found)) => found,
            other => panic!("{other:?}"),
        }
    }};
}
pub(crate) use found;

/// The sites of a GPT-2.
pub fn gpt2_sites(n_layers: usize) -> SiteSet {
    ModelConfig { n_layers, ..ModelConfig::SMALL }.sites()
}

/// What a method is run on, without an engine around it.
pub fn lab<'a>(
    model: &'a Transformer,
    prompt: &'a TokenizedPrompt,
    ctx: &'a AnalysisCtx<'a>,
) -> Lab<'a> {
    Lab { model, prompt, ctx }
}

/// A prompt with its subject, and optionally an answer and a foil.
pub fn prompt(text: &str, subject: &str, answer: Option<&str>) -> TokenizedPrompt {
    let tokenizer = Tokenizer::from_dir(&fixture("tiny")).unwrap();
    let fact =
        Fact { answer: answer.map(str::to_owned), ..Fact::from_text(text, Some(subject)).unwrap() };
    TokenizedPrompt::new(&tokenizer, &fact, Bos::Off).unwrap()
}

/// An answer that is known by its ids only.
pub fn answer_of(ids: &[u32]) -> Answer {
    let pieces = ids.iter().map(|id| format!("<{id}>")).collect();
    Answer { text: format!("{ids:?}"), ids: ids.to_vec(), pieces }
}

/// The subject is the first three tokens; an answer that the model gives.
pub fn paris() -> TokenizedPrompt {
    let mut paris = prompt("Paris is the capital of", "Paris", None);
    paris.answer = Some(answer_of(&[507]));
    paris
}

pub fn paris_or(foil: u32) -> TokenizedPrompt {
    TokenizedPrompt { foil: Some(answer_of(&[foil])), ..paris() }
}

/// The subject does not come first, and the answer is two tokens.
pub fn seine() -> TokenizedPrompt {
    let mut seine = prompt("The Seine is in", "Seine", None);
    seine.answer = Some(answer_of(&[300, 41]));
    assert!(seine.subject.as_ref().unwrap().start > 0);
    seine
}

/// ROME's, with noise that is enough for these weights.
pub fn trace_spec(component: Component, window: usize, n_samples: usize) -> causal_trace::Spec {
    causal_trace::Spec {
        component,
        window,
        noise: NoiseLevel::Std(1.5),
        rng: NoiseRng::Numpy,
        seed: 1,
        n_samples,
        direction: causal_trace::Direction::Denoise,
        sever: None,
        sever_layers: None,
        corruption: causal_trace::Corruption::default(),
        map: causal_trace::Map::default(),
    }
}

/// What comes of an analysis, and each progress that it reports. It is cancelled at that report.
pub fn watch(
    engine: &Engine,
    prompt: &TokenizedPrompt,
    spec: &AnalysisSpec,
    reuse: Reuse,
    cancel_at: usize,
) -> (Result<AnalysisResult, AnalysisError>, Vec<Progress>) {
    let cancel = CancelToken::default();
    let seen = RefCell::new(Vec::new());
    let report = |it: Progress| {
        seen.borrow_mut().push(it);
        if seen.borrow().len() == cancel_at {
            cancel.cancel();
        }
    };
    let task = TaskCtx { cancel: cancel.clone(), report: &report };
    let ctx = AnalysisCtx { task, reuse, ..AnalysisCtx::unwatched() };
    let result = engine.run(prompt, spec, &ctx);
    (result, seen.into_inner())
}

/// A trace by the tiny model.
pub fn traced(
    prompt: &TokenizedPrompt,
    spec: &causal_trace::Spec,
    reuse: Reuse,
) -> Result<CausalTrace, AnalysisError> {
    let ctx = AnalysisCtx { reuse, ..AnalysisCtx::unwatched() };
    match engine("tiny").run(prompt, &AnalysisSpec::CausalTrace(spec.clone()), &ctx)? {
        AnalysisResult::CausalTrace(trace) => Ok(trace),
        other => panic!("{other:?}"),
    }
}

/// That progress grows to its total, and that a cancel is heard at once.
#[track_caller]
pub fn assert_watched(engine: &Engine, prompt: &TokenizedPrompt, spec: &AnalysisSpec) {
    let (result, progress) = watch(engine, prompt, spec, Reuse::Exact, usize::MAX);
    assert!(result.is_ok(), "{result:?}");
    let last = progress.last().unwrap();
    assert_eq!(last.done, last.total, "{spec:?}");
    assert!(progress.iter().all(|it| it.total == last.total), "{spec:?}");
    assert!(progress.is_sorted_by_key(|it| it.done), "{spec:?}");
    for cancel_at in [1, progress.len() / 2, progress.len() - 1] {
        let (result, seen) = watch(engine, prompt, spec, Reuse::Exact, cancel_at);
        assert_eq!(result, Err(AnalysisError::Cancelled(Cancelled)), "{spec:?}");
        assert_eq!(seen.len(), cancel_at);
    }
}

/// Logits of the last position of each row, and the run itself.
pub fn run(model: &Transformer, rows: &[BatchRow<'_>], donors: &Donors, capture: &SiteSet) -> Run {
    let request = Request { rows, donors, capture, past: None, n_read: 1 };
    model.run(&request, &mut |_| Ok(())).unwrap()
}

/// One row under a condition, with nothing kept.
pub fn logits_under(
    model: &Transformer,
    ids: &[u32],
    condition: &Condition,
    donors: &Donors,
) -> Vec<f32> {
    logits(&run(model, &[BatchRow::new(ids, condition)], donors, &SiteSet::new()))
}

/// All logits of a run, in order.
pub fn logits(run: &Run) -> Vec<f32> {
    run.logits.clone().into_data().iter::<f32>().collect()
}

pub fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    // Equal infinities are no difference; a NaN is the largest there is.
    let differences = found.iter().zip(expected).map(|(a, b)| {
        let difference = if a == b { 0.0 } else { (a - b).abs() };
        if difference.is_nan() { f32::INFINITY } else { difference }
    });
    differences.fold(0.0, f32::max)
}

#[track_caller]
pub fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    let difference = largest_difference(found, expected);
    assert!(difference <= tolerance, "{what}: off by {difference:e}, allowed {tolerance:e}");
}

/// That two results differ enough for a test of equality to mean something.
#[track_caller]
pub fn assert_far(found: &[f32], other: &[f32], what: &str) {
    let difference = largest_difference(found, other);
    assert!(difference > 0.01, "{what}: only {difference:e} apart, so nothing is tested");
}
