//! Jobs and models that fail leave what is there.

use factscope::analysis::logit_attribution::{self, Parts};
use factscope::analysis::{AnalysisSpec, logit_lens};
use factscope::worker::Event;

use super::{Bench, MANY, ended, impossible, paris, predict, trace};
use crate::support::fixture;

#[test]
fn a_panicking_job_fails_and_the_next_one_runs() {
    let bench = Bench::with_model();
    let specs = [
        predict(),
        trace(2),
        AnalysisSpec::LogitLens(logit_lens::Spec::default()),
        AnalysisSpec::LogitAttribution(logit_attribution::Spec { by: Parts::Heads }),
    ];
    for spec in specs {
        let (id, _) = bench.analyse(impossible(), spec);
        let seen = bench.until_end_of(id);
        let Some(Event::Failed(_, message)) = seen.last() else { panic!("{:?}", seen.last()) };
        assert!(message.contains("fault of the program"), "{message}");
        let (id, _) = bench.analyse(paris(), predict());
        assert!(matches!(bench.until_end_of(id).last(), Some(Event::Finished(..))));
    }
}

#[test]
fn a_job_that_panics_in_between_does_not_end_the_longer_one() {
    let bench = Bench::with_model();
    let (long, _) = bench.analyse(paris(), trace(MANY));
    bench.next();
    let (bad, _) = bench.analyse(impossible(), predict());
    let (good, _) = bench.analyse(paris(), predict());
    let seen = bench.until_end_of(long);
    assert_eq!(ended(&seen), [bad, good, long]);
    assert!(matches!(seen.last(), Some(Event::Finished(..))), "{:?}", seen.last());
}

#[test]
fn without_a_model_there_is_nothing_to_ask() {
    let bench = Bench::new();
    for spec in [predict(), trace(3)] {
        let (id, _) = bench.analyse(paris(), spec);
        let seen = bench.until_end_of(id);
        let [Event::Took(..), Event::Failed(_, message)] = &seen[..] else { panic!("{seen:?}") };
        assert!(message.contains("no model"), "{message}");
    }
}

#[test]
fn a_failed_load_leaves_the_model_that_is_open_and_a_later_one_works() {
    let bench = Bench::with_model();
    let (id, _) = bench.load(fixture("nothing"));
    let seen = bench.until_end_of(id);
    let [Event::Took(..), Event::Failed(_, message)] = &seen[..] else { panic!("{seen:?}") };
    assert!(message.contains("nothing"), "{message}");

    let (id, _) = bench.analyse(paris(), predict());
    assert!(matches!(bench.until_end_of(id).last(), Some(Event::Finished(..))));

    let (id, _) = bench.load(fixture("tiny"));
    assert!(matches!(bench.until_end_of(id).last(), Some(Event::Loaded(..))));
    let (id, _) = bench.analyse(paris(), predict());
    assert!(matches!(bench.until_end_of(id).last(), Some(Event::Finished(..))));
}
