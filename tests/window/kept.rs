//! Nothing that was found is lost: over a change of the model and back, a model that cannot be opened,
//! and a window that ends without being closed.

use std::path::{Path, PathBuf};

use eframe::egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::analysis::{AnalysisResult, AnalysisSpec};
use factscope::session::Session;
use factscope::ui::Options;
use factscope::ui::command::{ClosingAnswer, Command};
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::FactId;
use factscope::worker::{DeviceChoice, Which};

use super::support::{FACTS, SIZE, Window, tiny};

impl Window {
    pub fn rests(&mut self) {
        self.wait("the jobs", |app| app.state.jobs.iter().next().is_none());
    }

    fn changes(&mut self, command: Command) {
        self.does(command);
        self.rests();
    }

    /// Every bit of both traces.
    fn traced(&self) -> Option<[String; 2]> {
        let [fact, inverse] = Row::BOTH.map(|row| self.app().state.trace(row));
        Some([fact?, inverse?].map(|run| format!("{:?}", run.result)))
    }

    pub fn traces(&mut self) -> [String; 2] {
        self.does(Command::Trace);
        self.trace_ends();
        self.traced().unwrap()
    }
}

/// One step of almost no length.
fn set_an_edit_that_does_nothing(window: &mut Window) {
    let settings = &mut window.harness.state_mut().state.settings;
    let mut json = serde_json::to_value(&*settings).unwrap();
    json["studies"]["editing"]["n_steps"] = 1.into();
    json["studies"]["editing"]["learning_rate"] = 0.001.into();
    *settings = serde_json::from_value(json).unwrap();
    window.harness.run_steps(2);
}

#[test]
fn an_edit_that_did_not_work_is_used_only_when_asked_twice_and_stays_in_sight() {
    let mut window = Window::open();
    set_an_edit_that_does_nothing(&mut window);
    window.changes(Command::Study(Pane::Editing));
    window.sees("The edit did not work");
    let n_edits = |window: &Window| window.app().state.edits.len();

    window.click("Use the changed model");
    assert_eq!(n_edits(&window), 0);
    window.sees("Use the changed model all the same?");
    window.click("Leave the model as it is");
    assert!(window.harness.query_by_label_contains("all the same?").is_none());

    window.click("Use the changed model");
    window.click("Use it all the same");
    window.rests();
    assert_eq!(n_edits(&window), 1);
    // The numbers of what was tried out are those of the model before.
    let tried = window.app().state.change_tried(Pane::Editing).unwrap();
    assert!(matches!(tried.result.as_deref(), Some(AnalysisResult::RankOneEdit(_))));
    window.sees("The change that is made: what it does, tried out before");
    window.sees("p(new) before");
    window.does(Command::DropEdits);
    window.rests();
    assert!(window.app().state.change_tried(Pane::Editing).is_none());
    window.sees("The edit did not work");
}

#[test]
fn what_was_found_in_a_model_is_kept_while_it_is_changed() {
    let (mut window, _dir, path) = Window::to_be_saved();
    let before = window.traces();
    window.changes(Command::Study(Pane::Steering));
    window.changes(Command::ApplyEdit(Pane::Steering));
    assert_eq!(window.traced(), None);
    let after = window.traces();
    assert_ne!(before, after);

    window.changes(Command::DropEdits);
    let n_given = window.app().state.jobs.n_given();
    assert_eq!(window.traced().as_ref(), Some(&before));
    assert_eq!(window.app().state.jobs.n_given(), n_given, "nothing is asked again");
    window.changes(Command::ApplyEdit(Pane::Steering));
    assert_eq!(window.traced().as_ref(), Some(&after));

    // In a session as well, whichever of them is open when it is saved.
    window.does(Command::SaveSessionTo(path.clone()));
    window.wait("the file", |app| app.state.is_unsaved() == Some(false));
    let session = Session::load(&path).unwrap();
    let n_edits = |is_meant: fn(&[_]) -> bool| {
        session.kept().filter(|it| it.name() == "causal trace" && is_meant(it.edits)).count()
    };
    assert_eq!([n_edits(|it| it.len() == 1), n_edits(|it| it.is_empty())], [2, 2]);
    let options = Options { session: Some(path), ..Options::default() };
    let mut again = Window::new(options, None);
    again.wait("the session", |app| app.state.session.is_some());
    again.rests();
    assert_eq!(again.traced().as_ref(), Some(&after));
    again.changes(Command::DropEdits);
    assert_eq!(again.traced().as_ref(), Some(&before));
}

