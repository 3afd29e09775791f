//! The program in a real window, on a display of its own, driven with keys and clicks.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod by_hand;
mod conditions;
mod display;
mod kept;
mod pictures;
