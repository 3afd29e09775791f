//! Numbers as text: enough digits, a real minus sign, ticks at round values.

/// With this many significant digits; scientific where that would be long.
pub fn significant(value: f32, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if !value.is_finite() {
        return "not a number".to_owned();
    }
    let exponent = value.abs().log10().floor() as i32;
    let text = if (-4..6).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.*e}", digits - 1)
    };
    with_minus_sign(&text)
}

/// Exact enough to be copied into a paper.
pub fn exact(value: f32) -> String {
    significant(value, 5)
}

/// What stands where there is no number.
pub const NONE: &str = "–";

/// In a list: whole numbers as they are, a dash for none.
pub fn brief(value: f32) -> String {
    if value.is_nan() {
        NONE.to_owned()
    } else if value.fract() == 0.0 && value.abs() < 1e7 {
        with_minus_sign(&format!("{value:.0}"))
    } else {
        significant(value, 4)
    }
}

/// Numbers below each other, their points too: five digits at the largest, and two at least where that
/// would leave fewer.
pub fn column(values: &[f32]) -> Vec<String> {
    let finite = || values.iter().copied().filter(|it| it.is_finite());
    let largest = finite().fold(0.0_f32, |a, b| a.max(b.abs()));
    let is_whole = largest < 1e7 && finite().all(|it| it.fract() == 0.0);
    let exponent = largest.log10().floor();
    let decimals = if is_whole { 0 } else { (4.0 - exponent).max(0.0) as usize };
    let is_plain = is_whole || (-4.0..6.0).contains(&exponent);
    let text = |&value: &f32| {
        if value.is_nan() {
            return NONE.to_owned();
        }
        if value.is_infinite() {
            return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
        }
        with_minus_sign(&if !is_plain {
            format!("{value:.4e}")
        } else if value != 0.0 && !is_whole && value.abs() < 10_f32.powi(1 - decimals as i32) {
            format!("{value:.1e}")
        } else {
            format!("{value:.decimals$}")
        })
    };
    values.iter().map(text).collect()
}

/// A probability, 0 to 1, as percent.
pub fn percent(prob: f32) -> String {
    let percent = prob * 100.0;
    if percent >= 0.1 || percent == 0.0 {
        format!("{percent:.1} %")
    } else {
        format!("{} %", significant(percent, 2))
    }
}

/// With a sign, for contributions.
pub fn signed(value: f32, decimals: usize) -> String {
    with_minus_sign(&format!("{value:+.decimals$}"))
}

/// A count, in groups of three digits.
pub fn with_thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Round values within a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticks {
    pub values: Vec<f32>,
    decimals: usize,
}

impl Ticks {
    /// At most `max` of them, at multiples of 1, 2 or 5; but two at least, as one tells no scale.
    pub fn new(low: f32, high: f32, max: usize) -> Self {
        let (low, high) = (f64::from(low), f64::from(high));
        let span = high - low;
        if !(span.is_finite() && span > 0.0) {
            return Self { values: vec![low as f32], decimals: 3 };
        }
        let rough = span / max.max(1) as f64;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let nice = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude);
        // Ends that rounding has pushed just outside are still ends.
        let ends =
            |step: f64| ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
        let has_two = |step: f64| {
            let (first, last) = ends(step);
            last > first
        };
        let mut step = nice.into_iter().find(|&step| step >= rough * 0.999).unwrap_or(nice[3]);
        if !has_two(step) {
            let finer = [5.0, 2.0, 1.0, 0.5, 0.2].map(|factor| factor * magnitude);
            let mut finer = finer.into_iter().filter(|&it| it < step * 0.999);
            step = finer.find(|&step| has_two(step)).unwrap_or(step);
        }
        let (first, last) = ends(step);
        Self {
            values: (first..=last).map(|nth| (nth as f64 * step) as f32).collect(),
            decimals: (-step.log10().floor()).clamp(0.0, 9.0) as usize,
        }
    }

    /// All with the same number of decimals.
    pub fn label(&self, value: f32) -> String {
        let decimals = self.decimals;
        if decimals > 5 {
            if value.abs() < 0.5 * 10_f32.powi(-(decimals as i32)) {
                return "0".to_owned();
            }
            let exponent = value.abs().log10().floor() as i32;
            let digits = (decimals as i32 + exponent).max(0) as usize;
            return with_minus_sign(&format!("{value:.digits$e}"));
        }
        let text = format!("{value:.decimals$}");
        // Rounding to zero may leave a sign.
        let is_zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
        if is_zero { text.replace('-', "") } else { with_minus_sign(&text) }
    }
}

fn with_minus_sign(text: &str) -> String {
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