#[test]
fn the_way_back_stops_a_change_that_is_being_made() {
    let mut window = Window::open();
    let steering = Command::ApplyEdit(Pane::Steering);
    for command in [steering.clone(), Command::DropEdits] {
        window.harness.state_mut().command(command);
    }
    window.harness.step();
    assert_eq!(window.app().state.edits.len(), 1, "the first is being made");
    window.rests();
    assert!(window.app().state.edits.is_empty());
    // Who wants the change after all has it.
    for command in [steering.clone(), Command::DropEdits, steering] {
        window.harness.state_mut().command(command);
    }
    window.rests();
    assert_eq!(window.app().state.edits.len(), 1);
}

#[test]
fn the_trace_before_a_change_stands_beside_the_one_after() {
    let mut window = Window::open();
    window.harness.set_size(SIZE * 1.5);
    window.traces();
    window.changes(Command::ApplyEdit(Pane::Steering));
    window.traces();
    window.sees("Fact before the change");
    window.sees("Inverse before the change");
    // On one scale each.
    let scales = |window: &Window| {
        let figures = window.harness.query_all_by_role(Role::Figure);
        let names = figures.map(|it| it.accesskit_node().label().unwrap_or_default());
        let scales = names.filter_map(|it| Some(it.rsplit_once(" from ")?.1.to_owned()));
        scales.collect::<Vec<_>>()
    };
    let shown = scales(&window);
    assert!(shown.len() >= 4, "{shown:?}");
    assert_eq!([&shown[0], &shown[2]], [&shown[1], &shown[3]]);
    window.does(Command::ShowBefore(false));
    assert!(window.harness.query_by_label_contains("before the change").is_none());
    window.does(Command::ShowBefore(true));
    window.changes(Command::DropEdits);
    assert!(window.harness.query_by_label_contains("before the change").is_none());
}

/// A folder with some of a model's files, the weights cut to so many bytes.
fn part_of_tiny(dir: &Path, n_bytes: Option<usize>) -> PathBuf {
    let broken = dir.join(format!("broken {n_bytes:?}"));
    std::fs::create_dir(&broken).unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(tiny().join(file), broken.join(file)).unwrap();
    }
    if let Some(n_bytes) = n_bytes {
        let weights = std::fs::read(tiny().join("model.safetensors")).unwrap();
        std::fs::write(broken.join("model.safetensors"), &weights[..n_bytes]).unwrap();
    }
    broken
}

#[test]
fn a_model_that_cannot_be_opened_leaves_the_one_that_is_open() {
    let mut window = Window::open();
    let before = window.traces();
    let dir = tempfile::tempdir().unwrap();
    for n_bytes in [None, Some(40_000)] {
        let broken = part_of_tiny(dir.path(), n_bytes);
        window.does(Command::OpenModelAt(broken));
        // What was asked for is in no session file, and is not asked about in vain.
        window.wait("the refusal", |app| app.state.error.is_some());
        assert!(window.harness.query_by_label("Open another model?").is_none());
        window.sees("The model tiny is still open");
        assert_eq!(window.traced().as_ref(), Some(&before));
        window.click("Dismiss");
    }
    // It can be asked as before.
    window.does(Command::Select(FactId::Record(1)));
    window.wait_for_predictions();
    window.traces();
}

