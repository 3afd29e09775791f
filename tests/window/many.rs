//! One question asked of many facts: begun, stopped and gone on with in the window, the same as by the
//! commands; its folder opened, filtered, and followed to single facts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use eframe::egui::{Key, Rect};
use egui_kittest::kittest::Queryable as _;
use factscope::analysis::AnalysisResult;
use factscope::facts::Direction;
use factscope::figure::Chart;
use factscope::population::{
    AnswerOf, GroupBy, KnownBy, KnownWay, Population, RECALL, Shown, SweepSettings, Task, Wanted,
    Ways, Wording,
};
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::state::{
    Amount, AmountBy, Estimated, FactId, Filter, JobKind, ManyOptions, SweepView,
};

use super::support::Window;

impl Window {
    /// Lists the first facts only.
    pub fn list_few(&mut self, query: &str) -> usize {
        self.does(Command::SearchFacts(query.to_owned()));
        self.app().state.facts.found().len()
    }

    #[track_caller]
    pub fn asks_over(&mut self, pane: Pane) {
        self.does(Command::Over(pane));
        self.wait("the estimate", |app| {
            let asking = app.state.many.asking.as_ref();
            asking.is_some_and(|it| !matches!(it.estimate, Estimated::Running(_)))
        });
    }

    #[track_caller]
    pub fn sweep_ends(&mut self) {
        self.wait("the sweep", |app| app.state.jobs.iter().all(|(_, it)| !it.kind.is_sweep()));
        self.wait("the figure", |app| {
            let open = app.state.many.open.as_ref().unwrap();
            !open.is_reading && !open.has_grown
        });
    }

    pub fn sweep_dir(&self) -> PathBuf {
        self.app().state.many.open.as_ref().unwrap().dir.clone()
    }
}

/// The numbers of a folder, by what they are about, and whether each is the same to the bit.
fn numbers(dir: &Path) -> BTreeMap<String, Vec<Vec<u64>>> {
    let found = Population::load(dir, &Wanted::default()).unwrap();
    let facts: Vec<String> = found.facts.iter().map(|it| format!("{it:?}")).collect();
    let bits = |values: &Vec<f64>| values.iter().map(|it| it.to_bits()).collect::<Vec<u64>>();
    let charts = found.charts.iter().map(|it| {
        let name = format!("{} {} {:?} {facts:?}", it.chart, it.quantity, it.cells);
        (name, it.values.iter().map(bits).collect())
    });
    charts.collect()
}

/// The line that is copied, typed into a shell elsewhere.
fn type_line(line: &str, dir: &Path) {
    let program = Path::new(env!("CARGO_BIN_EXE_factscope"));
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let typed = Process::new("sh").args(["-c", line]).current_dir(dir).env("PATH", path).output();
    let typed = typed.unwrap();
    assert!(typed.status.success(), "{line}: {}", String::from_utf8_lossy(&typed.stderr));
}

#[test]
fn what_a_view_asks_of_many_facts_is_what_the_commands_give() {
    let (mut window, home) = Window::with_sweeps();
    let n = window.list_few("capital land");
    assert!(n > 3, "{n}");
    window.show(Pane::Ablation);
    window.asks_over(Pane::Ablation);
    assert!(window.app().workspace().is_in_front(Pane::Sweep));
    window.sees("that the list shows");
    window.sees("each way counted: about");
    window.does(Command::StartSweep);
    window.sweep_ends();
    assert_eq!(window.app().state.error, None);
    let dir = window.sweep_dir();
    assert!(dir.starts_with(home.path()), "{}", dir.display());
    let read = window.app().state.many.open.as_ref().unwrap().read.clone().unwrap();
    assert!(read.is_whole());
    assert_eq!(read.population.facts.len(), 2 * n);

    // The figure is the one of `population`, and so is what is exported.
    let loaded = Population::load(&dir, &Wanted::default()).unwrap();
    let figure = loaded.figure(&Shown::default());
    assert_eq!(format!("{:?}", read.figure.charts), format!("{:?}", figure.charts));
    let shown = window.app().figure(Pane::Sweep).unwrap();
    assert_eq!(format!("{:?}", shown.charts), format!("{:?}", figure.charts));
    window.sees(&figure.title);

    // The line that a colleague types gives the same numbers.
    let line = window.app().state.command_line(Pane::Sweep).unwrap();
    assert!(line.contains("factscope sweep") && line.contains("--both-ways"), "{line}");
    let elsewhere = tempfile::tempdir().unwrap();
    type_line(&line, elsewhere.path());
    let theirs = elsewhere.path().join(dir.file_name().unwrap());
    assert_eq!(numbers(&theirs), numbers(&dir));

    // The folder alone says what is asked, too.
    type_line(&format!("factscope sweep '{}' --out again", dir.display()), elsewhere.path());
    assert_eq!(numbers(&elsewhere.path().join("again")), numbers(&dir));
}

