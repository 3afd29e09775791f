//! What a question takes in memory, and what the machine has: what would take too much is asked about first.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ModelInfo;
use crate::analysis::{AnalysisSpec, Sizes};
use crate::tokens::TokenizedPrompt;

/// What the program itself takes beside any question: its code, a tokenizer, threads. In bytes.
const PROGRAM: u64 = 64 << 20;

/// What takes less of its own than this share of a machine's memory is not asked about: it is the model that
/// is large then, and it is open already.
const LITTLE: u64 = 16;

/// What is taken for the memory of a machine that does not say: few people's computers have more. In bytes.
const USUAL: u64 = 32 << 30;

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

    /// Whether a container allows less than the machine has.
    pub is_in_container: bool,
}

/// Why a question cannot have the memory that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// So much is free.
    Free { available: u64, is_in_container: bool },

    /// The system refuses to give so much to this program. `ulimit`: what it may have in all, if it was told so.
    Refused { ulimit: Option<u64> },

    /// The system does not say how much is free, and few machines have so much.
    Unknown,
}

/// Whether memory is asked for only to see whether it could be had.
static IS_PROBING: AtomicBool = AtomicBool::new(false);

/// Whether memory is asked for only to see whether it could be had, so that a refusal is no failure.
pub fn is_probing_memory() -> bool {
    IS_PROBING.load(Ordering::Relaxed)
}

/// Whether the system would give so many bytes now. They are given back at once, and never touched.
fn can_have(n_bytes: u64) -> bool {
    let Ok(n_bytes) = usize::try_from(n_bytes) else { return false };
    IS_PROBING.store(true, Ordering::Relaxed);
    let mut probe = Vec::<u8>::new();
    let is_had = probe.try_reserve_exact(n_bytes).is_ok();
    // What nobody looks at would never be asked for.
    std::hint::black_box(&mut probe);
    IS_PROBING.store(false, Ordering::Relaxed);
    is_had
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
    fn is_too_much_for(&self, machine: &SystemMemory) -> bool {
        self.own > machine.available.saturating_add(machine.process_own)
    }

    /// Why the memory cannot be had, if it cannot. `machine`: `None` where the system does not say what it has.
    pub fn lack(&self, machine: Option<&SystemMemory>) -> Option<Lack> {
        let Some(machine) = machine else {
            return (self.own > USUAL).then_some(Lack::Unknown).or_else(|| refusal(self.own));
        };
        let &SystemMemory { available, is_in_container, process_own, .. } = machine;
        if self.is_too_much_for(machine) {
            return Some(Lack::Free { available, is_in_container });
        }
        refusal(self.own.saturating_sub(process_own))
    }
}

fn refusal(n_bytes: u64) -> Option<Lack> {
    (!can_have(n_bytes)).then(|| Lack::Refused { ulimit: ulimit() })
}

/// What the shell or the batch system lets this program have of addresses, if that is limited. In bytes.
#[cfg(target_os = "linux")]
fn ulimit() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn ulimit() -> Option<u64> {
    None
}

/// `1.2 GB are free`
impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free { available, is_in_container: false } => {
                write!(f, "{} are free", bytes_text(*available))
            }
            Self::Free { available, is_in_container: true } => {
                write!(
                    f,
                    "{} are free of what the container (cgroup) has, which its memory.max sets",
                    bytes_text(*available)
                )
            }
            Self::Refused { ulimit: Some(most) } => {
                let most = bytes_text(*most);
                write!(
                    f,
                    "this program may have {most} in all, the code and the weights with it (`ulimit -v`)"
                )
            }
            Self::Refused { ulimit: None } => f.write_str("the system refuses to give so much"),
            Self::Unknown => f.write_str("the system does not say how much is free"),
        }
    }
}

