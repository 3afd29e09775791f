//! What is found, as Markdown: printed as it comes, and kept in a file.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

pub struct Report {
    text: String,
    path: Option<PathBuf>,

    /// Comparisons of results that did not hold.
    failures: Vec<String>,
}

impl Report {
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { text: String::new(), path, failures: Vec::new() }
    }

    pub fn title(&mut self, title: &str) -> anyhow::Result<()> {
        self.write(&format!("# {title}\n"))
    }

    pub fn section(&mut self, title: &str) -> anyhow::Result<()> {
        self.write(&format!("## {title}\n"))
    }

    /// A line of its own.
    pub fn say(&mut self, text: &str) -> anyhow::Result<()> {
        self.write(&format!("{text}\n"))
    }

    /// The first column is text, the others are numbers.
    pub fn table<const N: usize>(
        &mut self,
        heads: [&str; N],
        rows: &[[String; N]],
    ) -> anyhow::Result<()> {
        let heads = heads.map(str::to_owned);
        let all = || std::iter::once(&heads).chain(rows);
        let widths: [usize; N] = std::array::from_fn(|column| {
            all().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3)
        });
        let line = |row: &[String; N]| {
            let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let rule = widths.iter().enumerate().map(|(column, width)| {
            if column == 0 { "-".repeat(*width) } else { format!("{}:", "-".repeat(width - 1)) }
        });
        let rule = format!("| {} |\n", rule.collect::<Vec<_>>().join(" | "));
        let body: String = rows.iter().map(line).collect();
        self.write(&format!("{}{rule}{body}", line(&heads)))
    }

    /// Compares results: a line, and a failure if it does not hold.
    pub fn check(&mut self, check: &Check) -> anyhow::Result<()> {
        if !check.holds() {
            self.failures.push(check.to_string());
        }
        self.write(&format!("{check}\n"))
    }

    /// What did not agree.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Ends with an empty line, as Markdown separates blocks.
    fn write(&mut self, block: &str) -> anyhow::Result<()> {
        println!("{block}");
        self.text.push_str(block);
        self.text.push('\n');
        // After each block, so that a run that is stopped leaves what it has found.
        if let Some(path) = &self.path {
            fs::write(path, &self.text)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

/// The largest difference between two lists of results, and what is allowed.
pub struct Check {
    pub what: String,

    /// Nothing if they cannot be compared.
    pub difference: Option<f64>,
    pub tolerance: f64,
    pub n_compared: usize,
}

impl Check {
    /// Value by value. A value that is missing or not a number is not compared, it fails.
    pub fn new(
        what: impl Into<String>,
        found: &[Option<f64>],
        expected: &[Option<f64>],
        tolerance: f64,
    ) -> Self {
        let pairs = found.iter().zip(expected);
        let differences: Option<Vec<f64>> = pairs
            .map(|(found, expected)| Some((found.as_ref()? - expected.as_ref()?).abs()))
            .collect();
        let difference = differences
            .filter(|it| it.iter().all(|it| it.is_finite()) && found.len() == expected.len())
            .and_then(|it| it.into_iter().reduce(f64::max));
        Self { what: what.into(), difference, tolerance, n_compared: found.len() }
    }

    pub fn holds(&self) -> bool {
        self.difference.is_some_and(|it| it <= self.tolerance)
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = if self.holds() { "✔" } else { "✗ **differ**" };
        let Self { what, tolerance, n_compared, .. } = self;
        match self.difference {
            Some(difference) => write!(
                f,
                "{mark} {what}: largest difference {difference:.1e} over {n_compared} values, \
                 allowed {tolerance:.0e}"
            ),
            None => write!(f, "{mark} {what}: {n_compared} values cannot be compared"),
        }
    }
}

/// As `1.23 s` or `4.5 ms`.
pub fn secs(secs: f64) -> String {
    match secs {
        it if it >= 100.0 => format!("{it:.0} s"),
        it if it >= 10.0 => format!("{it:.1} s"),
        it if it >= 1.0 => format!("{it:.2} s"),
        it if it >= 0.01 => format!("{:.0} ms", it * 1e3),
        it => format!("{:.2} ms", it * 1e3),
    }
}

/// Operations per second, as GFLOP/s.
pub fn rate(n_operations: f64, secs: f64) -> String {
    format!("{:.0} GFLOP/s", n_operations / secs * 1e-9)
}

/// As `1.23 GiB`.
pub fn bytes(bytes: u64) -> String {
    format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30))
}

/// How many times as long the other takes.
pub fn times(other: f64, ours: f64) -> String {
    format!("{:.2} ×", other / ours)
}

pub fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
