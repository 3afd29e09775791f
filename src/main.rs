//! The program: `factscope::cli` has all there is to it.

use std::alloc::{GlobalAlloc, Layout};
use std::io::Write as _;
use std::path::Path;

use factscope::worker::{is_probing_memory, wait_until_kept};

/// Passes of a model take and give back large blocks all the time. The system's allocator returns
/// each to the kernel, which then clears it page by page when it is asked for again.
#[global_allocator]
static ALLOCATOR: Telling = Telling(mimalloc::MiMalloc);

/// Tells of memory that the system refuses, and lets a window keep what it has found. Rust ends a program then,
/// and says only how many bytes it wanted.
struct Telling(mimalloc::MiMalloc);

impl Telling {
    fn told(at: *mut u8, n_bytes: usize) -> *mut u8 {
        if at.is_null() && !is_probing_memory() {
            // Nobody can be told where stderr is closed, and nothing here may ask for memory.
            _ = writeln!(
                std::io::stderr(),
                "factscope: the system refuses {n_bytes} bytes of memory. Ask for less at once, end other \
                 programs, or raise the limit if there is one (`ulimit -v`; memory.max of a container). Files \
                 that are written are whole."
            );
            wait_until_kept();
        }
        at
    }
}

#[expect(unsafe_code, reason = "an allocator is unsafe by nature")]
// SAFETY: everything is left to mimalloc.
unsafe impl GlobalAlloc for Telling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        Self::told(unsafe { self.0.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        Self::told(unsafe { self.0.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        Self::told(unsafe { self.0.realloc(at, layout, size) }, size)
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { self.0.dealloc(at, layout) }
    }
}

fn main() -> std::process::ExitCode {
    keep_blocks_for_secs(30);
    name_runtime_dir();
    factscope::cli::main()
}

/// How long a free block waits to be asked for again. By default it is a second, and all that are
/// free when it has passed go back to the kernel: a fifth of a trace was spent on clearing them.
fn keep_blocks_for_secs(secs: std::ffi::c_long) {
    /// `mi_option_purge_delay`, in milliseconds, of mimalloc 3.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

    #[expect(unsafe_code, reason = "mimalloc's options are a C function")]
    // SAFETY: it stores a number, and no other thread runs yet.
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, 1000 * secs);
    }
}

/// Without a runtime folder, as in a job of cron, Mesa's Vulkan layer complains on stderr while it
/// looks for a Wayland display. In a folder that cannot be, it looks in silence.
fn name_runtime_dir() {
    const RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";

    let named = std::env::var_os(RUNTIME_DIR);
    if cfg!(target_os = "linux") && !named.is_some_and(|it| Path::new(&it).is_absolute()) {
        #[expect(unsafe_code, reason = "another thread could read the environment meanwhile")]
        // SAFETY: no other thread runs yet.
        unsafe {
            std::env::set_var(RUNTIME_DIR, "/dev/null");
        }
    }
}
