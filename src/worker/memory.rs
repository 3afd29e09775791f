//! What a question takes in memory, and what the machine has: what would take too much is asked about first.

use super::ModelInfo;
use crate::analysis::{AnalysisSpec, Sizes};
use crate::tokens::TokenizedPrompt;

/// What the program itself takes beside any question: its code, a tokenizer, threads. In bytes.
const PROGRAM: u64 = 64 << 20;

/// What takes less of its own than this share of a machine's memory is not asked about: it is the model that
/// is large then, and it is open already.
const LITTLE: u64 = 16;

/// About what a question has in memory at its peak, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryNeed {
    /// Beside the weights.
    pub own: u64,

    /// The weights, which are read as they lie in their file; the system takes that memory back when it needs
    /// room, and reads them again.
    pub weights: u64,
}

/// What this process has in memory, and the machine. In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemMemory {
    /// What this process has in memory.
    pub process: u64,

    /// The part of it that no file stands behind: weights that are read as they lie on disk are not
    /// in it.
    pub process_own: u64,

    /// The most that this process has had in memory.
    pub process_peak: u64,

    /// Of the whole machine, or of the container that this process is kept in.
    pub total: u64,
    pub available: u64,
}

impl ModelInfo {
    /// About what it takes in memory to ask the model about a prompt.
    pub fn memory_need(&self, prompt: &TokenizedPrompt, spec: &AnalysisSpec) -> MemoryNeed {
        let sizes = Sizes::new(&self.config, prompt);
        MemoryNeed { own: PROGRAM.saturating_add(spec.memory(&sizes)), weights: self.n_bytes }
    }
}

impl MemoryNeed {
    pub fn total(&self) -> u64 {
        self.own.saturating_add(self.weights)
    }

    /// Whether so much is asked about before it begins: with the weights it is more than half of the machine's
    /// memory, and not because of the weights alone.
    pub fn is_much_for(&self, machine: &SystemMemory) -> bool {
        self.total() > machine.total / 2 && self.own > machine.total / LITTLE
    }

    /// Whether what is not in the weights' file is more than there is.
    pub fn is_too_much_for(&self, machine: &SystemMemory) -> bool {
        self.own > machine.available.saturating_add(machine.process_own)
    }
}

/// `about 3.4 GB of memory, 0.3 GB of it beside the weights`
impl std::fmt::Display for MemoryNeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (total, own) = (bytes_text(self.total()), bytes_text(self.own));
        write!(f, "about {total} of memory, {own} of it beside the weights")
    }
}

impl SystemMemory {
    /// `None` where the system does not say.
    #[cfg(target_os = "linux")]
    pub fn read() -> Option<Self> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let machine = std::fs::read_to_string("/proc/meminfo").ok()?;
        let memory = Self {
            process: kilobytes(&status, "VmRSS")?,
            process_own: kilobytes(&status, "RssAnon")?,
            process_peak: kilobytes(&status, "VmHWM")?,
            total: kilobytes(&machine, "MemTotal")?,
            available: kilobytes(&machine, "MemAvailable")?,
        };
        Some(match container() {
            Some((limit, used)) => memory.within(limit, used),
            None => memory,
        })
    }

    #[cfg(not(target_os = "linux"))]
    pub fn read() -> Option<Self> {
        None
    }

    /// The machine's memory where no more than `limit` bytes may be used, of which `used` are.
    #[cfg(target_os = "linux")]
    fn within(self, limit: u64, used: u64) -> Self {
        Self {
            total: self.total.min(limit),
            available: self.available.min(limit.saturating_sub(used)),
            ..self
        }
    }
}

/// The limit of the container that this process is kept in, and what is used of it, if there is a limit
/// (cgroups of the second version).
#[cfg(target_os = "linux")]
fn container() -> Option<(u64, u64)> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let dir = std::path::Path::new("/sys/fs/cgroup").join(group);
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).ok()?.trim().parse().ok();
    Some((read("memory.max")?, read("memory.current")?))
}

/// `VmRSS:     1234 kB` as bytes.
#[cfg(target_os = "linux")]
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// `412 MB`
pub fn bytes_text(n_bytes: u64) -> String {
    const UNITS: [(&str, f64); 3] = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let bytes = n_bytes as f64;
    let Some((unit, one)) = UNITS.into_iter().find(|(_, one)| bytes >= *one) else {
        return format!("{n_bytes} B");
    };
    let value = bytes / one;
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_long_as_they_need_be() {
        let check = |n_bytes: u64, expected: &str| assert_eq!(bytes_text(n_bytes), expected);
        check(999, "999 B");
        check(1500, "1.5 kB");
        check(412_000_000, "412 MB");
        check(3_200_000_000, "3.2 GB");
    }

    #[test]
    fn much_is_half_of_a_machine_and_too_much_is_what_it_has_not() {
        let gb = 1 << 30;
        let machine = SystemMemory {
            process: 4 * gb,
            process_own: gb,
            process_peak: 4 * gb,
            total: 16 * gb,
            available: 6 * gb,
        };
        for (own, weights, is_much, is_too_much) in [
            (5, 2, false, false),
            (6, 3, true, false),
            // The weights alone are much, and are open already.
            (1, 12, false, false),
            (2, 12, true, false),
            (8, 0, false, true),
            (u64::MAX / gb, 9, true, true),
        ] {
            let need = MemoryNeed { own: own * gb, weights: weights * gb };
            let found = (need.is_much_for(&machine), need.is_too_much_for(&machine));
            assert_eq!(found, (is_much, is_too_much), "{own} and {weights}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_says_what_this_process_has() {
        let held = vec![1_u8; 64 << 20];
        let memory = SystemMemory::read().unwrap();
        // A system that is short of memory may have put some of it aside by now.
        assert!(memory.process_own > held.len() as u64 / 2);
        assert!(memory.process >= memory.process_own && memory.total > memory.process);
        assert!(memory.process_peak >= memory.process);
        assert_eq!(kilobytes("VmRSSx: 1 kB\nVmRSS:\t  12 kB\n", "VmRSS"), Some(12 << 10));
        let kept = memory.within(1 << 30, 1 << 29);
        assert_eq!((kept.total, kept.available), (1 << 30, (1 << 29).min(memory.available)));
    }
}
