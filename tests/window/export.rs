//! *Export…*: one dialog whose file is named after fact and method, and which keeps what is typed.

use egui_kittest::kittest::Queryable as _;
use factscope::ui::command::Command;
use factscope::ui::pane::Pane;

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
