//! The thread that owns the models: what it says of each job, and in which order.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use factscope::analysis::causal_trace::{self, CausalTrace, Component, NoiseLevel};
use factscope::analysis::logit_attribution::{self, Parts};
use factscope::analysis::{
    AnalysisCtx, AnalysisResult, AnalysisSpec, attention, logit_lens, prediction,
};
use factscope::intervention::NoiseRng;
use factscope::task::{CancelToken, Progress};
use factscope::tokens::TokenizedPrompt;
use factscope::worker::{
    Call, CallError, Class, DeviceChoice, Engine, Event, Job, JobId, Stage, Which, Work, Worker,
};

use super::support::{answer_of, fixture, prompt};

mod failing;

/// A worker with a name for each job, and all it has said.
struct Bench {
    worker: Worker,
    next_id: Cell<u64>,
}

impl Bench {
    fn new() -> Self {
        Self { worker: Worker::spawn(|_| ()).unwrap(), next_id: Cell::new(0) }
    }

    fn with_model() -> Self {
        let bench = Self::new();
        bench.load(fixture("tiny"));
        let seen = bench.until_end_of(JobId(0));
        assert!(matches!(seen.last(), Some(Event::Loaded(..))), "{seen:?}");
        bench
    }

    fn submit(&self, work: Work) -> (JobId, CancelToken) {
        let id = JobId(self.next_id.replace(self.next_id.get() + 1));
        let cancel = CancelToken::default();
        self.worker.submit(Job { id, work, cancel: cancel.clone() });
        (id, cancel)
    }

    fn load(&self, dir: PathBuf) -> (JobId, CancelToken) {
        self.submit(load(Which::Main, dir))
    }

    fn analyse(&self, prompt: TokenizedPrompt, spec: AnalysisSpec) -> (JobId, CancelToken) {
        self.ask(Which::Main, prompt, spec)
    }

    fn ask(
        &self,
        which: Which,
        prompt: TokenizedPrompt,
        spec: AnalysisSpec,
    ) -> (JobId, CancelToken) {
        self.submit(analyse(which, prompt, spec))
    }

    /// The next thing it says.
    fn next(&self) -> Event {
        let event = self.worker.events.recv_timeout(Duration::from_mins(1));
        event.expect("the worker must say something within a minute")
    }

    /// All it says until it is done with a job.
    fn until_end_of(&self, id: JobId) -> Vec<Event> {
        let mut seen = Vec::new();
        loop {
            let event = self.next();
            let is_end = is_final(&event) && job_of(&event) == id;
            seen.push(event);
            if is_end {
                return seen;
            }
        }
    }

    /// That nothing more comes.
    fn assert_silent(&self) {
        let more = self.worker.events.recv_timeout(Duration::from_millis(50));
        assert!(more.is_err(), "{more:?}");
    }
}

fn analyse(which: Which, prompt: TokenizedPrompt, spec: AnalysisSpec) -> Work {
    Work::Analyse { which, prompt: Arc::new(prompt), spec, earlier: Vec::new() }
}

fn job_of(event: &Event) -> JobId {
    match event {
        Event::Stage(id, _)
        | Event::Progress(id, _)
        | Event::Partial(id, _)
        | Event::Took(id, _)
        | Event::Loaded(id, _)
        | Event::Closed(id)
        | Event::Finished(id, _)
        | Event::Done(id)
        | Event::Cancelled(id)
        | Event::Edited(id)
        | Event::Failed(id, _) => *id,
    }
}

fn is_final(event: &Event) -> bool {
    !matches!(event, Event::Stage(..) | Event::Progress(..) | Event::Partial(..) | Event::Took(..))
}

/// The order in which jobs ended.
fn ended(events: &[Event]) -> Vec<JobId> {
    events.iter().filter(|it| is_final(it)).map(job_of).collect()
}

fn load(which: Which, dir: PathBuf) -> Work {
    Work::Load { which, dir, device: DeviceChoice::Cpu }
}

fn paris() -> TokenizedPrompt {
    prompt("Paris is the capital of", "Paris", Some("the"))
}

/// Panics: an answer has at least one token.
fn impossible() -> TokenizedPrompt {
    let mut prompt = paris();
    prompt.answer = Some(answer_of(&[]));
    prompt
}

fn predict() -> AnalysisSpec {
    AnalysisSpec::Prediction(prediction::Spec { n_top: 3 })
}

