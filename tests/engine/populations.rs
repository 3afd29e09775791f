//! What the facts of a sweep have in common: means, intervals and tests, and the figures of them.

use std::path::Path;

use factscope::analysis::{Inference, Resampling, SharedQuestion};
use factscope::figure::{
    Cell, Chart, Figure, Map, Page, Side, to_csv, to_npz, to_parquet, to_svg, to_text,
};
use factscope::population::{Goal, GroupBy, N_PILOT, Pilot, Population, Shown, Wanted, reasons};
use tempfile::TempDir;

use super::sweeps::{sweep_to, trace_and_heads};

/// Numbers as even as those of a generator, which is enough to simulate by: `SplitMix64`.
pub struct Random(pub u64);

impl Random {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A normal deviate, by Box and Muller's way.
    pub fn normal(&mut self) -> f64 {
        let (a, b) = (1.0 - self.uniform(), self.uniform());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
}

const RESAMPLING: Resampling = Resampling { n_draws: 400, n_permutations: 199, seed: 1 };

#[test]
fn means_and_errors_are_those_of_the_values_that_are_there() {
    let cells = vec![vec![1.0, 2.0, 6.0, f64::NAN], vec![-1.0, f64::NAN, f64::NAN, f64::NAN]];
    let found = RESAMPLING.means(&cells);
    // Deviations −2, −1, 3: 14 / 2 / 3.
    assert_eq!((found[0].n, found[0].mean), (3, 3.0));
    assert!((found[0].error - (14.0_f64 / 2.0 / 3.0).sqrt()).abs() < 1e-12);
    assert!(found[0].low >= 1.0 && found[0].high <= 6.0 && found[0].low < found[0].high);
    assert_eq!((found[1].n, found[1].mean), (1, -1.0));
    assert!(found[1].error.is_nan() && found[1].p.is_nan());
    let again = RESAMPLING.means(&cells)[0];
    assert_eq!((again.low, again.high), (found[0].low, found[0].high));
}

/// Of 8 facts with the same sign, 2 of 256 sign flips are as extreme: p = 1/128.
#[test]
fn p_values_of_sign_flips_are_what_counting_gives() {
    let cell: Vec<f64> = (1..=8).map(|it| f64::from(it) + 3.0).collect();
    let many = Resampling { n_permutations: 20_000, ..RESAMPLING };
    let p = many.means(&[cell])[0].p;
    // Four standard errors.
    assert!((p - 1.0 / 128.0).abs() < 4.0 * (1.0 / 128.0 / 20_000.0_f64).sqrt(), "{p}");
}

/// Cells of a few facts are not tested, and do not hide what another cell shows.
#[test]
fn cells_of_a_few_facts_hide_nothing() {
    let there: Vec<f64> = (1..=10).map(|it| f64::from(it) + 3.0).collect();
    let alone = RESAMPLING.means(std::slice::from_ref(&there))[0].p;
    let few = |n: usize| -> Vec<f64> {
        (0..10).map(|nth| if nth < n { 1.0 } else { f64::NAN }).collect()
    };
    let found = RESAMPLING.means(&[there, few(1), few(3)]);
    assert_eq!(found[0].p, alone);
    assert!(found[0].p < 0.05 && found[1].p.is_nan() && found[2].p.is_nan());
}

/// Of 4 and 4 facts that do not overlap, 2 of 70 relabellings are as extreme.
#[test]
fn p_values_of_relabellings_are_what_counting_gives() {
    let a: Vec<f64> = vec![1.0, 1.5, 2.0, 2.5];
    let b: Vec<f64> = vec![11.0, 11.5, 12.0, 12.5];
    let many = Resampling { n_permutations: 20_000, ..RESAMPLING };
    let found = many.differences([&[b], &[a]])[0];
    assert_eq!((found.n, found.mean), (8, 10.0));
    let expected = 2.0_f64 / 70.0;
    let tolerance = 4.0 * (expected / 20_000.0).sqrt();
    assert!((found.p - expected).abs() < tolerance, "{}", found.p);
}

/// Simulated facts whose mean is known: 95 % intervals hold it in 92 to 98 % of repetitions, for means,
/// for differences of groups, and for differences within facts, whose two ways are alike.
#[test]
fn intervals_cover_what_they_say() {
    const N_TIMES: usize = 400;
    let mut random = Random(5);
    let mut covered = [[0; 2]; 3];
    for seed in 0..N_TIMES as u64 {
        // As many draws as are usual, other ones each time.
        let resampling = Resampling { n_draws: 2000, n_permutations: 1, seed };
        let mut facts = |n: usize, mean: f64| -> Vec<f64> {
            (0..n).map(|_| mean + random.normal() + 0.5 * random.normal().powi(2) - 0.5).collect()
        };
        let (a, b) = (facts(60, 0.3), facts(45, -0.2));
        let noise = facts(60, 0.1);
        let inverse: Vec<f64> =
            a.iter().zip(&noise).map(|(fact, more)| fact + 0.3 * more).collect();
        let paired = inverse.iter().zip(&a).map(|(inverse, fact)| inverse - fact).collect();
        let found = [
            (resampling.means(std::slice::from_ref(&a))[0], 0.3),
            (resampling.differences([&[a], &[b]])[0], 0.5),
            (resampling.means(&[paired])[0], 0.03),
        ];
        for (n, (Inference { mean, error, low, high, .. }, truth)) in covered.iter_mut().zip(found)
        {
            n[0] += usize::from((mean - truth).abs() <= 1.96 * error);
            n[1] += usize::from(low <= truth && truth <= high);
        }
    }
    for of_two in covered {
        for n in of_two {
            let share = n as f64 / N_TIMES as f64;
            // 92 to 98 %, as is asked of intervals; two standard errors of 400 repetitions are 2 %.
            assert!((0.92..=0.98).contains(&share), "{covered:?}");
        }
    }
}

/// Of 30 cells without an effect, the smallest p-value is below 5 % in about 5 % of repetitions, and a
/// cell with an effect is found beside them.
#[test]
fn p_values_hold_for_all_cells_together() {
    const N_TIMES: usize = 300;
    let mut random = Random(11);
    let (mut n_false, mut n_found) = (0, 0);
    for _ in 0..N_TIMES {
        let mut cells: Vec<Vec<f64>> =
            (0..30).map(|_| (0..25).map(|_| random.normal()).collect()).collect();
        let found = Resampling { n_draws: 1, ..RESAMPLING }.means(&cells);
        n_false += usize::from(found.iter().any(|it| it.p < 0.05));
        cells[3].iter_mut().for_each(|it| *it += 1.5);
        n_found += usize::from(Resampling { n_draws: 1, ..RESAMPLING }.means(&cells)[3].p < 0.05);
    }
    let share = n_false as f64 / N_TIMES as f64;
    // Three standard errors of 300 repetitions.
    assert!((0.012..=0.088).contains(&share), "{share}");
    assert!(n_found as f64 > 0.95 * N_TIMES as f64, "{n_found}");
}

/// Parts that matter for a fact and its own inverse, and not for another's, are told from parts that
/// matter for all facts.
#[test]
fn parts_that_a_fact_shares_with_its_inverse_are_told_from_those_that_all_share() {
    let mut random = Random(3);
    let mut of_all = |own: f64| -> Vec<[Vec<f64>; 2]> {
        let common: Vec<f64> = (0..40).map(|_| random.normal()).collect();
        let fact = |random: &mut Random| {
            let about: Vec<f64> = (0..40).map(|_| random.normal()).collect();
            [(); 2].map(|()| {
                let each = common.iter().zip(&about);
                each.map(|(all, mine)| all + own * mine + 0.3 * random.normal()).collect()
            })
        };
        (0..20).map(|_| fact(&mut random)).collect()
    };
    let questions = |pairs: Vec<[Vec<f64>; 2]>, n_relations: usize| -> Vec<SharedQuestion> {
        let each = pairs.into_iter().enumerate();
        each.map(|(nth, it)| SharedQuestion { relation: nth % n_relations, pairs: vec![it] })
            .collect()
    };
    let own = RESAMPLING.shared_parts(&questions(of_all(1.0), 2), 8).unwrap();
    assert!(own.spearman > own.spearman_of_others + 0.1 && own.spearman_p < 0.01, "{own:?}");
    assert!(own.jaccard > own.jaccard_of_others && own.jaccard_p < 0.01, "{own:?}");
    let common = RESAMPLING.shared_parts(&questions(of_all(0.0), 2), 8).unwrap();
    assert!(common.spearman_of_others > 0.8 && common.spearman_p > 0.05, "{common:?}");
    // A fact whose relation has no other is compared with nothing.
    assert_eq!(RESAMPLING.shared_parts(&questions(of_all(1.0), 20), 8), None);
    // Facts that ask one question count as one, and are no other's of each other.
    let mut twice = questions(of_all(1.0), 2);
    let once = RESAMPLING.shared_parts(&twice, 8).unwrap();
    for it in &mut twice {
        it.pairs.push(it.pairs[0].clone());
    }
    let twice = RESAMPLING.shared_parts(&twice, 8).unwrap();
    assert_eq!((once.n, once.n_facts, twice.n, twice.n_facts), (20, 20, 20, 40));
    assert!((once.spearman - twice.spearman).abs() < 1e-12, "{once:?} {twice:?}");
    assert_eq!(once.spearman_p, twice.spearman_p);
}

/// Of all numbers of facts and draws that the budget pays, the chosen ones give the narrowest interval; and no
/// cheaper ones give the width that is asked for.
#[test]
fn a_plan_is_the_best_of_all() {
    let mut random = Random(17);
    for _ in 0..50 {
        let mut log = |low: f64, high: f64| (low.ln() + (high / low).ln() * random.uniform()).exp();
        let pilot = Pilot {
            n_facts: 12,
            place: "L1".to_owned(),
            between: log(1e-4, 1e-1),
            within: log(1e-4, 1e-1),
            fixed: log(0.1, 10.0),
            each: log(0.1, 10.0),
            share: 1.0,
            passed: log(0.1, 10.0),
        };
        let cost = |n: f64, s: f64| n * (pilot.fixed + s * pilot.each);
        let width = |n: f64, s: f64| 2.0 * 1.96 * ((pilot.between + pilot.within / s) / n).sqrt();
        let budget = cost(200.0, 1.0);
        let found = pilot.choose(Goal::Budget(budget), 100_000, Some(10));
        let (n, s) = (found.n_questions as f64, found.n_samples.unwrap() as f64);
        assert!(cost(n, s) <= budget * 1.000_001, "{found:?} {pilot:?}");
        assert!(
            (width(n, s) - found.width).abs() < 1e-12 && (cost(n, s) - found.secs).abs() < 1e-9
        );
        for other in 1..=100 {
            let s = f64::from(other);
            let n = (budget / (pilot.fixed + s * pilot.each)).floor();
            // Whole draws and facts are a little worse than the best fractions of them.
            assert!(n < 1.0 || found.width < 1.06 * width(n, s), "{found:?} {other} {pilot:?}");
        }
        let goal = width(300.0, 2.0);
        let found = pilot.choose(Goal::Width(goal), 100_000, Some(10));
        assert!(found.width <= goal * 1.000_001, "{found:?}");
        assert!(found.n_questions >= N_PILOT, "too few for an interval: {found:?}");
        for other in 1..=100 {
            let s = f64::from(other);
            let n = ((2.0 * 1.96 / goal).powi(2) * (pilot.between + pilot.within / s)).ceil();
            let n = n.max(N_PILOT as f64);
            assert!(found.secs < 1.2 * cost(n, s), "{found:?} {other} {pilot:?}");
        }
        // Few facts are drawn from more often instead, as far as the budget goes.
        let few = pilot.choose(Goal::Budget(budget), 10, Some(10));
        assert_eq!(few.n_questions, 10);
        assert!(few.n_samples.unwrap() >= 2 && few.secs <= budget * 1.000_001, "{few:?}");
        // Where a part of the facts is left out, so many more are drawn that as many count.
        let known = Pilot { share: 0.25, ..pilot.clone() };
        let of_known = known.choose(Goal::Width(goal), 100_000, Some(10));
        let counted = (of_known.n_questions as f64 * 0.25).floor();
        let s = of_known.n_samples.unwrap() as f64;
        assert!(width(counted + 1.0, s) <= goal && of_known.width <= goal, "{of_known:?}");
        assert!(width(counted - 1.0, s) > 0.99 * goal, "more than are needed: {of_known:?}");
        let passed = 0.75 * of_known.n_questions as f64 * pilot.passed;
        let secs = cost(0.25 * of_known.n_questions as f64, s) + passed;
        assert!((secs - of_known.secs).abs() < 1e-6 * secs, "{secs} {of_known:?}");
        let of_known = known.choose(Goal::Budget(budget), 100_000, Some(10));
        assert!(of_known.secs <= budget * 1.000_001, "{of_known:?}");
        // What draws nothing has only facts to choose.
        let fixed = Pilot { within: 0.0, each: 0.0, ..pilot.clone() };
        let found = fixed.choose(Goal::Budget(100.5 * fixed.fixed), 100_000, None);
        assert_eq!((found.n_questions, found.n_samples), (100, None));
    }
}

fn shown(by: GroupBy) -> Shown {
    Shown {
        by,
        known: None,
        relations: Vec::new(),
        direction: None,
        charts: Vec::new(),
        place: None,
        n_listed: 1000,
        n_top: 5,
        resampling: RESAMPLING,
    }
}

fn map<'a>(figure: &'a Figure, name: &str) -> &'a Map {
    let found = figure.charts.iter().find_map(|chart| match chart {
        Chart::Map(map) if map.name == name => Some(map),
        _ => None,
    });
    let names: Vec<&str> = figure.charts.iter().map(Chart::name).collect();
    found.unwrap_or_else(|| panic!("no {name} in {names:?}"))
}

