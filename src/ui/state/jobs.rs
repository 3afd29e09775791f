//! The jobs that the worker has been given and not answered yet.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::queue::{Asked, Queue};
use super::together::{Whole, Wholes};
use super::{FactKey, Recalled};
use crate::session::Origin;
use crate::task::{CancelToken, Progress};
use crate::ui::pane::Pane;
use crate::worker::{JobId, Stage, Which};

#[derive(Debug, Default)]
pub struct Jobs {
    open: BTreeMap<JobId, OpenJob>,
    n_given: u64,

    /// The commands that were carried out.
    n_commands: u64,
    wholes: Wholes,
    pub(super) queue: Queue,
}

#[derive(Debug)]
pub struct OpenJob {
    pub kind: JobKind,
    pub cancel: CancelToken,
    pub stage: Option<Stage>,
    pub progress: Option<Progress>,

    /// How long the worker was at it, known right before its end.
    pub took: Option<Duration>,

    /// `None` for what is shown unasked.
    pub asked: Option<Box<Asked>>,

    /// Where a question for a fact leaves its answer before it ends.
    pub answer: Arc<OnceLock<FactAnswer>>,
    pace: Pace,

    /// What the job is a part of, and how far that is, 0 to 1.
    whole: Whole,
    shown: f32,
}

/// What was recalled of a fact, and how many tokens its prompt has.
#[derive(Clone, Copy, Debug)]
pub struct FactAnswer {
    pub recalled: Recalled,
    pub n_pos: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobKind {
    Load(Which, PathBuf),
    CloseBeside,

    /// The main model is changed.
    Edit,

    /// A method is carried out for a view.
    Run {
        key: FactKey,
        pane: Pane,
        origin: Origin,
    },

    /// The hub is asked, for what this says.
    AskHub(String),

    /// Does the model know this fact of the dataset? Asked in the background.
    Recall(FactKey),

    /// A question is asked of many facts, for what this says.
    Many(Which, ManyJob),
}

/// What is done with a question that is asked of many facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ManyJob {
    /// A few facts are asked, to tell how long all take.
    Estimate,

    /// All are asked, and what is found is written to this folder.
    Sweep(PathBuf),

    /// What is asked of one of the facts is found again.
    Fact,
}

impl Jobs {
    /// A name for a new job, and the means to cancel it.
    pub fn add(&mut self, kind: JobKind) -> (JobId, CancelToken) {
        self.n_given += 1;
        let id = JobId(self.n_given);
        let cancel = CancelToken::default();
        let whole = Whole::of(&kind, id, self.n_commands);
        self.wholes.add(whole);
        let job = OpenJob {
            kind,
            cancel: cancel.clone(),
            stage: None,
            progress: None,
            took: None,
            asked: None,
            answer: Arc::default(),
            pace: Pace::default(),
            whole,
            shown: self.wholes.fraction(whole),
        };
        self.open.insert(id, job);
        (id, cancel)
    }

    /// Another command is carried out: what it asks for is a thing of its own.
    pub fn begin_command(&mut self) {
        self.n_commands += 1;
    }

    /// A job has advanced.
    pub fn advance(&mut self, id: JobId, progress: Progress, now: Instant) {
        let Some(job) = self.open.get_mut(&id) else { return };
        job.pace.advance(progress, now);
        job.progress = Some(progress);
        let whole = job.whole;
        self.look_at(whole);
    }

    /// A job begins a new stage.
    pub fn enter(&mut self, id: JobId, stage: Stage) {
        if let Some(job) = self.open.get_mut(&id) {
            job.stage = Some(stage);
            job.progress = None;
            job.pace = Pace::default();
        }
    }

    /// Tells all jobs of a whole how far that is.
    fn look_at(&mut self, whole: Whole) {
        let open = self.open.values().filter(|job| job.whole == whole);
        self.wholes.advance(whole, open.map(OpenJob::own_fraction).sum());
        let shown = self.wholes.fraction(whole);
        for job in self.open.values_mut().filter(|job| job.whole == whole) {
            job.shown = shown;
        }
    }

    /// How far all that was asked with a job is, such as `9 % of both` where that is two jobs.
    pub fn percent_of_all(&self, job: &OpenJob) -> String {
        let percent = job.percent();
        match self.wholes.n_jobs(job.whole) {
            1 => percent,
            2 => format!("{percent} of both"),
            n => format!("{percent} of all {n}"),
        }
    }

    /// Since the start.
    pub fn n_given(&self) -> u64 {
        self.n_given
    }

    pub fn get(&self, id: JobId) -> Option<&OpenJob> {
        self.open.get(&id)
    }

