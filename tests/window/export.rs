//! *Export…*: one dialog whose file is named after fact and method, and which keeps what is typed.

use std::path::Path;

use eframe::egui::accesskit::Role;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use factscope::figure::{PageWidth, carried};
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;
use factscope::ui::row::Row;

use super::support::Window;

#[test]
fn an_export_is_named_after_fact_and_method_and_keeps_what_is_typed() {
    let mut window = Window::open();
    window.does(Command::ExportOf(Pane::Prediction));
    window.sees("Export figure");
    let shown: Vec<String> =
        window.harness.query_all_by_label("File").filter_map(|it| it.value()).collect();
    assert_eq!(shown, ["mac-os-created_prediction.svg"]);

    let dir = window.dir.path().to_owned();
    let typed = |name: &str| dir.join(name).display().to_string();
    for (name, says) in
        [("figure.doc", "no figure is written as `.doc`"), ("gone/a.svg", "no such folder")]
    {
        window.retype("File", &typed(name));
        window.click("Save");
        let says = says.strip_prefix("no ").unwrap_or(says);
        window.sees(says);
        let kept = window.harness.query_all_by_label("File").find_map(|it| it.value());
        assert_eq!(kept, Some(typed(name)));
    }
    assert_eq!(
        std::fs::read_dir(&dir)
            .unwrap()
            .filter(|it| { it.as_ref().unwrap().file_name().to_string_lossy().contains("figure") })
            .count(),
        0
    );

    // Whatever the ending says, and whether or not something is wrong, the button stays where it is.
    let save = |window: &Window| window.harness.get_by_label("Save").rect();
    let before = save(&window);
    for name in ["prediction.svg", "prediction.png", "prediction.csv"] {
        window.retype("File", &typed(name));
        window.harness.run_steps(4);
        assert_eq!(save(&window), before, "{name}");
    }
    window.click("Save");
    assert!(window.harness.query_by_label("Export figure").is_none(), "the dialog is closed");
    let csv = std::fs::read_to_string(dir.join("prediction.csv")).unwrap();
    assert!(csv.starts_with("Rank,Token,Probability") && !csv.contains('·'), "{csv}");
}

#[test]
fn an_exported_figure_says_of_which_model_it_is_and_how_that_was_changed() {
    let mut window = Window::open();
    let path = window.dir.path().join("a.json");
    let notes = |window: &mut Window| {
        window.does(Command::ExportOf(Pane::Prediction));
        window.does(Command::SaveFigureTo(path.clone()));
        let written = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        written
    };
    let program = concat!("  ·  factscope ", env!("CARGO_PKG_VERSION"));
    let plain = notes(&mut window);
    assert!(plain.contains(&format!("Model tiny{program}")), "{plain}");

    window.does(Command::Study(Pane::Steering));
    window.does(Command::ApplyEdit(Pane::Steering));
    window.wait("the change", |app| !app.state.edits.is_empty());
    window.wait_for_predictions();
    let changed = notes(&mut window);
    assert!(changed.contains("Model tiny, changed: steered after layer"), "{changed}");
}

fn files_in(dir: &Path) -> Vec<String> {
    let files = std::fs::read_dir(dir).unwrap();
    let names = files.map(|it| it.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|it| it.starts_with("fig")).collect();
    names.sort();
    names
}

