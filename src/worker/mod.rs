//! The thread that owns the models: jobs in, events out.
//!
//! The window and the commands both call [`Engine::run`]; the window only puts a thread around it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, AnalysisSpec, Memory, ModelEdit,
};
use crate::task::{CancelToken, Progress, TaskCtx};
use crate::tokens::TokenizedPrompt;

mod devices;
mod engine;
mod memory;
mod refusal;

pub use devices::{Verified, open_verified};
pub use engine::{Engine, EngineError, ModelInfo, NumberWatch, Stage, WeightHash, weights_sha256};
pub use memory::{Lack, MemoryNeed, SystemMemory, bytes_text, is_probing_memory};
pub use refusal::{all_is_kept, is_memory_refused, keep_before_the_end, wait_until_kept};

// What a view may know of the model: its plain data.
pub use crate::model::{
    Adapter, AdapterKind, DeviceChoice, ModelConfig, Processing, Verdict, WEIGHT_ENDINGS, adapters,
    is_weight_file,
};

/// Names a job in the events about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// One of the two models that may be open.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Which {
    /// The model that is opened first, and can be changed.
    #[default]
    Main,

    /// Another model, to be compared with it.
    Beside,
}

/// A piece of work for the worker's thread.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    pub work: Work,
    pub cancel: CancelToken,
}

/// What a job does.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there are a few at a time")]
pub enum Work {
    /// Opens a model folder. Once it is open it takes the place of the model that is open there; one that
    /// cannot be opened leaves that model where it is.
    Load { which: Which, dir: PathBuf, device: DeviceChoice },

    /// Closes the model beside.
    CloseBeside,

    /// Makes these edits to the main model as it was opened. Later results are those of the model as
    /// the edits leave it.
    Edit { edits: Vec<ModelEdit> },

    /// Runs a method. Short methods run between the steps of a sweep, so that looking at another fact
    /// need not wait for a trace.
    Analyse {
        which: Which,
        prompt: Arc<TokenizedPrompt>,
        spec: AnalysisSpec,

        /// What this model has found before, as it is now: see [`AnalysisCtx::earlier`].
        earlier: Vec<Arc<AnalysisResult>>,
    },

    /// Any other work with a model, as it is when the work begins.
    Call { which: Which, class: Class, call: Call },
}

/// How soon a job is done: one of an earlier class runs between the steps of one of a later class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// A few forward passes, or cancelled already.
    Short,

    /// What a person has asked of one fact, or changed.
    Usual,

    /// Work of minutes to days.
    Long,

    /// What leaves no other job its model.
    Alone,
}

/// Work that is a function of an open model. It tells what it finds by ways of its own.
#[derive(Clone)]
pub struct Call(pub Arc<CallFn>);

type CallFn = dyn Fn(&Engine, &AnalysisCtx<'_>) -> Result<(), CallError> + Send + Sync;

/// Why a call ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    Cancelled,

    /// The message is for the user.
    Failed(String),
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Call")
    }
}

/// What the worker says about a job. Every job ends with exactly one of the last seven.
#[derive(Clone, Debug)]
pub enum Event {
    /// The stage that a loading job has reached.
    Stage(JobId, Stage),
    Progress(JobId, Progress),

    /// The part of the result that is there so far.
    Partial(JobId, Arc<AnalysisResult>),

    /// How long the job took, without waiting. Said right before its end.
    Took(JobId, Duration),

    Loaded(JobId, Arc<ModelInfo>),
    Closed(JobId),
    Edited(JobId),
    Finished(JobId, Arc<AnalysisResult>),

    /// A call has come to its end.
    Done(JobId),
    Cancelled(JobId),

    /// The job failed, with a message for the user.
    Failed(JobId, String),
}

/// Whether an event ends its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The event says how far the job is, or what it has found so far.
    OnTheWay,

    /// The event says how the job ended.
    TheEnd,
}

impl Event {
    fn told(&self) -> Told {
        match self {
            Self::Stage(..) | Self::Progress(..) | Self::Partial(..) | Self::Took(..) => {
                Told::OnTheWay
            }
            Self::Loaded(..)
            | Self::Closed(_)
            | Self::Edited(_)
            | Self::Finished(..)
            | Self::Done(_)
            | Self::Cancelled(_)
            | Self::Failed(..) => Told::TheEnd,
        }
    }
}

