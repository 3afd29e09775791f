//! What is done before a program ends to which the system refuses memory: a window keeps what it has found.
//!
//! Rust ends a program that is given no memory, and an allocator may not panic in place of that. But it may
//! wait: the thread that was refused does so until the window's thread has written what is not saved.

use std::cell::Cell;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

/// How things stand: there is nobody who would keep anything, there is, memory was refused, and all is kept.
const NOBODY: u8 = 0;
const READY: u8 = 1;
const REFUSED: u8 = 2;
const KEPT: u8 = 3;

static STATE: AtomicU8 = AtomicU8::new(NOBODY);

/// How often a refused thread looks, and how often at most: the window may need the memory too, or be hidden.
const PAUSE: Duration = Duration::from_millis(20);
const N_PAUSES: usize = 1000;

thread_local! {
    /// Whether this is the thread that would be waited for.
    static IS_KEEPER: Cell<bool> = const { Cell::new(false) };
}

/// Says that this thread looks for [`is_memory_refused`] while jobs run, and then calls [`all_is_kept`].
pub fn keep_before_the_end() {
    IS_KEEPER.set(true);
    _ = STATE.compare_exchange(NOBODY, READY, Ordering::Relaxed, Ordering::Relaxed);
}

/// Whether the system has refused memory to another thread, which waits.
pub fn is_memory_refused() -> bool {
    STATE.load(Ordering::Relaxed) == REFUSED
}

/// Lets the thread go on that was refused memory, which ends the program.
pub fn all_is_kept() {
    STATE.store(KEPT, Ordering::Relaxed);
}

/// Waits until another thread has kept what was found, if one would. Asks for no memory: an allocator calls it.
pub fn wait_until_kept() {
    // A thread that ends has nothing of its own any more.
    if IS_KEEPER.try_with(Cell::get).unwrap_or(true) {
        return;
    }
    let told = STATE.compare_exchange(READY, REFUSED, Ordering::Relaxed, Ordering::Relaxed);
    if told.is_err_and(|it| it != REFUSED) {
        return;
    }
    for _ in 0..N_PAUSES {
        if !is_memory_refused() {
            return;
        }
        thread::sleep(PAUSE);
    }
}
