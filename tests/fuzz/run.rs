//! Carries out one target on one input, and says what is wrong with what it did.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::memory::peak_of;
use crate::targets::Target;

/// What a reader may take besides four times its input, in bytes.
const MEMORY_BESIDES: usize = 64 << 20;

/// The time for each begun MB.
const TIME: Duration = Duration::from_secs(1);

/// A reader that takes so long never ends.
const ENDLESS: Duration = Duration::from_mins(1);

/// A folder in memory where inputs lie as the files that they stand for.
pub struct Place {
    dir: TempDir,

    /// Holds the input that is read, as it was made, behind its length: what is left where the process
    /// ends.
    current: Option<File>,
}

thread_local! {
    /// What the last panic said, and where.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

impl Place {
    /// `keep`: a file to write each input to before it is read.
    pub fn new(target: &Target, keep: Option<PathBuf>) -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let dir = dir.unwrap();
        (target.beside)(dir.path());
        listen();
        Self { dir, current: keep.map(|it| File::create(it).unwrap()) }
    }

    /// Reads an input. The error says what a reader must not do, and did.
    pub fn read(&self, target: &Target, input: &[u8]) -> Result<(), String> {
        if let Some(mut file) = self.current.as_ref() {
            file.rewind().unwrap();
            file.write_all(&[&input.len().to_le_bytes(), input].concat()).unwrap();
        }
        let n_bytes = (target.place)(self.dir.path(), input);
        let most_time = TIME * (1 + n_bytes as u32 / (1 << 20));
        // Where it took long, the machine may have had other things to do: the processor's own time tells.
        for is_again in [false, true] {
            let (start, before) = (Instant::now(), if is_again { processor_time() } else { None });
            let (done, peak) = watched(|| {
                peak_of(|| catch_unwind(AssertUnwindSafe(|| (target.read)(self.dir.path()))))
            });
            if done.is_err() {
                return Err(format!("panic: {}", PANIC.take()));
            }
            let most = 4 * n_bytes + MEMORY_BESIDES;
            if peak > most {
                return Err(format!("{} MiB of memory for {n_bytes} bytes", peak >> 20));
            }
            let took = before.and_then(|it| processor_time()?.checked_sub(it));
            let took = took.unwrap_or_else(|| start.elapsed());
            if took <= most_time {
                return Ok(());
            }
            if is_again {
                return Err(format!("{took:?} for {n_bytes} bytes"));
            }
        }
        Ok(())
    }
}

/// The time that this process has had of the processor. `None` where the system does not tell.
fn processor_time() -> Option<Duration> {
    /// In ticks of a hundredth second: `utime` and `stime` of `proc(5)`, behind the name in brackets.
    const TICKS: std::ops::Range<usize> = 11..13;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = fields.get(TICKS)?.iter().map(|it| it.parse::<u64>().unwrap_or(0)).sum::<u64>();
    Some(Duration::from_millis(10 * ticks))
}

/// Keeps what readers say when they panic, in place of showing it.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if is_reading() {
                PANIC.with(|it| *it.borrow_mut() = info.to_string());
            } else {
                usual(info);
            }
        }));
        thread::Builder::new().name("watch".to_owned()).spawn(watch).unwrap();
    });
}

fn is_reading() -> bool {
    !COUNT.load(Ordering::Relaxed).is_multiple_of(2)
}

/// Counts up where an input begins to be read and where that ends: it is odd meanwhile.
static COUNT: AtomicU64 = AtomicU64::new(0);

fn watched<T>(run: impl FnOnce() -> T) -> T {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let done = run();
    COUNT.fetch_add(1, Ordering::Relaxed);
    done
}

/// Ends the process where one input is read for too long.
fn watch() {
    let (mut last, mut since) = (0, Instant::now());
    loop {
        thread::sleep(Duration::from_secs(1));
        let now = COUNT.load(Ordering::Relaxed);
        if now != last || now.is_multiple_of(2) {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() > ENDLESS {
            #[expect(clippy::print_stderr, reason = "the process ends here")]
            {
                eprintln!("a reader has not ended after {ENDLESS:?}");
            }
            std::process::abort();
        }
    }
}