/// All that is shown of the chosen fact is shown while the error is, though that takes more height than is
/// between a window in which the tokens have room and one in which they have not.
#[test]
fn what_is_shown_stays_when_a_model_cannot_be_opened() {
    let mut window = Window::open();
    window.does(Command::ShowMoreOfTrace(false));
    let dir = tempfile::tempdir().unwrap();
    let broken = part_of_tiny(dir.path(), Some(40_000));
    let shown = |window: &Window| {
        let nodes = window.region(Pane::Trace).children_recursive();
        let names = nodes.filter_map(|it| it.accesskit_node().label());
        names.filter(|it| !it.trim().is_empty()).collect::<Vec<_>>()
    };
    let mut n_with_tokens = Vec::new();
    for nth in 0..24_u8 {
        let size = eframe::egui::vec2(1280.0, 400.0 + 25.0 * f32::from(nth));
        window.harness.set_size(size);
        window.harness.run_steps(4);
        let before = shown(&window);
        n_with_tokens.push(before.iter().filter(|it| it.starts_with("Token ")).count());
        let room = window.place_of(Pane::Trace).height();
        window.does(Command::OpenModelAt(broken.clone()));
        window.wait("the refusal", |app| app.state.error.is_some());
        window.wait_for_predictions();
        assert!(window.place_of(Pane::Trace).height() < room - 25.0, "the error takes room");
        assert_eq!(shown(&window), before, "at {size}");
        window.click("Dismiss");
        assert_eq!(shown(&window), before, "at {size}");
    }
    let (first, last) = (n_with_tokens[0], n_with_tokens[n_with_tokens.len() - 1]);
    assert!(first == 0 && last > 0, "{n_with_tokens:?}");
}

#[test]
fn another_model_or_dataset_is_opened_when_what_was_found_is_let_go() {
    let mut window = Window::open();
    let before = window.traces();
    let other = window.file("other.json", &FACTS.replace("Italy", "Spain"));
    window.does(Command::OpenDatasetAt(other.clone()));
    window.wait_for_label("Open another dataset?");
    window.click("Cancel");
    assert_eq!(window.traced().as_ref(), Some(&before));
    assert_ne!(window.app().state.facts.dataset_path(), Some(&*other));

    window.does(Command::OpenDatasetAt(other.clone()));
    window.wait_for_label("Open another dataset?");
    window.click("Discard");
    window.wait("the dataset", |app| app.state.facts.dataset_path() == Some(&*other));
    window.rests();
    assert_eq!(window.traced(), None);
    // Nothing is there that was asked for.
    window.does(Command::OpenModelAt(tiny()));
    assert!(window.harness.query_by_label("Open another model?").is_none());
    window.rests();
}

#[test]
fn what_is_opened_is_read_before_anyone_is_asked_about_it() {
    let mut window = Window::open();
    let before = window.traces();
    let asks = |window: &Window| {
        let questions = ["Open another model?", "Open another dataset?", "Open another session?"];
        questions.iter().any(|it| window.harness.query_by_label(it).is_some())
    };
    let no_facts = window.file("none.json", "{\"no\": \"facts\"");
    let no_session = window.file("none.factscope", "no session");
    for (command, left) in [
        (Command::OpenDatasetAt(no_facts), "The dataset facts.json is still open"),
        (Command::OpenSessionAt(no_session), "The model tiny is still open"),
    ] {
        window.does(command);
        window.wait("the refusal", |app| app.state.error.is_some());
        window.sees(left);
        assert!(!asks(&window));
        assert_eq!(window.traced().as_ref(), Some(&before));
        window.click("Dismiss");
    }

    // A whole model is asked about, and opened with the answer.
    let whole = tempfile::tempdir().unwrap();
    let n_bytes = std::fs::metadata(tiny().join("model.safetensors")).unwrap().len() as usize;
    let whole = part_of_tiny(whole.path(), Some(n_bytes));
    window.does(Command::OpenModelAt(whole.clone()));
    window.wait_for_label("Open another model?");
    window.click("Cancel");
    assert_eq!(window.traced().as_ref(), Some(&before));
    window.does(Command::OpenModelAt(whole.clone()));
    window.wait_for_label("Open another model?");
    window.does(Command::AnswerClosing(ClosingAnswer::Discard));
    window.wait("the model", |app| app.state.info().is_some_and(|it| it.dir == whole));
}

