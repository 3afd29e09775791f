//! Tests whether an adapter computes what the CPU computes.
//!
//! burn on wgpu has given wrong numbers without an error (burn#5257, #4966, #5626, #4907), so an
//! adapter is trusted only after it has agreed with the CPU: on matrix products of the shapes that
//! a GPT-2 uses, on the logits of a random model, and on an incremental forward pass.

use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use serde::{Deserialize, Serialize};

use super::{BatchRow, ComputeDevice, Donors, ModelConfig, Request, Transformer};
use crate::intervention::SiteSet;
use crate::task::{Cancelled, Progress, TaskCtx};

/// The result of a self-test. It is plain data, and is remembered for each adapter and driver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub checks: Vec<Check>,
}

/// One comparison with the CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What is compared, such as `logits of a prompt`.
    pub name: String,

    /// The largest difference, relative to the largest expected value. `None` if the device
    /// returned an error, or a value that is not a number.
    pub error: Option<f64>,

    /// The largest error that passes.
    pub tolerance: f64,

    /// The device's error message, if it returned an error.
    pub failure: Option<String>,
}

/// Allows for rounding in sums of up to 5,120 products in another order.
const TOLERANCE: f64 = 1e-4;

impl Verdict {
    pub fn is_passed(&self) -> bool {
        self.checks.iter().all(Check::is_passed)
    }

    /// The first check that failed, with the reason.
    pub fn failure(&self) -> Option<String> {
        let failed = self.checks.iter().find(|check| !check.is_passed())?;
        Some(match (&failed.failure, failed.error) {
            (Some(message), _) => format!("{}: {message}", failed.name),
            (None, Some(error)) => {
                format!("{}: off by {error:.1e}, allowed {:.0e}", failed.name, failed.tolerance)
            }
            (None, None) => format!("{}: not a number", failed.name),
        })
    }
}

impl Check {
    pub fn is_passed(&self) -> bool {
        self.error.is_some_and(|error| error <= self.tolerance)
    }
}

/// Sizes m, k and n of products of `[m, k]` and `[k, n]`: as many rows as a sweep has (burn#4966
/// concerns m ≥ 500), odd inner sizes (burn#5626), and GPT-2's widths.
const SHAPES: [[usize; 3]; 8] = [
    [1, 64, 1],
    [10, 64, 10],
    [7, 13, 64],
    [24, 104, 64],
    [11, 768, 2304],
    [110, 1280, 1280],
    [600, 768, 768],
    [33, 5120, 1280],
];

/// A small model with GPT-2's structure.
const MODEL: ModelConfig = ModelConfig {
    n_layers: 2,
    n_heads: 4,
    d_model: 256,
    d_mlp: 1024,
    n_ctx: 32,
    d_vocab: 1000,
    ..ModelConfig::SMALL
};

const PROMPT: [u32; 13] = [464, 412, 733, 417, 865, 318, 514, 287, 262, 1, 3, 999, 0];

/// Compares the device with the CPU. This takes seconds, and more if kernels must be tuned first.
pub fn self_test(device: &ComputeDevice, ctx: &TaskCtx<'_>) -> Result<Verdict, Cancelled> {
    let total = SHAPES.len() as u64 + 2;
    let mut checks: Vec<Check> = Vec::new();
    for shape @ [m, k, n] in SHAPES {
        ctx.checkpoint(Progress { done: checks.len() as u64, total })?;
        let name = format!("matrix product {m} × {k} × {n}");
        checks.push(check(name, &product(&ComputeDevice::cpu(), shape), &product(device, shape)));
    }

    ctx.checkpoint(Progress { done: checks.len() as u64, total })?;
    // A binding limit that splits the vocabulary into shards, as on an adapter with small bindings.
    let limit = Some(300 * 256 * 4);
    let cpu = Transformer::random(&MODEL, 1, &ComputeDevice::cpu());
    let under_test = Transformer::random(
        &MODEL,
        1,
        &ComputeDevice { max_binding_bytes: limit, ..device.clone() },
    );
    let full = full_forward(&under_test);
    checks.push(check("logits of a prompt".to_owned(), &full_forward(&cpu), &full));

    ctx.checkpoint(Progress { done: checks.len() as u64, total })?;
    let incremental = incremental_forward(&under_test);
    let expected = incremental_forward(&cpu);
    checks.push(check("incremental forward pass".to_owned(), &expected, &incremental));
    ctx.checkpoint(Progress { done: total, total })?;
    Ok(Verdict { checks })
}

/// The numbers that the device computed, or its error message.
type Outcome = Result<Vec<f32>, String>;

fn product(device: &ComputeDevice, [m, k, n]: [usize; 3]) -> Outcome {
    let mut rng = ChaCha8Rng::seed_from_u64((m * k * n) as u64);
    let mut random = |rows: usize, columns: usize| {
        let values: Vec<f32> =
            (0..rows * columns).map(|_| StandardNormal.sample(&mut rng)).collect();
        Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &device.burn)
    };
    let (a, b) = (random(m, k), random(k, n));
    read(a.matmul(b))
}

fn full_forward(model: &Transformer) -> Outcome {
    read(model.run_clean(&PROMPT, &SiteSet::new()).logits)
}

fn incremental_forward(model: &Transformer) -> Outcome {
    let (before, rest) = PROMPT.split_at(7);
    let capture = model.config.past_sites();
    let past = model.run_clean(before, &capture).cache;
    let request = Request {
        rows: &[BatchRow::new(rest, &[])],
        donors: &Donors::new(),
        capture: &SiteSet::new(),
        past: Some(&past),
        n_read: 1,
    };
    let run = model.run(&request, &mut |_| Ok(())).map_err(|error| error.to_string())?;
    read(run.logits)
}

fn read<const D: usize>(tensor: Tensor<D>) -> Outcome {
    let data = tensor.try_into_data().map_err(|error| error.to_string())?;
    Ok(data.iter::<f32>().collect())
}

fn check(name: String, expected: &Outcome, found: &Outcome) -> Check {
    let (error, failure) = match (expected, found) {
        (Ok(expected), Ok(found)) => (relative_error(expected, found), None),
        (_, Err(message)) | (Err(message), _) => (None, Some(message.clone())),
    };
    Check { name, error, tolerance: TOLERANCE, failure }
}

fn relative_error(expected: &[f32], found: &[f32]) -> Option<f64> {
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
    if expected.len() != found.len() || found.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let scale = largest(&mut expected.iter().map(|&value| f64::from(value).abs()));
    let error = largest(&mut expected.iter().zip(found).map(|(a, b)| f64::from(a - b).abs()));
    Some(error / scale.max(f64::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_numbers_are_told_from_right_ones() {
        let right = Ok(vec![1.0, 2.0, 3.0]);
        let named = |found: &Outcome| check("product".to_owned(), &right, found);
        assert!(named(&Ok(vec![1.0, 2.0, 3.0])).is_passed());
        assert!(!named(&Ok(vec![1.0, 2.0, 3.1])).is_passed());
        assert!(!named(&Ok(vec![1.0, f32::NAN, 3.0])).is_passed());
        assert!(!named(&Ok(vec![1.0])).is_passed());
        let failed = Verdict { checks: vec![named(&Err("device lost".to_owned()))] };
        assert_eq!(failed.failure().as_deref(), Some("product: device lost"));
    }
}
