//! Noise that is drawn from a seed is numpy's, bit for bit, or has streams of its own.

use factscope::intervention::{Noise, NoiseRng};

fn draw(rng: NoiseRng, sample: usize, len: usize) -> Vec<f64> {
    Noise { rng, seed: 1, std: 1.0, sample }.draw(len)
}

/// Printed by numpy: `RandomState(1).randn(10, 3, 1280)`.
#[test]
#[expect(clippy::excessive_precision, reason = "as numpy prints them")]
fn numpy_noise_is_numpys_bit_for_bit() {
    let n = 3 * 1280;
    let first = draw(NoiseRng::Numpy, 0, n);
    assert_eq!(
        first[..6],
        [
            1.6243453636632417,
            -0.61175641365007538,
            -0.5281717522634557,
            -1.0729686221561705,
            0.86540762932467852,
            -2.3015386968802827,
        ]
    );
    assert_eq!(first[1279], 1.824818786589987);
    assert_eq!(first[1280], 0.41959523754955963);
    assert_eq!(draw(NoiseRng::Numpy, 1, n)[0], -0.28009548633739917);
    assert_eq!(draw(NoiseRng::Numpy, 9, n)[n - 1], -0.15262197653156184);
}

/// Printed by numpy: `RandomState(1).uniform(-1, 1, 3)`.
#[test]
fn even_noise_is_numpys_bit_for_bit() {
    let noise = Noise { rng: NoiseRng::Numpy, seed: 1, std: 1.0, sample: 0 };
    let numpys = [-0.165955990594852, 0.4406489868843162, -0.9997712503653102];
    assert_eq!(noise.draw_all_uniform(3, 1).concat(), numpys);
    let noise = Noise { rng: NoiseRng::Chacha, std: 2.0, ..noise };
    let all = noise.draw_all_uniform(2, 1000);
    assert_ne!(all[0], all[1]);
    assert!(all.concat().iter().all(|x| x.abs() <= 2.0));
    let variance = all.concat().iter().map(|x| x * x).sum::<f64>() / 2000.0;
    assert!((variance - 4.0 / 3.0).abs() < 0.15, "{variance}");
}

#[test]
fn all_draws_are_the_single_ones() {
    for rng in [NoiseRng::Numpy, NoiseRng::Chacha] {
        let all = Noise { rng, seed: 1, std: 1.0, sample: 0 }.draw_all(3, 7);
        assert_eq!(all, [0, 1, 2].map(|sample| draw(rng, sample, 7)));
    }
}

#[test]
fn chacha_samples_have_streams_of_their_own() {
    let (a, b) = (draw(NoiseRng::Chacha, 0, 1000), draw(NoiseRng::Chacha, 1, 1000));
    assert_ne!(a, b);
    assert_eq!(a[..10], draw(NoiseRng::Chacha, 0, 10));
    let variance = a.iter().map(|z| z * z).sum::<f64>() / 1000.0;
    assert!((variance - 1.0).abs() < 0.15, "{variance}");
}
