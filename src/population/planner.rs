//! How many facts and how many draws of each are worth their time, from a pilot of a few facts.
//!
//! The variance of a mean over `n` facts with `s` draws each is `(between + within / s) / n`, and a fact takes
//! `fixed + s · each` seconds. The best `s` does not depend on `n`: √(fixed · within / (each · between)), as in
//! sampling in two stages (Cochran 1977, section 10.6). Facts that are drawn and then left out, such as those
//! that the model does not know, take `passed` seconds and are of no use for the interval: they are part of what
//! a fact that counts takes. Facts that ask one question, as inverses of a many-to-one relation do, are one fact
//! here.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use super::left_out::reasons;
use super::part::Asked;
use super::selection::{Task, evenly_spaced};
use super::sweep::RECALL;
use crate::analysis::AnalysisError;
use crate::figure::number::significant;
use crate::figure::words::counted;

/// What a sweep may take, or how narrow its interval should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// Seconds on this machine.
    Budget(f64),

    /// The width of the 95 % interval of the mean, from end to end.
    Width(f64),
}

/// A text that says no goal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoGoal {
    #[error("a time is a number above 0 with its unit: `90s`, `20m` or `2h`")]
    Time,

    #[error("the width of an interval is a number above 0: `0.01`")]
    Width,
}

impl Goal {
    /// A time, from `90s`, `20m` or `2h`.
    pub fn budget(text: &str) -> Result<Self, NoGoal> {
        let units = [('s', 1.0), ('m', 60.0), ('h', 3600.0)];
        let found =
            units.iter().find_map(|(unit, secs)| Some((text.trim().strip_suffix(*unit)?, secs)));
        let number = found.and_then(|(number, secs)| Some(above_zero(number)? * secs));
        number.map(Self::Budget).ok_or(NoGoal::Time)
    }

    /// What is left of a budget after so many seconds.
    pub fn after(self, secs: f64) -> Self {
        match self {
            Self::Budget(all) => Self::Budget((all - secs).max(0.0)),
            Self::Width(_) => self,
        }
    }

    /// A width, from a number.
    pub fn width(text: &str) -> Result<Self, NoGoal> {
        above_zero(text).map(Self::Width).ok_or(NoGoal::Width)
    }
}

fn above_zero(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|it: &f64| it.is_finite() && *it > 0.0)
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget(secs) => write!(f, "budget {secs} s"),
            Self::Width(width) => write!(f, "width {width}"),
        }
    }
}

/// What a few facts tell of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Pilot {
    /// How many facts were asked.
    pub n_facts: usize,

    /// Of the facts that were tried, how many have a result, from 0 to 1.
    pub share: f64,

    /// The place whose mean is the largest, by which the spread is measured.
    pub place: String,

    /// The variance of the place's number between facts, and within a fact from draw to draw.
    pub between: f64,
    pub within: f64,

    /// Seconds that a fact takes however often is drawn, and for each draw.
    pub fixed: f64,
    pub each: f64,

    /// Seconds that a fact takes that is left out.
    pub passed: f64,
}

/// How many questions and draws are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Draws of each fact. `None` where the method draws nothing.
    pub n_samples: Option<usize>,

    /// Questions to ask, with those that will be left out. Several facts may ask one.
    pub n_questions: usize,

    /// What that takes, in seconds, and how wide the interval gets.
    pub secs: f64,
    pub width: f64,
}

/// How many facts a pilot asks.
pub const N_PILOT: usize = 12;

/// How many facts a pilot tries at most until [`N_PILOT`] of them have a result.
const N_TRIED: usize = 10 * N_PILOT;

/// How many draws a pilot times beside a single one.
pub const N_TIMED: usize = 4;

/// The most draws of a fact that are chosen.
const MOST: usize = 100;

/// The fewest facts with a result that are chosen for an interval: ±1.96 standard errors of three facts
/// hold 81 % of what they say, those of twelve 92 %.
const LEAST: f64 = N_PILOT as f64;

/// From end to end of a 95 % interval, in standard errors.
const ENDS: f64 = 2.0 * 1.96;

