//! Two models that are asked the same.

use std::path::{Path, PathBuf};

use factscope::analysis::causal_trace::Component;
use factscope::analysis::{AnalysisCtx, AnalysisResult, AnalysisSpec};
use factscope::builtin;
use factscope::task::TaskCtx;
use factscope::ui::Options;
use factscope::ui::command::{ClosingAnswer, Command};
use factscope::ui::pane::Pane;
use factscope::ui::row::Row::{self, First, Second};
use factscope::ui::state::{FactId, ModelState, RunState};
use factscope::ui::view::{Selection, ViewAction};
use factscope::worker::{DeviceChoice, Engine, Which};

use super::support::{FACTS, Window, tiny};

const FRANCE: FactId = FactId::Record(0);

pub fn rounded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tiny-bf16")
}

/// With another model beside the tiny one.
pub fn open(beside: PathBuf) -> Window {
    let mut window = Window::open();
    window.does(Command::Select(FRANCE));
    window.does(Command::OpenModelBesideAt(beside));
    window.opens_beside();
    window.wait_for_predictions();
    window
}

impl Window {
    fn opens_beside(&mut self) {
        self.wait("the second model", |app| app.state.info_of(Which::Beside).is_some());
        self.wait("its subjects", |app| app.state.subjects_of(Which::Beside).is_some());
    }

    fn results(&self) -> [Option<AnalysisResult>; 2] {
        Row::BOTH.map(|row| Some((**self.app().state.trace(row)?.result.as_ref()?).clone()))
    }
}

#[test]
fn both_are_asked_the_same_and_each_answers_for_itself() {
    let mut window = open(builtin::FACTS.name.into());
    let [first, second] = window.rows();
    assert!(first.is_some() && first == second);
    window.sees("First model");
    window.sees("Second model");
    window.does(Command::ShowDifference(true));
    window.click("Trace");
    window.trace_ends();

    // What a model says does not depend on what stands beside it.
    let dir = builtin::FACTS.name;
    let alone = Engine::load(Path::new(dir), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ());
    let alone = alone.unwrap();
    let state = &window.app().state;
    let prompt = state.findings_at(Second).unwrap().prompt.clone().unwrap();
    assert_ne!(state.findings_at(First).unwrap().prompt.as_ref().unwrap().ids, prompt.ids);
    let spec = state.trace_spec(Second).unwrap();
    let spec = AnalysisSpec::CausalTrace(spec);
    let expected = alone.run(&prompt, &spec, &AnalysisCtx::unwatched()).unwrap();
    assert_eq!(window.results()[1], Some(expected));

    // Layers of different models are paired by depth.
    window.sees("First model − second model");
    window.sees("The first model has 4 layers, the second model 6");
    window.click("MLP");
    window.click("Trace");
    window.trace_ends();
    window.sees("The models have 4 and 6 layers, and a window of layers, restored or severed, is another part of each");
    window.click("Hidden state");
    let state = &window.app().state;

    // A layer that the first model does not have.
    let last = state.info_of(Which::Beside).unwrap().config.n_layers - 1;
    assert!(last >= state.info().unwrap().config.n_layers);
    window.does(Command::Flip);
    window.wait_for_predictions();
    let picked = Selection { layer: Some(last), ..Selection::default() };
    window.does(Command::View(ViewAction::Select(picked)));
    let state = &window.app().state;
    assert_eq!(Row::BOTH.map(|it| state.selection_at(it).layer), [None, Some(last)]);
    window.does(Command::Flip);
    for pane in [Pane::Attention, Pane::Attribution, Pane::LogitLens, Pane::Trust] {
        window.show(pane);
    }
}

/// Both built-in models: of one shape.
fn open_both() -> Window {
    let dir = tempfile::tempdir().unwrap();
    let facts = dir.path().join("facts.json");
    std::fs::write(&facts, FACTS).unwrap();
    let options = Options {
        model: Some(builtin::FACTS.name.into()),
        model_beside: Some(builtin::PLANTED.name.into()),
        facts: Some(facts),
        ..Options::default()
    };
    let mut window = Window::new(options, None);
    window.wait("the model", |app| app.state.info().is_some() && !app.state.facts.is_empty());
    window.opens_beside();
    window.does(Command::Select(FRANCE));
    window.wait_for_predictions();
    window
}

#[test]
fn models_of_one_shape_are_subtracted() {
    let mut window = open_both();
    window.does(Command::ShowDifference(true));
    window.click("Trace");
    window.trace_ends();
    window.sees("First model − second model");
    let [first, second] = window.results();
    assert!(first.is_some() && second.is_some() && first != second);

    // Runs of two models do not mix.
    let error = window.app().state.spec_of(Pane::Comparison, First).unwrap_err();
    assert!(error.contains("another model"), "{error}");
    // What is asked of one prompt is asked of both models.
    window.does(Command::Study(Pane::Ablation));
    window.wait("the ablations", |app| {
        Row::BOTH.iter().all(|row| {
            let study = app.state.run(Pane::Ablation, *row);
            study.is_some_and(|it| it.state == RunState::Done)
        })
    });
    let found =
        Row::BOTH.map(|row| window.app().state.run(Pane::Ablation, row).unwrap().result.clone());
    assert_ne!(found[0], found[1]);

    window.does(Command::CloseModelBeside);
    window.does(Command::AnswerClosing(ClosingAnswer::Discard));
    assert!(!window.app().state.has_model_beside());
    let now = window.app().state.trace(First).unwrap().result.as_deref().cloned();
    assert_eq!(now, first, "what the first model said is kept");
    let [fact, inverse] = window.rows();
    assert_ne!(fact, inverse);
}

