//! Attention edges that are painted to be cut.

use std::collections::{BTreeMap, BTreeSet};

use super::FactKey;
use crate::analysis::edge_cut::Edge;

/// Attention edges that are painted to be cut, for each prompt its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Painted {
    edges: BTreeMap<FactKey, BTreeSet<Edge>>,
}

/// What a brush does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    Add(Edge),
    Remove(Edge),
    Toggle(Edge),
    Clear,
}

static NONE: BTreeSet<Edge> = BTreeSet::new();

impl Painted {
    pub fn of(&self, key: Option<FactKey>) -> &BTreeSet<Edge> {
        key.and_then(|key| self.edges.get(&key)).unwrap_or(&NONE)
    }

    pub fn iter(&self) -> impl Iterator<Item = (FactKey, &BTreeSet<Edge>)> {
        self.edges.iter().map(|(key, edges)| (*key, edges))
    }

    pub fn change(&mut self, key: FactKey, paint: Paint) {
        let edges = self.edges.entry(key).or_default();
        match paint {
            Paint::Add(edge) => {
                edges.insert(edge);
            }
            Paint::Remove(edge) => {
                edges.remove(&edge);
            }
            Paint::Toggle(edge) => {
                if !edges.remove(&edge) {
                    edges.insert(edge);
                }
            }
            Paint::Clear => edges.clear(),
        }
        if edges.is_empty() {
            self.edges.remove(&key);
        }
    }

    pub fn forget_some(&mut self, is_meant: impl Fn(FactKey) -> bool) {
        self.edges.retain(|key, _| !is_meant(*key));
    }

    /// The prompts are others.
    pub fn forget(&mut self) {
        self.edges.clear();
    }
}
