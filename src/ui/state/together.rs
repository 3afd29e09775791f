//! Jobs that carry out one thing that was asked for: how far it is is told of all of them as one, and never
//! goes back.

use std::collections::BTreeMap;

use super::jobs::JobKind;
use crate::session::Origin;
use crate::ui::pane::Pane;
use crate::worker::JobId;

/// What a job is a part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whole {
    /// What is shown of the chosen fact unasked.
    Answers,

    /// The traces of the chosen fact that are made unasked.
    QuickTraces,

    /// What a person has asked of a view, of both rows or one, by the number of the command.
    Asked(u64, Pane),

    /// The estimates of the traces that a command has asked for.
    Previews(u64),
    Alone(JobId),
}

impl Whole {
    /// `command`: the number of the one that is carried out.
    pub(super) fn of(kind: &JobKind, id: JobId, command: u64) -> Self {
        match *kind {
            JobKind::Run { pane: Pane::Trace, origin: Origin::Unasked, .. } => Self::QuickTraces,
            JobKind::Run { origin: Origin::Unasked, .. } => Self::Answers,
            JobKind::Run { pane, origin: Origin::Asked, .. } => Self::Asked(command, pane),
            JobKind::Run { origin: Origin::Preview, .. } => Self::Previews(command),
            _ => Self::Alone(id),
        }
    }
}

/// How far all that is asked is, while some of it is open.
#[derive(Debug, Default)]
pub(super) struct Wholes(BTreeMap<Whole, Count>);

#[derive(Debug, Default)]
struct Count {
    n_jobs: usize,
    n_ended: usize,

    /// The largest share that was done, 0 to 1: jobs may be added on the way.
    farthest: f32,
}

impl Wholes {
    /// A job is added.
    pub(super) fn add(&mut self, whole: Whole) {
        self.0.entry(whole).or_default().n_jobs += 1;
    }

    /// Some jobs have advanced. `open`: how far all the open ones are together, in jobs.
    pub(super) fn advance(&mut self, whole: Whole, open: f32) {
        if let Some(count) = self.0.get_mut(&whole) {
            let share = (count.n_ended as f32 + open) / count.n_jobs.max(1) as f32;
            count.farthest = count.farthest.max(share);
        }
    }

    /// A job has ended.
    pub(super) fn end(&mut self, whole: Whole) {
        if let Some(count) = self.0.get_mut(&whole) {
            count.n_ended += 1;
            if count.n_ended == count.n_jobs {
                self.0.remove(&whole);
            }
        }
    }

    /// How many jobs it has, those that have ended counted too.
    pub(super) fn n_jobs(&self, whole: Whole) -> usize {
        self.0.get(&whole).map_or(1, |it| it.n_jobs)
    }

    /// 0 to 1.
    pub(super) fn fraction(&self, whole: Whole) -> f32 {
        self.0.get(&whole).map_or(0.0, |it| it.farthest)
    }
}