/// Colours of a mean probability begin at 0, as those of a fact's own map do; a difference has a sign.
#[test]
fn a_mean_that_has_no_sign_is_drawn_from_zero() {
    let dir = TempDir::new().unwrap();
    let [_, trace] = trace_and_heads();
    sweep_to(&trace, 6, dir.path());
    let found = Population::load(dir.path(), &Wanted::default()).unwrap();
    let figure = found.figure(&shown(GroupBy::Way));
    let title = "Causal trace, p(answer)";
    let [fact, inverse, difference] =
        ["fact", "inverse", "inverse − fact"].map(|way| map(&figure, &format!("{title}: {way}")));
    assert_eq!(fact.range, inverse.range);
    assert_eq!(fact.range.0, 0.0);
    assert!(fact.range.1 > 0.0 && fact.range.1 <= 1.0, "{:?}", fact.range);
    assert_eq!(difference.range.0, -difference.range.1);
}

/// The numbers that pandas gives for the same folder, see `tests/golden/check_population.py`.
#[test]
fn a_population_is_what_pandas_makes_of_the_files() {
    let dir = TempDir::new().unwrap();
    let [heads, _] = trace_and_heads();
    sweep_to(&heads, 12, dir.path());
    let found = Population::load(dir.path(), &Wanted::default()).unwrap();
    let figure = found.figure(&shown(GroupBy::Way));
    assert!(figure.is_whole());
    let title = "Logit attribution of heads, Contribution (logits)";
    let [fact, inverse, difference] =
        ["fact", "inverse", "inverse − fact"].map(|way| map(&figure, &format!("{title}: {way}")));
    assert_eq!(fact.range, inverse.range);
    assert_eq!(fact.range.0, -fact.range.1, "contributions have a sign");
    for (nth, value) in difference.values.iter().enumerate() {
        let expected = inverse.values[nth] - fact.values[nth];
        assert!((value - expected).abs() < 1e-5, "{value} {expected}");
    }
    for (at, expected) in PANDAS {
        let nth = at[0] * fact.n_columns() + at[1];
        let found = [fact, inverse, difference].map(|map| map.values[nth]);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{at:?}: {found} {expected}");
        }
    }
    for bytes in
        [to_svg(&figure, Page::default()).into_bytes(), to_npz(&figure), to_parquet(&figure)]
    {
        assert!(!bytes.is_empty());
    }
    let text = to_text(&figure, 120);
    assert!(text.contains("the same parts") && text.contains('°'), "{text}");
    assert!(to_csv(&figure).contains("is set back"));
}