#[test]
fn another_device_is_taken_only_if_what_was_found_may_go() {
    let mut window = Window::open();
    let before = window.traces();
    window.does(Command::SetDevice(DeviceChoice::Auto));
    window.sees("Open the model again?");
    window.click("Cancel");
    assert_eq!(window.app().state.device, DeviceChoice::Cpu);
    assert_eq!(window.traced().as_ref(), Some(&before));
}

/// A window with the tiny model that keeps what is not saved in a folder.
pub fn keeping(dir: &Path) -> Window {
    keeping_with(dir, None)
}

/// As [`keeping`], with a folder for sweeps.
pub fn keeping_with(dir: &Path, sweeps: Option<PathBuf>) -> Window {
    let facts = dir.join("facts.json");
    std::fs::write(&facts, FACTS).unwrap();
    let unsaved = Some(dir.join("unsaved"));
    let options =
        Options { model: Some(tiny()), facts: Some(facts), unsaved, sweeps, ..Options::default() };
    let mut window = Window::new(options, None);
    window.wait("the model", |app| app.state.info().is_some() && !app.state.facts.is_empty());
    window.wait_for_predictions();
    window.rests();
    window
}

pub fn kept_in(dir: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir.join("unsaved")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|it| it == "factscope")).collect()
}

/// How many whole traces are kept in a folder; on a busy machine the file is first written with a part.
fn n_traces_kept(dir: &Path) -> usize {
    let session = kept_in(dir).first().and_then(|path| Session::load(path).ok());
    let found = session.iter().flat_map(|it| &it.found);
    found.filter(|it| it.is_complete && matches!(it.spec, AnalysisSpec::CausalTrace(_))).count()
}

#[test]
fn what_was_not_saved_is_offered_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = keeping(dir.path());
    let before = window.traces();
    window.wait("what is kept", |_| n_traces_kept(dir.path()) == 2);
    // Its window is there.
    let other = keeping(dir.path());
    assert!(other.app().state.left_over.is_empty());
    drop((window, other));

    let mut again = keeping(dir.path());
    again.sees("What it had found is kept");
    again.harness.get_by_role_and_label(Role::Button, "Restore").click();
    again.harness.run_steps(3);
    again.wait("what was found", |app| app.state.left_over.is_empty());
    again.rests();
    assert_eq!(again.traced().as_ref(), Some(&before));
    assert!(again.app().state.has_unsaved(), "it is in no session file");
    assert_eq!(again.app().title(), "Factscope");
    assert_eq!(kept_in(dir.path()).len(), 1, "it is kept until it is saved");
    drop(again);

    let mut third = keeping(dir.path());
    // Another click in the same place loses nothing.
    third.click("Discard…");
    third.click("Keep it");
    assert_eq!(third.app().state.left_over.len(), 1);
    third.click("Discard…");
    third.click("Discard for good");
    assert!(third.app().state.left_over.is_empty());
    assert_eq!(kept_in(dir.path()).len(), 0);
}

/// Where a window is that is refused memory.
const REFUSED_IN: &str = "FACTSCOPE_TEST_REFUSED_IN";

/// Carried out by a process that the next test starts: what the program's allocator does before the system ends it.
#[test]
fn is_refused_memory_for_a_parent() {
    let Some(dir) = std::env::var_os(REFUSED_IN) else { return };
    let mut window = keeping(Path::new(&dir));
    window.traces();
    let refused = std::thread::Builder::new()
        .name("refused".to_owned())
        .spawn(factscope::worker::wait_until_kept)
        .unwrap();
    while !refused.is_finished() {
        window.harness.step();
    }
    std::process::abort();
}

#[test]
fn what_a_window_has_found_is_kept_where_memory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ended = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kept::is_refused_memory_for_a_parent"])
        .env(REFUSED_IN, dir.path())
        .output()
        .unwrap();
    assert!(!ended.status.success(), "{ended:?}");
    assert_eq!(n_traces_kept(dir.path()), 2);
    keeping(dir.path()).sees("What it had found is kept");
}

