//! The command that averages the traces of many facts.

use std::sync::Arc;

use super::Asked;
use crate::analysis::AnalysisSpec;
use crate::analysis::causal_trace::Map;
use crate::analysis::trace_average::{AskedFact, FactDraws, Kept, Sample, Spec};
use crate::experiment::choices::Choices as _;
use crate::experiment::line::{Line, joined};
use crate::experiment::{FactSource, Question, RecordFact};
use crate::facts::{Dataset, Direction, Fact, Record};

impl Asked<'_> {
    /// The command draws the facts again, so that facts have a line only where that gives the same ones.
    /// Other subjects that stand in for theirs are drawn in other ways by the window and by the command.
    pub(super) fn of_average(&self) -> Option<Line> {
        let AnalysisSpec::TraceAverage(spec) = &self.experiment.spec else { return None };
        let Spec { trace, components, facts, kept, draws, left_out: _, sample } = spec;
        let sample = sample.as_ref()?;
        let dataset = self.dataset_of(facts)?;
        let is_said = self.draws(sample, &dataset, spec)
            && trace.map == Map::Tokens
            && components.first() == Some(&trace.component);
        let line = is_said.then(|| self.model("average"))??;
        let line = line.flag("--facts", dataset.path.display());
        let line =
            line.flag("--facts-seed", sample.seed).option("--relation", sample.relation.as_ref());
        let line = line.flag("--n", sample.n_facts);
        let line = line.switch("--inverse", sample.direction == Direction::Inverse);
        let line = line.switch("--keep-unknown", *kept == Kept::All);
        let kinds: Vec<&str> = components.iter().map(|it| it.words().key).collect();
        let line = line.flag("--kind", joined(&kinds));
        let line = line.switch("--shared-draws", *draws == FactDraws::Shared);
        // The command measures noise on the subjects of its dataset, whatever fact the window shows.
        let question = Question { dataset: Some(dataset), ..self.question.clone() };
        Asked { question, subjects_of: None, ..*self }.drawn(line, trace)
    }

    /// The dataset that the first fact is of.
    fn dataset_of(&self, facts: &[AskedFact]) -> Option<Arc<Dataset>> {
        let source = self.library.source_of(&facts.first()?.prompt, self.experiment.bos)?;
        let FactSource::Record(RecordFact { facts, .. }) = source else { return None };
        self.library.datasets.get(&facts, None).ok()
    }

    /// Whether a sample is the facts of a spec, and those that it leaves out.
    fn draws(&self, sample: &Sample, dataset: &Dataset, spec: &Spec) -> bool {
        let (mut facts, mut left_out) = (spec.facts.iter(), spec.left_out.iter());
        let drawn = sample.draw_questions(&dataset.records).into_iter();
        let asked = |fact: &Fact, answers: &[String]| {
            AskedFact::new(self.library.tokenizer, fact, answers, self.experiment.bos)
        };
        let is_next = |record: &Record| match record.fact(sample.direction) {
            None => true,
            Some(fact) => match asked(fact, record.answers(sample.direction)) {
                Ok(fact) => facts.next() == Some(&fact),
                Err(reason) => left_out.next() == Some(&reason),
            },
        };
        drawn.into_iter().all(is_next) && facts.next().is_none() && left_out.next().is_none()
    }
}
