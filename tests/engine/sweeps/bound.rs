//! What a spec says of its own fact is found again in every other by its role.

use std::collections::BTreeSet;
use std::sync::Arc;

use factscope::analysis::trace_average::FactDraws;
use factscope::analysis::{AnalysisSpec, Pair, activation_patching, edge_cut};
use factscope::experiment::{Binding, RecordFact};
use factscope::facts::{Dataset, Direction, Fact};
use factscope::tokens::{Bos, TokenizedPrompt};

use super::{DATASET, ENGINE, library, own, written, written_of};

/// An edge from the subject's last token to the last, named by positions, is that of every fact.
#[test]
fn positions_are_bound_by_their_roles() {
    let (_, prompt) = own();
    let subject = prompt.subject.clone().unwrap();
    let edge = edge_cut::Edge { query: prompt.last(), key: subject.end - 1 };
    let written = written(AnalysisSpec::EdgeCut(edge_cut::Spec::of([edge], 0..2)));
    let library = library();
    let binding = Binding::new(&written, &library, FactDraws::Anew).unwrap();
    let told = binding.told.join("\n");
    assert!(told.contains("query: the last token"), "{told}");
    assert!(told.contains("key: the last subject token"), "{told}");
    let mut n_lengths = BTreeSet::new();
    for record in DATASET.records.iter().take(200) {
        for direction in Direction::ALL {
            let Ok((experiment, prompt)) = binding.to(&DATASET, record, direction, [None, None])
            else {
                continue;
            };
            let AnalysisSpec::EdgeCut(spec) = experiment.spec else { panic!("another method") };
            let edge = *spec.edges.first().unwrap();
            let key = prompt.subject.as_ref().unwrap().end - 1;
            assert_eq!((edge.query, edge.key), (prompt.last(), key), "{}", prompt.text);
            n_lengths.insert(prompt.n_pos());
        }
    }
    assert!(n_lengths.len() > 3, "{n_lengths:?}");
}

/// A token that other facts lack is no reason to take another.
#[test]
fn a_fact_that_lacks_a_token_is_left_out_with_the_reason() {
    let (_, prompt) = own();
    let middle = prompt.subject.clone().unwrap().start + 1;
    let edge = edge_cut::Edge { query: prompt.last(), key: middle };
    let written = written(AnalysisSpec::EdgeCut(edge_cut::Spec::of([edge], 0..2)));
    let library = library();
    let binding = Binding::new(&written, &library, FactDraws::Anew).unwrap();
    let short = DATASET.records.iter().find(|record| {
        let prompt = TokenizedPrompt::new(&ENGINE.info.tokenizer, &record.fact, Bos::Off).unwrap();
        prompt.subject.is_some_and(|it| it.len() == 1)
    });
    let found = binding.to(&DATASET, short.unwrap(), Direction::Forward, [None, None]);
    assert_eq!(found.unwrap_err(), "the prompt has no middle subject token in that place");
}

/// The inverse of a fact may have several right answers. One that is not the fact's own was asked for as
/// the likeliest.
#[test]
fn the_likeliest_right_answer_of_a_donor_is_bound_to_that_of_each_fact() {
    let tokenizer = &ENGINE.info.tokenizer;
    let [einstein, picasso] = ["949", "973"].map(|case| DATASET.find(case).unwrap());
    let bound = |answer: &str| {
        let inverse = &einstein.inverse.as_ref().unwrap().fact;
        let inverse = Fact { answer: Some(answer.to_owned()), ..inverse.clone() };
        let [donor, prompt] = [&inverse, &einstein.fact]
            .map(|it| TokenizedPrompt::new(tokenizer, it, Bos::Off).unwrap());
        let spec = AnalysisSpec::ActivationPatching(activation_patching::Spec {
            pairs: Pair::by_role(&donor, &prompt),
            donor: Arc::new(donor),
            places: activation_patching::Places::Each,
            part: activation_patching::Part::Hidden,
            window: 1,
        });
        let (facts, case) = (Dataset::BUNDLED.into(), einstein.id.clone());
        let written = written_of(RecordFact { facts, case, ..RecordFact::default() }, spec);
        let library = library();
        let binding = Binding::new(&written, &library, FactDraws::Anew).unwrap();
        let answers = [None, Some("Lionel Messi".to_owned())];
        let (found, _) = binding.to(&DATASET, picasso, Direction::Forward, answers).unwrap();
        let AnalysisSpec::ActivationPatching(spec) = found.spec else { panic!("another method") };
        spec.donor.answer.as_ref().unwrap().text.trim().to_owned()
    };
    assert_eq!(bound("Max Planck"), "Lionel Messi");
    assert_eq!(bound("Albert Einstein"), "Pablo Picasso");
}
