//! What waits to be given to the worker, in an order that can be changed, and what was done.
//!
//! The worker is given one long job at a time. What it has been given cannot be put in another order.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::jobs::{JobKind, Jobs, ManyJob, OpenJob};
use super::{Choices, FactKey, State};
use crate::analysis::AnalysisSpec;
use crate::task::CancelToken;
use crate::tokens::TokenizedPrompt;
use crate::ui::pane::Pane;
use crate::worker::{JobId, Which};

/// How many jobs are remembered.
const N_REMEMBERED: usize = 100;

/// What was chosen and set when something was asked, so that its result can be shown again.
#[derive(Clone, Debug)]
pub struct Asked {
    pub key: FactKey,
    pub pane: Pane,

    /// What the run is about, to follow its name: ` “The capital of France is”`, ` over 30 facts`. Empty
    /// where the weights alone are asked.
    pub about: String,

    /// The words of both prompts: another dataset may have other facts at the same places.
    pub texts: [Option<String>; 2],

    /// The model that was open beside the main one.
    pub model_beside: Option<PathBuf>,
    pub choices: Choices,
}

/// A job that is over.
#[derive(Clone, Debug)]
pub struct Ended {
    pub id: JobId,

    /// What it did, in a word or two.
    pub name: String,
    pub asked: Option<Asked>,
    pub outcome: Outcome,

    /// Without waiting.
    pub took: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Cancelled,
    Failed(String),
}

/// A method that is to be carried out, as it is given to the worker.
#[derive(Clone, Debug)]
pub struct Question {
    pub id: JobId,
    pub cancel: CancelToken,
    pub which: Which,
    pub prompt: Arc<TokenizedPrompt>,
    pub spec: AnalysisSpec,
}

/// Jobs that wait here, and jobs that are over.
#[derive(Debug, Default)]
pub struct Queue {
    /// First is next.
    held: Vec<Question>,

    /// Latest first.
    ended: VecDeque<Ended>,
}

impl Jobs {
    /// Whether a long job must wait here.
    pub fn is_busy(&self) -> bool {
        self.asked().any(|(id, _)| !self.is_held(id))
    }

    pub fn is_held(&self, id: JobId) -> bool {
        self.queue.held.iter().any(|job| job.id == id)
    }

    /// Keeps a job until it is its turn.
    pub fn hold(&mut self, question: Question) {
        self.queue.held.push(question);
    }

    /// Those that wait, the next first.
    pub fn held(&self) -> impl Iterator<Item = (JobId, &OpenJob)> {
        self.queue.held.iter().filter_map(|job| Some((job.id, self.get(job.id)?)))
    }

    /// What the worker is to be given now: the next long job if it has none, and what was cancelled
    /// while it waited, which it answers at once.
    pub fn release(&mut self) -> Vec<Question> {
        if self.queue.held.is_empty() {
            return Vec::new();
        }
        let is_open = |job: &Question, jobs: &Self| jobs.get(job.id).is_some();
        let held = std::mem::take(&mut self.queue.held);
        let (held, mut released): (Vec<Question>, Vec<Question>) = held
            .into_iter()
            .filter(|job| is_open(job, self))
            .partition(|job| !job.cancel.is_cancelled());
        self.queue.held = held;
        let mut others = self
            .asked()
            .filter(|(id, _)| !self.is_held(*id) && released.iter().all(|job| job.id != *id));
        if others.next().is_none() && !self.queue.held.is_empty() {
            drop(others);
            released.push(self.queue.held.remove(0));
        }
        released
    }

    /// One place towards the front, or towards the end.
    pub fn raise(&mut self, id: JobId) {
        self.swap(id, |nth| nth.checked_sub(1));
    }

    pub fn lower(&mut self, id: JobId) {
        self.swap(id, |nth| Some(nth + 1));
    }

    fn swap(&mut self, id: JobId, place: impl Fn(usize) -> Option<usize>) {
        let held = &mut self.queue.held;
        let nth = held.iter().position(|job| job.id == id);
        if let Some((nth, other)) = nth.and_then(|nth| Some((nth, place(nth)?)))
            && other < held.len()
        {
            held.swap(nth, other);
        }
    }

    /// Takes a job away, and remembers how it went.
    pub fn end(&mut self, id: JobId, outcome: Outcome) -> Option<OpenJob> {
        let job = self.remove(id)?;
        if let Some(name) = job.kind.name() {
            let took = job.took.unwrap_or_default();
            let asked = job.asked.as_deref().cloned();
            self.queue.ended.push_front(Ended { id, name, asked, outcome, took });
            self.queue.ended.truncate(N_REMEMBERED);
        }
        Some(job)
    }

    /// Latest first.
    pub fn ended(&self) -> impl ExactSizeIterator<Item = &Ended> {
        self.queue.ended.iter()
    }

    pub fn ended_at(&self, id: JobId) -> Option<&Ended> {
        self.queue.ended.iter().find(|it| it.id == id)
    }

    pub fn forget_ended(&mut self) {
        self.queue.ended.clear();
    }
}

