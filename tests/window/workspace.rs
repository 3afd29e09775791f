//! Views that are opened, closed, brought to the front and put back.

use eframe::egui::Vec2;
use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use factscope::ui::pane::Pane;
use factscope::ui::workspace::Workspace;

use super::support::Window;

impl Window {
    fn workspace(&self) -> &Workspace {
        self.app().workspace()
    }

    fn click_tab(&mut self, pane: Pane) {
        let tabs = self.harness.get_all_by_role_and_label(Role::Button, pane.text());
        // Settings may be called the same; tabs lie above them.
        let top = tabs.min_by(|a, b| a.rect().top().total_cmp(&b.rect().top()));
        top.unwrap().click();
        self.harness.run_steps(3);
    }
}

#[test]
fn every_view_comes_to_the_front_when_asked_for() {
    let mut window = Window::open();
    for (nth, pane) in Pane::ALL.into_iter().enumerate() {
        assert_eq!(window.workspace().is_open(pane), nth < Pane::N_USUAL, "{pane:?}");
        window.harness.state_mut().show(pane);
        window.harness.run_steps(3);
        assert!(window.workspace().is_in_front(pane), "{pane:?}");
        // What it is about is drawn, by name for those who hear it.
        let tabs = window.harness.get_all_by_role_and_label(Role::Button, pane.text());
        assert!(tabs.count() >= 1, "{pane:?}");
    }
    window.harness.state_mut().workspace_mut().reset();
    window.harness.run_steps(3);
    window.click_tab(Pane::LogitLens);
    assert!(window.workspace().is_in_front(Pane::LogitLens));
    assert!(!window.workspace().is_in_front(Pane::Knockout));
}

#[test]
fn a_view_is_closed_and_opened_again_from_the_menu() {
    let mut window = Window::open();
    for pane in [Pane::Ablation, Pane::Trace] {
        window.click("View");
        window.harness.get_by_role_and_label(Role::CheckBox, pane.text()).click();
        window.harness.run_steps(3);
        assert!(!window.workspace().is_open(pane), "{pane:?}");
        window.harness.key_press(eframe::egui::Key::Escape);
        window.harness.run_steps(3);
    }
    // The rest goes on.
    assert!(window.workspace().is_open(Pane::Prediction));

    window.click("View");
    window.harness.get_by_role_and_label(Role::CheckBox, Pane::Trace.text()).click();
    window.harness.run_steps(3);
    assert!(window.workspace().is_in_front(Pane::Trace));
    window.harness.key_press(eframe::egui::Key::Escape);
    window.harness.run_steps(3);

    window.click("View");
    window.click("Usual arrangement");
    let is_open = |pane: &Pane| window.workspace().is_open(*pane);
    assert!(Pane::ALL[..Pane::N_USUAL].iter().all(is_open));
}

#[test]
fn when_all_views_are_closed_the_way_back_is_shown() {
    let mut window = Window::open();
    for pane in Pane::ALL {
        window.harness.state_mut().workspace_mut().close(pane);
    }
    window.harness.run_steps(3);
    window.sees("All views are closed");
    window.click("Usual arrangement");
    assert!(window.workspace().is_in_front(Pane::Trace));
}

#[test]
fn an_arrangement_is_kept_as_it_was() {
    let mut window = Window::open();
    window.harness.state_mut().workspace_mut().close(Pane::Attention);
    window.harness.state_mut().show(Pane::Knockout);
    window.harness.run_steps(3);
    let kept = serde_json::to_string(window.workspace()).unwrap();
    let mut again: Workspace = serde_json::from_str(&kept).unwrap();
    assert!(!again.is_open(Pane::Attention) && again.is_in_front(Pane::Knockout));

    // A closed view comes back where the others are, and a second time changes nothing.
    again.show(Pane::Attention);
    let once = again.clone();
    again.show(Pane::Attention);
    assert_eq!(again, once);
    assert!(again.is_in_front(Pane::Attention));
}

/// On the screen of a laptop, though the views are many.
#[test]
fn menus_of_views_fit_a_small_window() {
    let mut window = Window::open();
    let size = Vec2::new(1280.0, 720.0);
    window.harness.set_size(size);
    window.harness.run_steps(3);
    window.click("View");
    for pane in Pane::ALL {
        let items: Vec<_> = window.harness.get_all_by_label(pane.text()).collect();
        assert!(items.iter().all(|it| it.rect().bottom() <= size.y), "{pane:?}");
    }
    // The last of the menu.
    let last = window.harness.get_by_label_contains("Reset zoom").rect();
    assert!(last.bottom() <= size.y && last.right() <= size.x, "{last:?}");
}

#[test]
fn all_views_can_be_seen_at_once() {
    let mut window = Window::open();
    window.click("View");
    window.click("All views side by side");
    assert!(Pane::ALL.into_iter().all(|pane| window.workspace().is_in_front(pane)));
    window.click("View");
    window.click("Usual arrangement");
    assert!(!window.workspace().is_open(Pane::Bench));
}
