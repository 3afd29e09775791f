//! A file that is mapped into memory, and whether it is still as it was when it was opened.
//!
//! Weights are read where the file lies. Another program can write to the file under a computation, or
//! cut it short: then the system has no bytes for a page and sends SIGBUS, which ends a program. Here
//! such pages become zeros and the file is marked, so the computation ends, and whoever gives numbers
//! out asks [`MappedFile::is_as_opened`] first.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;

/// A file's bytes, which are read only when they are needed.
#[derive(Debug)]
pub(super) struct MappedFile {
    /// Dropped before the map, so that no handler looks after pages that are gone.
    #[cfg(unix)]
    guard: guard::Guard,
    map: Mmap,
    file: File,

    /// The file's length and time when it was opened.
    opened: Metadata,
}

impl MappedFile {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let opened = file.metadata()?;
        #[expect(unsafe_code, reason = "mapping a file is unsafe by nature")]
        // SAFETY: the map is only read. What happens if the file changes is said above.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| match error.kind() {
            io::ErrorKind::OutOfMemory => io::Error::new(
                error.kind(),
                "the system has no room for it in memory; raise the limit (`ulimit -v`, or that of the \
                 container)",
            ),
            _ => error,
        })?;
        Ok(Self {
            #[cfg(unix)]
            guard: guard::Guard::of(&map),
            map,
            file,
            opened,
        })
    }

    /// Whether nobody has written to the file since it was opened, so that what was read is what it
    /// held. A file that another took the name of is still there, unchanged.
    pub fn is_as_opened(&self) -> bool {
        #[cfg(unix)]
        if self.guard.is_torn() {
            return false;
        }
        // Where the system tells no times, only the length is compared.
        self.file.metadata().is_ok_and(|now| {
            now.len() == self.opened.len() && now.modified().ok() == self.opened.modified().ok()
        })
    }
}

impl Deref for MappedFile {
    type Target = Mmap;

    fn deref(&self) -> &Mmap {
        &self.map
    }
}

impl AsRef<[u8]> for MappedFile {
    fn as_ref(&self) -> &[u8] {
        &self.map
    }
}

/// What is done where the system has no bytes for a page of a mapped file.
#[cfg(unix)]
#[expect(unsafe_code, reason = "signals and maps are the C library's")]
mod guard {
    use std::ffi::{c_int, c_void};
    use std::mem::MaybeUninit;
    use std::ptr;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

    /// The addresses of a map, as the signal's handler finds them: without a lock, which the thread that
    /// is interrupted might hold.
    #[derive(Debug)]
    struct Region {
        start: AtomicUsize,

        /// 0 once the map is gone.
        end: AtomicUsize,
        is_torn: AtomicBool,
        next: *const Self,
    }

    /// The newest region. Regions are few and never freed, since a handler may be at any of them.
    static NEWEST: AtomicPtr<Region> = AtomicPtr::new(ptr::null_mut());

    /// What was done about SIGBUS before: Rust tells of an overflown stack so.
    static EARLIER: OnceLock<libc::sigaction> = OnceLock::new();

    /// Looks after a map as long as it is there.
    #[derive(Debug)]
    pub struct Guard(&'static Region);

    // SAFETY: a region's `next` never changes, and regions are never freed.
    unsafe impl Send for Region {}
    // SAFETY: as above; everything else in it is atomic.
    unsafe impl Sync for Region {}

    impl Guard {
        pub fn of(map: &[u8]) -> Self {
            EARLIER.get_or_init(install);
            let start = map.as_ptr() as usize;
            let region = Box::leak(Box::new(Region {
                start: AtomicUsize::new(start),
                end: AtomicUsize::new(start + map.len()),
                is_torn: AtomicBool::new(false),
                next: ptr::null(),
            }));
            let mut newest = NEWEST.load(Ordering::Acquire);
            loop {
                region.next = newest;
                let new = ptr::from_mut(region);
                match NEWEST.compare_exchange(newest, new, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => return Self(region),
                    Err(other) => newest = other,
                }
            }
        }

        /// Whether pages were lost.
        pub fn is_torn(&self) -> bool {
            self.0.is_torn.load(Ordering::Acquire)
        }
    }

    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.end.store(0, Ordering::Release);
        }
    }

    /// Sets the handler, and gives what was done before.
    fn install() -> libc::sigaction {
        let mut earlier = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: a zeroed `sigaction` is a valid one, and both pointers are to such.
        unsafe {
            let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_bus_error;
            action.sa_sigaction = handler as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(libc::SIGBUS, &raw const action, earlier.as_mut_ptr());
            earlier.assume_init()
        }
    }

    /// Only what may be called in a handler is called here: `mmap`, `sigaction`, and atomics.
    extern "C" fn on_bus_error(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
        // SAFETY: the system gives the address that was read.
        let address = unsafe { (*info).si_addr() } as usize;
        let mut at: *const Region = NEWEST.load(Ordering::Acquire);
        // SAFETY: regions are never freed.
        while let Some(region) = unsafe { at.as_ref() } {
            let end = region.end.load(Ordering::Acquire);
            if (region.start.load(Ordering::Acquire)..end).contains(&address) {
                // Marked before the zeros can be read.
                region.is_torn.store(true, Ordering::Release);
                if fill_with_zeros(address, end) {
                    return;
                }
                break;
            }
            at = region.next;
        }
        // No file of ours: the instruction runs again, and meets whoever came first.
        if let Some(earlier) = EARLIER.get() {
            // SAFETY: it is what the system gave.
            unsafe { libc::sigaction(libc::SIGBUS, earlier, ptr::null_mut()) };
        }
    }

    /// Puts zeros in place of a map's pages, from an address to the map's end.
    fn fill_with_zeros(address: usize, end: usize) -> bool {
        // SAFETY: these pages belong to a map that is still there, and whoever reads it sees other
        // numbers at most, which a file that changes may do at any time.
        unsafe {
            let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
            let start = address / page * page;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            let zeros =
                libc::mmap(start as *mut c_void, end - start, libc::PROT_READ, flags, -1, 0);
            zeros != libc::MAP_FAILED
        }
    }
}