fn trace(n_samples: usize) -> AnalysisSpec {
    AnalysisSpec::CausalTrace(causal_trace::Spec {
        component: Component::Mlp,
        window: 2,
        noise: NoiseLevel::Std(1.5),
        rng: NoiseRng::Chacha,
        seed: 1,
        n_samples,
        direction: causal_trace::Direction::Denoise,
        sever: None,
        sever_layers: None,
        corruption: causal_trace::Corruption::default(),
        map: causal_trace::Map::default(),
    })
}

/// About a second of work: jobs sent after it come while it runs.
const MANY: usize = 600;

/// Work of a class that takes steps until it is stopped, or until it has taken so many.
fn steps(class: Class, n_steps: u64) -> Work {
    let work = move |_: &Engine, ctx: &AnalysisCtx<'_>| {
        for done in 0..n_steps {
            let progress = Progress { done, total: n_steps };
            ctx.task.checkpoint(progress).ok().ok_or(CallError::Cancelled)?;
            sleep(Duration::from_millis(1));
        }
        Ok(())
    };
    Work::Call { which: Which::Main, class, call: Call(Arc::new(work)) }
}

#[test]
fn what_is_asked_of_a_fact_runs_between_the_steps_of_long_work() {
    let bench = Bench::with_model();
    let (long, cancel) = bench.submit(steps(Class::Long, u64::MAX));
    let (call, _) = bench.submit(steps(Class::Usual, 3));
    let (edit, _) = bench.submit(Work::Edit { edits: Vec::new() });
    let (traced, _) = bench.analyse(paris(), trace(2));
    let (next, _) = bench.submit(steps(Class::Long, 1));
    bench.until_end_of(call);
    bench.until_end_of(edit);
    bench.until_end_of(traced);
    cancel.cancel();
    let seen = bench.until_end_of(next);
    assert_eq!(ended(&seen), [long, next]);
    assert!(seen.iter().any(|it| matches!(it, Event::Cancelled(id) if *id == long)));
    assert!(matches!(seen.last(), Some(Event::Done(_))));
}

#[test]
fn every_job_ends_once() {
    let bench = Bench::new();
    let mut no_subject = paris();
    no_subject.subject = None;
    let jobs = [
        bench.analyse(paris(), predict()),
        bench.load(fixture("nothing")),
        bench.load(fixture("tiny")),
        bench.analyse(paris(), predict()),
        bench.analyse(paris(), trace(20)),
        bench.analyse(no_subject, trace(20)),
        bench.analyse(impossible(), predict()),
        bench.analyse(paris(), AnalysisSpec::LogitLens(logit_lens::Spec::default())),
        bench.analyse(
            paris(),
            AnalysisSpec::LogitAttribution(logit_attribution::Spec { by: Parts::Heads }),
        ),
        bench.analyse(paris(), AnalysisSpec::Attention(attention::Spec::all_heads(0..9))),
        bench.load(fixture("tiny-bf16")),
        bench.analyse(paris(), AnalysisSpec::Attention(attention::Spec::all_heads(0..2))),
    ]
    .map(|(id, _)| id);
    let seen = bench.until_end_of(jobs[jobs.len() - 1]);
    bench.assert_silent();

    let mut ends: BTreeMap<JobId, Vec<&Event>> = BTreeMap::new();
    for event in seen.iter().filter(|event| is_final(event)) {
        ends.entry(job_of(event)).or_default().push(event);
    }
    let kind = |event: &Event| match event {
        Event::Loaded(..) => 'L',
        Event::Edited(_) => 'E',
        Event::Finished(..) => '+',
        Event::Cancelled(_) => 'C',
        Event::Failed(..) => '!',
        _ => unreachable!("not an end"),
    };
    let kinds: Vec<String> =
        ends.values().map(|events| events.iter().map(|event| kind(event)).collect()).collect();
    assert_eq!(kinds, ["!", "!", "L", "+", "+", "!", "!", "+", "+", "!", "L", "+"]);
    assert!(ends.keys().eq(&jobs));

    // Nothing is said of a job after its end.
    for id in jobs {
        let last = seen.iter().rposition(|event| job_of(event) == id).unwrap();
        assert!(is_final(&seen[last]), "{:?}", seen[last]);
    }
}

