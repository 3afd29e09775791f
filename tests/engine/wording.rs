//! How figures write numbers, tokens and quantities, and where bars over depth stand.

use factscope::figure::number::{Ticks, brief, column, exact, percent, signed};
use factscope::figure::words::token_labels;
use factscope::figure::{Bar, Bars, DepthPart, Pick, Ranges, of_any_fact};
use factscope::tokens::TokenizedPrompt;

#[test]
fn numbers_keep_their_significant_digits() {
    assert_eq!(exact(0.432_104), "0.43210");
    assert_eq!(exact(-12.5), "−12.500");
    assert_eq!(exact(0.0), "0");
    assert_eq!(exact(1.234_56e-7), "1.2346e−7");
    assert_eq!(percent(0.9573), "95.7 %");
    assert_eq!(percent(0.000_012), "0.0012 %");
    assert_eq!([12.0, -3.0, 0.25, f32::NAN].map(brief), ["12", "−3", "0.2500", "–"]);
}

#[test]
fn a_column_keeps_digits_where_numbers_are_small() {
    let check = |values: &[f32], expected: &[&str]| assert_eq!(column(values), expected);
    check(&[0.932_104, 0.05, -3.14e-6, 0.0], &["0.93210", "0.05000", "−3.1e−6", "0.00000"]);
    check(&[12.0, -3.0, f32::NAN], &["12", "−3", "–"]);
    check(&[1.5e-9, f32::NEG_INFINITY], &["1.5000e−9", "−∞"]);
    check(&[123.456, 0.001_23], &["123.46", "1.2e−3"]);
    check(&[], &[]);
}

#[test]
fn ticks_are_round_and_inside() {
    let ticks = Ticks::new(0.031, 0.957, 5);
    assert_eq!(ticks.values, [0.2, 0.4, 0.6, 0.8]);
    assert_eq!(ticks.label(0.2), "0.2");
    let ticks = Ticks::new(7.747e-4, 7.757e-4, 5);
    assert_eq!(ticks.label(ticks.values[1]), "7.750e−4");
    assert_eq!(Ticks::new(-1e-6, 1e-6, 5).label(0.0), "0");
    let ticks = Ticks::new(-3.0, 3.0, 6);
    assert_eq!(ticks.values, [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]);
    assert_eq!(ticks.label(-3.0), "−3");
    assert_eq!(Ticks::new(1.0, 1.0, 5).values, [1.0]);
    assert_eq!(Ticks::new(-0.8, 0.8, 2).values, [-0.5, 0.0, 0.5]);
    assert_eq!(Ticks::new(0.03, 0.93, 2).values, [0.2, 0.4, 0.6, 0.8]);
}

#[test]
fn a_token_that_comes_twice_is_told_by_its_position() {
    let pieces = ["The", " cat", " saw", " the", " cat"].map(str::to_owned).to_vec();
    let prompt = TokenizedPrompt { pieces, ..TokenizedPrompt::empty() };
    assert_eq!(token_labels(&prompt), ["The", "·cat 1", "·saw", "·the", "·cat 4"]);
}

#[test]
fn a_quantity_is_the_same_of_all_facts() {
    let check = |a: &str, b: &str| assert_eq!(of_any_fact(a), of_any_fact(b));
    check("p(·Paris)", "p(·Rome)");
    check("Change of logit(·Paris) − logit(·Rome)", "Change of logit(·a) − logit(·b)");
    check("rank of ·Paris", "rank of ·Rome");
    assert_ne!(of_any_fact("p(·Paris)"), of_any_fact("ln p(·Paris)"));
    assert_ne!(of_any_fact("Change of p(·Paris)"), of_any_fact("p(·Paris)"));
}

#[test]
fn only_ends_in_order_are_held() {
    let mut ranges = Ranges::default();
    for bad in [(1.0, 1.0), (2.0, 1.0), (f32::NAN, 1.0), (0.0, f32::INFINITY)] {
        ranges.hold("p(·Paris)", bad);
    }
    assert!(ranges.is_empty());
    ranges.hold("p(·Paris)", (0.0, 0.5));
    assert_eq!(ranges.of("p(·Rome)"), Some((0.0, 0.5)));
    ranges.release("p(·Rome)");
    assert!(ranges.is_empty());
}

#[test]
fn what_is_of_one_layer_shares_a_place_and_the_rest_stands_apart() {
    use DepthPart::{Attention, Embedding, Mlp, Sum};

    let bar = |pick: Pick| Bar { label: String::new(), value: -1.0, pick };
    let layer = |nth: usize| bar(Pick::layer(nth));
    let none = || bar(Pick::default());
    let mut bars =
        Bars::new("Parts", "Logits", vec![none(), none(), layer(0), layer(0), layer(1), none()]);
    bars.parts = vec![Embedding, Embedding, Attention, Mlp, Attention, Sum];
    let places = bars.depth_places();
    let labels: Vec<&str> = places.iter().map(|it| &*it.label).collect();
    assert_eq!(labels, ["emb", "0", "1", "sum"]);
    let steps: Vec<f32> = places.windows(2).map(|it| it[1].at - it[0].at).collect();
    assert!(steps[1] < steps[0] && steps[1] < steps[2], "{steps:?}");

    let starts = [0.0, -1.0, -2.0, -3.0, -4.0, 0.0];
    let shown = bars.depth_bars(&starts);
    assert_eq!(shown.len(), bars.bars.len());
    assert!(shown.windows(2).all(|it| it[0].edges[1] <= it[1].edges[0] + 1e-6));
    assert_eq!(shown[4].ends, [-4.0, -5.0]);
    assert!(shown[4].takes_away && !shown[5].takes_away, "a sum stands on zero");
    assert!(bars.depth_bars(&[]).iter().all(|it| !it.takes_away));
}

/// The sum of no numbers is −0.
#[test]
fn zero_has_no_sign() {
    let none: f32 = [].iter().sum();
    assert!(none.is_sign_negative());
    assert_eq!([brief(none), exact(none), signed(none, 1)], ["0", "0", "+0.0"]);
    assert_eq!(column(&[none, 12.0]), ["0", "12"]);
}