#[test]
fn facts_and_draws_are_chosen_for_an_interval() {
    let (mut window, _home) = Window::with_sweeps();
    let n = window.list_few("capital");
    window.show(Pane::Trace);
    window.asks_over(Pane::Trace);
    let asks = |window: &mut Window, by: AmountBy, text: &str| {
        let mut options = window.app().state.many.asking.as_ref().unwrap().options.clone();
        options.ways = Ways::Forward;
        options.amount = Amount { by, text: text.to_owned() };
        window.does(Command::SetMany(Box::new(options)));
        window.wait("the pilot", |app| {
            let asking = app.state.many.asking.as_ref();
            asking.is_some_and(|it| !matches!(it.estimate, Estimated::Running(_)))
        });
    };
    asks(&mut window, AmountBy::Time, "ten minutes");
    window.sees("A time is a number above 0 with its unit");
    asks(&mut window, AmountBy::Width, "0.3");
    window.sees("Chosen: ");
    let asking = window.app().state.many.asking.as_ref().unwrap();
    let Estimated::Chosen(chosen) = &asking.estimate else { panic!("{:?}", asking.estimate) };
    let (n_facts, n_samples) = (chosen.n_facts, chosen.n_samples.unwrap());
    assert!((1..n).contains(&n_facts), "{chosen:?}");

    // The plan draws as many of the listed facts as it has time for, and the folder notes why.
    window.does(Command::StartSweep);
    window.sweep_ends();
    assert_eq!(window.app().state.error, None);
    let read = window.app().state.many.open.as_ref().unwrap().read.clone().unwrap();
    assert!(read.is_whole());
    assert_eq!((read.population.facts.len(), read.manifest.selection.n), (n_facts, Some(n_facts)));
    assert_eq!(read.manifest.settings["plan"]["goal"], "width 0.3");
    assert_eq!(read.manifest.spec["spec"]["CausalTrace"]["n_samples"], n_samples);
}

#[test]
fn a_sweep_is_stopped_and_gone_on_with_while_the_window_answers() {
    let (mut window, _home) = Window::with_sweeps();
    window.list_few("capital ia");
    window.show(Pane::Ablation);
    window.asks_over(Pane::Ablation);
    window.does(Command::StartSweep);
    // A fact that nobody has looked at is answered, and a trace is made, while the sweep runs.
    let is_sweeping =
        |window: &Window| window.app().state.jobs.iter().any(|(_, it)| it.kind.is_sweep());
    assert!(is_sweeping(&window));
    let other = window.app().state.facts.found()[1];
    window.does(Command::Select(other));
    window.wait_for_predictions();
    // The figure is behind the sweep, and says so.
    window.wait("a figure of some facts", |app| {
        let read = app.state.many.open.as_ref().and_then(|it| it.read.as_ref());
        read.is_some_and(|it| !it.population.facts.is_empty())
    });
    let read = window.app().state.many.open.as_ref().unwrap().read.clone().unwrap();
    let (n, all) = (read.population.facts.len(), read.manifest.n_asked);
    assert!(is_sweeping(&window), "it was too fast to be looked at");
    window.sees(&format!("{n} of {all} drawn"));
    let sweep = window.app().state.jobs.iter().find(|(_, it)| it.kind.is_sweep());
    let (id, _) = sweep.unwrap();
    window.does(Command::CancelJob(id));
    window.sweep_ends();
    let dir = window.sweep_dir();
    let read = window.app().state.many.open.as_ref().unwrap().read.clone().unwrap();
    let before = read.population.facts.len();
    assert!(!read.is_whole(), "it was too fast to be stopped");
    window.click("Go on");
    window.sweep_ends();
    let read = window.app().state.many.open.as_ref().unwrap().read.clone().unwrap();
    assert!(read.is_whole() && read.population.facts.len() > before);

    // In one go it is the same.
    let elsewhere = tempfile::tempdir().unwrap();
    type_line(&format!("factscope sweep '{}' --out whole", dir.display()), elsewhere.path());
    assert_eq!(numbers(&elsewhere.path().join("whole")), numbers(&dir));
}