#[test]
fn results_are_of_the_job_that_asked() {
    let bench = Bench::with_model();
    let (first, _) = bench.analyse(paris(), predict());
    let rome = prompt("Rome is not like Rome in", "Rome", None);
    let (second, _) = bench.analyse(rome.clone(), predict());
    let seen = bench.until_end_of(second);
    assert_eq!(ended(&seen), [first, second]);
    let prompt_of = |id| {
        seen.iter().find_map(|event| match event {
            Event::Finished(job, result) if *job == id => match &**result {
                AnalysisResult::Prediction(it) => Some(it.prompt.clone()),
                other => panic!("{other:?}"),
            },
            _ => None,
        })
    };
    assert_eq!(prompt_of(first), Some(paris()));
    assert_eq!(prompt_of(second), Some(rome));
}

#[test]
fn loading_says_what_it_is_busy_with() {
    let bench = Bench::new();
    let (id, _) = bench.load(fixture("tiny-sharded"));
    let seen = bench.until_end_of(id);
    assert!(matches!(seen[0], Event::Stage(_, Stage::ReadingWeights)), "{:?}", seen[0]);
    assert!(seen.iter().filter(|event| matches!(event, Event::Progress(..))).count() > 10);
    let Some(Event::Loaded(_, info)) = seen.last() else { panic!("{:?}", seen.last()) };
    assert_eq!((info.name.as_str(), info.config.n_layers), ("tiny-sharded", 3));
    assert_eq!(info.dtypes, ["F16"]);
    assert!(info.verdict.is_none());
}

#[test]
fn a_job_cancelled_before_it_began_says_only_that() {
    let bench = Bench::with_model();
    let cancel = CancelToken::default();
    cancel.cancel();
    for work in [
        analyse(Which::Main, paris(), trace(MANY)),
        analyse(Which::Main, paris(), predict()),
        load(Which::Main, fixture("tiny-bf16")),
    ] {
        bench.worker.submit(Job { id: JobId(77), work, cancel: cancel.clone() });
        assert!(matches!(bench.next(), Event::Cancelled(JobId(77))));
    }
    // The model is still the one there was.
    let (id, _) = bench.analyse(paris(), predict());
    assert!(matches!(bench.until_end_of(id).last(), Some(Event::Finished(..))));
    bench.assert_silent();
}

#[test]
fn a_trace_cancelled_on_its_way_stops() {
    let bench = Bench::with_model();
    let (id, cancel) = bench.analyse(paris(), trace(MANY));
    while !matches!(bench.next(), Event::Progress(..)) {}
    cancel.cancel();
    let seen = bench.until_end_of(id);
    assert!(matches!(seen.last(), Some(Event::Cancelled(_))), "{:?}", seen.last());
    bench.assert_silent();
}

#[test]
fn a_load_cancelled_on_its_way_leaves_no_model() {
    // The token is cancelled by the thread itself, after its second event: no race.
    let cancel = CancelToken::default();
    let n_events = AtomicUsize::new(0);
    let when_woken = cancel.clone();
    let worker = Worker::spawn(move |_| {
        if n_events.fetch_add(1, Ordering::Relaxed) == 1 {
            when_woken.cancel();
        }
    });
    let bench = Bench { worker: worker.unwrap(), next_id: Cell::new(0) };
    let work = load(Which::Main, fixture("tiny"));
    bench.worker.submit(Job { id: JobId(7), work, cancel });
    assert!(matches!(bench.until_end_of(JobId(7)).last(), Some(Event::Cancelled(_))));
    let (id, _) = bench.analyse(paris(), predict());
    assert!(matches!(bench.until_end_of(id).last(), Some(Event::Failed(..))));
}

#[test]
fn a_second_model_answers_for_itself_and_is_opened_while_a_trace_runs() {
    let bench = Bench::with_model();
    let answer = |which: Which| {
        let (id, _) = bench.ask(which, paris(), predict());
        match bench.until_end_of(id).pop() {
            Some(Event::Finished(_, result)) => result,
            Some(Event::Failed(_, error)) => panic!("{error}"),
            other => panic!("{other:?}"),
        }
    };
    let alone = answer(Which::Main);
    let (long, cancel) = bench.analyse(paris(), trace(MANY));
    while !matches!(bench.next(), Event::Progress(..)) {}
    let (second, _) = bench.submit(load(Which::Beside, fixture("tiny-bf16")));
    let seen = bench.until_end_of(second);
    assert_eq!(ended(&seen), [second]);
    assert_ne!(answer(Which::Beside), alone);
    cancel.cancel();
    bench.until_end_of(long);
    assert_eq!(answer(Which::Main), alone);

    // What it says is what it says when it is the only one.
    let beside = answer(Which::Beside);
    let only = Bench::new();
    only.load(fixture("tiny-bf16"));
    let (id, _) = only.analyse(paris(), predict());
    let seen = only.until_end_of(id);
    assert!(matches!(seen.last(), Some(Event::Finished(_, it)) if *it == beside), "{seen:?}");

    let (closed, _) = bench.submit(Work::CloseBeside);
    assert_eq!(ended(&bench.until_end_of(closed)), [closed]);
    let (id, _) = bench.ask(Which::Beside, paris(), predict());
    assert!(matches!(bench.until_end_of(id).last(), Some(Event::Failed(..))));
    assert_eq!(answer(Which::Main), alone);
}