#[test]
fn both_can_be_asked_the_inverse() {
    let mut window = open(rounded());
    let [fact, _] = window.rows().map(|it| it.unwrap().to_owned());
    window.click("Ask both the inverse");
    let [first, second] = window.rows().map(|it| it.unwrap().to_owned());
    assert!(first == second && first != fact, "{first}, {second}, {fact}");
    window.does(Command::Flip);
    window.wait_for_predictions();
    window.does(Command::Flip);
    window.wait_for_predictions();
    window.does(Command::Undo);
    window.does(Command::Undo);
    window.does(Command::Undo);
    assert_eq!(window.rows(), [Some(&*fact); 2]);
}

#[test]
fn a_changed_model_stands_beside_itself_as_it_was() {
    let mut window = open(tiny());
    window.does(Command::Study(Pane::Steering));
    window.wait("steering", |app| app.state.result(Pane::Steering).is_some());
    window.click("Trace");
    window.trace_ends();
    let before = window.results();
    assert_eq!(before[0], before[1]);
    window.does(Command::ApplyEdit(Pane::Steering));
    window.wait("the change", |app| app.state.jobs.iter().count() == 0);
    assert_eq!(window.results(), [None, before[1].clone()]);
    window.click("Trace");
    window.trace_ends();
    let after = window.results();
    assert!(after[0] != before[0] && after[1] == before[1]);
    window.sees("tiny, changed");
}

#[test]
fn a_session_keeps_both_models_and_what_each_said() {
    let mut window = open(rounded());
    let path = window.dir.path().join("models.factscope");
    window.harness.state_mut().state.settings.trace.component = Component::Mlp;
    window.harness.run_steps(2);
    window.click("Trace");
    window.trace_ends();
    window.does(Command::SaveSessionTo(path.clone()));
    window.wait("the file", |app| app.state.is_unsaved() == Some(false));

    let options = Options { session: Some(path), ..Options::default() };
    let mut again = Window::new(options, None);
    again.wait("the session", |app| app.state.session.is_some());
    again.opens_beside();
    assert_eq!(again.rows(), window.rows());
    assert_eq!(again.results(), window.results());
    assert_eq!(again.app().state.n_found, 0, "something was computed");
    assert!(again.results().iter().all(Option::is_some));
}

#[test]
fn what_is_no_model_leaves_one_open() {
    let mut window = Window::open();
    window.does(Command::OpenModelBesideAt(window.dir.path().to_owned()));
    window.sees("holds no config.json");
    assert!(!window.app().state.has_model_beside());

    let broken = window.dir.path().join("broken");
    std::fs::create_dir(&broken).unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(tiny().join(file), broken.join(file)).unwrap();
    }
    window.does(Command::OpenModelBesideAt(broken));
    window.wait("the refusal", |app| app.state.error.is_some());
    window.sees("No second model is open now");
    assert!(!window.app().state.has_model_beside());
    assert!(matches!(window.app().state.model, ModelState::Open(_)));
    window.click("Trace");
    window.trace_ends();
    assert_eq!(window.trace_state(), Some(RunState::Done));
}

/// As each would be averaged alone.
#[test]
fn averages_are_of_the_model_of_their_row() {
    let mut window = open_both();
    window.harness.state_mut().state.settings.trace.n_samples = 2;
    window.show(Pane::Averages);
    window.click("Keep facts that are not known");
    let mut found = Vec::new();
    for (row, name) in [(First, builtin::FACTS.name), (Second, builtin::PLANTED.name)] {
        window.does(Command::LookAt(row));
        window.wait_for_predictions();
        window.wait("what noise is measured on", |app| {
            app.state.spec_of(Pane::Averages, row).is_ok()
        });
        window.does(Command::Study(Pane::Averages));
        window.wait("the averages", |app| {
            let study = app.state.run(Pane::Averages, row);
            study.is_some_and(|it| it.state == RunState::Done)
        });
        let state = &window.app().state;
        let study = state.run(Pane::Averages, row).unwrap();
        let result = study.result.as_deref().unwrap().clone();
        let prompt = state.findings_at(row).unwrap().prompt.clone().unwrap();
        let alone =
            Engine::load(Path::new(name), DeviceChoice::Cpu, &TaskCtx::unwatched(), &|_| ());
        let ctx = AnalysisCtx::unwatched();
        assert_eq!(alone.unwrap().run(&prompt, &study.spec, &ctx).unwrap(), result, "{name}");
        let AnalysisResult::TraceAverage(it) = &result else { panic!("{result:?}") };
        assert_eq!(it.facts.len(), 3);
        window.sees("Averages over 3 facts");
        found.push(result);
    }
    assert_ne!(found[0], found[1]);
    // Each keeps its own.
    window.does(Command::LookAt(First));
    assert_eq!(window.app().state.result(Pane::Averages).map(|it| &**it), Some(&found[0]));
}