    pub fn get_mut(&mut self, id: JobId) -> Option<&mut OpenJob> {
        self.open.get_mut(&id)
    }

    pub fn remove(&mut self, id: JobId) -> Option<OpenJob> {
        let job = self.open.remove(&id)?;
        self.wholes.end(job.whole);
        self.look_at(job.whole);
        Some(job)
    }

    /// In the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = (JobId, &OpenJob)> {
        self.open.iter().map(|(id, job)| (*id, job))
    }

    /// Cancels some jobs; the worker's answers still come.
    pub fn cancel(&self, is_meant: impl Fn(&JobKind) -> bool) {
        for job in self.open.values().filter(|job| is_meant(&job.kind)) {
            job.cancel.cancel();
        }
    }

    /// Cancels a job, if it is not over.
    pub fn cancel_one(&self, id: JobId) {
        if let Some(job) = self.open.get(&id) {
            job.cancel.cancel();
        }
    }

    /// Cancels all jobs and forgets them: answers that still come are for nobody.
    pub fn abandon(&mut self, is_meant: impl Fn(&JobKind) -> bool) {
        self.cancel(&is_meant);
        let meant = self.open.iter().filter(|(_, job)| is_meant(&job.kind));
        for id in meant.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.remove(id);
        }
    }

    /// What a person has asked for.
    pub fn asked(&self) -> impl Iterator<Item = (JobId, &OpenJob)> {
        self.iter().filter(|(_, job)| job.kind.is_asked())
    }
}

impl OpenJob {
    /// How far all that was asked together is, 0 to 1. It never goes back.
    pub fn fraction(&self) -> f32 {
        self.shown
    }

    /// How far the job is by itself, 0 to 1.
    pub fn own_fraction(&self) -> f32 {
        // Before it has counted its steps there are none.
        let counted = self.progress.filter(|it| it.total > 0);
        let here = counted.map_or(0.0, Progress::fraction);
        match self.stage {
            None => here,
            Some(Stage::TestingDevice) => DEVICE_SHARE * here,
            Some(Stage::ReadingWeights) => DEVICE_SHARE + (1.0 - DEVICE_SHARE) * here,
        }
    }

    /// How far it is, in the same words wherever that is told: `9 %`, or `9.9 %` of many facts. No more than
    /// is done.
    pub fn percent(&self) -> String {
        let percent = f64::from(self.fraction()) * 100.0;
        if self.kind.is_sweep() {
            format!("{:.1} %", (percent * 10.0).floor() / 10.0)
        } else {
            format!("{:.0} %", percent.floor())
        }
    }

    /// Such as `about 3 min left`; nothing while it cannot be told.
    pub fn time_left(&self, now: Instant) -> Option<String> {
        Some(text(self.pace.left(self.progress?, now)?))
    }
}

impl JobKind {
    /// Whether a job of this kind is listed among the jobs while it runs.
    pub fn is_listed(&self) -> bool {
        matches!(self, Self::Load(..) | Self::Edit | Self::AskHub(_) | Self::Many(..))
            || self.is_asked()
    }

    /// The prompt that it is about.
    pub fn key(&self) -> Option<FactKey> {
        match self {
            Self::Run { key, .. } | Self::Recall(key) => Some(*key),
            Self::Load(..) | Self::CloseBeside | Self::Edit | Self::AskHub(_) | Self::Many(..) => {
                None
            }
        }
    }

    /// The view that shows what it finds.
    pub fn pane(&self) -> Option<Pane> {
        match self {
            Self::Run { pane, .. } => Some(*pane),
            Self::Load(..)
            | Self::CloseBeside
            | Self::Edit
            | Self::AskHub(_)
            | Self::Recall(_)
            | Self::Many(..) => None,
        }
    }

    /// The model that it is for.
    pub fn which(&self) -> Which {
        match self {
            Self::Load(which, _) | Self::Many(which, _) => *which,
            Self::CloseBeside => Which::Beside,
            _ => self.key().map_or(Which::Main, |key| key.which),
        }
    }

    /// Whether it ends with something that is kept.
    pub fn finds_a_result(&self) -> bool {
        matches!(self, Self::Run { .. })
    }

    /// Whether many facts are asked, and what is found is written to a folder.
    pub fn is_sweep(&self) -> bool {
        matches!(self, Self::Many(_, ManyJob::Sweep(_)))
    }

    /// Whether a person has asked a method for it.
    pub fn is_asked(&self) -> bool {
        matches!(self, Self::Run { origin: Origin::Asked, .. })
    }
}

/// The part of opening a model that is testing the device, roughly.
const DEVICE_SHARE: f32 = 0.2;

/// How fast a job advances, smoothed.
#[derive(Debug, Default)]
struct Pace {
    last: Option<(Instant, u64)>,