#[test]
fn the_fact_its_inverse_or_both_can_be_exported() {
    let mut window = Window::open();
    window.click("Trace");
    window.trace_ends();
    let dir = window.dir.path().to_owned();
    let export = |window: &mut Window, of: Option<&str>, name: &str| {
        window.does(Command::ExportOf(Pane::Trace));
        if let Some(of) = of {
            window.harness.get_by_role_and_label(Role::ComboBox, "Of").click();
            window.harness.run_steps(3);
            let items = window.harness.query_all_by_label(of);
            items.last().unwrap().click();
            window.harness.run_steps(3);
        }
        window.retype("File", &dir.join(name).display().to_string());
        window.click("Save");
        assert!(window.harness.query_by_label("Export figure").is_none(), "the dialog is closed");
    };
    export(&mut window, None, "fig-fact.json");
    export(&mut window, Some("Inverse"), "fig-inverse.json");
    export(&mut window, Some("both on one page"), "fig-both.json");
    export(&mut window, Some("both, each in a file of its own"), "fig.json");
    assert_eq!(
        files_in(&dir),
        ["fig-both.json", "fig-fact.json", "fig-inverse.json", "fig_fact.json", "fig_inverse.json"]
    );
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).unwrap();
    assert_eq!(read("fig_fact.json"), read("fig-fact.json"));
    assert_eq!(read("fig_inverse.json"), read("fig-inverse.json"));
    assert_ne!(read("fig_fact.json"), read("fig_inverse.json"));
    let charts = |name: &str| {
        let figure: serde_json::Value = serde_json::from_str(&read(name)).unwrap();
        figure["charts"].as_array().unwrap().clone()
    };
    let both = charts("fig-both.json");
    let [fact, inverse] = [charts("fig-fact.json"), charts("fig-inverse.json")];
    assert_eq!(both.len(), fact.len() + inverse.len());
    assert_eq!(both[0]["Map"]["values"], fact[0]["Map"]["values"]);
    assert_eq!(both[fact.len()]["Map"]["values"], inverse[0]["Map"]["values"]);

    // What is there already is replaced only when it is asked for twice.
    window.does(Command::ExportOf(Pane::Trace));
    window.harness.get_by_role_and_label(Role::ComboBox, "Of").click();
    window.harness.run_steps(3);
    window.click("both, each in a file of its own");
    window.sees("Writes ");
    window.retype("File", &dir.join("fig.json").display().to_string());
    window.sees("Writes fig_fact.json and fig_inverse.json");
    window.click("Save");
    window.sees("fig_fact.json");
    window.sees("This file is there already");
}

#[test]
fn a_view_of_both_rows_exports_the_one_that_is_looked_at() {
    let mut window = Window::open();
    window.does(Command::Study(Pane::Knockout));
    window.wait("the knockout", |app| app.state.jobs.asked().next().is_none());
    let path = window.dir.path().join("a.json");
    let export = |window: &mut Window| {
        window.does(Command::ExportOf(Pane::Knockout));
        window.does(Command::SaveFigureTo(path.clone()));
        std::fs::read_to_string(&path).unwrap()
    };
    let fact = export(&mut window);
    window.does(Command::LookAt(Row::Second));
    assert_ne!(export(&mut window), fact);
}

#[test]
fn an_exported_picture_carries_what_it_was_made_of() {
    let mut window = Window::open();
    let path = window.dir.path().join("fig.svg");
    let record_of = |window: &mut Window, pane| {
        window.does(Command::ExportOf(pane));
        window.does(Command::SaveFigureTo(path.clone()));
        window.wait("the picture", |_| path.exists());
        let (record, drawing) = carried(&std::fs::read(&path).unwrap()).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(record.is_of(&drawing));
        record
    };
    let record = record_of(&mut window, Pane::Prediction);
    assert_eq!(record.model, "tiny");
    let hash = record.weights_sha256.values().next().unwrap();
    assert_eq!(hash.len(), 64, "{hash}");
    assert!(!record.charts.is_empty());
    // What the view asks is what the record holds, with its dataset's hash.
    let state = &window.harness.state().state;
    let asked = state.experiment_text(Pane::Prediction).unwrap();
    let asked: serde_json::Value = serde_json::from_str(&asked).unwrap();
    assert_eq!(record.experiment, asked);

    window.does(Command::Study(Pane::Steering));
    window.does(Command::ApplyEdit(Pane::Steering));
    window.wait("the change", |app| !app.state.edits.is_empty());
    window.wait_for_predictions();
    let changed = record_of(&mut window, Pane::Prediction);
    assert_eq!(changed.experiment["edits"].as_array().unwrap().len(), 1);
    assert_ne!(changed.charts, record.charts);
}