/// Which file it belongs to, and what was in front, also if that was chosen after the last result.
#[test]
fn what_is_restored_has_its_title_and_its_views_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = keeping(dir.path());
    let file = dir.path().join("a.factscope");
    window.does(Command::SaveSessionTo(file));
    window.wait("the file", |app| app.state.is_unsaved() == Some(false));
    window.traces();
    window.wait("what is kept", |_| !kept_in(dir.path()).is_empty());
    let written = |dir: &Path| std::fs::read(&kept_in(dir)[0]).unwrap();
    let before = written(dir.path());
    window.show(Pane::LogitLens);
    window.wait("the view to be kept", |_| written(dir.path()) != before);
    assert_eq!(window.app().title(), "a.factscope (unsaved) – Factscope");
    drop(window);

    let mut again = keeping(dir.path());
    again.harness.get_by_role_and_label(Role::Button, "Restore").click();
    again.harness.run_steps(3);
    again.wait("what was found", |app| app.state.left_over.is_empty());
    again.rests();
    assert_eq!(again.app().title(), "a.factscope (unsaved) – Factscope");
    assert!(again.app().workspace().is_in_front(Pane::LogitLens));
    again.does(Command::SaveSession);
    again.wait("the file", |app| app.state.is_unsaved() == Some(false));
    assert_eq!(again.app().title(), "a.factscope – Factscope");
}

#[test]
fn a_window_that_is_closed_leaves_nothing_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut window = keeping(dir.path());
    window.traces();
    window.wait("what is kept", |_| !kept_in(dir.path()).is_empty());
    window.does(Command::Quit);
    window.sees("Close Factscope?");
    window.click("Discard");
    drop(window);
    assert_eq!(kept_in(dir.path()).len(), 0);
    assert_eq!(std::fs::read_dir(dir.path().join("unsaved")).unwrap().count(), 0);
}

#[test]
fn a_change_of_the_model_is_a_step_that_is_taken_back() {
    let mut window = Window::open();
    let before = window.traces();
    window.changes(Command::ApplyEdit(Pane::Steering));
    let after = window.traces();
    assert_ne!(before, after);
    assert_eq!(window.app().state.undoes().as_deref(), Some("the change of the model"));
    window.changes(Command::Undo);
    assert_eq!(window.traced().as_ref(), Some(&before));
    assert_eq!(window.app().state.redoes().as_deref(), Some("the change of the model"));
    window.changes(Command::Redo);
    assert_eq!(window.traced().as_ref(), Some(&after));

    // In another model it is no step.
    window.does(Command::OpenModelAt(tiny()));
    window.wait_for_label("Open another model?");
    window.does(Command::AnswerClosing(ClosingAnswer::Discard));
    window.wait("the model", |app| app.state.edits.is_empty() && app.state.info().is_some());
    window.rests();
    for _ in 0..5 {
        assert_ne!(window.app().state.undoes().as_deref(), Some("the change of the model"));
        window.changes(Command::Undo);
        assert!(window.app().state.edits.is_empty());
    }
}

#[test]
fn a_model_that_is_opened_beside_takes_nothing_away_and_asks_nothing() {
    let mut window = Window::open();
    let before = window.traces();
    window.does(Command::OpenModelBesideAt(tiny()));
    window.wait("the second model", |app| app.state.info_of(Which::Beside).is_some());
    window.rests();
    // It is asked about once it holds what was found, and another takes its place.
    window.traces();
    window.does(Command::OpenModelBesideAt(tiny()));
    window.wait_for_label("Open another model?");
    window.does(Command::AnswerClosing(ClosingAnswer::Cancel));
    window.does(Command::CloseModelBeside);
    window.wait_for_label("Discard");
    window.does(Command::AnswerClosing(ClosingAnswer::Discard));
    window.rests();
    assert_eq!(window.traced().as_ref(), Some(&before));
}
