//! What the machine is, and how many multiplications it could do at most.

use std::fs;
use std::hint::black_box;
use std::thread;
use std::time::Instant;

use anyhow::Context as _;
use pulp::{Arch, Simd, WithSimd};

/// The processor's name, where the system tells.
pub fn cpu_name() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name"));
    let name = name.and_then(|rest| Some(rest.split_once(':')?.1.trim().to_owned()));
    name.unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH))
}

/// How many processes wanted to run, over the last minute. More than there are cores, and times
/// mean little.
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// Chains of dependent additions: enough for two units of four cycles each, and for 16 registers.
const N_CHAINS: usize = 12;

/// Multiply-adds on registers alone, in operations per second, over all threads: what no matrix
/// product can exceed. The best of several, since a busy machine only ever takes away.
pub fn multiply_add_peak(n_threads: usize) -> anyhow::Result<f64> {
    const N_ROUNDS: usize = 10_000_000;
    let mut best = 0.0_f64;
    for _ in 0..5 {
        let start = Instant::now();
        let threads: Vec<_> = (0..n_threads)
            .map(|nth| {
                let name = format!("peak {nth}");
                let work = || Arch::new().dispatch(MultiplyAdd { n_rounds: N_ROUNDS });
                thread::Builder::new().name(name).spawn(work)
            })
            .collect::<Result<_, _>>()
            .context("cannot start the threads")?;
        let mut n_operations = 0.0;
        for thread in threads {
            n_operations += thread.join().ok().context("a thread has panicked")?;
        }
        best = best.max(n_operations / start.elapsed().as_secs_f64());
    }
    Ok(best)
}

struct MultiplyAdd {
    n_rounds: usize,
}

impl WithSimd for MultiplyAdd {
    /// How many operations it was.
    type Output = f64;

    #[expect(clippy::inline_always, reason = "only then is it compiled for the wide registers")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let factor = simd.splat_f32s(black_box(0.999));
        let term = simd.splat_f32s(black_box(0.001));
        let mut chains = [simd.splat_f32s(black_box(1.0)); N_CHAINS];
        for _ in 0..self.n_rounds {
            for chain in &mut chains {
                *chain = simd.mul_add_f32s(factor, *chain, term);
            }
        }
        black_box(chains);
        let n_lanes = size_of::<S::f32s>() / size_of::<f32>();
        (2 * n_lanes * N_CHAINS * self.n_rounds) as f64
    }
}
