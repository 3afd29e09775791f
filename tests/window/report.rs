//! A report of what the window holds, as a page for others.

use eframe::egui::Key;
use factscope::ui::command::Command;

use super::support::Window;

#[test]
fn a_report_is_saved_from_the_menu_and_nothing_else_changes() {
    let (mut window, dir, _) = Window::to_be_saved();
    let (title, can_undo) = (window.app().title(), window.app().state.can_undo());
    let n_found = window.app().state.n_found;
    window.click("File");
    window.click("Save report…");
    window.wait_for_label("HTML file");
    let proposed = window.stands_in("HTML file").unwrap();
    assert!(proposed.ends_with("report.html"), "{proposed}");
    let page = dir.path().join("page.html");
    window.types(page.to_str().unwrap());
    window.presses(Key::Enter);
    window.wait("the page", |app| {
        app.state
            .notice
            .as_ref()
            .is_some_and(|it| it.starts_with("Saved") && it.ends_with("page.html"))
    });
    let html = std::fs::read_to_string(&page).unwrap();
    for says in
        ["<h1>What tiny says", "Next token", "SHA-256 of model.safetensors", "factscope predict"]
    {
        assert!(html.contains(says), "{says}");
    }
    assert_eq!(window.app().title(), title);
    assert_eq!(window.app().state.can_undo(), can_undo);
    assert_eq!(window.app().state.n_found, n_found);

    // What cannot be written is said, and what was there stays.
    let nowhere = dir.path().join("nowhere/page.html");
    window.does(Command::SaveReportTo(nowhere));
    window.wait("an error", |app| {
        app.state.error.as_ref().is_some_and(|it| it.starts_with("The report is not saved"))
    });
    assert_eq!(std::fs::read_to_string(&page).unwrap(), html);
}
