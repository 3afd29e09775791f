//! One question asked of many facts: what is about to be asked, and the sweep that is shown.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{FactId, Filter, State};
use crate::experiment::{Written, quoted};
use crate::facts::{Dataset, Direction};
use crate::figure::Figure;
use crate::population::{
    Behind, Chosen, Estimate, Goal, GroupBy, KnownBy, KnownWay, Manifest, NoGoal, OneBehind,
    Population, Selection, Shown, SweepSettings, Ways, Wording, flags_of,
};
use crate::ui::pane::Pane;
use crate::worker::{JobId, Which};

/// What the view of many facts shows.
#[derive(Debug, Default)]
pub struct Many {
    /// What is about to be asked.
    pub asking: Option<Asking>,

    /// The sweep that is shown, running or not.
    pub open: Option<OpenSweep>,

    /// Where sweeps lie that are given no other folder. `None` if there is no such place.
    pub home: Option<PathBuf>,
}

/// A question that is about to be asked of many facts.
#[derive(Debug)]
pub struct Asking {
    /// The view that it is from, and the model that is asked.
    pub pane: Pane,
    pub which: Which,
    pub written: Written,
    pub options: ManyOptions,
    pub estimate: Estimated,

    /// Whether the method draws anything.
    pub draws: bool,

    /// Whether a person has been told how long it takes, and has not answered yet.
    pub is_unsure: bool,
}

/// How a question is asked of many facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManyOptions {
    pub ways: Ways,
    pub known_by: KnownBy,
    pub wording: Wording,
    pub settings: SweepSettings,
    pub amount: Amount,

    /// The folder as it is typed. Empty for one in the user's folder for data.
    pub dir: String,
}

/// How many of the listed facts are asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    pub by: AmountBy,

    /// The time or the width, as it is typed.
    pub text: String,
}

/// By what it is chosen how many facts are asked, and how often is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AmountBy {
    /// All are asked, with the draws of the view.
    #[default]
    All,

    /// What is worth most for so much time.
    Time,

    /// What an interval so wide needs.
    Width,
}

impl Amount {
    /// `None` for all facts. The error says how a goal is typed.
    pub fn goal(&self) -> Result<Option<Goal>, NoGoal> {
        match self.by {
            AmountBy::All => Ok(None),
            AmountBy::Time => Goal::budget(&self.text).map(Some),
            AmountBy::Width => Goal::width(&self.text).map(Some),
        }
    }
}

/// What is known of how long a sweep takes.
#[derive(Debug)]
pub enum Estimated {
    Running(JobId),
    Known(Estimate),

    /// How many facts and draws were chosen, and why.
    Chosen(Chosen),

    /// Why the question cannot be asked of many facts, or that the estimate was stopped.
    Failed(String),
}

/// A sweep's folder as it is shown.
#[derive(Debug)]
pub struct OpenSweep {
    pub dir: PathBuf,

    /// The job that asks the facts, while there is one.
    pub job: Option<JobId>,
    pub view: SweepView,
    pub read: Option<Arc<ReadSweep>>,

    /// Whether a thread reads the folder or lays out its figure.
    pub is_reading: bool,

    /// Whether there may be more in the folder, and whether it is to be laid out otherwise.
    pub has_grown: bool,

    /// When it may be read again, so that reading takes a small part of the time.
    pub next: Instant,

    /// Why it cannot be read.
    pub error: Option<String>,

    /// The number whose facts are listed, and these.
    pub behind: Option<(Behind, Vec<OneBehind>)>,
}

/// What is shown of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SweepView {
    pub by: GroupBy,
    pub known: Option<KnownWay>,

    /// The ids of one or two relations. Empty shows all.
    pub relations: Vec<String>,
    pub direction: Option<Direction>,

    /// The name of one chart. `None` shows all but the recall and lists of what was largest.
    pub chart: Option<String>,

    /// See [`Shown::place`].
    pub place: Option<String>,
}

/// A sweep that was read, laid out as a view of it asks.
#[derive(Debug)]
pub struct ReadSweep {
    pub manifest: Manifest,
    pub population: Arc<Population>,
    pub view: SweepView,
    pub figure: Arc<Figure>,

    /// See [`crate::population::Laid::behind`].
    pub behind: Vec<Vec<Option<Behind>>>,

    /// How many bytes its parts had.
    pub n_bytes: u64,
}

impl SweepView {
    pub fn shown(&self) -> Shown {
        Shown {
            by: self.by,
            known: self.known,
            relations: self.relations.clone(),
            direction: self.direction,
            charts: self.chart.iter().cloned().collect(),
            place: self.place.clone(),
            ..Shown::default()
        }
    }
}

impl ReadSweep {
    /// What lies behind a place of a chart.
    pub fn behind(&self, chart: &str, nth: usize) -> Option<Behind> {
        let place = self.figure.charts.iter().position(|it| it.name() == chart)?;
        *self.behind.get(place)?.get(nth)?
    }

    /// The facts behind a number, the largest value first.
    pub fn facts_behind(&self, behind: &Behind) -> Vec<OneBehind> {
        self.population.behind(&self.view.shown(), behind)
    }

    /// A number with its facts, where the folder was read again.
    pub fn again(&self, behind: &Behind, before: &Self) -> Option<(Behind, Vec<OneBehind>)> {
        let behind = self.population.again(&self.view.shown(), behind, &before.population)?;
        Some((behind, self.facts_behind(&behind)))
    }

    pub fn is_whole(&self) -> bool {
        self.population.facts.len() >= self.manifest.n_asked
    }
}

