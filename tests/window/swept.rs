//! A fact of a sweep by itself: the view of the sweep's method shows it with the sweep's settings and seed,
//! so with its numbers, and the way back to the sweep is a click.

use std::collections::BTreeMap;

use eframe::egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::analysis::{AnalysisSpec, Metric};
use factscope::builtin;
use factscope::facts::{Dataset, Direction};
use factscope::figure::AttributionForm;
use factscope::population::{AnswerOf, Behind, RECALL, SweepSettings, Task};
use factscope::ui::Options;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;
use factscope::ui::state::{Asking, LensChoice, Setting, SweepView, Swept};
use tempfile::TempDir;

use super::support::Window;

impl Window {
    /// The built-in model with a sweep over a few of its facts that a view has asked.
    pub fn swept(pane: Pane, change: impl Fn(&mut Asking)) -> (Self, TempDir) {
        let (mut window, home) = Self::with_sweeps();
        assert!(window.list_few("capital land") > 3);
        window.show(pane);
        window.asks_over(pane);
        change(window.harness.state_mut().state.many.asking.as_mut().unwrap());
        window.does(Command::StartSweep);
        window.sweep_ends();
        (window, home)
    }

    /// A number of the sweep and the first fact behind it, clicked.
    fn clicks_a_fact(&mut self) -> (Behind, Task) {
        let read = self.app().state.many.open.as_ref().unwrap().read.clone().unwrap();
        let (chart, behind) = (read.figure.charts.iter().zip(&read.behind))
            .find(|(_, it)| it.iter().any(Option::is_some))
            .unwrap();
        let place = behind.iter().position(Option::is_some).unwrap();
        self.does(Command::ShowBehind(chart.name().into(), place));
        let (behind, facts) = self.app().state.many.open.as_ref().unwrap().behind.clone().unwrap();
        let fact = &read.population.facts[facts[0].facts[0]];
        let is_fact = fact.direction == "fact";
        let direction = if is_fact { Direction::Forward } else { Direction::Inverse };
        let task = Task { record: fact.record, direction };
        self.does(Command::AskFactOfSweep(task));
        self.wait("the fact", |app| app.state.swept.is_some());
        self.rests();
        (behind, task)
    }

    fn swept_of(&self) -> Swept {
        self.app().state.swept.clone().unwrap()
    }
}

#[test]
fn a_fact_of_a_sweep_has_its_numbers_in_the_view_of_its_method() {
    let (mut window, _home) = Window::swept(Pane::Trace, |_| ());
    let settings = window.app().state.settings.clone();
    let (_, task) = window.clicks_a_fact();
    assert!(window.app().workspace().is_in_front(Pane::Trace));
    assert_eq!(window.app().state.settings, settings, "the view's own settings stay");

    // The draws of this fact, and not those that the view would make.
    let swept = window.swept_of();
    assert_eq!(swept.asked.len(), 2, "the sweep asks both ways");
    for (key, spec) in &swept.asked {
        let row = window.app().state.row_of(*key).unwrap();
        assert_eq!(&window.app().state.trace(row).unwrap().spec, spec);
        let AnalysisSpec::CausalTrace(spec) = spec else { panic!("{spec:?}") };
        assert_ne!(spec.seed, settings.trace.seed);
    }

    // Every number that the sweep has of it is in the figure.
    let read = window.app().state.many.open.as_ref().unwrap().read.clone().unwrap();
    let name = if task.direction == Direction::Forward { "fact" } else { "inverse" };
    let is_it =
        |it: &&factscope::population::Fact| it.record == task.record && it.direction == name;
    let nth = read.population.facts.iter().position(|it| is_it(&it)).unwrap();
    let prompt = window.app().state.prompt().unwrap().clone();
    let mut shown: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for it in window.app().figure(Pane::Trace).unwrap().numbers(Some(&prompt)) {
        let at = (it.at.role, it.at.layer, it.at.label, it.at.component);
        let name = format!("{} {} {at:?}", it.chart, it.quantity);
        shown.entry(name).or_default().push(f64::from(it.value));
    }
    let mut n_same = 0;
    for chart in &read.population.charts {
        for (cell, values) in chart.cells.iter().zip(&chart.values) {
            let at = (cell.role, cell.layer, &cell.label, &cell.component);
            let name = format!("{} {} {at:?}", chart.chart, chart.quantity);
            let (Some(here), value) = (shown.get(&name), values[nth]) else { continue };
            if value.is_nan() {
                continue;
            }
            let mean = here.iter().sum::<f64>() / here.len() as f64;
            // A sweep runs with what it knows of earlier traces, and the window as well.
            assert!((mean - value).abs() < 1e-6, "{name}: {mean} here, {value} in the sweep");
            n_same += 1;
        }
    }
    assert!(n_same > 10, "{n_same} of {:?}", shown.keys());
}

