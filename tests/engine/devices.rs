//! Computing on a graphics adapter: here Mesa's software one, elsewhere whatever there is.
//!
//! burn picks a kernel for each new shape of matrix product by trying several, which takes seconds
//! per shape on a software adapter, so these tests are few and share their shapes.
//!
//! Tolerances: sums in another order, and the adapter's own `exp` and `tanh`, move a logit of size
//! 10 by about 1e-5.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};
use std::time::Instant;
use std::{env, fs};

use cubecl::logging::{LaunchObservation, LaunchObserver};
use factscope::analysis::causal_trace::{self, CausalTrace, Component};
use factscope::analysis::corruption::{Closeness, Corruption, NoiseEntry, NoiseShape};
use factscope::analysis::{
    AnalysisCtx, AnalysisError, Measurement, Method as _, Metric, Reuse, prediction, sweep,
};
use factscope::intervention::{
    Condition, Edit, Intervention, Noise, NoiseRng, Site, SiteSet, Span,
};
use factscope::model::{
    Adapter, AdapterKind, ComputeDevice, DeviceChoice, DeviceError, Donors, FloatType, ModelConfig,
    Transformer, adapters, self_test, write_random_checkpoint,
};
use factscope::quiet::quietly;
use factscope::task::TaskCtx;
use factscope::tokens::TokenizedPrompt;

use super::loading::{find, with_tensors};
use super::support::{
    assert_close, engine, fixture, lab, load, load_on, logits, prompt, trace_spec,
};

const LOGIT: f32 = 1e-4;
const PROB: f32 = 1e-4;

/// Numbers of samples whose traces are compared by what they ask of the adapter. With the larger one
/// all cells of a position still go through one pass, which takes 512 rows.
const FEW: usize = 2;
const MANY: usize = 100;

/// Counts what this thread asks of a device; other tests run beside it.
struct Launches {
    thread: ThreadId,
    count: AtomicUsize,
}

impl Launches {
    fn of_this_thread() -> Self {
        Self { thread: thread::current().id(), count: AtomicUsize::new(0) }
    }
}