/// The form of many facts is started from the keyboard, with nothing chosen in it and from its field.
#[test]
fn enter_starts_what_a_form_asks_of_many_facts() {
    let (mut window, home) = Window::with_sweeps();
    window.list_few("capital land");
    window.show(Pane::Prediction);
    window.asks_over(Pane::Attribution);
    window.harness.run_steps(2);
    window.presses(Key::Enter);
    window.sweep_ends();
    assert!(window.sweep_dir().starts_with(home.path()));

    window.asks_over(Pane::LogitLens);
    let dir = home.path().join("lenses");
    window.type_into("Folder", dir.to_str().unwrap());
    window.presses(Key::Enter);
    window.sweep_ends();
    assert_eq!(window.sweep_dir(), dir);
}

#[test]
fn a_folder_is_filtered_and_followed_to_single_facts() {
    let (mut window, _home) = Window::with_sweeps();
    window.list_few("capital land");
    window.show(Pane::Prediction);
    window.asks_over(Pane::Attribution);
    window.does(Command::StartSweep);
    window.sweep_ends();
    let dir = window.sweep_dir();

    // Opened anew, by a drop.
    window.does(Command::LeaveAsking);
    window.drop(dir.clone());
    window.wait("the folder", |app| app.state.many.open.as_ref().unwrap().read.is_some());
    let look = |window: &mut Window, view: SweepView| {
        window.does(Command::LookAtSweep(Box::new(view.clone())));
        window.wait("the other view", |app| {
            let read = app.state.many.open.as_ref().unwrap().read.as_ref();
            read.is_some_and(|it| it.view == view)
        });
        window.app().state.many.open.as_ref().unwrap().read.clone().unwrap()
    };
    let both = look(&mut window, SweepView::default());
    let forward = SweepView { direction: Some(Direction::Forward), ..SweepView::default() };
    let forward = look(&mut window, forward);
    let name = |chart: &Chart| chart.name().to_owned();
    let has = |read: &factscope::ui::state::ReadSweep, what: &str| {
        read.figure.charts.iter().map(name).any(|it| it.contains(what))
    };
    assert!(has(&both, "inverse − fact") && !has(&forward, "inverse"));
    let known =
        SweepView { by: GroupBy::Known, known: Some(KnownWay::Forward), ..SweepView::default() };
    look(&mut window, known);

    // Behind a number stand the facts that it is the mean of.
    let recall = SweepView { chart: Some(RECALL.to_owned()), ..SweepView::default() };
    let read = look(&mut window, recall);
    let (nth, chart) = read
        .figure
        .charts
        .iter()
        .enumerate()
        .find(|(nth, _)| read.behind[*nth].iter().any(Option::is_some))
        .unwrap();
    let place = read.behind[nth].iter().position(Option::is_some).unwrap();
    let before = window.texts(Pane::Sweep);
    window.does(Command::ShowBehind(chart.name().into(), place));
    let after = window.texts(Pane::Sweep);
    // What now lies below the list is not drawn.
    let list = after.iter().find(|it| it.0.starts_with("Click a fact")).unwrap().1.top() - 60.0;
    let is_moved = |it: &&(String, Rect)| it.1.bottom() < list && !after.contains(it);
    let moved: Vec<_> = before.iter().filter(is_moved).collect();
    assert!(before.len() > 10 && moved.is_empty(), "{moved:?}");
    let facts = window.app().state.many.open.as_ref().unwrap().behind.clone().unwrap().1;
    assert!(!facts.is_empty() && facts.is_sorted_by(|a, b| a.value >= b.value));
    let mean = facts.iter().map(|it| it.value).sum::<f64>() / facts.len() as f64;
    let Chart::Table(table) = chart else { panic!("{chart:?}") };
    let shown = table.rows[place].cells[2].number().unwrap();
    assert!((mean as f32 - shown).abs() <= 1e-6 * shown.abs(), "{mean} {shown}");
    window.sees("Click a fact to see it by itself");

    // A fact by itself has the numbers of the sweep.
    let nth = facts[0].facts[0];
    let fact = read.population.facts[nth].clone();
    let direction = if fact.direction == "fact" { Direction::Forward } else { Direction::Inverse };
    window.does(Command::AskFactOfSweep(Task { record: fact.record, direction }));
    window.wait("the fact by itself", |app| {
        app.state.swept.is_some() && app.state.result(Pane::Attribution).is_some()
    });
    assert_eq!(window.app().state.selected, Some(FactId::Record(fact.record)));
    assert!(window.app().workspace().is_in_front(Pane::Attribution));
    let result = window.app().state.result(Pane::Attribution).unwrap();
    assert!(matches!(&**result, AnalysisResult::LogitAttribution(_)), "{result:?}");
}

