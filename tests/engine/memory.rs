//! Counts the memory that a thread asks for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, which counts.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    /// The bytes that this thread has asked for and not given back, and the most so far.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

/// What a function gives, and the most bytes of memory that its thread held meanwhile.
pub fn peak_of<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let (before, _) = HELD.get();
    HELD.set((before, before));
    let result = run();
    let (_, peak) = HELD.get();
    (result, usize::try_from(peak - before).unwrap_or(0))
}

fn count(bytes: isize) {
    // A thread that ends has no counter any more.
    _ = HELD.try_with(|it| {
        let (held, peak) = it.get();
        let held = held + bytes;
        it.set((held, peak.max(held)));
    });
}

#[expect(unsafe_code, reason = "an allocator is unsafe by nature")]
// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[test]
fn memory_is_counted() {
    let (kept, peak) = peak_of(|| {
        drop(vec![1_u8; 1000]);
        vec![0_u8; 300]
    });
    assert!((1000..1100).contains(&peak), "{peak}");
    drop(kept);
}
