//! Intervals, correlations and ranks are what theory and numpy say.

use factscope::analysis::causal_trace::NoiseLevel;
use factscope::analysis::localisation::{Scorer, rank};
use factscope::analysis::{Correlation, Estimate};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Normal};

#[test]
fn an_interval_is_as_wide_as_theory_says() {
    assert_eq!(Estimate::of(&[]), None);
    let same = Estimate::of(&[3.0; 5]).unwrap();
    assert_eq!((same.n, same.mean, same.low, same.high), (5, 3.0, 3.0, 3.0));

    // Of 1, 2, 3 and 4 the variance is 5/3, and that of the mean a quarter of it.
    let it = Estimate::by_standard_error(&[1.0, 2.0, 3.0, 4.0]).unwrap();
    assert_eq!((it.n, it.mean), (4, 2.5));
    assert!((it.standard_error() - (5.0_f64 / 12.0).sqrt()).abs() < 1e-12, "{it:?}");
    let one = Estimate::by_standard_error(&[2.0]).unwrap();
    assert!(one.mean == 2.0 && one.low.is_nan() && one.high.is_nan());
    assert_eq!(Estimate::by_standard_error(&[]), None);

    // A coin thrown 400 times: its mean has a standard error of 0.025.
    let coin: Vec<f64> = (0..400).map(|nth| f64::from(nth % 2)).collect();
    let it = Estimate::of(&coin).unwrap();
    assert!((it.mean - 0.5).abs() < 1e-12);
    assert!((it.high - 0.549).abs() < 0.006 && (it.low - 0.451).abs() < 0.006, "{it:?}");
    let by_error = Estimate::by_standard_error(&coin).unwrap();
    assert!((it.low - by_error.low).abs() < 0.006 && (it.high - by_error.high).abs() < 0.006);
}

/// Of effects of many facts, each a mean over few draws, drawn anew or once for all facts.
#[test]
fn intervals_over_facts_hold_the_true_mean_if_draws_are_anew() {
    const TRUE_MEAN: f64 = 0.3;
    const N_FACTS: usize = 40;
    const N_POPULATIONS: usize = 2000;
    const N_BOOTSTRAPPED: usize = 400;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut normal = |std: f64| Normal::new(0.0, std).unwrap().sample(&mut rng);
    let (mut of_means, mut of_pairs, mut by_bootstrap, mut of_shared) = (0, 0, 0, 0);
    let holds = |it: Estimate| usize::from(it.low <= TRUE_MEAN && TRUE_MEAN <= it.high);
    for nth in 0..N_POPULATIONS {
        let facts: Vec<f64> = (0..N_FACTS).map(|_| TRUE_MEAN + normal(0.2)).collect();
        let effects: Vec<f64> = facts.iter().map(|fact| fact + normal(0.2)).collect();
        of_means += holds(Estimate::by_standard_error(&effects).unwrap());
        if nth < N_BOOTSTRAPPED {
            by_bootstrap += holds(Estimate::of(&effects).unwrap());
        }
        // A fact and its inverse are alike; the interval is of their difference.
        let pairs: Vec<f64> = facts.iter().map(|fact| fact + normal(0.2) - normal(0.2)).collect();
        of_pairs += holds(Estimate::by_standard_error(&pairs).unwrap());
        let shared = normal(0.2);
        let effects: Vec<f64> = facts.iter().map(|fact| fact + shared).collect();
        of_shared += holds(Estimate::by_standard_error(&effects).unwrap());
    }
    for (what, n_held, n) in [
        ("means", of_means, N_POPULATIONS),
        ("means by bootstrap", by_bootstrap, N_BOOTSTRAPPED),
        ("paired differences", of_pairs, N_POPULATIONS),
    ] {
        let share = n_held as f64 / n as f64;
        assert!((0.92..=0.98).contains(&share), "{what}: {share}");
    }
    assert!(of_shared < N_POPULATIONS / 2, "draws that facts share: {of_shared}");
}

#[test]
fn correlations_are_those_of_numpy() {
    let pairs = [(1.0, 2.0), (2.0, 1.0), (3.0, 5.0), (3.0, 30.0)];
    let it = Correlation::of_pairs(pairs);
    // numpy.corrcoef of [1, 2, 3, 3] and [2, 1, 5, 30], and of their ranks.
    assert!((it.pearson.unwrap() - 0.594_080_616).abs() < 1e-6, "{it:?}");
    assert!((it.spearman.unwrap() - 0.737_864_787).abs() < 1e-6, "{it:?}");
    assert_eq!(Correlation::of_pairs([(1.0, 2.0), (1.0, 3.0)]).pearson, None);
    assert_eq!(Correlation::of_pairs([]), Correlation { n: 0, pearson: None, spearman: None });
}

#[test]
fn a_rank_correlation_sees_only_the_order() {
    let (a, b) = ([1.0, 2.0, 3.0, 4.0], [0.1, 0.2, 9.0, 1e6]);
    let found = Correlation::of_pairs(a.into_iter().zip(b));
    assert_eq!(found.spearman, Some(1.0));
    assert!(found.pearson.unwrap() < 0.8);
    let turned = Correlation::of_pairs(a.into_iter().zip(b.map(|it| -2.0 * it)));
    assert_eq!(turned.pearson, found.pearson.map(|it| -it));
    assert_eq!(Correlation::of_pairs(a.into_iter().zip([0.1; 4])).pearson, None);
}

#[test]
fn the_highest_score_ranks_first_and_equals_share() {
    let scores = [0.1, 0.5, -0.2, 0.5];
    assert_eq!(scores.map(|_| 0).len(), 4);
    let ranks: Vec<f64> = (0..4).map(|layer| rank(&scores, layer)).collect();
    assert_eq!(ranks, [3.0, 1.5, 4.0, 1.5]);
    assert_eq!((0..6).map(|layer| rank(&[0.0; 6], layer)).collect::<Vec<_>>(), [3.5; 6]);
}

#[test]
fn every_method_has_what_it_needs() {
    let noise = NoiseLevel::Std(0.1);
    let specs = Scorer::specs(&noise, 2, 1);
    // There are four different traces, an estimate, two ablations, an attribution and a lens.
    assert_eq!(specs.len(), 9);
    let mut names: Vec<String> = Scorer::ALL.iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), Scorer::ALL.len());
}
