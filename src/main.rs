//! The program: `factscope::cli` has all there is to it.

/// Passes of a model take and give back large blocks all the time. The system's allocator returns
/// each to the kernel, which then clears it page by page when it is asked for again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    factscope::cli::main()
}