/// `about 3.4 GB of memory, 0.3 GB of it beside the weights`
impl fmt::Display for MemoryNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
            // Some containers say less of a process than Linux itself does.
            process: kilobytes(&status, "VmRSS").unwrap_or(0),
            process_own: kilobytes(&status, "RssAnon").unwrap_or(0),
            process_peak: kilobytes(&status, "VmHWM").unwrap_or(0),
            total: kilobytes(&machine, "MemTotal")?,
            available: kilobytes(&machine, "MemAvailable")
                .or_else(|| kilobytes(&machine, "MemFree"))?,
            is_in_container: false,
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
            is_in_container: limit.saturating_sub(used) < self.available,
            ..self
        }
    }
}

/// The limit of the container that this process is kept in, and what is used of it, if there is a limit
/// (cgroups of the second version). Of the groups that lie in each other it is the one that leaves least.
#[cfg(target_os = "linux")]
fn container() -> Option<(u64, u64)> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    narrowest(std::path::Path::new("/sys/fs/cgroup"), group)
}

#[cfg(target_os = "linux")]
fn narrowest(root: &std::path::Path, group: &str) -> Option<(u64, u64)> {
    let dir = root.join(group);
    let within = dir.ancestors().take_while(|it| it.starts_with(root));
    let limit = |dir: &std::path::Path| {
        let text = |name: &str| std::fs::read_to_string(dir.join(name)).ok();
        let number = |name: &str| text(name)?.trim().parse::<u64>().ok();
        let (limit, used) = (number("memory.max")?, number("memory.current")?);
        // Files that were read, weights among them, are given up where there is need.
        let stat = text("memory.stat").unwrap_or_default();
        let of = |name: &str| {
            let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
            lines.find(|it| it.0 == name).and_then(|it| it.1.parse::<u64>().ok()).unwrap_or(0)
        };
        Some((limit, used.saturating_sub(of("file").saturating_sub(of("shmem")))))
    };
    within.filter_map(limit).min_by_key(|(limit, used): &(u64, u64)| limit.saturating_sub(*used))
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
            is_in_container: false,
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
            let told = need.lack(Some(&machine)).is_some_and(|it| matches!(it, Lack::Free { .. }));
            assert_eq!(told, is_too_much, "{own} and {weights}");
            // Where nothing is known of the machine, what few have is refused.
            assert_eq!(need.lack(None) == Some(Lack::Unknown), own > 32);
        }
    }

    #[test]
    fn more_than_any_system_gives_is_refused_and_little_is_not() {
        assert!(can_have(1 << 20));
        assert!(!can_have(1 << 60) && !can_have(u64::MAX));
        assert!(!is_probing_memory());
        let text = Lack::Refused { ulimit: Some(2_000_000_000) }.to_string();
        assert!(text.contains("2.0 GB") && text.contains("ulimit -v"), "{text}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_narrowest_of_the_groups_that_lie_in_each_other_counts() {
        let root = tempfile::tempdir().unwrap();
        let group = |name: &str, max: &str, used: &str| {
            let dir = root.path().join(name);
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join("memory.max"), max).unwrap();
            std::fs::write(dir.join("memory.current"), used).unwrap();
        };
        group("a/b/c", "max\n", "5\n");
        assert_eq!(narrowest(root.path(), "a/b/c"), None);
        group("a", "1000\n", "400\n");
        group("a/b", "900\n", "10\n");
        assert_eq!(narrowest(root.path(), "a/b/c"), Some((1000, 400)));
        group("a/b/c", "100\n", "50\n");
        assert_eq!(narrowest(root.path(), "a/b/c"), Some((100, 50)));
        // What is kept of files is free.
        let stat = "anon 10\nfile 45\nfile_mapped 3\nshmem 5\n";
        std::fs::write(root.path().join("a/b/c/memory.stat"), stat).unwrap();
        assert_eq!(narrowest(root.path(), "a/b/c"), Some((100, 10)));
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
        assert!(kept.is_in_container || memory.available <= 1 << 29);
    }
}