#[test]
fn the_way_back_to_a_sweep_leads_to_where_it_was_left() {
    let (mut window, _home) = Window::swept(Pane::Trace, |_| ());
    let (behind, task) = window.clicks_a_fact();
    window.sees("As the sweep asks it, with its settings and seed");
    assert!(window.harness.query_by_label("Settings").is_none(), "they have no part in it");
    window.click("Back to the sweep");
    assert!(window.app().workspace().is_in_front(Pane::Sweep));
    let now = window.app().state.many.open.as_ref().unwrap().behind.clone().unwrap().0;
    assert_eq!(now, behind);

    // Its own settings are a click away too, and Undo takes that back.
    window.show(Pane::Trace);
    let swept = window.swept_of();
    window.click("Own settings");
    assert_eq!(window.app().state.swept, None);
    assert!(window.harness.query_by_label("Back to the sweep").is_none());
    window.harness.get_by_label("Settings");
    window.does(Command::Undo);
    assert_eq!(window.app().state.swept, Some(swept));
    // Other facts are asked as the view says.
    window.does(Command::NextFact);
    assert_ne!(window.app().state.selected, None);
    assert_eq!(window.app().state.swept, None);
    window.does(Command::AskFactOfSweep(task));
    window.wait("the fact", |app| app.state.swept.is_some());
}

/// Its controls are those of other settings.
#[test]
fn a_study_shows_a_fact_as_the_sweep_asks_it() {
    let (mut window, _home) = Window::swept(Pane::Variants, |_| ());
    window.clicks_a_fact();
    assert!(window.app().workspace().is_in_front(Pane::Variants));
    let region = |window: &Window, role: Role, name: &str| {
        let nodes = window.region(Pane::Variants).children_recursive();
        nodes
            .filter(|it| it.accesskit_node().role() == role)
            .any(|it| it.accesskit_node().label().is_some_and(|it| it == name))
    };
    assert!(!region(&window, Role::ComboBox, "Subject becomes"));
    for (key, spec) in window.swept_of().asked {
        let row = window.app().state.row_of(key).unwrap();
        let run = window.app().state.run(Pane::Variants, row).unwrap();
        assert!(run.is_done() && run.spec == spec);
    }
    window.click("Own settings");
    assert!(region(&window, Role::ComboBox, "Subject becomes"));
}

/// The model's own first guess is none of the answers that a view can ask for.
#[test]
fn what_no_view_can_ask_is_shown_as_text_with_the_way_back() {
    let guess = |asking: &mut Asking| {
        let settings = asking.options.settings.clone();
        asking.options.settings = SweepSettings { answer: AnswerOf::Guess, ..settings };
    };
    let (mut window, _home) = Window::swept(Pane::Attribution, guess);
    let read = window.app().state.many.open.as_ref().unwrap().read.clone().unwrap();
    let fact = read.population.facts.iter().find(|it| it.direction == "fact").unwrap();
    let task = Task { record: fact.record, direction: Direction::Forward };
    window.does(Command::AskFactOfSweep(task));
    window.wait("the fact", |app| app.state.experiment_run().is_some_and(|it| it.is_done()));
    assert!(window.app().workspace().is_in_front(Pane::Spec));
    window.sees("What the sweep asked, as text: no view asks quite this");
    window.click("Back to the sweep");
    assert!(window.app().workspace().is_in_front(Pane::Sweep));
}

