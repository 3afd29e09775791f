//! Computing on a graphics adapter: here Mesa's software one, elsewhere whatever there is.
//!
//! burn picks a kernel for each new shape of matrix product by trying several, which takes seconds
//! per shape on a software adapter, so these tests are few and share their shapes. What it picked
//! is remembered in the user's cache, and a second run takes seconds.
//!
//! Tolerances: sums in another order, and the adapter's own `exp` and `tanh`, move a logit of size
//! 10 by about 1e-5.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::time::Instant;

use factscope::analysis::causal_trace::{self, CausalTrace, Component, NoiseLevel};
use factscope::analysis::{AnalysisCtx, Measurement, Metric};
use factscope::intervention::{NoiseRng, SiteSet};
use factscope::model::{
    Adapter, AdapterKind, ComputeDevice, DeviceChoice, DeviceError, Gpt2, adapters, self_test,
};
use factscope::task::TaskCtx;

use super::support::{assert_close, fixture, load, load_on, logits, prompt};

const LOGIT: f32 = 1e-4;
const PROB: f32 = 1e-4;

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
    let before = entries_here();
    let device = adapter();
    println!("{device}");

    let start = Instant::now();
    let (cpu, model) = (load(&fixture("tiny")), load_on(&fixture("tiny"), &device));
    let prompt = prompt("Paris is the capital of", "Paris", Some("the"));
    let of = |model: &Gpt2| logits(&model.run_clean(&prompt.ids, &SiteSet::new()));
    assert_close(&of(&model), &of(&cpu), LOGIT, "logits");
    println!("logits: {:.1} s", start.elapsed().as_secs_f64());

    let start = Instant::now();
    let spec = causal_trace::Spec {
        component: Component::Mlp,
        window: 2,
        noise: NoiseLevel::Std(1.5),
        rng: NoiseRng::Numpy,
        seed: 1,
        n_samples: 2,
        direction: causal_trace::Direction::Denoise,
        sever: None,
    };
    let trace = |model: &Gpt2| {
        causal_trace::causal_trace(model, &prompt, &spec, &AnalysisCtx::unwatched()).unwrap()
    };
    let probs = |trace: &CausalTrace| -> Vec<f32> {
        let cells = trace.restored.values().iter().chain([&trace.corrupted]);
        cells.map(|cell| Measurement::mean(cell, Metric::Prob).unwrap()).collect()
    };
    let (found, expected) = (trace(&model), trace(&cpu));
    assert_eq!(found.noise_std, expected.noise_std);
    assert_close(&probs(&found), &probs(&expected), PROB, "a trace");
    println!("trace: {:.1} s", start.elapsed().as_secs_f64());

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

    // Kernels are remembered in the user's cache, not beside the sources.
    assert!(dirs::cache_dir().unwrap().join("factscope/kernels").is_dir());
    assert_eq!(entries_here(), before);
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