impl State {
    /// What is chosen and set as a view asks something, to be shown again later. `None` for what is
    /// about none of the rows.
    pub fn asked(&self, pane: Pane, key: FactKey, about: String) -> Option<Asked> {
        Some(Asked {
            key,
            pane,
            about,
            texts: self.row_texts(),
            model_beside: self.model_of(Which::Beside).dir().cloned(),
            choices: Choices { row: self.row_of(key)?, ..self.choices() },
        })
    }

    /// Chooses and sets as it was when a job was asked for. The error says to the user what is not
    /// there any more; nothing changes then.
    pub fn go_back_to(&mut self, asked: &Asked) -> Result<(), String> {
        if self.model_of(Which::Beside).dir() != asked.model_beside.as_ref() {
            let text = match &asked.model_beside {
                Some(dir) => format!("It was asked with {} open beside", dir.display()),
                None => "It was asked with no second model open; close that first".to_owned(),
            };
            return Err(text);
        }
        let before = self.choices();
        // What was typed since stays in the list.
        let typed = before.typed.clone();
        self.choose(&Choices { typed, ..asked.choices.clone() });
        let shown = [self.selected, self.beside.map(|it| it.fact)];
        self.facts.list_also(&shown.into_iter().flatten().collect::<Vec<_>>());
        if self.row_texts() == asked.texts {
            return Ok(());
        }
        self.choose(&before);
        Err("Its fact is not in the list any more".to_owned())
    }
}

impl JobKind {
    /// `None` for what is too short to be told of.
    fn name(&self) -> Option<String> {
        Some(match self {
            Self::Load(which, dir) => {
                let name = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy();
                match which {
                    Which::Main => format!("Open {name}"),
                    Which::Beside => format!("Open {name} beside"),
                }
            }
            Self::Edit => "Change the model".to_owned(),
            Self::AskHub(what) => what.clone(),
            Self::Many(_, ManyJob::Estimate) => "How long many facts take".to_owned(),
            Self::Many(_, ManyJob::Sweep(dir)) => {
                let name = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy();
                format!("Many facts: {name}")
            }
            Self::Run { pane: Pane::Spec, .. } => "Experiment".to_owned(),
            Self::Run { pane, .. } if self.is_asked() => pane.text().to_owned(),
            Self::CloseBeside
            | Self::Run { .. }
            | Self::Recall(_)
            | Self::Many(_, ManyJob::Fact) => return None,
        })
    }
}

impl OpenJob {
    pub fn title(&self) -> String {
        self.kind.name().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::FactId;
    use super::*;
    use crate::analysis::prediction;
    use crate::facts::Direction;
    use crate::session::Origin;
    use crate::tokens::Bos;

    fn study(jobs: &mut Jobs) -> JobId {
        let key = FactKey::new(Which::Main, FactId::Record(0), Direction::Forward, Bos::Off);
        let is_busy = jobs.is_busy();
        let (pane, origin) = (Pane::Ablation, Origin::Asked);
        let (id, cancel) = jobs.add(JobKind::Run { key, pane, origin });
        let prompt = Arc::new(TokenizedPrompt::empty());
        let spec = AnalysisSpec::Prediction(prediction::Spec { n_top: 1 });
        if is_busy {
            jobs.hold(Question { id, cancel, which: Which::Main, prompt, spec });
        }
        id
    }

    fn released(jobs: &mut Jobs) -> Vec<JobId> {
        jobs.release().into_iter().map(|job| job.id).collect()
    }

    #[test]
    fn long_jobs_are_given_one_at_a_time_in_the_order_that_is_wanted() {
        let mut jobs = Jobs::default();
        let [first, second, third] = [(); 3].map(|()| study(&mut jobs));
        assert!(!jobs.is_held(first) && jobs.is_held(second) && jobs.is_held(third));
        assert_eq!(released(&mut jobs), []);
        jobs.raise(third);
        jobs.raise(third);
        let held: Vec<JobId> = jobs.held().map(|(id, _)| id).collect();
        assert_eq!(held, [third, second]);
        jobs.end(first, Outcome::Done);
        assert_eq!(released(&mut jobs), [third]);
        assert_eq!(released(&mut jobs), []);
        jobs.end(third, Outcome::Failed("no".to_owned()));
        assert_eq!(released(&mut jobs), [second]);
        let ended: Vec<JobId> = jobs.ended().map(|it| it.id).collect();
        assert_eq!(ended, [third, first]);
    }

    #[test]
    fn what_is_cancelled_while_it_waits_is_answered_at_once() {
        let mut jobs = Jobs::default();
        let [_, second, third] = [(); 3].map(|()| study(&mut jobs));
        jobs.get(second).unwrap().cancel.cancel();
        assert_eq!(released(&mut jobs), [second]);
        jobs.lower(third);
        // Nobody waits for its answer.
        jobs.abandon(|_| true);
        assert_eq!(released(&mut jobs), []);
        assert_eq!(jobs.held().count(), 0);
    }
}