#[test]
fn a_fact_of_a_dataset_that_is_not_open_says_why_it_is_shown_as_text() {
    let (mut window, home) = Window::swept(Pane::Prediction, |_| ());
    let task = Task { record: 0, direction: Direction::Forward };
    let other = home.path().join("other.json");
    let fact = r#"[{"prompt": "The sea is", "subject": "sea", "attribute": "blue"}]"#;
    std::fs::write(&other, fact).unwrap();
    window.does(Command::OpenDatasetAt(other));
    window.wait("the dataset", |app| app.state.facts.len() == 1);
    window.does(Command::AskFactOfSweep(task));
    window.wait("the fact", |app| app.state.experiment_run().is_some_and(|it| it.is_done()));
    window.sees("is not open; open it to see the fact in its view");
}

#[test]
fn a_sweep_of_another_model_says_what_is_to_be_done() {
    let (mut window, _home) = Window::swept(Pane::Prediction, |_| ());
    let refused = |window: &mut Window| {
        let task = Task { record: 0, direction: Direction::Forward };
        window.does(Command::AskFactOfSweep(task));
        let error = window.app().state.error.clone().expect("it is refused");
        window.does(Command::DismissError);
        error
    };
    window.does(Command::Study(Pane::Steering));
    window.rests();
    window.does(Command::ApplyEdit(Pane::Steering));
    window.rests();
    let said = refused(&mut window);
    assert!(said.contains("as it was opened, and the open model is with 1 change:"), "{said}");
    // What is in use cannot be used once more.
    window.show(Pane::Steering);
    let button = window.harness.get_by_role_and_label(Role::Button, "Use the changed model");
    assert!(button.accesskit_node().is_disabled());
    window.does(Command::ApplyEdit(Pane::Steering));
    assert_eq!(window.app().state.edits.len(), 1);

    window.does(Command::OpenModelAt(super::support::tiny()));
    window.wait_for_label("Open another model?");
    window.click("Discard");
    window.wait("the model", |app| app.state.info().is_some_and(|it| it.name == "tiny"));
    let said = refused(&mut window);
    assert!(
        said.contains("and the open model is tiny, from ") && !said.contains("change"),
        "{said}"
    );
}

/// It may be of another model than the one that is open.
#[test]
fn the_figure_of_a_sweep_names_its_model() {
    let (window, _home) = Window::swept(Pane::Prediction, |_| ());
    let figure = window.app().figure(Pane::Sweep).unwrap();
    let model = &window.app().state.info().unwrap().name;
    assert!(figure.title.ends_with(&format!(", model {model}")), "{}", figure.title);
    let taken_away = (*figure).clone().signed();
    let line = format!("Model {model}  ·  factscope ");
    assert!(taken_away.notes.iter().any(|it| it.starts_with(&line)), "{:?}", taken_away.notes);
}

/// It runs when the process is killed.
#[test]
fn the_sweep_that_ran_and_what_was_searched_for_come_back_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let sweeps = Some(dir.path().join("sweeps"));
    let open = |sweeps| super::kept::keeping_with(dir.path(), sweeps);
    let mut window = open(sweeps.clone());
    window.traces();
    let older = dir.path().join("older");
    std::fs::create_dir(&older).unwrap();
    window.does(Command::OpenSweepAt(older));
    window.wait("what is kept", |_| !super::kept::kept_in(dir.path()).is_empty());
    let written = || std::fs::read(&super::kept::kept_in(dir.path())[0]).unwrap();
    let before = written();
    window.list_few("Apple");
    window.asks_over(Pane::Prediction);
    window.does(Command::StartSweep);
    let ran = window.sweep_dir();
    window.wait("the sweep to be kept", |_| written() != before);
    window.sweep_ends();
    window.wait("what is written", |app| app.state.jobs.iter().next().is_none());
    std::thread::sleep(std::time::Duration::from_millis(100));
    drop(window);

    let mut again = open(sweeps);
    again.harness.get_by_role_and_label(Role::Button, "Restore").click();
    again.harness.run_steps(3);
    again.wait("what was found", |app| app.state.left_over.is_empty());
    assert_eq!(again.sweep_dir(), ran);
    assert_eq!(again.app().state.facts.query(), "Apple");
}

