//! What a session file holds of the window: what was chosen, set, listed and in sight.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Filter, Recall, Recalls, Settings, SweepView};
use crate::analysis::edge_cut::Edge;
use crate::analysis::logit_attribution::Parts;
use crate::facts::Direction;
use crate::session::Session;
use crate::ui::row::Row;
use crate::ui::view::Selection;
use crate::ui::workspace::Workspace;
use crate::worker::Which;

/// What the window looked like.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Look {
    pub settings: Settings,

    /// The experiment as it is typed.
    #[serde(default)]
    pub spec_text: String,
    pub workspace: Workspace,

    /// The typed facts that are listed, into the session's facts. `None` in sessions of earlier versions,
    /// which list all.
    #[serde(default)]
    pub typed: Option<Vec<usize>>,

    /// The session file that was open.
    #[serde(default)]
    pub session: Option<PathBuf>,

    /// Into the session's facts.
    pub chosen: Option<usize>,

    /// The fact in the inverse's place, and which way it is asked there.
    #[serde(default)]
    pub beside: Option<(usize, Direction)>,

    /// The right answers that facts are asked for, of those that have several.
    #[serde(default)]
    pub answers: Vec<StoredAnswer>,

    #[serde(default)]
    pub painted: Vec<StoredEdges>,

    /// Which way two models are asked.
    #[serde(default)]
    pub asks: Direction,

    /// The row that is looked at.
    #[serde(alias = "direction")]
    pub row: Row,
    pub selection: Selection,
    pub parts: Parts,

    /// Whether the model knows the facts of the dataset, as far as that was asked.
    pub recall: Recall,

    /// Which facts the model knows with other changes, or with the other choice of BOS.
    #[serde(default)]
    pub recalls: Recalls,

    /// The folder of the sweep that was shown, and how.
    #[serde(default)]
    pub sweep: Option<(PathBuf, SweepView)>,

    /// What the list of facts was searched for, and how it was filtered.
    #[serde(default)]
    pub query: String,
    #[serde(default)]
    pub filter: Filter,
}

/// In the first two formats the text of the experiment is among the settings.
#[derive(Deserialize)]
struct FirstLook {
    settings: FirstSettings,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FirstSettings {
    spec_text: String,
}

impl Look {
    /// What the window looked like when a session was saved. `None` if another version wrote it
    /// otherwise.
    pub fn of(session: &Session) -> Option<Self> {
        let mut look: Self = session.window()?;
        if look.spec_text.is_empty() {
            let first: Option<FirstLook> = session.window();
            look.spec_text = first.map(|it| it.settings.spec_text).unwrap_or_default();
        }
        for found in &session.found {
            look.settings.studies.keep_window(&found.spec);
        }
        Some(look)
    }
}

/// Which of several right answers a fact is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// Into the session's facts.
    pub fact: usize,
    pub direction: Direction,

    /// Its place among the right answers.
    pub answer: usize,

    /// Whether a person has chosen it; else the model has found it likeliest.
    pub is_chosen: bool,
}

/// The attention edges that are painted on one prompt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredEdges {
    #[serde(default)]
    pub which: Which,

    /// Into the session's facts.
    pub fact: usize,
    pub direction: Direction,
    pub has_bos: bool,

    /// The answer that was asked for, as its place among the right ones. `None` in older sessions, which
    /// ask a fact for one answer only.
    #[serde(default)]
    pub answer: Option<usize>,
    pub edges: BTreeSet<Edge>,
}