/// A handle on the thread. After it is dropped the thread finishes the jobs it was given, unless
/// they are cancelled, and ends.
#[derive(Debug)]
pub struct Worker {
    jobs: Sender<Job>,
    pub events: Receiver<Event>,
}

impl Worker {
    /// `wake` is called after every event, and told whether it was a job's last, so that whoever
    /// waits for events looks at them.
    pub fn spawn(wake: impl Fn(Told) + Send + 'static) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        let (sender, events) = mpsc::channel();
        thread::Builder::new().name("worker".to_owned()).spawn(move || {
            let loop_ = Loop {
                opened: RefCell::new(None),
                engine: RefCell::new(None),
                beside: RefCell::new(None),
                waiting: RefCell::default(),
                queue,
                send: Box::new(move |event: Event| {
                    let told = event.told();
                    // The window may have closed, so that nobody is told.
                    _ = sender.send(event);
                    wake(told);
                }),
            };
            loop_.run();
        })?;
        Ok(Self { jobs, events })
    }

    /// Hands a job to the thread.
    ///
    /// # Panics
    ///
    /// Never: the thread outlives this handle.
    pub fn submit(&self, job: Job) {
        // The thread only ends when this handle does.
        self.jobs.send(job).expect("the worker outlives its handle");
    }
}

/// The worker's thread: the models that are open, and the jobs that wait.
struct Loop {
    /// The main model as it was opened.
    opened: RefCell<Option<Arc<Engine>>>,

    /// The main model with its edits.
    engine: RefCell<Option<Arc<Engine>>>,

    beside: RefCell<Option<Arc<Engine>>>,

    /// The jobs that came while another was running, in order.
    waiting: RefCell<VecDeque<Job>>,
    queue: Receiver<Job>,
    send: Box<dyn Fn(Event)>,
}

impl Loop {
    fn run(&self) {
        loop {
            let waiting = self.waiting.borrow_mut().pop_front();
            let Some(job) = waiting.or_else(|| self.queue.recv().ok()) else { return };
            self.carry_out(&job);
        }
    }