/// A cell that no fact has is not marked as if it had been tested.
#[test]
fn no_number_has_no_mark() {
    let sides = || Side::layers("Layer", 2);
    let map = Map::new("m", sides(), sides(), vec![1.0, f32::NAN, 2.0, 3.0], "q");
    let map = Map { set_back: vec![true, true, false, true], ..map };
    let figure = Figure { charts: vec![Chart::Map(map)], ..Figure::default() };
    let text = to_text(&figure, 100);
    assert!(text.contains("1°") && text.contains('–') && !text.contains("–°"), "{text}");
}

/// Means of head and layer over 12 facts, their inverses, and within facts, by pandas.
const PANDAS: [([usize; 2], [f32; 3]); 3] = [
    ([0, 0], [0.1397549, 0.0759624, -0.0637925]),
    ([3, 3], [0.0213413, 0.1096141, 0.0882728]),
    ([4, 5], [0.151_228, -0.0812913, -0.2325193]),
];

/// Tokens are pooled by their roles, and each fact counts once.
#[test]
fn tokens_are_pooled_by_their_roles() {
    let dir = TempDir::new().unwrap();
    let [_, trace] = trace_and_heads();
    sweep_to(&trace, 6, dir.path());
    let found = Population::load(dir.path(), &Wanted::default()).unwrap();
    for (by, n_groups) in [(GroupBy::Way, 3), (GroupBy::Relation, 2)] {
        let figure = found.figure(&shown(by));
        assert!(figure.is_whole());
        let maps: Vec<&Map> = figure
            .charts
            .iter()
            .filter_map(|chart| match chart {
                Chart::Map(map) => Some(map),
                _ => None,
            })
            .collect();
        assert!(maps.len() >= n_groups, "{}", maps.len());
        assert!(maps[0].rows.labels.iter().any(|it| it == "last subject token"));
        let table = figure.charts.iter().find_map(|chart| match chart {
            Chart::Table(table) if table.name.ends_with("largest means") => Some(table),
            _ => None,
        });
        for row in &table.unwrap().rows {
            let n = row.cells.last().and_then(Cell::number).unwrap();
            assert!((1.0..=12.0).contains(&n), "{row:?}");
        }
    }

    // One place alone is a line over layers, of the same means, with the facts behind each.
    let place = Some("last subject token".to_owned());
    let one = Shown { place, ..shown(GroupBy::Way) };
    let (whole, laid) = (found.figure(&shown(GroupBy::Way)), found.laid(&one));
    let mut n_lines = 0;
    for (chart, behind) in laid.figure.charts.iter().zip(&laid.behind) {
        let Chart::Lines(lines) = chart else { continue };
        n_lines += 1;
        let map = map(&whole, &lines.name);
        let row = map.rows.labels.iter().position(|it| it == "last subject token").unwrap();
        let [line] = &lines.series[..] else { panic!("one place is one line") };
        assert_eq!((line.values.len(), behind.len()), (map.n_columns(), map.n_columns()));
        for (layer, value) in line.values.iter().enumerate() {
            assert_eq!(*value, map.values[row * map.n_columns() + layer]);
            let facts = found.behind(&one, &behind[layer].unwrap());
            let mean = facts.iter().map(|it| it.value).sum::<f64>() / facts.len() as f64;
            // The mean of at most twelve is the same but for the order of its sum.
            assert!((mean as f32 - value).abs() < 1e-6, "{mean} {value}");
        }
    }
    assert!(n_lines >= 3, "facts, inverses and their difference");
    assert!(found.places(None).contains("last token"));
}

/// All reasons are told: those that differ in a number as one, and those that are too many by their count.
#[test]
fn reasons_for_leaving_facts_out_are_counted() {
    let long: Vec<String> = (64..80).map(|n| format!("the prompt has {n} tokens")).collect();
    let other: Vec<String> = ('a'..='j').map(|it| format!("the fact has no {it}")).collect();
    let facts = long.iter().chain(&other).map(|reason| ("7", &**reason));
    let lines = reasons(facts);
    assert_eq!(lines[0], "16 left out, such as case 7: the prompt has 64 tokens");
    assert_eq!(lines[1], "1 left out, case 7: the fact has no a");
    assert_eq!(lines.len(), 9);
    assert_eq!(lines[8], "3 left out for 3 other reasons, in the column `left_out`");
}

#[test]
fn a_folder_that_is_no_sweep_is_refused() {
    let dir = TempDir::new().unwrap();
    let error = Population::load(dir.path(), &Wanted::default()).unwrap_err().to_string();
    assert!(error.contains("no folder of a sweep"), "{error}");
    let error = Population::load(Path::new("/nowhere"), &Wanted::default()).unwrap_err();
    assert!(error.to_string().contains("/nowhere"), "{error}");
}
