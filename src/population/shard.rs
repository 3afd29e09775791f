//! A share of a sweep, for one of many machines.

use std::str::FromStr;

use super::selection::Task;

/// Every `count`-th fact from the `index`-th on. Typed from 1: `1/4` to `4/4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which share, from 0.
    pub index: usize,

    /// How many there are.
    pub count: usize,
}

/// A text names no shard, or the variables of a job array do not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}; give the share and how many there are, from 1/4 to 4/4")]
pub struct UnknownShard(String);

/// The variables in which job arrays say which task this is, how many there are, and from where they
/// count.
const JOBS: [[&str; 3]; 2] = [
    ["SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN"],
    ["JOB_COMPLETION_INDEX", "JOB_COMPLETIONS", ""],
];

impl Shard {
    /// The share that a job array says, of Slurm or Kubernetes. `None` outside of one. `read`: an
    /// environment variable.
    pub fn of_job(read: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, UnknownShard> {
        for [id, count, first] in JOBS {
            let Some(given) = read(id) else { continue };
            let number = |name: &str, text: &str| {
                let wrong = || UnknownShard(format!("{name} is `{text}`, which is no number"));
                text.trim().parse::<usize>().map_err(|_error| wrong())
            };
            let Some(of) = read(count) else {
                return Err(UnknownShard(format!(
                    "{id} is set, but {count}, which says how many tasks there are, is not"
                )));
            };
            let first_id = read(first).map_or(Ok(0), |text| number(first, &text))?;
            let (index, of) = (number(id, &given)?, number(count, &of)?);
            let index = index.checked_sub(first_id).filter(|it| *it < of).ok_or_else(|| {
                UnknownShard(format!(
                    "{id} is {index}, which is not among {of} tasks from {first_id} on in steps of 1"
                ))
            })?;
            return Ok(Some(Self { index, count: of }));
        }
        Ok(None)
    }

    /// The tasks of this share. Both ways of a fact are in one.
    pub fn of(self, tasks: Vec<Task>) -> Vec<Task> {
        let mut nth = None;
        let mut last = None;
        tasks
            .into_iter()
            .filter(|task| {
                if last != Some(task.record) {
                    last = Some(task.record);
                    nth = Some(nth.map_or(0, |it: usize| it + 1));
                }
                nth.unwrap_or(0) % self.count == self.index
            })
            .collect()
    }

    /// The name of its folder.
    pub fn folder(self) -> String {
        format!("shard-{}-of-{}", self.index + 1, self.count)
    }
}

impl FromStr for Shard {
    type Err = UnknownShard;

    fn from_str(text: &str) -> Result<Self, UnknownShard> {
        let unknown = || UnknownShard(format!("`{text}` is no share"));
        let (index, count) = text.split_once('/').ok_or_else(unknown)?;
        let number = |text: &str| text.trim().parse::<usize>().map_err(|_error| unknown());
        let (index, count) = (number(index)?, number(count)?);
        if index == 0 || index > count {
            Err(unknown())
        } else {
            Ok(Self { index: index - 1, count })
        }
    }
}
