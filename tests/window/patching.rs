//! Patching from any prompt, with the pairs as they are set.

use std::path::Path;

use factscope::analysis::activation_patching::Spec;
use factscope::analysis::{AnalysisCtx, AnalysisSpec, Pair};
use factscope::experiment::{Datasets, Experiment};
use factscope::figure::Pick;
use factscope::task::TaskCtx;
use factscope::tokens::{Bos, TokenizedPrompt, visible};
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::worker::{DeviceChoice, Engine};

use super::accessible::{described, is_nameless};
use super::studies;
use super::support::{Window, tiny};

const ITALY: &str = "2  The capital of Italy is → Rome";

impl Window {
    fn patching(&self) -> Result<Spec, String> {
        match self.app().state.spec_of(Pane::Patching, Row::First)? {
            AnalysisSpec::ActivationPatching(spec) => Ok(spec),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn click_token(&mut self, whose: &str, prompt: &TokenizedPrompt, pos: usize) {
        self.click(&format!("{whose}, token {pos} {}", visible(&prompt.pieces[pos])));
    }

    /// One of each row.
    #[track_caller]
    fn pair(&mut self, pair: Pair) {
        let donor = self.patching().unwrap().donor;
        let recipient = self.app().state.prompt().unwrap().as_ref().clone();
        self.click_token("Other prompt", &donor, pair.donor);
        self.click_token("This prompt", &recipient, pair.recipient);
    }

    #[track_caller]
    fn unpair(&mut self, pair: Pair) {
        let donor = self.patching().unwrap().donor;
        let recipient = self.app().state.prompt().unwrap();
        let from = format!("{} {}", pair.donor, visible(&donor.pieces[pair.donor]));
        let to = format!("{} {}", pair.recipient, visible(&recipient.pieces[pair.recipient]));
        self.click(&format!("Remove the pair {from} → {to}"));
    }
}

fn open() -> Window {
    let mut window = studies::open();
    window.show(Pane::Patching);
    window
}

fn another_fact() -> Window {
    let mut window = open();
    window.click("Another fact");
    window.click(ITALY);
    assert_eq!(window.patching().unwrap().donor.text, "The capital of Italy is");
    window
}

#[test]
fn another_fact_with_a_pair_of_ones_own_gives_what_the_engine_finds_for_the_file() {
    let mut window = another_fact();
    let by_role = window.patching().unwrap().pairs;
    let last = *by_role.last().unwrap();
    let instead = Pair { donor: last.donor - 1, recipient: last.recipient };
    window.unpair(last);
    assert_eq!(window.patching().unwrap().pairs, by_role[..by_role.len() - 1]);
    window.pair(instead);
    let mut expected = by_role.clone();
    *expected.last_mut().unwrap() = instead;
    assert_eq!(window.patching().unwrap().pairs, expected);
    window.sees("Paired by hand");

    window.ask(Pane::Patching);
    let state = &window.app().state;
    let found = state.result(Pane::Patching).unwrap();
    let text = state.experiment(Pane::Patching).unwrap().to_json().unwrap();
    let again = Experiment::parse(&text, Path::new("experiment.json")).unwrap();
    let engine = Engine::load(&tiny(), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ()).unwrap();
    let question = again.fact.question(&Datasets::default()).unwrap();
    let tokenizer = &engine.info.tokenizer;
    let prompt = TokenizedPrompt::new(tokenizer, &question.fact, again.bos).unwrap();
    let same = engine.run(&prompt, &again.spec, &AnalysisCtx::unwatched()).unwrap();
    assert_eq!(format!("{same:?}"), format!("{found:?}"));
    window.sees("Positions are paired by hand");

    window.click("By role again");
    assert_eq!(window.patching().unwrap().pairs, by_role);
    window.sees("Paired by role");
}

#[test]
fn pairs_are_kept_for_their_prompts_and_mean_nothing_for_others() {
    let mut window = another_fact();
    let by_role = window.patching().unwrap().pairs;
    window.unpair(by_role[0]);
    let edited = window.patching().unwrap().pairs;
    assert_eq!(edited, by_role[1..]);

    window.click("The inverse");
    let inverse = window.patching().unwrap();
    let recipient = window.app().state.prompt().unwrap();
    assert_eq!(inverse.pairs, Pair::by_role(&inverse.donor, recipient));

    window.click("Another fact");
    assert_eq!(window.patching().unwrap().pairs, edited);
}

#[test]
fn an_edit_of_the_pairs_can_be_taken_back() {
    let mut window = another_fact();
    let by_role = window.patching().unwrap().pairs;
    window.unpair(by_role[1]);
    assert_ne!(window.patching().unwrap().pairs, by_role);
    window.harness.state_mut().command(Command::Undo);
    window.harness.run_steps(3);
    assert_eq!(window.patching().unwrap().pairs, by_role);
    window.harness.state_mut().command(Command::Redo);
    window.harness.run_steps(3);
    assert_ne!(window.patching().unwrap().pairs, by_role);
}

#[test]
fn bad_pairs_are_refused_with_the_reason() {
    let mut window = another_fact();
    let by_role = window.patching().unwrap().pairs;
    let last = *by_role.last().unwrap();
    window.pair(Pair { donor: last.donor - 1, recipient: last.recipient });
    assert_eq!(window.patching().unwrap().pairs, by_role);
    window.sees("would get two activations");

    for pair in by_role {
        window.unpair(pair);
    }
    assert!(window.patching().is_err());
    window.sees("Pair a token of the other prompt with one of this");
}

#[test]
fn a_typed_prompt_of_another_length_can_be_the_other() {
    let mut window = open();
    window.click("Text");
    window.sees("Type the prompt to take activations from");
    window.type_into("Other prompt", "In Italy the capital is");
    window.type_into("Other subject", "Spain");
    window.sees("does not occur in the prompt");
    window.retype("Other subject", "Italy");
    window.sees("Give the other prompt an answer");
    window.type_into("Other answer", "Rome");
    let spec = window.patching().unwrap();
    assert_eq!(spec.donor.answer.as_ref().unwrap().text, " Rome");
    assert_eq!(spec.pairs, Pair::by_role(&spec.donor, window.app().state.prompt().unwrap()));
    window.ask(Pane::Patching);
    assert!(window.app().state.result(Pane::Patching).is_some());
    // The inverse has not this prompt for its other.
    assert!(window.app().state.run(Pane::Patching, Row::Second).is_none());
}

#[test]
fn the_prompt_itself_is_no_other() {
    let mut window = open();
    window.click("Text");
    window.type_into("Other prompt", "The capital of France is");
    window.type_into("Other answer", "Rome");
    window.sees("That is the prompt itself");
}

#[test]
fn a_search_finds_facts_and_says_where_it_finds_none() {
    let mut window = open();
    window.click("Another fact");
    window.type_into("Find a fact", "no such thing");
    window.sees("No other fact holds these words");
    window.retype("Find a fact", "italy rome");
    window.click(ITALY);
    assert_eq!(window.patching().unwrap().donor.text, "The capital of Italy is");
    let nameless: Vec<String> =
        window.controls().filter(is_nameless).map(|it| described(&it)).collect();
    assert_eq!(nameless, Vec::<String>::new());
}

#[test]
fn paths_take_their_senders_from_the_same_choice() {
    let mut window = studies::open();
    window.show(Pane::Paths);
    window.click("Another fact");
    window.click(ITALY);
    window.ask(Pane::Paths);
    match window.app().state.spec_of(Pane::Paths, Row::First).unwrap() {
        AnalysisSpec::PathPatching(spec) => assert_eq!(spec.donor.text, "The capital of Italy is"),
        other => panic!("{other:?}"),
    }
    assert!(window.app().state.result(Pane::Paths).is_some());
}

/// Heads 2 and 3 read the second of two keys in each layer.
#[test]
fn paths_end_at_the_key_that_the_picked_head_shares() {
    let dir = tempfile::tempdir().unwrap();
    let family = tiny().with_file_name("families").join("llama");
    for path in [
        family.join("config.json"),
        family.join("model.safetensors"),
        tiny().join("tokenizer.json"),
    ] {
        std::fs::copy(&path, dir.path().join(path.file_name().unwrap())).unwrap();
    }
    let model = Some(dir.path().to_owned());
    // Its tokenizer has a BOS that these few embeddings lack.
    let options = Options { model, bos: Some(Bos::Off), ..Options::default() };
    let mut window = Window::new(options, None);
    let facts = window.file("pair.json", studies::PAIR);
    window.drop(facts);
    window.wait("the prompts", |app| app.state.spec_of(Pane::Paths, Row::First).is_ok());
    window.sees("2 layers × 4 heads (2 key heads)");
    let head = Pick { layer: Some(1), head: Some(2), position: None };
    window.harness.state_mut().state.selection = head;
    window.show(Pane::Paths);
    for (ends, receiver) in [("a head's query", "L1H2.q"), ("its key", "L1H1.k")] {
        window.click(ends);
        match window.app().state.spec_of(Pane::Paths, Row::First).unwrap() {
            AnalysisSpec::PathPatching(spec) => {
                assert_eq!(spec.receivers[0].to_string(), receiver);
            }
            other => panic!("{other:?}"),
        }
    }
}
