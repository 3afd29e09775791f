//! The end of the process from outside: by `kill`, by the end of a user's session, by a terminal that
//! closes. The window then closes as it should, and what was found and not saved is offered at the
//! next start.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use eframe::egui::Context;

/// Whether the process was told to end.
#[derive(Debug, Default)]
pub struct Ending {
    was_told: Arc<AtomicBool>,
}

impl Ending {
    pub fn was_told(&self) -> bool {
        self.was_told.load(Ordering::Relaxed)
    }

    /// Listens from now on, and wakes the window when the process is told to end. Told again, it ends
    /// at once.
    #[cfg(unix)]
    pub fn listen(ctx: &Context) -> Self {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        use signal_hook::flag;
        use signal_hook::iterator::Signals;

        let ending = Self::default();
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            let was_told = Arc::clone(&ending.was_told);
            // In this order: the first signal sets what the second finds. Where the system allows no
            // handler, the signal ends the process as it always did.
            _ = flag::register_conditional_default(signal, Arc::clone(&was_told));
            _ = flag::register(signal, was_told);
        }
        if let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) {
            let ctx = ctx.clone();
            // Without this thread the window hears of it at its next frame.
            _ = std::thread::Builder::new().name("ending".to_owned()).spawn(move || {
                for _ in signals.forever() {
                    ctx.request_repaint();
                }
            });
        }
        ending
    }

    /// Other systems close the window themselves.
    #[cfg(not(unix))]
    pub fn listen(_ctx: &Context) -> Self {
        Self::default()
    }
}

/// Says that the X server has gone, in place of Xlib, which then ends the process.
#[cfg(all(unix, not(target_os = "macos")))]
pub fn hear_lost_server() {
    use std::ffi::c_int;
    use std::io::Write as _;

    use x11_dl::xlib::{Display, Xlib};

    #[expect(unsafe_code, reason = "Xlib calls it")]
    #[expect(clippy::exit, reason = "Xlib would end the process after this")]
    unsafe extern "C" fn end(_: *mut Display) -> c_int {
        // Where even stderr is closed there is nobody to tell.
        _ = writeln!(
            std::io::stderr(),
            "factscope: the X server has gone, and the window with it; what was found is offered \
             at the next start"
        );
        std::process::exit(1)
    }

    // Without Xlib there is no window on an X server. What is opened here stays open for the window.
    let Ok(xlib) = Xlib::open() else { return };
    #[expect(unsafe_code, reason = "Xlib is a C library")]
    // SAFETY: the handler is a function of the program, which is there as long as Xlib is.
    unsafe {
        (xlib.XSetIOErrorHandler)(Some(end));
    }
}

/// Other systems have no X server.
#[cfg(not(all(unix, not(target_os = "macos"))))]
pub fn hear_lost_server() {}