impl Asking {
    /// How long the facts take, in seconds, and how many they are, each way counted. `n_listed`: how many
    /// the list shows. `None` while that is not known.
    pub fn cost(&self, n_listed: usize) -> Option<(f64, usize)> {
        match &self.estimate {
            Estimated::Known(estimate) => Some((estimate.secs_of(n_listed), n_listed)),
            Estimated::Chosen(chosen) => {
                Some((chosen.secs, chosen.n_facts * self.options.ways.directions().len()))
            }
            Estimated::Running(_) | Estimated::Failed(_) => None,
        }
    }
}

impl OpenSweep {
    pub fn new(dir: PathBuf, view: SweepView, job: Option<JobId>) -> Self {
        Self {
            dir,
            job,
            view,
            read: None,
            is_reading: false,
            has_grown: true,
            next: Instant::now(),
            error: None,
            behind: None,
        }
    }

    /// Whether the folder is to be read now, or laid out otherwise.
    pub fn is_due(&self, now: Instant) -> bool {
        let is_other = self.read.as_ref().is_some_and(|it| it.view != self.view);
        let is_other = is_other && self.error.is_none();
        !self.is_reading && (is_other || (self.has_grown && now >= self.next))
    }

    /// It took so long to read: the next time is not before ten times as long has passed.
    pub fn rest(&mut self, took: Duration) {
        self.next = Instant::now() + (10 * took).max(Duration::from_secs(1));
    }
}

/// What takes longer is asked about before it begins, in seconds.
pub const LONG: f64 = 600.0;

impl State {
    /// The facts that the list shows, as a sweep selects them. The error says to the user what is
    /// missing.
    pub fn listed(&self, options: &ManyOptions) -> Result<(PathBuf, Selection), String> {
        let dataset = self.facts.dataset.as_ref();
        let dataset = dataset.ok_or("Open a dataset first: it has the facts that are asked")?;
        let records: Vec<usize> = self.facts.found().iter().filter_map(record_of).collect();
        if records.is_empty() {
            return Err("The list shows no fact of the dataset".to_owned());
        }
        let filter = self.facts.filter();
        // What neither leaves a fact out nor names one.
        let Filter { relation, order, known_by, .. } = filter.clone();
        let of_relation = Filter { relation, known_by, order, ..Filter::default() };
        let is_plain = self.facts.query().trim().is_empty() && *filter == of_relation;
        let (relation, cases) = if is_plain {
            (filter.relation.clone(), None)
        } else {
            let id = |&nth: &usize| dataset.records[nth].id.clone();
            (None, Some(records.iter().map(id).collect::<BTreeSet<String>>()))
        };
        let ManyOptions { ways, known_by, wording, .. } = *options;
        let usual = Selection::default();
        let selection = Selection { ways, relation, cases, known_by, wording, ..usual };
        Ok((dataset.path.clone(), selection))
    }

    /// How many facts of the dataset the list shows, each way counted that is asked.
    pub fn n_listed(&self, ways: Ways) -> usize {
        let n = self.facts.found().iter().filter_map(record_of).count();
        n * ways.directions().len()
    }

    /// The folder of what is about to be asked: the one that is typed, or one in the user's folder for
    /// data, whose name follows from the question, so that the same question goes on with it.
    pub fn sweep_dir(
        &self,
        asking: &Asking,
        asked: &(PathBuf, Selection),
    ) -> Result<PathBuf, String> {
        let typed = asking.options.dir.trim();
        if !typed.is_empty() {
            let dir = PathBuf::from(typed);
            return Ok(std::path::absolute(&dir).unwrap_or(dir));
        }
        let home = self.many.home.as_ref();
        let home = home.ok_or("Type a folder for the numbers: there is no folder for data")?;
        let outline = &asking.written.outline;
        let mut question =
            format!("{}{asked:?}{:?}", asking.written.text(), asking.options.settings);
        if let Estimated::Chosen(Chosen { n_facts, n_samples, .. }) = &asking.estimate {
            _ = write!(question, "{:?}{n_facts}{n_samples:?}", asking.options.amount);
        }
        let hash = Sha256::digest(question.as_bytes());
        let hash: Vec<String> = hash[..4].iter().map(|it| format!("{it:02x}")).collect();
        let hash = hash.concat();
        let model = outline.model.file_stem().unwrap_or_default().to_string_lossy();
        let method = outline.spec.name().replace(' ', "-");
        Ok(home.join(format!("{method}_{model}_{}_{hash}", name_of(&asked.0))))
    }

    /// The command that asks what the sweep on screen asks, on one line.
    pub fn sweep_line(&self) -> Option<String> {
        let open = self.many.open.as_ref()?;
        let read = open.read.as_ref()?;
        let written = Written::parse(&read.manifest.spec.to_string(), Path::new("")).ok()?;
        let line = self.line_of(&written);
        Some(sweep_line(line.as_deref(), &read.manifest, &open.dir))
    }
}

fn record_of(id: &FactId) -> Option<usize> {
    match id {
        FactId::Record(nth) => Some(*nth),
        FactId::Typed(_) | FactId::Experiment => None,
    }
}

/// A dataset in the name of a folder.
fn name_of(facts: &Path) -> String {
    if facts == Path::new(Dataset::BUNDLED) {
        return "builtin".to_owned();
    }
    facts.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The command of a sweep. `asked`: the command of its question for one fact. Where no flags can say what
/// was asked, the sweep's folder stands for it.
fn sweep_line(asked: Option<&str>, manifest: &Manifest, dir: &Path) -> String {
    let folder = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy();
    let out = quoted(&folder);
    let (Some(asked), Some(flags)) = (asked, flags_of(manifest)) else {
        return format!("factscope sweep {} --out {out}", quoted(&dir.display().to_string()));
    };
    let spec = quoted(&format!("{folder}.json"));
    format!("{asked} --save-spec {spec} && factscope sweep {spec} {flags} --out {out}")
}
