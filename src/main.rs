//! The program: `factscope::cli` has all there is to it.

use std::path::Path;

/// Passes of a model take and give back large blocks all the time. The system's allocator returns
/// each to the kernel, which then clears it page by page when it is asked for again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