impl Pilot {
    /// Asks facts, evenly spaced, until [`N_PILOT`] of them have a result: each with one draw, with another one,
    /// and with [`N_TIMED`].
    /// `ask`: a fact with so many draws, by the seed that so much is added to; `is_drawn`: whether the
    /// method draws anything. The inner error says why too few facts have a result.
    pub fn of(
        tasks: &[Task],
        is_drawn: bool,
        ask: &dyn Fn(Task, usize, u64) -> Result<Asked, AnalysisError>,
    ) -> Result<Result<Self, String>, AnalysisError> {
        let mut found: Vec<[Asked; 2]> = Vec::new();
        let (mut singles, mut severals, mut passed) = (Vec::new(), Vec::new(), Vec::new());
        let mut left_out = Vec::new();
        let mut n_tried = 0;
        for nth in evenly_spaced(tasks.len()).take(N_TRIED) {
            let task = tasks[nth];
            let timed = |n_samples, seed| {
                let start = Instant::now();
                let asked = ask(task, n_samples, seed)?;
                Ok::<_, AnalysisError>((asked, start.elapsed().as_secs_f64()))
            };
            // The very first fact waits for the weights to be checked.
            let is_timed = n_tried > 0 || tasks.len() == 1;
            n_tried += 1;
            let (first, secs) = timed(1, 0)?;
            if let Some(reason) = &first.note.left_out {
                if is_timed {
                    passed.push(secs);
                }
                left_out.push((first.note.case.clone(), reason.clone()));
                continue;
            }
            let second = if is_drawn { timed(1, 1)?.0 } else { first.clone() };
            if is_timed {
                singles.push(secs);
                severals.push(if is_drawn { timed(N_TIMED, 0)?.1 } else { secs });
            }
            found.push([first, second]);
            if found.len() > N_PILOT {
                break;
            }
        }
        if found.len() < 3 || singles.is_empty() {
            let facts = left_out.iter().map(|(case, reason)| (&**case, &**reason));
            let why = reasons(facts).join("; ");
            return Ok(Err(format!(
                "{} of {n_tried} facts of the pilot have a result, too few to tell a spread: {why}",
                found.len()
            )));
        }
        let mean = |it: &[f64]| it.iter().sum::<f64>() / it.len() as f64;
        let (single, several) = (mean(&singles), mean(&severals));
        let each = if is_drawn {
            ((several - single) / (N_TIMED - 1) as f64).max(1e-3 * single)
        } else {
            0.0
        };
        let (place, values) = largest_place(&found);
        let n = values.len() as f64;
        let within = values.iter().map(|[a, b]| (a - b).powi(2) / 2.0).sum::<f64>() / n;
        let means: Vec<f64> = values.iter().map(|[a, b]| f64::midpoint(*a, *b)).collect();
        let center = mean(&means);
        let of_means = means.iter().map(|it| (it - center).powi(2)).sum::<f64>() / (n - 1.0);
        Ok(Ok(Self {
            n_facts: found.len(),
            share: found.len() as f64 / n_tried as f64,
            place,
            between: (of_means - within / 2.0).max(0.0),
            within,
            fixed: (single - each).max(0.0),
            each,
            passed: if passed.is_empty() { 0.0 } else { mean(&passed) },
        }))
    }

    /// The best choice. `n_available`: how many questions there are; `n_usual`: how many draws the spec asks
    /// for, `None` if it draws nothing.
    pub fn choose(&self, goal: Goal, n_available: usize, n_usual: Option<usize>) -> Choice {
        // A fact that has a result, with its part of those that were drawn before it and left out.
        let fixed = self.fixed + (1.0 - self.share) / self.share * self.passed;
        let best = (fixed * self.within / (self.each * self.between)).sqrt();
        let best = if best.is_nan() { 1.0 } else { best };
        let mut samples = n_usual.map_or(1.0, |_| best.round().clamp(1.0, MOST as f64));
        let variance = |samples: f64| self.between + self.within / samples;
        let wanted = match goal {
            Goal::Budget(secs) => secs / (fixed + samples * self.each),
            Goal::Width(width) => (ENDS / width).powi(2) * variance(samples),
        } / self.share;
        let wanted = match goal {
            Goal::Budget(_) => wanted.floor(),
            Goal::Width(_) => wanted.max(LEAST / self.share).ceil(),
        };
        let n_drawn = wanted.clamp(1.0, n_available as f64);
        let n = n_drawn * self.share;
        if wanted > n_drawn && n_usual.is_some() {
            // There are no more facts: more draws of each are the next best.
            let more = match goal {
                Goal::Budget(secs) => (secs / n - fixed) / self.each,
                Goal::Width(width) => {
                    let left = n * (width / ENDS).powi(2) - self.between;
                    if left > 0.0 { self.within / left } else { MOST as f64 }
                }
            };
            samples = more.floor().clamp(samples, MOST as f64);
        } else if let (Goal::Width(width), Some(_)) = (goal, n_usual) {
            // With more facts than the best choice would have, fewer draws of each are as good.
            let left = n * (width / ENDS).powi(2) - self.between;
            if left > 0.0 {
                samples = (self.within / left).ceil().clamp(1.0, samples);
            }
        }
        Choice {
            n_samples: n_usual.map(|_| samples as usize),
            n_questions: n_drawn as usize,
            secs: n * (fixed + samples * self.each),
            width: ENDS * (variance(samples) / n).sqrt(),
        }
    }