/// Each fact has a foil of its own, also where two inverses ask the same.
#[test]
fn a_foil_says_whose_it_is() {
    let (mut window, _home) = Window::with_sweeps();
    let inverses = |window: &Window| {
        let facts = &window.app().state.facts;
        let mut foils: BTreeMap<String, Vec<Option<String>>> = BTreeMap::new();
        for record in &facts.dataset.as_ref().unwrap().records {
            let Some(inverse) = record.fact(Direction::Inverse) else { continue };
            foils.entry(inverse.prompt.clone()).or_default().push(inverse.foil.clone());
        }
        foils
    };
    let several = inverses(&window).into_values().any(|mut it| {
        it.dedup();
        it.len() > 1
    });
    assert!(several, "the built-in facts have such inverses");
    window.harness.set_size(eframe::egui::vec2(1600.0, 1000.0));
    window.harness.run_steps(4);
    let not = window.harness.get_all_by_label("not").next().unwrap();
    not.hover();
    window.harness.run_steps(60);
    window.sees("two facts whose inverses ask the same may have two foils");
}

/// Wherever the list before it was left.
#[test]
fn the_list_behind_a_number_begins_at_its_start() {
    let (mut window, _home) = Window::with_sweeps();
    assert!(window.list_few("land") > 20);
    window.asks_over(Pane::Prediction);
    window.does(Command::StartSweep);
    window.sweep_ends();
    let recall = SweepView { chart: Some(RECALL.to_owned()), ..SweepView::default() };
    window.does(Command::LookAtSweep(Box::new(recall.clone())));
    window.wait("its recall", |app| {
        let read = app.state.many.open.as_ref().unwrap().read.as_ref();
        read.is_some_and(|it| it.view == recall)
    });
    let read = window.app().state.many.open.as_ref().unwrap().read.clone().unwrap();
    let places: Vec<(String, usize)> = (read.figure.charts.iter().zip(&read.behind))
        .flat_map(|(chart, behind)| {
            let is_there = behind.iter().enumerate().filter(|it| it.1.is_some());
            is_there.map(|it| (chart.name().to_owned(), it.0)).collect::<Vec<_>>()
        })
        .collect();
    let first = |window: &Window, nth: usize| {
        let facts = window.app().state.many.open.as_ref().unwrap().behind.clone().unwrap().1;
        let fact = &read.population.facts[*facts[nth].facts.last().unwrap()];
        let text = format!("{} → {}", fact.prompt, fact.answer.as_deref().unwrap_or("?"));
        let nodes = window.region(Pane::Sweep).children_recursive();
        nodes.filter(|it| it.accesskit_node().label().as_deref() == Some(&*text)).count() > 0
    };
    let show = |window: &mut Window, (chart, place): &(String, usize)| {
        window.does(Command::ShowBehind(chart.as_str().into(), *place));
        window.harness.run_steps(3);
    };
    show(&mut window, &places[0]);
    assert!(first(&window, 0));
    let hint = window.harness.get_by_label("Click a fact to see it by itself").rect();
    for _ in 0..40 {
        window.harness.hover_at(hint.left_bottom() + eframe::egui::vec2(40.0, 40.0));
        window.harness.event(eframe::egui::Event::MouseWheel {
            unit: eframe::egui::MouseWheelUnit::Point,
            delta: eframe::egui::vec2(0.0, -60.0),
            phase: eframe::egui::TouchPhase::Move,
            modifiers: eframe::egui::Modifiers::NONE,
            source: eframe::egui::MouseWheelSource::Wheel,
        });
        window.harness.run_steps(3);
    }
    assert!(!first(&window, 0), "it is scrolled");
    let other = places.iter().find(|it| **it != places[0]).unwrap();
    show(&mut window, other);
    assert!(first(&window, 0));
}

