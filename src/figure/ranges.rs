//! Ends of colours that are held over all facts, by the quantity that they stand for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Chart, Figure};

/// Ends of colours that are held, so that a colour stands for the same number in all maps of a
/// quantity: of every fact, in every view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranges {
    held: BTreeMap<String, (f32, f32)>,
}

impl Ranges {
    /// Nothing where each map has its own.
    pub fn of(&self, quantity: &str) -> Option<(f32, f32)> {
        self.held.get(&of_any_fact(quantity)).copied()
    }

    /// Both ends are numbers, the first is the lower one; else nothing changes.
    pub fn hold(&mut self, quantity: &str, (low, high): (f32, f32)) {
        if low.is_finite() && high.is_finite() && low < high {
            self.held.insert(of_any_fact(quantity), (low, high));
        }
    }

    pub fn release(&mut self, quantity: &str) {
        self.held.remove(&of_any_fact(quantity));
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Gives the maps of a figure the ends that are held.
    pub fn apply(&self, figure: &mut Figure) {
        for chart in &mut figure.charts {
            if let Chart::Map(map) = chart
                && let Some(range) = self.of(&map.quantity)
            {
                map.range = range;
            }
        }
    }
}

/// A quantity without the tokens that it names: `p(·Paris)` and `p(·Rome)` are one.
pub fn of_any_fact(quantity: &str) -> String {
    if let Some((before, _)) = quantity.split_once("rank of ") {
        return format!("{before}rank");
    }
    let mut text = String::new();
    let mut depth = 0_usize;
    for c in quantity.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => text.push(c),
            _ => {}
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