    /// Runs a job and tells how it ended. A panic ends the job, not the worker.
    fn carry_out(&self, job: &Job) {
        if job.cancel.is_cancelled() {
            (self.send)(Event::Cancelled(job.id));
            return;
        }
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| match &job.work {
            Work::Load { which, dir, device } => self.load(job, *which, dir, *device),
            Work::CloseBeside => {
                self.beside.replace(None);
                Event::Closed(job.id)
            }
            Work::Edit { edits } => self.edit(job, edits),
            Work::Analyse { which, prompt, spec, earlier } => {
                self.analyse(job, *which, (prompt, spec, earlier))
            }
            Work::Call { which, call, .. } => self.call(job, *which, call),
        }));
        (self.send)(Event::Took(job.id, start.elapsed()));
        (self.send)(outcome.unwrap_or_else(|panic| Event::Failed(job.id, panic_message(&*panic))));
    }

    fn load(&self, job: &Job, which: Which, dir: &Path, device: DeviceChoice) -> Event {
        let report = |progress| (self.send)(Event::Progress(job.id, progress));
        let ctx = TaskCtx { cancel: job.cancel.clone(), report: &report };
        let stage = |stage| (self.send)(Event::Stage(job.id, stage));
        match Engine::load(dir, device, &ctx, &stage) {
            // Whoever gave it up keeps what is open.
            Ok(_) if job.cancel.is_cancelled() => Event::Cancelled(job.id),
            Ok(engine) => {
                let info = Arc::clone(&engine.info);
                let engine = Some(Arc::new(engine));
                match which {
                    Which::Main => {
                        self.opened.replace(engine.clone());
                        self.engine.replace(engine);
                    }
                    Which::Beside => drop(self.beside.replace(engine)),
                }
                Event::Loaded(job.id, info)
            }
            Err(error) if error.is_cancelled() => Event::Cancelled(job.id),
            Err(error) => Event::Failed(job.id, error.to_string()),
        }
    }

    fn edit(&self, job: &Job, edits: &[ModelEdit]) -> Event {
        let Some(opened) = self.opened.borrow().clone() else {
            return Event::Failed(job.id, "no model is open".to_owned());
        };
        let report = |progress| (self.send)(Event::Progress(job.id, progress));
        let ctx = AnalysisCtx {
            task: TaskCtx { cancel: job.cancel.clone(), report: &report },
            ..AnalysisCtx::unwatched()
        };
        match opened.edited(edits, &ctx) {
            Ok(engine) => {
                self.engine.replace(Some(Arc::new(engine)));
                Event::Edited(job.id)
            }
            Err(AnalysisError::Cancelled(_)) => Event::Cancelled(job.id),
            Err(error) => Event::Failed(job.id, error.to_string()),
        }
    }

    fn analyse(
        &self,
        job: &Job,
        which: Which,
        (prompt, spec, earlier): (&TokenizedPrompt, &AnalysisSpec, &[Arc<AnalysisResult>]),
    ) -> Event {
        let Some(engine) = self.engine_of(which) else {
            return Event::Failed(job.id, "no model is open".to_owned());
        };
        let report = |progress| self.report(job, progress);
        let partial = |result| (self.send)(Event::Partial(job.id, Arc::new(result)));
        let ctx = AnalysisCtx {
            task: TaskCtx { cancel: job.cancel.clone(), report: &report },
            partial: &partial,
            earlier,
            // The window has asked about what takes much.
            memory: Memory::Unchecked,
            ..AnalysisCtx::unwatched()
        };
        match engine.run(prompt, spec, &ctx) {
            Ok(result) => Event::Finished(job.id, Arc::new(result)),
            Err(AnalysisError::Cancelled(_)) => Event::Cancelled(job.id),
            Err(error) => Event::Failed(job.id, error.to_string()),
        }
    }

    /// A model as it is now.
    fn engine_of(&self, which: Which) -> Option<Arc<Engine>> {
        match which {
            Which::Main => self.engine.borrow().clone(),
            Which::Beside => self.beside.borrow().clone(),
        }
    }

    fn call(&self, job: &Job, which: Which, Call(work): &Call) -> Event {
        let Some(engine) = self.engine_of(which) else {
            return Event::Failed(job.id, "no model is open".to_owned());
        };
        let report = |progress| self.report(job, progress);
        let task = TaskCtx { cancel: job.cancel.clone(), report: &report };
        match work(&engine, &AnalysisCtx { task, ..AnalysisCtx::unwatched() }) {
            Ok(()) => Event::Done(job.id),
            Err(CallError::Cancelled) => Event::Cancelled(job.id),
            Err(CallError::Failed(error)) => Event::Failed(job.id, error),
        }
    }

    /// Tells how far a job is, and runs the jobs of earlier classes that wait. A short job lets no other
    /// in, so that short jobs keep their order.
    fn report(&self, job: &Job, progress: Progress) {
        (self.send)(Event::Progress(job.id, progress));
        let class = job.work.class();
        self.waiting.borrow_mut().extend(self.queue.try_iter());
        loop {
            let mut waiting = self.waiting.borrow_mut();
            // Jobs that wait behind a new or changed model belong to that model.
            let changes_model = |job: &Job| {
                matches!(job.work, Work::Load { which: Which::Main, .. } | Work::Edit { .. })
            };
            let n_of_this_model = waiting.iter().position(changes_model);
            let n_to_look_at = n_of_this_model.map_or(waiting.len(), |it| it + 1);
            let mut next = waiting.iter().take(n_to_look_at);
            let Some(nth) = next.position(|it| it.class() < class) else { return };
            let job = waiting.remove(nth).expect("its place was just found");
            drop(waiting);
            self.carry_out(&job);
        }
    }
}

impl Work {
    fn class(&self) -> Class {
        match self {
            // A second model can be opened while a job of the first runs.
            Self::Load { which: Which::Beside, .. } | Self::CloseBeside => Class::Short,
            Self::Load { .. } => Class::Alone,
            Self::Analyse { spec, .. } if spec.is_short() => Class::Short,
            Self::Analyse { .. } | Self::Edit { .. } => Class::Usual,
            Self::Call { class, .. } => *class,
        }
    }
}

impl Job {
    /// The class in which it waits: what is cancelled is answered at once.
    fn class(&self) -> Class {
        if self.cancel.is_cancelled() { Class::Short } else { self.work.class() }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("this is a fault of the program: {}", text.unwrap_or("unknown panic"))
}
