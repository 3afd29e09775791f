//! What a sweep takes: a few facts are asked, and nothing is written.

use std::fmt::Write as _;
use std::time::Instant;

use super::left_out::reasons_of;
use super::part::to_bytes;
use super::plan::Ready;
use super::selection::evenly_spaced;
use super::shard::Shard;
use crate::analysis::{AnalysisCtx, AnalysisError};
use crate::figure::number::with_thousands;
use crate::task::Progress;
use crate::worker::SystemMemory;

/// How many facts with a result are timed, after one that is not counted.
const N_TIMED: usize = 4;

/// How many facts are tried at most until so many have a result.
const N_TRIED: usize = 10 * N_TIMED;

/// What a fact takes, of a few that were asked.
#[derive(Clone, Debug)]
pub struct Estimate {
    pub n_tried: usize,

    /// How many of them were timed.
    n_timed: usize,
    secs: f64,
    bytes: f64,
    numbers: f64,
    n_left_out: usize,

    /// Why facts were left out, a line each.
    reasons: Vec<String>,

    /// The most memory that the process has had, in bytes, where the system says it.
    memory: Option<f64>,
}

impl Estimate {
    /// Asks facts, evenly spaced, until a few have a result. Those that are left out on the way are timed too,
    /// as they will take their time among all.
    pub fn of(ready: &Ready<'_>, ctx: &AnalysisCtx<'_>) -> Result<Self, AnalysisError> {
        let tasks = &ready.tasks;
        let mut start = Instant::now();
        let (mut found, mut secs, mut n_with_result) = (Vec::new(), 0.0, 0);
        // How far one of them is would be told as how far all are.
        let quiet = ctx.reporting(&|_| ());
        let total = tasks.len().min(N_TIMED + 1) as u64;
        for nth in evenly_spaced(tasks.len()).take(N_TRIED) {
            ctx.task.checkpoint(Progress { done: n_with_result as u64, total })?;
            let asked = ready.sweep.try_out(tasks[nth], &quiet)?;
            n_with_result += usize::from(asked.note.left_out.is_none());
            found.push(asked);
            secs = start.elapsed().as_secs_f64();
            if found.len() == 1 && tasks.len() > 1 {
                // The first waits for the weights to be checked.
                start = Instant::now();
            }
            if n_with_result > N_TIMED {
                break;
            }
        }
        let n = found.len();
        let n_timed = n.saturating_sub(1).max(1);
        let bytes = to_bytes(&found, "", "").map_or(0, |it| it.len());
        let numbers: usize = found.iter().map(|it| it.numbers.len()).sum();
        Ok(Self {
            n_tried: n,
            n_timed,
            secs: secs / n_timed as f64,
            bytes: bytes as f64 / n as f64,
            numbers: numbers as f64 / n as f64,
            n_left_out: n - n_with_result,
            reasons: reasons_of(found.iter().map(|it| &it.note)),
            memory: SystemMemory::read().map(|it| it.process_peak as f64),
        })
    }

    /// How long so many facts take, in seconds.
    pub fn secs_of(&self, n_facts: usize) -> f64 {
        self.secs * n_facts as f64
    }

    /// What so many facts take, in lines. `share`: which share of them this machine asks, and how many that
    /// are.
    pub fn text(&self, n_facts: usize, share: Option<(Shard, usize)>) -> String {
        let n = n_facts as f64;
        let secs = self.secs_of(n_facts);
        let mut text = format!(
            "{} facts, each way counted: about {} on this machine ({:.2} s a fact, by {} of them), {} \
             on disk, {} numbers",
            with_thousands(n_facts as u64),
            duration(secs),
            self.secs,
            self.n_timed,
            size(self.bytes * n),
            with_thousands((self.numbers * n) as u64),
        );
        if let Some(peak) = self.memory {
            _ = write!(text, ", {} of memory", size(peak));
        }
        let n = (secs / 3600.0).round();
        if let Some((shard, n_mine)) = share {
            let (n, of) = (n_mine as f64, with_thousands(n_mine as u64));
            let (secs, size) = (duration(self.secs_of(n_mine)), size(self.bytes * n));
            _ = write!(
                text,
                "; the share {}/{} is {of} of them: about {secs}, {size} on disk",
                shard.index + 1,
                shard.count
            );
        } else if n > 1.0 {
            _ = write!(text, "; with --shard on {n} such machines, about an hour");
        }
        text.push('\n');
        if self.n_left_out == self.n_tried {
            text.push_str(
                "none of the facts that were tried is asked, so this is what it takes to find that out; \
                 those that are asked take longer\n",
            );
        }
        if self.n_left_out > 0 {
            let n = self.n_tried;
            _ = writeln!(
                text,
                "{} of {n} facts that were tried would be left out",
                self.n_left_out
            );
            for reason in &self.reasons {
                _ = writeln!(text, "  {reason}");
            }
        }
        text
    }
}

/// A time in the unit that a person would use.
pub fn duration(secs: f64) -> String {
    match secs {
        _ if secs < 60.0 => format!("{secs:.1} s"),
        _ if secs < 3600.0 => format!("{:.0} min", secs / 60.0),
        _ => format!("{:.1} h", secs / 3600.0),
    }
}

fn size(n_bytes: f64) -> String {
    match n_bytes {
        _ if n_bytes < 1e6 => format!("{:.0} kB", n_bytes / 1e3),
        _ if n_bytes < 1e9 => format!("{:.1} MB", n_bytes / 1e6),
        _ => format!("{:.1} GB", n_bytes / 1e9),
    }
}
