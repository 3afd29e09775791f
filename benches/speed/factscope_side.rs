//! Factscope's side: the answers to the questions that `peers.py` answers too.
//!
//! Through the library, not the command line, so that loading is paid once; the same functions that
//! the window and the commands call.

use std::cell::{Cell, RefCell};
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Context as _;
use burn::tensor::{Tensor, TensorData};
use cubecl::logging::{LaunchObservation, LaunchObserver};
use factscope::analysis::causal_trace::{CausalTrace, Spec};
use factscope::analysis::logit_attribution::{self, Parts};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, AnalysisResult, Lab, Measurement, Method as _, Metric, Reuse,
};
use factscope::intervention::SiteSet;
use factscope::model::{
    BatchRow, Checkpoint, ComputeDevice, DeviceChoice, Donors, NumberCheck, Request, Transformer,
};
use factscope::task::{CancelToken, TaskCtx};
use factscope::tokens::{TokenizedPrompt, Tokenizer};
use rand::SeedableRng as _;
use rand_distr::{Distribution as _, StandardUniform};

use crate::On;
use crate::question::{Asked, Question, Reads, Reply};

/// Answers until there are no more questions.
pub fn serve(threads: usize, on: On) -> anyhow::Result<()> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let mut stdout = std::io::stdout().lock();
    let mut say = move |reply: &Reply| -> anyhow::Result<()> {
        writeln!(stdout, "{}", serde_json::to_string(reply)?)?;
        Ok(stdout.flush()?)
    };
    let device = ComputeDevice::open(match on {
        On::Cpu => DeviceChoice::Cpu,
        On::Gpu => DeviceChoice::Wgpu(None),
    })?;
    let version = format!("factscope {} on {device}", env!("CARGO_PKG_VERSION"));
    say(&Reply { labels: vec![version], ..Reply::default() })?;

    let mut side = Side { device, model: None, check: None };
    for line in std::io::stdin().lock().lines() {
        let question = serde_json::from_str(&line?).context("not a question")?;
        let reply = side.answer(question);
        say(&reply.unwrap_or_else(|error| Reply {
            error: Some(format!("{error:#}")),
            ..Reply::default()
        }))?;
    }
    Ok(())
}

/// Counts kernels that are started.
#[derive(Default)]
struct Launches(AtomicUsize);

impl LaunchObserver for Launches {
    fn launched(&self, _kernel: &'static str) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Side {
    device: ComputeDevice,
    model: Option<Transformer>,

    /// Until it was waited for.
    check: Option<NumberCheck>,
}

impl Side {
    fn answer(&mut self, question: Question) -> anyhow::Result<Reply> {
        match question {
            Question::Load { model } => self.load(&model),
            Question::Random { config } => {
                self.model = None;
                let start = Instant::now();
                self.model = Some(Transformer::random(&config, 0, &self.device));
                Ok(timed(start))
            }
            Question::NoiseStd { spec } => {
                let noise_std = Some(spec.noise.std(self.model()?)?);
                Ok(Reply { noise_std, ..Reply::default() })
            }
            Question::Forward { rows, reads } => {
                let check = self.check.take();
                forward(self.model()?, &rows, reads, check.as_ref())
            }
            Question::Trace { prompt, spec, reuse, budget_secs } => {
                let trace = || trace(self.model()?, &prompt, &spec, reuse, budget_secs);
                if self.device.adapter.is_none() {
                    return trace();
                }
                // The first is slower: for each new shape of product several kernels are tried.
                let first_secs = trace()?.total_secs();
                let before = self.model()?.traffic();
                let launches = Arc::new(Launches::default());
                let watching = LaunchObservation::new(launches.clone());
                let mut reply = trace()?;
                drop(watching);
                let after = self.model()?.traffic();
                reply.asked = Some(Asked {
                    n_launches: launches.0.load(Ordering::Relaxed),
                    n_readbacks: after.n_readbacks - before.n_readbacks,
                    n_bytes: after.n_bytes - before.n_bytes,
                    first_secs,
                });
                Ok(reply)
            }
            Question::Attribute { prompt } => attribute(self.model()?, &prompt),
            Question::Matmul { shape } => self.matmul(shape),
            Question::Cells { .. } => anyhow::bail!("Factscope makes whole maps"),
        }
    }

    fn model(&self) -> anyhow::Result<&Transformer> {
        self.model.as_ref().context("no model is open")
    }

