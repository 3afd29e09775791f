//! How much memory is used for what, and what is given up when results take too much.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::{FactKey, Findings, Run, State};
use crate::analysis::AnalysisResult;
use crate::worker::SystemMemory;

/// Looking costs a few reads of the system's own files.
const INTERVAL: Duration = Duration::from_secs(2);

/// What results take, and what the system says.
#[derive(Debug, Default)]
pub struct Memory {
    /// Oldest first; those that were forgotten since are still here for a while.
    counted: Vec<(Weak<AnalysisResult>, u64)>,
    results: u64,
    n_results: usize,
    looked: Option<Instant>,
    system: Option<SystemMemory>,

    /// A machine's memory in place of that of this one, for tests.
    pub pretended: Option<SystemMemory>,
}

impl Memory {
    /// A result came, and takes as many bytes.
    pub fn add(&mut self, result: &Arc<AnalysisResult>, n_bytes: u64) {
        self.counted.push((Arc::downgrade(result), n_bytes));
        self.count();
    }

    /// Adds up those that are still there.
    fn count(&mut self) {
        self.counted.retain(|(result, _)| result.strong_count() > 0);
        self.results = self.counted.iter().map(|(_, n_bytes)| n_bytes).sum();
        self.n_results = self.counted.len();
    }

    /// Looks again if it is time to; else costs nothing.
    pub fn look(&mut self, now: Instant) {
        if self.looked.is_some_and(|then| now.saturating_duration_since(then) < INTERVAL) {
            return;
        }
        self.looked = Some(now);
        self.system = SystemMemory::read();
        self.count();
    }

    /// Bytes of values, as a session file has them before it is compressed.
    pub fn results(&self) -> u64 {
        self.results
    }

    pub fn n_results(&self) -> usize {
        self.n_results
    }

    /// `None` where the system does not say.
    pub fn system(&self) -> Option<SystemMemory> {
        self.pretended.or(self.system)
    }
}

impl State {
    /// Gives up the oldest results until the rest is within the limit. What is on screen stays, and
    /// so does what cannot be asked again. Returns how many were given up.
    pub fn evict(&mut self) -> usize {
        let limit = u64::from(self.preferences.results_limit_mb) << 20;
        if self.stored.is_some() || self.memory.results <= limit {
            return 0;
        }
        let rows = self.rows().filter_map(|row| self.key_of(row));
        let on_screen: Vec<FactKey> = rows.chain(self.spec.asked.iter().map(|it| it.key)).collect();
        let mut n_evicted = 0;
        let mut left = self.memory.results;
        for (result, n_bytes) in &self.memory.counted {
            if left <= limit {
                break;
            }
            let Some(result) = result.upgrade() else { continue };
            let aside = self.aside.iter_mut().flat_map(|it| it.findings.values_mut());
            let others = self.findings.iter_mut().filter(|(key, _)| !on_screen.contains(key));
            let mut others = others.map(|(_, findings)| findings).chain(aside);
            let is_gone = others.any(|findings| findings.give_up(&result));
            if is_gone {
                n_evicted += 1;
                left -= n_bytes;
            }
        }
        self.memory.count();
        n_evicted
    }

    /// Forgets everything that was found, and what is being found.
    pub fn forget_results(&mut self) {
        self.jobs.abandon(|kind| kind.finds_a_result());
        self.spec.asked = None;
        self.findings.clear();
        self.aside.clear();
        self.visited.clear();
        self.stop_waiting();
        self.memory.count();
    }
}

impl Findings {
    /// Gives a result up, unless it still grows. Whether it was here.
    fn give_up(&mut self, result: &Arc<AnalysisResult>) -> bool {
        let is_it = |run: &Run| run.result.as_ref().is_some_and(|it| Arc::ptr_eq(it, result));
        let n_before = self.runs.len();
        self.runs.retain(|run| run.is_running() || !is_it(run));
        self.runs.len() < n_before
    }
}
