//! Loops that the compiler turns into the machine's widest vector instructions: AVX-512, AVX2 or
//! NEON, chosen at run time.

#![expect(
    clippy::inline_always,
    reason = "a function that is not inlined is compiled for the oldest supported machine"
)]

use pulp::{Arch, Simd, WithSimd};

/// Runs `work`, compiled for this machine's instructions. Every function that it calls must be
/// inlined.
pub fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    struct Work<F>(F);

    impl<R, F: FnOnce() -> R> WithSimd for Work<F> {
        type Output = R;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> R {
            (self.0)()
        }
    }

    Arch::new().dispatch(Work(work))
}

/// The number of partial sums, which let additions run without waiting for each other.
const LANES: usize = 32;

/// The sum of `term` over two slices of the same length.
#[inline(always)]
pub fn sum2(x: &[f32], y: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0.0; LANES];
    let (x_chunks, y_chunks) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let (x_rest, y_rest) = (x_chunks.remainder(), y_chunks.remainder());
    for (x, y) in x_chunks.zip(y_chunks) {
        for lane in 0..LANES {
            sums[lane] += term(x[lane], y[lane]);
        }
    }
    for (lane, (x, y)) in x_rest.iter().zip(y_rest).enumerate() {
        sums[lane] += term(*x, *y);
    }
    let mut n = LANES / 2;
    while n > 0 {
        for lane in 0..n {
            sums[lane] += sums[lane + n];
        }
        n /= 2;
    }
    sums[0]
}

/// The sum of `term` over a slice.
#[inline(always)]
pub fn sum(x: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    sum2(x, x, |x, _| term(x))
}

/// The largest number of a slice, −∞ if it is empty.
#[inline(always)]
pub fn max(x: &[f32]) -> f32 {
    let mut maxima = [f32::NEG_INFINITY; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest = chunks.remainder();
    for x in chunks {
        for lane in 0..LANES {
            maxima[lane] = if x[lane] > maxima[lane] { x[lane] } else { maxima[lane] };
        }
    }
    maxima.into_iter().chain(rest.iter().copied()).fold(f32::NEG_INFINITY, f32::max)
}

/// The exponential, exact to one or two units in the last place: Cephes' `expf`, without branches.
/// NaN stays NaN.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts. The first has few digits, so that its product with `n` is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// Adding this number leaves the rounded integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;

    let x = x.clamp(-87.0, 88.0);
    let shifted = x * LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let power = (shifted.to_bits() << 23).wrapping_add(127 << 23);
    (p * r * r + r + 1.0) * f32::from_bits(power)
}

/// The error function, exact to 4e-7: a rational approximation of odd and even polynomials, with
/// the coefficients of Eigen's and XLA's. NaN stays NaN.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    // Beyond 4 the function is ±1 in f32.
    let x = x.clamp(-4.0, 4.0);
    let squared = x * x;
    let mut odd = -2.726_142_3e-10;
    odd = odd * squared + 2.770_681_4e-8;
    odd = odd * squared - 2.101_024e-6;
    odd = odd * squared - 5.692_506_4e-5;
    odd = odd * squared - 7.349_906_3e-4;
    odd = odd * squared - 2.954_6e-3;
    odd = odd * squared - 1.609_603_3e-2;
    let mut even = -1.456_607_2e-5;
    even = even * squared - 2.133_740_6e-4;
    even = even * squared - 1.682_827e-3;
    even = even * squared - 7.373_329e-3;
    even = even * squared - 1.426_473_9e-2;
    x * odd / even
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_right_to_the_last_digits() {
        let values: Vec<f32> = (-8600..8700).map(|nth| nth as f32 / 100.0 + 0.001).collect();
        let ours = vectorized(|| values.iter().map(|&x| exp(x)).collect::<Vec<_>>());
        for (x, ours) in values.into_iter().zip(ours) {
            let exact = f64::from(x).exp();
            assert!((f64::from(ours) / exact - 1.0).abs() < 2.5e-7, "exp({x}) = {ours}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn the_error_function_is_the_integral_of_its_density() {
        // Simpson's rule in f64, with steps of 1/1000, whose error is below 1e-13.
        let density = |x: f64| std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp();
        let mut exact = 0.0;
        for step in 0..5000 {
            let x = f64::from(step) / 1000.0;
            assert!((f64::from(erf(x as f32)) - exact).abs() < 4e-7, "erf({x})");
            assert_eq!(erf(-x as f32), -erf(x as f32));
            exact += (density(x) + 4.0 * density(x + 5e-4) + density(x + 1e-3)) / 6000.0;
        }
        assert!(erf(f32::NAN).is_nan());
    }

    #[test]
    fn sums_take_every_number_once() {
        for n in [0, 1, 31, 32, 33, 64, 100] {
            let x: Vec<f32> = (0..n).map(|nth| nth as f32).collect();
            assert_eq!(sum(&x, |x| x), (0..n).sum::<usize>() as f32);
            assert_eq!(sum2(&x, &x, |a, b| a - b), 0.0);
            let largest = if n == 0 { f32::NEG_INFINITY } else { n as f32 - 1.0 };
            assert_eq!(max(&x), largest);
        }
    }
}
