//! The numbers of a record against those of a figure that was computed anew.

use std::collections::{BTreeMap, HashMap};
use std::mem;

use serde::Serialize;

use super::{Numbers, Record, numbers_of};
use crate::figure::Figure;

/// How far a number may be off, as a share of the largest of its column: other devices and other numbers
/// of threads add up in another order.
const TOLERANCE: f32 = 1e-4;

/// The least that counts as a difference, in the unit of the number.
const LEAST: f32 = 1e-6;

/// What earlier versions called columns of numbers, and what they are called now.
const RENAMED: [(&str, &str); 6] = [
    ("Attention weight (0 to 1)", "Mean attention weight"),
    ("Composition score (0 to 1)", "Composition score"),
    ("Value", "Fact: value"),
    ("Value 2", "Inverse: value"),
    ("−ln p(new)", "Mean −ln p of new's tokens"),
    ("p(new)", "Mean p of new's tokens"),
];

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

    /// The columns that have another name in what was computed, and that name. Names that earlier versions gave
    /// are not among them.
    pub other_names: Vec<[String; 2]>,

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
            let named = |is_same: fn(&str, &str) -> bool| {
                computed.iter().find(|it| is_same(&it.chart, &recorded.chart))
            };
            recorded.compare(named(|a, b| a == b).or_else(|| named(is_same_name)))
        };
        self.charts.iter().map(compare).collect()
    }

    /// The charts of a figure that this record lacks: a picture may be of some charts of a result.
    pub fn charts_left_out(&self, figure: &Figure) -> Vec<String> {
        let is_here = |it: &&str| self.charts.iter().any(|own| is_same_name(&own.chart, it));
        let names = figure.charts.iter().map(|it| it.name()).filter(|it| !is_here(it));
        names.map(str::to_owned).collect()
    }
}

impl Numbers {
    fn compare(&self, computed: Option<&Self>) -> Compared {
        let (recorded, other_names) = match computed {
            Some(it) => self.under_names_of(it),
            None => (self.clone(), Vec::new()),
        };
        Compared { other_names, ..recorded.compare_by_names(computed) }
    }

    /// These numbers with the columns named as they are now, and which others were named otherwise than the
    /// one that stands in their place.
    fn under_names_of(&self, computed: &Self) -> (Self, Vec<[String; 2]>) {
        let mut named = self.clone();
        for (name, _) in &mut named.values {
            let now = RENAMED.iter().find(|it| it.0 == name).map(|it| it.1);
            if let Some(now) =
                now.filter(|it| computed.column(name).is_none() && computed.column(it).is_some())
            {
                now.clone_into(name);
            }
        }
        let free = computed.values.iter().filter(|it| named.column(&it.0).is_none());
        let free: Vec<String> = free.map(|it| it.0.clone()).collect();
        let mut others = Vec::new();
        let unknown = named.values.iter_mut().filter(|it| computed.column(&it.0).is_none());
        let unknown: Vec<_> = unknown.collect();
        if unknown.len() == free.len() {
            for ((name, _), now) in unknown.into_iter().zip(free) {
                others.push([mem::replace(name, now.clone()), now]);
            }
        }
        (named, others)
    }

