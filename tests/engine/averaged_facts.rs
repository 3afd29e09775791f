//! Which facts of a dataset are averaged, and which other subjects stand in for theirs.

use std::collections::BTreeSet;

use factscope::analysis::corruption::{Corruption, SubjectsOf};
use factscope::analysis::trace_average::{AskedFact, Cause, Lengths, Sample, StandIn, StandIns};
use factscope::facts::{Dataset, Direction, Fact, Record};
use factscope::tokens::{Bos, TokenizedPrompt};

use super::support::engine;

/// Facts of the bundled dataset with others in place of their subjects.
fn asked(of: StandIn, n_samples: usize) -> Vec<(Record, AskedFact)> {
    let records = Dataset::bundled().records;
    let direction = Direction::Forward;
    let sample = Sample { relation: None, direction, n_facts: 40, seed: 3 };
    let stand_ins = StandIns { of, direction, n_samples, seed: 5 };
    let engine = engine("tiny");
    let lengths = Lengths::new(&engine.info.tokenizer);
    let drawn = sample.draw(&records).into_iter().enumerate();
    let asked = drawn.filter_map(|(nth, record)| {
        let own = (record, &record.fact);
        let asked = stand_ins.ask(&lengths, own, nth, Bos::Off, &records).ok()?;
        Some((record.clone(), asked))
    });
    asked.collect()
}