    /// Steps per second.
    rate: Option<f64>,
}

/// Shorter stretches tell more of the scheduler than of the job.
const STRETCH: Duration = Duration::from_millis(500);

/// How much of the rate the latest stretch makes up.
const WEIGHT: f64 = 0.25;

impl Pace {
    fn advance(&mut self, progress: Progress, now: Instant) {
        let Some((then, done)) = self.last else {
            self.last = Some((now, progress.done));
            return;
        };
        let passed = now.saturating_duration_since(then);
        if passed < STRETCH || progress.done <= done {
            return;
        }
        let rate = (progress.done - done) as f64 / passed.as_secs_f64();
        self.rate = Some(self.rate.map_or(rate, |old| old + WEIGHT * (rate - old)));
        self.last = Some((now, progress.done));
    }

    fn left(&self, progress: Progress, now: Instant) -> Option<Duration> {
        let (then, done) = self.last?;
        let secs = progress.total.saturating_sub(done) as f64 / self.rate?;
        let passed = now.saturating_duration_since(then).as_secs_f64();
        Duration::try_from_secs_f64((secs - passed).max(0.0)).ok()
    }
}

/// No finer than anyone can use.
fn text(left: Duration) -> String {
    let secs = left.as_secs();
    match secs {
        0..=1 => "a moment left".to_owned(),
        2..=9 => format!("{secs} s left"),
        10..=89 => format!("{} s left", (secs + 2) / 5 * 5),
        90..=5399 => format!("about {} min left", (secs + 30) / 60),
        _ => format!("about {} h left", (secs + 1800) / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Direction;
    use crate::tokens::Bos;
    use crate::ui::state::FactId;

    #[test]
    fn the_time_left_follows_a_steady_pace() {
        let start = Instant::now();
        let at = |secs: u64| start + Duration::from_secs(secs);
        let mut pace = Pace::default();
        for secs in 0..=10 {
            pace.advance(Progress { done: secs * 3, total: 90 }, at(secs));
        }
        let left = pace.left(Progress { done: 30, total: 90 }, at(10)).unwrap();
        assert!((left.as_secs_f64() - 20.0).abs() < 1e-6, "{left:?}");
    }

    #[test]
    fn nothing_is_said_of_a_job_that_has_not_moved() {
        let start = Instant::now();
        let mut pace = Pace::default();
        let progress = Progress { done: 0, total: 90 };
        pace.advance(progress, start);
        pace.advance(progress, start + Duration::from_secs(9));
        assert_eq!(pace.left(progress, start + Duration::from_secs(9)), None);
    }

    #[test]
    fn no_more_is_said_to_be_done_than_is() {
        let mut jobs = Jobs::default();
        let kinds = [
            JobKind::Many(Which::Main, ManyJob::Sweep(PathBuf::new())),
            JobKind::Many(Which::Main, ManyJob::Estimate),
        ];
        for (kind, expected) in kinds.into_iter().zip(["9.9 %", "9 %"]) {
            let (id, _) = jobs.add(kind);
            jobs.advance(id, Progress { done: 999, total: 10_000 }, Instant::now());
            assert_eq!(jobs.get(id).unwrap().percent(), expected);
        }
    }

    #[test]
    fn what_is_done_is_said_to_be_of_all_that_was_asked_with_it() {
        let mut jobs = Jobs::default();
        let trace = |which| JobKind::Run {
            key: FactKey::new(which, FactId::Experiment, Direction::Forward, Bos::Off),
            pane: Pane::Trace,
            origin: Origin::Asked,
        };
        let (first, _) = jobs.add(trace(Which::Main));
        jobs.advance(first, Progress { done: 1, total: 2 }, Instant::now());
        let told = |jobs: &Jobs, id| jobs.percent_of_all(jobs.get(id).unwrap());
        assert_eq!(told(&jobs, first), "50 %");
        let (second, _) = jobs.add(trace(Which::Beside));
        jobs.remove(first);
        jobs.advance(second, Progress { done: 1, total: 2 }, Instant::now());
        assert_eq!(told(&jobs, second), "75 % of both");
        // What another command asks is told for itself.
        jobs.begin_command();
        let (other, _) = jobs.add(trace(Which::Main));
        assert_eq!(told(&jobs, other), "0 %");
    }

    #[test]
    fn times_are_rounded_as_a_person_would() {
        let check = |secs: u64, expected: &str| {
            assert_eq!(text(Duration::from_secs(secs)), expected);
        };
        check(1, "a moment left");
        check(7, "7 s left");
        check(43, "45 s left");
        check(100, "about 2 min left");
        check(7200, "about 2 h left");
    }
}
