//! Progress on stderr, with the time left. Nothing is shown where stderr is no terminal.

use std::borrow::Cow;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::machine::Machine;
use super::terminal;
use crate::task::Progress;

pub(super) struct Bar(ProgressBar);

impl Bar {
    pub fn new(machine: &Machine, what: &'static str) -> Self {
        let target = if machine.quiet {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(5)
        };
        let style = ProgressStyle::with_template("{msg} [{bar:30}] {percent:>3}%, {eta} left")
            .expect("the template is valid")
            .progress_chars("=> ");
        let bar = ProgressBar::with_draw_target(Some(0), target).with_style(style);
        bar.set_message(what);
        Self(bar)
    }

    pub fn say(&self, what: impl Into<Cow<'static, str>>) {
        self.0.set_message(terminal::shown(what));
        self.0.reset();
    }

    /// Says something else of the same work, whose time left stays.
    pub fn note(&self, what: impl Into<Cow<'static, str>>) {
        self.0.set_message(terminal::shown(what));
    }

    pub fn set(&self, progress: Progress) {
        self.0.set_length(progress.total);
        self.0.set_position(progress.done);
    }

    /// Prints something between two pictures of the bar.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }

    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
