//! Views over immutable results. Nothing here computes; clicks become commands.

use std::path::PathBuf;

use crate::tokens::Bos;
use crate::worker::DeviceChoice;

pub mod theme;
pub mod view;
pub mod views;
pub mod widgets;

/// What the window opens with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A model folder.
    pub model: Option<PathBuf>,

    /// A dataset file.
    pub facts: Option<PathBuf>,

    pub device: DeviceChoice,
    pub bos: Bos,
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    #[error("no display was found")]
    NoDisplay,
}

/// Opens the window, and returns when it is closed.
pub fn run(_options: Options) -> Result<(), WindowError> {
    Err(WindowError::NoDisplay)
}
