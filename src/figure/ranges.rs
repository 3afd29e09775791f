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
    /// The ends that are held for a quantity; `None` where each map has its own.
    pub fn of(&self, quantity: &str) -> Option<(f32, f32)> {
        self.held.get(&of_any_fact(quantity)).copied()
    }

    /// Holds the ends for a quantity, if both are numbers and the first is lower.
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