#[test]
fn short_jobs_need_not_wait_for_a_trace() {
    let bench = Bench::with_model();
    let (first, _) = bench.analyse(paris(), trace(MANY));
    let (second, _) = bench.analyse(paris(), trace(1));
    let short = [
        predict(),
        AnalysisSpec::LogitLens(logit_lens::Spec::default()),
        AnalysisSpec::Attention(attention::Spec::all_heads(0..4)),
        AnalysisSpec::LogitAttribution(logit_attribution::Spec { by: Parts::Layers }),
    ]
    .map(|spec| bench.analyse(paris(), spec).0);
    // Traces keep their order among themselves.
    let expected = [&short[..], &[first, second]].concat();
    assert_eq!(ended(&bench.until_end_of(second)), expected);
}

/// What waits behind a new model belongs to that model.
#[test]
fn a_short_job_does_not_overtake_a_load() {
    let bench = Bench::with_model();
    let (long, _) = bench.analyse(paris(), trace(MANY));
    let (before, _) = bench.analyse(paris(), predict());
    let (load, _) = bench.load(fixture("tiny-bf16"));
    let spec = AnalysisSpec::Attention(attention::Spec::all_heads(0..2));
    let (after, _) = bench.analyse(paris(), spec);
    let seen = bench.until_end_of(after);
    assert_eq!(ended(&seen), [before, long, load, after]);
    let Some(Event::Finished(_, result)) = seen.last() else { panic!("{:?}", seen.last()) };
    let AnalysisResult::Attention(attention) = &**result else { panic!("{result:?}") };
    assert_eq!(attention.n_heads, 2, "the new model's");
}

#[test]
fn a_trace_that_waits_can_be_cancelled_without_waiting() {
    let bench = Bench::with_model();
    let (long, _) = bench.analyse(paris(), trace(MANY));
    let (waiting, cancel) = bench.analyse(paris(), trace(MANY));
    cancel.cancel();
    assert_eq!(ended(&bench.until_end_of(long)), [waiting, long]);
}

#[test]
fn partial_traces_arrive_and_grow_to_the_whole() {
    let bench = Bench::with_model();
    let (id, _) = bench.analyse(paris(), trace(100));
    let seen = bench.until_end_of(id);
    let trace_of = |result: &AnalysisResult| -> CausalTrace {
        match result {
            AnalysisResult::CausalTrace(trace) => trace.clone(),
            other => panic!("{other:?}"),
        }
    };
    let partial: Vec<CausalTrace> = seen
        .iter()
        .filter_map(|event| match event {
            Event::Partial(_, result) => Some(trace_of(result)),
            _ => None,
        })
        .collect();
    let Some(Event::Finished(_, result)) = seen.last() else { panic!("{:?}", seen.last()) };
    let whole = trace_of(result);
    let n_filled = |trace: &CausalTrace| {
        trace.restored.values().iter().filter(|cell| !cell.is_empty()).count()
    };
    assert!(partial.len() > 3, "{}", partial.len());
    assert!(partial.is_sorted_by_key(n_filled));
    assert!(n_filled(&partial[0]) < n_filled(&whole));
    assert_eq!(partial.last(), Some(&whole));
    for trace in &partial {
        // What is shown is never taken back.
        for (early, late) in trace.restored.values().iter().zip(whole.restored.values()) {
            assert!(early.is_empty() || early == late);
        }
    }
    assert_eq!(n_filled(&whole), 4 * whole.prompt.n_pos());
}

#[test]
fn whoever_waits_is_woken_for_every_event() {
    let woken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&woken);
    let worker = Worker::spawn(move |_| _ = counter.fetch_add(1, Ordering::SeqCst)).unwrap();
    let bench = Bench { worker, next_id: Cell::new(0) };
    bench.load(fixture("tiny"));
    let (id, _) = bench.analyse(paris(), trace(5));
    let n_events = bench.until_end_of(id).len();
    bench.assert_silent();
    assert_eq!(woken.load(Ordering::SeqCst), n_events);
}