    /// Each column against that of the same name.
    fn compare_by_names(&self, computed: Option<&Self>) -> Compared {
        let partners = computed.map(|it| self.partners(it)).unwrap_or_default();
        let (mut differences, mut largest, mut n_numbers) = (Vec::new(), 0.0_f32, 0);
        for (name, recorded) in &self.values {
            let of_name = computed.and_then(|it| it.column(name));
            let tolerance = tolerance(recorded);
            for nth in 0..self.n_lines() {
                let recorded = recorded.get(nth).copied().flatten();
                let computed = of_name.zip(partners.get(&nth));
                let computed = computed.and_then(|(all, nth)| all.get(*nth).copied()?);
                n_numbers += usize::from(recorded.is_some());
                if let (Some(a), Some(b)) = (recorded, computed) {
                    largest = largest.max((a - b).abs());
                }
                if distance(recorded, computed) > tolerance {
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
            other_names: Vec::new(),
            largest,
            differences,
        }
    }

    /// The line that was computed of what each line here is of.
    fn partners(&self, computed: &Self) -> BTreeMap<usize, usize> {
        if computed.is_set {
            return self.nearest(computed);
        }
        let theirs = computed.lines();
        self.lines().iter().filter_map(|(line, nth)| Some((*nth, *theirs.get(line)?))).collect()
    }

    /// For each line here the nearest one that was computed, each once; those that nothing is near to are in
    /// their order.
    fn nearest(&self, computed: &Self) -> BTreeMap<usize, usize> {
        // Over all columns, in tolerances.
        let apart = |ours: usize, theirs: usize| {
            let of_column = |(name, all): &(String, Vec<Option<f32>>)| {
                let other = computed.column(name).and_then(|it| it.get(theirs).copied()?);
                distance(all.get(ours).copied().flatten(), other) / tolerance(all)
            };
            self.values.iter().map(of_column).fold(0.0, f32::max)
        };
        let mut free: Vec<usize> = (0..computed.n_lines()).collect();
        let (mut partners, mut far) = (BTreeMap::new(), Vec::new());
        for ours in 0..self.n_lines() {
            let distances = free.iter().map(|theirs| apart(ours, *theirs)).enumerate();
            match distances.min_by(|a, b| a.1.total_cmp(&b.1)) {
                Some((nth, distance)) if distance <= 1.0 => {
                    _ = partners.insert(ours, free.remove(nth));
                }
                _ => far.push(ours),
            }
        }
        partners.extend(far.into_iter().zip(free));
        partners
    }

    /// The numbers of the column of this name.
    fn column(&self, name: &str) -> Option<&[Option<f32>]> {
        self.values.iter().find(|it| it.0 == name).map(|it| &*it.1)
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
    /// that is sorted may change places where two numbers are nearly equal. That the answer's line is marked
    /// says nothing of what it is of.
    fn lines(&self) -> BTreeMap<(Vec<&str>, usize), usize> {
        let mut seen = HashMap::<Vec<&str>, usize>::new();
        let line = |nth: usize| {
            let texts = self.places.iter().map(|it| it.1.get(nth).map_or("", String::as_str));
            let texts: Vec<&str> = texts.map(|it| it.trim_end_matches(" *")).collect();
            let times = seen.entry(texts.clone()).or_default();
            *times += 1;
            ((texts, *times), nth)
        };
        (0..self.n_lines()).map(line).collect()
    }

    fn n_lines(&self) -> usize {
        let of_places = self.places.iter().map(|it| it.1.len());
        of_places.chain(self.values.iter().map(|it| it.1.len())).max().unwrap_or(0)
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

/// Whether two charts are called alike, but for the last digit of a number: `Singular vector 1 (σ 0.2996), +`
/// has another where the value lies between two roundings.
fn is_same_name(a: &str, b: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_digit() || c == '.';
    let words = |name: &str| {
        name.split(is_digit).filter(|it| !it.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let numbers = |name: &str| -> Vec<f64> {
        name.split(|c| !is_digit(c)).filter_map(|it| it.parse().ok()).collect()
    };
    let (ours, theirs) = (numbers(a), numbers(b));
    let is_close = |(x, y): (&f64, &f64)| (x - y).abs() <= 1.01e-3 * x.abs().max(y.abs());
    words(a) == words(b) && ours.len() == theirs.len() && ours.iter().zip(&theirs).all(is_close)
}

/// How far a number of a column of a record may be off.
fn tolerance(column: &[Option<f32>]) -> f32 {
    let largest = column.iter().flatten().fold(0.0_f32, |most, it| most.max(it.abs()));
    (largest * TOLERANCE).max(LEAST)
}

/// Between two numbers; without end between a number and none.
fn distance(a: Option<f32>, b: Option<f32>) -> f32 {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs(),
        (None, None) => 0.0,
        _ => f32::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eigenvalues(parts: &[[f32; 2]]) -> Numbers {
        let column = |nth: usize| parts.iter().map(|it| Some(it[nth])).collect();
        let labels = (1..=parts.len()).map(|nth| format!("λ{nth}")).collect();
        Numbers {
            chart: "Eigenvalues".to_owned(),
            is_set: true,
            places: vec![("label".to_owned(), labels)],
            values: vec![("real".to_owned(), column(0)), ("imaginary".to_owned(), column(1))],
        }
    }

    /// The last three of the eigenvalues of head 3.2 of the built-in model, on two devices.
    #[test]
    fn numbers_of_a_set_may_come_in_another_order() {
        let first = [22.265, -4.86e-17];
        let recorded = [first, [0.02158, 0.0], [-0.02004, 0.0080], [-0.02004, -0.0080]];
        let recorded = eigenvalues(&recorded);
        let computed = [first, [-0.02004, 0.0080], [-0.02004, -0.0080], [0.02158, 0.0]];
        let compared = recorded.compare(Some(&eigenvalues(&computed)));
        assert_eq!((compared.differences, compared.largest), (Vec::new(), 0.0));

        // Their labels count them where they are no set, and another number is another in any order.
        let ordered = Numbers { is_set: false, ..eigenvalues(&computed) };
        assert_eq!(recorded.compare(Some(&ordered)).differences.len(), 5);
        let other = [first, [-0.02004, 0.0080], [-0.02004, -0.0060], [0.02158, 0.0]];
        let differences = recorded.compare(Some(&eigenvalues(&other))).differences;
        let [it] = &*differences else { panic!("{differences:?}") };
        assert_eq!(
            (&*it.place, it.recorded, it.computed),
            ("imaginary of label λ4", Some(-0.0080), Some(-0.0060))
        );

        // One that is lacking is missed.
        let fewer = recorded.compare(Some(&eigenvalues(&computed[..3])));
        let missed = fewer.differences.iter().map(|it| (it.recorded, it.computed));
        assert_eq!(missed.collect::<Vec<_>>(), [(Some(0.02158), None), (Some(0.0), None)]);
    }

    #[test]
    fn a_chart_is_found_whose_name_has_a_number_that_is_rounded_otherwise() {
        let name = "Singular vector 1 (σ 0.2996), +";
        assert!(is_same_name(name, name) && is_same_name(name, "Singular vector 1 (σ 0.2997), +"));
        for other in ["2 (σ 0.2996), +", "1 (σ 0.2996), −", "1 (σ 0.3006), +", "1, +"] {
            assert!(!is_same_name(name, &format!("Singular vector {other}")), "{other}");
        }
    }
}