/// The window is asked for a sweep alone, which is not over when the window is killed.
#[test]
fn a_sweep_that_is_killed_is_offered_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        let options = Options {
            model: Some(builtin::FACTS.name.into()),
            facts: Some(Dataset::BUNDLED.into()),
            sweeps: Some(dir.path().join("sweeps")),
            unsaved: Some(dir.path().join("unsaved")),
            ..Options::default()
        };
        let mut window = Window::new(options, None);
        window.wait("model and facts", |app| {
            app.state.info().is_some() && !app.state.facts.is_empty()
        });
        window.wait_for_predictions();
        window.wait("the noise", |app| app.state.trace_spec(Row::First).is_some());
        window
    };
    let mut window = open();
    window.show(Pane::Trace);
    window.asks_over(Pane::Trace);
    window.does(Command::StartSweep);
    if window.app().state.many.asking.is_some() {
        // It takes long, which is asked about.
        window.does(Command::StartSweep);
    }
    let ran = window.sweep_dir();
    window.wait("the sweep to be kept", |_| !super::kept::kept_in(dir.path()).is_empty());
    assert!(window.app().state.jobs.iter().any(|(_, job)| job.kind.is_sweep()), "it still runs");
    assert!(!window.app().state.has_unsaved(), "nothing else was asked");
    drop(window);

    let mut again = open();
    again.harness.get_by_role_and_label(Role::Button, "Restore").click();
    again.harness.run_steps(3);
    again.wait("the sweep", |app| {
        let open = app.state.many.open.as_ref();
        app.state.left_over.is_empty() && open.is_some_and(|it| it.read.is_some())
    });
    assert_eq!(again.sweep_dir(), ran);
    assert!(again.app().workspace().is_in_front(Pane::Sweep));
    let go_on = again.harness.get_by_role_and_label(Role::Button, "Go on");
    assert!(!go_on.accesskit_node().is_disabled());
}

/// The view's own are another, before and afterwards.
#[test]
fn a_fact_of_a_sweep_is_read_as_its_figures_are() {
    let check = |pane: Pane, as_swept: Setting, own: Setting| {
        let (mut window, home) = Window::with_sweeps();
        assert!(window.list_few("capital land") > 3);
        window.show(pane);
        let set = |window: &mut Window, setting: &Setting| {
            window.does(Command::Set(Box::new(setting.clone())));
            window.app().state.reading(pane)
        };
        let expected = set(&mut window, &as_swept);
        window.asks_over(pane);
        window.does(Command::StartSweep);
        window.sweep_ends();
        let before = set(&mut window, &own);
        assert_ne!(before, expected);
        let settings = window.app().state.settings.clone();
        window.clicks_a_fact();
        assert!(window.app().workspace().is_in_front(pane), "{pane:?}");
        assert_eq!(window.app().state.reading(pane), expected, "{pane:?}");
        assert_eq!(window.app().state.settings, settings, "{pane:?}");
        // A choice there is one of this fact alone.
        assert_eq!(set(&mut window, &own), before, "{pane:?}");
        set(&mut window, &as_swept);
        assert_eq!(window.app().state.settings, settings, "{pane:?}");
        window.click("Own settings");
        assert_eq!(window.app().state.reading(pane), before, "{pane:?}");
        drop(home);
    };
    let lens = |metric| Setting::Lens(LensChoice { metric, ..LensChoice::default() });
    check(Pane::LogitLens, lens(Metric::Rank), lens(Metric::Prob));
    let (one, other) = (AttributionForm::RunningSum, AttributionForm::Waterfall);
    check(Pane::Attribution, Setting::Attribution(one), Setting::Attribution(other));
    for pane in [Pane::Trace, Pane::Ablation] {
        check(pane, Setting::Metric(pane, Metric::LogProb), Setting::Metric(pane, Metric::Logit));
    }
}
