//! Ctrl-C during long work: the first stops it so that what is done is written, the second ends the
//! process at once.

use super::complain;
use crate::task::CancelToken;

/// Listens from now on. Where the system allows no handler, a signal ends the process as it always
/// did.
#[cfg(unix)]
pub fn listen(cancel: &CancelToken) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::emulate_default_handler;

    let Ok(mut signals) = Signals::new([SIGHUP, SIGINT, SIGTERM]) else { return };
    let cancel = cancel.clone();
    _ = std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if cancel.is_cancelled() {
                _ = emulate_default_handler(signal);
            }
            cancel.cancel();
            complain("stopping; again ends at once");
        }
    });
}

/// Other systems end the process, and what was written stays.
#[cfg(not(unix))]
pub fn listen(_cancel: &CancelToken) {}
