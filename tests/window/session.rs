//! A session file brings back what was found, and nothing else.

use std::path::{Path, PathBuf};

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::analysis::causal_trace::Component;
use factscope::analysis::edge_cut::Edge;
use factscope::builtin;
use factscope::session::{Session, VERSION};
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::{FactId, Paint, Run, Setting};

use super::support::{FACTS, Window, tiny};

/// The tiny model as a copy that can be changed.
fn copy_of_tiny(dir: &Path) -> PathBuf {
    let copy = dir.join("copy");
    std::fs::create_dir(&copy).unwrap();
    for file in std::fs::read_dir(tiny()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    copy
}

impl Window {
    fn idle(&mut self) {
        self.wait("the jobs", |app| app.state.jobs.iter().next().is_none());
    }

    fn save(&mut self, path: &Path) {
        self.harness.state_mut().command(Command::SaveSessionTo(path.to_owned()));
        self.wait("the file", |app| app.state.is_unsaved() == Some(false));
    }
}

/// A window with a traced and an ablated fact, saved.
fn saved(model: PathBuf, facts: PathBuf, path: &Path) -> Window {
    let options = Options { model: Some(model), facts: Some(facts), ..Options::default() };
    let mut window = Window::new(options, None);
    window.wait("the model", |app| app.state.info().is_some() && !app.state.facts.is_empty());
    window.wait_for_predictions();
    window.harness.state_mut().command(Command::Select(FactId::Record(1)));
    window.harness.run_steps(2);
    window.wait_for_predictions();
    window.click("MLP");
    window.click("Trace");
    window.trace_ends();
    window.harness.state_mut().command(Command::Study(Pane::Ablation));
    window.idle();
    for pane in [Pane::Weights, Pane::Averages] {
        window.harness.state_mut().command(Command::Study(pane));
        window.harness.run_steps(2);
        window.idle();
    }
    window.save(path);
    window
}

fn opened(path: &Path) -> Window {
    let options = Options { session: Some(path.to_owned()), ..Options::default() };
    Window::new(options, None)
}

const SHOWN: [Pane; 8] = [
    Pane::Trace,
    Pane::Prediction,
    Pane::Attention,
    Pane::Attribution,
    Pane::LogitLens,
    Pane::Ablation,
    Pane::Weights,
    Pane::Averages,
];

/// Every bit of every result, NaN included.
fn results(window: &Window) -> Vec<String> {
    SHOWN.map(|pane| format!("{:?}", window.app().state.result(pane).unwrap())).into()
}

#[test]
fn a_session_comes_back_as_it_was_and_nothing_is_computed() {
    let dir = tempfile::tempdir().unwrap();
    let (facts, path) = (dir.path().join("facts.json"), dir.path().join("a.factscope"));
    std::fs::write(&facts, FACTS).unwrap();
    let window = saved(tiny(), facts, &path);
    assert_eq!(window.app().title(), "a.factscope – Factscope");

    let mut again = opened(&path);
    again.wait("the session", |app| app.state.session.is_some());
    assert_eq!(again.app().state.n_found, 0, "something was computed");
    assert_eq!(again.app().state.jobs.n_given(), 1, "only the model is opened");
    assert_eq!(results(&again), results(&window));
    for pane in SHOWN {
        let [now, then] = [&again, &window].map(|it| it.app().figure(pane).unwrap());
        assert_eq!(format!("{now:?}"), format!("{then:?}"), "{pane:?}");
    }
    let [now, then] = [&again, &window].map(|it| &it.app().state);
    assert_eq!(now.selected, then.selected);
    assert_eq!(now.settings.trace, then.settings.trace);
    assert_eq!(again.app().workspace(), window.app().workspace());
    assert!(now.stored.is_none());
    assert_eq!(again.app().title(), "a.factscope – Factscope");

    // What comes on top is new, and the title says so.
    again.harness.state_mut().state.settings.trace.component = Component::Attn;
    again.click("Trace");
    again.trace_ends();
    assert_eq!(again.app().title(), "a.factscope (unsaved) – Factscope");
    again.harness.key_press_modifiers(Modifiers::COMMAND, Key::S);
    again.wait("the file", |app| app.state.is_unsaved() == Some(false));
}

#[test]
fn painted_edges_come_back_with_their_facts() {
    let (mut window, _dir, path) = Window::to_be_saved();
    // Of two facts and an inverse. The last of the dataset is the first in the file.
    let of = |fact: usize, row: Row, query: usize| {
        let paint = Command::Paint(Paint::Add(Edge { query, key: 0 }));
        [Command::Select(FactId::Record(fact)), Command::LookAt(row), paint]
    };
    let all =
        [of(0, Row::First, 1), of(1, Row::Second, 2), of(0, Row::Second, 3), of(2, Row::First, 1)];
    for command in all.into_iter().flatten() {
        window.harness.state_mut().command(command);
        window.harness.run_steps(2);
    }
    window.idle();
    window.save(&path);
    let painted = window.app().state.painted.clone();
    assert_eq!(painted.iter().count(), 4);
    window.harness.state_mut().command(Command::Paint(Paint::Clear));
    window.harness.run_steps(2);
    assert_eq!(window.app().state.is_unsaved(), Some(true));

    let mut again = opened(&path);
    again.wait("the session", |app| app.state.session.is_some());
    again.harness.run_steps(3);
    assert_eq!(again.app().state.painted, painted);
    assert_eq!(again.app().state.is_unsaved(), Some(false));
    again.rests();
    assert_eq!(again.app().state.n_found, 0, "what they change was in the file");

    // A file from before there were any.
    let mut session = Session::load(&path).unwrap();
    let mut look: ciborium::Value = session.window().unwrap();
    let fields = look.as_map_mut().unwrap();
    let n_fields = fields.len();
    fields.retain(|(name, _)| name.as_text() != Some("painted"));
    assert_eq!(fields.len(), n_fields - 1);
    session.set_window(&look);
    session.save(&path).unwrap();
    let mut old = opened(&path);
    old.wait("the session", |app| app.state.session.is_some());
    assert_eq!(old.app().state.painted.iter().count(), 0);
    assert_eq!(old.app().state.selected, Some(FactId::Record(2)), "the rest is as it was");
}

#[test]
fn results_of_another_model_are_shown_apart() {
    let dir = tempfile::tempdir().unwrap();
    let model = copy_of_tiny(dir.path());
    let (facts, path) = (dir.path().join("facts.json"), dir.path().join("a.factscope"));
    std::fs::write(&facts, FACTS).unwrap();
    let window = saved(model.clone(), facts.clone(), &path);
    let before = results(&window);
    drop(window);

    let weights = model.join("model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    // Another sign.
    bytes[last] ^= 0x80;
    std::fs::remove_file(&weights).unwrap();
    std::fs::write(&weights, bytes).unwrap();

    let mut again = opened(&path);
    again.wait("the session", |app| app.state.session.is_some());
    again.sees("All results are from the session file a.factscope");
    again.sees("The model has other weights now");
    assert_eq!(results(&again), before);
    let figure = dir.path().join("ablation.json");
    again.does(Command::ExportOf(Pane::Ablation));
    again.does(Command::SaveFigureTo(figure.clone()));
    let figure = std::fs::read_to_string(&figure).unwrap();
    assert!(figure.contains("From the session file a.factscope"), "{figure}");

    // Nothing is mixed in.
    again.harness.state_mut().state.settings.trace.component = Component::Attn;
    again.click("Trace");
    again.sees("nothing new is computed");
    assert_eq!(again.app().state.jobs.n_given(), 0);
    again.click("Dismiss");
    again.harness.state_mut().command(Command::Select(FactId::Record(0)));
    again.harness.run_steps(3);
    assert_eq!(again.app().state.jobs.n_given(), 0);

    again.click("Open the model as it is now");
    again.wait("the model", |app| app.state.info().is_some() && app.state.stored.is_none());
    assert!(again.app().state.result(Pane::Ablation).is_none(), "old results are gone");

    std::fs::remove_dir_all(&model).unwrap();
    std::fs::write(&facts, FACTS.replace("Italy", "Spain")).unwrap();
    let mut again = opened(&path);
    again.wait("the session", |app| app.state.session.is_some());
    again.sees("The model cannot be opened");
    again.sees("The dataset has changed");
    assert_eq!(results(&again), before);
    let prompt = again.app().state.findings_at(Row::First).unwrap().prompt.clone();
    assert_eq!(prompt.unwrap().text, "The capital of France is");
}

#[test]
fn a_broken_session_is_refused_and_what_is_open_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (facts, path) = (dir.path().join("facts.json"), dir.path().join("a.factscope"));
    std::fs::write(&facts, FACTS).unwrap();
    let mut window = saved(tiny(), facts, &path);
    let whole = std::fs::read(&path).unwrap();
    let check = |window: &mut Window, bytes: &[u8], says: &str| {
        let broken = dir.path().join("broken.factscope");
        std::fs::write(&broken, bytes).unwrap();
        window.drop(broken);
        window.wait("the error", |app| app.state.error.is_some());
        window.sees(says);
        window.sees("broken.factscope");
        assert!(window.app().state.result(Pane::Trace).is_some());
        window.click("Dismiss");
    };
    check(&mut window, &whole[..whole.len() / 2], "cut short");
    check(&mut window, &whole[..20], "cut short");
    check(&mut window, b"{}", "no session of Factscope");
    let mut damaged = whole.clone();
    damaged[whole.len() - 9] ^= 1;
    check(&mut window, &damaged, "damaged");
    let mut newer = whole;
    newer[12] = 99;
    check(&mut window, &newer, "A newer Factscope wrote this session");
}

/// Opens a session of an older format, saves it as one of today, and opens that. `n_views`: how many
/// of its views show a result
fn opens_and_is_saved_again(name: &str, format: u8, n_views: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let version = |path: &Path| std::fs::read(path).unwrap()[12];
    assert_eq!(version(&path), format);
    let mut window = opened(&path);
    window.wait("the session", |app| app.state.session.is_some());
    assert_eq!(window.app().state.error, None);
    // Its settings and arrangement as well.
    assert_eq!(window.app().state.notice, Some(format!("Opened {}", path.display())));
    let found = |window: &Window| {
        let state = &window.app().state;
        let inverse = state.trace(Row::Second).unwrap().result.clone();
        let shown = Pane::ALL.into_iter().filter(|pane| pane.has_results());
        let results = shown.filter_map(|pane| Some((pane.key(), state.result(pane)?)));
        let results: Vec<String> = results.map(|it| format!("{it:?}")).collect();
        (results, format!("{:?}", inverse.unwrap()))
    };
    let before = found(&window);
    assert_eq!(before.0.len(), n_views);
    assert_eq!(window.app().state.n_found, 0, "something was computed");
    for pane in Pane::ALL {
        window.show(pane);
    }
    window.show(Pane::Comparison);
    window.sees("A fact beside its inverse");
    if window.app().state.stored.is_some() {
        // Of a built-in model that is another by now: it is shown, but not saved anew.
        return;
    }
    let text = window.app().state.spec.text().to_owned();
    let again = window.dir.path().join("again.factscope");
    window.does(Command::SaveSessionTo(again.clone()));
    window.wait("the file", |_| again.is_file());
    assert_eq!(version(&again), VERSION as u8);
    let mut later = opened(&again);
    later.wait("the session", |app| app.state.session.is_some());
    assert_eq!(found(&later), before);
    assert_eq!(later.app().state.spec.text(), text);
}

/// Written by the first Factscope that had sessions, which knew of one model only.
#[test]
fn a_session_of_the_first_format_opens_and_is_saved_as_one_of_today() {
    opens_and_is_saved_again("first_format.factscope", 1, 6);
}

/// Traces, previews, studies and what was shown unasked were of different kinds in it, and rows were
/// named by the way a fact is asked.
#[test]
fn a_session_of_the_second_format_opens_and_is_saved_as_one_of_today() {
    opens_and_is_saved_again("second_format.factscope", 2, 24);
}

/// A session has its own arrangement, but what was asked for is in front.
#[test]
fn a_view_that_is_asked_for_is_in_front_of_those_of_a_session() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/first_format.factscope");
    for pane in [Pane::Attention, Pane::Trust] {
        let options =
            Options { session: Some(path.clone()), pane: Some(pane), ..Options::default() };
        let mut window = Window::new(options, None);
        window.wait("the session", |app| app.state.session.is_some());
        window.wait("the view", |app| app.workspace().is_in_front(pane));
    }
}

