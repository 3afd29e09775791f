//! Questions that would take much of the machine's memory, and wait for a person to say so.

use super::{FactKey, State};
use crate::analysis::AnalysisSpec;
use crate::session::Origin;
use crate::tokens::TokenizedPrompt;
use crate::ui::pane::Pane;
use crate::ui::row::Row;
use crate::worker::{Lack, MemoryNeed, SystemMemory};

/// A question that is asked about before it is put to the model.
#[derive(Clone, Debug)]
pub struct Unsure {
    pub pane: Pane,
    pub key: FactKey,
    pub spec: AnalysisSpec,
    pub origin: Origin,

    pub memory: MuchMemory,
}

/// The memory that a question takes.
#[derive(Clone, Copy, Debug)]
pub struct MuchMemory {
    pub need: MemoryNeed,

    /// Why it cannot be had, if it cannot.
    pub lack: Option<Lack>,

    /// The memory that the need was compared with. `None` where the system does not say how much there is.
    pub machine: Option<SystemMemory>,
}

/// The questions that a person is asked about, and those that were not to be put.
#[derive(Debug, Default)]
pub struct Unsures {
    pub waiting: Vec<Unsure>,
    left: Vec<(FactKey, AnalysisSpec)>,
}

/// What takes less of its own is not worth a word beside the button that begins it, in bytes.
const WORTH_A_WORD: u64 = 256 << 20;

impl State {
    /// What a question takes, if that is so much of the machine's memory that a person is asked first.
    pub fn much_memory(
        &self,
        key: FactKey,
        prompt: &TokenizedPrompt,
        spec: &AnalysisSpec,
    ) -> Option<MuchMemory> {
        let machine = self.memory.system();
        let need = self.info_of(key.which)?.memory_need(prompt, spec);
        let lack = need.lack(machine.as_ref());
        let is_much = lack.is_some() || machine.is_some_and(|it| need.is_much_for(&it));
        is_much.then_some(MuchMemory { need, lack, machine })
    }

    /// Has a person asked about a question, unless nobody has asked it and it was left already. Estimates that
    /// stand in for a trace are not worth asking about.
    pub fn ask_about_memory(&mut self, unsure: Unsure) {
        let Unsures { waiting, left } = &mut self.unsure;
        let is_it =
            |(key, spec): (&FactKey, &AnalysisSpec)| (*key, spec) == (unsure.key, &unsure.spec);
        let waits = waiting.iter().any(|it| is_it((&it.key, &it.spec)));
        let was_left = left.iter().any(|(key, spec)| is_it((key, spec)));
        match unsure.origin {
            Origin::Asked if !waits => waiting.push(unsure),
            Origin::Unasked if !waits && !was_left => waiting.push(unsure),
            Origin::Asked | Origin::Unasked | Origin::Preview => {}
        }
    }

    /// Takes the questions that wait, because they are begun.
    pub fn take_unsure(&mut self) -> Vec<Unsure> {
        std::mem::take(&mut self.unsure.waiting)
    }

    /// Leaves the questions that wait, which are not asked about again unless a person asks them.
    pub fn leave_unsure(&mut self) {
        let left = self.take_unsure().into_iter().map(|it| (it.key, it.spec));
        self.unsure.left.extend(left);
    }

    /// What a view's settings take in memory, if that is worth a word: `about 3.4 GB`.
    pub fn memory_of(&self, pane: Pane, row: Row) -> Option<MemoryNeed> {
        let prompt = self.findings_at(row)?.prompt.as_ref().ok()?;
        let spec = self.spec_of(pane, row).ok()?;
        let need = self.info_at(row)?.memory_need(prompt, &spec);
        (need.own >= WORTH_A_WORD).then_some(need)
    }
}