#[test]
fn what_cannot_be_asked_of_many_facts_says_why() {
    let (mut window, _home) = Window::with_sweeps();
    window.asks_over(Pane::Averages);
    let asking = window.app().state.many.asking.as_ref().unwrap();
    assert!(
        matches!(&asking.estimate, Estimated::Failed(why) if why.contains("many facts already"))
    );
    window.sees("is about many facts already");
    window.does(Command::LeaveAsking);
    assert!(window.app().state.many.asking.is_none());

    // A folder that is gone, and one that is no sweep's.
    let gone = window.dir.path().join("gone");
    window.does(Command::OpenSweepAt(gone));
    window.wait("the error", |app| app.state.many.open.as_ref().unwrap().error.is_some());
    window.sees("gone");
    window.harness.state_mut().state.many.open = None;
    window.show(Pane::Sweep);
    window.sees("Open sweep…");
}

#[test]
fn a_session_remembers_the_folder_of_its_sweep() {
    let (mut window, home) = Window::with_sweeps();
    window.list_few("capital land");
    window.asks_over(Pane::Prediction);
    window.does(Command::StartSweep);
    window.sweep_ends();
    let dir = window.sweep_dir();
    let path = home.path().join("a.factscope");
    window.does(Command::SaveSessionTo(path.clone()));
    window.wait("the file", |_| path.exists());
    window.wait("the session", |app| app.state.session.is_some());

    let mut other = Window::new(Options { session: Some(path), ..Options::default() }, None);
    other.wait("the session", |app| app.state.session.is_some());
    other.wait("the sweep", |app| app.state.many.open.as_ref().is_some_and(|it| it.read.is_some()));
    assert_eq!(other.sweep_dir(), dir);
}

#[test]
fn the_filter_of_the_list_says_which_facts_are_asked() {
    let (mut window, _home) = Window::with_sweeps();
    let options = ManyOptions {
        ways: Ways::Forward,
        known_by: KnownBy::default(),
        wording: Wording::default(),
        settings: SweepSettings::default(),
        amount: Amount::default(),
        dir: String::new(),
    };
    let listed = |window: &Window| window.app().state.listed(&options).unwrap().1;
    let all = listed(&window);
    assert!(all.relation.is_none() && all.cases.is_none());
    let relation = window.app().state.facts.relations().keys().next().unwrap().clone();
    let filter = Filter { relation: Some(relation.clone()), ..Filter::default() };
    window.does(Command::FilterFacts(Box::new(filter)));
    let one = listed(&window);
    assert!(one.relation == Some(relation) && one.cases.is_none());
    window.does(Command::FilterFacts(Box::default()));
    window.list_few("capital of france");
    let few = listed(&window);
    let n = window.app().state.facts.found().len();
    assert_eq!(few.cases.map(|it| it.len()), Some(n));
    assert_eq!(all.ways, Ways::Forward);
    assert_eq!(AnswerOf::default(), options.settings.answer);
    assert!(window.app().state.jobs.iter().all(|(_, it)| !matches!(it.kind, JobKind::Many(..))));
}

#[test]
fn what_draws_nothing_does_not_ask_how_it_is_drawn() {
    let (mut window, _home) = Window::with_sweeps();
    window.list_few("Egypt");
    for (pane, draws) in [(Pane::Attribution, false), (Pane::Trace, true)] {
        window.asks_over(pane);
        let shown = window.harness.query_all_by_label("Same draws for all facts").next();
        assert_eq!(shown.is_some(), draws, "{pane:?}");
    }
}