/// A command has no arrangement to keep; what another version kept is said to be missing.
#[test]
fn a_session_of_a_command_opens_without_a_word_of_another_version() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cairo.factscope");
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_factscope"))
        .args(["attribute", "--facts", "builtin", "--case", "2", "--device", "cpu", "--quiet"])
        .arg("--save-session")
        .arg(&path)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let notice_of = || {
        let options = Options { session: Some(path.clone()), ..Options::default() };
        let mut window = Window::new(options, None);
        window.wait("the session", |app| app.state.session.is_some());
        window.app().state.notice.clone()
    };
    let says_so = |notice: Option<String>| notice.is_some_and(|it| it.contains("Another version"));
    assert!(!says_so(notice_of()));

    let mut session = Session::load(&path).unwrap();
    session.set_window(&"in a form that is not known");
    session.save(&path).unwrap();
    assert!(says_so(notice_of()));
}

/// What was asked in Python or on the command line is in front, and not another view's usual question.
#[test]
fn a_trace_of_a_command_is_shown_with_the_settings_it_was_asked_with() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mlp.factscope");
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_factscope"))
        .args(["trace", "--facts", "builtin", "--case", "2", "--device", "cpu", "--quiet"])
        .args(["--kind", "mlp", "--samples", "2", "--seed", "5", "--window", "3", "--bos"])
        .arg("--save-session")
        .arg(&path)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let options = Options { session: Some(path.clone()), ..Options::default() };
    let mut window = Window::new(options, None);
    window.wait("the session", |app| app.state.session.is_some());
    window.wait("the view", |app| app.workspace().is_in_front(Pane::Trace));
    let trace = &window.app().state.settings.trace;
    assert_eq!((trace.component, trace.n_samples, trace.seed), (Component::Mlp, 2, 5));
    window.wait("the subjects", |app| app.state.trace(Row::First).is_some());
    let run = window.app().state.trace(Row::First).unwrap();
    let spec = Session::load(&path).unwrap().found[0].spec.clone();
    assert!(run.is_done());
    assert_eq!(run.spec, spec);
}

