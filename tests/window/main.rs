//! The window without a display: what it draws, and what clicks do.

mod app;
mod views;