fn others(fact: &AskedFact) -> &[Vec<u32>] {
    match &fact.corruption {
        Some(Corruption::OtherSubjects { ids, .. }) => ids,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_sample_is_drawn_by_its_seed_and_more_facts_keep_the_first_ones() {
    let dataset = Dataset::bundled();
    let draw = |relation: Option<&str>, direction, n_facts, seed| {
        let relation = relation.map(str::to_owned);
        let sample = Sample { relation, direction, n_facts, seed };
        let drawn = sample.draw(&dataset.records);
        drawn.into_iter().map(|it| it.id.clone()).collect::<Vec<_>>()
    };
    let few = draw(None, Direction::Forward, 20, 1);
    let many = draw(None, Direction::Forward, 50, 1);
    assert_eq!(few.len(), 20);
    assert_eq!(few, many[..20]);
    assert_eq!(many.iter().collect::<BTreeSet<_>>().len(), 50, "each at most once");
    assert_ne!(few, draw(None, Direction::Forward, 20, 2));
    let n_all = dataset.records.len();
    assert_eq!(draw(None, Direction::Forward, n_all + 7, 1).len(), n_all);
    let of_relation = draw(Some("P36"), Direction::Inverse, 1000, 1);
    let expected = dataset.records.iter().filter(|it| it.relation.as_deref() == Some("P36"));
    let mut expected: Vec<String> = expected.map(|it| it.id.clone()).collect();
    let mut sorted = of_relation;
    sorted.sort();
    expected.sort();
    assert_eq!(sorted, expected);
    assert_eq!(draw(Some("nothing"), Direction::Forward, 5, 1), [""; 0]);
}

/// Of facts that ask one and the same inverse the first that is drawn is asked.
#[test]
fn a_question_is_drawn_once() {
    let records = Dataset::bundled().records;
    let direction = Direction::Inverse;
    let sample = |n_facts| Sample { relation: None, direction, n_facts, seed: 1 };
    let prompts = |n_facts: usize| -> Vec<String> {
        let drawn = sample(n_facts).draw_questions(&records).into_iter();
        drawn.map(|it| it.fact(direction).unwrap().prompt.clone()).collect()
    };
    let all = prompts(records.len());
    let different: BTreeSet<&str> =
        records.iter().map(|it| &*it.fact(direction).unwrap().prompt).collect();
    assert!(different.len() < records.len());
    assert_eq!(all.iter().map(|it| &**it).collect::<BTreeSet<_>>(), different);
    assert_eq!(all.len(), different.len());
    assert_eq!(prompts(20), all[..20], "more facts keep the first ones");
}

#[test]
fn a_records_other_right_answers_come_with_it() {
    let engine = engine("tiny");
    let tokenizer = &engine.info.tokenizer;
    let fact = Fact {
        answer: Some("Paris".to_owned()),
        ..Fact::from_text("France is near", Some("France")).unwrap()
    };
    let answers = ["Paris", "Rome", "Rome", "Lyon"].map(str::to_owned);
    let asked = AskedFact::new(tokenizer, &fact, &answers, Bos::Off).unwrap();
    let first = |text: &str| TokenizedPrompt::answer(tokenizer, text).unwrap().first();
    let own = first("Paris");
    assert_eq!(asked.prompt.answer.as_ref().unwrap().first(), own);
    let mut others = Vec::new();
    for id in ["Rome", "Lyon"].map(first) {
        if id != own && !others.contains(&id) {
            others.push(id);
        }
    }
    assert_eq!(asked.right, others);
    let empty = Fact { answer: Some(" ".to_owned()), ..fact };
    let left_out = AskedFact::new(tokenizer, &empty, &[], Bos::Off).unwrap_err();
    assert_eq!((left_out.cause, &*left_out.reason), (Cause::NotTraced, "the answer is empty"));
}

#[test]
fn each_fact_has_others_of_its_own_and_more_keep_the_first_ones() {
    for of in [SubjectsOf::Relation, SubjectsOf::All] {
        let few = asked(StandIn::Any(of), 2);
        let more = asked(StandIn::Any(of), 4);
        assert_eq!(few.len(), more.len());
        assert!(few.len() > 10, "{of:?}: {}", few.len());
        assert!(few.iter().filter(|(_, it)| others(it).len() == 2).count() > 10);
        for ((_, few), (_, more)) in few.iter().zip(&more) {
            assert!(others(more).starts_with(others(few)));
            let subject = few.prompt.subject.clone().unwrap();
            for ids in others(more) {
                assert_eq!(ids.len(), subject.len());
                assert_ne!(*ids, few.prompt.ids[subject.clone()]);
            }
        }
    }
}

#[test]
fn a_counterpart_has_another_answer_which_becomes_the_foil() {
    let asked = asked(StandIn::Counterpart, 7);
    assert!(asked.len() > 10, "{}", asked.len());
    for (record, fact) in asked {
        assert!(matches!(fact.corruption, Some(Corruption::Counterpart { .. })));
        let foil = fact.prompt.foil.unwrap();
        assert!(!record.answers.iter().any(|answer| *answer == foil.text.trim()), "{foil:?}");
    }
}

#[test]
fn the_foil_of_the_dataset_goes_before_other_answers() {
    let text = |subject: &str, answer: &str, foil: &str| {
        format!(
            r#"{{"prompt": "The capital of {{}} is", "subject": "{subject}", "relation_id": "P36",
                "target_true": {{"str": "{answer}"}}, "target_new": {{"str": "{foil}"}}}}"#
        )
    };
    let others = ["Spain", "Peru", "Cuba", "Iran"].map(|it| text(it, it, it));
    let all = [text("Italy", "Rome", "Cuba")].into_iter().chain(others).enumerate();
    let all = all.map(|(nth, it)| format!(r#"{{"case_id": {nth}, "requested_rewrite": {it}}}"#));
    let json = format!("[{}]", all.collect::<Vec<_>>().join(","));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.json");
    std::fs::write(&path, json).unwrap();
    let records = Dataset::load(&path).unwrap().records;
    let engine = engine("tiny");
    let lengths = Lengths::new(&engine.info.tokenizer);
    let own = (&records[0], &records[0].fact);
    for seed in 0..8 {
        let (of, direction) = (StandIn::Counterpart, Direction::Forward);
        let stand_ins = StandIns { of, direction, n_samples: 1, seed };
        let asked = stand_ins.ask(&lengths, own, 0, Bos::Off, &records);
        // If it has as many tokens: else another one.
        let asked = asked.unwrap();
        assert_eq!(asked.prompt.foil.unwrap().text, " Cuba", "{seed}");
    }
}