/// A session brings the answers of all facts, so that nothing has told how fast the model is.
#[test]
fn a_setting_that_is_changed_after_a_session_was_opened_is_traced_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (facts, path) = (dir.path().join("facts.json"), dir.path().join("a.factscope"));
    std::fs::write(&facts, FACTS).unwrap();
    saved(tiny(), facts, &path);
    let mut window = opened(&path);
    window.wait("the session", |app| app.state.session.is_some());
    // However busy the machine is.
    window.harness.state_mut().state.pace.quick_secs = 1e9;
    window.harness.state_mut().state.preferences.traces_at_once = true;
    let mut trace = window.app().state.settings.trace.clone();
    trace.seed += 1;
    window.does(Command::Set(Box::new(Setting::Trace(trace))));
    window.wait("the trace", |app| app.state.trace(Row::First).is_some_and(Run::is_done));
    assert_eq!(window.app().state.error, None);
}

/// Whatever was open before, and wherever its list stood.
#[test]
fn the_list_stands_at_the_chosen_fact_of_a_session_that_is_opened_over_another() {
    let (mut window, home) = Window::with_sweeps();
    window.does(Command::SetMeasuresRecall(false));
    let [early, late] = ["early", "late"].map(|it| home.path().join(format!("{it}.factscope")));
    let is_in_sight = |window: &Window| {
        let chosen = window.app().state.fact().unwrap().prompt.clone();
        let mut rows = window.harness.query_all_by_role(Role::ListBoxOption);
        rows.any(|it| it.accesskit_node().label().is_some_and(|it| it.starts_with(&chosen)))
    };
    window.does(Command::Select(FactId::Record(700)));
    window.rests();
    window.save(&late);
    window.does(Command::OpenModelAt(builtin::PLANTED.name.into()));
    window.wait("the model", |app| {
        app.state.info().is_some_and(|it| it.name == builtin::PLANTED.name)
    });
    window.does(Command::Select(FactId::Record(3)));
    window.rests();
    window.save(&early);
    for (path, name) in [
        (&late, builtin::FACTS.name),
        (&early, builtin::PLANTED.name),
        (&late, builtin::FACTS.name),
    ] {
        window.does(Command::OpenSessionAt(path.clone()));
        window.wait("the session", |app| {
            app.state.session.as_ref().is_some_and(|it| it.path == *path)
                && app.state.info().is_some_and(|it| it.name == name)
        });
        window.wait_for_predictions();
        window.harness.run_steps(30);
        assert!(is_in_sight(&window), "{}", path.display());
    }
}
