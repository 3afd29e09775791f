//! Progress on stderr, with the time left. Nothing is shown where stderr is no terminal. What a request asks
//! for tells its progress in lines of JSON.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::machine::Machine;
use super::serve::Request;
use super::terminal;
use crate::task::Progress;

/// The time between two lines of progress.
const TOLD_EVERY: Duration = Duration::from_millis(100);

pub(super) struct Bar {
    drawn: ProgressBar,

    /// The request that is told, if it wants to be.
    request: Option<Rc<Request>>,
    told: Cell<Option<Instant>>,
}

impl Bar {
    pub fn new(machine: &Machine, what: &'static str) -> Self {
        let target = if machine.quiet || machine.request.is_some() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(5)
        };
        let style = ProgressStyle::with_template("{msg} [{bar:30}] {percent:>3}%, {eta} left")
            .expect("the template is valid")
            .progress_chars("=> ");
        let drawn = ProgressBar::with_draw_target(Some(0), target).with_style(style);
        drawn.set_message(what);
        let request = machine.request.clone().filter(|_| !machine.quiet);
        Self { drawn, request, told: Cell::new(None) }
    }

    pub fn say(&self, what: impl Into<Cow<'static, str>>) {
        self.drawn.set_message(terminal::shown(what));
        self.drawn.reset();
    }

    /// Says something else of the same work, whose time left stays.
    pub fn note(&self, what: impl Into<Cow<'static, str>>) {
        self.drawn.set_message(terminal::shown(what));
    }

    pub fn set(&self, progress: Progress) {
        self.drawn.set_length(progress.total);
        let is_first = self.drawn.position() == 0;
        self.drawn.set_position(progress.done);
        if is_first {
            // Work that goes on begins in the middle, which says nothing of its speed.
            self.drawn.reset_eta();
        }
        let is_due = self.told.get().is_none_or(|it| it.elapsed() >= TOLD_EVERY);
        if let (Some(request), true) = (&self.request, is_due) {
            self.told.set(Some(Instant::now()));
            let left = (progress.done > 0).then(|| self.drawn.eta());
            request.progress(progress, &self.drawn.message(), left);
        }
    }

    /// Prints something between two pictures of the bar.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.drawn.suspend(print)
    }

    pub fn finish(&self) {
        self.drawn.finish_and_clear();
    }
}