/// Each result has the charts on the page that it has where it is alone, in every format.
#[test]
fn a_page_of_two_results_carries_both() {
    let mut window = Window::open();
    window.click("Trace");
    window.trace_ends();
    let dir = window.dir.path().to_owned();
    let export = |window: &mut Window, of: &str, name: &str| {
        window.does(Command::ExportOf(Pane::Trace));
        window.harness.get_by_role_and_label(Role::ComboBox, "Of").click();
        window.harness.run_steps(3);
        window.harness.query_all_by_label(of).last().unwrap().click();
        window.harness.run_steps(3);
        window.does(Command::SaveFigureTo(dir.join(name)));
        window.wait("the picture", |_| dir.join(name).exists());
        let (record, drawing) = carried(&std::fs::read(dir.join(name)).unwrap()).unwrap();
        assert!(record.is_of(&drawing));
        record
    };
    let [fact, inverse] =
        ["Fact", "Inverse"].map(|of| export(&mut window, of, &format!("{of}.svg")));
    assert_ne!(fact.experiment, inverse.experiment);
    for name in ["both.svg", "both.pdf", "both.png"] {
        let both = export(&mut window, "both on one page", name);
        assert_eq!(both.others.len(), 1, "{name}");
        for (alone, on_page) in [(&fact, &both), (&inverse, &both.others[0])] {
            assert_eq!(on_page.experiment, alone.experiment, "{name}");
            assert_eq!(on_page.charts, alone.charts, "{name}");
        }
    }
}

#[test]
fn one_chart_is_exported_alone_and_the_next_export_is_as_the_last() {
    let mut window = Window::open();
    window.click("Trace");
    window.trace_ends();
    let choose = |window: &mut Window, of: &str, choice: &str| {
        window.harness.get_by_role_and_label(Role::ComboBox, of).click();
        window.harness.run_steps(3);
        window.harness.query_all_by_label(choice).last().unwrap().click();
        window.harness.run_steps(3);
    };
    let value = |window: &Window, of: &str| {
        window.harness.get_by_role_and_label(Role::ComboBox, of).value().unwrap()
    };
    window.does(Command::ExportOf(Pane::Trace));
    choose(&mut window, "Of", "both on one page");
    window.harness.get_by_role_and_label(Role::ComboBox, "Chart").click();
    window.harness.run_steps(3);
    let charts: Vec<String> = window
        .harness
        .query_all_by_role(Role::Button)
        .filter_map(|it| it.accesskit_node().label())
        .collect();
    let second = charts
        .iter()
        .find(|it| it.starts_with("Inverse: "))
        .expect("a chart of the inverse")
        .clone();
    window.harness.query_all_by_label(&second).last().unwrap().click();
    window.harness.run_steps(3);
    choose(&mut window, "Width", PageWidth::OneColumn.text());
    let path = window.dir.path().join("one.json");
    window.retype("File", &path.display().to_string());
    window.click("Save");
    let written: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(written["charts"].as_array().unwrap().len(), 1);
    // Title and notes are silent about the map of the fact, which is not on the page.
    let said = format!("{} {}", written["title"], written["notes"]);
    assert!(!said.contains("Fact:"), "{said}");

    window.does(Command::ExportOf(Pane::Trace));
    assert_eq!(value(&window, "Width"), PageWidth::OneColumn.text());
    assert_eq!(value(&window, "Of"), "both on one page");
    assert_eq!(value(&window, "Chart"), "all");
    let file = window.harness.get_by_role_and_label(Role::TextInput, "File").value().unwrap();
    assert_eq!(Path::new(&file).extension().unwrap(), "json");
}

#[test]
fn an_image_is_drawn_beside_the_window_and_then_copied() {
    let mut window = Window::open();
    window.harness.state_mut().command(Command::CopyImageOf(Pane::Prediction));
    window.harness.step();
    assert_eq!(window.app().state.error, None);
    window.wait("the image", |app| {
        app.state.notice.as_ref().is_some_and(|it| it.starts_with("Copied an image of "))
    });
    assert!(!window.app().is_drawing());
}
