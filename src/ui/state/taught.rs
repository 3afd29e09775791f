//! What the open models were taught of the facts on screen, where that is known.

use std::path::Path;

use super::State;
use crate::builtin;
use crate::facts::{Dataset, Record};
use crate::ui::facts::{Plan, plan_of};
use crate::ui::row::Row;
use crate::worker::Which;

impl State {
    /// For the list, when a model or a dataset has been opened.
    pub fn tell_taught(&mut self) {
        let records = self.facts.dataset.iter().flat_map(|dataset| &dataset.records);
        let plans: Vec<Option<Plan>> = records.map(|record| self.plan(record)).collect();
        let is_known = plans.iter().any(Option::is_some);
        self.facts.set_plans(if is_known { plans } else { Vec::new() });
    }

    /// What the main model was taught of a fact.
    fn plan(&self, record: &Record) -> Option<Plan> {
        self.plan_of(Which::Main, record)
    }

    /// `None` for other models and other facts: there nobody knows.
    fn plan_of(&self, which: Which, record: &Record) -> Option<Plan> {
        let builtin = builtin::find(&self.info_of(which)?.dir)?;
        let is_bundled =
            self.facts.dataset_path()? == Path::new(Dataset::BUNDLED) && record.relation.is_some();
        plan_of(builtin.name, record).filter(|_| is_bundled)
    }

    /// What the model of a row was taught of its fact.
    pub fn plan_at(&self, row: Row) -> Option<Plan> {
        self.plan_of(self.which(row), self.record_at(row)?)
    }

    /// The layer whose MLP was taught the fact of a row.
    pub fn planted(&self, row: Row) -> Option<usize> {
        let key = self.key_of(row)?;
        self.plan_at(row)?.planted(key.direction)
    }
}