    fn load(&mut self, dir: &Path) -> anyhow::Result<Reply> {
        self.model = None;
        let start = Instant::now();
        let checkpoint = Arc::new(Checkpoint::open(dir)?);
        let (model, check) = Transformer::open(&checkpoint, &self.device, &TaskCtx::unwatched())?;
        let mut reply = timed(start);
        let start = Instant::now();
        let tokenizer = Tokenizer::from_dir(dir)?;
        reply.secs.extend(timed(start).secs);
        drop(tokenizer);
        (self.model, self.check) = (Some(model), Some(check));
        Ok(reply)
    }

    fn matmul(&self, [m, k, n]: [usize; 3]) -> anyhow::Result<Reply> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        let mut random = |rows: usize, columns: usize| {
            let values: Vec<f32> =
                StandardUniform.sample_iter(&mut rng).take(rows * columns).collect();
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &self.device.burn)
        };
        let (a, b) = (random(m, k), random(k, n));
        let start = Instant::now();
        let product = a.matmul(b);
        self.device.burn.sync()?;
        let reply = timed(start);
        // Nothing may decide that it is not needed.
        std::hint::black_box(product);
        Ok(reply)
    }
}

fn timed(start: Instant) -> Reply {
    Reply { secs: vec![start.elapsed().as_secs_f64()], ..Reply::default() }
}

/// `check`: what a result must wait for.
fn forward(
    model: &Transformer,
    ids: &[Vec<u32>],
    reads: Reads,
    check: Option<&NumberCheck>,
) -> anyhow::Result<Reply> {
    let rows: Vec<BatchRow<'_>> = ids.iter().map(|ids| BatchRow::new(ids, &[])).collect();
    let n_pos = ids.first().context("a forward pass has rows")?.len();
    let n_read = match reads {
        Reads::Last => 1,
        Reads::All => n_pos,
    };
    let request = Request {
        rows: &rows,
        donors: &Donors::new(),
        capture: &SiteSet::new(),
        past: None,
        n_read,
    };
    let start = Instant::now();
    let run = model.run(&request, &mut |_| Ok(()))?;
    if let Some(check) = check {
        check.wait(&CancelToken::default())??;
    }
    // An adapter has a queue, which is empty when something is read back.
    let last = run.logits.narrow(0, 0, 1).narrow(1, n_read - 1, 1).into_data();
    let mut reply = timed(start);
    reply.values = last.iter::<f32>().map(|logit| Some(f64::from(logit))).collect();
    Ok(reply)
}

fn trace(
    model: &Transformer,
    prompt: &TokenizedPrompt,
    spec: &Spec,
    reuse: Reuse,
    budget_secs: Option<f64>,
) -> anyhow::Result<Reply> {
    let cancel = CancelToken::default();
    let fraction = Cell::new(0.0);
    let so_far: RefCell<Option<CausalTrace>> = RefCell::new(None);
    let start = Instant::now();
    let report = |progress: factscope::task::Progress| {
        fraction.set(progress.done as f64 / progress.total.max(1) as f64);
        // A batch without reuse holds hundreds of runs: the first is waited for, however long.
        let is_over = budget_secs.is_some_and(|budget| start.elapsed().as_secs_f64() > budget);
        if is_over && so_far.borrow().is_some() {
            cancel.cancel();
        }
    };
    let partial = |result: AnalysisResult| {
        if let AnalysisResult::CausalTrace(trace) = result {
            so_far.replace(Some(trace));
        }
    };
    let task = TaskCtx { cancel: cancel.clone(), report: &report };
    let ctx = AnalysisCtx { task, partial: &partial, reuse, ..AnalysisCtx::unwatched() };
    let outcome = spec.run(&Lab { model, prompt, ctx: &ctx });
    let mut reply = timed(start);
    let found = match outcome {
        Ok(trace) => trace,
        Err(AnalysisError::Cancelled(_)) => {
            so_far.take().context("the time was too short for a single cell")?
        }
        Err(error) => return Err(error.into()),
    };
    let mean = |runs: &[Measurement]| Measurement::mean(runs, Metric::Prob).map(f64::from);
    reply.values = found.restored.values().iter().map(|runs| mean(runs)).collect();
    reply.low = mean(&found.corrupted);
    reply.high = Some(f64::from(found.clean.prob));
    reply.fraction = Some(fraction.get());
    Ok(reply)
}

fn attribute(model: &Transformer, prompt: &TokenizedPrompt) -> anyhow::Result<Reply> {
    let spec = logit_attribution::Spec { by: Parts::Heads };
    let start = Instant::now();
    let found = spec.run(&Lab { model, prompt, ctx: &AnalysisCtx::unwatched() })?;
    let mut reply = timed(start);
    reply.values = found.contributions.iter().map(|it| Some(f64::from(it.logit))).collect();
    reply.labels = found.contributions.iter().map(|it| it.component.to_string()).collect();
    Ok(reply)
}
