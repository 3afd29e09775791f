//! Numbers as text: enough digits, a real minus sign, ticks at round values.

/// A number with so many significant digits, in scientific notation where it would be long.
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

/// A number with five digits, exact enough to be copied into a paper.
pub fn exact(value: f32) -> String {
    significant(value, 5)
}

/// The sign for no number.
pub const NONE: &str = "–";

/// A number in a list: whole numbers as they are, others with four digits, a dash for none.
pub fn brief(value: f32) -> String {
    let value = unsigned_zero(value);
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
        let value = unsigned_zero(value);
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

/// A number with its sign, for contributions.
pub fn signed(value: f32, decimals: usize) -> String {
    with_minus_sign(&format!("{:+.decimals$}", unsigned_zero(value)))
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

/// Round values within a range, for an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticks {
    pub values: Vec<f32>,
    decimals: usize,
}

impl Ticks {
    /// At most `max` ticks, at multiples of 1, 2 or 5; but at least two, since one tells no scale.
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

    /// A tick's label; all labels of an axis have the same number of decimals.
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

/// Zero without a sign: the sum of no numbers is −0.
fn unsigned_zero(value: f32) -> f32 {
    if value == 0.0 { 0.0 } else { value }
}

fn with_minus_sign(text: &str) -> String {
    text.replace('-', "−")
}
