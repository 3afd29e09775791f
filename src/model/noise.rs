//! Draws seeded noise on the CPU, so that it is the same on every device.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use crate::intervention::{Noise, NoiseRng};

/// Draws noise, and goes on in numpy's stream where the draw before ended: all its draws are slices of one
/// stream, which would else be gone through anew for each.
#[derive(Default)]
pub(super) struct Drawing {
    /// The seed of a stream, how many numbers it has given, and the stream.
    numpy: Option<(u32, usize, NumpyRandomState)>,
}

impl Drawing {
    /// Draw number `noise.sample` of the noise's sequence, as `len` Gaussian numbers.
    pub fn draw(&mut self, noise: Noise, len: usize) -> Vec<f64> {
        let unit: Vec<f64> = match noise.rng {
            NoiseRng::Numpy => {
                let start = noise.sample * len;
                let before = self.numpy.take();
                let before = before.filter(|(seed, at, _)| *seed == noise.seed && *at <= start);
                let (_, at, mut stream) =
                    before.unwrap_or_else(|| (noise.seed, 0, NumpyRandomState::new(noise.seed)));
                (at..start).for_each(|_| _ = stream.gauss());
                let drawn = (0..len).map(|_| stream.gauss()).collect();
                self.numpy = Some((noise.seed, start + len, stream));
                drawn
            }
            NoiseRng::Chacha => {
                let mut stream = noise.chacha(noise.sample);
                (0..len).map(|_| StandardNormal.sample(&mut stream)).collect()
            }
        };
        unit.into_iter().map(|z| z * noise.std).collect()
    }
}

impl Noise {
    /// Draw number `sample` of the noise's sequence, as `len` Gaussian numbers.
    pub fn draw(&self, len: usize) -> Vec<f64> {
        Drawing::default().draw(*self, len)
    }

    /// The first `n` draws of the noise's sequence, each of `len` numbers.
    pub fn draw_all(&self, n: usize, len: usize) -> Vec<Vec<f64>> {
        let mut drawing = Drawing::default();
        (0..n).map(|sample| drawing.draw(Self { sample, ..*self }, len)).collect()
    }

    /// The first `n` draws, each of `len` numbers spread evenly over `−std..std`, like numpy's
    /// `RandomState(seed).uniform(-1, 1, …)` over `−1..1`.
    pub fn draw_all_uniform(&self, n: usize, len: usize) -> Vec<Vec<f64>> {
        let mut numpy = NumpyRandomState::new(self.seed);
        let draw = |sample: usize| {
            let mut chacha = self.chacha(sample);
            let unit = |_| match self.rng {
                NoiseRng::Numpy => 2.0 * numpy.uniform() - 1.0,
                NoiseRng::Chacha => chacha.random_range(-1.0..1.0),
            };
            (0..len).map(unit).map(|x: f64| x * self.std).collect()
        };
        (0..n).map(draw).collect()
    }

    fn chacha(&self, sample: usize) -> ChaCha8Rng {
        let mut stream = ChaCha8Rng::seed_from_u64(u64::from(self.seed));
        stream.set_stream(sample as u64);
        stream
    }
}

/// The generator of `numpy.random.RandomState`: MT19937 and the polar method, unchanged since numpy
/// 1.0.
///
/// ROME's noise comes from `RandomState(1).randn`, so equal scores need equal bits. The generator
/// is that of Matsumoto & Nishimura 1998; the order of the polar method's two numbers is that of
/// numpy's `legacy_gauss`.
struct NumpyRandomState {
    state: [u32; N],
    next: usize,

    /// The second of the two numbers that the polar method gives at a time.
    spare: Option<f64>,
}

const N: usize = 624;
const M: usize = 397;

impl NumpyRandomState {
    fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        for i in 1..N {
            let before = state[i - 1];
            state[i] =
                1_812_433_253_u32.wrapping_mul(before ^ (before >> 30)).wrapping_add(i as u32);
        }
        Self { state, next: N, spare: None }
    }

    fn twist(&mut self) {
        for i in 0..N {
            let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
        }
        self.next = 0;
    }

    fn u32(&mut self) -> u32 {
        if self.next == N {
            self.twist();
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A number in `[0, 1)` with 53 random bits.
    fn uniform(&mut self) -> f64 {
        let (high, low) = (self.u32() >> 5, self.u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    fn gauss(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let x1 = 2.0 * self.uniform() - 1.0;
            let x2 = 2.0 * self.uniform() - 1.0;
            let r2 = x1 * x1 + x2 * x2;
            if r2 < 1.0 && r2 != 0.0 {
                let f = (-2.0 * r2.ln() / r2).sqrt();
                self.spare = Some(f * x1);
                return f * x2;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws that go on from each other, go back, or are of another seed or length are each what a draw by
    /// itself gives.
    #[test]
    fn a_draw_does_not_depend_on_those_before_it() {
        for rng in [NoiseRng::Numpy, NoiseRng::Chacha] {
            let mut drawing = Drawing::default();
            for (seed, sample, len) in [
                (1, 0, 5),
                (1, 1, 5),
                (1, 4, 5),
                (1, 2, 5),
                (2, 3, 5),
                (2, 4, 7),
                (2, 4, 5),
                (1, 9, 3),
            ] {
                let noise = Noise { rng, seed, std: 0.5, sample };
                assert_eq!(drawing.draw(noise, len), noise.draw(len), "{seed} {sample} {len}");
            }
        }
    }
}
