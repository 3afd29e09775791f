//! The numbers of a record against those of a figure that was computed anew.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{Numbers, Record, numbers_of};
use crate::figure::Figure;

/// How far a number may be off, as a share of the largest of its column: other devices and other numbers
/// of threads add up in another order.
const TOLERANCE: f32 = 1e-4;

/// The least that counts as a difference, in the unit of the number.
const LEAST: f32 = 1e-6;

/// A chart of a record, compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    pub chart: String,
    pub n_numbers: usize,

    /// How many of the numbers that were computed the record lacks, of how many.
    pub n_lacking: usize,
    pub n_computed: usize,

    /// Whether the result that was computed has a chart of this name.
    pub is_computed: bool,

    /// The largest distance between two numbers that are both there.
    pub largest: f32,

    /// What differs, then what the record lacks.
    pub differences: Vec<Difference>,
}

/// A number that is not the one of the record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What the number is of: `token 3, token text ·France, layer 5: p(·Paris)`.
    pub place: String,

    /// The number of the record, and the one that was computed. `None` where there is none.
    pub recorded: Option<f32>,
    pub computed: Option<f32>,
}

impl Record {
    /// Each chart of this record against the chart of the same name in a figure.
    pub fn compare(&self, figure: &Figure) -> Vec<Compared> {
        let computed = numbers_of(figure);
        let compare = |recorded: &Numbers| {
            recorded.compare(computed.iter().find(|it| it.chart == recorded.chart))
        };
        self.charts.iter().map(compare).collect()
    }

    /// The charts of a figure that this record lacks: a picture may be of some charts of a result.
    pub fn charts_left_out(&self, figure: &Figure) -> Vec<String> {
        let is_here = |it: &&str| self.charts.iter().any(|own| own.chart == **it);
        let names = figure.charts.iter().map(|it| it.name()).filter(|it| !is_here(it));
        names.map(str::to_owned).collect()
    }
}

impl Numbers {
    fn compare(&self, computed: Option<&Self>) -> Compared {
        let theirs = computed.map(Self::lines).unwrap_or_default();
        let (mut differences, mut largest, mut n_numbers) = (Vec::new(), 0.0_f32, 0);
        for (name, recorded) in &self.values {
            let of_name = computed.and_then(|it| it.values.iter().find(|it| it.0 == *name));
            let finite = recorded.iter().flatten();
            let tolerance = finite.fold(0.0_f32, |most, it| most.max(it.abs())) * TOLERANCE;
            let tolerance = tolerance.max(LEAST);
            for (line, nth) in self.lines() {
                let recorded = recorded.get(nth).copied().flatten();
                let computed = of_name.zip(theirs.get(&line));
                let computed = computed.and_then(|((_, all), nth)| all.get(*nth).copied()?);
                n_numbers += usize::from(recorded.is_some());
                let is_close = match (recorded, computed) {
                    (Some(a), Some(b)) => {
                        largest = largest.max((a - b).abs());
                        (a - b).abs() <= tolerance
                    }
                    (a, b) => a == b,
                };
                if !is_close {
                    let place = self.place(nth, name);
                    differences.push((nth, Difference { place, recorded, computed }));
                }
            }
        }
        differences.sort_by_key(|it| it.0);
        let mut differences: Vec<_> = differences.into_iter().map(|it| it.1).collect();
        let lacking = computed.map(|it| it.not_in(self)).unwrap_or_default();
        let n_lacking = lacking.len();
        differences.retain(|it| it.recorded.is_some());
        differences.extend(lacking);
        Compared {
            chart: self.chart.clone(),
            n_numbers,
            n_lacking,
            n_computed: computed.map_or(0, Self::n_numbers),
            is_computed: computed.is_some(),
            largest,
            differences,
        }
    }

    fn n_numbers(&self) -> usize {
        self.values.iter().flat_map(|it| it.1.iter().flatten()).count()
    }

    /// The numbers of this chart, computed, that the record's lacks.
    fn not_in(&self, recorded: &Self) -> Vec<Difference> {
        let (ours, theirs) = (self.lines(), recorded.lines());
        let mut lacking = Vec::new();
        for (name, computed) in &self.values {
            let of_name = recorded.values.iter().find(|it| it.0 == *name);
            for (line, nth) in &ours {
                let recorded = of_name.zip(theirs.get(line));
                let recorded = recorded.and_then(|(it, nth)| it.1.get(*nth).copied()?);
                let computed = computed.get(*nth).copied().flatten();
                if recorded.is_none() && computed.is_some() {
                    let place = self.place(*nth, name);
                    lacking.push((*nth, Difference { place, recorded, computed }));
                }
            }
        }
        lacking.sort_by_key(|it| it.0);
        lacking.into_iter().map(|it| it.1).collect()
    }

    /// The lines by what they are of; where two are of the same, by which of them it is. Lines of a list
    /// that is sorted may change places where two numbers are nearly equal.
    fn lines(&self) -> BTreeMap<(Vec<&str>, usize), usize> {
        let of_places = self.places.iter().map(|it| it.1.len());
        let n_lines = of_places.chain(self.values.iter().map(|it| it.1.len())).max().unwrap_or(0);
        let mut seen = HashMap::<Vec<&str>, usize>::new();
        let line = |nth: usize| {
            let texts = self.places.iter().map(|it| it.1.get(nth).map_or("", String::as_str));
            let texts: Vec<&str> = texts.collect();
            let times = seen.entry(texts.clone()).or_default();
            *times += 1;
            ((texts, *times), nth)
        };
        (0..n_lines).map(line).collect()
    }

    fn place(&self, nth: usize, column: &str) -> String {
        let of = self.places.iter().filter_map(|(name, texts)| {
            texts.get(nth).filter(|it| !it.is_empty()).map(|text| format!("{name} {text}"))
        });
        let of: Vec<String> = of.collect();
        if of.is_empty() {
            format!("{column}, line {}", nth + 1)
        } else {
            format!("{column} of {}", of.join(", "))
        }
    }
}