    /// Says what was chosen and why, in a sentence each. `n_facts`: how many facts ask the questions.
    pub fn told(&self, choice: &Choice, n_facts: usize) -> Vec<String> {
        let number = |it: f64| significant(it as f32, 3);
        let draws = choice
            .n_samples
            .map(|n| format!(" with {} each", counted(n, "draw")))
            .unwrap_or_default();
        let (of_tried, of_which) = if self.share < 1.0 {
            let n = (choice.n_questions as f64 * self.share).round();
            let n_tried = (self.n_facts as f64 / self.share).round();
            (
                format!(" of {n_tried} that were tried"),
                format!(", of which about {n} have a result,"),
            )
        } else {
            (String::new(), String::new())
        };
        let per_fact = match choice.n_samples {
            None => format!("a fact takes {} s", number(self.fixed)),
            Some(_) => format!(
                "a fact takes {} s and {} s for each draw",
                number(self.fixed),
                number(self.each)
            ),
        };
        let asked = if n_facts == choice.n_questions {
            String::new()
        } else {
            let comma = if of_which.is_empty() { "," } else { "" };
            format!(", which ask {}{comma}", counted(choice.n_questions, "question"))
        };
        vec![
            format!(
                "a pilot of {} facts{of_tried}: where the mean is largest, at {}, the standard deviation is {} \
                 between facts and {} within them from draw to draw; {per_fact}",
                self.n_facts,
                self.place,
                number(self.between.sqrt()),
                number(self.within.sqrt()),
            ),
            format!(
                "chosen: {}{asked}{of_which}{draws}, about {} s, for a 95 % interval there about {} wide",
                counted(n_facts, "fact"),
                number(choice.secs),
                number(choice.width),
            ),
        ]
    }
}

/// The place with the largest mean over facts among those of the first chart, with its two numbers for each
/// fact that has it.
fn largest_place(found: &[[Asked; 2]]) -> (String, Vec<[f64; 2]>) {
    let mut places: BTreeMap<String, Vec<[f64; 2]>> = BTreeMap::new();
    let first = found[0][0].numbers.iter().find(|it| &*it.chart != RECALL);
    let is_meant = |it: &&crate::figure::Number| {
        first.is_some_and(|first| it.chart == first.chart && it.quantity == first.quantity)
    };
    for [a, b] in found {
        // Tokens of one role count once, as in a population.
        let mut sums: BTreeMap<String, [f64; 3]> = BTreeMap::new();
        let pairs = a.numbers.iter().filter(is_meant).zip(b.numbers.iter().filter(is_meant));
        for (a, b) in pairs.filter(|(a, b)| !a.value.is_nan() && !b.value.is_nan()) {
            let sum = sums.entry(place_name(a)).or_default();
            *sum = [sum[0] + f64::from(a.value), sum[1] + f64::from(b.value), sum[2] + 1.0];
        }
        for (place, [a, b, n]) in sums {
            places.entry(place).or_default().push([a / n, b / n]);
        }
    }
    // A place that few facts have tells no spread.
    places.retain(|_, values| values.len() * 2 > found.len());
    let size = |values: &[[f64; 2]]| {
        (values.iter().map(|[a, b]| a + b).sum::<f64>() / values.len() as f64).abs()
    };
    let largest = places.into_iter().max_by(|a, b| size(&a.1).total_cmp(&size(&b.1)));
    largest.unwrap_or_default()
}

fn place_name(number: &crate::figure::Number) -> String {
    let at = &number.at;
    let parts = [
        at.component.as_deref().map(str::to_owned),
        at.layer.map(|it| format!("L{it}")),
        at.head.map(|it| format!("H{it}")),
        at.role.map(|it| format!("the {it}")),
        at.label.as_deref().map(str::to_owned),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "all".to_owned() } else { parts.join(" ") }
}
