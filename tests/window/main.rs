//! The window without a display: what it draws, and what clicks do.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod accessible;
mod app;
mod attention;
mod jobs;
mod keys;
mod patching;
mod studies;
mod memory;
mod session;
mod support;
mod trust;
mod views;
mod workspace;