impl LaunchObserver for Launches {
    fn launched(&self, _kernel: &'static str) {
        if thread::current().id() == self.thread {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The first adapter: a real one if there is one.
fn adapter() -> ComputeDevice {
    assert!(
        !adapters().is_empty(),
        "there is no graphics adapter to test on: install the package mesa-vulkan-drivers, as \
         tests/run.sh does"
    );
    ComputeDevice::open(DeviceChoice::Wgpu(None)).unwrap()
}

#[test]
#[expect(clippy::print_stdout, reason = "the verdict is worth reading, with `--nocapture`")]
fn an_adapter_computes_what_the_cpu_computes() {
    let here = entries_here();
    let device = adapter();
    println!("{device}");

    let start = Instant::now();
    let (cpu, model) = (load(&fixture("tiny")), load_on(&fixture("tiny"), &device));
    let prompt = prompt("Paris is the capital of", "Paris", Some("the"));
    let of = |model: &Transformer| logits(&model.run_clean(&prompt.ids, &SiteSet::new()));
    assert_close(&of(&model), &of(&cpu), LOGIT, "logits");
    println!("logits: {:.1} s", start.elapsed().as_secs_f64());

    let start = Instant::now();
    let spec = trace_spec(Component::Mlp, 2, 2);
    let trace =
        |model: &Transformer| spec.run(&lab(model, &prompt, &AnalysisCtx::unwatched())).unwrap();
    let probs = |trace: &CausalTrace| -> Vec<f32> {
        let cells = trace.restored.values().iter().chain([&trace.corrupted]);
        cells.map(|cell| Measurement::mean(cell, Metric::Prob).unwrap()).collect()
    };
    let before = model.traffic();
    let (found, expected) = (trace(&model), trace(&cpu));
    // The clean run, and the whole map at once; of each row its logit, sum, rank and divergence.
    let traffic = model.traffic();
    let n_rows = 1 + found.corrupted.len() * (1 + found.restored.values().len());
    assert_eq!(traffic.n_readbacks - before.n_readbacks, 2);
    assert!(traffic.n_bytes - before.n_bytes <= 16 * n_rows as u64, "{traffic:?}, {n_rows} rows");
    assert_eq!(found.noise_std, expected.noise_std);
    assert_close(&probs(&found), &probs(&expected), PROB, "a trace");
    let divergences = |trace: &CausalTrace| -> Vec<f32> {
        let cells = trace.restored.values().iter().chain([&trace.corrupted]);
        cells.flatten().map(|run| run.kl.unwrap()).collect()
    };
    assert_close(&divergences(&found), &divergences(&expected), LOGIT, "divergences");

    // Edits that an adapter carries out in another way.
    let noise = |shape, entry| Corruption::Noise { shape, entry };
    for corruption in [
        noise(NoiseShape::Uniform, NoiseEntry::Added),
        noise(NoiseShape::Gaussian, NoiseEntry::Replaced),
        Corruption::NearestTokens { by: Closeness::Cosine },
        Corruption::NearestTokens { by: Closeness::Distance },
    ] {
        let engine = engine("tiny");
        let ctx =
            AnalysisCtx { tokenizer: Some(&engine.info.tokenizer), ..AnalysisCtx::unwatched() };
        let spec = causal_trace::Spec { corruption, ..spec.clone() };
        let [found, expected] =
            [&model, &cpu].map(|model| spec.run(&lab(model, &prompt, &ctx)).unwrap());
        assert_eq!(found.corruptions, expected.corruptions);
        assert_close(&probs(&found), &probs(&expected), PROB, "another corruption");
    }
    println!("trace: {:.1} s", start.elapsed().as_secs_f64());

    // Rows share their launches: many more of them cost few more. How many a matrix product takes
    // depends on the kernel that won when it was tuned, which differs from run to run and from size
    // to size, but it is a handful; a launch for each row would be thousands more.
    let launches_of = |n_samples: usize| {
        let spec = causal_trace::Spec { n_samples, ..spec.clone() };
        let trace = || spec.run(&lab(&model, &prompt, &AnalysisCtx::unwatched()));
        // Tuning is done by launching as well.
        trace().unwrap();
        let launches = Arc::new(Launches::of_this_thread());
        let watching = LaunchObservation::new(launches.clone());
        trace().unwrap();
        drop(watching);
        launches.count.load(Ordering::Relaxed)
    };
    let (few, many) = (launches_of(FEW), launches_of(MANY));
    let n_cells = found.restored.values().len();
    println!("launches: {few} for {n_cells} cells of {FEW} samples, {many} of {MANY}");
    // Each cell and the corrupted run itself, once a sample.
    let n_more_rows = (MANY - FEW) * (1 + n_cells);
    assert!(many < few + n_more_rows / 4, "{few} launches, {many} with {n_more_rows} rows more");

    // The vocabulary in two pieces.
    let start = Instant::now();
    let split = ComputeDevice { max_binding_bytes: Some(400 * 32 * 4), ..device.clone() };
    let split = load_on(&fixture("tiny"), &split);
    assert_eq!(split.n_vocabulary_shards(), 2);
    assert_close(&of(&split), &of(&cpu), LOGIT, "a vocabulary in pieces");
    println!("pieces: {:.1} s", start.elapsed().as_secs_f64());

    let start = Instant::now();
    let verdict = self_test(&device, &TaskCtx::unwatched()).unwrap();
    for check in &verdict.checks {
        println!("{check:?}");
    }
    println!("self-test: {:.1} s", start.elapsed().as_secs_f64());
    assert_eq!(verdict.failure(), None);
    assert!(verdict.is_passed());

    // No kernels are remembered beside the sources.
    assert_eq!(entries_here(), here);
}

/// Lavapipe holds at most 128 MiB in a tensor. The logits of 700 rows of a full vocabulary are more,
/// if the rows are not limited as they are by default.
#[test]
fn a_pass_that_a_device_cannot_take_goes_on_in_halves() {
    let device = adapter();
    let Some(max) = device.max_binding_bytes.filter(|max| *max <= 256 << 20) else {
        return; // A real adapter takes more than this test could ask for.
    };
    let dir = tempfile::tempdir().unwrap();
    let config = ModelConfig {
        n_layers: 1,
        n_heads: 1,
        d_model: 8,
        d_mlp: 16,
        n_ctx: 8,
        d_vocab: 50257,
        ..ModelConfig::SMALL
    };
    write_random_checkpoint(&config, 1, FloatType::F32, dir.path(), &TaskCtx::unwatched()).unwrap();
    let cpu = load(dir.path());
    let mut model = load_on(dir.path(), &device);
    let row_bytes = 50257 * size_of::<f32>() as u64;
    assert!(model.max_rows as u64 * row_bytes <= max);
    model.max_rows = usize::MAX;

    let n_rows = (max / row_bytes) as usize + 30;
    let noise = |sample: usize| Noise { rng: NoiseRng::Chacha, seed: 1, std: 0.1, sample };
    let conditions: Vec<Condition> = (0..n_rows)
        .map(|nth| vec![Intervention::at(Site::Embed, Span::All, Edit::AddNoise(noise(nth)))])
        .collect();
    let prompt = TokenizedPrompt { ids: vec![5, 6], ..prompt("Paris is", "Paris", Some("the")) };
    let probs = |model: &Transformer| -> Vec<f32> {
        let ctx = AnalysisCtx { reuse: Reuse::Off, ..AnalysisCtx::unwatched() };
        let found =
            sweep(&lab(model, &prompt, &ctx), &conditions, &Donors::new(), &mut |_| ()).unwrap();
        found.iter().map(|it| it.log_prob).collect()
    };
    assert_close(&probs(&model), &probs(&cpu), LOGIT, "halves");
}

/// All weights are finite, but not what they make. An adapter's logits are added up where they are, so
/// one pass among many is enough to be noticed.
#[test]
fn logits_of_an_adapter_that_are_not_finite_are_noticed() {
    let device = adapter();
    let large = with_tensors(|tensors| {
        let gain = find(tensors, "ln_f.weight");
        for index in 0..gain.values().len() {
            gain.set(index, f32::MAX);
        }
    });
    let prompt = prompt("Paris is the capital of", "Paris", Some("the"));
    let run = |model: &Transformer| drop(model.run_clean(&prompt.ids, &SiteSet::new()));
    for (dir, is_finite) in [(fixture("tiny").as_path(), true), (large.path(), false)] {
        let model = load_on(dir, &device);
        let other = model.watched();
        assert!(model.has_finite_logits().unwrap(), "before any pass");
        run(&model);
        assert_eq!(model.has_finite_logits().unwrap(), is_finite, "{}", dir.display());
        assert!(other.has_finite_logits().unwrap(), "a model that takes note of its own");
        run(&other);
        assert_eq!(other.has_finite_logits().unwrap(), is_finite, "{}", dir.display());
    }
}

/// Carried out by a process of its own, since all models of a process share its adapters.
#[test]
#[ignore = "takes the adapter away, for the test below"]
fn an_adapter_is_taken_away() {
    let device = adapter();
    let prompt = prompt("Paris is the capital of", "Paris", Some("the"));
    let ctx = AnalysisCtx::unwatched();
    let [cpu, model] =
        [ComputeDevice::cpu(), device.clone()].map(|it| load_on(&fixture("tiny"), &it));
    let spec = prediction::Spec { n_top: 3 };
    let predict = |model: &Transformer| {
        model.guarded(|| spec.run(&lab(model, &prompt, &ctx))).map_err(|error| error.to_string())
    };
    let before = predict(&model).unwrap();
    // A program's own fault is none of the device's.
    let fault = || model.guarded(|| -> Result<(), AnalysisError> { panic!("a fault") });
    assert!(quietly(fault).unwrap_err().text.starts_with("a fault ("));

    device.lose();
    let trace = trace_spec(Component::Mlp, 2, 2);
    let traced = model.guarded(|| trace.run(&lab(&model, &prompt, &ctx)));
    let told = [predict(&model).unwrap_err(), traced.unwrap_err().to_string()];
    for told in told {
        assert!(told.starts_with("the device failed") && told.contains("--device cpu"), "{told}");
    }
    let again = ComputeDevice::open(DeviceChoice::Wgpu(None)).unwrap_err();
    let DeviceError::Lost { name, .. } = &again else { panic!("{again}") };
    assert_eq!(*name, device.adapter.unwrap().name);
    assert!(ComputeDevice::open(DeviceChoice::Auto).unwrap().adapter.is_none());
    // What was found stays, and the CPU goes on.
    assert_close(&[predict(&cpu).unwrap().top[0].logit], &[before.top[0].logit], LOGIT, "the CPU");
}

#[test]
fn an_adapter_that_is_lost_is_told_and_the_cpu_goes_on() {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", "devices::an_adapter_is_taken_away", "--ignored"])
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    assert!(output.status.success() && said[0].contains("1 passed"), "{said:?}");
}

/// What lies in the folder that tests start in.
fn entries_here() -> BTreeSet<OsString> {
    fs::read_dir(".").unwrap().map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn a_software_adapter_is_never_chosen_unasked() {
    let real: Vec<Adapter> = adapters().into_iter().filter(|it| it.kind.is_real()).collect();
    let chosen = ComputeDevice::open(DeviceChoice::Auto).unwrap().adapter;
    assert_eq!(chosen, real.into_iter().next());
    assert!(!AdapterKind::Software.is_real() && !AdapterKind::Other.is_real());
}

#[test]
fn adapters_are_numbered_and_a_wrong_number_is_an_error() {
    let adapters = adapters();
    for (nth, adapter) in adapters.iter().enumerate() {
        assert_eq!(adapter.index, nth);
        assert!(!adapter.name.is_empty());
    }
    let error = ComputeDevice::open(DeviceChoice::Wgpu(Some(99))).unwrap_err();
    let DeviceError::NoSuchAdapter { index, n_adapters } = error else { panic!("{error}") };
    assert_eq!((index, n_adapters), (99, adapters.len()));
}

#[test]
fn an_adapter_is_started_once_and_shared() {
    let first = adapter();
    let index = first.adapter.as_ref().unwrap().index;
    let again = ComputeDevice::open(DeviceChoice::Wgpu(Some(index))).unwrap();
    assert_eq!(first.burn, again.burn);
    assert_eq!(first.adapter, again.adapter);
    assert!(first.max_binding_bytes.is_some_and(|max| max >= 128 << 20), "WebGPU's least");
}
